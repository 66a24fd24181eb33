// Doorstep's chat on another website: a button in the corner and, once it is pressed, the chat page in a frame.
//
//   <script>window.doorstepSettings = { position: "right", launcherTitle: "Chat with us" };</script>
//   <script async src="https://chat.example.org/widget.js"></script>
//
// Settings, all optional: position "right" | "left" · launcherTitle · darkMode "auto" | "light" | "dark" · colour (of the
// button) · launcher false (no button of ours: call doorstep.open() from your own) · baseUrl (where Doorstep is served).
// Calls: doorstep.open() close() toggle() reset() isOpen() and on(event, listener) with "ready", "open", "close", "message".
// The conversation and its token stay inside the frame; the page around it never sees them.
(() => {
  "use strict";
  if (window.doorstep) return;
  const words = "__WORDS__";
  const settings = window.doorstepSettings || {};
  const script = document.currentScript;
  const base = (settings.baseUrl || (script && new URL(script.src).origin) || location.origin).replace(/\/$/, "");
  const origin = new URL(base).origin;
  const side = settings.position === "left" ? "left" : "right";
  const title = settings.launcherTitle || words.launcher;
  const theme = ["light", "dark"].includes(settings.darkMode) ? settings.darkMode : "auto";
  const listeners = {};
  let frame = null;
  let shown = false;
  let ready = false;

  const css = `
    :host { all: initial; }
    button, .frame { position: fixed; z-index: 2147483000; ${side}: max(20px, env(safe-area-inset-${side})); }
    button { bottom: max(20px, env(safe-area-inset-bottom)); display: flex; align-items: center; gap: 10px; min-height: 56px; padding: 0 22px 0 16px;
      border: 2px solid #fff; border-radius: 30px; background: #1d5c57; color: #fff; box-shadow: 0 6px 24px rgb(0 0 0 / 28%); cursor: pointer;
      font: 700 16px/1.2 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; transition: transform .15s; }
    button:hover { transform: translateY(-2px); }
    button:focus-visible { outline: 3px solid #0b57d0; outline-offset: 3px; }
    button[hidden], .frame[hidden] { display: none; }
    .unread { position: absolute; top: -8px; ${side}: -4px; min-width: 24px; padding: 0 6px; border-radius: 12px; background: #a8391f; color: #fff; font-size: 14px; line-height: 24px; text-align: center; }
    .unread:empty { display: none; }
    .frame { bottom: max(20px, env(safe-area-inset-bottom)); width: 400px; height: min(680px, calc(100vh - 40px)); border: 0; border-radius: 20px; background: Canvas;
      color-scheme: ${theme === "auto" ? "light dark" : theme}; box-shadow: 0 10px 50px rgb(0 0 0 / 30%); animation: rise .2s ease-out; }
    @keyframes rise { from { opacity: 0; transform: translateY(16px); } }
    @media (max-width: 480px), (max-height: 420px) { .frame { inset: 0; width: 100%; height: 100%; border-radius: 0; } }
    @media (prefers-reduced-motion: reduce) { button, .frame { animation: none; transition: none; } button:hover { transform: none; } }
    @media (forced-colors: active) { button { border-color: ButtonText; } }`;

  const host = document.createElement("doorstep-chat");
  const root = host.attachShadow({ mode: "open" });
  // A constructed sheet needs no 'unsafe-inline' in the style policy of the page around us; older browsers have none.
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(Object.assign(document.createElement("style"), { textContent: css }));
  }

  const button = document.createElement("button");
  button.type = "button";
  button.hidden = settings.launcher === false;
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-haspopup", "dialog");
  if (settings.colour) button.style.background = settings.colour;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", width: 28, height: 28, "aria-hidden": "true" })) svg.setAttribute(name, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M6 21V10a6 6 0 0 1 12 0v11M3.500 21h17M14.700 15v.01");
  for (const [name, value] of Object.entries({ fill: "none", stroke: "currentColor", "stroke-width": 2.2, "stroke-linecap": "round" })) path.setAttribute(name, value);
  svg.append(path);
  const badge = Object.assign(document.createElement("span"), { className: "unread" });
  button.append(svg, Object.assign(document.createElement("span"), { textContent: title }), badge);
  button.addEventListener("click", () => open());
  root.append(button);

  const emit = (event, detail) => {
    for (const listener of listeners[event] || []) listener(detail);
    window.dispatchEvent(new CustomEvent(`doorstep:${event}`, { detail }));
  };

  const tell = (what) => frame && ready && frame.contentWindow.postMessage({ doorstep: what }, origin);

  const setUnread = (count) => {
    badge.textContent = count ? String(count) : "";
    button.setAttribute("aria-label", count ? `${title}, ${count} ${words.unread}` : title);
  };

  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.className = "frame";
      frame.title = title;
      frame.src = `${base}/chat?embed=1&theme=${theme}`;
      frame.allow = "";
      frame.referrerPolicy = "no-referrer";
      root.append(frame);
    }
    if (shown) return;
    shown = true;
    frame.hidden = false;
    button.hidden = true;
    button.setAttribute("aria-expanded", "true");
    setUnread(0);
    frame.focus();
    tell("open");
    emit("open");
  }

  function close() {
    if (!shown) return;
    shown = false;
    frame.hidden = true;
    button.hidden = settings.launcher === false;
    button.setAttribute("aria-expanded", "false");
    tell("closed");
    button.focus();
    emit("close");
  }

  window.addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== origin) return;
    const { doorstep: what, unread } = event.data || {};
    if (what === "close") close();
    if (what === "message") {
      if (!shown) setUnread(unread);
      emit("message");
    }
    if (what === "ready") {
      ready = true;
      tell(shown ? "open" : "closed");
      emit("ready");
    }
  });

  window.doorstep = {
    open,
    close,
    toggle: () => (shown ? close() : open()),
    reset: () => tell("reset"),
    isOpen: () => shown,
    on: (event, listener) => (listeners[event] = listeners[event] || []).push(listener),
  };

  const mount = () => {
    setUnread(0);
    document.body.append(host);
    window.dispatchEvent(new CustomEvent("doorstep:loaded"));
  };
  if (document.body) mount();
  else document.addEventListener("DOMContentLoaded", mount);
})();
