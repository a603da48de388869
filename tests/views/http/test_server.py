"""The web server itself: what one client does holds up nobody else."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote, urlencode

import pytest
from webapp import server as web
from webapp.app import create_app
from webapp.core.security.peers import place_of
from webapp.db import begin_write, db
from webapp.models import Group
from webapp.server import make_server
from webapp.services.audit import events

from tests.served import Served, cookie, served
from tests.steps import wait_for


def said(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            found += part
    return found


def ask(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())


@pytest.fixture
def server(app) -> Iterator[Served]:
    """With four threads."""
    with served(app, threads=4) as started:
        yield started


@pytest.mark.parametrize("searched", ["名前", "José’s", "%E5%90%8D"])
def test_the_way_back_may_have_any_letters(server, owner, searched):
    """The list was searched for them; a header holds Latin-1 only."""
    form = urlencode({"names": f"Group {searched}", "next": f"/users?q={searched}"})
    status, headers, _ = server.ask("/groups", owner, "POST", form)
    assert (status, unquote(headers["Location"])) == (303, unquote(f"/users?q={searched}"))
    form = urlencode({"names": f"Team {searched}", "next": f"/users?q={searched}"})
    status, headers, _ = server.ask("/groups", owner, "POST", form, HX_Request="true")
    assert (status, unquote(headers["HX-Redirect"])) == (200, unquote(f"/users?q={searched}"))


@pytest.fixture
def busy(server, owner) -> Iterator[list[int]]:
    """All threads, and more requests than there are threads, wait for a command that does not end. -> their answers later."""
    answers: list[int] = []

    def add(number: int) -> None:
        answers.append(server.ask("/groups", owner, "POST", f"names=Group+{number}")[0])

    token = owner.token()  # one cookie for all
    owner.token = lambda: token
    askers = [threading.Thread(target=add, args=(number,)) for number in range(7)]
    begin_write()
    for asker in askers:
        asker.start()
    try:
        wait_for(lambda: len(server.server.task_dispatcher.queue) == 3, "all threads are busy")
        yield answers
    finally:
        db.session.rollback()
        for asker in askers:
            asker.join()


def test_monitors_are_answered_while_all_threads_are_busy(server, busy, queue):
    assert server.ask("/healthz/live", timeout=5)[0] == 200
    status, _, body = server.ask("/healthz", timeout=5)
    assert (status, json.loads(body)["wrong"]) == (503, ["workers"])
    assert server.ask("/metrics", timeout=5)[0] == 404
    assert busy == []
    db.session.rollback()
    wait_for(lambda: len(busy) == 7, "the others are answered, too")
    assert set(busy) == {303}
    assert db.session.scalar(db.select(db.func.count()).select_from(Group).where(Group.name.like("Group %"))) == 7


def test_every_thread_gets_a_connection_to_the_database(settings):
    app = create_app(replace(settings, threads=20))
    server = make_server(app, replace(settings, threads=20, port=0))
    threads = server.task_dispatcher
    all_of_them = threads, threads.slow, threads.monitors
    with app.app_context(), contextlib.ExitStack() as held:
        for _ in range(sum(len(each.threads) for each in all_of_them)):
            held.enter_context(db.engine.connect())
    server.close()
    threads.shutdown(timeout=1)


@pytest.mark.any_database
def test_readers_that_do_not_read_hold_no_thread(server, owner, admin):
    """More of them than there are threads ask for an export that no buffer of the network holds."""
    begin_write()
    for _ in range(20):
        events.record(owner.user, "setup.done", note="x" * 500_000)
    db.session.commit()
    stalled = [server.connect() for _ in range(8)]
    for connection in stalled:
        ask(connection, "/audit/events.jsonl", cookie(owner))
    for _ in range(3):
        assert server.ask("/groups", admin)[0] == 200
    wait_for(lambda: not any(each.requests for each in list(server.server.active_channels.values())), "no thread is held")
    first = stalled.pop()
    for connection in stalled:
        connection.close()
    ask(first, "/healthz/live", {"Connection": "close"})
    assert len(said(first)) > 10_000_000, "a client that reads after all gets all of it"
    first.close()


@pytest.mark.any_database
def test_a_reader_that_takes_nothing_is_closed(server, owner, monkeypatch):
    monkeypatch.setattr(web, "STALLED", 1)
    begin_write()
    for _ in range(20):
        events.record(owner.user, "setup.done", note="x" * 500_000)
    db.session.commit()
    with server.connect() as stalled:
        ask(stalled, "/audit/events.jsonl", cookie(owner))
        wait_for(lambda: server.connections == 1, "it is connected")
        wait_for(lambda: server.connections == 0, "it is closed")


@pytest.mark.any_database
def test_a_connection_without_a_request_is_closed(app, monkeypatch):
    monkeypatch.setattr(web, "IDLE", 1)
    with served(app) as server, server.connect() as fresh, server.connect() as kept:
        ask(kept, "/healthz/live", {})
        assert said(fresh) == b""
        assert said(kept).startswith(b"HTTP/1.1 200")


@pytest.mark.any_database
def test_a_connection_of_a_proxy_stays(app, monkeypatch):
    monkeypatch.setattr(web, "IDLE", 0.2)
    with served(app, trusted_proxies=1) as server, server.connect() as kept:
        ask(kept, "/healthz/live", {})
        time.sleep(1.5)
        ask(kept, "/healthz/live", {"Connection": "close"})
        assert said(kept).count(b"HTTP/1.1 200") == 2


@pytest.fixture
def few(monkeypatch) -> None:
    """A server that takes a hundred connections in all, and 25 of one address."""
    monkeypatch.setattr(web, "_connection_limit", lambda: 100)


@pytest.mark.any_database
def test_one_address_has_a_bounded_part_of_the_connections(app, few):
    """A new one takes the place of the one that waited longest; nobody else loses theirs."""
    with served(app, threads=4) as server:
        others = server.connect("127.0.0.2")
        idle = [server.connect() for _ in range(200)]
        wait_for(lambda: server.connections == 26, "25 of them are left")
        assert server.ask("/sign-in")[0] == 200, "and that address itself is answered"
        ask(others, "/healthz/live", {"Connection": "close"})
        assert said(others).startswith(b"HTTP/1.1 200")
        assert said(idle[0]) == b""
        for connection in [others, *idle]:
            connection.close()


def test_a_whole_network_of_ipv6_is_one_address():
    assert place_of("2001:db8:1:2::1") == place_of("2001:db8:1:2:ffff::9")
    assert place_of("2001:db8:1:3::1") != place_of("2001:db8:1:2::1")
    assert place_of("fe80::1%eth0") == place_of("fe80::2%eth0")
    assert place_of("192.0.2.1") != place_of("192.0.2.2")


@pytest.mark.any_database
def test_requests_of_one_connection_are_answered_in_turn(server):
    with server.connect() as fair:
        fair.sendall(b"GET /healthz/live HTTP/1.1\r\n\r\n" * 4 + b"GET /healthz/live HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert said(fair).count(b"HTTP/1.1 200") == 5


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, b"GET / HTTP/1.1\r\nbad header\r\n\r\n"),
        (413, b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n"),
        (501, b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"),
    ],
)
def test_what_the_server_itself_answers_is_neither_sniffed_nor_framed(server, status, request_):
    with server.connect() as odd:
        odd.sendall(request_)
        answer = said(odd).decode()
    assert answer.startswith(f"HTTP/1.{answer[7]} {status}")
    for header in ("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options: nosniff"):
        assert header.lower() in answer.lower()
