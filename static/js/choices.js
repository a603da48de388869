// Lists of checkboxes: found by their words, and "All groups" apart from the others.
import { $, $$, make, on, plain } from "./dom.js";

// A find field above a list of labels hides those that do not hold its words. What is ticked stays in sight.
export function filter(list, words) {
  let shown = 0;
  for (const option of $$("label", list)) {
    option.hidden = !plain(option.textContent).includes(plain(words));
    shown += !option.hidden;
  }
  let none = $(".nothing", list);
  if (!none) list.append(none = make("p", { className: "nothing" }));
  none.hidden = shown > 0;
  none.textContent = words ? `No group matches “${words.trim()}”.` : "There are no groups yet.";
}
on("input", "[data-filter] input", (_, input) => filter($(".list", input.closest(".choices")), input.value));
on("keydown", "[data-filter] input", (e) => { if (e.key === "Enter") e.preventDefault(); }); // would send the form

// "All groups" says everything: it does not stand beside single groups.
function keepApart(box) {
  if (!box.checked) return;
  const boxes = $$("input[type=checkbox]", box.closest(".list, [data-list]"));
  const all = boxes.find((b) => "everything" in b.dataset || b.value === "All groups");
  if (all) for (const other of box === all ? boxes : [all]) if (other !== box) other.checked = false;
}
on("change", ".choices .list input, #group-picker input[type=checkbox]", (_, box) => keepApart(box));
