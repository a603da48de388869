// Small controls: rows that unfold, buttons that cannot be used yet, copying, printing, passwords that are shown.
import { $, $$, make, on } from "./dom.js";
import { toast } from "./toasts.js";

// A row's details, in the row below it, or the rows of its run. Without the script they are all shown (muster.css).
on("click", "[data-unfold]", (_, button) => {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  button.closest("tr").classList.toggle("open", open);
  if (button.dataset.unfold) for (const row of $$(`[data-run="${button.dataset.unfold}"]`)) row.toggleAttribute("data-shown", open);
});

// The arrows move in an open menu, and from its button into it.
document.addEventListener("keydown", (e) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key], menu = $(".menu:popover-open");
  if (!step || !menu || e.target.closest("input:not([type=checkbox]), select, textarea, [role=grid]")) return;
  const stops = $$("a[href], button, input", menu).filter((stop) => !stop.disabled && stop.checkVisibility()), at = stops.indexOf(e.target);
  e.preventDefault();
  stops.at(at < 0 ? (step - 1) / 2 : (at + step) % stops.length)?.focus(); // ArrowDown comes to the first one, ArrowUp to the last
});

// A list that a button beside it opens.
on("click", "[data-choose]", (_, button) => {
  const list = $("select", button.closest("td"));
  list.focus();
  try { list.showPicker(); } catch { /* the arrows choose in the closed list */ }
});

// Firefox restores what was ticked before a reload. What is sent as soon as it is ticked shows what the server has.
for (const box of $$("input[type=checkbox][hx-patch]")) if (box.checked !== box.defaultChecked) box.checked = box.defaultChecked;

// The time zone of this browser, where there is one to choose.
for (const list of $$("select[data-own-zone]")) {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if ([...list.options].some((option) => option.value === timeZone)) list.value = timeZone;
}

// A button that cannot be used yet stays reachable, so that its reason can be read: aria-disabled, not disabled.
document.addEventListener("click", (e) => {
  if (!e.target.closest?.("[aria-disabled=true]")) return;
  e.preventDefault();
  e.stopImmediatePropagation();
}, true);

// data-copy="text", or data-copy="#id" for what that element holds. navigator.clipboard is missing on plain http,
// which is usual on an intranet: then a selection is copied, inside the dialog if there is one, because the rest is inert.
async function copy(text, near) {
  if (navigator.clipboard && window.isSecureContext) {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed: try the other way */ }
  }
  const area = make("textarea", { value: text, readOnly: true, className: "sr" });
  near.after(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  near.focus();
  return done;
}
on("click", "[data-print]", () => window.print());
// data-download="#id": what that element holds, as a text file called data-name. It never leaves the browser.
on("click", "[data-download]", (_, button) => {
  const href = URL.createObjectURL(new Blob([$(button.dataset.download).textContent.trim() + "\n"], { type: "text/plain" }));
  make("a", { href, download: button.dataset.name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
});
on("click", "[data-copy]", async (_, button) => {
  const from = button.dataset.copy.startsWith("#") && $(button.dataset.copy);
  const text = from ? from.value ?? from.textContent.trim() : button.dataset.copy;
  if (await copy(text, button)) toast(button.dataset.copied || "Copied");
  else toast("Could not copy. Select the text and copy it yourself.", "bad");
});

// Show password: the buttons are hidden until there is a script to make them work.
const prepare = (root) => { for (const part of $$("[data-reveal], [data-filter]", root)) part.hidden = false; };
prepare(document);
document.addEventListener("htmx:after:swap", () => prepare(document));
on("click", "[data-reveal]", (_, button) => {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const shown = input.type === "password";
  input.type = shown ? "text" : "password";
  button.firstChild.textContent = shown ? "Hide" : "Show";
});
