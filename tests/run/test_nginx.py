"""The example of docs/sign-in.md behind a real nginx, with a stand-in for the proxy that signs people in."""

from __future__ import annotations

import ipaddress
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from webapp.db import db
from webapp.models import Session, User

from tests import nginx
from tests.factories import make_persona, make_user
from tests.ports import free_port
from tests.served import Served, served

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

DOCUMENT = Path(__file__).parents[2] / "docs" / "sign-in.md"
AMELIA = "amelia.hart@northfield.example"
OWNER = "maren.okafor@northfield.example"


class StandIn:
    """In place of oauth2-proxy: `email` is signed in there; "" nobody by an email, None nobody at all."""

    email: str | None = None

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(401 if outer.email is None else 202)
                if outer.email:
                    self.send_header("X-Auth-Request-Email", outer.email)
                    self.send_header("X-Auth-Request-Preferred-Username", "Amelia")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    found = nginx.find(tmp_path_factory.mktemp("nginx"))
    return found or pytest.skip("There is no nginx: install it (Debian: apt-get install nginx).")


@pytest.fixture
def stand_in(app, change_settings, program):
    make_persona("Owner")
    stand_in = StandIn()
    change_settings(
        proxy_email_header="Remote-Email",
        proxy_name_header="Remote-Name",
        proxy_networks=(ipaddress.ip_network("127.0.0.1/32"),),
    )
    with served(app, threads=4) as muster:
        stand_in.muster = muster
        port = free_port()
        front = nginx.Nginx(program, example(port, muster.port, stand_in.server.server_address[1]), port)
        stand_in.front = Served(port, None)
        yield stand_in
        front.stop()
    stand_in.server.shutdown()


def example(port: int, muster: int, oauth2_proxy: int) -> str:
    """The server block of the document, without TLS and on these ports."""
    text = re.search(r"```nginx\n(server \{.*?\n\})\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[1]
    text = re.sub(r"\n *(ssl_\w+|server_name).*", "", text).replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    assert "127.0.0.1:8000" in text
    assert "127.0.0.1:4180" in text
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{muster}").replace("127.0.0.1:4180", f"127.0.0.1:{oauth2_proxy}")


def signed_in():
    db.session.rollback()
    return list(db.session.scalars(db.select(User.email).join(Session, Session.user_id == User.id)))


def test_who_is_not_signed_in_there_is_led_there(stand_in):
    status, headers, _ = stand_in.front.ask("/users?q=a")
    assert (status, headers["Location"].partition("/oauth2")[2]) == (302, "/sign_in?rd=/users?q=a")


def test_who_is_signed_in_there_is_signed_in_here(stand_in):
    make_user()
    stand_in.email = AMELIA
    status, headers, _ = stand_in.front.ask("/account")
    assert status == 303
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, _, page = stand_in.front.ask("/account", Cookie=cookie)
    assert status == 200
    assert b"Amelia Hart" in page
    assert signed_in() == [AMELIA]


@pytest.mark.parametrize("name", ["Remote-Email", "remote-email", "Remote_Email", "X-Auth-Request-Email"])
@pytest.mark.parametrize("email", [AMELIA, ""])
def test_no_browser_says_who_it_is(stand_in, name, email):
    make_user()
    stand_in.email = email
    connection = stand_in.front.connect()
    connection.sendall(f"GET /account HTTP/1.0\r\nHost: localhost\r\n{name}: {OWNER}\r\n\r\n".encode())
    answer = connection.makefile("rb").read()
    connection.close()
    assert b"303" in answer
    assert signed_in() == ([email] if email else [])


def test_who_goes_around_the_proxy_is_nobody(stand_in):
    make_user()
    connection = stand_in.muster.connect(source="127.0.0.2")
    connection.sendall(f"GET /account HTTP/1.0\r\nHost: localhost\r\nRemote-Email: {AMELIA}\r\n\r\n".encode())
    assert b"/sign-in" in connection.makefile("rb").read()
    connection.close()
    assert signed_in() == []
