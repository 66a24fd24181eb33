// Phones, played on by a developer. The page asks for what is new twice a second: the product's own process ends at
// once on Ctrl-C, which an open stream would hold up.

const $ = (id) => document.getElementById(id);
const EVERY = 500;

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

const pick = (below) => Math.floor(Math.random() * below);
// From the numbers that Ofcom keeps free for drama: they ring nobody.
const newNumber = () => `+447700900${100 + pick(900)}`;
const newChat = () => String(500_000_000 + pick(500_000_000));

const phone = {
  get number() {
    return $("number").value.replace(/[^+\d]/g, "");
  },
  get chat() {
    return $("chat").value.replace(/\D/g, "") || "0";
  },
  whatsapp: false,
  blocked: false,
};

let version = "";
let latest = null;
let toast = null;

// --- sending --------------------------------------------------------------------------------------------------------

async function post(path, body) {
  const response = await fetch(`/dev/phone/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const { answer } = response.ok ? await response.json() : { answer: response.status };
  if (answer !== undefined && answer !== null && answer !== 200) show(answer === 0 ? "The webhook could not be reached" : `The webhook answered ${answer}`);
  await look();
}

const sendText = (text) => post("text", { number: phone.number, text, whatsapp: phone.whatsapp });
const sendTelegram = (text) => post("telegram", { chat: phone.chat, text });

function writer(form, box, send) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    box.value = "";
    box.dispatchEvent(new Event("input"));
    send(text);
    box.focus();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  box.addEventListener("input", () => {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
  });
}

// --- counting -------------------------------------------------------------------------------------------------------

const GSM_7 = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
const GSM_7_DOUBLE = new Set("\f^{}\\[~]|€");

function measure(text) {
  let length = 0;
  for (const symbol of text) {
    if (!GSM_7.has(symbol) && !GSM_7_DOUBLE.has(symbol)) return segmented(text.length, 70, 67, "Unicode");
    length += GSM_7_DOUBLE.has(symbol) ? 2 : 1;
  }
  return segmented(length, 160, 153, "GSM-7");
}

const segmented = (length, single, joined, alphabet) => ({
  length,
  room: length <= single ? single : Math.ceil(length / joined) * joined,
  segments: length <= single ? 1 : Math.ceil(length / joined),
  alphabet,
});

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

$("sms-text").addEventListener("input", () => {
  const text = $("sms-text").value;
  const { length, room, segments, alphabet } = measure(text);
  $("sms-counter").textContent = text ? `${length}/${room} · ${plural(segments, "segment")}${alphabet === "GSM-7" ? "" : ` · ${alphabet}`}` : "";
});

// --- showing --------------------------------------------------------------------------------------------------------

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function fill(thread, messages, draw, invitation) {
  const atEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
  thread.replaceChildren(...(messages.length ? messages.flatMap(draw) : [make("p", "empty", invitation)]));
  if (atEnd) thread.scrollTop = thread.scrollHeight;
}

function drawText(message) {
  const bubble = make("div", message.mine ? "bubble mine" : "bubble", message.text);
  const parts = [time.format(new Date(message.at))];
  if (!message.whatsapp) parts.push(plural(message.segments, "segment"));
  if (!message.mine) parts.push(message.error ? `${message.status} (${message.error})` : message.status);
  else if (message.answer === undefined || message.answer === null) parts.push("on its way");
  else parts.push(message.answer === 200 ? "✓ taken" : `webhook answered ${message.answer}`);
  const meta = make("p", `meta${message.mine ? " right" : ""}`, parts.join(" · "));
  const failed = ["failed", "undelivered"].includes(message.status) || (message.mine && message.answer && message.answer !== 200);
  meta.classList.toggle("bad", Boolean(failed));
  return [bubble, meta];
}

function drawTelegram(message) {
  const bubble = make("div", message.mine ? "bubble mine" : "bubble", message.text);
  const meta = make("p", "meta");
  if (message.mine) {
    const change = make("button", "", "edit");
    change.type = "button";
    change.addEventListener("click", () => {
      const text = prompt("Change the message to", message.text);
      if (text && text !== message.text) post("edit", { chat: phone.chat, message: message.id, text });
    });
    meta.append(change, " · ");
  }
  meta.append(`${message.edited ? "edited " : ""}${time.format(new Date(message.at * 1000))}${message.mine ? " ✓✓" : ""}`);
  bubble.append(meta);
  if (!message.buttons.length) return [bubble];
  const buttons = make("div", "buttons");
  for (const { label, data } of message.buttons) {
    const button = make("button", "", label);
    button.type = "button";
    button.title = data;
    button.addEventListener("click", () => post("press", { chat: phone.chat, data, message: message.id }));
    buttons.append(button);
  }
  return [bubble, buttons];
}

// --- calls ------------------------------------------------------------------------------------------------------------

const OVER = { completed: "ended", busy: "turned away", "no-answer": "not answered", failed: "failed", canceled: "cancelled" };
let current = null;

function drawCalls(calls) {
  const alive = calls.filter(({ status }) => !(status in OVER));
  const newest = alive.find(({ status }) => status === "in-progress") ?? alive[0] ?? calls.at(-1);
  if (!newest) {
    fill($("call-thread"), [], null, "Nobody has been rung yet. Tell of danger from a text phone, with the office closed.");
    return;
  }
  current = newest.id;
  const ringing = newest.status === "ringing" || newest.status === "queued";
  const talking = newest.status === "in-progress";
  $("call-to").textContent = newest.to;
  $("call-state").textContent = ringing ? "ringing…" : talking ? (newest.asking ? "press a key" : "speaking…") : OVER[newest.status];
  $("ringing").hidden = !ringing;
  $("talking").hidden = !talking;
  for (const key of $("keypad").children) key.disabled = !newest.asking;
  const said = [...newest.said.map((text) => ({ text })), ...newest.pressed.map((key) => ({ text: `Pressed ${key}`, mine: true }))];
  fill($("call-thread"), said, ({ text, mine }) => [make("div", mine ? "bubble mine" : "bubble", text)], ringing ? "Ringing…" : "Nothing was said.");
  const others = calls.filter(({ id }) => id !== newest.id).reverse();
  $("past").replaceChildren(...others.map((call) => make("li", "", `${call.at ? time.format(new Date(call.at)) : ""} ${call.to}: ${OVER[call.status] ?? call.status}${call.pressed.length ? `, pressed ${call.pressed.join(", ")}` : ""}`)));
}

for (const key of "123456789*0#") {
  const button = make("button", "", key);
  button.type = "button";
  button.addEventListener("click", () => post("key", { call: current, key }));
  $("keypad").append(button);
}
$("call-answer").addEventListener("click", () => post("answer", { call: current }));
$("call-machine").addEventListener("click", () => post("answer", { call: current, machine: true }));
$("call-decline").addEventListener("click", () => post("hang-up", { call: current }));
$("call-hang-up").addEventListener("click", () => post("hang-up", { call: current }));

function show(words) {
  $("toast").textContent = words;
  $("toast").hidden = false;
  clearTimeout(toast);
  toast = setTimeout(() => ($("toast").hidden = true), 4_000);
}

function options(list, values) {
  $(list).replaceChildren(...values.map((value) => Object.assign(document.createElement("option"), { value })));
}

let shownToast;

function draw() {
  if (!latest) return;
  fill($("sms-thread"), latest.texts.filter(({ whatsapp }) => whatsapp === phone.whatsapp), drawText, "Write to the landlord as a tenant would.");
  fill($("telegram-thread"), latest.telegram, drawTelegram, "What can this bot do? Press START, or just write.");
  $("start").hidden = latest.telegram.length > 0;
  phone.blocked = latest.blocked;
  $("block").textContent = latest.blocked ? "Unblock" : "Block";
  $("telegram-state").textContent = latest.blocked ? "blocked" : "bot";
  $("sms-state").textContent = latest.optedOut && !phone.whatsapp ? "opted out (STOP)" : phone.whatsapp ? "business account" : "text messages";
  drawCalls(latest.calls);
  options("numbers", latest.numbers);
  options("chats", latest.chats);
  if (latest.toast && latest.toast[0] !== shownToast) {
    if (shownToast !== undefined && latest.toast[1]) show(latest.toast[1]);
    shownToast = latest.toast[0];
  } else shownToast ??= null;
}

async function look() {
  try {
    const query = new URLSearchParams({ number: phone.number, chat: phone.chat, version });
    const response = await fetch(`/dev/phone/messages?${query}`);
    $("lost").hidden = true;
    if (response.status === 200) {
      latest = await response.json();
      version = latest.version;
      draw();
    }
  } catch {
    $("lost").hidden = false;
  }
}

function change() {
  sessionStorage.setItem("doorstep.phones", JSON.stringify({ number: phone.number, chat: phone.chat, whatsapp: phone.whatsapp }));
  version = "";
  look();
}

function as(whatsapp) {
  phone.whatsapp = whatsapp;
  $("as-sms").setAttribute("aria-pressed", String(!whatsapp));
  $("as-whatsapp").setAttribute("aria-pressed", String(whatsapp));
  $("sms").classList.toggle("whatsapp", whatsapp);
  change();
}

// --- begin ----------------------------------------------------------------------------------------------------------

writer($("sms-form"), $("sms-text"), sendText);
writer($("telegram-form"), $("telegram-text"), sendTelegram);
for (const button of document.querySelectorAll("[data-text]")) button.addEventListener("click", () => sendText(button.dataset.text));
$("start").addEventListener("click", () => sendTelegram("/start"));
$("block").addEventListener("click", () => post("block", { chat: phone.chat, blocked: !phone.blocked }));
$("as-sms").addEventListener("click", () => as(false));
$("as-whatsapp").addEventListener("click", () => as(true));
$("new-number").addEventListener("click", () => {
  $("number").value = newNumber();
  change();
  $("sms-text").focus();
});
$("new-chat").addEventListener("click", () => {
  $("chat").value = newChat();
  change();
  $("telegram-text").focus();
});
$("number").addEventListener("change", change);
$("chat").addEventListener("change", change);

const kept = JSON.parse(sessionStorage.getItem("doorstep.phones") ?? "null");
$("number").value = kept?.number ?? newNumber();
$("chat").value = kept?.chat ?? newChat();
as(kept?.whatsapp ?? false);
setInterval(() => {
  if (document.visibilityState === "visible") look();
}, EVERY);
$("sms-text").focus();
