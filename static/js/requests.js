// Requests that fail, and answers that are not of Muster.
import { toast } from "./toasts.js";

document.addEventListener("htmx:error", (e) => {
  const poll = e.detail.ctx?.sourceElement?.querySelector("[data-lost]");
  if (poll) poll.hidden = false; // it asks again by itself, and the answer replaces this line
  else if (e.detail.ctx?.sourceElement?.matches("#rows [hx-patch]")) return; // grid/save.js says so in the cell
  else if (e.detail.ctx) toast(`Not ${e.detail.ctx.request?.method === "GET" ? "loaded" : "saved"}. Check your connection and try again.`, "bad");
  else console.error(e.detail.error); // a mistake of ours in an attribute, not a failed request
});
// Every answer of Muster carries Muster-Answer. Whatever else comes is from a proxy, a firewall or a Wi-Fi's sign-in page: nothing of it
// enters the page, whatever its status, and none of its headers counts.
export const foreign = (status) => `Something between here and Muster answered (${status}).`;
document.addEventListener("htmx:before:response", (e) => {
  const { ctx } = e.detail, { status, headers } = ctx.response;
  if (headers.has("Muster-Answer")) return;
  e.preventDefault();
  ctx.response = ctx.hx = null;
  const source = ctx.sourceElement, lost = source.querySelector("[data-lost]"), not = ctx.request.method === "GET" ? "loaded" : "saved";
  source.dispatchEvent(new CustomEvent("muster:foreign", { bubbles: true, detail: { ctx, why: foreign(status) } }));
  if (lost) lost.hidden = false;
  else if (!source.matches("#rows [hx-patch]")) toast(`Not ${not}. ${foreign(status)}`, "bad");
});
