// The chat page: joins connection, transcript and what the browser keeps.

import { Connection } from "./connection.js";
import { keep } from "./keep.js";
import { Transcript } from "./transcript.js";

const { words, numbers, limit } = JSON.parse(document.getElementById("config").textContent);
const $ = (id) => document.getElementById(id);
const embedded = document.documentElement.classList.contains("embedded");
const byTouch = matchMedia("(pointer: coarse)").matches;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const [text, log, scroll, status, alertRegion] = ["text", "log", "scroll", "status", "alert"].map($);

const QUIET = 30 * 60_000;
const TYPING_SHOWN = 6_000;
const TYPING_TOLD = 3_000;
const BANNER_AFTER = 1_500;

let replaying = 0;
let everOpen = false;
let bannerTimer = 0;
let typingTimer = 0;
let quietTimer = 0;
let toldTyping = 0;
let parentOpen = !embedded;
let unread = 0;
let following = true; // the reader is at the end, or on the way there
let lastTop = 0;
let advice = null; // the safety advice that the reader has not scrolled past yet

const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/channels/web/socket`;
const connection = new Connection(address, keep);
const transcript = new Transcript(log, {
  words,
  numbers,
  onChoice: (choice) => {
    post({ type: "choice", value: choice.value, label: choice.label });
    rest();
  },
  onRetry: (id) => {
    transcript.setState(id, "sending");
    connection.retry(id);
    rest();
  },
});

// --- saying ---------------------------------------------------------------------------------------------------------

// randomUUID exists only on secure addresses; a chat tried out over plain http must work too.
const uuid = () =>
  crypto.randomUUID?.() ??
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (+digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (+digit / 4)))).toString(16),
  );

function post(frame) {
  const whole = { id: uuid(), at: new Date().toISOString(), ...frame };
  show(whole, "sending");
  connection.post(whole);
  wakeLater();
}

function show(held, state) {
  hideWelcome();
  advice = null;
  transcript.add({ id: held.id, from: "tenant", name: "", text: held.text ?? held.label, at: held.at, choices: [] }, state);
  toEnd();
}

// Keep the keyboard where the reader expects it: in the message box, but on a phone without raising the keyboard.
function rest() {
  (byTouch ? scroll : text).focus({ preventScroll: true });
}

function submit(event) {
  event?.preventDefault();
  const value = text.value.trim();
  if (!value) {
    text.focus();
    return;
  }
  if ([...value].length > limit) {
    count(true);
    text.focus();
    return;
  }
  text.value = "";
  keep.setDraft("");
  size();
  count();
  post({ type: "message", text: value });
  text.focus({ preventScroll: true });
}

// --- showing --------------------------------------------------------------------------------------------------------

const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;

// Down to what is newest; but never so far that safety advice leaves the screen before it was read.
function toEnd(behavior = replaying || calm.matches ? "instant" : "smooth") {
  const end = scroll.scrollHeight - scroll.clientHeight;
  const top = Math.min(end, advice ? advice.offsetTop - 8 : end);
  scroll.scrollTo({ top, behavior });
  following = true;
  $("more").hidden = top > end - 80;
}

for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"])
  scroll.addEventListener(kind, () => (advice = null), { passive: true });

function hideWelcome() {
  $("welcome").hidden = true;
  $("end").hidden = false;
}

function say(words) {
  status.textContent = words;
}

function announceUrgent(message) {
  const line = document.createElement("span");
  line.textContent = `${words.urgent_label}: ${message.text}`;
  alertRegion.append(line); // added, not replaced: a second piece of advice must not cut off the first
  // Only once: it stays in the transcript, and must not be met a second time by a reader who moves through the page.
  setTimeout(() => line.remove(), 10_000);
}

function stopTyping() {
  clearTimeout(typingTimer);
  $("typing").hidden = true;
}

connection.addEventListener("message", ({ detail: message }) => {
  const replayed = replaying > 0;
  const follow = following || replayed;
  if (message.from !== "tenant") stopTyping();
  if (transcript.has(message.id)) {
    transcript.setState(message.id, "sent");
  } else {
    hideWelcome();
    const item = transcript.add(message, message.from === "tenant" ? "sent" : undefined);
    if (!replayed && message.urgent) {
      advice ??= item;
      announceUrgent(message);
    }
    if (!replayed && message.from !== "tenant") tellParent("message");
  }
  if (follow) toEnd();
  else $("more").hidden = false;
  if (replayed) {
    replaying -= 1;
    if (!replaying) endReplay();
  }
  seen();
  wakeLater();
});

connection.addEventListener("accepted", ({ detail: { id } }) => transcript.setState(id, "sent"));
connection.addEventListener("failed", ({ detail: { id } }) => transcript.setState(id, "failed"));

connection.addEventListener("refused", ({ detail: { text: reason } }) => {
  say("");
  transcript.notice(reason);
  toEnd();
});

connection.addEventListener("typing", ({ detail: { name } }) => {
  $("typing-words").textContent = `${name} ${words.typing}`;
  $("typing").hidden = false;
  say(`${name} ${words.typing}`);
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, TYPING_SHOWN);
});

connection.addEventListener("session", ({ detail: { open, replay, fresh } }) => {
  $("office").textContent = open ? words.subtitle_open : words.subtitle_closed;
  $("office").classList.toggle("open", open);
  if (fresh && !transcript.empty) transcript.notice(words.new_conversation);
  // What a page shows on opening is no news, and is not read out message by message. What came while it was away is.
  if (transcript.empty && replay) {
    replaying = replay;
    log.setAttribute("aria-live", "off");
  }
  // Words from before the page was loaded again, not yet at the server.
  for (const held of connection.held) if (!transcript.has(held.id) && !replay) show(held, held.failed ? "failed" : "sending");
});

function endReplay() {
  for (const held of connection.held) if (!transcript.has(held.id)) show(held, held.failed ? "failed" : "sending");
  toEnd();
  setTimeout(() => log.setAttribute("aria-live", "polite"), 500);
}

connection.addEventListener("state", ({ detail: state }) => {
  clearTimeout(bannerTimer);
  if (state === "open") {
    if (!$("banner").hidden) say(everOpen ? words.reconnected : words.connected);
    $("banner").hidden = true;
    everOpen = true;
  } else if (state === "lost") {
    stopTyping();
    bannerTimer = setTimeout(showBanner, navigator.onLine ? BANNER_AFTER : 0);
  } else if ($("banner").hidden) {
    bannerTimer = setTimeout(showBanner, BANNER_AFTER * 2);
  }
});

function showBanner() {
  const kind = navigator.onLine ? "reconnecting" : "offline";
  $("banner-title").textContent = words[`${kind}_title`];
  $("banner-text").textContent = words[`${kind}_text`];
  $("banner").hidden = false;
  if (following) toEnd();
  say(`${words[`${kind}_title`]}. ${words[`${kind}_text`]} ${numbers.map(({ label, number }) => `${label} ${number}`).join(", ")}`);
}

// Seen is seen: only in a window that is in front, with the chat open.
function seen() {
  if (document.visibilityState === "visible" && parentOpen && connection.after) connection.seen(connection.after);
}

document.addEventListener("visibilitychange", seen);

function wakeLater() {
  clearTimeout(quietTimer);
  quietTimer = setTimeout(() => transcript.notice(words.still_here), QUIET);
}

// --- the message box ------------------------------------------------------------------------------------------------

function size() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
  if (following && !transcript.empty) toEnd("instant"); // the box takes room from the transcript
}

function count(always) {
  const left = limit - [...text.value.trim()].length;
  const line = left < 0 ? words.too_many.replace("{left}", -left) : left <= 200 || always ? words.characters_left.replace("{left}", left) : "";
  $("count").textContent = line;
  $("count").classList.toggle("over", left < 0);
  text.setAttribute("aria-invalid", String(left < 0));
  if (always) say(line);
}

text.addEventListener("input", () => {
  keep.setDraft(text.value);
  size();
  count();
  if (text.value && Date.now() - toldTyping > TYPING_TOLD) {
    toldTyping = Date.now();
    connection.typing();
  }
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});

$("composer").addEventListener("submit", submit);
$("more").addEventListener("click", () => {
  advice = null;
  toEnd();
  rest();
});
scroll.addEventListener("scroll", () => {
  if (atEnd()) {
    following = true;
    $("more").hidden = true;
  } else if (scroll.scrollTop < lastTop) {
    following = false; // only a reader scrolls up
  }
  lastTop = scroll.scrollTop;
});
for (const starter of document.querySelectorAll(".starter"))
  starter.addEventListener("click", () => {
    post({ type: "message", text: starter.textContent.trim() });
    rest();
  });

// --- leaving --------------------------------------------------------------------------------------------------------

$("exit").addEventListener("click", () => {
  connection.close();
  keep.clear();
  document.body.hidden = true;
  (embedded ? window.top : window).location.replace(words.exit_address);
});

$("end").addEventListener("click", () => $("ending").showModal());
$("ending").addEventListener("close", () => {
  if ($("ending").returnValue === "yes") {
    keep.clear();
    forget();
  }
  $("ending").returnValue = "";
});

function forget() {
  advice = null;
  keep.clearWords();
  transcript.clear();
  text.value = "";
  size();
  count();
  clearTimeout(quietTimer);
  $("welcome").hidden = false;
  $("end").hidden = true;
  connection.startAgain();
  text.focus();
}

keep.onTokenElsewhere((token) => {
  if (token === null) {
    // Ended in another window: nothing may stay readable here either. (Its next token is not ours to clear.)
    forget();
    say(words.unsent_elsewhere);
  } else if (transcript.empty && !connection.held.length) {
    connection.startAgain();
  }
});

// --- inside the widget ------------------------------------------------------------------------------------------------

function tellParent(what) {
  if (!embedded || parent === window) return;
  if (what === "message" && !parentOpen) unread += 1;
  parent.postMessage({ doorstep: what, unread }, "*"); // never words: any site that may embed us may read this
}

if (embedded) {
  $("close")?.addEventListener("click", () => tellParent("close"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !$("ending").open) tellParent("close");
  });
  addEventListener("message", (event) => {
    if (event.source !== parent) return;
    if (event.data?.doorstep === "open") {
      parentOpen = true;
      unread = 0;
      toEnd();
      seen();
      if (!byTouch) text.focus({ preventScroll: true });
      else $("close").focus({ preventScroll: true });
    } else if (event.data?.doorstep === "closed") {
      parentOpen = false;
    } else if (event.data?.doorstep === "reset") {
      keep.clear();
      forget();
    }
  });
}

// --- begin ------------------------------------------------------------------------------------------------------------

if (!embedded && matchMedia("(min-width: 60rem)").matches) $("danger").open = true;
text.value = keep.draft();
size();
count();
connection.open();
tellParent("ready");
if (!embedded && !byTouch) text.focus({ preventScroll: true });
