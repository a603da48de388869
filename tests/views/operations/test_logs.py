"""What is logged of requests: one line each, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from rq import Queue
from webapp import logs
from webapp import queue as bell
from webapp.app import create_app
from webapp.db import db, utcnow
from webapp.models import LinkPurpose
from webapp.services.directory import groups
from webapp.services.links import account_links
from webapp.services.operations import first_run

from tests.client import Client
from tests.factories import PASSWORD, code_of, make_factor, make_invitation, make_persona, token_of
from tests.mail_fixtures import make_message


@pytest.fixture
def logged(capsys, tmp_path, monkeypatch):
    """`logged("json")`: from now on lines go where they go in a real process; `logged.lines()` takes those so far."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def begin(log_format="", program="web", *, terminal=False, debug=False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        logs.set_up(program, log_format, tmp_path / "muster.log", is_debug=debug)

    begin.file = tmp_path / "muster.log"
    begin.lines = lambda: capsys.readouterr().err.splitlines()
    begin.told = lambda: [json.loads(line) for line in begin.lines()]
    yield begin
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    logging.captureWarnings(False)


@pytest.mark.any_database
def test_a_request_is_one_line_of_json(admin, logged):
    logged("json")
    answer = admin.get("/users?search=amelia.hart%40northfield.example")
    (line,) = logged.told()
    assert line.pop("ms") > 0
    assert line.pop("time").endswith("+00:00")
    assert line.pop("process") > 0
    assert line.pop("message").startswith("GET /users 200 in ")
    assert line == {
        "level": "info", "program": "web", "logger": "muster.access", "request": answer.headers["X-Request-ID"],
        "method": "GET", "path": "/users", "status": 200, "user": admin.user.id,
    }  # fmt: skip


@pytest.mark.any_database
def test_or_one_line_of_text(admin, logged):
    logged("text")
    id = admin.get("/groups").headers["X-Request-ID"]
    (line,) = logged.lines()
    assert line.startswith("web: GET /groups 200 in ")
    assert line.endswith(f", user {admin.user.id} [{id}]")


@pytest.mark.any_database
def test_without_a_terminal_it_is_json_unless_the_setting_says_otherwise(admin, logged):
    logged()
    admin.get("/groups")
    assert [line["path"] for line in logged.told()] == ["/groups"]
    assert not logged.file.exists()


@pytest.mark.any_database
def test_a_terminal_stays_quiet_and_a_file_has_the_requests(admin, logged):
    logged(terminal=True)
    id = admin.get("/groups").headers["X-Request-ID"]
    logging.getLogger("muster").warning("the web server ended")
    assert logged.lines() == ["web: the web server ended"]
    request, warning = logged.file.read_text().splitlines()
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d [\d:,]+ web: GET /groups 200 in \d+ ms, user {admin.user.id} \[{id}\]", request)
    assert warning.endswith(" web: the web server ended")


@pytest.mark.any_database
def test_a_terminal_shows_requests_where_it_is_told_to_and_what_the_supervisor_says_always(admin, logged):
    logged(terminal=True, debug=True)
    admin.get("/groups")
    assert logged.lines()[0].startswith("web: GET /groups 200 in ")
    logged(terminal=True, program="muster")
    logging.getLogger("muster").info("stopping (SIGINT)")
    assert logged.lines() == ["muster: stopping (SIGINT)"]


