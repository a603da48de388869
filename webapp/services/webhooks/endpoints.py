"""Endpoints of webhooks, as the Owner adds, changes, tests and removes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.security import tokens, webhook_signatures
from webapp.core.webhook_events import TYPES
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditChain, AuditEvent, Endpoint, User
from webapp.queue import enqueue_webhook
from webapp.services.audit import events
from webapp.services.settings import in_force
from webapp.webhooks import is_link_local

MOST = 20
"""Endpoints of an installation."""
LONGEST_URL = 500
"""Characters."""
OVERLAP = timedelta(hours=24)
"""How long the former secret signs, too."""


# Read


def list_endpoints() -> Sequence[Endpoint]:
    """All, the oldest first. One query."""
    return db.session.scalars(select(Endpoint).order_by(Endpoint.id)).all()


def list_off() -> Sequence[Endpoint]:
    """Those that Muster has turned off. One query."""
    is_off = Endpoint.disabled_at.is_not(None)
    return db.session.scalars(select(Endpoint).where(is_off).order_by(Endpoint.id)).all()


def get_endpoint(endpoint_id: int) -> Endpoint:
    """An endpoint. Raises NotFoundError."""
    endpoint = db.session.get(Endpoint, endpoint_id)
    if endpoint is None:
        raise NotFoundError("There is no such webhook.")
    return endpoint


def find_next(endpoint: Endpoint) -> AuditEvent | None:
    """The event that it is told next, or None."""
    query = select(AuditEvent).where(*_is_waiting(endpoint))
    return db.session.scalar(query.order_by(AuditEvent.seq).limit(1))


def count_waiting(endpoint: Endpoint) -> int:
    """How many events wait for it."""
    query = select(func.count(AuditEvent.id)).where(*_is_waiting(endpoint))
    return db.session.scalar(query) or 0


def has_lost(endpoint: Endpoint) -> bool:
    """Whether the log was pruned beyond its place: some of its events may be gone. One query."""
    return db.session.get_one(AuditChain, 1).first_seq > endpoint.cursor


def _is_waiting(endpoint: Endpoint) -> Sequence[Any]:
    return AuditEvent.seq > endpoint.cursor, AuditEvent.action.in_(endpoint.types)


def derive_secret(endpoint: Endpoint) -> str:
    """The secret as it is shown, once."""
    return _derive(in_force.environment().secret_key, endpoint, endpoint.nonce)


def list_secrets(endpoint: Endpoint) -> list[str]:
    """All secrets that sign: also the former one for a day, and those of the server's former keys."""
    settings = in_force.environment()
    nonces = [endpoint.nonce]
    if endpoint.former_nonce and endpoint.former_until and endpoint.former_until > utcnow():
        nonces.append(endpoint.former_nonce)
    secrets = []
    for key in (settings.secret_key, *settings.secret_key_fallbacks):
        secrets += [_derive(key, endpoint, nonce) for nonce in nonces]
    return secrets


def _derive(key: str, endpoint: Endpoint, nonce: str) -> str:
    return webhook_signatures.derive_secret(key, endpoint.id, nonce)


# Change: commands


def add(url: str, types: Collection[str], by: User) -> Endpoint:
    """Add an endpoint, which is told what is sealed from now on. Raises RuleViolationError (field "url")."""
    check_url(url)
    begin_write()
    if len(list_endpoints()) >= MOST:
        raise RuleViolationError(f"There are {MOST} webhooks already. Delete one.", field="url")
    endpoint = Endpoint(
        url=url,
        types=_sort(types),
        nonce=tokens.new_nonce(),
        cursor=_last_sealed(),
    )
    db.session.add(endpoint)
    db.session.flush()
    events.record(by, "webhook.added", endpoint, types=endpoint.types)
    db.session.commit()
    return endpoint


