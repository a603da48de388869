// What the pages cannot do with HTML and htmx alone. One delegated listener a subject, so that whatever htmx swaps in works
// without being wired up. No inline handlers, no eval: the Content-Security-Policy forbids both.
//
//   1 Storage and theme    2 Toasts    3 Dialogs    4 Questions before something is done    5 Requests that fail
//   6 Keys    7 Small controls    8 Invite Users and the upload    9 Group picker    (the review grid: grid.js)
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (event, selector, handler, options) =>
    document.addEventListener(event, (e) => {
      const found = e.target instanceof Element && e.target.closest(selector);
      if (found) handler(e, found);
    }, options);

  // ------------------------------------------------------------------------------------------ 1 Storage and theme

  const storage = {
    get(name) { try { return localStorage.getItem("muster." + name); } catch { return null; } },
    set(name, value) { try { value == null ? localStorage.removeItem("muster." + name) : localStorage.setItem("muster." + name, value); } catch { /* kept for this page only */ } },
  };

  const themes = $$("input[name=theme]");
  for (const radio of themes) radio.checked = radio.value === (storage.get("theme") ?? "system");
  on("change", "input[name=theme]", (_, radio) => {
    const chosen = radio.value === "system" ? null : radio.value;
    storage.set("theme", chosen);
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  });

  // ------------------------------------------------------------------------------------------ 2 Toasts

  // Good news is shown for 10 s, or until there is newer: what is said is always what happened last.
  // Bad news stays until it is dismissed.
  const toasts = $("#toasts");
  let timer = 0, held = false;

  const good = () => $$(".toast", toasts).filter((t) => t.dataset.tone !== "bad" && t.dataset.tone !== "warn");
  function schedule() {
    clearTimeout(timer);
    if (!held && good().length) timer = setTimeout(() => good().forEach(dismiss), 10000);
  }
  function dismiss(t) {
    if (t.contains(document.activeElement)) ($("#rows [tabindex='0']") ?? $("#main"))?.focus({ preventScroll: true });
    t.remove();
    held &&= toasts.matches(":hover, :focus-within");
    schedule();
  }
  function toast(text, tone = "ok") {
    const t = document.createElement("div");
    t.className = "toast";
    t.dataset.tone = tone;
    const glyph = $("#toast-icons")?.content.querySelector(`[data-tone="${tone}"]`);
    if (glyph) t.append(glyph.firstElementChild.cloneNode(true));
    t.append(Object.assign(document.createElement("span"), { textContent: text }));
    if (tone === "bad" || tone === "warn") {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Dismiss" });
      button.dataset.dismiss = "";
      t.append(button);
    }
    toasts.append(t);
  }
  document.addEventListener("muster:toast", (e) => toast(e.detail.text, e.detail.tone)); // from grid.js

  if (toasts) {
    new MutationObserver((changes) => {
      const fresh = changes.flatMap((c) => [...c.addedNodes]).filter((node) => node.matches?.(".toast")), said = good();
      if (!held && said.some((t) => fresh.includes(t))) for (const t of said) if (!fresh.includes(t)) dismiss(t);
      document.documentElement.toggleAttribute("data-toast", !!$(".toast", toasts));
      for (const t of fresh) for (const same of $$(".toast", toasts)) if (same !== t && same.textContent === t.textContent) same.remove();
      schedule();
    }).observe(toasts, { childList: true });
    schedule();
    const hold = (state) => () => { held = state; state ? clearTimeout(timer) : schedule(); };
    toasts.addEventListener("pointerenter", hold(true));
    toasts.addEventListener("pointerleave", hold(false));
    toasts.addEventListener("focusin", hold(true));
    toasts.addEventListener("focusout", hold(false));
    on("click", "[data-dismiss]", (_, button) => dismiss(button.closest(".toast")));
    // Undo: the toast goes when the server has answered, because an answer to an element that left the page is dropped.
    document.addEventListener("htmx:finally:request", (e) => {
      const t = e.target.closest?.(".toast");
      if (t && e.detail.ctx.response?.status < 400) dismiss(t);
    });
  }

  // ------------------------------------------------------------------------------------------ 3 Dialogs

  // A modal dialog makes the rest of the page inert, toasts too: they live in the dialog while it is open.
  function openDialog(dialog) {
    if (dialog.open) dialog.close();
    dialog.showModal();
    if (toasts) dialog.append(toasts);
  }
  document.addEventListener("close", (e) => {
    if (e.target.matches?.("dialog") && toasts && e.target.contains(toasts))
      ($$("dialog:modal").pop() ?? document.body).append(toasts);
  }, true);

  // Until what a dialog holds is there: nothing of what it held before, and a way to close it.
  function wait(part, dialog) {
    const head = Object.assign(document.createElement("div"), { className: "head" });
    head.append(Object.assign(document.createElement("h2"), { id: dialog.getAttribute("aria-labelledby"), textContent: "Loading", tabIndex: -1 }), $("#keys [data-close]").cloneNode(true));
    part.replaceChildren(head);
  }
  on("click", "[data-open]", (e, opener) => {
    const dialog = document.getElementById(opener.dataset.open);
    if (!dialog) return; // a link leads to the page that holds the dialog
    e.preventDefault();
    opener.closest("[popover]:popover-open")?.hidePopover();
    if (dialog.id === "invite" && opener.dataset.tab) showTab(opener.dataset.tab);
    for (const part of $$("[data-anew]", dialog)) wait(part, dialog); // htmx fetches what it holds each time
    openDialog(dialog);
  });
  on("click", "[data-close]", (e, button) => {
    const dialog = button.closest("dialog");
    if (!dialog) return; // a link leads back from the page that shows the same as the dialog
    e.preventDefault();
    leave(dialog);
  });
  document.addEventListener("cancel", (e) => { // Esc
    if (!draft(e.target)) return;
    e.preventDefault();
    leave(e.target);
  }, true);

  // form[data-draft]: what is typed there is asked about before the dialog is closed, or the page left.
  const sent = (field) => field.defaultValue.replace(field.matches("textarea") ? /\r/g : /[\r\n]/g, ""); // as the browser shows it
  const draft = (root) => $$("form[data-draft] :is(input, textarea)", root).find((field) => field.value !== sent(field));
  async function leave(dialog) {
    const typed = draft(dialog);
    if (typed && !(await ask("Close without saving? What you typed is lost.", "Close", "Keep editing"))) return typed.focus();
    typed?.form.reset();
    dialog.close();
  }
  addEventListener("beforeunload", (e) => { if (draft(document)) e.preventDefault(); });

  // ------------------------------------------------------------------------------------------ 4 Questions

  // "Discard this upload? Its 4 edits are deleted." asks with the question as the title and the rest below it.
  // Resolves to true when the answer is yes. Esc and Cancel give the focus back to the button.
  function ask(sentence, button, keep, tone) {
    const dialog = $("#ask");
    const [, question, rest] = sentence.match(/^(.*?[?])\s*(.*)$/s) ?? [null, sentence, ""];
    $("#ask-title").textContent = question;
    $("#ask-text").textContent = rest;
    $("#ask-text").hidden = !rest;
    const yes = $("[value=yes]", dialog);
    yes.textContent = button || "Go on";
    yes.className = `btn ${tone || "danger"}`;
    $("[value='']", dialog).textContent = keep || "Cancel";
    dialog.returnValue = "";
    openDialog(dialog);
    return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
  }
  const label = (element) => element?.textContent.trim();

  document.addEventListener("htmx:confirm", async (e) => {
    if (!$("#ask")) return; // htmx then asks by itself
    e.preventDefault();
    const source = e.detail.ctx.sourceElement;
    const named = source.dataset.confirmButton ?? label(source.matches("form") ? e.detail.ctx.sourceEvent?.submitter : source);
    (await ask(e.detail.ctx.confirm, named, source.dataset.confirmKeep, source.dataset.confirmTone)) ? e.detail.issueRequest() : e.detail.dropRequest();
  });

  // The same for a plain form, or for one of its buttons.
  document.addEventListener("submit", async (e) => {
    const { target: form, submitter } = e;
    const asks = submitter?.hasAttribute("data-confirm") ? submitter : form.hasAttribute("data-confirm") ? form : null;
    if (!asks || !$("#ask") || form.dataset.confirmed) { delete form.dataset.confirmed; return; }
    e.preventDefault();
    e.stopImmediatePropagation();
    if (!(await ask(asks.dataset.confirm, asks.dataset.confirmButton ?? label(submitter), asks.dataset.confirmKeep, asks.dataset.confirmTone))) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
  }, true);

  // ------------------------------------------------------------------------------------------ 5 Requests that fail

  document.addEventListener("htmx:error", (e) => {
    const poll = e.detail.ctx?.sourceElement?.querySelector("[data-lost]");
    if (poll) poll.hidden = false; // it asks again by itself, and the answer replaces this line
    else if (e.detail.ctx?.sourceElement?.matches("#rows [hx-patch]")) return; // grid.js says so in the cell
    else if (e.detail.ctx) toast(`Not ${e.detail.ctx.request?.method === "GET" ? "loaded" : "saved"}. Check your connection and try again.`, "bad");
    else console.error(e.detail.error); // a mistake of ours in an attribute, not a failed request
  });
  // Every answer of Muster carries Muster-Answer. Whatever else comes is from a proxy, a firewall or a Wi-Fi's sign-in page: nothing of it
  // enters the page, whatever its status, and none of its headers counts.
  const foreign = (status) => `Something between here and Muster answered (${status}).`;
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

  // ------------------------------------------------------------------------------------------ 6 Keys

  // Single keys work outside of fields and dialogs only, and can be switched off (WCAG 2.1.4).
  for (const box of $$("input[name=keys]")) box.checked = storage.get("keys") !== "off";
  on("change", "input[name=keys]", (_, box) => storage.set("keys", box.checked ? null : "off"));

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.defaultPrevented || storage.get("keys") === "off") return;
    if (e.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]") || $("dialog:modal, [popover]:popover-open")) return;
    const target =
      e.key === "/" ? $("[data-search]") :
      e.key === "i" || e.key === "I" ? $("[data-open=invite]") :
      e.key === "?" ? $("[data-open=keys]") : null;
    if (!target) return;
    e.preventDefault();
    if (e.key === "/") { target.focus(); target.select?.(); }
    else target.click();
  });

  // ------------------------------------------------------------------------------------------ 7 Small controls

  // A row's details, in the row below it. Without the script they are all shown (muster.css).
  on("click", "[data-unfold]", (_, button) => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    button.closest("tr").classList.toggle("open", open);
  });

  // Firefox restores what was ticked before a reload. What is sent as soon as it is ticked shows what the server has.
  for (const box of $$("input[type=checkbox][hx-patch]")) if (box.checked !== box.defaultChecked) box.checked = box.defaultChecked;

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
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "sr" });
    near.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    near.focus();
    return done;
  }
  on("click", "[data-print]", () => window.print());
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

  // A find field above a list of labels hides those that do not hold its words. What is ticked stays in sight.
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
  function filter(list, words) {
    let shown = 0;
    for (const option of $$("label", list)) {
      option.hidden = !plain(option.textContent).includes(plain(words));
      shown += !option.hidden;
    }
    let none = $(".nothing", list);
    if (!none) list.append(none = Object.assign(document.createElement("p"), { className: "nothing" }));
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

  // ------------------------------------------------------------------------------------------ 8 Invite Users

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
    invite.addEventListener("close", () => upload?.abort());
    // An invitation that went out reloads the page: without the dialog.
    document.addEventListener("htmx:after:request", (e) => {
      if (invite.open && invite.contains(e.target) && e.detail.ctx.hx?.refresh) { invite.close(); rememberTab(); }
    });
  }
  // Left open by the server, for ?invite=… or to show what was wrong with a plain POST: opened anew as modal ones.
  for (const dialog of $$("dialog[open]:not(:modal)")) {
    dialog.removeAttribute("open");
    openDialog(dialog);
    focusProblem(dialog);
  }
  function focusProblem(root) {
    $$(":is([role=alert], [aria-invalid=true])", root).find((problem) => !problem.closest("[hidden]"))?.focus();
  }

  // The upload: XMLHttpRequest, because fetch (and so htmx) tells nothing about progress. It starts as soon as a file is chosen
  // or dropped; a drop needs no code, for the file input lies over the whole zone.
  let upload = null;
  const size = (bytes) => bytes < 1e3 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

  function nameFile(panel, file) {
    for (const part of $$("[data-file-name]", panel)) part.textContent = file.name;
    for (const part of $$("[data-file-size]", panel)) part.textContent = size(file.size);
  }
  // Says in the dialog why nothing was uploaded. The file stays chosen; again: offer to send the same file once more.
  function refuse(panel, title, text, again) {
    const banner = $("#upload-refused").content.firstElementChild.cloneNode(true);
    banner.id = "upload-error";
    $("b", banner).textContent = title;
    $("p", banner).textContent = text;
    const button = $("button", banner);
    if (again) button.addEventListener("click", () => send(panel));
    else button.remove();
    for (const old of $$("[role=alert]", panel)) old.remove();
    $(".body", panel).prepend(banner);
    $("[type=file]", panel).setAttribute("aria-describedby", "limits upload-error");
    state(panel, null);
    banner.focus();
  }
  function state(panel, name) {
    const zone = $(".dropzone", panel);
    if (name) zone.dataset.state = name;
    else delete zone.dataset.state;
    zone.toggleAttribute("aria-busy", name === "busy");
    if (name === "busy") zone.setAttribute("aria-busy", "true");
    $("[type=file]", panel).disabled = name === "busy";
  }

  function send(panel, button) {
    const input = $("[type=file]", panel), file = input.files[0];
    if (!file || upload) return;
    nameFile(panel, file);
    const most = Number(panel.dataset.maxMb);
    if (file.size > most * 1024 * 1024) // the server would cut the connection in the middle and could not say why
      return refuse(panel, `This file is ${Math.ceil(file.size / 1024 / 1024)} MB. The limit is ${most} MB.`, "Remove columns that Muster does not need. Nothing was sent.");
    const body = new FormData(panel, button); // before the input is disabled: what is disabled is not sent
    for (const old of $$("[role=alert]", panel)) old.remove();
    state(panel, "busy");
    const progress = $("progress", panel), status = $("[data-upload-status]", panel);
    progress.value = 0;
    status.textContent = `Uploading ${size(file.size)}`;
    const request = upload = new XMLHttpRequest();
    request.open("POST", panel.action);
    request.setRequestHeader("HX-Request", "true");
    request.setRequestHeader("X-CSRFToken", body.get("csrf_token"));
    request.upload.onprogress = (e) => { if (e.lengthComputable) progress.value = (100 * e.loaded) / e.total; };
    request.upload.onload = () => { progress.removeAttribute("value"); status.textContent = "Checking the rows"; };
    request.onload = () => { upload = null; answered(panel, request); };
    request.onerror = () => {
      upload = null;
      refuse(panel, "The file did not reach the server.", "Check your connection. The file is still chosen, and nothing was sent.", true);
    };
    request.onabort = () => { upload = null; input.value = ""; state(panel, null); };
    request.send(body);
  }

  function answered(panel, request) {
    if (!request.getResponseHeader("Muster-Answer") && request.status !== 413)
      return refuse(panel, foreign(request.status), "Nothing was sent. The file is still chosen.", true);
    const to = request.getResponseHeader("HX-Redirect");
    if (to) return location.assign(to);
    const answer = new DOMParser().parseFromString(request.responseText, "text/html");
    const fresh = request.status < 500 && answer.getElementById(panel.id);
    if (!fresh) {
      const said = $(".toast > span", answer)?.textContent.trim();
      if (said) return refuse(panel, said, "Nothing was sent.");
      if (request.status === 413) return refuse(panel, "The server takes no file of this size.", "Remove columns that Muster does not need. Nothing was sent.");
      if (request.status < 500) return refuse(panel, `The server refused the file (${request.status}).`, "Load the page again, then repeat the upload. Nothing was sent.");
      return refuse(panel, "Something went wrong on our side.", "Nothing was sent. Try again in a minute.", true);
    }
    // Our own markup of the same origin. The new input takes over the file, so that it stays named and chosen.
    const files = $("[type=file]", panel).files;
    document.adoptNode(fresh);
    panel.replaceWith(fresh);
    $("[type=file]", fresh).files = files;
    if (files[0]) nameFile(fresh, files[0]);
    focusProblem(fresh);
  }

  on("change", "[data-upload] [type=file]", (_, input) => send(input.form));
  on("submit", "[data-upload]", (e, panel) => { e.preventDefault(); send(panel, e.submitter); });
  // Choosing the same file again after it was mended must count as a change.
  on("click", "[data-upload] [type=file]", (_, input) => { input.value = ""; });
  for (const [event, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]])
    on(event, ".dropzone", (e, zone) => {
      if (zone.dataset.state === "busy") return;
      if (over && e.dataTransfer?.types.includes("Files")) { zone.dataset.before ??= zone.dataset.state ?? ""; zone.dataset.state = "over"; }
      else if (!over && zone.dataset.state === "over") {
        if (zone.dataset.before) zone.dataset.state = zone.dataset.before;
        else delete zone.dataset.state;
        delete zone.dataset.before;
      }
    });
  // A browser takes no two files, and says nothing.
  on("drop", ".dropzone", (e, zone) => {
    if (zone.dataset.state === "busy" || !(e.dataTransfer?.files.length > 1)) return;
    e.preventDefault();
    refuse(zone.closest("[data-upload]"), `These are ${e.dataTransfer.files.length} files. One at a time.`, "Nothing was sent. Drop one of them, then the next once it is under review.");
  });
  // A file dropped beside the zone must not replace the page.
  for (const event of ["dragover", "drop"])
    document.addEventListener(event, (e) => { if (!e.target.closest?.("[type=file]") && e.dataTransfer?.types.includes("Files")) e.preventDefault(); });

  // ------------------------------------------------------------------------------------------ 9 Group picker

  // One popover for all cells. <td><button data-picker>…</button><input type="hidden" name="value" value="A, B"></td>
  // Done, Enter and a click elsewhere take over what is ticked, Esc does not. The hidden input then holds the names and fires "picked",
  // on which htmx sends it.
  const picker = $("#group-picker");
  if (picker) {
    const list = $("[data-list], [role=group]", picker), find = $("[type=search]", picker);
    let button = null, value = null, cancelled = false;
    const names = () => value.value.split(",").map((name) => name.trim()).filter(Boolean);
    const boxes = () => $$("input[type=checkbox]", list);
    const visible = () => boxes().filter((box) => !box.closest("label").hidden);

    function open(cell) {
      button = cell;
      value = $("input[name=value]", cell.parentElement);
      cancelled = false;
      for (const guest of $$("label[data-unknown]", list)) guest.remove();
      const wanted = new Map(names().map((name) => [plain(name), name]));
      for (const box of boxes()) { box.checked = wanted.has(plain(box.value)); wanted.delete(plain(box.value)); }
      for (const name of [...wanted.values()].reverse()) list.prepend(unknown(name));
      find.value = "";
      filter(list, "");
      $(".title", picker).textContent = cell.getAttribute("aria-label") || "Groups";
      cell.setAttribute("aria-expanded", "true"); // muster.css anchors the popover to the cell that says so
      picker.showPopover();
      list.scrollTop = 0;
      (matchMedia("(pointer: coarse)").matches ? boxes()[0] : find)?.focus({ preventScroll: true }); // a find field would bring up the keyboard
    }
    function unknown(name) {
      const row = document.createElement("label");
      row.dataset.unknown = "";
      row.append(Object.assign(document.createElement("input"), { type: "checkbox", value: name, checked: true }),
        Object.assign(document.createElement("span"), { textContent: name }),
        Object.assign(document.createElement("small"), { textContent: "not a group" }));
      return row;
    }
    function apply() {
      const before = names(), ticked = boxes().filter((box) => box.checked).map((box) => box.value);
      const keys = new Set(ticked.map(plain));
      // In the order of the cell, then what is new in the order of the list.
      const kept = before.filter((name) => keys.has(plain(name))).map((name) => ticked.find((t) => plain(t) === plain(name)));
      const after = [...new Set([...kept, ...ticked])];
      if (after.length === before.length && before.every((name) => keys.has(plain(name)))) return;
      value.value = after.join(", ");
      value.dispatchEvent(new CustomEvent("picked", { bubbles: true }));
    }

    on("click", "[data-picker]", (e, cell) => { e.preventDefault(); if (!picker.matches(":popover-open")) open(cell); });
    on("keydown", "[data-picker]", (e, cell) => { if (e.key === "F2") { e.preventDefault(); open(cell); } });
    picker.addEventListener("click", (e) => { if (e.target.closest("[data-apply]")) picker.hidePopover(); });
    find.addEventListener("input", () => filter(list, find.value));
    picker.addEventListener("keydown", (e) => {
      if (e.key === "Escape") cancelled = !(e.target === find && find.value); // with words in it, it clears the field; else the popover closes
      else if (e.key === "Enter" && !e.target.closest("[data-apply]")) {
        e.preventDefault();
        const found = find.value && e.target === find ? visible() : null; // what was looked for is what is meant
        if (found?.length === 1 && !found[0].checked) found[0].click();
        if (found?.length !== 0) picker.hidePopover();
      }
      else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        e.preventDefault();
        const stops = [find, ...visible()];
        stops[Math.min(Math.max(stops.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1), 0), stops.length - 1)].focus();
      }
    });
    // "beforetoggle" and not "toggle": it comes at once, so the next cell may open its own picker right after.
    picker.addEventListener("beforetoggle", (e) => {
      if (e.newState !== "closed" || !button) return;
      const cell = button, inside = picker.contains(document.activeElement);
      button = null;
      cell.setAttribute("aria-expanded", "false");
      if (!cancelled) apply();
      if (inside) queueMicrotask(() => (cell.isConnected ? cell : cell.id && document.getElementById(cell.id))?.focus({ preventScroll: true }));
    });
  }
})();
