// The conversation on the page: bubbles, senders, days, states, answers to choose from. Text is only ever set as text.

// A web address, a phone number, or a case reference (which must not be broken at its hyphens).
const SPECIAL =
  /(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])|(\b0\d[ \d]{8,12}\d\b|\+44[ \d]{9,14}\d\b)|(\b[RCES]-[0-9A-Z]{4}-[0-9A-Z]{3}\b)/g;

const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};

export class Transcript {
  #log;
  #words;
  #onChoice;
  #onRetry;
  #items = new Map(); // message id → element
  #last = null; // the newest item: {key, day}
  #choices = null;
  #time;
  #day;
  #dial;
  #special;

  constructor(log, { words, numbers, onChoice, onRetry }) {
    this.#log = log;
    this.#words = words;
    this.#onChoice = onChoice;
    this.#onRetry = onRetry;
    this.#dial = new Map(numbers.map(({ number, dial }) => [number, dial]));
    // The short ones (999) are numbers to ring only because the landlord lists them.
    const listed = numbers.map(({ number }) => number.replace(/[^\d ]/g, "\\$&")).join("|");
    this.#special = listed ? new RegExp(`${SPECIAL.source}|\\b(${listed})\\b`, "g") : SPECIAL;
    this.#time = new Intl.DateTimeFormat(words.language, { hour: "numeric", minute: "2-digit", hour12: true });
    this.#day = new Intl.DateTimeFormat(words.language, { weekday: "long", day: "numeric", month: "long" });
  }

  get empty() {
    return this.#items.size === 0;
  }

  has(id) {
    return this.#items.has(id);
  }

  clear() {
    this.#log.replaceChildren();
    this.#items.clear();
    this.#last = null;
    this.#choices = null;
  }

  notice(text) {
    this.#log.append(make("p", "notice", text));
    this.#last = null;
  }

  // Show a message. `state` is only for the tenant's own: "sending", "sent" or "failed".
  add(message, state) {
    const at = new Date(message.at);
    this.#mark(at);
    const item = make("article", `message ${message.from}`);
    if (message.urgent) item.classList.add("urgent");
    const key = `${message.from}|${message.name}|${message.urgent}`;
    const follows = this.#last?.key === key && at - this.#last.at < 5 * 60_000;
    if (follows) item.classList.add("follows");

    const sender = make("p", "sender", this.#sender(message));
    if (follows || message.from === "tenant") sender.classList.add("unseen");
    item.append(sender);
    if (message.urgent) {
      item.setAttribute("aria-live", "off"); // it is announced apart, at once (chat.js)
      item.append(make("p", "label", this.#words.urgent_label));
    }

    const bubble = make("div", "bubble");
    this.#write(bubble, message.text);
    item.append(bubble);

    const foot = make("p", "foot");
    const time = make("time", "", this.#time.format(at));
    time.dateTime = at.toISOString();
    foot.append(time);
    item.append(foot);
    if (state) this.#show(item, message.id, state);

    this.#settle();
    if (message.choices?.length) {
      this.#choices = this.#offer(message.choices);
      item.append(this.#choices);
    }
    this.#last?.item?.classList.toggle("run", follows);
    this.#log.append(item);
    this.#items.set(message.id, item);
    this.#last = { key, at, item };
    return item;
  }

  setState(id, state) {
    const item = this.#items.get(id);
    if (item) this.#show(item, id, state);
  }

  #sender({ from, name }) {
    if (from === "tenant") return this.#words.sender_you;
    if (from === "staff") return name ? `${name}, ${this.#words.sender_staff}` : this.#words.sender_staff;
    return this.#words.sender_bot;
  }

  #mark(at) {
    const name = this.#day.format(at);
    const earlier = this.#last?.at ?? null;
    if (earlier && this.#day.format(earlier) === name) return;
    if (!earlier && this.#log.querySelector(".day:last-of-type")?.dataset.day === name) return;
    const now = new Date();
    const yesterday = new Date(now - 86_400_000);
    const words =
      name === this.#day.format(now) ? this.#words.day_today : name === this.#day.format(yesterday) ? this.#words.day_yesterday : name;
    const day = make("p", "day", words);
    day.dataset.day = name;
    this.#log.append(day);
  }

  #show(item, id, state) {
    item.classList.remove("sending", "sent", "failed");
    item.classList.add(state);
    const foot = item.querySelector(".foot");
    foot.querySelector(".state")?.remove();
    const line = make("span", "state");
    line.append(make("span", "", this.#words[`state_${state}`]));
    if (state === "failed") {
      const again = make("button", "retry", this.#words.state_retry);
      again.type = "button";
      again.onclick = () => this.#onRetry(id);
      line.append(again);
    }
    foot.append(line);
  }

  #offer(choices) {
    const group = make("div", "choices");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", this.#words.choices_label);
    for (const choice of choices) {
      const button = make("button", "choice", choice.label);
      button.type = "button";
      button.onclick = () => {
        this.#settle();
        this.#onChoice(choice);
      };
      group.append(button);
    }
    return group;
  }

  // Answers can be chosen only while they are the newest thing said.
  #settle() {
    this.#choices?.remove();
    this.#choices = null;
  }

  #write(bubble, text) {
    let from = 0;
    for (const match of text.matchAll(this.#special)) {
      bubble.append(text.slice(from, match.index));
      if (match[3]) {
        bubble.append(make("b", "reference", match[3]));
        from = match.index + match[0].length;
        continue;
      }
      const number = match[2] ?? match[4];
      const link = make("a", number ? "number" : "", match[0]);
      if (number) {
        link.href = `tel:${this.#dial.get(number) ?? number.replaceAll(" ", "")}`;
      } else {
        link.href = match[1];
        link.target = "_blank";
        link.rel = "noopener noreferrer";
      }
      bubble.append(link);
      from = match.index + match[0].length;
    }
    bubble.append(text.slice(from));
  }
}
