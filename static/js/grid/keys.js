// The grid by keyboard. templates/shortcuts/_list.html lists the keys.
import { $, $$, isModal } from "../dom.js";
import { toast } from "../toasts.js";
import { fill } from "./clipboard.js";
import { findStop, focusStop } from "./focus.js";
import { block, mark, unmark } from "./marks.js";
import { cancel, put, save } from "./save.js";
import { setEditing, state } from "./state.js";
import { body, cellOf, clamp, column, here, inColumn, isData, isRemoved, isText, rows, say, stopOf, stops, table } from "./table.js";

function move(stop, down, right, e) {
  const extend = e.shiftKey && cellOf(stop).matches("td");
  if (right) {
    const own = stops(stop.closest("tr"));
    return go(own[clamp(own.indexOf(stop) + right, own.length - 1)], extend);
  }
  const all = extend || down < -1 ? body() : rows(); // only a single step goes up into the head
  return go(inColumn(all[clamp(all.indexOf(stop.closest("tr")) + down, all.length - 1)], column(stop)), extend);
}
function go(target, extend = false) {
  const from = state.anchor?.isConnected ? state.anchor : cellOf(here());
  state.extending = extend;
  focusStop(target);
  state.extending = false;
  if (extend) mark(from, cellOf(target));
  return true;
}
const edge = (end, whole) => (stop, e) => {
  const row = whole ? body().at(end) : stop.closest("tr");
  return row ? go(stops(row).at(end), e.shiftKey && cellOf(stop).matches("td")) : true;
};
function edit(stop) {
  if (isText(stop)) {
    if (stop.readOnly) return true;
    setEditing(true);
    stop.setSelectionRange(stop.value.length, stop.value.length);
    return true;
  }
  if (stop.matches("select")) {
    setEditing(true);
    try { stop.showPicker(); } catch { /* the arrows choose in the closed list */ }
    return true;
  }
  if (stop.matches("td")) { $("a[href]", stop)?.click(); return true; }
  return false; // a button is pressed, a checkbox ticked, a link followed
}
function type(stop, e) {
  if (stop.matches("select") && e.key !== " ") { setEditing(true); state.choosing = stop; }
  if (isText(stop) && state.quiet === stop) return true; // the focus came by itself: a key replaces nothing
  if (isText(stop)) stop.select();
  if (!stop.matches("[data-picker]") || e.key === " ") return false;
  stop.click();
  const words = $("#group-picker-find");
  words.focus({ preventScroll: true });
  words.value = e.key;
  words.dispatchEvent(new Event("input", { bubbles: true }));
  return true;
}
function down(stop) {
  save(stop);
  setEditing(false);
  const below = body().slice(body().indexOf(stop.closest("tr")) + 1).find((row) => !isRemoved(row));
  if (below) return focusStop(inColumn(below, column(stop)));
  if (isText(stop)) stop.select();
  return true;
}
const along = (step) => (stop) => {
  const all = $$("tbody :is(input, select, button).cell:not(:disabled)", table()), next = all[all.indexOf(stop) + step];
  return next ? focusStop(next) : false;
};
function leave() {
  const selection = $("#selection:not([hidden]) #selection-clear");
  if ($("#rows td[aria-selected]")) unmark();
  else if (selection) selection.click();
  else ($(".stats [aria-current]") ?? $(".stats a"))?.focus();
  return true;
}
function clear(stop) {
  const cells = block(stop).filter(isData);
  if (cells.length > 1) fill(cells.map((cell) => [cell, ""]), []);
  else if (cells.length) put(cells[0], "");
  return true;
}
function accept(stop) {
  const button = $(".suggest", cellOf(stop));
  if (!button) { say("There is no suggestion for this cell."); return true; }
  if (state.editing) cancel(stop);
  button.click();
  return true;
}
function remove(stop) {
  $("[hx-post$='/removal']", stop.closest("tr"))?.click();
  return true;
}
function send() {
  $("#send")?.focus();
  return true;
}
const press = (id) => () => {
  const button = document.getElementById(id);
  if (button && !button.disabled) button.click(); // muster.js stops what is aria-disabled
  return true;
};
function problem(step) {
  const grid = table();
  if (!grid) return false;
  const all = $$("tbody [aria-invalid=true]", grid).filter((c) => !["skipped", "removed"].includes(c.closest("tr").dataset.plan));
  const from = here() ?? (state.place && findStop()) ?? grid;
  const beyond = (c) => from.compareDocumentPosition(c) & (step > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING);
  const next = step > 0 ? all.find(beyond) : all.findLast(beyond), link = $("[data-problems]");
  if (!next && Number(link?.dataset.problems) > new Set(all.map((c) => c.closest("tr"))).size) return elsewhere(link, step);
  if (!all.length) { toast("No problem on this page."); return true; }
  return focusStop(next ?? all.at(step > 0 ? 0 : -1));
}
function elsewhere(link, step) { // on another page, or left out by the filter: the server knows where
  const to = new URL(link.href), row = body().filter((row) => !isRemoved(row)).at(step > 0 ? -1 : 0);
  if (row) to.searchParams.set("from", row.id.replace("row-", ""));
  if (step < 0) to.searchParams.set("back", "1");
  location.assign(to);
  return true;
}

