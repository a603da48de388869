// The dialog Invite Users: its tabs, which the address remembers.
import { $, $$, on } from "./dom.js";
import { abortUpload } from "./upload.js";

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

if (invite) {
  new MutationObserver(rememberTab).observe(invite, { attributeFilter: ["open"] });
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
  // An invitation that went out reloads the page: without the dialog.
  document.addEventListener("htmx:after:request", (e) => {
    if (invite.open && invite.contains(e.target) && e.detail.ctx.hx?.refresh) { invite.close(); rememberTab(); }
  });
}
