// When a cell is saved, and what becomes of what was not.
import { $, $$ } from "../dom.js";
import { setEditing, state } from "./state.js";
import { cellOf, control, isText, known, say, sender, valueOf } from "./table.js";

// What the server has, or has been sent, is the control's default. "change" reaches htmx once for each new value, also where the
// browser fires none: after half typed text was put back into a cell that an answer had replaced.
// A field drops the line breaks that a cell may hold: that is no edit.
export const saved = (stop) => isText(stop) ? stop.defaultValue.replace(/[\r\n]/g, "") : ([...stop.options].find((o) => o.defaultSelected) ?? stop.options[0])?.value;
export const isDirty = (stop) => stop.matches("input.cell, select.cell") && stop.value !== saved(stop);
export function setSaved(stop, value) {
  if (isText(stop)) stop.defaultValue = value;
  else for (const option of stop.options) option.defaultSelected = option.value === value;
}
export function restore(stop) {
  if (isText(stop)) stop.value = stop.defaultValue;
  else if (stop.matches("select")) stop.value = saved(stop);
}
export function save(stop) {
  state.choosing = null;
  if (isDirty(stop)) stop.dispatchEvent(new Event("change", { bubbles: true }));
}

document.addEventListener("change", (e) => {
  const stop = e.target;
  if (!stop.matches?.("#rows :is(input, select).cell")) return;
  const isLeft = isText(stop) && !document.hasFocus(); // Firefox fires it when the window is left, too: the edit goes on when it comes back
  if (state.choosing === stop || !isDirty(stop) || isLeft) return e.stopImmediatePropagation();
  setSaved(stop, stop.value);
  if (stop.matches("select")) setEditing(false);
}, true);
document.addEventListener("input", (e) => { // typed, composed, dictated: whatever changes the text begins an edit
  if (e.target.matches?.("#rows input.cell") && !state.editing) setEditing(true);
  state.clicked = false;
}, true);
// What did not reach the server, or was not taken by it, stays in its cell, which says so until it is sent again or restored.
export const unsaved = new Map(); // the id of a cell -> why
export function notSaved(e, why) {
  const source = e.detail.ctx?.sourceElement, cell = source?.matches?.("#rows [hx-patch]") && cellOf(source), stop = cell && control(cell);
  if (!stop) return;
  const { seen } = known(cell);
  if (source.matches(".cell")) setSaved(source, seen);
  else if (source === sender(cell)) source.value = seen; // the groups that are shown are those of before
  unsaved.set(cell.id, why);
  tell(cell, why);
  say(why);
}
export function tell(cell, why) {
  if ($("[data-unsaved]", cell)) return;
  const line = Object.assign(document.createElement("p"), { className: "error" });
  line.dataset.unsaved = "";
  line.append($("#toast-icons").content.querySelector("[data-tone=bad] > *").cloneNode(true), Object.assign(document.createElement("span"), { textContent: why }));
  const fix = $(".fix", cell);
  fix.prepend(line);
  fix.id ||= `${cell.id}-message`;
  control(cell).setAttribute("aria-describedby", fix.id);
  control(cell).ariaInvalid = "true";
}
export function forget(cell) {
  if (!unsaved.delete(cell?.id)) return;
  $("[data-unsaved]", cell)?.remove();
  if (!$(".error", cell)) control(cell).ariaInvalid = null;
}
export function tellAgain() { // answers draw cells again
  for (const [id, why] of unsaved) {
    const cell = document.getElementById(id), stop = cell && control(cell);
    if (stop && isDirty(stop)) tell(cell, why);
    else unsaved.delete(id);
  }
}
document.addEventListener("htmx:error", (e) => notSaved(e, "Not saved. Check your connection and press Enter again."));
document.addEventListener("muster:foreign", (e) => notSaved(e, `Not saved. ${e.detail.why} Press Enter to try again.`));
document.addEventListener("htmx:response:error", (e) => {
  const { status, headers } = e.detail.ctx.response;
  if (status >= 500 || headers.get("X-Muster")) notSaved(e, "Not saved. Press Enter to try again.");
});
document.addEventListener("htmx:before:request", (e) => forget(cellOf(e.detail.ctx.sourceElement)));
addEventListener("beforeunload", (e) => { // half typed, or not saved
  if ($$("#rows tbody :is(input, select).cell").some(isDirty)) e.preventDefault();
});

export function put(cell, value) { // a value from elsewhere, also one that the list of roles does not have
  const stop = control(cell), holder = sender(cell);
  if (value === known(cell).seen && value === valueOf(cell)) return;
  if (stop.matches("select") && ![...stop.options].some((o) => o.value === value)) stop.add(new Option(value, value));
  holder.value = value;
  holder.dispatchEvent(new Event(holder === stop ? "change" : "picked", { bubbles: true }));
  if (isText(stop)) stop.select();
}

export function cancel(stop) {
  state.choosing = null;
  restore(stop);
  forget(cellOf(stop));
  setEditing(false);
  if (isText(stop)) stop.select();
  return true;
}
