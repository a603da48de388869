// What a batch under review is asked to do, one request after another (hx-sync="#main:queue all"), and where the answers go: so what is
// shown is what is so, whichever answer is late.
"use strict";
(() => {
  // What waits for its turn is not at the server yet: leaving the page would lose it, so the browser asks first.
  const waiting = new Set(), pressed = new WeakSet();
  const isOurs = (ctx) => ctx.sourceElement.getAttribute("hx-sync") === "#main:queue all";
  document.addEventListener("htmx:config:request", (e) => {
    const { ctx } = e.detail, source = ctx.sourceElement;
    // data-once: a second press waits for nothing. Undo pressed twice is two steps, a fix pressed twice is one.
    if ("once" in source.dataset && pressed.has(source)) return e.preventDefault();
    pressed.add(source);
    if (isOurs(ctx)) waiting.add(ctx);
  });
  document.addEventListener("htmx:before:request", (e) => {
    waiting.delete(e.detail.ctx);
  });
  document.addEventListener("htmx:finally:request", (e) => {
    waiting.delete(e.detail.ctx);
    pressed.delete(e.detail.ctx.sourceElement);
  });
  addEventListener("beforeunload", (e) => { if (waiting.size) e.preventDefault(); });

  // A row looks as its plan says. Answers replace the cell that holds the plan, never the row.
  document.addEventListener("htmx:before:swap", (e) => {
    for (const { fragment, target } of e.detail.tasks ?? []) {
      const place = typeof target === "string" ? document.querySelector(target) : target;
      const row = place?.closest("#rows > tbody > tr > td")?.parentElement, chip = fragment.querySelector("[data-plan]");
      if (row && chip && row.dataset.plan !== chip.dataset.plan) row.dataset.plan = chip.dataset.plan;
    }
  });

  // An earlier answer may have drawn the cell that asked anew: the answer goes to the one that is there now.
  document.addEventListener("htmx:after:request", (e) => {
    const { ctx } = e.detail;
    if (ctx.target?.id && !ctx.target.isConnected) ctx.target = document.getElementById(ctx.target.id) ?? ctx.target;
  });
})();
