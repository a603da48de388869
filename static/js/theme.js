// The choice of colours on the account page. static/theme.js sets them before the first paint.
import { $$, on, storage } from "./dom.js";

const themes = $$("input[name=theme]");
for (const radio of themes) radio.checked = radio.value === (storage.get("theme") ?? "system");
on("change", "input[name=theme]", (_, radio) => {
  const chosen = radio.value === "system" ? null : radio.value;
  storage.set("theme", chosen);
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
});
