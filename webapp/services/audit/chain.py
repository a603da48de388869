"""The chain of the audit log: seals committed events, checks them, and prunes the oldest. docs/decisions/0014."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from flask import current_app
from sqlalchemy import Select, delete, exists, or_, select, update

from webapp.core.security import audit_hashes
from webapp.core.text.audit_problems import Verdict
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import AuditChain, AuditEvent, Organisation
from webapp.services.audit import events as audit
from webapp.services.audit.actions import AuditAction
from webapp.services.audit.events import HOUR
from webapp.services.settings import in_force

CHUNK = 500
"""Events that are sealed or pruned in one transaction."""
NEWEST = 2000
"""Events that the doctor checks."""


def seal() -> bool:
    """Give up to CHUNK events their place in the chain. Returns whether more may be left. Commits.

    A refusal is sealed only when its hour is over: until then it may be counted up.
    """
    is_final = or_(AuditEvent.action.not_like("%.refused"), AuditEvent.at <= utcnow() - HOUR)
    ripe = select(AuditEvent).where(AuditEvent.seq.is_(None), is_final).order_by(AuditEvent.id)
    if db.session.scalar(ripe.limit(1)) is None:
        db.session.rollback()
        return False
    chain = _lock_chain()
    if chain is None:
        return False
    if not chain.signature:  # events are older than the stamps, or the chain was started over
        unstamped = ripe.where(AuditEvent.stamp.is_(None)).limit(CHUNK)
        if events := db.session.scalars(unstamped).all():
            for event in events:
                audit.stamp(event)
            db.session.commit()
            return True
    events = db.session.scalars(ripe.limit(CHUNK)).all()
    for event in events:
        chain.seq += 1
        chain.link = audit_hashes.chain_link(
            audit.key(), chain.link, chain.seq, event.id, event.stamp
        )
        event.seq, event.link = chain.seq, chain.link
    chain.sealed_at = utcnow()
    chain.signature = _sign(audit.key(), chain)
    seq, link = chain.seq, chain.link
    db.session.commit()
    _write_anchor(seq, link)
    return len(events) == CHUNK


def prune() -> int:
    """Delete up to CHUNK events from the start of the chain that are too old. Returns how many. Commits.

    The place and link of the last deleted event are kept: checking starts there.
    """
    days = in_force.settings().audit_days
    chain = _lock_chain() if days else None
    if not days or chain is None:
        return 0
    oldest = select(AuditEvent.seq, AuditEvent.link, AuditEvent.at).order_by(AuditEvent.seq)
    events = db.session.execute(oldest.where(AuditEvent.seq > chain.first_seq).limit(CHUNK)).all()
    old = list(takewhile(lambda event: event.at < day_before(days), events))
    if not old:
        db.session.rollback()
        return 0
    last = old[-1]
    with audit.unlock():
        bulk_execute(delete(AuditEvent).where(AuditEvent.seq <= last.seq))
    chain.first_seq, chain.first_link = last.seq, last.link
    chain.pruned += len(old)
    chain.pruned_until = max(event.at for event in old)
    chain.signature = _sign(audit.key(), chain)
    until = chain.pruned_until.isoformat()
    audit.record(None, AuditAction.AUDIT_PRUNED, events=len(old), until=until, days=days)
    db.session.commit()
    return len(old)


def day_before(days: int) -> datetime:
    """Midnight (UTC) so many days ago: what is older is pruned, once a day."""
    return utcnow().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


def start_over() -> Verdict:
    """Start a new chain from the present log. Records this and the number of problems. Commits.

    For when the former key is lost, or when the changes are known and accepted. Returns what checking found.
    """
    verdict = verify()
    begin_write()
    with audit.unlock():
        bulk_execute(update(AuditEvent).values(stamp=None, personal={}, seq=None, link=None))
    db.session.delete(db.session.get_one(AuditChain, 1))
    db.session.flush()
    db.session.add(AuditChain(id=1))
    _anchor().unlink(missing_ok=True)
    audit.record(None, AuditAction.AUDIT_BEGUN_ANEW, problems=verdict.wrong, found=verdict.problems)
    db.session.commit()
    return verdict


def verify(newest: int | None = None) -> Verdict:
    """Check every event, its place in the chain, and both ends of the chain. newest: only so many of the last events."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    chain = db.session.get_one(AuditChain, 1)
    verdict = Verdict(chain.sealed_at, chain.pruned)
    if not _is_genuine(chain):
        verdict.add("ends_changed")
    _check_sealed(chain, verdict, newest)
    waiting = select(AuditEvent).where(AuditEvent.seq.is_(None)).order_by(AuditEvent.id)
    for event in _stream(waiting.limit(newest)):
        verdict.waiting += 1
        _check_event(event, verdict)
    is_set_up = db.session.scalar(select(Organisation.owner_id)) is not None
    if is_set_up and not verdict.events and not chain.signature:
        verdict.add("empty")
    anchor = _read_anchor()
    if anchor and _is_missing(*anchor):
        verdict.add("anchor_missing", link=anchor[0], file=_anchor().name)
    db.session.rollback()
    return verdict


