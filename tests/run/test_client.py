"""`muster invite` and the other commands that call the API: real processes against a running Muster."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.portal import OWNER, PASSWORD, Browser
from tests.run.conftest import TOP, Muster, wait_until

pytestmark = pytest.mark.slow

HEADER = "Email,Role,Name,Groups\n"
GOOD = HEADER + "ana@northfield.example,Analyst,Ana,Library\nben@northfield.example,Remote,=Ben,\n"


@pytest.fixture(scope="module")
def muster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Muster]:
    owner = {"MUSTER_OWNER_EMAIL": OWNER, "MUSTER_OWNER_PASSWORD": PASSWORD, "MUSTER_GROUPS": "Library, Office PCs"}
    running = Muster(tmp_path_factory.mktemp("client") / "data", **owner).migrated()
    try:
        yield running.started()
    finally:
        running.stop()


@pytest.fixture(scope="module")
def token_file(muster: Muster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    browser = Browser(muster.port).sign_in()
    browser.get("/account/tokens")
    chosen = {"name": "nightly", "days": "365", "may_make_admins": "y", "current": PASSWORD}
    permissions = ["users:see", "batches:see", "invitations:make", "users:manage"]
    status, _, page = browser.post("/account/tokens", **chosen, permissions=permissions)
    assert status == 201, status
    found = re.search(r'id="token-text"[^>]*>(muster_[^<]+)<', page)
    assert found
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(found[1] + "\n")
    return file


class Terminal:
    """Runs the command. `muster("invite", …)`: what it answered."""

    def __init__(self, muster: Muster, token_file: Path, folder: Path) -> None:
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        self.environ |= {"MUSTER_URL": muster.url, "MUSTER_TOKEN_FILE": str(token_file)}
        self.folder = folder

    def file(self, text: str, name: str = "people.csv") -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def __call__(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "webapp", *arguments]
        environ = self.environ | more.pop("environ", {})
        return subprocess.run(argv, cwd=TOP, env=environ, capture_output=True, text=True, timeout=120, **more)

    def batches(self) -> list[Any]:
        return [json.loads(line) for line in self("batches", "--json").stdout.splitlines()]


@pytest.fixture
def terminal(muster: Muster, token_file: Path, tmp_path: Path) -> Terminal:
    return Terminal(muster, token_file, tmp_path)


def test_a_file_is_shown_sent_and_reported(terminal: Terminal) -> None:
    file = terminal.file(GOOD)
    shown = terminal("invite", file, "--dry-run", "--detailed-exitcode")
    assert (shown.returncode, shown.stdout) == (5, "")
    assert re.search(r"2 +ana@northfield.example +Analyst +Library +new invitation", shown.stderr)
    assert "people.csv: 2 rows. 2 new invitation." in shown.stderr
    assert terminal.batches()[0]["state"] == "discarded"
    sent = terminal("invite", file, "--yes", "--json")
    assert sent.returncode == 0, sent.stderr
    batch = json.loads(sent.stdout)
    assert (batch["state"], batch["outcomes"]) == ("finished", {"invited": 2})
    again = terminal("invite", file, "--yes")
    assert (again.returncode, "Nothing to do." in again.stderr) == (0, True)
    rows = list(csv.DictReader(terminal("report", str(batch["id"]), "--csv").stdout.lstrip("\ufeff").splitlines()))
    assert [(row["Email"], row["Name"], row["Outcome"]) for row in rows] == [
        ("ana@northfield.example", "Ana", "invited"),
        ("ben@northfield.example", "'=Ben", "invited"),
    ]
    assert json.loads(terminal("batch", str(batch["id"]), "--follow").stdout)["state"] == "finished"


WRONG = HEADER + "cleo@northfield.example,Analsyt,,\ndan@northfield,Remote,,\n"


@pytest.mark.parametrize(
    ("arguments", "text", "code", "said"),
    [
        ((), GOOD, 2, "Nobody can be asked here: add --yes, or --dry-run."),
        (("--yes", "--missing", "deactivate"), GOOD, 2, "--missing and --of GROUP go together."),
        (("--yes", "--missing", "deactivate", "--of", "Library", "--at-most", "many"), GOOD, 2, "--at-most takes a share"),
        (("--yes",), WRONG, 4, "Not a role. Did you mean Analyst?"),
        (("--yes",), "", 1, "This file is empty."),
        (("--yes",), "a,b\nc,d\n", 1, "The columns are not recognised."),
        (("--dry-run", "--tidy"), HEADER + "eve@northfield.example,Analsyt,,\n", 0, "Tidied up: 1 fix in 1 row."),
        (
            ("--yes", "--skip-errors"),
            WRONG.replace("dan@northfield,", "dan@northfield.example,"),
            3,
            "Done: 1 invited, 1 skipped.",
        ),
    ],
)
def test_exit_codes(terminal: Terminal, arguments: tuple[str, ...], text: str, code: int, said: str) -> None:
    done = terminal("invite", terminal.file(text), *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert [batch for batch in terminal.batches() if batch["state"] in ("reviewing", "queued", "mapping")] == []


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        ({"MUSTER_URL": "http://127.0.0.1:1"}, 7, "does not answer"),
        ({"MUSTER_URL": "muster.example.org"}, 2, "is not the address of a Muster"),
        ({"MUSTER_URL": ""}, 2, "Say where Muster is"),
        ({"MUSTER_TOKEN_FILE": "/nowhere"}, 2, "/nowhere cannot be read"),
        ({"MUSTER_TOKEN_FILE": "", "MUSTER_TOKEN": "muster_wrong"}, 1, "This token is wrong, expired or revoked."),
    ],
)
def test_who_cannot_call(terminal: Terminal, environ: dict[str, str], code: int, said: str) -> None:
    done = terminal("batches", environ=environ)
    assert (done.returncode, said in done.stderr, done.stdout) == (code, True, ""), done.stderr


def test_what_needs_attention_can_be_kept_for_the_browser(terminal: Terminal) -> None:
    kept = terminal("invite", terminal.file(WRONG), "--yes", "--keep")
    assert (kept.returncode, "It is under review: http://127.0.0.1:" in kept.stderr) == (4, True)
    assert terminal.batches()[0]["state"] == "reviewing"


def test_who_is_missing_loses_access_below_the_ceiling(terminal: Terminal) -> None:
    both = HEADER + "finn@northfield.example,Remote,,Office PCs\ngina@northfield.example,Remote,,Office PCs\n"
    assert terminal("invite", terminal.file(both), "--yes").returncode == 0
    one = terminal.file(HEADER + "finn@northfield.example,Remote,,Office PCs\n")
    options = ("invite", one, "--yes", "--missing", "deactivate", "--of", "office pcs")
    refused = terminal(*options)
    assert refused.returncode == 1
    assert "1 of 2 people are not in the file; --at-most allows 0. Nothing was sent." in refused.stderr
    unknown = terminal(*options[:-1], "Cellar", "--at-most", "50%")
    assert (unknown.returncode, "There is no group “Cellar”." in unknown.stderr) == (1, True)
    done = terminal(*options, "--at-most", "50%")
    assert done.returncode == 0, done.stderr
    again = terminal(*options, "--at-most", "0")
    assert (again.returncode, "Nothing to do." in again.stderr) == (0, True), "nobody is missing any more"


def test_the_same_key_again_goes_on_where_it_was(terminal: Terminal) -> None:
    wrong = terminal.file(HEADER + "kim@northfield.example,Remote,,Cellar\n")
    assert terminal("invite", wrong, "--yes", "--key", "night-1").returncode == 4
    late = terminal("invite", wrong, "--yes", "--skip-errors", "--key", "night-1")
    assert late.returncode == 1, "other options are another request"
    assert terminal("invite", wrong, "--yes", "--key", "night-1").returncode == 4, "what was discarded is staged again"
    file = terminal.file(HEADER + "".join(f"lea{n}@northfield.example,Remote,,\n" for n in range(100)))
    first = terminal("invite", file, "--yes", "--key", "night-2", "--timeout", "0.001")
    assert (first.returncode, "Not finished after 0.001 seconds. It goes on: " in first.stderr) == (6, True), first.stderr
    number = len(terminal.batches())
    again = terminal("invite", file, "--yes", "--key", "night-2")
    assert (again.returncode, "This was sent before: " in again.stderr) == (0, True)
    assert "Done: 100 invited." in again.stderr
    assert len(terminal.batches()) == number


def test_standard_input_lists_and_this_machine(terminal: Terminal, muster: Muster) -> None:
    done = terminal("invite", "-", "--yes", "--no-wait", input=HEADER + "hugo@northfield.example,Remote,,\n")
    assert (done.returncode, "On its way: " in done.stderr) == (0, True)
    assert OWNER in terminal("people", "--csv").stdout
    assert "Library" in terminal("groups").stdout
    assert "nightly" in terminal("tokens").stdout
    here = {"MUSTER_DATA_DIR": str(muster.data_dir), "MUSTER_PORT": str(muster.port), "MUSTER_URL": "", "MUSTER_TOKEN_FILE": ""}
    local = terminal("batches", "--json", "--local", OWNER, environ=here)
    assert json.loads(local.stdout.splitlines()[0])["name"] == "stdin.csv"
    stranger = terminal("batches", "--local", "nobody@northfield.example", environ=here)
    assert (stranger.returncode, "No active user" in stranger.stderr) == (1, True)
    assert "muster --local" not in terminal("tokens").stdout, "its token ended with it"


def read_terminal(master: int, until: str) -> str:
    said = ""
    while until not in said:
        try:
            piece = os.read(master, 4096).decode()
        except OSError:
            break
        if not piece:
            break
        said += piece
    return said


def test_on_a_terminal_it_asks_and_shows_progress(terminal: Terminal) -> None:
    file = terminal.file(HEADER + "ida@northfield.example,Remote,,\n")
    for answer, code, end in (("n\n", 1, "Nothing was sent."), ("y\n", 0, "Done: 1 invited.")):
        master, slave = pty.openpty()
        argv = [sys.executable, "-m", "webapp", "invite", file]
        process = subprocess.Popen(argv, cwd=TOP, env=terminal.environ, stdin=slave, stdout=slave, stderr=slave, close_fds=True)
        os.close(slave)
        said = read_terminal(master, "Do this for 1 person?")
        os.write(master, answer.encode())
        said += read_terminal(master, end)
        assert end in said, said
        assert process.wait(30) == code
        os.close(master)


def test_killed_before_it_confirms_nothing_is_queued(terminal: Terminal) -> None:
    """Ctrl-C discards the review; after kill -9 it stays a review."""
    file = terminal.file(HEADER + "jon@northfield.example,Remote,,\n")
    for number, state, code in ((signal.SIGINT, "discarded", 130), (signal.SIGKILL, "reviewing", -9)):
        master, slave = pty.openpty()
        argv = [sys.executable, "-m", "webapp", "invite", file]
        process = subprocess.Popen(argv, cwd=TOP, env=terminal.environ, stdin=slave, stdout=slave, stderr=slave, close_fds=True)
        os.close(slave)
        read_terminal(master, "Do this for 1 person?")
        process.send_signal(number)
        assert process.wait(30) == code
        os.close(master)
        wait_until(lambda state=state: terminal.batches()[0]["state"] == state, state, 10)
