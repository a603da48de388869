// A row of the review comes with what only the server knows: its id, its line, and its cells. What follows from these is put on here, and so
// is not sent a hundred times: the ids, by which answers find their place and the focus comes back; the labels that say the row; and where
// each control sends to, with the value that the page showed. templates/macros/rows.html draws the rows.
"use strict";
(() => {
  const $$ = (selector, root) => [...root.querySelectorAll(selector)];
  const put = (element, attributes) => { for (const name in attributes) element.setAttribute(name, attributes[name]); };
  const sends = (method, address) => ({ [`hx-${method}`]: address, "hx-sync": "#main:queue all" });
  const lineOf = (row) => row.cells[1].textContent;
  const seen = (control) => control.dataset.seen ?? (control.matches("select") ? control.querySelector("[selected]") : control)?.getAttribute("value") ?? "";

  // part: the cell, or what is to stand in it.
  function completeCell(part, field, row, at) {
    const id = `${row.id}-${field}`, line = lineOf(row), fix = part.querySelector(".fix");
    const holder = part.querySelector("[name=value]"), control = part.querySelector(".cell");
    if (!holder) return; // of a row that was removed
    if (!holder.hasAttribute("value")) put(holder, { value: $$(".token", control).map((token) => token.textContent).join(", ") }); // groups, as they are shown
    const patch = sends("patch", `${at}/${row.id.replace("row-", "")}`), known = { field, seen: seen(holder) };
    put(holder, { ...patch, "hx-vals": JSON.stringify(known) });
    if (holder !== control) put(holder, { "hx-indicator": "previous .cell" });
    put(control, { id: control === holder ? id : `${id}-cell`, "aria-label": `${control.ariaLabel}, row ${line}` });
    for (const [n, button] of $$(".suggest", fix).entries())
      put(button, { ...patch, id: `${id}-fix${n + 1}`, "aria-label": `${button.ariaLabel}, row ${line}`, "hx-vals": JSON.stringify({ ...known, value: button.value }) });
    if (!fix.firstElementChild) return;
    fix.id = `${id}-message`;
    control.setAttribute("aria-describedby", fix.id);
  }
  function completeRow(row, at) {
    const id = row.id.replace("row-", ""), line = lineOf(row), box = row.querySelector("[data-pick]"), act = row.querySelector("[data-act]");
    row.cells[1].id = `line-${line}`;
    row.setAttribute("hx-ignore", "");
    if (box) put(box, { value: id, "aria-label": `Select row ${line}` });
    if (act) put(act, { ...sends("post", `${at}/${id}/${act.dataset.act}`), "hx-swap": "none", "data-once": "", "aria-label": act.ariaLabel.replace("row", `row ${line}`) });
    for (const cell of $$("td[data-label]", row)) {
      const field = cell.dataset.label.toLowerCase();
      cell.id = `${row.id}-${field}-td`;
      completeCell(cell, field, row, at);
    }
    row.querySelector(".c-result").id = `${row.id}-result`;
  }
  function complete(part) {
    const at = (part.querySelector("#rows") ?? document.getElementById("rows"))?.dataset.at;
    for (const row of $$("tr[id^=row-]:has([data-pick], [data-act], td[data-label])", part)) if (!row.cells[1].id) completeRow(row, at);
  }

  document.addEventListener("htmx:before:swap", (e) => {
    for (const { fragment, target } of e.detail.tasks ?? []) {
      for (const fold of $$("details[id]", fragment)) fold.open = document.getElementById(fold.id)?.open ?? fold.open; // as it was left
      const place = typeof target === "string" ? document.querySelector(target) : target, cell = place?.closest("#rows td[data-label]");
      if (cell) completeCell(fragment, cell.dataset.label.toLowerCase(), cell.parentElement, cell.closest("table").dataset.at);
      else complete(fragment);
    }
  });
  complete(document);

  // htmx looks at a row when it is used first: of a hundred rows few are.
  function wire(e) {
    const row = e.target.closest?.("#rows tr[hx-ignore]");
    if (!row) return;
    row.removeAttribute("hx-ignore");
    htmx.process(row);
  }
  for (const event of ["click", "change", "picked"]) document.addEventListener(event, wire, true);
})();
