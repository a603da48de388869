"""The log of real processes: every line of it JSON, and a request found again in the worker."""

import http.client
import json
import os
import pty
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from email.parser import BytesParser
from email.policy import default

import pytest
from webapp.run import processes
from webapp.version import version

from tests.run.conftest import TOP, Muster, wait_until

pytestmark = pytest.mark.slow

REQUEST = "edge-20261125-0001"
OWNER = {"MUSTER_OWNER_EMAIL": "maren@northfield.example", "MUSTER_OWNER_PASSWORD": "correct horse battery"}


def ask_for_a_reset(muster: Muster) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", muster.port, timeout=60)
    connection.request("GET", "/password-resets/new")
    page = connection.getresponse()
    cookie, html = (page.getheader("Set-Cookie") or "").partition(";")[0], page.read().decode()
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', html)
    assert found
    headers = {"Cookie": cookie, "X-CSRFToken": found[1], "X-Request-ID": REQUEST}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("POST", "/password-resets/new", "email=maren%40northfield.example", headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("X-Request-ID")) == (200, REQUEST)
    answer.read()


def test_every_line_is_json_and_a_job_names_the_request_that_it_is_for(muster: Muster) -> None:
    muster.environ |= {"MUSTER_LOG_FORMAT": "json", "MUSTER_TRUSTED_PROXIES": "1", **OWNER}
    muster.migrated().started()
    wait_until(lambda: muster.health().get("status") == "ok", "all is well")
    ask_for_a_reset(muster)
    done = re.compile(rf'"job": "outbox-\w+", "request": "{REQUEST}"')
    wait_until(lambda: done.search(muster.output()), "the job is done")
    os.kill(muster.one("-m webapp.server"), signal.SIGKILL)
    wait_until(lambda: '"program": "muster"' in muster.output(), "the supervisor says so")
    assert muster.stop() == 0
    for_people = ("---", "Muster is running at", "Made the Owner", "Mail ", "Data ")
    lines = [json.loads(line) for line in muster.output().splitlines() if not line.startswith(for_people)]
    assert {line["program"] for line in lines} == {"web", "worker", "muster"}
    by_supervisor = [line["message"] for line in lines if line["program"] == "muster"]
    assert by_supervisor[0] == f"starting version {version()}"
    assert by_supervisor[-2:] == ["stopping (SIGTERM)", "stopped"]
    (mail,) = (muster.data_dir / "outbox").glob("*.eml")
    message_id = BytesParser(policy=default).parsebytes(mail.read_bytes())["Message-ID"]
    assert [line for line in lines if line["message"].endswith(f"was handed over, Message-ID {message_id}")]
    assert {line["program"] for line in lines if line.get("request") == REQUEST} == {"web", "worker"}
    (reset,) = [line for line in lines if line.get("request") == REQUEST and line["program"] == "web"]
    assert (reset["method"], reset["path"], reset["status"]) == ("POST", "/password-resets/new", 200)


def test_on_a_terminal_a_start_ends_with_one_block_and_is_then_quiet(muster: Muster) -> None:
    muster.environ["MUSTER_MAIL_URL"] = "smtp://somebody:secret@localhost:2525"
    muster.migrated()
    shown, terminal = pty.openpty()
    muster.process = processes.spawn(
        [sys.executable, "-m", "webapp.supervisor"], cwd=TOP, env=muster.environ, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(read_lines(shown)), daemon=True)
    reader.start()
    wait_until(lambda: muster.health().get("status") == "ok", "all is well")
    assert muster.stop(signal.SIGINT) == 0
    reader.join(60)
    link = re.compile(rf"Set up Muster: http://127.0.0.1:{muster.port}/setup/[\w-]+")
    assert link.fullmatch(lines.pop(3))
    folder = muster.data_dir
    assert lines == [
        f"muster: starting version {version()}",
        72 * "-",
        f"Muster is running at http://127.0.0.1:{muster.port}",
        "Mail   localhost:2525",
        f"Data   {folder}",
        f"Log    {folder}/muster.log",
        "Stop   Ctrl+C",
        72 * "-",
        "muster: stopping (SIGINT)",
        "muster: stopped",
    ]
    log = folder / "muster.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "web: GET /healthz 200 in" in log.read_text()
    assert "/setup/" not in log.read_text()


def read_lines(terminal: int) -> Iterator[str]:
    """What a terminal shows until nobody writes to it any more."""
    with suppress(OSError), os.fdopen(terminal, encoding="utf-8") as shown:
        for line in shown:
            yield line.rstrip()
