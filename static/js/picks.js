// Lines picked by their checkboxes, in the review and in Role Management: click, Shift-click, all on the page, all that the filter finds.
// The bar #selection tells the noun ("row", "rows") and shows the counts. What is picked is known by the checkboxes' values, because
// answers replace the lines. Where the bar says data-kept, it is kept from page to page of the list; else only what is seen stays picked.
import { $, $$, isModal, on } from "./dom.js";

const put = (element, name, value) => { if (element[name] !== value) element[name] = value; }; // what is so already is not written: it would be styled again
const bar = () => $("#selection");
const boxes = () => $$("[data-pick]");
const page = () => $("#pick-page"); // the box of all on the page: data-total and data-filter tell of the whole list
const total = () => Number(page()?.dataset.total ?? 0);
const filter = () => page()?.dataset.filter ?? "";
const things = (n) => `${n.toLocaleString("en")} ${n === 1 ? bar().dataset.noun : bar().dataset.nouns}`;

const chosen = new Map(); // value of the box -> what can be done to it (data-can)
let everything = null; // the filter of which everything is picked, also what is on other pages
const spared = new Set(); // except these, where the bar has a place for them
let last = null; // the value that a Shift-click counts from

// ------------------------------------------------------------------------------------------ Kept from page to page

const PLACE = "muster.picked";
function keep() {
  if (bar()?.dataset.kept) sessionStorage.setItem(PLACE, JSON.stringify({ chosen: [...chosen], everything }));
}
function recall() {
  const near = bar()?.dataset.kept.split(" ") ?? [], from = document.referrer && new URL(document.referrer);
  const came = from && from.origin === location.origin && near.some((path) => from.pathname.startsWith(path));
  const begins = performance.getEntriesByType("navigation")[0]?.type === "navigate" && !came;
  if (begins) return sessionStorage.removeItem(PLACE); // from elsewhere one begins with nothing
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE)) ?? {};
    for (const [value, can] of kept.chosen ?? []) chosen.set(value, can);
    everything = kept.everything ?? null;
  } catch { /* nothing is picked */ }
}

// ------------------------------------------------------------------------------------------ What is shown

export function show() {
  if (!bar()) return;
  if (everything !== null && everything !== filter()) forgetAll(); // another filter finds others
  const all = everything !== null, shown = boxes(), head = page();
  for (const box of shown) {
    const wanted = all ? !spared.has(box.value) : chosen.has(box.value), line = box.closest("tr");
    put(box, "checked", wanted);
    if (chosen.has(box.value)) chosen.set(box.value, box.dataset.can ?? "");
    if ("chosen" in line.dataset !== wanted) line.toggleAttribute("data-chosen", wanted);
    if (line.ariaSelected && line.ariaSelected !== String(wanted)) line.ariaSelected = String(wanted);
  }
  const ticked = shown.filter((box) => box.checked).length, count = all ? total() - spared.size : chosen.size;
  if (head) { head.checked = ticked > 0 && ticked === shown.length; head.indeterminate = ticked > 0 && !head.checked; }
  for (const input of $$("[data-picked=these]")) put(input, "value", all ? "" : [...chosen.keys()].join(","));
  for (const input of $$("[data-picked=all]")) put(input, "value", all ? "1" : "");
  for (const input of $$("[data-picked=spared]")) put(input, "value", [...spared].join(","));
  const busy = bar().ariaBusy === "true";
  for (const part of $$("[data-idle], [data-busy]", bar())) put(part, "hidden", busy !== ("busy" in part.dataset));
  for (const part of $$("[data-selected]")) put(part, "textContent", things(count));
  const able = (what) => [...chosen.values()].filter((can) => can.split(" ").includes(what)).length;
  for (const part of $$("[data-count]")) {
    const what = part.dataset.count, unknown = all && what; // of everything, the review that follows says it
    const n = what ? able(what) : count;
    put(part, "textContent", unknown ? "" : n.toLocaleString("en"));
    if (what) put(part.closest("button"), "hidden", !unknown && n === 0);
  }
  const more = $("#select-everything"), number = total().toLocaleString("en"), hasMore = !all && head?.checked && total() > shown.length;
  for (const part of $$("[data-tally]")) put(part, "textContent", hasMore ? `${count.toLocaleString("en")} of ${number}` : things(count));
  put(more, "hidden", !hasMore);
  put(more, "textContent", `Select all ${number}${head && "found" in head.dataset ? " of this filter" : ""}`);
  put(bar(), "hidden", count === 0);
  document.body.toggleAttribute("data-chosen", count > 0);
  keep();
}
function forgetAll() {
  everything = null;
  spared.clear();
}
export function clear() {
  const inside = bar()?.contains(document.activeElement);
  chosen.clear();
  forgetAll();
  last = null;
  show();
  if (inside) page()?.focus();
}

// ------------------------------------------------------------------------------------------ Picking

function pick(box, wanted) {
  if (everything !== null) spared[wanted ? "delete" : "add"](box.value);
  else if (wanted) chosen.set(box.value, box.dataset.can ?? "");
  else chosen.delete(box.value);
}
function pickTo(box, wanted, range) {
  if (everything !== null && !$("[data-picked=spared]")) { forgetAll(); for (const other of boxes()) pick(other, true); }
  const all = boxes(), from = all.findIndex((other) => other.value === last), to = all.indexOf(box);
  const these = range && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
  for (const other of these) pick(other, wanted);
  last = box.value;
  show();
}
function pickPage(wanted) {
  forgetAll();
  for (const box of boxes()) pick(box, wanted);
  if (!wanted) chosen.clear();
  show();
}
function pickEverything() {
  everything = filter();
  show();
  $("#selected-count").focus();
}

on("click", "[data-pick]", (e, box) => pickTo(box, box.checked, e.shiftKey));
on("input", "[data-pick]", show); // without a click: Firefox restores what was ticked in a tab that was closed, in whatever row stands there now
on("change", "#pick-page", (_, head) => pickPage(head.checked));
on("click", "#select-everything", pickEverything);
on("click", "#selection-clear", clear);
document.addEventListener("htmx:after:swap", () => {
  // What an answer took from the page is picked no more: what cannot be seen must not be changed, unless it is kept on purpose.
  if (bar() && !bar().dataset.kept && page()) for (const value of chosen.keys()) if (!boxes().some((box) => box.value === value)) chosen.delete(value);
  show();
});

document.addEventListener("keydown", (e) => {
  if (!bar() || e.defaultPrevented || isModal()) return;
  if (e.key === "Escape" && !bar().hidden) {
    if (e.target.closest?.("input:not([type=checkbox]), select, textarea")) return; // there it cancels what is typed
    e.preventDefault();
    return clear();
  }
  // Arrows go from box to box, Shift takes along what is between, Ctrl+A takes the page and then everything. The grid has keys of its own.
  const box = e.target.closest?.("[data-pick], #pick-page");
  if (!box || box.closest("[role=grid]")) return;
  const stops = [page(), ...boxes()].filter(Boolean), at = stops.indexOf(box);
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "a") {
    e.preventDefault();
    if (page().checked && everything === null && total() > boxes().length) pickEverything();
    else if (everything === null) pickPage(true);
  } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    e.preventDefault();
    const next = stops[at + (e.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    if (e.shiftKey && box !== page() && next !== page()) { pickTo(box, true, false); pickTo(next, true, false); }
    next.focus();
  }
});

if (bar()?.dataset.kept) recall();
show();
