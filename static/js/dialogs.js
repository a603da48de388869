// Dialogs that are opened by a button.
import { $, $$, make, on } from "./dom.js";
import { dismissGood, toasts } from "./toasts.js";

// A modal dialog makes the rest of the page inert, toasts too: they live in the dialog while it is open.
export function openDialog(dialog) {
  if (dialog.open) dialog.close();
  dialog.showModal();
  if (toasts) dialog.append(toasts);
}
document.addEventListener("close", (e) => {
  if (e.target.matches?.("dialog") && toasts && e.target.contains(toasts))
    ($$("dialog:modal").pop() ?? document.body).append(toasts);
}, true);

// Until what a dialog holds is there: nothing of what it held before, and a way to close it.
function wait(part, dialog) {
  const head = make("div", { className: "head" });
  head.append(make("h2", { id: dialog.getAttribute("aria-labelledby"), textContent: "Loading", tabIndex: -1 }), $("#keys [data-close]").cloneNode(true));
  part.replaceChildren(head);
}

on("click", "[data-open]", (e, opener) => {
  const dialog = document.getElementById(opener.dataset.open);
  if (!dialog) return; // a link leads to the page that holds the dialog
  e.preventDefault();
  opener.closest("[popover]:popover-open")?.hidePopover();
  dialog.dispatchEvent(new CustomEvent("muster:open", { detail: opener }));
  for (const part of $$("[data-refetch]", dialog)) wait(part, dialog); // htmx fetches what it holds each time
  dismissGood();
  openDialog(dialog);
});

export function focusProblem(root) {
  $$(":is([role=alert], [aria-invalid=true])", root).find((problem) => !problem.closest("[hidden]"))?.focus();
}
