"""The audit log's chain: events are sealed in the order in which a worker finds them committed, checked, and pruned.

Workers that record events never wait for the chain: an event is sealed afterwards, by whoever holds the one row of
`AuditChain`. docs/decisions/0014.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import delete, exists, or_, select, update

from webapp.core.security import audit_hashes
from webapp.core.text.formatting import full, plural
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditChain, AuditEvent, Organisation
from webapp.services.audit import events as audit
from webapp.services.audit.events import HOUR, AuditAction
from webapp.services.settings import in_force

CHUNK = 500
"""Events sealed or pruned in one transaction."""
SHOWN = 20
"""Problems that are told one by one."""
NEWEST = 2000
"""Events that are checked where not all of them are."""


# Sealed


def seal() -> bool:
    """Seal committed events, up to CHUNK of them. -> whether more may be left.

    Nothing is done after somebody changed the chain's own row.
    """
    if not db.session.scalar(select(exists().where(*_ripe()))):
        db.session.rollback()
        return False
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if not _went_on(chain):
        return False
    adopted = _adopted() if not chain.signature else 0
    events = () if adopted else db.session.scalars(_unsealed()).all()
    for event in events:
        chain.seq, before = chain.seq + 1, chain.link
        chain.link = audit_hashes.link(audit.key(), before, chain.seq, event.id, event.stamp or "")
        event.seq, event.link = chain.seq, chain.link
    if events:
        chain.sealed_at = utcnow()
        sign(chain)
    head = chain.seq, chain.link
    db.session.commit()
    if events:
        _keep(*head)
    return bool(adopted) or len(events) == CHUNK


def _ripe() -> tuple[Any, ...]:
    """Not sealed yet; and a refusal only when its hour is over, as until then it may be counted up."""
    return AuditEvent.seq.is_(None), or_(AuditEvent.action.not_like("%.refused"), AuditEvent.at <= utcnow() - HOUR)


def _unsealed() -> Any:
    query = select(AuditEvent).where(*_ripe(), AuditEvent.stamp.is_not(None))
    return query.order_by(AuditEvent.id).limit(CHUNK)


def _adopted() -> int:
    """Part of a command, while nothing was ever sealed: events from before there were stamps get theirs."""
    query = select(AuditEvent).where(AuditEvent.stamp.is_(None)).order_by(AuditEvent.id).limit(CHUNK)
    old = db.session.scalars(query).all()
    for event in old:
        audit.stamp(event)
    return len(old)


def _went_on(chain: AuditChain) -> bool:
    """Whether the held chain may be gone on with: what others changed must not be sealed over."""
    if is_genuine(chain):
        return True
    db.session.rollback()
    current_app.logger.error("the audit log was changed by others, so nothing is sealed: run flask muster audit verify")
    return False


def is_genuine(chain: AuditChain) -> bool:
    """Whether the chain's row says what Muster wrote there."""
    if not chain.signature:
        return not chain.seq and not db.session.scalar(select(exists().where(AuditEvent.seq.is_not(None))))
    return any(_signature(key, chain) == chain.signature for key in audit.all_keys())


def sign(chain: AuditChain) -> None:
    """Part of a command that changed the chain's row."""
    chain.signature = _signature(audit.key(), chain)


def _signature(key: bytes, chain: AuditChain) -> str:
    ends = chain.seq, chain.link, _iso(chain.sealed_at)
    return audit_hashes.keyed(key, "chain", *ends, chain.first_seq, chain.first_link, chain.pruned, _iso(chain.pruned_until))


def _iso(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else ""


# The last link, kept outside of the database


def _anchor() -> Path:
    return in_force.environment().data_dir / "audit_head"


def _kept() -> tuple[int, str] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_anchor().read_text(encoding="ascii"))
        return int(kept["seq"]), str(kept["link"])
    return None


def _keep(seq: int, link: str) -> None:
    """Note the last link in the data folder, unless what is noted there is no part of the chain any more."""
    if (kept := _kept()) and (seq <= kept[0] or _missing(kept)):
        return
    beside = _anchor().with_suffix(f".{os.getpid()}")
    try:
        beside.write_text(json.dumps({"seq": seq, "link": link}), encoding="ascii")
        os.replace(beside, _anchor())
    except OSError as error:
        current_app.logger.warning("the audit log's last link could not be kept: %s", error)


def _missing(kept: tuple[int, str]) -> bool:
    """Whether the chain lacks this link, and was not pruned beyond it."""
    seq, link = kept
    chain = db.session.get_one(AuditChain, 1)
    found = db.session.scalar(select(AuditEvent.link).where(AuditEvent.seq == seq))
    db.session.rollback()
    return seq > chain.first_seq and found != link


# Checked


