// The page works without this file: forms and links do everything. With it, the page fetches itself again whenever the
// server says that something changed, and puts in place only what differs: what is being written, read or focused stays.

import { refresh, adopt } from "./morph.js";

const body = document.body;
const viewing = body.dataset.viewing || null;
const drift = new Date(body.dataset.now).getTime() - Date.now();
const $ = (id) => document.getElementById(id);
const text = $("text");
const draftKey = viewing && `draft ${body.dataset.me} ${viewing}`;

// --- a draft outlives the page

if (text) {
  if (!text.value) text.value = sessionStorage.getItem(draftKey) || "";
  text.addEventListener("input", () => keepDraft(text.value));
}

// More than a few words are likely to be news; whoever knows better says so, and is not asked again.
const news = document.querySelector("#news input");
if (news && text) {
  let decided = false;
  news.addEventListener("change", () => { decided = true; });
  text.addEventListener("input", () => { if (!decided) news.checked = text.value.trim().split(/\s+/).length > 7; });
}

function keepDraft(words) {
  if (words) sessionStorage.setItem(draftKey, words);
  else sessionStorage.removeItem(draftKey);
}

$("sign-out").addEventListener("submit", () => {
  // Nothing of it may wait here for the next person at this computer.
  for (const key of Object.keys(sessionStorage)) if (key.startsWith("draft ")) sessionStorage.removeItem(key);
});

// --- the newest message in sight

const scroll = $("scroll");
const more = $("more");
const moves = () => getComputedStyle(scroll).overflowY !== "visible" ? scroll : document.documentElement;

function atEnd() {
  if (!scroll) return false;
  const box = moves();
  if (box === scroll) return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const composer = $("composer");
  const last = $("log").lastElementChild;
  return !last || last.getBoundingClientRect().bottom <= innerHeight + 40 - (composer ? composer.offsetHeight - 80 : 0);
}

function toEnd() {
  if (!scroll) return;
  if (moves() === scroll) scroll.scrollTop = scroll.scrollHeight;
  else {
    const last = $("log").lastElementChild;
    const composer = $("composer");
    if (last) scrollTo({ top: scrollY + last.getBoundingClientRect().bottom - innerHeight + (composer ? composer.offsetHeight + 16 : 16) });
  }
  more.hidden = true;
}

if (scroll) {
  const asked = location.hash && document.getElementById(location.hash.slice(1));
  if (asked && scroll.contains(asked)) asked.scrollIntoView({ block: "center" });
  else toEnd();
  more.addEventListener("click", () => { toEnd(); scroll.focus({ preventScroll: true }); });
  (moves() === scroll ? scroll : document).addEventListener("scroll", () => { if (atEnd()) more.hidden = true; }, { passive: true });
}

// --- what changed

let fetching = false;
let again = false;

async function update() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (new URL(answer.url).pathname === "/staff/sign-in") return leave();
    if (answer.ok) show(await answer.text());
  } catch { /* the socket says so when the server is away */ } finally {
    fetching = false;
    if (again) { again = false; update(); }
  }
}

function show(html) {
  const stay = atEnd();
  const before = lastTurn();
  const alarms = keys("alarms");
  const page = refresh(document, html);
  document.title = page.title;
  const added = [...keys("alarms")].filter((key) => !alarms.has(key));
  if (added.length) say(added);
  if (before !== lastTurn()) {
    if (stay) toEnd();
    else if (more) more.hidden = false;
  }
  tellTime();
  return page;
}

const lastTurn = () => $("log")?.lastElementChild?.dataset.key;
const keys = (region) => new Set([...document.querySelectorAll(`[data-region="${region}"] > *`)].map((each) => each.dataset.key));

function say(added) {
  const words = added.map((key) => document.querySelector(`[data-key="${key}"] .what`)?.innerText.replace(/\s+/g, " "));
  $("alarm-voice").textContent = words.join(". ");
}

