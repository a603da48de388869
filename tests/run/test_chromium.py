"""What `make test` says and does where there is no browser, or where Playwright's driver does not start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
MISSING = "node: error while loading shared libraries: libatomic.so.1: cannot open shared object file"


def program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def ask(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """On a machine whose only programs are those in this folder: no apt-get, so that nothing is installed."""
    environ = {"PATH": str(folder), "PLAYWRIGHT_NODEJS_PATH": str(program(folder / "well", "exit 0"))} | environ
    inherited = {name: value for name, value in os.environ.items() if name != "CHROMIUM_PATH"}
    command = [sys.executable, "-m", "tests.chromium", *arguments]
    return subprocess.run(command, cwd=TOP, env=inherited | environ, capture_output=True, text=True, timeout=120)


def test_a_browser_of_the_system_is_taken(tmp_path: Path) -> None:
    chromium = program(tmp_path / "chromium", "echo Chromium 156")
    found = ask(tmp_path)
    assert (found.returncode, found.stdout) == (0, f"{chromium}\n")


def test_the_one_that_costs_least_is_taken_first(tmp_path: Path) -> None:
    program(tmp_path / "chromium", "echo Chromium 156")
    shell = program(tmp_path / "chromium-headless-shell", "echo Chromium 156")
    assert ask(tmp_path).stdout == f"{shell}\n"


def test_one_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "chromium", "exit 127")
    chrome = program(tmp_path / "google-chrome", "echo Chrome 156")
    assert ask(tmp_path).stdout == f"{chrome}\n"


def test_where_a_library_of_playwright_is_missing_one_sentence_says_so(tmp_path: Path) -> None:
    program(tmp_path / "chromium", "echo Chromium 156")
    node = program(tmp_path / "node", f"echo '{MISSING}' >&2", "exit 127")
    refused = ask(tmp_path, PLAYWRIGHT_NODEJS_PATH=str(node))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"Playwright, which drives the browser, does not start ({MISSING}): ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("said", [[], ["--why"]])
def test_a_browser_that_was_named_and_does_not_run_is_said(tmp_path: Path, said: list[str]) -> None:
    refused = ask(tmp_path, *said, CHROMIUM_PATH="/no/such/chromium")
    assert refused.returncode == 1
    assert refused.stderr.endswith("CHROMIUM_PATH names no Chromium that runs: correct it, or unset it to have one found.\n")


def test_on_debian_it_says_what_to_install(tmp_path: Path) -> None:
    program(tmp_path / "apt-get", "exit 100")
    node = program(tmp_path / "node", f"echo '{MISSING}' >&2", "exit 127")
    refused = ask(tmp_path, PLAYWRIGHT_NODEJS_PATH=str(node))
    assert refused.returncode == 1
    assert refused.stderr.endswith(": as root, “apt-get install chromium libatomic1”, then run it again.\n")