@dataclass
class Verdict:
    """What checking found. events: all that were looked at; waiting: those not sealed yet. problems: sentences, the first
    SHOWN of `wrong`. first: the event that the first of them is about, in words.
    """

    events: int = 0
    waiting: int = 0
    wrong: int = 0
    problems: list[str] = field(default_factory=list)
    first: str = ""
    sealed_at: datetime | None = None
    pruned: int = 0

    def blame(self, sentence: str, event: AuditEvent | None = None) -> None:
        self.wrong += 1
        if event and self.wrong == 1:
            self.first = f"event {event.id} of {full(event.at, in_force.settings().time_zone)}"
        if self.wrong <= SHOWN:
            self.problems.append(sentence)

    @property
    def lines(self) -> list[str]:
        """What `flask muster audit verify` prints."""
        zone = in_force.settings().time_zone
        until = f"sealed until {full(self.sealed_at, zone)}" if self.sealed_at else "none of them sealed yet"
        counted = f"{plural(self.events, 'event')}, {until}"
        if not self.wrong:
            notes = [f"{plural(self.waiting, 'event')} not sealed yet"] if self.waiting and self.sealed_at else []
            notes += [f"{plural(self.pruned, 'older event')} pruned"] if self.pruned else []
            return [f"{counted}, nothing was changed.", *(f"{note}." for note in notes)]
        more = [f"And {plural(self.wrong - SHOWN, 'problem')} more."] if self.wrong > SHOWN else []
        return [f"{counted}, {plural(self.wrong, 'problem')}:", *self.problems, *more]

    @property
    def advice(self) -> list[str]:
        """What it prints below that, where something was found: what it means, and what to do."""
        if not self.wrong:
            return []
        whole = f"What stands before {self.first} is whole. " if self.first else ""
        meaning = f"{whole}What is named above is not what Muster left there: somebody who can write to the database changed it."
        return [meaning, "What to do:", *(f"{number}. {each}" for number, each in enumerate(_ADVICE, start=1))]


_ADVICE = (
    "If MUSTER_SECRET_KEY was changed, name the former key in MUSTER_SECRET_KEY_FALLBACKS and check again.",
    "Keep a copy of everything as it is now, before anything else: flask --app wsgi muster backup FILE.",
    "Restore your last backups into other data folders and check them there. The newest one that is whole shows what the entries "
    "said; so does an export of the log that is kept elsewhere.",
    "Find out who could write to the database or the data folder, and change its passwords. Whoever could read the secret key "
    "could write entries that pass: change that, too.",
    "Only when you know what was changed: flask --app wsgi muster audit begin-anew seals the log as it stands, and records that.",
)


def verify(newest: int | None = None) -> Verdict:
    """Check every event, its place in the chain, and both ends of the chain. One snapshot; reads all events once.

    newest: no more than so many sealed events and so many others, which are taken to follow on what stands before them.
    """
    db.session.rollback()
    if db.engine.dialect.name == "postgresql":
        db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    chain, verdict, keys = db.session.get_one(AuditChain, 1), Verdict(), audit.all_keys()
    verdict.sealed_at, verdict.pruned = chain.sealed_at, chain.pruned
    if not is_genuine(chain):
        verdict.blame("The chain’s own record of its ends was changed, so its end or its beginning may be missing.")
    seq, link = _walk(chain, verdict, keys, newest)
    if (seq, link) != (chain.seq, chain.link):
        gone = chain.seq - seq
        told = f"{plural(gone, 'sealed event')} at the end {'is' if gone == 1 else 'are'} missing" if gone > 0 else "it goes on"
        verdict.blame(f"The chain was sealed up to {chain.seq:,}, and {told}.")
    for event in _each(select(AuditEvent).where(AuditEvent.seq.is_(None)).order_by(AuditEvent.id).limit(newest)):
        verdict.waiting += 1
        _check(event, verdict, keys)
    verdict.events += verdict.waiting
    if not verdict.events and not chain.signature and _is_set_up():
        verdict.blame("The log is empty, though Muster was set up: its events were deleted, and what was known of them.")
    if (kept := _kept()) and _missing(kept):
        verdict.blame(
            f"Link {kept[0]:,}, which is noted in {_anchor().name} of the data folder, is no part of the chain: "
            "the log was cut off or replaced, or a backup from before was restored. If that was you, remove that file."
        )
    db.session.rollback()
    return verdict


def _is_set_up() -> bool:
    """Whether there is an Owner: that was recorded, so the log was never empty since."""
    return db.session.scalar(select(Organisation.owner_id).where(Organisation.id == 1)) is not None


