// Dialogs that the server left open.
import { $$ } from "./dom.js";
import { focusProblem, openDialog } from "./dialogs.js";

// Left open by the server, for ?invite=… or to show what was wrong with a plain POST: opened again as modal ones.
for (const dialog of $$("dialog[open]:not(:modal)")) {
  dialog.removeAttribute("open");
  openDialog(dialog);
  focusProblem(dialog);
}
