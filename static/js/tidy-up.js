// Tidy up: what the ticks come to, before anything is applied.
import { $, $$, on } from "./dom.js";

const panel = () => $("#tidy-up-form");
const boxes = (root) => $$("input[name=ids]", root);
const weight = (box) => Number(box.dataset.weight ?? 1);
const fixes = (n) => (n === 1 ? "1 fix" : `${n.toLocaleString("en")} fixes`);
const rows = (n) => (n === 1 ? "1 row" : `${n.toLocaleString("en")} rows`);

function describe(form, ticked, count) {
  let touched = 0, left = 0;
  const removing = boxes(form).filter((box) => box.checked && "removes" in box.dataset).map((box) => box.value);
  for (const [n, touching, needed] of JSON.parse(form.dataset.effects)) {
    if (touching.some((id) => ticked.has(id))) touched += n;
    if (needed && !needed.every((id) => ticked.has(id)) && !removing.some((id) => touching.includes(id))) left += n;
  }
  return `${fixes(count)} in ${rows(touched)}. ${left ? `${rows(left)} still ${left === 1 ? "needs" : "need"} you.` : "Then every row is ready."}`;
}

function refresh(form) {
  const ticked = boxes(form).filter((box) => box.checked), count = ticked.reduce((sum, box) => sum + weight(box), 0);
  const apply = $("#tidy-up-apply");
  apply.textContent = count ? `Apply ${fixes(count)}` : "Apply";
  apply.ariaDisabled = String(!count);
  const said = count ? describe(form, new Set(ticked.map((box) => box.value)), count) : "Tick what to fix.", foot = $("#tidy-up-foot");
  if (foot.textContent !== said) foot.textContent = said;
  for (const section of $$(".tidy", form)) {
    const all = boxes(section), on = all.filter((box) => box.checked).length, head = $("[data-all]", section);
    head.hidden = false;
    head.checked = on === all.length;
    head.indeterminate = on > 0 && on < all.length;
    for (const chosen of $$("[data-chosen]", section)) chosen.textContent = `${on} of ${all.length} chosen`;
    for (const picker of $$("[data-ticks]", section)) {
      const remembered = document.getElementById(`${picker.dataset.ticks}-remembered`);
      if (remembered) remembered.parentElement.hidden = !picker.value;
    }
  }
}

on("change", "#tidy-up-form input, #tidy-up-form select", (_, field) => {
  const form = panel();
  if ("all" in field.dataset) for (const box of boxes(field.closest(".tidy"))) tick(box, field.checked);
  else if (field.name === "ids") tick(field, field.checked);
  else if ("ticks" in field.dataset) document.getElementById(field.dataset.ticks).checked = !!field.value;
  refresh(form);
});
// A word without a choice cannot be ticked: its picker is what chooses.
function tick(box, is) {
  const picker = $(`[data-ticks="${box.value}"]`, panel());
  box.checked = is && (!picker || !!picker.value || create(picker));
}
function create(picker) {
  if (picker.options[0].value) picker.selectedIndex = 0; // “Leave as it is” was chosen before
  return !!picker.value;
}

document.addEventListener("submit", (e) => {
  if (e.target === panel() && $("#tidy-up-apply").ariaDisabled === "true") { e.preventDefault(); e.stopImmediatePropagation(); }
}, true);
on("keydown", "#tidy-up-form", (e, form) => {
  if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
  e.preventDefault();
  form.requestSubmit($("#tidy-up-apply"));
});
document.addEventListener("htmx:after:swap", () => {
  const form = panel();
  if (!form || form.dataset.ready) return;
  form.dataset.ready = "";
  refresh(form);
  const asked = $("[autofocus]", form) ?? $("#tidy-up-title"), fold = asked.closest("details");
  if (fold) fold.open = true;
  asked.focus();
});
if (panel()) refresh(panel());
