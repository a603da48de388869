// Changes of many rows of a review, and where the focus goes. Which rows are picked: picks.js.
import { $, $$, isModal, on } from "./dom.js";
import { focusAgain } from "./grid/focus.js";
import { clear, show } from "./picks.js";

// ------------------------------------------------------------------------------------------ Selected rows

const changes = (source) => source instanceof Element && source.matches("[hx-post]") && !!source.closest("#selection, #selection-roles, #regroup");
function changing(is) {
  $("#selection").ariaBusy = String(is);
  show();
}
document.addEventListener("htmx:before:request", (e) => { if (changes(e.detail.ctx.sourceElement)) changing(true); });
document.addEventListener("htmx:finally:request", (e) => { if (changes(e.detail.ctx.sourceElement)) changing(false); });

// ------------------------------------------------------------------------------------------ Answers

on("click", "[data-hides]", (_, button) => button.closest("[popover]")?.hidePopover());
document.addEventListener("htmx:after:request", (e) => {
  const source = e.target, { status } = e.detail.ctx.response ?? {};
  if (!(source instanceof Element) || !status || status >= 400) return;
  if (source.matches("[data-closes]")) close(source);
  if (changes(source)) clear();
});

function close(form) {
  const dialog = form.closest("dialog");
  dialog?.close();
  if (dialog?.contains(document.activeElement)) document.activeElement.blur(); // it was opened by a key: nothing had the focus before
  form.reset();
}

// A toast that offers to undo goes when the next step is told: it may be that very step which was undone by other means.
const STEP = /\/(undos|redos|tidy-up|changes|replacements|merger|retention)(\?|$)/;
const over = new WeakMap();
document.addEventListener("htmx:before:request", (e) => {
  if (STEP.test(e.target.getAttribute?.("hx-post") ?? "")) over.set(e.target, $$(".toast:has([hx-post*='/undos'])"));
});
document.addEventListener("htmx:finally:request", (e) => {
  if (e.detail.ctx?.response?.status < 400) for (const toast of over.get(e.target) ?? []) toast.remove();
});

// What asked is often gone with the answer: then the focus goes to the cell that had it last, its text not selected; else to the counts.
document.addEventListener("htmx:finally:request", () => {
  if (document.activeElement && document.activeElement !== document.body) return;
  if (isModal() || focusAgain()) return;
  ($(".stats [aria-current]") ?? $(".stats a") ?? $("h1"))?.focus({ preventScroll: true });
});

// ------------------------------------------------------------------------------------------ To a row

const cellOf = (line) => document.getElementById(`line-${line}`)?.closest("tr").querySelector(":is(input, select, button).cell");
on("click", "a[data-line]", (e, link) => {
  const cell = cellOf(link.dataset.line);
  if (!cell || e.ctrlKey || e.metaKey || e.shiftKey) return; // it is on another page: the link leads there
  e.preventDefault();
  cell.focus();
});
