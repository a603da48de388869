// Every page.
import "./theme.js";
import "./toasts.js";
import "./confirm.js";
import "./requests.js";
import "./keys.js";
import "./controls.js";
import "./choices.js";
import "./invite.js";
import "./group-picker.js";
import "./reopen.js";
import "./joined.js";
