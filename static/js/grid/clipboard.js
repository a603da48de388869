// Cells copied and pasted, as spreadsheets do.
import { $, plural } from "../dom.js";
import { toast } from "../toasts.js";
import { block, mark } from "./marks.js";
import { cancel, isDirty, put } from "./save.js";
import { state } from "./state.js";
import { body, here, isData, isRemoved, known, say, valueOf } from "./table.js";

const quoted = (value) => (/["\t\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
function tsv(cells) {
  const lines = new Map();
  for (const cell of cells) lines.set(cell.parentElement, [...(lines.get(cell.parentElement) ?? []), quoted(valueOf(cell))]);
  return [...lines.values()].map((line) => line.join("\t")).join("\n");
}
function parsed(text) { // as spreadsheets copy: a cell with a tab, a line break or a quote in it stands in quotes
  const pattern = /(?:"((?:[^"]|"")*)"(?=[\t\n]|$)|([^\t\n]*))(\t|\n|$)/y, lines = [[]];
  const whole = text.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  for (let end = "\t"; end; ) {
    const [, inQuotes, plain, next] = pattern.exec(whole);
    lines.at(-1).push((inQuotes?.replaceAll('""', '"') ?? plain).trim());
    if ((end = next) === "\n") lines.push([]);
  }
  return lines;
}

document.addEventListener("copy", (e) => {
  const stop = here();
  if (!stop || state.editing || (stop.matches("td") && !getSelection().isCollapsed)) return; // text that the mouse selected; what was selected in a field is still its string
  const cells = block(stop);
  e.clipboardData.setData("text/plain", tsv(cells));
  e.preventDefault();
  say(`${plural(cells.length, "cell")} copied.`);
});
document.addEventListener("paste", (e) => {
  const stop = here();
  if (!stop || !e.clipboardData) return;
  const text = e.clipboardData.getData("text/plain"), lines = text.length < 400_000 ? parsed(text) : [];
  const isOne = lines.length === 1 && lines[0].length === 1;
  if (state.editing && (isOne || !state.clicked || isDirty(stop))) return; // the browser's; but a block is no text, and a click is how one chooses where it goes
  e.preventDefault();
  if (!text) return;
  if (!lines.length) return toast("That is more than one paste can hold. Upload it as a file.", "warn");
  const chosen = block(stop), from = chosen[0];
  if (!isData(from)) return toast("Choose a cell of Email, Role or Groups, then paste.", "warn");
  if (isOne && chosen.length > 1) return fill(chosen.filter(isData).map((cell) => [cell, lines[0][0]]), []);
  if (isOne) return put(from, lines[0][0]);
  if (state.editing) cancel(stop);
  const columns = [...from.parentElement.cells].filter((cell) => cell.cellIndex >= from.cellIndex && cell.matches("td") && isData(cell)).map((cell) => cell.cellIndex);
  const targets = body().slice(body().indexOf(from.parentElement)).filter((row) => !isRemoved(row));
  const pairs = targets.flatMap((row, n) => (lines[n] ?? []).slice(0, columns.length).map((value, i) => [row.cells[columns[i]], value]));
  const fields = columns.map((index) => known(from.parentElement.cells[index]).field);
  const rest = lines.slice(targets.length).map((line) => Object.fromEntries(line.slice(0, fields.length).map((value, i) => [fields[i], value])))
    .filter((line) => Object.values(line).some(Boolean));
  const wide = Math.max(...lines.map((line) => line.length)) - columns.length;
  if (wide > 0) toast(`${plural(wide, "column")} did not fit beside this one and ${wide === 1 ? "was" : "were"} left out.`, "warn");
  if (rest.length && fields[0] !== "email") toast(`${plural(rest.length, "line")} found no row and ${rest.length === 1 ? "was" : "were"} left out.`, "warn");
  fill(pairs, fields[0] === "email" ? rest : []);
  mark(from, pairs.at(-1)[0]);
});
export function fill(pairs, lines) {
  const cells = pairs.filter(([cell]) => cell && isData(cell)).map(([cell, value]) => {
    const { field, seen } = known(cell);
    return { row_id: Number(cell.parentElement.id.replace("row-", "")), field, value, seen };
  });
  const form = $("#block");
  form.elements.block.value = JSON.stringify({ cells, lines });
  form.requestSubmit();
}
