"""The provider of single sign-on (OpenID Connect, by Authlib). Imported only where MUSTER_OIDC_ISSUER is set."""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from flask.wrappers import Response
from joserfc.errors import JoseError

from webapp.core.errors import ProviderError
from webapp.settings.settings import Settings

TIMEOUT = 5
"""Seconds that the provider may take to answer: Authlib and requests would wait for ever."""
AN_HOUR = 3600
"""So long what the provider says of itself is kept."""
SILENCE = 10
"""Seconds in which a provider that did not answer is not asked again: nobody's clicks hold all threads."""
POST = "client_secret_post"
NAME = "muster"
WELL_KNOWN = "/.well-known/openid-configuration"

log = logging.getLogger(__name__)
# at DEBUG it logs the code_verifier
logging.getLogger("authlib").setLevel(logging.INFO)


class Connection(OAuth2Session):  # type: ignore[misc]
    """Requests to the provider. Our authorities count: requests would prefer those of REQUESTS_CA_BUNDLE."""

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("verify", self.verify)
        answer: requests.Response = super().request(method, url, **kwargs)
        return answer


class Client(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib's client."""

    client_cls = Connection


class Provider:
    """What one app knows of the provider; thrown away on any trouble, and after AN_HOUR."""

    def __init__(self, settings: Settings) -> None:
        self.issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._scopes = settings.oidc_scopes
        self._verify = find_authorities(settings.ca_file)
        self._client: Client | None = None
        self._made_at = 0.0
        self._away_until = 0.0

    def leave(self, callback: str, state: str, **params: str) -> Response:
        """The redirect to the provider, which leads back to `callback`. Raises ProviderError."""
        with self._troubles():
            answer: Response = self._load().authorize_redirect(callback, state=state, **params)
            return answer

    def read(self, wanted: list[str]) -> dict[str, Any]:
        """The claims of who comes back with this request. wanted: those that UserInfo is asked for if the token has them not.

        Raises ProviderError.
        """
        with self._troubles():
            client = self._load()
            token = client.authorize_access_token()
            claims = dict(token.get("userinfo") or {})
            if not claims.get("sub"):
                raise ProviderError("wrong", "its answer holds no ID token with a subject")
            is_complete = all(name in claims for name in wanted)
            if is_complete or "userinfo_endpoint" not in client.server_metadata:
                return claims
            more = client.userinfo(token=token)
            if more.get("sub") != claims["sub"]:
                raise ProviderError("wrong", "UserInfo is about somebody else than the ID token")
            return {**more, **claims}

    def check(self) -> None:
        """Ask the provider what it says of itself. Raises ProviderError."""
        with self._troubles():
            self._load()

    def _load(self) -> Client:
        """The client, with what the provider says of itself."""
        now = time.monotonic()
        if now < self._away_until:
            raise ProviderError("away", "it did not answer a moment ago")
        if self._client is None or now - self._made_at > AN_HOUR:
            client = self._make()
            self._read_metadata(client)
            self._client = client
            self._made_at = now
        return self._client

    def _make(self) -> Client:
        kwargs = {
            "scope": self._scopes,
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT,
            "verify": self._verify,
        }
        return Client(
            FlaskIntegration(NAME),
            NAME,
            client_id=self._client_id,
            client_secret=self._secret or None,
            server_metadata_url=self.issuer.rstrip("/") + WELL_KNOWN,
            client_kwargs=kwargs,
        )

    def _read_metadata(self, client: Client) -> None:
        says = client.load_server_metadata()
        issuer = str(says.get("issuer"))
        if issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise ProviderError("wrong", f"it says that its issuer is {issuer}")
        ways = says.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._secret and "client_secret_basic" not in ways and POST in ways:
            client.client_kwargs["token_endpoint_auth_method"] = POST

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """Turn everything that can go wrong into a ProviderError, and forget what is known of the provider."""
        try:
            yield
        except ProviderError as error:
            raise self._forget(error) from error
        except MismatchingStateError as error:
            raise ProviderError("late", "the state is not that of this browser") from error
        except requests.HTTPError as error:
            raise self._forget(ProviderError("wrong", str(error))) from error
        except requests.exceptions.SSLError as error:
            raise self._forget(ProviderError("wrong", f"{error}; see MUSTER_CA_FILE")) from error
        except requests.JSONDecodeError as error:
            raise self._forget(ProviderError("wrong", f"no JSON ({error})")) from error
        except requests.RequestException as error:
            self._away_until = time.monotonic() + SILENCE
            raise self._forget(ProviderError("away", str(error))) from error
        except AuthlibBaseError as error:
            # said in answer to one browser: what is known of the provider stays good
            code = "denied" if error.error == "access_denied" else "wrong"
            log.warning("the provider of single sign-on: %s", error)
            raise ProviderError(code, str(error)) from error
        except (JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise self._forget(ProviderError("wrong", repr(error))) from error

    def _forget(self, error: ProviderError) -> ProviderError:
        self._client = None
        log.warning("the provider of single sign-on: %s", error)
        return error


def find_provider(app: Flask, settings: Settings) -> Provider:
    """The app's provider."""
    kept: tuple[Settings, Provider] | None = app.extensions.get("muster_oidc")
    if kept is None or kept[0] is not settings:
        kept = settings, Provider(settings)
        app.extensions["muster_oidc"] = kept
    return kept[1]


def find_authorities(ca_file: str) -> str | bool:
    """Whose certificates are believed: the file's, else those of the system, else those that requests brings along."""
    if ca_file:
        return ca_file
    system = ssl.get_default_verify_paths()
    if system.cafile:
        return system.cafile
    if system.capath and any(os.scandir(system.capath)):
        return system.capath
    return True
