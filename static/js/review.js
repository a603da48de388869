// The review of an upload.
import "./answers.js";
import "./grid/save.js";
import "./grid/focus.js";
import "./grid/keys.js";
import "./grid/clipboard.js";
import "./grid/swaps.js";
import "./selection.js";
import "./tidy-up.js";
