// Changes of a batch under review are sent one request after another (hx-sync): what waits for its turn, and where the answers go.

// What waits for its turn is not at the server yet: leaving the page would lose it, so the browser asks first.
const waiting = new Set(), pressed = new WeakSet();
document.addEventListener("htmx:config:request", (e) => {
  const { ctx } = e.detail, source = ctx.sourceElement;
  // data-once: a second press waits for nothing. Undo pressed twice is two steps, a fix pressed twice is one.
  if ("once" in source.dataset && pressed.has(source)) return e.preventDefault();
  pressed.add(source);
  if (ctx.request.method !== "GET") waiting.add(ctx);
});
document.addEventListener("htmx:before:request", (e) => waiting.delete(e.detail.ctx));
document.addEventListener("htmx:finally:request", (e) => {
  waiting.delete(e.detail.ctx);
  pressed.delete(e.detail.ctx.sourceElement);
});
addEventListener("beforeunload", (e) => { if (waiting.size) e.preventDefault(); });

// A row looks as its plan says. Answers replace the cell that holds the plan, never the row.
document.addEventListener("htmx:before:swap", (e) => {
  for (const { fragment, target } of e.detail.tasks ?? []) {
    const place = typeof target === "string" ? document.querySelector(target) : target;
    for (const fold of fragment.querySelectorAll("details[id]")) fold.open = document.getElementById(fold.id)?.open ?? fold.open; // as it was left
    const row = place?.closest("#rows > tbody > tr > td")?.parentElement, chip = fragment.querySelector("[data-plan]");
    if (row && chip && row.dataset.plan !== chip.dataset.plan) row.dataset.plan = chip.dataset.plan;
  }
});

// An earlier answer may have replaced the cell that asked: the answer goes to the one that is there now.
document.addEventListener("htmx:after:request", (e) => {
  const { ctx } = e.detail;
  if (ctx.target?.id && !ctx.target.isConnected) ctx.target = document.getElementById(ctx.target.id) ?? ctx.target;
});
