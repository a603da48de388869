"""The test client: every answer it gets is checked, so that no test needs to ask for what holds on all pages."""

from __future__ import annotations

import contextvars
import hashlib
import os
import re
from collections import Counter
from html import unescape
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from webapp.db import db
from webapp.models import User
from werkzeug.test import TestResponse

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNLABELLED = {"hidden", "submit", "button", "reset", "image"}
Attributes = dict[str, str]


TOKEN = re.compile(r"""<!--.*?-->|<![^>]*>|<(/?)([a-zA-Z][^\s/>]*)((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.DOTALL)
ATTRIBUTE = re.compile(r"""([^\s=/"']+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+)))?""")


class Page:
    """What the checks, and tests, want to know of an HTML answer. Python's own parser takes three times as long."""

    def __init__(self, html: str) -> None:
        html = html.replace("<wbr>", "")  # a word that may break is read as one
        self.whole = html.lstrip().lower().startswith("<!doctype")
        self.tags: list[tuple[str, Attributes, tuple[tuple[str, Attributes], ...]]] = []
        """Every start tag, its attributes, and the tags that it stands in, outermost first."""
        self.title = self.h1 = ""
        self._words: list[str] = []
        self._open: list[tuple[str, Attributes]] = []
        end = 0
        for token in TOKEN.finditer(html):
            self._read_text(html[end : token.start()])
            end = token.end()
            closes, tag, rest = token.groups()
            if tag and closes:
                self._close(tag.lower())
            elif tag:
                self._open_tag(tag.lower(), rest)
        self._read_text(html[end:])

    @property
    def text(self) -> str:
        """What can be read, with single spaces."""
        return " ".join(" ".join(self._words).split())

    def all(self, tag: str, **wanted: str) -> list[Attributes]:
        """The attributes of each such tag that has the wanted ones (`data_open="x"` for data-open)."""
        names = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [a for t, a, _ in self.tags if t == tag and all(a.get(n) == v for n, v in names.items())]

    def values(self, name: str) -> list[str]:
        """The values of inputs of this name."""
        return [a.get("value", "") for a in self.all("input", name=name)]

    def chosen(self, name: str) -> list[str]:
        """What is chosen in the lists of this name."""
        options = [(each, within) for tag, each, within in self.tags if tag == "option" and "selected" in each]
        return [each["value"] for each, within in options if any(of.get("name") == name for _, of in within)]

    def _open_tag(self, tag: str, rest: str) -> None:
        found = [(name.lower(), unescape(a or b or c)) for name, a, b, c in ATTRIBUTE.findall(rest)]
        attributes = dict(found)
        assert len(attributes) == len(found), f"<{tag}> repeats an attribute: {found}"
        self.tags.append((tag, attributes, tuple(self._open)))
        if tag not in VOID and not rest.endswith("/"):
            self._open.append((tag, attributes))

    def _close(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._open and self._open.pop()[0] != tag:
            pass

    def _read_text(self, text: str) -> None:
        if not text:
            return
        text, within = unescape(text), {tag for tag, _ in self._open}
        if "title" in within and "svg" not in within:
            self.title += text
        elif not within & {"script", "style"}:
            self._words.append(text)
            if "h1" in within:
                self.h1 += text

    def faults(self) -> list[str]:
        """What no page of ours may have."""
        found = [
            f"id {id} is there {n} times" for id, n in Counter(a["id"] for _, a, _ in self.tags if "id" in a).items() if n > 1
        ]
        labelled = {a["for"] for a in self.all("label") if "for" in a}
        tokens = [within for _, a, within in self.tags if a.get("name") == "csrf_token"]
        if self.whole:
            found += [] if len(self.all("h1")) == 1 else [f"{len(self.all('h1'))} h1"]
            found += [] if self.title.replace("· Muster", "").strip() else ["no title"]
        for tag, a, within in self.tags:
            if tag in {"input", "select", "textarea"} and a.get("type") not in UNLABELLED:
                named = a.get("id") in labelled or "aria-label" in a or "aria-labelledby" in a or "label" in dict(within)
                found += [] if named else [f"<{tag} name={a.get('name')}> has no label"]
            if tag == "form" and a.get("method") != "dialog":
                found += [] if a.get("action") else ["a form without action"]
            if tag == "form" and a.get("method") == "post" and not any(("form", a) in within for within in tokens):
                found.append(f"the form to {a.get('action')} has no CSRF token")
            if (tag == "script" and "src" not in a) or tag == "style":
                found.append(f"inline <{tag}>")
            found += [f"<{tag} {name}>" for name in a if name == "style" or name.startswith(("on", "hx-on"))]
            found += [f"<{tag} {n}={v}>" for n, v in a.items() if v.strip().startswith(("js:", "javascript:"))]
        return found


class Answer:
    """A response, read: .status, .headers, .text (HTML or whatever it is), .page (for HTML), .json."""

    def __init__(self, response: TestResponse) -> None:
        self.response, self.status, self.headers = response, response.status_code, response.headers
        self.data = response.get_data()
        self.text = "" if b"\0" in self.data else self.data.decode("utf-8", "replace")
        self.page = Page(self.text if response.mimetype == "text/html" else "")

    @property
    def json(self) -> Any:
        return self.response.get_json()

    @property
    def location(self) -> str:
        """Where it redirects to, or tells htmx to go."""
        return self.headers.get("Location") or self.headers.get("HX-Redirect") or ""


class Client:
    """A browser. Requests carry the CSRF token by themselves; each runs in an app context of its own."""

    user: User
    """Who is signed in with it, if anybody: set by the fixture `sign_in`."""

    def __init__(self, app: Flask, peer: str = "192.0.2.1") -> None:
        self.app, self.peer = app, peer
        self.flask: FlaskClient = app.test_client()

    def get(self, path: str, status: int = 200, **more: Any) -> Answer:
        return self.send("GET", path, status, **more)

    def post(self, path: str, data: Any = None, status: int = 303, **more: Any) -> Answer:
        return self.send("POST", path, status, data=data, **more)

    def patch(self, path: str, data: Any = None, status: int = 200, **more: Any) -> Answer:
        return self.send("PATCH", path, status, data=data, **more)

    def delete(self, path: str, status: int = 200, **more: Any) -> Answer:
        return self.send("DELETE", path, status, **more)

    def send(
        self, method: str, path: str, status: int | None, *, htmx: bool = False, csrf: bool = True, headers: Any = (), **more: Any
    ) -> Answer:
        """One request, checked. status: the one expected, or None for any. htmx: as a partial request of htmx."""
        sent = dict(headers)
        if htmx:
            sent |= {"HX-Request": "true", "HX-Request-Type": "partial"}
        if csrf and method != "GET":
            sent["X-CSRFToken"] = self.token()
        kept = {"REMOTE_ADDR": self.peer}
        # An empty context: otherwise the request would share the test's own app context, its g and its database session.
        response = contextvars.Context().run(
            self.flask.open, path, method=method, headers=sent, environ_overrides=kept, buffered=True, **more
        )
        db.session.rollback()  # the test sees what was committed
        answer = Answer(response)
        self._check(answer, f"{method} {path}", status)
        return answer

    def token(self) -> str:
        """A CSRF token of this browser's session, as a page would carry it."""
        with self.flask.session_transaction() as session:
            raw = session.setdefault("csrf_token", hashlib.sha1(os.urandom(64)).hexdigest())
        return str(URLSafeTimedSerializer(self.app.secret_key or "", salt="wtf-csrf-token").dumps(raw))

    def cookie(self, name: str = "sid") -> Any:
        """What the session cookie carries."""
        with self.flask.session_transaction() as session:
            return session.get(name)

    def set_cookie(self, **values: Any) -> None:
        with self.flask.session_transaction() as session:
            session.update(values)

    def _check(self, answer: Answer, what: str, status: int | None) -> None:
        said = answer.page.text[-600:] or answer.text[:600]
        assert status is None or answer.status == status, f"{what}: {answer.status} for {status}: {answer.location}{said}"
        if "script-src 'self'" not in answer.headers.get("Content-Security-Policy", ""):
            assert "sandbox" in answer.headers.get("Content-Security-Policy", ""), f"{what}: no strict policy"
            return  # a mail's preview is a document of its own
        assert not (found := answer.page.faults()), f"{what}: {'; '.join(found)}"
