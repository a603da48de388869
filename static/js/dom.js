// What every script needs: looking up elements, delegated events, words, and what the browser keeps.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const byId = (id) => (id ? document.getElementById(id) : null); // Firefox warns of each look for ""

/** One listener for all elements that match, also those that htmx swaps in later. */
export function on(event, selector, handler, options) {
  document.addEventListener(event, (e) => {
    const found = e.target instanceof Element && e.target.closest(selector);
    if (found) handler(e, found);
  }, options);
}
export const isModal = () => !!$("dialog:modal, [popover]:popover-open");
export const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
export const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
export const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();

export const storage = {
  get(name) {
    try { return localStorage.getItem("muster." + name); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem("muster." + name);
      else localStorage.setItem("muster." + name, value);
    } catch { /* kept for this page only */ }
  },
};
