"""The floor of the worker: invitations made and sent by the shortest honest script, carelessly or with the worker's commits."""

from __future__ import annotations

import hashlib
import secrets
import smtplib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from uuid import uuid4

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import String, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from webapp.db import tune_sqlite
from webapp.jobs.batches import CHUNK
from webapp.jobs.outbox import CLAIM
from webapp.mail.messages import TEMPLATES

SENDER = "muster@northfield.example"
SAID = "Maren Okafor invited you to Northfield Academy"


class Base(DeclarativeBase):
    """Tables of the floor."""


class FloorInvitation(Base):
    """Somebody invited, and their e-mail."""

    __tablename__ = "invitations"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(320), unique=True)
    role: Mapped[str] = mapped_column(String(80))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    state: Mapped[str] = mapped_column(String(20), index=True)
    answer: Mapped[str] = mapped_column(String(400), default="")
    handed_at: Mapped[datetime | None]


class FloorWorker:
    """Flask, SQLAlchemy, Jinja, smtplib, and nothing that makes it a product."""

    def __init__(self, folder: Path, port: int) -> None:
        self.app = Flask("floor")
        self.app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/worker.sqlite")
        self.db = SQLAlchemy(model_class=Base)
        self.db.init_app(self.app)
        self._port = port
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        with self.app.app_context():
            tune_sqlite(self.db.engine)
            Base.metadata.create_all(self.db.engine)

    def raw(self, emails: Sequence[str]) -> None:
        """Token, INSERT, make, send on one connection, UPDATE; one commit each. A crash repeats or loses some of it."""
        with self.app.app_context(), smtplib.SMTP("127.0.0.1", self._port, "localhost") as smtp:
            for email in emails:
                row, token = _invited(email)
                self.db.session.execute(insert(FloorInvitation).values(**row))
                smtp.send_message(self._made(row, token))
                self._update([row["message_id"]], state="sent", handed_at=datetime.now(UTC))
                self.db.session.commit()

    def durable(self, emails: Sequence[str]) -> None:
        """The same with the commits of the worker: invited in chunks, claimed, DATA begun, sent."""
        with self.app.app_context(), smtplib.SMTP("127.0.0.1", self._port, "localhost") as smtp:
            smtp.ehlo()
            tokens: dict[str, str] = {}
            for start in range(0, len(emails), CHUNK):
                invited = [_invited(email) for email in emails[start : start + CHUNK]]
                tokens |= {row["message_id"]: token for row, token in invited}
                self.db.session.execute(insert(FloorInvitation), [row for row, _ in invited])
                self.db.session.commit()
            while claimed := self._claimed():
                for row in claimed:
                    made = self._made(row, tokens[row["message_id"]])
                    smtp.mail(SENDER)
                    smtp.rcpt(row["email"])
                    self._update([row["message_id"]], state="data")
                    self.db.session.commit()
                    answer = smtp.data(made.as_bytes())[1].decode()
                    self._update(
                        [row["message_id"]],
                        state="sent",
                        answer=answer,
                        handed_at=datetime.now(UTC),
                    )
                    self.db.session.commit()

    def _claimed(self) -> list[dict[str, str]]:
        columns = FloorInvitation.message_id, FloorInvitation.email, FloorInvitation.role
        found = self.db.session.execute(
            select(*columns).where(FloorInvitation.state == "queued").limit(CLAIM)
        ).all()
        self._update([row.message_id for row in found], state="claimed")
        self.db.session.commit()
        return [dict(row._mapping) for row in found]

    def _update(self, message_ids: list[str], **values: object) -> None:
        self.db.session.execute(
            update(FloorInvitation)
            .where(FloorInvitation.message_id.in_(message_ids))
            .values(**values)
        )

    def _made(self, row: dict[str, str], token: str) -> EmailMessage:
        link = f"http://localhost:8000/invitations/{token}"
        values = {
            "to": row["email"],
            "place": "Northfield Academy",
            "subject": SAID,
            "role": row["role"],
            "link": link,
        }
        values |= {"groups": "Student Devices", "validity": "7 days", "words": "", "message": ""}
        made = EmailMessage(policy=SMTP)
        made["From"], made["To"], made["Subject"] = f"Muster <{SENDER}>", row["email"], SAID
        made["Date"], made["Message-ID"] = datetime.now(UTC), row["message_id"]
        made.set_content(self._templates.get_template("invitation.txt").render(values))
        made.add_alternative(
            self._templates.get_template("invitation.html").render(values), subtype="html"
        )
        return made


def _invited(email: str) -> tuple[dict[str, str], str]:
    token = secrets.token_urlsafe(32)
    row = {
        "email": email,
        "role": "Analyst",
        "message_id": f"<{uuid4()}@northfield.example>",
        "state": "queued",
    }
    return row | {"token_hash": hashlib.sha256(token.encode()).hexdigest()}, token
