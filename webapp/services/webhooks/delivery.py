"""One event at a time to one endpoint: claim, post (in `jobs.webhooks`, without a transaction), record.

An endpoint is claimed under a lease, so that one worker at a time calls it and events keep their order. The cursor moves
when the receiver has taken the event. A worker that is killed in between loses nothing: once its lease has run out, the
same event is posted again, with the same id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select

from webapp.core import webhook_events
from webapp.core.security import webhook_signatures
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditChain, AuditEvent, Endpoint
from webapp.services.audit import events
from webapp.services.settings import in_force
from webapp.services.webhooks import endpoints
from webapp.version import version
from webapp.webhooks import Answer

LEASE = timedelta(seconds=60)
"""Longer than a try takes."""
BACK_OFF = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""After each failure in a row; the last one again and again."""
PATIENCE = timedelta(days=5)
"""Of failures in a row, after which an endpoint is turned off."""
KEPT = 20
"""Answers."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A try to be made. seq: of the event; None for a test."""

    endpoint_id: int
    seq: int | None
    id: str
    type: str
    url: str
    headers: dict[str, str]
    body: bytes
    ca_file: str


def list_due() -> list[int]:
    """The ids of endpoints that may have something to be told, and that no worker has claimed."""
    last_sealed = select(AuditChain.seq).where(AuditChain.id == 1).scalar_subquery()
    is_behind = and_(
        Endpoint.disabled_at.is_(None),
        Endpoint.next_at <= utcnow(),
        Endpoint.cursor < last_sealed,
    )
    is_due = or_(is_behind, Endpoint.test_asked_at.is_not(None))
    query = select(Endpoint.id).where(is_due, _is_free()).order_by(Endpoint.id)
    ids = list(db.session.scalars(query))
    db.session.rollback()
    return ids


def _is_free() -> ColumnElement[bool]:
    return or_(Endpoint.claimed_by.is_(None), Endpoint.lease_until < utcnow())


def claim(endpoint_id: int, worker: str) -> Delivery | None:
    """Claim an endpoint, or go on with it. -> the next try; None if nothing is due, or another worker has it. Commits."""
    begin_write()
    is_mine = Endpoint.claimed_by == worker
    query = select(Endpoint).where(Endpoint.id == endpoint_id, or_(is_mine, _is_free()))
    endpoint = db.session.scalar(query)
    delivery = _choose(endpoint) if endpoint else None
    if endpoint and delivery:
        endpoint.claimed_by = worker
        endpoint.lease_until = utcnow() + LEASE
    db.session.commit()
    return delivery


def record(delivery: Delivery, worker: str, answer: Answer) -> None:
    """Record what became of a try; nothing where another worker has taken over. Commits."""
    begin_write()
    endpoint = db.session.get(Endpoint, delivery.endpoint_id)
    if endpoint is None or endpoint.claimed_by != worker:
        db.session.rollback()
        return
    _keep(endpoint, delivery, answer)
    if delivery.seq is None:
        endpoint.test_asked_at = None
    elif answer.is_taken:
        endpoint.cursor = max(endpoint.cursor, delivery.seq)
        endpoint.tries = 0
        endpoint.failed_since = None
    else:
        _put_off(endpoint, answer)
    db.session.commit()


def release(endpoint_id: int, worker: str) -> None:
    """Give the endpoint back. Commits."""
    begin_write()
    endpoint = db.session.get(Endpoint, endpoint_id)
    if endpoint and endpoint.claimed_by == worker:
        endpoint.claimed_by = None
        endpoint.lease_until = None
    db.session.commit()


def _choose(endpoint: Endpoint) -> Delivery | None:
    """A test, or the next event that is due. Moves the cursor where nothing waits. Does not commit."""
    if endpoint.test_asked_at:
        return _make_test(endpoint, endpoint.test_asked_at)
    if endpoint.disabled_at or endpoint.next_at > utcnow():
        return None
    event = endpoints.find_next(endpoint)
    if event is None:  # so the next look begins at the end
        endpoint.cursor = db.session.get_one(AuditChain, 1).seq
        return None
    return _make_delivery(endpoint, event)


def _make_test(endpoint: Endpoint, at: datetime) -> Delivery:
    body = webhook_events.make_test_body(at, endpoint.id)
    return _sign(endpoint, None, f"test_{endpoint.id}_{int(at.timestamp())}", body)


def _make_delivery(endpoint: Endpoint, event: AuditEvent) -> Delivery:
    body = webhook_events.make_body(events.values_of(event))
    # the event's own id stays the same, even where the chain is started over
    return _sign(endpoint, event.seq, f"evt_{event.id}", body)


def _sign(endpoint: Endpoint, seq: int | None, name: str, content: webhook_events.Data) -> Delivery:
    body = json.dumps(content, ensure_ascii=False).encode()
    timestamp = int(utcnow().timestamp())
    secrets = endpoints.list_secrets(endpoint)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Muster/{version()}",
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": webhook_signatures.sign(secrets, name, timestamp, body),
    }
    return Delivery(
        endpoint_id=endpoint.id,
        seq=seq,
        id=name,
        type=content["type"],
        url=endpoint.url,
        headers=headers,
        body=body,
        ca_file=in_force.environment().ca_file,
    )


def _keep(endpoint: Endpoint, delivery: Delivery, answer: Answer) -> None:
    kept = {
        "id": delivery.id,
        "type": delivery.type,
        "at": utcnow().isoformat(),
        "status": answer.status,
        "code": answer.code,
        "words": answer.words,
        "ms": answer.ms,
    }
    endpoint.answers = [kept, *endpoint.answers][:KEPT]


def _put_off(endpoint: Endpoint, answer: Answer) -> None:
    """Try again later, or turn the endpoint off. Does not commit."""
    now = utcnow()
    endpoint.failed_since = endpoint.failed_since or now
    endpoint.next_at = now + BACK_OFF[min(endpoint.tries, len(BACK_OFF) - 1)]
    endpoint.tries += 1
    if answer.status == 410:
        _turn_off(endpoint, "gone")
    elif now - endpoint.failed_since >= PATIENCE:
        _turn_off(endpoint, "failing")


def _turn_off(endpoint: Endpoint, why: str) -> None:
    endpoint.disabled_at = utcnow()
    endpoint.disabled_why = why
    events.record(None, "webhook.turned_off", endpoint, why=why)
