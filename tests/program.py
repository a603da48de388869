"""A program that calls the API: a bearer token, JSON, and no cookie."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask
from webapp.core.security.permissions import GIVABLE
from webapp.db import db
from webapp.models import ApiToken, User
from webapp.services.accounts import tokens

from tests.client import Answer, Client
from tests.factories import make_persona

API = "/api/v1"
PEOPLE = [
    {"email": "ana@northfield.example", "role": "Analyst", "groups": ["Student Devices"]},
    {"email": "ben@northfield.example", "role": "Remote"},
]
"""What `stage` sends unless told otherwise."""


class Program:
    """Calls the API with a token. `user`: for whom it acts; `token`: the row."""

    def __init__(self, app: Flask, user: User, permissions: Iterable[str] = GIVABLE, **more: Any) -> None:
        self.client = Client(app)
        self.token, self.text = tokens.make_token(user, user, "nightly", permissions, 365, **more)
        self.user = user
        self.id = self.token.id
        db.session.commit()

    def send(self, method: str, path: str, status: int | None = 200, *, headers: Any = (), **more: Any) -> Answer:
        """One call. status: the one expected, or None for any."""
        sent = {"Authorization": f"Bearer {self.text}", **dict(headers)}
        answer = self.client.send(
            method, path if path.startswith("/api") else API + path, status, csrf=False, headers=sent, **more
        )
        if answer.status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json", answer.headers
            assert answer.json["status"] == answer.status
        return answer

    def get(self, path: str, status: int = 200, **more: Any) -> Answer:
        return self.send("GET", path, status, **more)

    def post(self, path: str, body: Any = None, status: int = 201, **more: Any) -> Answer:
        return self.send("POST", path, status, json=body, **more) if body is not None else self.send("POST", path, status, **more)

    def patch(self, path: str, body: Any, status: int = 200, **more: Any) -> Answer:
        return self.send("PATCH", path, status, json=body, **more)

    def stage(self, rows: Any = PEOPLE, **more: Any) -> Any:
        """Stage rows. -> the batch."""
        return self.post("/batches", {"rows": rows, **more}).json

    def confirm(self, batch_id: int, status: int = 202, body: Any = None) -> Answer:
        """Confirm a batch as it is now."""
        tag = self.get(f"/batches/{batch_id}").headers["ETag"]
        return self.post(f"/batches/{batch_id}/confirmation", body, status, headers={"If-Match": tag})

    def revoked(self) -> bool:
        """Whether the token is gone."""
        return db.session.get(ApiToken, self.id) is None


def program_of(app: Flask, role: str = "Admin", permissions: Iterable[str] = GIVABLE, **more: Any) -> Program:
    """A program that acts for the persona of this role."""
    make_persona("Owner")
    return Program(app, make_persona(role), permissions, **more)
