"""The log of real processes: every line of it JSON, and a request found again in the worker."""

import http.client
import json
import os
import re
import signal
from email.parser import BytesParser
from email.policy import default

import pytest
from webapp.version import version

from tests.run.conftest import Muster, wait_until

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
    for_people = ("Made the Owner", "Muster is running at")
    lines = [json.loads(line) for line in muster.output().splitlines() if not line.startswith(for_people)]
    assert {line["program"] for line in lines} == {"web", "worker", "muster"}
    by_supervisor = [line["message"] for line in lines if line["program"] == "muster"]
    assert by_supervisor[0] == f"Muster {version()} starts"
    assert by_supervisor[-2:] == ["asked to stop by SIGTERM", "Muster has stopped"]
    (mail,) = (muster.data_dir / "outbox").glob("*.eml")
    message_id = BytesParser(policy=default).parsebytes(mail.read_bytes())["Message-ID"]
    assert [line for line in lines if line["message"].endswith(f"was handed over, Message-ID {message_id}")]
    assert {line["program"] for line in lines if line.get("request") == REQUEST} == {"web", "worker"}
    (reset,) = [line for line in lines if line.get("request") == REQUEST and line["program"] == "web"]
    assert (reset["method"], reset["path"], reset["status"]) == ("POST", "/password-resets/new", 200)
