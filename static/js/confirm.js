// Questions before something is done, and before what is typed is lost.
import { $, $$, on } from "./dom.js";
import { openDialog } from "./dialogs.js";

// "Discard this upload? Its 4 edits are deleted." asks with the question as the title and the rest below it.
// Resolves to true when the answer is yes. Esc and Cancel give the focus back to the button.
export function ask(sentence, button, keep, tone) {
  const dialog = $("#ask");
  const [, question, rest] = sentence.match(/^(.*?[?])\s*(.*)$/s) ?? [null, sentence, ""];
  $("#ask-title").textContent = question;
  $("#ask-text").textContent = rest;
  $("#ask-text").hidden = !rest;
  const yes = $("[value=yes]", dialog);
  yes.textContent = button || "Go on";
  yes.className = `btn ${tone || "danger"}`;
  $("[value='']", dialog).textContent = keep || "Cancel";
  dialog.returnValue = "";
  openDialog(dialog);
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
const label = (element) => element?.textContent.trim();

document.addEventListener("htmx:confirm", async (e) => {
  if (!$("#ask")) return; // htmx then asks by itself
  e.preventDefault();
  const source = e.detail.ctx.sourceElement;
  const named = source.dataset.confirmButton ?? label(source.matches("form") ? e.detail.ctx.sourceEvent?.submitter : source);
  (await ask(e.detail.ctx.confirm, named, source.dataset.confirmKeep, source.dataset.confirmTone)) ? e.detail.issueRequest() : e.detail.dropRequest();
});

// The same for a plain form, or for one of its buttons.
document.addEventListener("submit", async (e) => {
  const { target: form, submitter } = e;
  const asks = submitter?.hasAttribute("data-confirm") ? submitter : form.hasAttribute("data-confirm") ? form : null;
  if (!asks || !$("#ask") || form.dataset.confirmed) { delete form.dataset.confirmed; return; }
  e.preventDefault();
  e.stopImmediatePropagation();
  if (!(await ask(asks.dataset.confirm, asks.dataset.confirmButton ?? label(submitter), asks.dataset.confirmKeep, asks.dataset.confirmTone))) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(submitter);
}, true);

on("click", "[data-close]", (e, button) => {
  const dialog = button.closest("dialog");
  if (!dialog) return; // a link leads back from the page that shows the same as the dialog
  e.preventDefault();
  leave(dialog);
});
document.addEventListener("cancel", (e) => { // Esc
  if (!draft(e.target)) return;
  e.preventDefault();
  leave(e.target);
}, true);

// form[data-draft]: what is typed there is asked about before the dialog is closed, or the page left.
const sent = (field) => field.defaultValue.replace(field.matches("textarea") ? /\r/g : /[\r\n]/g, ""); // as the browser shows it
const draft = (root) => $$("form[data-draft] :is(input, textarea)", root).find((field) => field.value !== sent(field));
async function leave(dialog) {
  const typed = draft(dialog);
  if (typed && !(await ask("Close without saving? What you typed is lost.", "Close", "Keep editing"))) return typed.focus();
  typed?.form.reset();
  dialog.close();
}
addEventListener("beforeunload", (e) => { if (draft(document)) e.preventDefault(); });
