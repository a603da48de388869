"""The floor: the same work done by the shortest honest script on the same libraries, with nothing that makes it a product."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask, request, session
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from sqlalchemy import ForeignKey, String, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from bench.portal import GROUPS, ROLES, csrf_token
from webapp.db import tune_sqlite

GRID = """<table>{% for row in rows %}<tr>{% for name, value in row %}
<td><input id="r{{ loop.index }}-{{ name }}" name="{{ name }}" value="{{ value }}"></td>{% endfor %}</tr>{% endfor %}</table>"""
TOKEN = "the-token-of-the-only-session"
CELL = '<input id="r{{ id }}-role" name="value" value="{{ value }}" hx-patch="/rows/{{ id }}"><p>{{ error }}</p>'


class Base(DeclarativeBase):
    """Tables of the floor."""


class FloorRow(Base):
    """A staged row."""

    __tablename__ = "rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    line: Mapped[int]
    email: Mapped[str] = mapped_column(String(320), index=True)
    role: Mapped[str] = mapped_column(String(80))
    groups: Mapped[str] = mapped_column(String(400))
    name: Mapped[str] = mapped_column(String(200))
    plan: Mapped[str] = mapped_column(String(20))
    error: Mapped[str] = mapped_column(String(400))


class FloorUser(Base):
    """Somebody who exists."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    role: Mapped[str] = mapped_column(String(80))
    groups: Mapped[str] = mapped_column(String(400))


class FloorSession(Base):
    """A sign-in, looked up by the hash of the cookie's token, as Muster does."""

    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped[FloorUser] = relationship(lazy="joined", innerjoin=True)


