"""The chain of the audit log: seals committed events, checks them, and prunes the oldest. docs/decisions/0014."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import delete, func, or_, select

from webapp.core.security import audit_hashes
from webapp.core.text.audit_problems import Verdict
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.models import AuditChain, AuditEvent, Endpoint
from webapp.services.audit import events as audit
from webapp.services.settings import in_force

CHUNK = 500
"""Events that are sealed in one transaction."""
HELD_DAYS = 30
"""For so long events that are too old are kept where a webhook's endpoint was not told of them yet."""


def seal() -> bool:
    """Give up to CHUNK events their place in the chain. Returns whether more may be left. Commits.

    A refusal is sealed only when its hour is over: until then it may be counted up.
    """
    is_final = or_(
        AuditEvent.action.not_like("%.refused"),
        AuditEvent.at <= utcnow() - audit.HOUR,
    )
    ripe = (
        select(AuditEvent)
        .where(AuditEvent.seq.is_(None), is_final)
        .order_by(AuditEvent.id)
        .limit(CHUNK)
    )
    if db.session.scalar(ripe.limit(1)) is None:
        db.session.rollback()
        return False
    chain = _lock_chain()
    if chain is None:
        return False
    lost = _find_missing_link(chain)
    events = db.session.scalars(ripe).all()
    keys = audit.keys()
    for event in events:
        chain.seq += 1
        event.seq = chain.seq
        event.link = audit_hashes.sign(keys, *_list_linked(chain.link, event))
        chain.link = event.link
    chain.sealed_at = utcnow()
    chain.signature = audit_hashes.sign(keys, *_list_signed(chain))
    noted = json.dumps({"seq": chain.seq, "link": chain.link})
    db.session.commit()
    if not lost:  # later links must not hide that one is missing
        with suppress(OSError):  # the doctor says if the data folder cannot be written
            _anchor().write_text(noted)
    return len(events) == CHUNK


def prune() -> int:
    """Delete the events that are too old, from the start of the chain. Returns how many. Commits.

    What an endpoint of a webhook was not told yet is held, for HELD_DAYS at most. The place and link of the last deleted
    event are kept: checking starts there.
    """
    days = in_force.settings().audit_days
    chain = _lock_chain() if days else None
    if not days or chain is None:
        return 0
    bound = day_before(days)
    told = db.session.scalar(select(func.min(Endpoint.cursor)))
    is_free = or_(
        AuditEvent.seq <= (chain.seq if told is None else told),
        AuditEvent.at < bound - timedelta(days=HELD_DAYS),
    )
    old = (
        select(AuditEvent.seq, AuditEvent.link)
        .where(AuditEvent.seq > chain.first_seq, AuditEvent.at < bound, is_free)
        .order_by(AuditEvent.seq.desc())
        .limit(1)
    )
    last = db.session.execute(old).first()
    if last is None:
        db.session.rollback()
        return 0
    with audit.unlock():
        bulk_execute(delete(AuditEvent).where(AuditEvent.seq <= last.seq))
    pruned: int = last.seq - chain.first_seq
    chain.first_seq = last.seq
    chain.first_link = last.link
    chain.pruned += pruned
    chain.pruned_until = bound
    chain.signature = audit_hashes.sign(audit.keys(), *_list_signed(chain))
    audit.record(None, "audit.pruned", events=pruned, days=days)
    db.session.commit()
    return pruned


def day_before(days: int) -> datetime:
    """Midnight (UTC) so many days ago: what is older is pruned, once a day."""
    day = utcnow() - timedelta(days=days)
    return datetime.combine(day, time(), UTC)


def start_over() -> Verdict:
    """Start a new chain from the present log. Records this and the number of problems. Commits.

    For when the former key is lost, or when the changes are known and accepted. Returns what checking found.
    """
    verdict = verify()
    begin_write()
    _move_cursors()
    with audit.unlock():
        for event in db.session.scalars(select(AuditEvent)):
            audit.stamp(event)
            event.seq = None
            event.link = None
    db.session.delete(db.session.get_one(AuditChain, 1))
    db.session.flush()
    db.session.add(AuditChain(id=1))
    _anchor().unlink(missing_ok=True)
    audit.record(None, "audit.begun_anew", problems=len(verdict.problems))
    db.session.commit()
    return verdict


