// A block of cells that is selected.
import { $$, plural } from "../dom.js";
import { state } from "./state.js";
import { body, cellOf, say } from "./table.js";

export function unmark() {
  state.anchor = null;
  for (const cell of $$("#rows td[aria-selected]")) cell.removeAttribute("aria-selected");
}
export function mark(from, to) {
  unmark();
  state.anchor = from;
  const all = body(), between = (a, b, n) => n >= Math.min(a, b) && n <= Math.max(a, b);
  const [a, b] = [from, to].map((cell) => all.indexOf(cell.parentElement));
  const chosen = all.filter((_, n) => between(a, b, n)).flatMap((row) => [...row.cells])
    .filter((cell) => cell.matches("td") && between(from.cellIndex, to.cellIndex, cell.cellIndex));
  if (chosen.length < 2) return;
  for (const cell of chosen) cell.ariaSelected = "true";
  say(`${plural(chosen.length, "cell")} selected.`);
}
export function block(stop) {
  const chosen = $$("#rows td[aria-selected=true]");
  return chosen.length ? chosen : [cellOf(stop)];
}
