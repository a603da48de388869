// Where the focus is: one stop of the grid is in the tab order.
import { $, $$, byId } from "../dom.js";
import { unmark } from "./marks.js";
import { save } from "./save.js";
import { setEditing, showEditing, state } from "./state.js";
import { body, clamp, column, CONTROLS, control, inColumn, isText, rows, stopOf, table } from "./table.js";

export function settle(stop) {
  if (state.roving && state.roving !== stop) state.roving.tabIndex = -1;
  state.roving = stop;
  stop.tabIndex = 0;
  const row = stop.closest("tr");
  state.place = { id: stop.id, row: row.id, index: rows().indexOf(row), column: column(stop) };
}
export function findStop() { // the stop of `place`, wherever an answer has put it
  const row = byId(state.place?.row) ?? rows()[clamp(state.place?.index ?? 0, rows().length - 1)];
  return stopOf(byId(state.place?.id)) ?? (row && inColumn(row, state.place?.column ?? 0));
}
/** After a change of many rows: the cell that had the focus last has it again, its text not selected. */
export function focusAgain() {
  const stop = state.place && findStop();
  if (!stop) return false;
  state.quiet = stop;
  stop.focus({ preventScroll: true });
  return true;
}
export function focusStop(stop) {
  state.pressed = null;
  stop.focus();
  return true;
}

document.addEventListener("focusin", (e) => {
  const stop = stopOf(e.target);
  if (state.swapping || !stop || (state.editing && e.target.id === state.place?.id)) return; // the last: the window was left and has come back
  settle(stop);
  if (!state.extending) unmark();
  setEditing(isText(stop) && state.pressed === stop && !stop.readOnly);
  state.clicked = state.editing;
  if (state.quiet !== stop) state.quiet = null;
  if (isText(stop) && !state.editing && !state.quiet) stop.select(); // so that typing replaces what is there
});
document.addEventListener("focusout", (e) => {
  const stop = stopOf(e.target);
  if (state.swapping || !stop || !document.hasFocus()) return;
  if (state.editing) save(stop);
  setEditing(false);
});

// All controls but one leave the tab order; answers bring new ones. A row that came alone is numbered by its place.
export function refresh() {
  const grid = table();
  if (!grid) return;
  const bare = "td[role=gridcell]:not(:has(> :is(input:not([type=hidden]), select, button):enabled))";
  for (const element of $$(`:is(${CONTROLS}, ${bare}):not([tabindex])`, grid)) element.tabIndex = -1;
  if (!state.roving?.isConnected) state.roving = (state.place && findStop()) ?? control($("tbody .cell", grid)?.closest("td") ?? grid) ?? null;
  if (state.roving && state.roving.getAttribute("tabindex") !== "0") state.roving.tabIndex = 0; // of a focused element it costs a layout
  for (const row of body()) if (!row.ariaRowIndex) row.ariaRowIndex = Number(row.previousElementSibling?.ariaRowIndex ?? 1) + 1;
  grid.ariaRowCount = Math.max(grid.ariaRowCount, body().at(-1)?.ariaRowIndex ?? 1);
  showEditing();
}

// A click puts the caret where it was made: edit mode. Touch is the same.
document.addEventListener("pointerdown", (e) => {
  state.pressed = e.target.closest?.("#rows input.cell") ?? null;
  state.choosing = null;
  if (state.pressed && state.pressed === document.activeElement && !state.editing && !state.pressed.readOnly) { unmark(); setEditing(true); state.clicked = true; }
}, true);
