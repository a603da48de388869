// The review grid by keyboard, and what is copied from it and pasted into it. templates/_dialogs.html lists the keys. Every edit is still one
// htmx request of its cell; this file only moves the focus, decides when a cell is saved, and sends blocks of cells.
//
//   1 The table    2 Where the focus is    3 When a cell is saved    4 What the keys do    5 Keys    6 Mouse    7 Blocks    8 Swaps    9 Other pages
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => (id ? document.getElementById(id) : null); // Firefox warns of each look for ""
  const clamp = (n, most) => Math.min(Math.max(n, 0), most);
  const say = (text) => { const status = $("#edit-status"); if (status) status.textContent = text; };
  const toast = (text, tone) => document.dispatchEvent(new CustomEvent("muster:toast", { detail: { text, tone } }));
  const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

  // ------------------------------------------------------------------------------------------ 1 The table

  // A stop is what the arrows go to: the control of a cell, or the cell itself where it has none. "Create group" is a stop of its
  // own, because no key stands for it; a suggestion is not, because Ctrl+. does.
  const CONTROLS = "input:not([type=hidden]), select, button, a[href]";
  const table = () => $("#rows");
  const cellOf = (element) => element?.closest?.("#rows :is([role=gridcell], [role=columnheader])") ?? null;
  const isText = (stop) => stop.matches("input.cell");
  const isRemoved = (row) => row.dataset.plan === "removed";

  function control(cell) {
    const found = $$(CONTROLS, cell).find((c) => !c.disabled && !c.closest(".fix, td.c-result"));
    return found ?? (cell.matches("[role=gridcell]") && cell.textContent.trim() ? cell : null);
  }
  function stops(row) {
    if (row.closest("thead") && !row.checkVisibility({ visibilityProperty: true })) return []; // on phones the head is not seen
    return [...row.cells].filter(cellOf).flatMap((cell) => [control(cell), ...$$(".fix :is(button:not(.suggest), a)", cell)].filter(Boolean));
  }
  const stopOf = (element) => {
    const cell = cellOf(element);
    return cell && (stops(cell.parentElement).includes(element) ? element : control(cell));
  };
  const body = () => $$("tbody > tr", table() ?? document.createElement("table")).filter((row) => !row.hidden);
  const rows = () => !table() ? [] : [...$$("thead > tr", table()).filter((row) => stops(row).length), ...body()];
  const column = (stop) => cellOf(stop).cellIndex;
  function inColumn(row, index) {
    const away = (stop) => Math.abs(column(stop) - index);
    return stops(row).reduce((best, stop) => (best && away(best) <= away(stop) ? best : stop), null);
  }
  // The cells that hold data: Email, Role, Groups. What htmx sends for one knows its field and the value that the page showed.
  const sender = (cell) => $(":scope > [hx-patch]:not(.suggest)", cell);
  const known = (cell) => JSON.parse(sender(cell).getAttribute("hx-vals"));
  const isData = (cell) => !!sender(cell) && control(cell) !== cell && !control(cell).readOnly;
  const valueOf = (cell) => sender(cell)?.value ?? cell.innerText.trim();

  // ------------------------------------------------------------------------------------------ 2 Where the focus is

  let roving = null; // the one stop that Tab comes to
  let place = null; // the same in words, because an answer may replace the element
  let editing = false, clicked = false; // edit mode, and whether a click began it
  let pressed = null; // the cell that the mouse is on
  let extending = false, anchor = null; // the corner of the block opposite to the focus
  let swapping = false;

  function setEditing(on) {
    editing = on;
    clicked = false;
    showEditing();
  }
  function showEditing() { // by the cell, not the table: all cells would be styled anew
    const stop = editing ? here() : null;
    for (const other of $$("#rows .cell[data-editing]")) if (other !== stop) other.removeAttribute("data-editing");
    stop?.setAttribute("data-editing", "");
  }
  function settle(stop) {
    if (roving && roving !== stop) roving.tabIndex = -1;
    roving = stop;
    stop.tabIndex = 0;
    const row = stop.closest("tr");
    place = { id: stop.id, row: row.id, index: rows().indexOf(row), column: column(stop) };
  }
  function find() { // the stop of `place`, wherever an answer has put it
    const row = byId(place?.row) ?? rows()[clamp(place?.index ?? 0, rows().length - 1)];
    return stopOf(byId(place?.id)) ?? (row && inColumn(row, place?.column ?? 0));
  }
  function focus(stop) {
    pressed = null;
    stop.focus();
    return true;
  }
  const here = () => stopOf(document.activeElement);

  document.addEventListener("focusin", (e) => {
    const stop = stopOf(e.target);
    if (swapping || !stop || (editing && e.target.id === place?.id)) return; // the last: the window was left and has come back
    settle(stop);
    if (!extending) unmark();
    setEditing(isText(stop) && pressed === stop && !stop.readOnly);
    clicked = editing;
    if (isText(stop) && !editing) stop.select(); // so that typing replaces what is there
  });
  document.addEventListener("focusout", (e) => {
    const stop = stopOf(e.target);
    if (swapping || !stop || !document.hasFocus()) return;
    if (editing) save(stop);
    setEditing(false);
  });

  // All controls but one leave the tab order; answers bring new ones. A row that came alone is numbered by its place.
  function refresh() {
    const grid = table();
    if (!grid) return;
    const bare = "td[role=gridcell]:not(:has(> :is(input:not([type=hidden]), select, button):enabled))";
    for (const element of $$(`:is(${CONTROLS}, ${bare}):not([tabindex])`, grid)) element.tabIndex = -1;
    if (!roving?.isConnected) roving = (place && find()) ?? control($("tbody .cell", grid)?.closest("td") ?? grid) ?? null;
    if (roving && roving.getAttribute("tabindex") !== "0") roving.tabIndex = 0; // of a focused element it costs a layout
    for (const row of body()) if (!row.ariaRowIndex) row.ariaRowIndex = Number(row.previousElementSibling?.ariaRowIndex ?? 1) + 1;
    grid.ariaRowCount = Math.max(grid.ariaRowCount, body().at(-1)?.ariaRowIndex ?? 1);
    showEditing();
  }

  // ------------------------------------------------------------------------------------------ 3 When a cell is saved

  // What the server has, or has been sent, is the control's default. "change" reaches htmx once for each new value, also where the
  // browser fires none: after half typed text was put back into a cell that an answer had replaced.
  // A field drops the line breaks that a cell may hold: that is no edit.
  let choosing = null; // a role list in which the arrows or letters choose: saved on leaving, so that Esc can restore
  const saved = (stop) => isText(stop) ? stop.defaultValue.replace(/[\r\n]/g, "") : ([...stop.options].find((o) => o.defaultSelected) ?? stop.options[0])?.value;
  const isDirty = (stop) => stop.matches("input.cell, select.cell") && stop.value !== saved(stop);
  function setSaved(stop, value) {
    if (isText(stop)) stop.defaultValue = value;
    else for (const option of stop.options) option.defaultSelected = option.value === value;
  }
  function restore(stop) {
    if (isText(stop)) stop.value = stop.defaultValue;
    else if (stop.matches("select")) stop.value = saved(stop);
  }
  function save(stop) {
    choosing = null;
    if (isDirty(stop)) stop.dispatchEvent(new Event("change", { bubbles: true }));
  }

  document.addEventListener("change", (e) => {
    const stop = e.target;
    if (!stop.matches?.("#rows :is(input, select).cell")) return;
    const isLeft = isText(stop) && !document.hasFocus(); // Firefox fires it when the window is left, too: the edit goes on when it comes back
    if (choosing === stop || !isDirty(stop) || isLeft) return e.stopImmediatePropagation();
    setSaved(stop, stop.value);
    if (stop.matches("select")) setEditing(false);
  }, true);
  document.addEventListener("input", (e) => { // typed, composed, dictated: whatever changes the text begins an edit
    if (e.target.matches?.("#rows input.cell") && !editing) setEditing(true);
    clicked = false;
  }, true);
  // What did not reach the server, or was not taken by it, stays in its cell, which says so until it is sent again or restored.
  const unsaved = new Map(); // the id of a cell -> why
  function notSaved(e, why) {
    const source = e.detail.ctx?.sourceElement, cell = source?.matches?.("#rows [hx-patch]") && cellOf(source), stop = cell && control(cell);
    if (!stop) return;
    const { seen } = known(cell);
    if (source.matches(".cell")) setSaved(source, seen);
    else if (source === sender(cell)) source.value = seen; // the groups that are shown are those of before
    unsaved.set(cell.id, why);
    tell(cell, why);
    say(why);
  }
  function tell(cell, why) {
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
  function forget(cell) {
    if (!unsaved.delete(cell?.id)) return;
    $("[data-unsaved]", cell)?.remove();
    if (!$(".error", cell)) control(cell).ariaInvalid = null;
  }
  function tellAgain() { // answers draw cells anew
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

  function put(cell, value) { // a value from elsewhere, also one that the list of roles does not have
    const stop = control(cell), holder = sender(cell);
    if (value === known(cell).seen && value === valueOf(cell)) return;
    if (stop.matches("select") && ![...stop.options].some((o) => o.value === value)) stop.add(new Option(value, value));
    holder.value = value;
    holder.dispatchEvent(new Event(holder === stop ? "change" : "picked", { bubbles: true }));
    if (isText(stop)) stop.select();
  }

  // ------------------------------------------------------------------------------------------ 4 What the keys do

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
    const from = anchor?.isConnected ? anchor : cellOf(here());
    extending = extend;
    focus(target);
    extending = false;
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
    if (stop.matches("select") && e.key !== " ") { setEditing(true); choosing = stop; }
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
    if (below) return focus(inColumn(below, column(stop)));
    if (isText(stop)) stop.select();
    return true;
  }
  const along = (step) => (stop) => {
    const all = $$("tbody :is(input, select, button).cell:not(:disabled)", table()), next = all[all.indexOf(stop) + step];
    return next ? focus(next) : false;
  };
  function cancel(stop) {
    choosing = null;
    restore(stop);
    forget(cellOf(stop));
    setEditing(false);
    if (isText(stop)) stop.select();
    return true;
  }
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
    if (editing) cancel(stop);
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
    const from = here() ?? (place && find()) ?? grid;
    const beyond = (c) => from.compareDocumentPosition(c) & (step > 0 ? Node.DOCUMENT_POSITION_FOLLOWING : Node.DOCUMENT_POSITION_PRECEDING);
    const next = step > 0 ? all.find(beyond) : all.findLast(beyond), link = $("#next-problem");
    if (!next && Number(link?.dataset.rows) > new Set(all.map((c) => c.closest("tr"))).size) return elsewhere(link, step);
    if (!all.length) { toast("No problem on this page."); return true; }
    return focus(next ?? all.at(step > 0 ? 0 : -1));
  }
  function elsewhere(link, step) { // on another page, or left out by the filter: the server knows where
    const to = new URL(link.href), row = body().filter((row) => !isRemoved(row)).at(step > 0 ? -1 : 0);
    if (row) to.searchParams.set("from", row.id.replace("row-", ""));
    if (step < 0) to.searchParams.set("back", "1");
    location.assign(to);
    return true;
  }

  // ------------------------------------------------------------------------------------------ 5 Keys

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
    if (e.defaultPrevented || e.isComposing || !e.key || $("dialog:modal, [popover]:popover-open") || !table()) return;
    const name = named(e), isTyped = e.key.length === 1 && (e.getModifierState("AltGraph") || !(e.ctrlKey || e.metaKey || e.altKey));
    const stop = stopOf(e.target);
    pressed = null;
    if (stop && stop !== e.target && (e.key === "Enter" || e.key === " ")) return; // a suggestion or a link that the mouse had come to
    let found = EVERYWHERE[name];
    if (!found && !isTyped && e.altKey) return;
    if (!found && !editing && (stop || !e.target.closest?.("input, textarea, select, [contenteditable]"))) found = HISTORY[name];
    if (!found && stop) found = BOTH[name] ?? (editing ? EDIT : NAVIGATION)[editing ? name : name.replace(EXTENDS, "$1$2")] ?? (!editing && isTyped ? type : null);
    if (found) { if (found(stop, e)) e.preventDefault(); }
    else if (stop && editing && stop.matches("select")) choosing = stop;
  });
  document.addEventListener("click", (e) => {
    if (e.ctrlKey || e.metaKey || e.shiftKey || !e.target.closest?.("#next-problem")) return;
    e.preventDefault();
    problem(1);
  });

  // ------------------------------------------------------------------------------------------ 6 Mouse

  // A click puts the caret where it was made: edit mode. Touch is the same.
  document.addEventListener("pointerdown", (e) => {
    pressed = e.target.closest?.("#rows input.cell") ?? null;
    choosing = null;
    if (pressed && pressed === document.activeElement && !editing && !pressed.readOnly) { unmark(); setEditing(true); clicked = true; }
  }, true);

  // ------------------------------------------------------------------------------------------ 7 Blocks

  function unmark() {
    anchor = null;
    for (const cell of $$("#rows td[aria-selected]")) cell.removeAttribute("aria-selected");
  }
  function mark(from, to) {
    unmark();
    anchor = from;
    const all = body(), between = (a, b, n) => n >= Math.min(a, b) && n <= Math.max(a, b);
    const [a, b] = [from, to].map((cell) => all.indexOf(cell.parentElement));
    const chosen = all.filter((_, n) => between(a, b, n)).flatMap((row) => [...row.cells])
      .filter((cell) => cell.matches("td") && between(from.cellIndex, to.cellIndex, cell.cellIndex));
    if (chosen.length < 2) return;
    for (const cell of chosen) cell.ariaSelected = "true";
    say(`${plural(chosen.length, "cell")} selected.`);
  }
  function block(stop) {
    const chosen = $$("#rows td[aria-selected=true]");
    return chosen.length ? chosen : [cellOf(stop)];
  }

  const quoted = (value) => (/["\t\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  function tsv(cells) {
    const lines = new Map();
    for (const cell of cells) lines.set(cell.parentElement, [...(lines.get(cell.parentElement) ?? []), quoted(valueOf(cell))]);
    return [...lines.values()].map((line) => line.join("\t")).join("\n");
  }
  function parsed(text) { // as spreadsheets copy: a cell with a tab, a line break or a quote in it stands in quotes
    const pattern = /(?:"((?:[^"]|"")*)"(?=[\t\n]|$)|([^\t\n]*))(\t|\n|$)/y, lines = [[]];
    const whole = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
    for (let end = "\t"; end; ) {
      const [, inQuotes, plain, next] = pattern.exec(whole);
      lines.at(-1).push((inQuotes?.replaceAll('""', '"') ?? plain).trim());
      if ((end = next) === "\n") lines.push([]);
    }
    return lines;
  }

  document.addEventListener("copy", (e) => {
    const stop = here();
    if (!stop || editing || (stop.matches("td") && !getSelection().isCollapsed)) return; // text that the mouse selected; what was selected in a field is still its string
    const cells = block(stop);
    e.clipboardData.setData("text/plain", tsv(cells));
    e.preventDefault();
    say(`${plural(cells.length, "cell")} copied.`);
  });
  document.addEventListener("paste", (e) => {
    const stop = here();
    if (!stop || !e.clipboardData) return;
    const text = e.clipboardData.getData("text/plain"), lines = text.length < 400_000 ? parsed(text) : [];
    const isOne = lines.length === 1 && lines[0].length === 1;
    if (editing && (isOne || !clicked || isDirty(stop))) return; // the browser's; but a block is no text, and a click is how one chooses where it goes
    e.preventDefault();
    if (!text) return;
    if (!lines.length) return toast("That is more than one paste can hold. Upload it as a file.", "warn");
    const chosen = block(stop), from = chosen[0];
    if (!isData(from)) return toast("Choose a cell of Email, Role or Groups, then paste.", "warn");
    if (isOne && chosen.length > 1) return fill(chosen.filter(isData).map((cell) => [cell, lines[0][0]]), []);
    if (isOne) return put(from, lines[0][0]);
    if (editing) cancel(stop);
    const columns = [...from.parentElement.cells].filter((cell) => cell.cellIndex >= from.cellIndex && cell.matches("td") && isData(cell)).map((cell) => cell.cellIndex);
    const targets = body().slice(body().indexOf(from.parentElement)).filter((row) => !isRemoved(row));
    const pairs = targets.flatMap((row, n) => (lines[n] ?? []).slice(0, columns.length).map((value, i) => [row.cells[columns[i]], value]));
    const fields = columns.map((index) => known(from.parentElement.cells[index]).field);
    const rest = lines.slice(targets.length).map((line) => Object.fromEntries(line.slice(0, fields.length).map((value, i) => [fields[i], value])))
      .filter((line) => Object.values(line).some(Boolean));
    const wide = Math.max(...lines.map((line) => line.length)) - columns.length;
    if (wide > 0) toast(`${plural(wide, "column")} did not fit beside this one and ${wide === 1 ? "was" : "were"} left out.`, "warn");
    if (rest.length && fields[0] !== "email") toast(`${plural(rest.length, "line")} found no row and ${rest.length === 1 ? "was" : "were"} left out.`, "warn");
    fill(pairs, fields[0] === "email" ? rest : []);
    mark(from, pairs.at(-1)[0]);
  });
  function fill(pairs, lines) {
    const cells = pairs.filter(([cell]) => cell && isData(cell)).map(([cell, value]) => {
      const { field, seen } = known(cell);
      return { row_id: Number(cell.parentElement.id.replace("row-", "")), field, value, seen };
    });
    const form = $("#block");
    form.elements.block.value = JSON.stringify({ cells, lines });
    form.requestSubmit();
  }

  // ------------------------------------------------------------------------------------------ 8 Swaps

  // htmx gives the focus back by id. Here: the mode, what is half typed, the selection, and a neighbour where the cell itself is gone.
  // The elements are exchanged in the task of this event, so the microtask after it finds the new ones before any key does.
  document.addEventListener("htmx:before:swap", (e) => {
    const active = document.activeElement, stop = here(), row = stop?.closest("tr");
    const sent = e.detail.ctx.request?.body?.get?.("value");
    const before = stop
      ? { wasRemoved: isRemoved(row), editing, keep: editing && stop.value !== (isDirty(stop) ? saved(stop) : sent), value: stop.value, choosing: !!choosing, range: isText(stop) && [stop.selectionStart, stop.selectionEnd] }
      : { id: active?.id, nav: active?.closest("nav")?.ariaLabel };
    if (stop) settle(stop);
    swapping = true;
    queueMicrotask(() => {
      stop ? backToCell(before) : backToNav(before);
      swapping = false;
      tellAgain();
      refresh();
    });
  });
  document.addEventListener("htmx:after:swap", refresh);

  function backToCell(before) {
    const row = byId(place.row), at = document.activeElement;
    if (at !== document.body && !cellOf(at)) return setEditing(false); // the answer took the focus elsewhere
    let stop = find();
    if (row && isRemoved(row) && !before.wasRemoved) stop = inColumn(neighbour(row), place.column);
    if (!stop) return setEditing(false), ($(".stats a") ?? $("h1"))?.focus();
    const isSame = stop.id === place.id && !!stop.id;
    stop.focus({ preventScroll: isSame });
    settle(stop);
    setEditing(before.editing && isSame);
    choosing = editing && before.choosing ? stop : null;
    if (editing && before.keep) stop.value = before.value;
    if (!isText(stop)) return;
    if (editing) stop.setSelectionRange(...before.range);
    else stop.select();
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

  // ------------------------------------------------------------------------------------------ 9 Other pages

  // A filter, an order and the next page are pages of their own: the focus stays on the link that led there. A group that is created
  // loads the page anew: then it is on the cell that named the group; so does a refused sending: then it is on the button.
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
})();