def _move_cursors() -> None:
    """Before all events get new places, in the order of their ids: each endpoint goes on at the first that it was not told.

    None is lost; one that is sealed earlier than before may be told twice, with the same id. Does not commit.
    """
    for endpoint in db.session.scalars(select(Endpoint)):
        is_behind = or_(AuditEvent.seq.is_(None), AuditEvent.seq > endpoint.cursor)
        is_told_of = AuditEvent.action.not_like("%.refused")
        first = db.session.scalar(select(func.min(AuditEvent.id)).where(is_behind, is_told_of))
        before = select(func.count(AuditEvent.id)).where(AuditEvent.seq.is_not(None))
        if first is not None:
            before = before.where(AuditEvent.id < first)
        endpoint.cursor = db.session.scalar(before) or 0


def verify() -> Verdict:
    """Check every event, its place in the chain, and both ends of the chain."""
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    chain = db.session.get_one(AuditChain, 1)
    verdict = Verdict(chain.sealed_at)
    if not _is_genuine(chain):
        verdict.add("ends_changed")
    keys = audit.keys()
    seq = chain.first_seq
    link: str | None = chain.first_link
    events = (
        select(AuditEvent)
        .order_by(AuditEvent.seq.nulls_last(), AuditEvent.id)
        .execution_options(yield_per=CHUNK)
    )
    for event in db.session.scalars(events):
        verdict.events += 1
        about = {"event": event.id, "action": event.action}
        if event.seq is not None:
            linked = _list_linked(link, event)
            if not audit_hashes.is_signed(keys, event.link, *linked):
                verdict.add("broken", **about, place=event.seq)
            seq = event.seq
            link = event.link
        values = audit.values_of(event)
        if not audit_hashes.is_unchanged(keys, values, event.personal, event.stamp):
            verdict.add("changed", **about)
    if (seq, link) != (chain.seq, chain.link):
        verdict.add("cut_off", sealed=chain.seq, found=seq)
    if lost := _find_missing_link(chain):
        verdict.add("anchor_missing", link=lost, file=_anchor().name)
    db.session.rollback()
    return verdict


def _lock_chain() -> AuditChain | None:
    """Begin a writing transaction. Returns the chain's row, or None if others changed it: that must not be sealed over."""
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if _is_genuine(chain):
        return chain
    db.session.rollback()
    current_app.logger.error(
        "the audit log was changed by others, so nothing is sealed: run muster audit verify"
    )
    return None


def _is_genuine(chain: AuditChain) -> bool:
    if chain.signature:
        signed = _list_signed(chain)
        return audit_hashes.is_signed(audit.keys(), chain.signature, *signed)
    sealed = select(AuditEvent.id).where(AuditEvent.seq.is_not(None))
    return not chain.seq and db.session.scalar(sealed.limit(1)) is None


def _list_signed(chain: AuditChain) -> Sequence[Any]:
    return (
        "chain",
        chain.seq,
        chain.link,
        chain.sealed_at or "",
        chain.first_seq,
        chain.first_link,
        chain.pruned,
        chain.pruned_until or "",
    )


def _list_linked(previous: str | None, event: AuditEvent) -> Sequence[Any]:
    return (
        "link",
        previous or "",
        event.seq,
        event.id,
        event.stamp or "",
    )


def _anchor() -> Path:
    """The file with the last link. It shows that an older copy of the database was put back."""
    return in_force.environment().data_dir / "audit_head"


def _find_missing_link(chain: AuditChain) -> int:
    """The place of the link in the file, if the chain lacks it and was not pruned beyond it; else 0."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_anchor().read_text())
        seq = int(noted["seq"])
        query = select(AuditEvent.link).where(AuditEvent.seq == seq)
        link = db.session.scalar(query)
        if seq > chain.first_seq and link != noted["link"]:
            return seq
    return 0
