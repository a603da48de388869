"""A provider that does what a test tells it: claims at UserInfo only, forged tokens, silence."""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.smtp_sink import CERTIFICATE

KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"})


class ScriptedProvider:
    """`token` is what the ID token says beside the usual, `userinfo` what UserInfo says. `silent`: seconds before any answer."""

    def __init__(self, *, tls: bool = False) -> None:
        self.token: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.key = KEY
        self.algorithm = "RS256"
        self.silent = 0.0
        self.asked: list[str] = []
        self.sent: dict[str, list[str]] = {}
        self._nonce = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            do_POST = do_GET

            def handle(self) -> None:
                with suppress(OSError):  # nobody waits for the answer any more
                    super().handle()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http{'s' if tls else ''}://localhost:{self._server.server_address[1]}"
        if tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def back_from(self, address: str) -> str:
        """Sign somebody in at the address that Muster leads to. -> where that leads back to, as a path of ours."""
        query = parse_qs(urlsplit(address).query)
        self._nonce = query["nonce"][0]
        assert query["code_challenge_method"] == ["S256"]
        return f"/sign-in/sso/callback?code=c&state={query['state'][0]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        self.asked.append(path)
        time.sleep(self.silent)
        length = int(request.headers.get("Content-Length") or 0)
        if length:
            self.sent = parse_qs(request.rfile.read(length).decode())
        body = json.dumps(getattr(self, "_" + path.strip("/").replace("/", "_").replace(".", "").replace("-", "_"))()).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _well_known_openid_configuration(self) -> dict[str, Any]:
        names = {"authorization_endpoint": "login", "token_endpoint": "token", "userinfo_endpoint": "me", "jwks_uri": "keys"}
        ends = {name: f"{self.issuer}/{end}" for name, end in names.items()}
        return {"issuer": self.issuer, **ends, "id_token_signing_alg_values_supported": ["RS256"], **self.metadata}

    def _token(self) -> dict[str, Any]:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": "muster", "sub": "ines", "iat": now, "exp": now + 300, "nonce": self._nonce}
        header = {"alg": self.algorithm, "kid": "one"}
        token = jwt.encode(header, usual | self.token, self.key, algorithms=[self.algorithm])
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def _me(self) -> dict[str, Any]:
        return {"sub": "ines", **self.userinfo}

    def _keys(self) -> dict[str, Any]:
        return {"keys": [KEY.as_dict(private=False)]}
