// Keys that work on every page.
import { ask } from "./confirm.js";
import { $, $$, isModal, on, storage } from "./dom.js";

// Single keys work outside of fields and dialogs only, and can be switched off (WCAG 2.1.4).
for (const box of $$("input[name=keys]")) box.checked = storage.get("keys") !== "off";
on("change", "input[name=keys]", (_, box) => storage.set("keys", box.checked ? null : "off"));

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.defaultPrevented || storage.get("keys") === "off") return;
  if (e.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable], [data-picker]") || isModal()) return;
  const invites = e.key === "i" || e.key === "I";
  const target =
    e.key === "/" ? $("[data-search]") :
    invites ? $("[data-open=invite]") :
    e.key === "t" || e.key === "T" ? $("[data-tidy]") :
    e.key === "?" ? $("[data-open=keys]") : null;
  if (invites && !document.getElementById("invite")) return goAndInvite();
  if (!target) return;
  e.preventDefault();
  if (e.key === "/") { target.focus(); target.select?.(); }
  else target.click();
});

// The dialog is on few pages: from the others the key leads to one that opens with it.
const typed = (field) => field.value !== field.defaultValue && !field.matches("[type=hidden], [type=checkbox], [type=radio], [type=search]");
async function goAndInvite() {
  const { invite } = document.body.dataset;
  if (!invite) return; // who may not invite
  if ($$("main form :is(input, textarea)").some(typed) && !(await ask("Leave this page? What you typed is lost.", "Leave", "Keep editing"))) return;
  location.assign(invite);
}
