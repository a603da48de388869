// A report counts by itself who joins: not in a hidden tab, and said aloud at most once a minute.
import { $ } from "./dom.js";

document.addEventListener("htmx:before:request", (e) => {
  if (document.hidden && e.detail.ctx.sourceElement.matches(".joined")) e.preventDefault();
});
setInterval(() => {
  const said = $("#joined-said"), count = $(".joined > b");
  if (said && count && said.textContent !== count.textContent) said.textContent = count.textContent;
}, 60000);
