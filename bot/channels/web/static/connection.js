// The socket: hello, replay, exactly-once, back again after every loss. Speaks in events; knows nothing of the page.
//
// Events (CustomEvent.detail): "session" {token, open, name, replay, fresh} · "message" frame · "accepted" {id, seq} ·
// "typing" {name} · "refused" {code, text, id} · "state" "connecting" | "open" | "lost" · "failed" {id}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;
const ANSWER_WITHIN = 12_000;
const TRIES = 4;

export class Connection extends EventTarget {
  #address;
  #keep;
  #socket = null;
  #after = 0;
  #losses = 0;
  #timer = 0;
  #watch = 0;
  #ready = false;
  #held = []; // messages of the tenant that the server has not accepted yet, oldest first
  #stopped = false;
  #lastSeen = 0;

  constructor(address, keep) {
    super();
    this.#address = address;
    this.#keep = keep;
    this.#held = keep.unsent();
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#drop());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.#hurry();
    });
  }

  get held() {
    return this.#held;
  }

  get after() {
    return this.#after;
  }

  open() {
    clearTimeout(this.#timer);
    this.#stopped = false;
    this.#ready = false;
    this.#tell("state", "connecting");
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", session: this.#keep.token(), after: this.#after }));
    socket.onmessage = (event) => this.#read(event.data);
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    this.#expectAnswer();
  }

  // Forget the session and begin a new one.
  startAgain() {
    this.#held = [];
    this.#after = 0;
    this.#lastSeen = 0;
    this.close();
    this.open();
  }

  close() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  // Keep a message until the server has it. `frame` is {type, id, text} or {type, id, value, label}.
  post(frame) {
    this.#held.push({ ...frame, tries: 0 });
    this.#keep.setUnsent(this.#held);
    this.#sendHeld(frame.id);
  }

  retry(id) {
    const frame = this.#held.find((one) => one.id === id);
    if (!frame) return;
    frame.tries = 0;
    frame.failed = false;
    this.#keep.setUnsent(this.#held);
    if (this.#ready) this.#sendHeld(id);
    else this.#hurry();
  }

  typing() {
    if (this.#ready) this.#socket.send('{"type":"typing"}');
  }

  seen(seq) {
    if (!this.#ready || seq <= this.#lastSeen) return;
    this.#lastSeen = seq;
    this.#socket.send(JSON.stringify({ type: "ack", seq }));
  }

  #read(data) {
    this.#losses = 0;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    switch (frame.type) {
      case "session":
        this.#begin(frame);
        break;
      case "message":
        this.#release(frame.id);
        if (frame.seq <= this.#after) return; // seen already
        this.#after = frame.seq;
        this.#tell("message", frame);
        break;
      case "accepted":
        this.#release(frame.id);
        this.#after = Math.max(this.#after, frame.seq);
        this.#tell("accepted", frame);
        break;
      case "typing":
        this.#tell("typing", frame);
        break;
      case "error":
        this.#refused(frame);
    }
    if (this.#held.every((one) => one.failed || !one.tries)) clearTimeout(this.#watch);
  }

  #begin(frame) {
    const known = this.#keep.token();
    this.#keep.setToken(frame.token);
    if (this.#ready) return; // only a fresh token for the same session
    // A session is what comes before the first dot of its token.
    const fresh = Boolean(known) && known.split(".")[0] !== frame.token.split(".")[0];
    if (fresh) {
      this.#after = 0;
      this.#lastSeen = 0;
    }
    this.#ready = true;
    clearTimeout(this.#watch);
    this.#tell("session", { ...frame, fresh });
    this.#tell("state", "open");
    for (const one of [...this.#held]) if (!one.failed) this.#sendHeld(one.id);
  }

  #sendHeld(id) {
    const frame = this.#held.find((one) => one.id === id);
    if (!frame || !this.#ready) return;
    if (frame.tries >= TRIES) {
      this.#fail(frame);
      return;
    }
    frame.tries += 1;
    const { tries, failed, label, at, ...wire } = frame;
    this.#socket.send(JSON.stringify(wire));
    this.#expectAnswer();
  }

  #refused(frame) {
    const held = this.#held.find((one) => one.id === frame.id);
    if (held) this.#fail(held);
    this.#tell("refused", frame);
  }

  #fail(frame) {
    frame.failed = true;
    this.#keep.setUnsent(this.#held);
    this.#tell("failed", { id: frame.id });
  }

  #release(id) {
    const before = this.#held.length;
    this.#held = this.#held.filter((one) => one.id !== id);
    if (this.#held.length !== before) this.#keep.setUnsent(this.#held);
  }

  // A socket whose other end has gone says nothing at all: no answer in time is a loss.
  #expectAnswer() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#drop(), ANSWER_WITHIN);
  }

  #drop() {
    const socket = this.#socket;
    if (!socket || this.#stopped) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.#lost();
  }

  #lost() {
    clearTimeout(this.#watch);
    this.#socket = null;
    this.#ready = false;
    if (this.#stopped) return;
    this.#tell("state", "lost");
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#losses);
    this.#losses += 1;
    // Somewhere between half and all of it, or every page comes back in the same moment.
    this.#timer = setTimeout(() => this.open(), longest * (0.5 + Math.random() / 2));
  }

  #hurry() {
    if (this.#stopped || this.#socket) return;
    this.#losses = 0;
    this.open();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
