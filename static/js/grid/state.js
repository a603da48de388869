// What the grid knows of the person: where the focus is, and whether a cell is being edited.
import { $$ } from "../dom.js";
import { here } from "./table.js";

export const state = {
  roving: null, // the one stop that Tab comes to
  place: null, // the same in words, because an answer may replace the element
  editing: false, // edit mode
  clicked: false, // whether a click began it
  choosing: null, // a role list in which the arrows or letters choose: saved on leaving, so that Esc can restore
  pressed: null, // the cell that the mouse is on
  extending: false,
  anchor: null, // the corner of the block opposite to the focus
  swapping: false,
  quiet: null, // the stop that the focus came back to after a change of many rows
};

export function setEditing(on) {
  state.editing = on;
  state.clicked = false;
  showEditing();
}
export function showEditing() { // by the cell, not the table: all cells would be styled again
  const stop = state.editing ? here() : null;
  for (const other of $$("#rows .cell[data-editing]")) if (other !== stop) other.removeAttribute("data-editing");
  stop?.setAttribute("data-editing", "");
}
