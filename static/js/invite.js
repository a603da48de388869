// The dialog Invite Users: its tabs, which the address remembers.
import { $, $$, on } from "./dom.js";
import { abortUpload, take } from "./upload.js";

const invite = $("#invite");

function showTab(name) {
  for (const tab of $$("[role=tab]", invite)) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (invite.open) rememberTab();
}
// The address says that the dialog is open, so that a refresh opens it again.
function rememberTab() {
  const url = new URL(location);
  if (invite.open) url.searchParams.set("invite", $("[aria-selected=true]", invite).dataset.tab);
  else url.searchParams.delete("invite");
  history.replaceState(history.state, "", url);
}

// One person: there is nothing to do before typing the address. On a phone it would bring up the keyboard over the rest.
function focusEmail() {
  const isFree = document.activeElement?.id === "invite-title" && !matchMedia("(pointer: coarse)").matches;
  if (invite.open && isFree && !$("#invite-single").hidden) $("#invite-email").focus();
}
// Wherever the focus is in the dialog: a file is uploaded, cells go into the field for them. Spreadsheets add a picture of the cells.
function pasteAnywhere(e) {
  if (!invite.open || e.target.closest?.("input:not([type=file]), textarea")) return;
  const files = [...e.clipboardData.files].filter((file) => !file.type.startsWith("image/")), text = e.clipboardData.getData("text/plain");
  if (!files.length && !text.trim()) return;
  e.preventDefault();
  showTab("bulk");
  if (files.length) return take($("#bulk-panel"), files);
  $("#paste").open = true;
  $("#pasted").value = text;
  $("#paste .btn").focus();
}

if (invite) {
  new MutationObserver(() => { rememberTab(); focusEmail(); }).observe(invite, { attributeFilter: ["open"] });
  on("click", "#invite [role=tab]", (e, tab) => { e.preventDefault(); showTab(tab.dataset.tab); });
  on("keydown", "#invite [role=tab]", (e, tab) => {
    if (!["ArrowLeft", "ArrowRight", " "].includes(e.key)) return;
    e.preventDefault();
    const other = e.key === " " ? tab : $$("[role=tab]", invite).find((t) => t !== tab);
    showTab(other.dataset.tab);
    other.focus();
  });
  invite.addEventListener("muster:open", (e) => { if (e.detail.dataset.tab) showTab(e.detail.dataset.tab); });
  invite.addEventListener("close", abortUpload);
  on("click", "#paste > summary", () => requestAnimationFrame(() => $("#paste").open && $("#pasted").focus()));
  document.addEventListener("paste", pasteAnywhere);
  // An invitation that went out reloads the page: without the dialog.
  document.addEventListener("htmx:after:request", (e) => {
    if (invite.open && invite.contains(e.target) && e.detail.ctx.hx?.refresh) { invite.close(); rememberTab(); }
  });
}
