"""A provider of single sign-on (OpenID Connect) as a process of its own: oidc-provider-mock."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from webapp.run import processes

from tests.client import Answer, Client
from tests.ports import free_port

PATIENCE = 30


class Provider:
    """The running provider. Everybody has an account there: `say` tells it what to say of them."""

    def __init__(self) -> None:
        self.port = free_port()
        argv = [sys.executable, "-m", "oidc_provider_mock", "--port", str(self.port)]
        self._child = processes.spawn(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(OSError):
                self._ask("GET", "/jwks")
                return
            time.sleep(0.05)
        raise TimeoutError("the provider does not answer")

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    def settings(self, **more: Any) -> dict[str, Any]:
        """What Muster is set to, to use it."""
        own = {"oidc_issuer": self.issuer, "oidc_client_id": "muster", "oidc_client_secret": "s", "oidc_name": "School account"}
        return own | more

    def say(self, subject: str, **claims: Any) -> None:
        """Have it say this of somebody from now on."""
        self._ask("PUT", f"/users/{subject}", json.dumps(claims), {"Content-Type": "application/json"})

    def authorize(self, address: str, subject: str, **form: str) -> str:
        """Sign somebody in on its page, which is at this address. -> where it leads back to, as a path of ours."""
        parts = urlsplit(address)
        assert parts.port == self.port, address
        body = urlencode({"sub": subject, **form})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        back = urlsplit(self._ask("POST", f"{parts.path}?{parts.query}", body, kind))
        return f"{back.path}?{back.query}"

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()

    def _ask(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> str:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get("Location", "")
        finally:
            connection.close()


def go_through(provider: Provider, client: Client, subject: str, start: str = "/sign-in/sso", status: int = 303) -> Answer:
    """Go to the provider, sign in there, and come back. -> Muster's answer."""
    there = client.get(start, 302).location
    return client.get(provider.authorize(there, subject), status)
