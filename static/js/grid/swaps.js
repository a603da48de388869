// What stays when an answer replaces cells, and where the focus is on the next page.
import { $, byId } from "../dom.js";
import { findStop, refresh, settle } from "./focus.js";
import { isDirty, saved, tellAgain } from "./save.js";
import { setEditing, state } from "./state.js";
import { body, cellOf, control, here, inColumn, isRemoved, isText } from "./table.js";

// htmx gives the focus back by id. Here: the mode, what is half typed, the selection, and a neighbour where the cell itself is gone.
// The elements are exchanged in the task of this event, so the microtask after it finds the new ones before any key does.
document.addEventListener("htmx:before:swap", (e) => {
  const active = document.activeElement, stop = here(), row = stop?.closest("tr");
  const sent = e.detail.ctx.request?.body?.get?.("value");
  const before = stop
    ? { wasRemoved: isRemoved(row), editing: state.editing, keep: state.editing && stop.value !== (isDirty(stop) ? saved(stop) : sent), value: stop.value, choosing: !!state.choosing, range: isText(stop) && [stop.selectionStart, stop.selectionEnd] }
    : { id: active?.id, nav: active?.closest("nav")?.ariaLabel };
  if (stop) settle(stop);
  state.swapping = true;
  queueMicrotask(() => {
    stop ? backToCell(before) : backToNav(before);
    state.swapping = false;
    tellAgain();
    refresh();
  });
});
document.addEventListener("htmx:after:swap", refresh);

// htmx looks at a row when it is used first (hx-ignore): of a hundred rows few are.
function wire(e) {
  const row = e.target.closest?.("#rows tr[hx-ignore]");
  if (!row) return;
  row.removeAttribute("hx-ignore");
  htmx.process(row);
}
for (const event of ["click", "change", "picked"]) document.addEventListener(event, wire, true);

function backToCell(before) {
  const row = byId(state.place.row), at = document.activeElement;
  if (at !== document.body && !cellOf(at)) return setEditing(false); // the answer took the focus elsewhere
  let stop = findStop();
  if (row && isRemoved(row) && !before.wasRemoved) stop = inColumn(neighbour(row), state.place.column);
  if (!stop) return setEditing(false), ($(".stats a") ?? $("h1"))?.focus();
  const isSame = stop.id === state.place.id && !!stop.id;
  if (!isSame) state.quiet = stop;
  stop.focus({ preventScroll: isSame });
  settle(stop);
  setEditing(before.editing && isSame);
  state.choosing = state.editing && before.choosing ? stop : null;
  if (state.editing && before.keep) stop.value = before.value;
  if (!isText(stop)) return;
  if (state.editing) stop.setSelectionRange(...before.range);
  else if (!state.quiet) stop.select();
}
function neighbour(row) {
  const all = body(), n = all.indexOf(row), standing = (other) => !isRemoved(other);
  return all.slice(n + 1).find(standing) ?? all.slice(0, n).findLast(standing) ?? row;
}
function backToNav({ id, nav }) {
  if (document.activeElement !== document.body) return;
  const within = nav ? `nav[aria-label="${nav}"]` : "nav.none";
  (byId(id) ?? $(`${within} [aria-current]`) ?? $(`${within} a`))?.focus();
}

// A filter, an order and the next page are pages of their own: the focus stays on the link that led there. A group that is created
// loads the page again: then it is on the cell that named the group; so does a refused sending: then it is on the button.
const LED = "muster.led";
document.addEventListener("click", (e) => {
  const link = e.target.closest?.(".stats a, .filters a, .pager a, #rows thead a, #rows .fix button:not(.suggest), #confirm-send");
  const id = link?.matches("#confirm-send") ? "send" : link?.matches("button") ? control(cellOf(link)).id : link?.id;
  try { if (link) sessionStorage.setItem(LED, JSON.stringify({ id, nav: link.closest("nav")?.ariaLabel, path: location.pathname })); } catch { /* not kept then */ }
});
const filter = $(".stats [aria-current]"); // on a phone the strip is wider than the screen
if (filter) filter.parentElement.scrollLeft = filter.offsetLeft - 16;
try {
  const led = sessionStorage.getItem(LED);
  sessionStorage.removeItem(LED);
  refresh();
  if (led && JSON.parse(led).path === location.pathname) backToNav(JSON.parse(led));
} catch { refresh(); }
