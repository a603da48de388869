// The review grid as a table of stops: what is where.
import { $, $$ } from "../dom.js";

// A stop is what the arrows go to: the control of a cell, or the cell itself where it has none. "Create group" is a stop of its
// own, because no key stands for it; a suggestion is not, because Ctrl+. does.
export const CONTROLS = "input:not([type=hidden]), select, button, a[href]";
export const table = () => $("#rows");
export const cellOf = (element) => element?.closest?.("#rows :is([role=gridcell], [role=columnheader])") ?? null;
export const isText = (stop) => stop.matches("input.cell");
export const isRemoved = (row) => row.dataset.plan === "removed";

export function control(cell) {
  const found = $$(CONTROLS, cell).find((c) => !c.disabled && !c.closest(".fix, td.c-result"));
  return found ?? (cell.matches("[role=gridcell]") && cell.textContent.trim() ? cell : null);
}
export function stops(row) {
  if (row.closest("thead") && !row.checkVisibility({ visibilityProperty: true })) return []; // on phones the head is not seen
  return [...row.cells].filter(cellOf).flatMap((cell) => [control(cell), ...$$(".fix :is(button:not(.suggest), a)", cell)].filter(Boolean));
}
export const stopOf = (element) => {
  const cell = cellOf(element);
  return cell && (stops(cell.parentElement).includes(element) ? element : control(cell));
};
/** The rows of people that are shown. */
export const body = () => $$("tbody > tr:not(.fold)", table() ?? document.createElement("table")).filter((row) => !row.hidden);
export const rows = () => !table() ? [] : [...$$("thead > tr", table()).filter((row) => stops(row).length), ...$$("tbody > tr", table()).filter((row) => !row.hidden)];
export const column = (stop) => cellOf(stop).cellIndex;
export function inColumn(row, index) {
  const away = (stop) => Math.abs(column(stop) - index);
  return stops(row).reduce((best, stop) => (best && away(best) <= away(stop) ? best : stop), null);
}
// The cells that hold data: Email, Role, Groups. What htmx sends for one knows its field and the value that the page showed.
export const sender = (cell) => $(":scope > [hx-patch]:not(.suggest)", cell);
export const known = (cell) => JSON.parse(sender(cell).getAttribute("hx-vals"));
export const isData = (cell) => !!sender(cell) && control(cell) !== cell && !control(cell).readOnly;
export const valueOf = (cell) => sender(cell)?.value ?? cell.innerText.trim();

export const here = () => stopOf(document.activeElement);
export const clamp = (n, most) => Math.min(Math.max(n, 0), most);
export function say(text) { // for screen readers
  const status = $("#edit-status");
  if (status) status.textContent = text;
}