def test_a_log_file_that_is_long_is_moved_aside_and_a_full_disk_costs_only_lines(logged, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST_FILE", 150)
    logged(terminal=True)
    log = logging.getLogger("muster")
    for number in range(3):
        log.info("line %d %s", number, "x" * 80)
    assert logged.file.with_name("muster.log.1").read_text().count("\n") == 2
    assert logged.file.read_text().count("\n") == 1
    monkeypatch.setattr("os.stat", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    log.info("lost")
    assert logged.lines() == []


@pytest.mark.any_database
def test_a_static_file_and_a_page_that_there_is_not(client, logged):
    logged("json")
    client.get("/static/muster.css?v=1")
    client.get("/invitations/a-token-and/more", status=404)
    client.send("GET", "/static/no%20such.css", 404)
    lines = logged.told()
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/static/<path:filename>", 200), ("(no such page)", 404), ("/static/<path:filename>", 404),
    ]  # fmt: skip
    assert "user" not in lines[0]


def test_a_crash_is_one_line_that_its_reference_finds(owner, logged, monkeypatch):
    def crash():
        raise RuntimeError(f"the inside {token_of(invited)}")

    invited = make_invitation()
    monkeypatch.setattr(groups, "list_groups", crash)
    monkeypatch.setitem(owner.app.config, "PROPAGATE_EXCEPTIONS", False)
    logged("json")
    page = owner.get("/groups", status=500).page.text
    told = logged.lines()
    lines = [json.loads(line) for line in told]
    assert {line["request"] for line in lines} == {page.partition("Tell IT this code: ")[2].split()[0]}
    (exception,) = [line["exception"] for line in lines if "exception" in line]
    assert "RuntimeError: the inside …" in exception
    assert token_of(invited) not in "".join(told)


@pytest.mark.any_database
@pytest.mark.parametrize("given", ["edge-20261125.0001", "0" * 64])
def test_an_id_is_taken_from_a_proxy_that_is_believed(settings, given):
    asker = create_app(replace(settings, trusted_proxies=1)).test_client()
    answer = asker.get("/healthz/live", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.any_database
@pytest.mark.parametrize("given", ["short", "a" * 65, "with space and more", "новый-запрос", "{}'\"<script>", "-------------"])
def test_an_id_that_is_not_sane_is_replaced(settings, given):
    asker = create_app(replace(settings, trusted_proxies=1)).test_client()
    made = asker.get("/healthz/live", headers={"X-Request-ID": given.encode().decode("latin-1")}).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 12


def test_an_id_of_somebody_else_is_not_believed(client):
    ids = {client.get("/healthz/live", headers={"X-Request-ID": "edge-20261125"}).headers["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert "edge-20261125" not in ids


def test_a_job_carries_the_id_of_who_rang(app, client, queue):
    logs.set_context(request="0123456789ab")
    bell.enqueue_send()
    job = Queue(bell.QUEUE, connection=bell.connect(queue, 1), serializer="json").jobs[0]
    assert job.meta == {"request": "0123456789ab"}


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_ever_logged(app, client, change_settings, logged, queue, log_format, monkeypatch):
    change_settings(metrics_token="a-token-for-the-monitor-Zz9")
    logged(log_format)
    set_up = first_run.prepare()[-1].rpartition("/")[2]
    client.get(f"/setup/{set_up}")
    client.get(f"/setup/{set_up}/", status=None)
    owner, admin = make_persona("Owner"), make_persona("Admin")
    codes = make_factor(admin)
    invited = make_invitation()
    purposes = {LinkPurpose.RESET: "password-resets", LinkPurpose.SIGN_IN: "owner-links", LinkPurpose.EMAIL: "email-changes"}
    links = {path: account_links.create_link(owner, purpose) for purpose, path in purposes.items()}
    db.session.commit()
    tokens = {path: urlsplit(account_links.link_url(link)).path.rpartition("/")[2] for path, link in links.items()}
    tokens["invitations"] = token_of(invited)
    for path, token in tokens.items():
        for end in ("", "/", ").", "/more", "?again=" + token):
            client.get(f"/{path}/{token}{end}", status=None)
        client.post(f"/{path}/{token}", {"password": "x", "name": "y"}, status=None)
        client.send("DELETE", f"/{path}/{token}", None)
    browser = Client(app)
    browser.post("/sign-in", {"email": admin.email, "password": "the wrong password"}, status=422)
    browser.post("/sign-in", {"email": admin.email, "password": PASSWORD})
    browser.post("/sign-in/code", {"code": "000 001"}, status=422)
    code = code_of(admin, utcnow())
    browser.post("/sign-in/code", {"code": code})
    sid, cookie = browser.cookie(), browser.flask.get_cookie("muster").value
    browser.get(f"/users?search={PASSWORD.replace(' ', '+')}")
    browser.get(f"/{sid}", status=404)
    client.get("/metrics", headers={"Authorization": "Bearer a-token-for-the-monitor-Zz9"})
    make_message("amelia.hart@northfield.example")
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    monkeypatch.setattr(groups, "list_groups", lambda: 1 / len(sid[:0]))
    browser.get("/groups", status=500, headers={"X-Request-ID": sid})
    said = "\n".join(logged.lines())
    secrets = {
        "set-up": set_up, "session": sid, "cookie": cookie, "cookie's body": cookie.removeprefix(".").split(".")[0],
        "code": code, "wrong code": "000 001", "password": PASSWORD, "in a query": PASSWORD.replace(" ", "+"),
        "wrong password": "the wrong password",
        "monitor": "a-token-for-the-monitor-Zz9", "key": app.secret_key, "recovery": codes[0], **tokens,
    }  # fmt: skip
    assert said.count("sign-in") >= 3
    assert "/invitations/<token>" in said
    assert [name for name, secret in secrets.items() if secret in said] == []
    assert "northfield.example" not in said


def test_whatever_looks_like_a_token_is_left_out():
    token = "Ab3_-" * 9
    assert logs.without_tokens(f"GET /setup/{token} failed") == "GET /setup/… failed"
    kept = "a test_that_has_a_rather_long_name_in_the_traceback, 5f0c9b1d2a3e and " + "f0" * 32
    assert logs.without_tokens(kept) == kept
    assert logs.without_tokens("a" * 1_000_000) == "a" * 1_000_000, "and in no time"