def _walk(chain: AuditChain, verdict: Verdict, keys: list[bytes], newest: int | None) -> tuple[int, str]:
    """Along the chain from its checkpoint, or from before its newest events. -> the place and the link at which it ends."""
    seq, link, stamps = chain.first_seq, chain.first_link, set[str]()
    query = select(AuditEvent).where(AuditEvent.seq.is_not(None)).order_by(AuditEvent.seq)
    if newest and chain.seq - newest > seq:
        seq = chain.seq - newest
        link = db.session.scalar(select(AuditEvent.link).where(AuditEvent.seq == seq)) or ""
        query = query.where(AuditEvent.seq > seq)
    for event in _each(query):
        verdict.events += 1
        assert event.seq is not None
        if event.seq <= chain.first_seq:
            verdict.blame(
                f"Event {event.id} stands before the checkpoint, where all events were pruned: it was put there.", event
            )
            continue
        if missing := event.seq - seq - 1:
            verdict.blame(
                f"Before event {event.id}: {plural(missing, 'sealed event')} {'is' if missing == 1 else 'are'} missing.", event
            )
        wanted = [audit_hashes.link(key, link, event.seq, event.id, event.stamp or "") for key in keys]
        if not missing and event.link not in wanted:
            verdict.blame(
                f"Event {event.id} is not the one that was sealed in its place ({event.seq:,}), or not in that order.", event
            )
        if event.stamp in stamps:
            verdict.blame(f"Event {event.id} is a copy of another one.", event)
        stamps.add(event.stamp or "")
        _check(event, verdict, keys)
        seq, link = event.seq, event.link or ""
    return seq, link


def _check(event: AuditEvent, verdict: Verdict, keys: list[bytes]) -> None:
    """Whether an event says what was recorded."""
    values, personal = audit.told_by(event), event.personal
    if event.stamp is None:
        if verdict.sealed_at:  # until the first sealing there may be events from before there were stamps
            verdict.blame(f"Event {event.id} ({event.action}) was not written by Muster, or its stamp was removed.", event)
        return
    try:
        if not any(audit_hashes.stamp(key, audit.facts(values), personal) == event.stamp for key in keys):
            verdict.blame(f"Event {event.id} ({event.action}) was changed, or not written by Muster.", event)
            return
        for name in audit_hashes.PERSONAL:
            if not any(audit_hashes.is_kept(key, name, values[name], personal[name]) for key in keys):
                verdict.blame(
                    f"Event {event.id} ({event.action}): its {name} {'were' if name == 'details' else 'was'} changed.", event
                )
    except (KeyError, TypeError, AttributeError):
        verdict.blame(f"Event {event.id} ({event.action}) was changed, or not written by Muster.", event)


def _each(query: Any) -> Iterator[AuditEvent]:
    for event in db.session.scalars(query.execution_options(yield_per=CHUNK)):
        yield event
        db.session.expunge(event)


def begin_anew() -> Verdict:
    """A command for who runs the server: what stands in the log now is taken as it is, and sealed into a new chain.

    For when the former key is lost, or what was changed is known and accepted. That it was done, and what checking had
    found, is the first thing that is recorded in the new chain. -> what checking found.
    """
    verdict = verify()
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    with audit.unlocked():
        bare: dict[str, Any] = {"stamp": None, "personal": {}, "seq": None, "link": None}
        db.session.execute(update(AuditEvent).values(**bare), execution_options={"synchronize_session": False})
    chain.seq = chain.first_seq = 0
    chain.link = chain.first_link = chain.signature = ""
    chain.sealed_at = chain.pruned_until = None
    chain.pruned = 0
    _anchor().unlink(missing_ok=True)
    audit.record(None, AuditAction.AUDIT_BEGUN_ANEW, problems=verdict.wrong, found=verdict.problems)
    db.session.commit()
    return verdict


# Pruned


def prune() -> int:
    """Delete the oldest events of the chain, up to CHUNK, that happened before the days that are kept. -> how many.

    What was deleted last is the checkpoint from which the chain is checked.
    """
    days = in_force.settings().audit_days
    if not days:
        return 0
    begin_write()
    chain = db.session.get_one(AuditChain, 1)
    if not _went_on(chain):
        return 0
    until = day_before(days)
    query = select(AuditEvent.seq, AuditEvent.link, AuditEvent.at).where(AuditEvent.seq > chain.first_seq)
    old = []
    for event in db.session.execute(query.order_by(AuditEvent.seq).limit(CHUNK)):
        if event.at >= until:
            break
        old.append(event)
    if not old:
        db.session.rollback()
        return 0
    last = old[-1]
    with audit.unlocked():
        db.session.execute(delete(AuditEvent).where(AuditEvent.seq <= last.seq), execution_options={"synchronize_session": False})
    chain.first_seq, chain.first_link, chain.pruned = last.seq, last.link, chain.pruned + len(old)
    chain.pruned_until = max(filter(None, (chain.pruned_until, *(event.at for event in old))))
    sign(chain)
    audit.record(None, AuditAction.AUDIT_PRUNED, events=len(old), until=chain.pruned_until.isoformat(), days=days)
    db.session.commit()
    return len(old)


def day_before(days: int) -> datetime:
    """The first moment that is kept: midnight (UTC) so many days ago, so that what is over is pruned once a day."""
    today = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)
