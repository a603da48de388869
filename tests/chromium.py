"""A Chromium for the browser tests.

`python -m tests.chromium` prints the path of one, and installs one first where there is none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def find() -> str | None:
    """CHROMIUM_PATH; without that, one of the system or Playwright's own. None where there is none."""
    if named := os.environ.get("CHROMIUM_PATH"):
        return named if _runs(named) else None
    for candidate in (*map(shutil.which, NAMES), ON_MACOS, _of_playwright()):
        if candidate and _runs(candidate):
            return candidate
    return None


def install() -> None:
    """As root on Debian the distribution's package; where that fails, and elsewhere, Playwright's own."""
    root = os.geteuid() == 0
    if root and shutil.which("apt-get"):
        _say("Installing Chromium with apt-get ...")
        apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _do([*apt, "update"], environ)
        _do([*apt, "install", "-y", "--no-install-recommends", "chromium"], environ)
        if find():
            return
    _say("Installing Chromium with Playwright ...")
    with_system = ["--with-deps"] if root and sys.platform == "linux" else []
    _do([sys.executable, "-m", "playwright", "install", *with_system, "chromium"], dict(os.environ))


def main() -> int:
    """Prints the path; 1 when there is none and none could be installed."""
    if "CHROMIUM_PATH" in os.environ and not find():
        _say("CHROMIUM_PATH names no Chromium that runs. Correct it, or unset it to have one found.")
        return 1
    if not find():
        install()
    if path := find():
        print(path)
        return 0
    _say("Chromium could not be installed. Install it yourself, or set CHROMIUM_PATH to one, and try again.")
    return 1


def _runs(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _do(command: list[str], environ: dict[str, str]) -> None:
    subprocess.run(command, env=environ, stdout=sys.stderr, check=False)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
