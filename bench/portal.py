"""The portal to be measured: the whole app in this process, on a database of its own, with an administrator signed in."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import insert, select

from webapp.app import create_app
from webapp.core.plan.registry import fold
from webapp.core.security.passwords import hash_password
from webapp.core.security.permissions import GIVABLE
from webapp.db import Base, db
from webapp.models import Batch, Group, Role, Row, User
from webapp.services.accounts import tokens
from webapp.services.operations import first_run
from webapp.settings.settings import Settings

GROUPS = (
    "Student Devices",
    "Teacher Laptops",
    "Library Chromebooks",
    "Science Lab iPads",
    "Exam Laptops",
)
ROLES = ("Analyst", "Remote", "Broadcaster")
LARGEST = 50_000
PASSWORD = "correct horse battery"


def csrf_token(app: Flask, browser: FlaskClient) -> str:
    """A token of the browser's session, as a page would carry it."""
    with browser.session_transaction() as session:
        raw = session.setdefault("csrf_token", os.urandom(20).hex())
    return str(URLSafeTimedSerializer(app.secret_key or "", salt="wtf-csrf-token").dumps(raw))


class Portal:
    """An app and a browser without its costs: no rendering, no sockets; the floor is asked in the same way."""

    def __init__(self, app: Flask, environ: dict[str, str]) -> None:
        self.app, self.environ = app, environ
        self.browser: FlaskClient = app.test_client()
        self.browser.post(
            "/sign-in",
            data={"email": "owner@northfield.example", "password": PASSWORD},
            headers=self.headers(),
        )

    def headers(self, *, htmx: bool = False) -> dict[str, str]:
        """What htmx sends with a request: among it a CSRF token of the session."""
        token = {"X-CSRFToken": csrf_token(self.app, self.browser)}
        return token | ({"HX-Request": "true", "HX-Request-Type": "partial"} if htmx else {})

    def upload(self, data: bytes) -> int:
        """A file to its review. -> the batch's id."""
        answer = self.browser.post(
            "/batches", data={"file": (io.BytesIO(data), "people.csv")}, headers=self.headers()
        )
        found = re.search(r"/batches/(\d+)$", answer.headers.get("Location", ""))
        assert found, answer.get_data(as_text=True)[:2000]
        return int(found[1])

    def confirm(self, batch_id: int) -> None:
        """Send what the review shows."""
        with self.app.app_context():
            version = db.session.get_one(Batch, batch_id).version
        answer = self.browser.post(
            f"/batches/{batch_id}/confirmation", data={"version": version}, headers=self.headers()
        )
        assert answer.status_code in (200, 302, 303), answer.get_data(as_text=True)[:2000]

    def get(self, path: str) -> bytes:
        """A page."""
        answer = self.browser.get(path)
        assert answer.status_code == 200, answer.status
        return answer.get_data()

    def make_token(self) -> str:
        """An API token of the Owner."""
        with self.app.app_context():
            owner = db.session.scalars(select(User).order_by(User.id).limit(1)).one()
            return tokens.make_token(owner, owner, "bench", GIVABLE, 1)[1]

    def row(self, batch_id: int, place: int) -> tuple[int, str]:
        """The id and the role of a batch's nth row."""
        with self.app.app_context():
            found = (
                select(Row.id, Row.role)
                .where(Row.batch_id == batch_id)
                .order_by(Row.line)
                .offset(place)
                .limit(1)
            )
            return db.session.execute(found).one()._tuple()


@contextmanager
def portal(users: int = 0, **more: str) -> Iterator[Portal]:
    """A portal whose directory holds so many users beside the Owner. more: settings, by their names."""
    folder = Path(tempfile.mkdtemp(prefix="muster-bench-"))
    environ = {
        "MUSTER_DATA_DIR": str(folder / "data"),
        "MUSTER_MAX_ROWS": str(LARGEST),
        "MUSTER_TIME_ZONE": "UTC",
        "MUSTER_OWNER_EMAIL": "owner@northfield.example",
        "MUSTER_OWNER_PASSWORD": PASSWORD,
        "MUSTER_GROUPS": ",".join(GROUPS),
        **more,
    }
    app = create_app(Settings.from_environment(environ))
    try:
        with app.app_context():
            Base.metadata.create_all(db.engine)
            first_run.prepare()
            _fill(users)
        yield Portal(app, environ)
        with app.app_context():
            db.engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(users: int) -> None:
    roles = {role.key: role.id for role in db.session.scalars(select(Role))}
    groups = list(db.session.scalars(select(Group.id)))
    password_hash = hash_password(PASSWORD)
    people = [
        {
            "email": f"person{n}@northfield.example",
            "email_key": f"person{n}@northfield.example",
            "name": f"Person {n}",
            "password_hash": password_hash,
            "role_id": roles[fold(ROLES[n % 3])],
        }
        for n in range(users)
    ]
    if people:
        db.session.execute(insert(User), people)
        members = Base.metadata.tables["user_groups"]
        ids = db.session.scalars(
            select(User.id).where(User.email_key.startswith("person")).order_by(User.id)
        ).all()
        db.session.execute(
            insert(members),
            [
                {"user_id": row_id, "group_id": groups[n % len(groups)]}
                for n, row_id in enumerate(ids)
            ],
        )
    db.session.commit()


def people(rows: int, *, wrong_role_every: int = 0) -> bytes:
    """A CSV file of so many people; every tenth of them is in a directory of 10,000 users already."""
    lines = ["Email,Role,Groups"]
    for n in range(rows):
        email = (
            f"person{n % 10_000}@northfield.example"
            if n % 10 == 0 and n < 10_000
            else f"new.person{n}@northfield.example"
        )
        role = "Analsyt" if wrong_role_every and n % wrong_role_every == 0 else ROLES[n % 3]
        lines.append(f'{email},{role},"{GROUPS[n % 5]}, {GROUPS[(n + 1) % 5]}"')
    return "\n".join(lines).encode()
