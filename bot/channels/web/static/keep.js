// What the browser keeps. The session's token outlives the tab (24 hours, and other tabs share it); words that the tenant
// has typed are kept for this tab only, so that nothing can be read later on a shared device.

const TOKEN = "doorstep.session";
const UNSENT = "doorstep.unsent";
const DRAFT = "doorstep.draft";

// Storage can be switched off or full; then the chat works, without remembering.
const attempt = (action) => {
  try {
    return action();
  } catch {
    return null;
  }
};

export const keep = {
  token: () => attempt(() => localStorage.getItem(TOKEN)),
  setToken: (token) => attempt(() => localStorage.setItem(TOKEN, token)),
  draft: () => attempt(() => sessionStorage.getItem(DRAFT)) ?? "",
  setDraft: (text) => attempt(() => (text ? sessionStorage.setItem(DRAFT, text) : sessionStorage.removeItem(DRAFT))),
  unsent: () => attempt(() => JSON.parse(sessionStorage.getItem(UNSENT) ?? "[]")) ?? [],
  setUnsent: (messages) => attempt(() => sessionStorage.setItem(UNSENT, JSON.stringify(messages))),
  clear: () => {
    attempt(() => localStorage.removeItem(TOKEN));
    keep.clearWords();
  },
  clearWords: () =>
    attempt(() => {
      sessionStorage.removeItem(UNSENT);
      sessionStorage.removeItem(DRAFT);
    }),
  // Another tab got a new token (its value), or ended the chat (null).
  onTokenElsewhere: (listener) =>
    addEventListener("storage", (event) => {
      if (event.key === TOKEN || event.key === null) listener(event.key === null ? null : event.newValue);
    }),
};