def change(endpoint_id: int, url: str, types: Collection[str], by: User) -> Endpoint:
    """Change address and types. What has failed is tried again at once. Raises RuleViolationError, NotFoundError."""
    check_url(url)
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    before = _audit_details(endpoint)
    if (endpoint.url, endpoint.types) != (url, _sort(types)):
        was_moved = endpoint.url != url
        endpoint.url = url
        endpoint.types = _sort(types)
        _forget_failures(endpoint)
        events.record(
            by,
            "webhook.changed",
            endpoint,
            before=before,
            after=_audit_details(endpoint),
            address_changed=was_moved,
        )
    db.session.commit()
    return endpoint


def renew_secret(endpoint_id: int, by: User) -> Endpoint:
    """Make a new secret; the former one signs for another day, too. Raises NotFoundError."""
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    endpoint.former_nonce = endpoint.nonce
    endpoint.former_until = utcnow() + OVERLAP
    endpoint.nonce = tokens.new_nonce()
    events.record(by, "webhook.secret_made", endpoint)
    db.session.commit()
    return endpoint


def ask_for_test(endpoint_id: int, by: User) -> None:
    """Have a worker send a test, also where the endpoint is off. Raises NotFoundError."""
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    if endpoint.test_asked_at is None:
        endpoint.test_asked_at = utcnow()
        events.record(by, "webhook.tested", endpoint)
    db.session.commit()
    enqueue_webhook(endpoint_id)


def skip(endpoint_id: int, seq: int, by: User) -> None:
    """Go on behind an event that is not taken. seq: of the one that the page showed.

    Raises NotFoundError, and ConflictError where it is not the next one any more.
    """
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    event = find_next(endpoint)
    if event is None or event.seq != seq:
        raise ConflictError("This event does not wait any more. Nothing was skipped.")
    endpoint.cursor = seq
    _forget_failures(endpoint)
    events.record(by, "webhook.skipped", endpoint, event=event.id, type=event.action)
    db.session.commit()
    enqueue_webhook(endpoint_id)


def resume(endpoint_id: int, by: User) -> None:
    """Try again now, and turn the endpoint on where it is off. It goes on where it stopped. Raises NotFoundError."""
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    if endpoint.disabled_at:
        endpoint.disabled_at = None
        endpoint.disabled_why = ""
        events.record(by, "webhook.turned_on", endpoint)
    _forget_failures(endpoint)
    db.session.commit()
    enqueue_webhook(endpoint_id)


def remove(endpoint_id: int, by: User) -> str:
    """Delete an endpoint; what waits for it is not told. -> its name. Raises NotFoundError."""
    begin_write()
    endpoint = get_endpoint(endpoint_id)
    name = endpoint.name
    events.record(by, "webhook.deleted", endpoint)
    db.session.delete(endpoint)
    db.session.commit()
    return name


def check_url(url: str) -> None:
    """Raises RuleViolationError (field "url") for what is no address that Muster calls."""
    sentence = ""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not url.isascii() or not url.isprintable() or " " in url:
        sentence = "Type a whole address, such as https://mdm.example.org/muster."
    elif len(url) > LONGEST_URL:
        sentence = f"Use at most {LONGEST_URL} characters."
    elif "@" in parts.netloc or parts.fragment:
        sentence = (
            "Leave out name, password and what follows a #. The signature shows that it is Muster."
        )
    elif is_link_local(parts.hostname or ""):
        sentence = "This address is link-local. Muster calls none of those."
    if sentence:
        raise RuleViolationError(sentence, field="url")


def _sort(types: Collection[str]) -> list[str]:
    return [each for each in TYPES if each in types]


def _last_sealed() -> int:
    return db.session.get_one(AuditChain, 1).seq


def _forget_failures(endpoint: Endpoint) -> None:
    endpoint.tries = 0
    endpoint.failed_since = None
    endpoint.next_at = utcnow()


def _audit_details(endpoint: Endpoint) -> dict[str, Any]:
    return {"host": endpoint.name, "types": endpoint.types}
