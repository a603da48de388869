// Keys that work on every page.
import { $, $$, isModal, on, storage } from "./dom.js";

// Single keys work outside of fields and dialogs only, and can be switched off (WCAG 2.1.4).
for (const box of $$("input[name=keys]")) box.checked = storage.get("keys") !== "off";
on("change", "input[name=keys]", (_, box) => storage.set("keys", box.checked ? null : "off"));

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.defaultPrevented || storage.get("keys") === "off") return;
  if (e.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]") || isModal()) return;
  const target =
    e.key === "/" ? $("[data-search]") :
    e.key === "i" || e.key === "I" ? $("[data-open=invite]") :
    e.key === "?" ? $("[data-open=keys]") : null;
  if (!target) return;
  e.preventDefault();
  if (e.key === "/") { target.focus(); target.select?.(); }
  else target.click();
});