class RowSchema(Schema):
    """A line of the file, by marshmallow's own fields."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    email = fields.Email(required=True)
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    groups = fields.String()
    name = fields.String()


class Floor:
    """A minimal Flask app: session, CSRF, one SELECT, one UPDATE, one fragment; or one SELECT and `page`, a template of rows."""

    def __init__(self, folder: Path, users: int) -> None:
        self.app = Flask("floor")
        self.app.config.update(
            SECRET_KEY=os.urandom(16).hex(),
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/floor.sqlite",
        )
        self.db = SQLAlchemy(model_class=Base)
        self.db.init_app(self.app)
        CSRFProtect(self.app)
        with self.app.app_context():
            tune_sqlite(self.db.engine)
            Base.metadata.create_all(self.db.engine)
            people = [
                {
                    "email": f"person{n}@northfield.example",
                    "role": ROLES[n % 3],
                    "groups": GROUPS[n % 5],
                }
                for n in range(users)
            ]
            people.append({"email": "owner@northfield.example", "role": "Owner", "groups": ""})
            self.db.session.execute(insert(FloorUser), people)
            owner = self.db.session.scalars(
                select(FloorUser).where(FloorUser.role == "Owner")
            ).one()
            self.db.session.add(
                FloorSession(token_hash=sha256(TOKEN.encode()).hexdigest(), user_id=owner.id)
            )
            self.db.session.commit()
        self.page = self.app.jinja_env.from_string("")
        self.app.add_url_rule("/rows/<int:row_id>", view_func=self._patch, methods=["PATCH"])
        self.app.add_url_rule("/rows", view_func=self._page)
        self.app.add_url_rule("/batch", view_func=self._upload, methods=["POST"])
        self.grid, self.cell = (self.app.jinja_env.from_string(source) for source in (GRID, CELL))
        self.browser = self.app.test_client()

    def headers(self) -> dict[str, str]:
        """A CSRF token of the session."""
        with self.browser.session_transaction() as kept:
            kept["sid"] = TOKEN
        return {"X-CSRFToken": csrf_token(self.app, self.browser)}

    def _who(self) -> FloorUser:
        token_hash = sha256(session["sid"].encode()).hexdigest()
        return (
            self.db.session.execute(
                select(FloorSession).where(FloorSession.token_hash == token_hash)
            )
            .scalar_one()
            .user
        )

    def _page(self) -> str:
        assert self._who().role == "Owner"
        rows = self.db.session.execute(
            select(FloorRow).order_by(FloorRow.line).limit(100)
        ).scalars()
        return self.page.render(rows=rows)

    def _patch(self, row_id: int) -> str:
        assert self._who().role == "Owner"
        rows = self.db.session
        row = rows.execute(select(FloorRow).where(FloorRow.id == row_id)).scalar_one()
        value = request.form["value"]
        error = "" if value in ROLES else "Not a role."
        rows.execute(update(FloorRow).where(FloorRow.id == row.id).values(role=value, error=error))
        rows.commit()
        return self.cell.render(id=row_id, value=value, error=error)

    def _upload(self) -> str:
        file = request.files["file"]
        self.stage(file.read())
        shown = self.db.session.execute(
            select(FloorRow).order_by(FloorRow.line).limit(100)
        ).scalars()
        return self.grid.render(
            rows=[
                [("email", row.email), ("role", row.role), ("groups", row.groups)] for row in shown
            ]
        )

    def stage(self, data: bytes) -> None:
        """Decode, csv.reader, marshmallow per row, e-mail check, classify against who exists, insert."""
        lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        header = [name.lower() for name in next(lines)]
        schema = RowSchema()
        staged: list[dict[str, Any]] = []
        for number, line in enumerate(lines, 2):
            row: dict[str, Any] = {"name": "", **dict(zip(header, line, strict=False))}
            try:
                schema.load(row)
                error = ""
            except ValidationError as problem:
                error = str(problem.messages)
            staged.append({"line": number, **row, "error": error})
        users = self.db.session.execute(select(FloorUser.email, FloorUser.role, FloorUser.groups))
        known = {email: (role, groups) for email, role, groups in users}
        seen: set[str] = set()
        for row in staged:
            key = row["email"].lower()
            there = known.get(key)
            if row["error"]:
                row["plan"] = "attention"
            elif key in seen:
                row["plan"] = "duplicate"
            elif there is None:
                row["plan"] = "invite"
            else:
                row["plan"] = "unchanged" if there == (row["role"], row["groups"]) else "update"
            seen.add(key)
        self.db.session.execute(insert(FloorRow), staged)
        self.db.session.commit()


def same_page(html: str) -> str:
    """The shortest template that makes a page of the grid again: its frame as it is, its second row for every row.

    The page is of rows that `bench.portal.people` makes, none of which has a problem or exists already but the first.
    """
    rows = re.findall(r'<tr role="row" id="row-.*?</tr>', html, re.DOTALL)
    frame = re.sub(r'<tr role="row" id="row-.*</tr>', "ROWS", html, count=1, flags=re.DOTALL)
    row = rows[1]
    found = re.search(r'id="row-(\d+)".*?id="line-(\d+)"', row, re.DOTALL)
    assert found
    row_id, line = found.groups()
    for pattern, expression in (
        (rf'(row-|rows/|value="){row_id}\b', r"\1{{ row.id }}"),
        (rf"(>|line-|row ){line}\b", r"\1{{ row.line }}"),
        (r"new\.person\d+@northfield\.example", "{{ row.email }}"),
        (r"<option .*</option>", OPTIONS),
        (r'<span class="token">.*?</span>(?=</span></button>)', TOKENS),
    ):
        row = re.sub(pattern, expression, row, flags=re.DOTALL)
    return frame.replace("ROWS", "{% for row in rows %}" + row + "{% endfor %}")


GRANTED = ("Admin", "Investigator", "Analyst", "Broadcaster", "Remote")
OPTIONS = "".join(
    f'<option value="{role}"{{% if row.role == "{role}" %}} selected{{% endif %}}>{role}</option>'
    for role in GRANTED
)
TOKENS = '{% for name in row.groups.split(", ") %}<span class="token">{{ name }}</span>{% endfor %}'


@contextmanager
def floor(users: int = 0) -> Iterator[Floor]:
    """A floor of its own."""
    with TemporaryDirectory(prefix="muster-floor-") as folder:
        made = Floor(Path(folder), users)
        yield made
        with made.app.app_context():
            made.db.engine.dispose()
