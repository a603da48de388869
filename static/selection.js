// Rows selected in the review, and what belongs to changes of many rows: which fix was dismissed, where the focus goes.
// The selection is kept by the ids of rows, because answers replace the rows; nothing of it is stored.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (event, selector, handler) =>
    document.addEventListener(event, (e) => {
      const found = e.target instanceof Element && e.target.closest(selector);
      if (found) handler(e, found);
    });
  const rowsOf = (n) => `${n.toLocaleString("en")} ${n === 1 ? "row" : "rows"}`;

  // ------------------------------------------------------------------------------------------ Selected rows

  const bar = $("#selection");
  const chosen = new Set(); // ids of rows
  let everything = false; // all that the filter finds, also what is on other pages
  const spared = new Set(); // but for these
  let busy = false; // the change is under way
  let last = null; // the id that a Shift-click counts from

  const boxes = () => $$("#rows [data-pick]");
  const total = () => Number($("#pick-page")?.dataset.total ?? 0);

  function show() {
    if (!bar) return;
    const shown = boxes(), page = $("#pick-page");
    for (const box of shown) {
      box.checked = everything ? !spared.has(box.value) : chosen.has(box.value);
      box.closest("tr").setAttribute("aria-selected", String(box.checked));
    }
    const ticked = shown.filter((box) => box.checked).length, count = everything ? total() - spared.size : chosen.size;
    if (page) { page.checked = ticked > 0 && ticked === shown.length; page.indeterminate = ticked > 0 && !page.checked; }
    $("#selected-rows").value = [...chosen].join(",");
    $("#selected-all").value = everything ? "1" : "";
    $("#selected-spared").value = everything ? [...spared].join(",") : "";
    $("#selected-count").textContent = busy ? `Changing ${rowsOf(count)}` : `${rowsOf(count)} selected`;
    bar.ariaBusy = String(busy);
    for (const part of $$("[data-count]", bar)) part.textContent = count.toLocaleString("en");
    for (const part of $$("[data-selected]")) part.textContent = rowsOf(count);
    const more = $("#select-everything");
    more.hidden = everything || !page?.checked || total() <= shown.length;
    more.textContent = `Select all ${rowsOf(total())}${page && "found" in page.dataset ? " of this filter" : ""}`;
    bar.hidden = count === 0;
  }
  function clear() {
    const inside = bar.contains(document.activeElement);
    chosen.clear();
    spared.clear();
    everything = false;
    last = null;
    show();
    if (inside) $("#pick-page")?.focus();
  }
  function pick(box, wanted) {
    const set = everything ? spared : chosen;
    if (wanted === everything) set.delete(box.value);
    else set.add(box.value);
  }

  if (bar) {
    on("click", "#rows [data-pick]", (e, box) => {
      const all = boxes(), from = all.findIndex((other) => other.value === last), to = all.indexOf(box);
      const range = e.shiftKey && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
      for (const other of range) pick(other, box.checked);
      last = box.value;
      show();
    });
    on("change", "#pick-page", (_, page) => {
      everything = false;
      spared.clear();
      for (const box of boxes()) pick(box, page.checked);
      if (!page.checked) chosen.clear();
      show();
    });
    on("click", "#select-everything", () => { everything = true; show(); $("#selected-count").focus(); });
    on("click", "#selection-clear", clear);
    document.addEventListener("keydown", (e) => {
      if (e.key !== "Escape" || e.defaultPrevented || bar.hidden || $("dialog:modal, [popover]:popover-open")) return;
      if (e.target.closest?.("input:not([type=checkbox]), select, textarea")) return; // there it cancels what is typed
      e.preventDefault();
      clear();
    });
    document.addEventListener("htmx:after:swap", () => {
      // Rows that an answer took from the page are selected no more: what cannot be seen must not be changed.
      if ($("#rows")) for (const id of chosen) if (!document.getElementById(`row-${id}-pick`)) chosen.delete(id);
      show();
    });
    show();
  }

  // ------------------------------------------------------------------------------------------ Answers

  const changes = (source) => source instanceof Element && !!source.closest("#selection, #selection-roles, #regroup");
  document.addEventListener("htmx:before:request", (e) => { if (changes(e.detail.ctx.sourceElement)) { busy = true; show(); } });
  document.addEventListener("htmx:finally:request", (e) => { if (busy && changes(e.detail.ctx.sourceElement)) { busy = false; show(); } });
  on("click", "[data-hides]", (_, button) => button.closest("[popover]")?.hidePopover());
  document.addEventListener("htmx:after:request", (e) => {
    const source = e.target, { status } = e.detail.ctx.response ?? {};
    if (!(source instanceof Element) || !status || status >= 400) return;
    if (source.matches("[data-closes]")) { source.closest("dialog")?.close(); source.reset(); }
    if (changes(source)) clear();
  });

  // A toast that offers to undo goes when the next step is told: it may be that very step which was undone by other means.
  const STEP = /\/(undos|redos|fixes|words|changes|replacements|merger|retention)(\?|$)/;
  const over = new WeakMap();
  document.addEventListener("htmx:before:request", (e) => {
    if (STEP.test(e.target.getAttribute?.("hx-post") ?? "")) over.set(e.target, $$(".toast:has([hx-post*='/undos'])"));
  });
  document.addEventListener("htmx:finally:request", (e) => {
    if (e.detail.ctx?.response?.status < 400) for (const toast of over.get(e.target) ?? []) toast.remove();
  });

  // What asked is often gone with the answer: then the focus goes to the next fix, or to the grid.
  document.addEventListener("htmx:finally:request", () => {
    if (document.activeElement && document.activeElement !== document.body) return;
    if ($("dialog:modal, [popover]:popover-open")) return;
    const next = $(".fixes .actions button") ?? $("#rows :is(input, select, button).cell") ?? $("h1");
    next?.focus({ preventScroll: true });
  });

  // ------------------------------------------------------------------------------------------ Fixes that were dismissed

  const dismissed = new Set();
  function hideDismissed() {
    for (const fix of $$("[data-fix]")) fix.hidden = dismissed.has(fix.id);
    for (const list of $$(".more-fixes")) {
      const left = $$("[data-fix]:not([hidden])", list).length;
      list.hidden = !left;
      const first = list.parentElement.querySelector(":scope > [data-fix]:not([hidden])");
      if (!first && left) list.open = true; // the first was dismissed: show what is left
    }
  }
  on("click", "[data-dismiss-fix]", (_, button) => {
    const inside = button.contains(document.activeElement);
    dismissed.add(button.closest("[data-fix]").id);
    hideDismissed();
    if (inside) ($("[data-fix]:not([hidden]) .actions button") ?? $("#rows :is(input, select, button).cell"))?.focus();
  });
  document.addEventListener("htmx:after:swap", hideDismissed);

  // ------------------------------------------------------------------------------------------ To a row

  const cellOf = (line) => document.getElementById(`line-${line}`)?.closest("tr").querySelector(":is(input, select, button).cell");
  on("click", "a[data-line]", (e, link) => {
    const cell = cellOf(link.dataset.line);
    if (!cell || e.ctrlKey || e.metaKey || e.shiftKey) return; // it is on another page: the link leads there
    e.preventDefault();
    cell.focus();
  });
})();
