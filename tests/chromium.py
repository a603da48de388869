"""A Chromium for the browser tests, and what Playwright needs to drive it.

`python -m tests.chromium` prints the path of one. As root on Debian it installs what is missing; elsewhere it tries
Playwright's own download. Where both fail it exits with 1 and says in one sentence what to do; with `--why` it says only that.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SHELL = "chromium-headless-shell"
"""Chromium without its windows, as Debian packages it: a page costs half of what the whole browser takes for it."""
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
LIBRARIES = ("libatomic1",)
"""Debian packages that Playwright's driver loads, and that a small system lacks."""


def find() -> str | None:
    """CHROMIUM_PATH; without that, one of the system or Playwright's own. None where there is none."""
    for path in _candidates():
        if _runs(path):
            return path
    return None


def _candidates() -> Iterator[str]:
    """One after the other: Playwright is started only where the system has none."""
    if named := os.environ.get("CHROMIUM_PATH"):
        yield named
        return
    for name in NAMES:
        if path := shutil.which(name):
            yield path
    yield ON_MACOS
    if path := _of_playwright():
        yield path


def install() -> None:
    """As root on Debian the distribution's packages; where that does not do, and elsewhere, Playwright's own Chromium."""
    root = os.geteuid() == 0
    if root and shutil.which("apt-get"):
        _apt_get("update")
        if _why_no_driver():
            _apt_get("install", "-y", "--no-install-recommends", *LIBRARIES)
        install_shell()
        if not find():
            _apt_get("install", "-y", "--no-install-recommends", "chromium")
    if find() or _why_no_driver() or "CHROMIUM_PATH" in os.environ:
        return
    _say("Installing Chromium with Playwright ...")
    with_system = ["--with-deps"] if root and sys.platform == "linux" else []
    _run([sys.executable, "-m", "playwright", "install", *with_system, "chromium"], dict(os.environ))


def install_shell() -> None:
    """As root on Debian, where it has this package: the browser that costs least."""
    if os.geteuid() or "CHROMIUM_PATH" in os.environ or shutil.which(SHELL) or not shutil.which("apt-cache"):
        return
    known = subprocess.run(["apt-cache", "show", "--quiet", SHELL], capture_output=True)
    if known.returncode == 0:
        _apt_get("install", "-y", "--no-install-recommends", SHELL)


def why_not() -> str:
    """One sentence that says what to do before the browser tests can run; "" where they can."""
    if shutil.which("apt-get"):
        todo = f"as root, “apt-get install chromium {' '.join(LIBRARIES)}”, then run it again."
    else:
        todo = "install Chromium or Google Chrome, or set CHROMIUM_PATH to one, then run it again."
    if problem := _why_no_driver():
        return f"Playwright, which drives the browser, does not start ({problem}): {todo}"
    if find():
        return ""
    if "CHROMIUM_PATH" in os.environ:
        return "CHROMIUM_PATH names no Chromium that runs: correct it, or unset it to have one found."
    return f"There is no Chromium that runs: {todo}"


def main(arguments: list[str]) -> int:
    """Prints the path; 1 when there is none and none could be installed."""
    if arguments == ["--why"]:
        _say(f"The tests in a browser were not run. {why_not()}")
        return 1
    if why_not():
        install()
    else:
        install_shell()
    if reason := why_not():
        _say(reason)
        return 1
    print(find())
    return 0


def _runs(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _why_no_driver() -> str:
    """What Playwright's driver says where it does not start; "" where it does."""
    try:
        command = [sys.executable, "-m", "playwright", "--version"]
        started = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if started.returncode == 0:
        return ""
    lines = started.stderr.strip().splitlines() or [f"code {started.returncode}"]
    return lines[-1]


def _of_playwright() -> str | None:
    from playwright.sync_api import Error, sync_playwright

    if _why_no_driver():
        return None
    try:
        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except Error:
        return None
    return path if Path(path).exists() else None


def _apt_get(*arguments: str) -> None:
    _say(f"apt-get {' '.join(arguments)} ...")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", *arguments], environ)


def _run(command: list[str], environ: dict[str, str]) -> None:
    subprocess.run(command, env=environ, stdout=sys.stderr, check=False)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