const EVERYWHERE = { F8: () => problem(1), "Shift+F8": () => problem(-1) };
const HISTORY = { "Ctrl+z": press("undo"), "Ctrl+Shift+z": press("redo"), "Ctrl+y": press("redo") };
const BOTH = { "Ctrl+.": accept, "Ctrl+Enter": send };
const EDIT = { Enter: down, F2: down, Tab: along(1), "Shift+Tab": along(-1), Escape: cancel };
const NAVIGATION = {
  ArrowUp: (stop, e) => move(stop, -1, 0, e), ArrowDown: (stop, e) => move(stop, 1, 0, e),
  ArrowLeft: (stop, e) => move(stop, 0, -1, e), ArrowRight: (stop, e) => move(stop, 0, 1, e),
  PageUp: (stop, e) => move(stop, -10, 0, e), PageDown: (stop, e) => move(stop, 10, 0, e),
  Home: edge(0), End: edge(-1), "Ctrl+Home": edge(0, true), "Ctrl+End": edge(-1, true),
  Enter: edit, F2: edit, Escape: leave, Delete: clear, "Ctrl+Delete": remove,
};
const mac = /^(Mac|iP)/.test(navigator.platform);
if (mac) NAVIGATION["Ctrl+Backspace"] = remove; // what is called Delete there
const EXTENDS = /^(Ctrl\+)?Shift\+(Arrow|Home|End|Page)/;

function named(e) { // "Ctrl+Shift+z"; Cmd on macOS counts as Ctrl. A layout may need Shift for the full stop.
  const key = e.key.length === 1 ? e.key.toLowerCase() : e.key;
  return ((mac ? e.metaKey : e.ctrlKey) ? "Ctrl+" : "") + (e.shiftKey && key !== "." ? "Shift+" : "") + key;
}
document.addEventListener("keydown", (e) => {
  if (e.defaultPrevented || e.isComposing || !e.key || isModal() || !table()) return;
  const name = named(e), isTyped = e.key.length === 1 && (e.getModifierState("AltGraph") || !(e.ctrlKey || e.metaKey || e.altKey));
  const stop = stopOf(e.target);
  state.pressed = null;
  if (stop && stop !== e.target && (e.key === "Enter" || e.key === " ")) return; // a suggestion or a link that the mouse had come to
  let found = EVERYWHERE[name];
  if (!found && !isTyped && e.altKey) return;
  if (!found && !state.editing && (stop || !e.target.closest?.("input, textarea, select, [contenteditable]"))) found = HISTORY[name];
  if (!found && stop) found = BOTH[name] ?? (state.editing ? EDIT : NAVIGATION)[state.editing ? name : name.replace(EXTENDS, "$1$2")] ?? (!state.editing && isTyped ? type : null);
  if (found) { if (found(stop, e)) e.preventDefault(); }
  else if (stop && state.editing && stop.matches("select")) state.choosing = stop;
});
document.addEventListener("click", (e) => {
  if (e.ctrlKey || e.metaKey || e.shiftKey || !e.target.closest?.("[data-problems]")) return;
  e.preventDefault();
  problem(1);
});