function leave() {
  location.href = `/staff/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
}

// --- the socket

const connection = $("connection");
let wait = 500;
let away;

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/staff/live`);
  socket.addEventListener("open", () => {
    wait = 500;
    clearTimeout(away);
    connection.textContent = "";
    body.dataset.live = "yes";
    socket.send(JSON.stringify({ viewing }));
  });
  socket.addEventListener("message", (event) => {
    const what = JSON.parse(event.data);
    if (what.signed_out) leave();
    else if (what.changed) update();
  });
  socket.addEventListener("close", () => {
    body.dataset.live = "no";
    clearTimeout(away);
    away = setTimeout(() => { connection.textContent = "Not connected: this page may be out of date. Trying again…"; }, 1500);
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 15000);
  });
}
connect();

// --- forms, without leaving the page

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || form.id === "sign-out") return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const fields = new URLSearchParams(new FormData(form));
    if (button?.name) fields.append(button.name, button.value); // a form with two buttons: which one was pressed
    const answer = await fetch(form.action, { method: "POST", body: fields });
    const path = new URL(answer.url).pathname;
    if (path === "/staff/sign-in") return leave();
    const done = answer.redirected && answer.ok;
    if (form.id === "composer" && done) { text.value = ""; keepDraft(""); }
    if (form.classList.contains("work") && done) finish(form);
    const page = show(await answer.text());
    if (done) {
      // A new form for the next reply, so that this one counts once.
      for (const input of document.querySelectorAll("[data-fresh]")) input.value = page.querySelector("[data-fresh]")?.value ?? input.value;
      if (form.id === "composer") { toEnd(); text.focus(); }
      if (form.action.includes("/take-over")) text?.focus();
    }
  } catch {
    tell("The server cannot be reached, so nothing was sent. Your words are kept: try again.");
  } finally {
    if (button) button.disabled = false;
  }
});

// A link to a form that is folded away unfolds it.
function unfold(hash) {
  const target = hash && document.getElementById(hash.slice(1));
  if (target?.tagName !== "DETAILS") return;
  target.open = true;
  target.querySelector("summary").focus();
}
unfold(location.hash);
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link) setTimeout(() => unfold(link.hash));
});

/** A form of the case has been dealt with: it is empty again, and folded away. */
function finish(form) {
  form.reset();
  const details = form.closest("details");
  if (details) {
    details.open = false;
    details.querySelector("summary").focus({ preventScroll: true });
  }
  connection.textContent = "Saved.";
  setTimeout(() => { if (connection.textContent === "Saved.") connection.textContent = ""; }, 4000);
}

function tell(words) {
  const note = document.createElement("p");
  note.className = "error";
  note.dataset.key = "notice";
  note.textContent = words;
  adopt(document.querySelector('[data-region="notice"]'), [note]);
}

// --- keys (WCAG 2.1.4: single keys can be switched off)

const help = $("help");
const keysOn = $("keys-on");
keysOn.checked = localStorage.getItem("console keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("console keys", keysOn.checked ? "on" : "off"));
$("help-button").hidden = false;
$("help-button").addEventListener("click", () => help.showModal());

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === text) {
    event.preventDefault();
    const send = $("composer").querySelector('[data-key="send"]');
    if (send) $("composer").requestSubmit(send);
    else tell("Take over before you send: somebody else is answering.");
    return;
  }
  const writing = event.target.closest("input, textarea, select, dialog");
  if (writing || event.ctrlKey || event.metaKey || event.altKey || !keysOn.checked) return;
  if (event.key === "?") help.showModal();
  else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else if (event.key === "r" && text) { event.preventDefault(); text.focus(); }
});

function step(by) {
  const lines = [...document.querySelectorAll(".line a")];
  const here = lines.findIndex((line) => line.hasAttribute("aria-current"));
  const next = here < 0 ? lines[0] : lines[here + by];
  if (next) location.href = next.href;
}

// --- how long ago

function tellTime() {
  const now = Date.now() + drift;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const minutes = Math.max(0, Math.floor((now - new Date(time.dateTime).getTime()) / 60000));
    time.textContent = minutes < 1 ? "just now" : minutes < 60 ? `${minutes} min`
      : minutes < 1440 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d`;
  }
}
setInterval(tellTime, 15000);