def _check_sealed(chain: AuditChain, verdict: Verdict, newest: int | None) -> None:
    seq, link = chain.first_seq, chain.first_link
    events = select(AuditEvent).where(AuditEvent.seq.is_not(None)).order_by(AuditEvent.seq)
    if newest and chain.seq - newest > seq:
        seq = chain.seq - newest
        link = db.session.scalar(select(AuditEvent.link).where(AuditEvent.seq == seq)) or ""
        events = events.where(AuditEvent.seq > seq)
    for event in _stream(events):
        place = event.seq or 0
        links = [
            audit_hashes.chain_link(key, link, seq + 1, event.id, event.stamp)
            for key in audit.all_keys()
        ]
        if place > seq + 1:
            verdict.add("missing", event, n=place - seq - 1)
        elif event.link not in links:
            verdict.add("moved", event, place=place)
        _check_event(event, verdict)
        seq, link = place, event.link or ""
    if (seq, link) != (chain.seq, chain.link):
        verdict.add("cut_off", sealed=chain.seq, found=seq)


def _stream(query: Select[AuditEvent]) -> Iterator[AuditEvent]:
    """The events one by one, without holding all of them."""
    for event in db.session.scalars(query.execution_options(yield_per=CHUNK)):
        db.session.expunge(event)
        yield event


def _check_event(event: AuditEvent, verdict: Verdict) -> None:
    verdict.events += 1
    if event.stamp is None and not verdict.sealed_at:
        return  # before the first sealing there may be events that are older than the stamps
    values = audit.values_of(event)
    if not audit_hashes.is_unchanged(audit.all_keys(), values, event.personal, event.stamp):
        verdict.add("changed", event)


# The ends of the chain


def _lock_chain() -> AuditChain | None:
    """Begin a writing transaction. Returns the chain's row, or None if others changed it: that must not be sealed over."""
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if _is_genuine(chain):
        return chain
    db.session.rollback()
    current_app.logger.error(
        "the audit log was changed by others, so nothing is sealed: run flask muster audit verify"
    )
    return None


def _is_genuine(chain: AuditChain) -> bool:
    if chain.signature:
        return chain.signature in [_sign(key, chain) for key in audit.all_keys()]
    is_sealed = select(exists().where(AuditEvent.seq.is_not(None)))
    return not chain.seq and not db.session.scalar(is_sealed)


def _sign(key: bytes, chain: AuditChain) -> str:
    sealed_at, pruned_until = (
        at.astimezone(UTC).isoformat() if at else "" for at in (chain.sealed_at, chain.pruned_until)
    )
    first = (chain.first_seq, chain.first_link, chain.pruned, pruned_until)
    return audit_hashes.hmac_hex(key, "chain", chain.seq, chain.link, sealed_at, *first)


# The last link is kept outside of the database: that shows that an older copy of the database was put back.


def _anchor() -> Path:
    return in_force.environment().data_dir / "audit_head"


def _read_anchor() -> tuple[int, str] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_anchor().read_text(encoding="ascii"))
        return int(kept["seq"]), str(kept["link"])
    return None


def _write_anchor(seq: int, link: str) -> None:
    """Note the last link, unless the one that is noted is not in the chain any more."""
    kept = _read_anchor()
    if kept and (seq <= kept[0] or _is_missing(*kept)):
        return
    temporary = _anchor().with_suffix(f".{os.getpid()}")
    try:
        temporary.write_text(json.dumps({"seq": seq, "link": link}), encoding="ascii")
        os.replace(temporary, _anchor())
    except OSError as error:
        current_app.logger.warning("the audit log's last link could not be kept: %s", error)


def _is_missing(seq: int, link: str) -> bool:
    """Whether the chain lacks this link, and was not pruned beyond it."""
    first_seq = db.session.scalar(select(AuditChain.first_seq)) or 0
    found = db.session.scalar(select(AuditEvent.link).where(AuditEvent.seq == seq))
    db.session.rollback()
    return seq > first_seq and found != link
