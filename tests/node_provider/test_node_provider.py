"""Single sign-on through oidc-provider of Node.js, which keeps closely to the specification (`make test-oidc`)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from webapp.db import db
from webapp.models import Session, User
from webapp.run import processes
from webapp.services.settings import in_force

from tests.factories import make_invitation, make_persona
from tests.ports import free_port

pytestmark = [pytest.mark.node, pytest.mark.slow]

FOLDER = Path(__file__).parent


@pytest.fixture
def issuer(app, change_settings) -> Iterator[str]:
    port = free_port()
    callback = f"{in_force.environment().public_url}/sign-in/sso/callback"
    argv = ["node", str(FOLDER / "server.mjs"), str(port), callback]
    process = processes.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    assert b"ready" in process.stdout.readline()
    address = f"http://localhost:{port}"
    change_settings(oidc_issuer=address, oidc_client_id="muster", oidc_client_secret="s" * 32, oidc_name="School account")
    yield address
    app.extensions.pop("muster_oidc", None)
    process.kill()
    process.wait()


class Person:
    """Somebody in a browser at the provider."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._browser = requests.Session()

    def go(self, address: str) -> str:
        """Sign in, agree, and come back. -> the way back, as a path of ours."""
        page = self._follow(self._browser.get(address, allow_redirects=False))
        while not isinstance(page, str):
            form = re.search(r'<form[^>]* action="([^"]+)"', page.text)
            asked = re.search(r'name="prompt" value="(\w+)"', page.text)
            assert form, page.text
            assert asked, page.text
            sent = {"prompt": asked[1], "login": self._name, "password": "anything"}
            answer = self._browser.post(urljoin(page.url, form[1]), sent, allow_redirects=False)
            page = self._follow(answer)
        return page

    def _follow(self, answer: requests.Response) -> requests.Response | str:
        """Redirects, to the next page of the provider or back to Muster."""
        while answer.is_redirect:
            there = urljoin(answer.url, answer.headers["Location"])
            parts = urlsplit(there)
            if parts.path == "/sign-in/sso/callback":
                return f"{parts.path}?{parts.query}"
            answer = self._browser.get(there, allow_redirects=False)
        return answer


def test_the_invitation_is_accepted_and_the_account_proves_who_it_is(client, issuer):
    make_persona("Owner")
    make_invitation("ines@northfield.example", "Admin")
    ines = Person("ines")

    way = client.get("/sign-in/sso", 302).location
    assert way.startswith(issuer)
    client.get(ines.go(way), 303)

    user = db.session.scalar(db.select(User).where(User.email_key == "ines@northfield.example"))
    assert (user.name, user.has_password) == ("Person ines", False), "its claims were only at UserInfo"

    way = client.get("/sign-in/sso/proof", 302).location
    assert "prompt=login" in way
    client.get(ines.go(way))
    assert db.session.scalars(db.select(Session.proven_at)).one()


def test_who_was_not_invited_stays_out(client, issuer):
    make_persona("Owner")
    way = client.get("/sign-in/sso", 302).location
    assert "Nobody has invited eve@northfield.example" in client.get(Person("eve").go(way), 422).page.text
