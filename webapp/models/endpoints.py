"""Endpoints of webhooks: addresses of other systems that are told what happens."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.core.text import webhook_phrases
from webapp.db import Model
from webapp.models.columns import Id, JsonList, JsonTexts, Now


class Endpoint(Model):
    """A cursor over the sealed audit log: what lies behind it was taken, or is of no type that was chosen."""

    __tablename__ = "endpoints"

    id: Mapped[Id]
    created_at: Mapped[Now]
    url: Mapped[str]
    types: Mapped[JsonTexts]
    """Of `core.webhook_events.TYPES`."""

    nonce: Mapped[str] = mapped_column(String(32))
    """The random value that the secret is derived from."""
    former_nonce: Mapped[str | None] = mapped_column(String(32))
    former_until: Mapped[datetime | None]
    """Until then the former secret signs, too."""

    cursor: Mapped[int]
    """The place in the audit log's chain (`AuditEvent.seq`) up to which all is done."""
    tries: Mapped[int] = mapped_column(default=0)
    """How often the next event has failed."""
    failed_since: Mapped[datetime | None]
    next_at: Mapped[Now]
    """When the next event is due."""
    test_asked_at: Mapped[datetime | None]
    """Since when a test waits."""
    claimed_by: Mapped[str | None] = mapped_column(String(32))
    """Whose turn it is: of the workers one at a time, so that events keep their order."""
    lease_until: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_why: Mapped[str] = mapped_column(String(32), default="")
    """A code of `core.text.webhook_phrases.WHY_OFF`; "" while it is on."""
    answers: Mapped[JsonList]
    """The last ones, the newest first: id, type, at, status, code, words, ms."""

    @property
    def name(self) -> str:
        """Its host. The rest of the address may hold a secret, and is for nobody but the Owner."""
        return urlsplit(self.url).netloc

    @property
    def why_off(self) -> str:
        """Why Muster turned it off, as a sentence; "" while it is on."""
        return webhook_phrases.WHY_OFF.get(self.disabled_why, "")

    @property
    def last_answers(self) -> list[dict[str, Any]]:
        """The answers with their times, in words."""
        told = []
        for answer in self.answers:
            at = datetime.fromisoformat(answer["at"])
            told.append({**answer, "at": at, "text": webhook_phrases.describe_answer(answer)})
        return told
