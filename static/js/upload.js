// Uploads of a file, with their progress.
import { $, $$, on, plural } from "./dom.js";
import { focusProblem } from "./dialogs.js";
import { foreign } from "./requests.js";
import { toast } from "./toasts.js";

// The upload: XMLHttpRequest, because fetch (and so htmx) tells nothing about progress. It starts as soon as a file is chosen
// or dropped; a drop needs no code, for the file input lies over the whole zone.
let upload = null, several = null;
export function abortUpload() {
  upload?.abort();
  several?.abort();
}
const size = (bytes) => bytes < 1e3 ? `${bytes} bytes` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

function nameFile(panel, file) {
  for (const part of $$("[data-file-name]", panel)) part.textContent = file.name;
  for (const part of $$("[data-file-size]", panel)) part.textContent = size(file.size);
}
// Says in the dialog why nothing was uploaded. The file stays chosen; again: offer to send the same file once more.
function refuse(panel, title, text, again, label) {
  const banner = $("#upload-refused").content.firstElementChild.cloneNode(true);
  banner.id = "upload-error";
  $("b", banner).textContent = title;
  $("p", banner).textContent = text;
  const button = $("button", banner);
  if (again) button.addEventListener("click", again);
  else button.remove();
  if (label) button.textContent = label;
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
    refuse(panel, "The file did not reach the server.", "Check your connection. The file is still chosen, and nothing was sent.", () => send(panel));
  };
  request.onabort = () => { upload = null; input.value = ""; state(panel, null); };
  request.send(body);
}

function answered(panel, request) {
  if (!request.getResponseHeader("Muster-Answer") && request.status !== 413)
    return refuse(panel, foreign(request.status), "Nothing was sent. The file is still chosen.", () => send(panel));
  const to = request.getResponseHeader("HX-Redirect");
  if (to) return location.assign(to);
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  const fresh = request.status < 500 && answer.getElementById(panel.id);
  if (!fresh) {
    const said = $(".toast > span", answer)?.textContent.trim();
    if (said) return refuse(panel, said, "Nothing was sent.");
    if (request.status === 413) return refuse(panel, "The server takes no file of this size.", "Remove columns that Muster does not need. Nothing was sent.");
    if (request.status < 500) return refuse(panel, `The server refused the file (${request.status}).`, "Load the page again, then repeat the upload. Nothing was sent.");
    return refuse(panel, "Something went wrong on our side.", "Nothing was sent. Try again in a minute.", () => send(panel));
  }
  // Our own markup of the same origin. The new input takes over the file, so that it stays named and chosen.
  const files = $("[type=file]", panel).files;
  document.adoptNode(fresh);
  panel.replaceWith(fresh);
  $("[type=file]", fresh).files = files;
  if (files[0]) nameFile(fresh, files[0]);
  focusProblem(fresh);
}

// Several files become as many uploads, one after another; what was refused is told at the end.
export async function take(panel, files) {
  const input = $("[type=file]", panel);
  if (upload || input.disabled) return;
  if (files.length === 1) {
    const holder = new DataTransfer();
    holder.items.add(files[0]);
    input.files = holder.files;
    return send(panel);
  }
  const refused = [], { signal } = several = new AbortController();
  for (const [n, file] of files.entries()) {
    nameFile(panel, file);
    state(panel, "busy");
    $("[data-upload-status]", panel).textContent = `Checking file ${n + 1} of ${files.length}`;
    $("progress", panel).value = (100 * n) / files.length;
    const why = await stage(panel, file, signal);
    if (signal.aborted) return stopped(panel, n - refused.length, files.length);
    if (why) refused.push(`${file.name}: ${why}`);
  }
  if (!refused.length) return location.assign(panel.dataset.list);
  const rest = files.length - refused.length, all = () => location.assign(panel.dataset.list);
  refuse(panel, refused.join(" "), rest ? `Nothing was sent. ${plural(rest, "other file")} can be reviewed under Uploads.` : "Nothing was sent.", rest && all, "See uploads");
}
// The dialog was closed: no file more, and nobody is taken from what they do now.
function stopped(panel, taken, all) {
  state(panel, null);
  if (taken) toast(`${taken} of ${all} files can be reviewed under Uploads. The rest was not uploaded.`, "info");
}
/** -> why the server does not take this file; "" where it does. */
async function stage(panel, file, signal) {
  if (file.size > Number(panel.dataset.maxMb) * 1024 * 1024) return `It is larger than ${panel.dataset.maxMb} MB.`;
  const body = new FormData(panel);
  body.set("file", file);
  try {
    const answer = await fetch(panel.action, { method: "POST", body, signal, headers: { "HX-Request": "true", "X-CSRFToken": body.get("csrf_token") } });
    if (answer.headers.get("HX-Redirect")) return "";
    if (!answer.headers.get("Muster-Answer")) return foreign(answer.status);
    const said = new DOMParser().parseFromString(await answer.text(), "text/html");
    return $("#upload-error b, .toast > span", said)?.textContent.trim() ?? `The server refused it (${answer.status}).`;
  } catch {
    return "It did not reach the server.";
  }
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
  const panel = zone.closest("[data-upload]");
  if (panel.dataset.list) take(panel, [...e.dataTransfer.files]);
  else refuse(panel, `These are ${e.dataTransfer.files.length} files. One at a time.`, "Nothing was sent. Drop one of them, then the next once it is under review.");
});
// A file dropped beside the zone must not replace the page.
for (const event of ["dragover", "drop"])
  document.addEventListener(event, (e) => { if (!e.target.closest?.("[type=file]") && e.dataTransfer?.types.includes("Files")) e.preventDefault(); });
