"""The chain of the audit log: seals committed events, checks them, and prunes the oldest. docs/decisions/0014."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import delete, exists, or_, select, update

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
    """Give up to CHUNK events their place in the chain. Returns whether more may be left. Commits."""
    ripe = select(AuditEvent).where(*_ripe()).order_by(AuditEvent.id).limit(CHUNK)
    if not db.session.scalar(select(exists().where(*_ripe()))):
        db.session.rollback()
        return False
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if not _may_change(chain):
        return False
    if not chain.signature and (
        unstamped := db.session.scalars(ripe.where(AuditEvent.stamp.is_(None))).all()
    ):
        for event in unstamped:  # older than the stamps, or the chain was started over
            audit.stamp(event)
        db.session.commit()
        return True
    events = db.session.scalars(ripe.where(AuditEvent.stamp.is_not(None))).all()
    for event in events:
        chain.seq += 1
        chain.link = audit_hashes.chain_link(
            audit.key(), chain.link, chain.seq, event.id, event.stamp or ""
        )
        event.seq, event.link = chain.seq, chain.link
    chain.sealed_at = utcnow() if events else chain.sealed_at
    chain.signature = _signature(audit.key(), chain)
    seq, link = chain.seq, chain.link
    db.session.commit()
    _write_anchor(seq, link)
    return len(events) == CHUNK


def _ripe() -> tuple[Any, ...]:
    """Not sealed yet. A refusal is sealed only when its hour is over: until then it may be counted up."""
    return AuditEvent.seq.is_(None), or_(
        AuditEvent.action.not_like("%.refused"), AuditEvent.at <= utcnow() - HOUR
    )


def prune() -> int:
    """Delete up to CHUNK events from the start of the chain that are too old. Returns how many. Commits.

    The place and link of the last deleted event are kept: checking starts there.
    """
    days = in_force.settings().audit_days
    if not days:
        return 0
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if not _may_change(chain):
        return 0
    oldest = select(AuditEvent.seq, AuditEvent.link, AuditEvent.at).where(
        AuditEvent.seq > chain.first_seq
    )
    events = db.session.execute(oldest.order_by(AuditEvent.seq).limit(CHUNK)).all()
    old = list(takewhile(lambda event: event.at < day_before(days), events))
    if not old:
        db.session.rollback()
        return 0
    with audit.unlock():
        bulk_execute(delete(AuditEvent).where(AuditEvent.seq <= old[-1].seq))
    chain.first_seq, chain.first_link = old[-1].seq, old[-1].link
    chain.pruned += len(old)
    until = max([event.at for event in old] + ([chain.pruned_until] if chain.pruned_until else []))
    chain.pruned_until = until
    chain.signature = _signature(audit.key(), chain)
    audit.record(
        None, AuditAction.AUDIT_PRUNED, events=len(old), until=until.isoformat(), days=days
    )
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
    empty = {
        "seq": 0,
        "link": "",
        "sealed_at": None,
        "first_seq": 0,
        "first_link": "",
        "pruned": 0,
        "pruned_until": None,
    }
    bulk_execute(update(AuditChain).values(**empty, signature=""))
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
    _check_waiting(verdict, newest)
    if (
        not verdict.events
        and not chain.signature
        and db.session.scalar(select(Organisation.owner_id)) is not None
    ):
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
    for event in db.session.scalars(events.execution_options(yield_per=CHUNK)):
        place = event.seq or 0
        if place > seq + 1:
            verdict.add("missing", event, n=place - seq - 1)
        elif not any(
            event.link == audit_hashes.chain_link(key, link, seq + 1, event.id, event.stamp or "")
            for key in audit.all_keys()
        ):
            verdict.add("moved", event, place=place)
        _check_event(event, verdict)
        seq, link = place, event.link or ""
    if (seq, link) != (chain.seq, chain.link):
        verdict.add("cut_off", sealed=chain.seq, found=seq)


def _check_waiting(verdict: Verdict, newest: int | None) -> None:
    waiting = (
        select(AuditEvent).where(AuditEvent.seq.is_(None)).order_by(AuditEvent.id).limit(newest)
    )
    for event in db.session.scalars(waiting.execution_options(yield_per=CHUNK)):
        verdict.waiting += 1
        _check_event(event, verdict)


def _check_event(event: AuditEvent, verdict: Verdict) -> None:
    """Check that an event says what was recorded."""
    verdict.events += 1
    db.session.expunge(event)
    if event.stamp is None and not verdict.sealed_at:
        return  # before the first sealing there may be events that are older than the stamps
    values, personal, keys = audit.values_of(event), event.personal, audit.all_keys()
    with suppress(KeyError, TypeError):  # what somebody wrote there may have any shape
        stamps = [audit_hashes.digest_event(key, audit.facts(values), personal) for key in keys]
        unchanged = [
            any(audit_hashes.field_matches(key, name, values[name], personal[name]) for key in keys)
            for name in audit_hashes.PERSONAL
        ]
        if event.stamp in stamps and all(unchanged):
            return
    verdict.add("changed", event)


def _may_change(chain: AuditChain) -> bool:
    """Whether Muster wrote the chain's row. What others changed must not be sealed over."""
    if _is_genuine(chain):
        return True
    db.session.rollback()
    current_app.logger.error(
        "the audit log was changed by others, so nothing is sealed: run flask muster audit verify"
    )
    return False


def _is_genuine(chain: AuditChain) -> bool:
    if not chain.signature:
        return not chain.seq and not db.session.scalar(
            select(exists().where(AuditEvent.seq.is_not(None)))
        )
    return any(_signature(key, chain) == chain.signature for key in audit.all_keys())


def _signature(key: bytes, chain: AuditChain) -> str:
    sealed_at, pruned_until = (
        at.astimezone(UTC).isoformat() if at else "" for at in (chain.sealed_at, chain.pruned_until)
    )
    ends = (
        chain.seq,
        chain.link,
        sealed_at,
        chain.first_seq,
        chain.first_link,
        chain.pruned,
        pruned_until,
    )
    return audit_hashes.hmac_hex(key, "chain", *ends)


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
