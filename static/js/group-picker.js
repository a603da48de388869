// The popover that all group cells share.
import { $, $$, make, on, plain } from "./dom.js";
import { filter } from "./choices.js";

// One popover for all cells. <td><button data-picker>…</button><input type="hidden" name="value" value="A, B"></td>
// Done, Enter and a click elsewhere take over what is ticked, Esc does not. The hidden input then holds the names and fires "picked",
// on which htmx sends it.
const picker = $("#group-picker");
if (picker) {
  const list = $("[data-list], [role=group]", picker), find = $("[type=search]", picker);
  let button = null, value = null, cancelled = false;
  const names = () => value.value.split(",").map((name) => name.trim()).filter(Boolean);
  const boxes = () => $$("input[type=checkbox]", list);
  const visible = () => boxes().filter((box) => !box.closest("label").hidden);

  function open(cell) {
    button = cell;
    value = $("input[name=value]", cell.parentElement);
    cancelled = false;
    for (const guest of $$("label[data-unknown]", list)) guest.remove();
    const wanted = new Map(names().map((name) => [plain(name), name]));
    for (const box of boxes()) { box.checked = wanted.has(plain(box.value)); wanted.delete(plain(box.value)); }
    for (const name of [...wanted.values()].reverse()) list.prepend(unknown(name));
    find.value = "";
    filter(list, "");
    $(".title", picker).textContent = cell.getAttribute("aria-label") || "Groups";
    cell.setAttribute("aria-expanded", "true"); // muster.css anchors the popover to the cell that says so
    picker.showPopover();
    list.scrollTop = 0;
    (matchMedia("(pointer: coarse)").matches ? boxes()[0] : find)?.focus({ preventScroll: true }); // a find field would bring up the keyboard
  }
  function unknown(name) {
    const row = make("label");
    row.dataset.unknown = "";
    row.append(make("input", { type: "checkbox", value: name, checked: true }),
      make("span", { textContent: name }),
      make("small", { textContent: "not a group" }));
    return row;
  }
  function apply() {
    const before = names(), ticked = boxes().filter((box) => box.checked).map((box) => box.value);
    const keys = new Set(ticked.map(plain));
    // In the order of the cell, then what is new in the order of the list.
    const kept = before.filter((name) => keys.has(plain(name))).map((name) => ticked.find((t) => plain(t) === plain(name)));
    const after = [...new Set([...kept, ...ticked])];
    if (after.length === before.length && before.every((name) => keys.has(plain(name)))) return;
    value.value = after.join(", ");
    value.dispatchEvent(new CustomEvent("picked", { bubbles: true }));
  }

  on("click", "[data-picker]", (e, cell) => { e.preventDefault(); if (!picker.matches(":popover-open")) open(cell); });
  on("keydown", "[data-picker]", (e, cell) => { if (e.key === "F2") { e.preventDefault(); open(cell); } });
  picker.addEventListener("click", (e) => { if (e.target.closest("[data-apply]")) picker.hidePopover(); });
  find.addEventListener("input", () => filter(list, find.value));
  picker.addEventListener("keydown", (e) => {
    if (e.key === "Escape") cancelled = !(e.target === find && find.value); // with words in it, it clears the field; else the popover closes
    else if (e.key === "Enter" && !e.target.closest("[data-apply]")) {
      e.preventDefault();
      const found = find.value && e.target === find ? visible() : null; // what was looked for is what is meant
      if (found?.length === 1 && !found[0].checked) found[0].click();
      if (found?.length !== 0) picker.hidePopover();
    }
    else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      const stops = [find, ...visible()];
      stops[Math.min(Math.max(stops.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1), 0), stops.length - 1)].focus();
    }
  });
  // "beforetoggle" and not "toggle": it comes at once, so the next cell may open its own picker right after.
  picker.addEventListener("beforetoggle", (e) => {
    if (e.newState !== "closed" || !button) return;
    const cell = button, inside = picker.contains(document.activeElement);
    button = null;
    cell.setAttribute("aria-expanded", "false");
    if (!cancelled) apply();
    if (inside) queueMicrotask(() => (cell.isConnected ? cell : cell.id && document.getElementById(cell.id))?.focus({ preventScroll: true }));
  });
}
