// Runs before the first paint (not deferred), so that a page never flashes in the wrong colours.
// Without this file or without storage the system's setting decides, by light-dark() in muster.css.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("muster.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch { /* storage is switched off: follow the system */ }
})();
