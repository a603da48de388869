// Short messages.
import { $, $$, make, on } from "./dom.js";

// Good news is shown for 10 s, or until there is newer: what is said is always what happened last.
// Bad news stays until it is dismissed.
export const toasts = $("#toasts");
let timer = 0, held = false;

const good = () => $$(".toast", toasts).filter((t) => t.dataset.tone !== "bad" && t.dataset.tone !== "warn");
function schedule() {
  clearTimeout(timer);
  if (!held && good().length) timer = setTimeout(() => good().forEach(dismiss), 10000);
}
function dismiss(t) {
  if (t.contains(document.activeElement)) ($("#rows [tabindex='0']") ?? $("#main"))?.focus({ preventScroll: true });
  t.remove();
  held &&= toasts.matches(":hover, :focus-within");
  schedule();
}
// A dialog begins without what was said of the page: it would lie over its fields.
export const dismissGood = () => good().forEach(dismiss);
export function toast(text, tone = "ok") {
  const t = make("div", { className: "toast" });
  t.dataset.tone = tone;
  const glyph = $("#toast-icons")?.content.querySelector(`[data-tone="${tone}"]`);
  if (glyph) t.append(glyph.firstElementChild.cloneNode(true));
  t.append(make("span", { textContent: text }));
  if (tone === "bad" || tone === "warn") {
    const button = make("button", { type: "button", textContent: "Dismiss" });
    button.dataset.dismiss = "";
    t.append(button);
  }
  toasts.append(t);
}

if (toasts) {
  new MutationObserver((changes) => {
    const fresh = changes.flatMap((c) => [...c.addedNodes]).filter((node) => node.matches?.(".toast")), said = good();
    if (!held && said.some((t) => fresh.includes(t))) for (const t of said) if (!fresh.includes(t)) dismiss(t);
    document.documentElement.toggleAttribute("data-toast", !!$(".toast", toasts));
    for (const t of fresh) for (const same of $$(".toast", toasts)) if (same !== t && same.textContent === t.textContent) same.remove();
    schedule();
  }).observe(toasts, { childList: true });
  schedule();
  const hold = (state) => () => { held = state; state ? clearTimeout(timer) : schedule(); };
  toasts.addEventListener("pointerenter", hold(true));
  toasts.addEventListener("pointerleave", hold(false));
  toasts.addEventListener("focusin", hold(true));
  toasts.addEventListener("focusout", hold(false));
  on("click", "[data-dismiss]", (_, button) => dismiss(button.closest(".toast")));
  // Undo: the toast goes when the server has answered, because an answer to an element that left the page is dropped.
  document.addEventListener("htmx:finally:request", (e) => {
    const t = e.target.closest?.(".toast");
    if (t && e.detail.ctx.response?.status < 400) dismiss(t);
  });
}
