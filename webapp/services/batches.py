"""Batches: staged, changed, confirmed, worked off, paused, ended; and what their pages show."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update

from webapp import queue
from webapp.core import columns, tables
from webapp.core.addresses import parse
from webapp.core.directory import Registry
from webapp.core.errors import Conflict, NotThere
from webapp.core.planning import Access, Mode, Plan, Step
from webapp.core.words import plural
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchKind, BatchState, Invitation, InvitationState, Outcome, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services import audit, directory, outbox, plans, steps
from webapp.services.audit import AuditAction

PAGE = 100
"""Rows on one page of the review."""

AT_WORK = (BatchState.QUEUED, BatchState.PROCESSING, BatchState.PAUSED)
STANDING_STATES = (BatchState.REVIEWING, *AT_WORK)


# Staging


def stage(data: bytes, name: str, by: User) -> Batch:
    """Read an uploaded file into a batch under review; good and bad rows are both kept. One commit.

    Raises core.tables.UnreadableFile, with a title and what to do, where nothing can be staged.
    """
    settings = directory.settings()
    table = tables.read(data, name)
    mapping = columns.match(table.header)
    extract = columns.extract(table, mapping)
    if len(extract.cells) > settings.max_rows:
        raise tables.UnreadableFile(
            f"This file has {plural(len(extract.cells), 'user')}. The limit is {settings.max_rows:,} per file.",
            "Nothing was sent. Split the file into parts of that size and upload them one after another.",
        )
    if not extract.cells:
        raise tables.UnreadableFile("This file is empty.", "Add at least one user below the header row.")
    batch = Batch(
        kind=BatchKind.UPLOAD,
        state=BatchState.REVIEWING,
        name=_file_name(name),
        content_hash=hashlib.sha256(data).hexdigest(),
        facts=columns.describe(table, mapping, extract),
        header=list(table.header),
        mode=Mode.REPLACE,
        change_roles=False,
        skip_errors=False,
        valid_days=settings.invite_days,
        directory_version=directory.version(),
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        counts={},
    )
    policy = plans.policy_of(batch, by, directory.registry(by))
    cells = [(row.line, {"email": row.email, "role": row.role, "groups": row.groups}) for row in extract.cells]
    judgements = plans.judged(cells, policy)
    for judgement in judgements.values():
        plans.count(batch, judgement.step.plan, judgement.step.as_dict(), +1)

    begin_write()
    db.session.add(batch)
    db.session.flush()
    db.session.execute(
        insert(Row),
        [
            {"batch_id": batch.id, "line": line}
            | {f"read_{field}": row[field] for field in FIELDS}
            | row
            | judgements[line].values()
            for line, row in cells
        ],
    )
    audit.record(by, AuditAction.BATCH_UPLOADED, batch, rows=len(cells))
    db.session.commit()
    return batch


def _file_name(name: str) -> str:
    """The last part of the name, printable, at most 255 characters."""
    printable = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())
    return printable[-255:] or "upload.csv"


def stage_again(batch_id: int, by: User) -> Batch:
    """A new batch under review from those rows of a finished one whose people had changed since its review."""
    begin_write()
    old = found(batch_id)
    rows = changed_since(old)
    if not rows:
        raise Conflict("No row of this upload was skipped because of a change.")
    batch = Batch(
        kind=old.kind,
        state=BatchState.REVIEWING,
        name=old.name,
        facts=[f"{plural(len(rows), 'row')} of upload {old.id} that had changed since its review"],
        header=old.header,
        mode=old.mode,
        change_roles=old.change_roles,
        skip_errors=False,
        valid_days=old.valid_days,
        directory_version=directory.version(),
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        counts={},
    )
    db.session.add(batch)
    db.session.flush()
    for row in rows:
        cells = {field: row.cell(field) for field in FIELDS}
        db.session.add(Row(batch_id=batch.id, line=row.line, **cells, **{f"read_{f}": v for f, v in cells.items()}))
        plans.count(batch, Plan.ATTENTION, {}, +1)  # until refresh() below plans it
    db.session.flush()
    refresh(batch)
    audit.record(by, AuditAction.BATCH_UPLOADED, batch, rows=len(rows), again=old.id)
    db.session.commit()
    return batch


# What a command begins with


def locked(batch_id: int) -> Batch:
    """Part of a command, after begin_write(): the batch as it is now, held until the commit. Raises NotThere."""
    batch = db.session.get(Batch, batch_id, with_for_update={"of": Batch}, populate_existing=True)
    if batch is None:
        raise NotThere("There is no such upload.")
    return batch


def under_review(batch_id: int) -> Batch:
    """Part of a command: the locked batch, which is still under review. Raises Conflict where it no longer is."""
    batch = locked(batch_id)
    if batch.state is not BatchState.REVIEWING:
        raise Conflict(_no_longer(batch))
    return batch


def _no_longer(batch: Batch) -> str:
    if batch.state is BatchState.DISCARDED:
        return "This upload was discarded in the meantime. Nothing was sent."
    who = f" by {batch.confirmed_by.name}" if batch.confirmed_by else ""
    return f"This upload was already confirmed{who}. What was sent is on its page."


# Changing how a batch is applied


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch is applied; None leaves an option as it is."""

    mode: Mode | None = None
    change_roles: bool | None = None
    skip_errors: bool | None = None


def change(batch_id: int, options: Options, by: User) -> Batch:
    """Set a batch's options; every plan that they bear on is made again."""
    begin_write()
    batch = under_review(batch_id)
    for name in ("mode", "change_roles", "skip_errors"):
        wanted = getattr(options, name)
        if wanted is not None and wanted != getattr(batch, name):
            _edited(batch, by, name, str(getattr(batch, name)), str(wanted))
            setattr(batch, name, wanted)
    refresh(batch)
    db.session.commit()
    return batch


def _edited(batch: Batch, by: User, field: str, before: str, after: str) -> None:
    batch.version += 1
    db.session.add(RowEdit(batch_id=batch.id, version=batch.version, user_id=by.id, field=field, before=before, after=after))


def refresh(batch: Batch) -> list[Row]:
    """Part of a command: make every plan again and store it. -> the rows whose plan changed."""
    rows = plans.standing_rows(batch)
    judgements = plans.judged_again(batch, rows)
    changed = plans.stale(rows, judgements)
    plans.store(batch, changed, judgements)
    batch.directory_version = directory.version()
    return changed


def refresh_if_stale(batch_id: int) -> None:
    """After a page was shown from plans made on the fly: store them, so that the next page need not."""
    begin_write()
    batch = locked(batch_id)
    if batch.state is BatchState.REVIEWING and batch.directory_version != directory.version():
        refresh(batch)
    db.session.commit()


# Confirm, pause, resume, cancel, discard


class Changed(Conflict):
    """What would be done is no longer what was seen; nothing was queued."""


def confirm(batch_id: int, version: int, by: User) -> bool:
    """Queue what was seen. -> False where the batch is confirmed already (twice is one confirm).

    version: the batch's version that the page showed. Raises Changed where somebody else edited since, or the
    directory has moved under a row; Conflict where the batch was discarded.
    """
    begin_write()
    batch = locked(batch_id)
    if batch.confirmed_by_id is not None:
        db.session.rollback()
        return False
    batch = under_review(batch_id)
    if others := _edits_by_others(batch, version, by):
        db.session.rollback()
        raise Changed(f"Nothing was sent. {others} Look at the rows again, then send.")
    if batch.directory_version != directory.version() or batch.planned_for_id != by.id:
        batch.planned_for = by
        if changed := refresh(batch):
            batch.version += 1
            db.session.commit()
            raise Changed(f"Nothing was sent. {_what_moved(changed)} Look again, then send.")
    if batch.counts.get(Plan.ATTENTION, 0) and not batch.skip_errors:
        db.session.commit()
        needing = batch.counts[Plan.ATTENTION]
        verb = "needs" if needing == 1 else "need"
        raise Changed(f"Nothing was sent. {plural(needing, 'row')} {verb} attention: fix them, or tick “Skip them”.")
    batch.state = BatchState.QUEUED
    batch.confirmed_by = by
    batch.confirmed_at = utcnow()
    audit.record(by, AuditAction.BATCH_CONFIRMED, batch, counts=batch.counts, **batch.settings())
    db.session.commit()
    _ring(batch_id)
    return True


def _edits_by_others(batch: Batch, version: int, by: User) -> str:
    """A sentence on what others changed after `version`, or "". One's own edits were seen by oneself."""
    edits = db.session.execute(
        select(User.name, RowEdit.field, Row.line)
        .join(User, User.id == RowEdit.user_id)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(RowEdit.batch_id == batch.id, RowEdit.version > version, RowEdit.user_id != by.id)
        .order_by(RowEdit.id.desc())
        .limit(4)
    ).all()
    told = [f"{name} changed {_field_name(field)}{f' in row {line}' if line else ''}." for name, field, line in edits[:3]]
    return " ".join(told + (["And more."] if len(edits) > 3 else []))


_FIELD_NAMES = {
    "mode": "the mode",
    "change_roles": "“Also change roles”",
    "skip_errors": "“Skip them”",
    "removed": "what is removed",
}


def _field_name(field: str) -> str:
    return _FIELD_NAMES.get(field, field.capitalize())


def _what_moved(rows: Sequence[Row]) -> str:
    lines = ", ".join(str(row.line) for row in rows[:5]) + (" …" if len(rows) > 5 else "")
    return f"What would happen has changed in {plural(len(rows), 'row')} ({lines}), because people, groups or roles changed."


def pause(batch_id: int, by: User) -> Batch:
    """Stop the claiming of rows; what is on its way to the mail server goes on."""
    return _switch(batch_id, by, (BatchState.QUEUED, BatchState.PROCESSING), BatchState.PAUSED, AuditAction.BATCH_PAUSED)


def resume(batch_id: int, by: User) -> Batch:
    """Go on where Pause stopped."""
    batch = _switch(batch_id, by, (BatchState.PAUSED,), BatchState.QUEUED, AuditAction.BATCH_RESUMED)
    _ring(batch_id)
    return batch


def cancel(batch_id: int, by: User) -> Batch:
    """Stop for good: rows that no worker has claimed yet are skipped."""
    return _switch(batch_id, by, AT_WORK, BatchState.CANCELLED, AuditAction.BATCH_CANCELLED)


def discard(batch_id: int, by: User) -> Batch:
    """Give up an upload that was not confirmed; its rows go."""
    begin_write()
    batch = under_review(batch_id)
    batch.state = BatchState.DISCARDED
    batch.counts = {}
    db.session.execute(Row.__table__.delete().where(Row.batch_id == batch_id))  # type: ignore[attr-defined]
    audit.record(by, AuditAction.BATCH_DISCARDED, batch)
    db.session.commit()
    return batch


def _switch(batch_id: int, by: User, old: Sequence[BatchState], new: BatchState, action: AuditAction) -> Batch:
    begin_write()
    batch = locked(batch_id)
    if batch.state not in old:
        db.session.rollback()
        raise Conflict(f"This upload is {batch.state.value} already; nothing was changed.")
    batch.state = new
    if new is BatchState.CANCELLED:
        batch.finished_at = utcnow()
        _settle_idle(batch)
        for plan in (Plan.INVITE, Plan.UPDATE):
            _settle(batch, plan, Outcome.SKIPPED, "Cancelled before it was done")
    audit.record(by, action, batch)
    db.session.commit()
    return batch


def _ring(batch_id: int) -> None:
    queue.ring("webapp.jobs.batches.process", batch_id, name=f"batch-{batch_id}")


# Working off, called by the worker


def _settle(batch: Batch, plan: Plan, outcome: Outcome, reason: str) -> None:
    db.session.execute(
        update(Row)
        .where(Row.batch_id == batch.id, Row.plan == plan, Row.outcome.is_(None), Row.removed_at.is_(None))
        .values(outcome=outcome, reason=reason, done_at=utcnow())
    )


def work_off(batch_id: int, limit: int) -> bool:
    """Claim up to `limit` rows, carry them out and commit, all in one transaction. -> whether rows may be left.

    A crash rolls the claim back with the work, so that no row is ever half done and no lease is needed.
    """
    begin_write()
    batch = found(batch_id)
    if batch.state is BatchState.QUEUED:
        _begin_work(batch_id)
        begin_write()
        batch = found(batch_id)
    if batch.state is not BatchState.PROCESSING:
        db.session.rollback()
        return False
    rows = _claimed(batch, limit)
    if rows:
        _carry_out_all(batch, rows)
    db.session.commit()
    outbox.finish_if_done(batch_id)
    return len(rows) == limit


def _begin_work(batch_id: int) -> None:
    """A command: from queued to processing, once; rows with nothing to do get their outcome in one statement each."""
    batch = locked(batch_id)
    if batch.state is BatchState.QUEUED:
        batch.state = BatchState.PROCESSING
        _settle_idle(batch)
    db.session.commit()


def _settle_idle(batch: Batch) -> None:
    _settle(batch, Plan.UNCHANGED, Outcome.UNCHANGED, "")
    for plan in (Plan.ATTENTION, Plan.DUPLICATE):
        _settle(batch, plan, Outcome.SKIPPED, "")


def _claimed(batch: Batch, limit: int) -> list[Row]:
    """Rows that nobody else works on: on PostgreSQL other workers skip what is locked here, on SQLite there is one writer."""
    unclaimed = (
        select(Row.id)
        .where(Row.batch_id == batch.id, Row.outcome.is_(None), Row.removed_at.is_(None))
        .order_by(Row.line)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = db.session.scalars(unclaimed).all()
    claim = update(Row).where(Row.id.in_(ids), Row.outcome.is_(None)).values(attempt=Row.attempt + 1)
    db.session.execute(claim, execution_options={"synchronize_session": False})
    return list(db.session.scalars(select(Row).where(Row.id.in_(ids)).order_by(Row.line)))


def _carry_out_all(batch: Batch, rows: Sequence[Row]) -> None:
    by = batch.confirmed_by
    assert by is not None
    registry = directory.registry(by)
    people = directory.people(row.email_key for row in rows if row.email_key)
    for row in rows:
        step = step_of(row)
        if hindrance := steps.obstacle(step, people.get(row.email_key or ""), registry, by):
            row.outcome, row.reason = hindrance
        else:
            with db.session.begin_nested():
                address = parse(row.email.strip(), registry.allowed_domains)
                row.outcome, invitation = steps.carry_out(
                    step, address, by, registry, valid_days=batch.valid_days, batch_id=batch.id, row_id=row.id
                )
                row.invitation_id = invitation.id if invitation else None
                row.reason = changes(step, registry) if row.outcome is Outcome.UPDATED else ""
        row.done_at = utcnow()
    directory.moved()


def step_of(row: Row) -> Step:
    """The stored plan of a row as the value that it was."""
    stored = row.step
    subject = stored.get("subject")
    return Step(
        plan=row.plan,
        subject=(subject[0], subject[1]) if subject else None,
        before=Access.from_dict(stored["before"]) if "before" in stored else None,
        after=Access.from_dict(stored["after"]) if "after" in stored else None,
        notes=tuple((code, text) for code, text in stored.get("notes", ())),
        marks=tuple(stored.get("marks", ())),
        twin=stored.get("twin"),
    )


def changes(step: Step, registry: Registry) -> str:
    """What changed, in words: "1 group added, 2 groups removed"."""
    if step.before is None or step.after is None:
        return ""
    told = []
    if step.before.role != step.after.role:
        names = [registry.role_by_id[id].name for id in (step.before.role, step.after.role)]
        told.append(f"role {names[0]} to {names[1]}")
    if step.before.everything != step.after.everything:
        told.append("all groups given" if step.after.everything else "all groups taken")
    if added := step.after.groups - step.before.groups:
        told.append(f"{plural(len(added), 'group')} added")
    if removed := step.before.groups - step.after.groups:
        told.append(f"{plural(len(removed), 'group')} removed")
    return ", ".join(told)


# Questions


def found(batch_id: int) -> Batch:
    """The batch. Raises NotThere."""
    batch = db.session.get(Batch, batch_id)
    if batch is None:
        raise NotThere("There is no such upload. It may have been removed; the list of uploads shows those there are.")
    return batch


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: rows start..end of total, and the neighbours' numbers (None at the ends)."""

    rows: Sequence[Row]
    number: int
    total: int

    @property
    def start(self) -> int:
        return (self.number - 1) * PAGE + 1 if self.total else 0

    @property
    def end(self) -> int:
        return self.start + len(self.rows) - 1 if self.total else 0

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number * PAGE < self.total else None


def review(batch: Batch, plan: Plan | None = None, number: int = 1) -> tuple[Page, bool]:
    """A page of the review, and whether it was made from plans newer than the stored ones.

    Where the directory has moved, the plans are made on the fly, for this answer alone: a GET does not write.
    """
    if batch.directory_version == directory.version():
        standing = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        query = standing.where(Row.plan == plan) if plan else standing
        total = batch.counts.get(plan, 0) if plan else size(batch)
        rows: Sequence[Row] = db.session.scalars(query.order_by(Row.line).limit(PAGE).offset((number - 1) * PAGE)).all()
        return Page(rows, number, total), False
    rows = plans.standing_rows(batch)
    judgements = plans.judged_again(batch, rows)
    for row in rows:
        db.session.expunge(row)
        plans.count(batch, row.plan, row.step, -1)
        for name, value in judgements[row.line].values().items():
            setattr(row, name, value)
        plans.count(batch, row.plan, row.step, +1)
    chosen = [row for row in rows if plan is None or row.plan is plan]
    return Page(chosen[(number - 1) * PAGE : number * PAGE], number, len(chosen)), True


def size(batch: Batch) -> int:
    """How many rows stand."""
    return sum(batch.counts.get(plan, 0) for plan in Plan)


def to_send(batch: Batch) -> int:
    """The exact number on the send button."""
    return batch.counts.get(Plan.INVITE, 0) + batch.counts.get(Plan.UPDATE, 0)


def same_file(batch: Batch) -> list[Batch]:
    """Other batches of the very same file that are under review or at work."""
    if not batch.content_hash:
        return []
    query = select(Batch).where(Batch.content_hash == batch.content_hash, Batch.id != batch.id, Batch.state.in_(STANDING_STATES))
    return list(db.session.scalars(query.order_by(Batch.id.desc()).limit(3)))


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a batch has come: rows by outcome, and how many of those to be invited or updated still wait."""

    by_outcome: Mapping[str, int]
    acting: int
    unclaimed: int
    """Rows to be invited or updated that no worker has claimed yet."""
    time_left: timedelta | None

    def __getitem__(self, outcome: str) -> int:
        return self.by_outcome.get(outcome, 0)

    @property
    def waiting(self) -> int:
        return self["waiting"] + self.unclaimed

    @property
    def done(self) -> int:
        return self.acting - self.waiting

    @property
    def total(self) -> int:
        return sum(self.by_outcome.values())


def tally(batch: Batch) -> Tally:
    """Counts by outcome, in one query, and an estimate of the time left."""
    query = (
        select(Row.outcome, Row.plan, func.count())
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .group_by(Row.outcome, Row.plan)
    )
    by_outcome: Counter[str] = Counter()
    unclaimed = 0
    for outcome, plan, n in db.session.execute(query):
        if outcome is not None:
            by_outcome[outcome] += n
        elif plan in (Plan.INVITE, Plan.UPDATE):
            unclaimed += n
    made = Tally(by_outcome, to_send(batch), unclaimed, None)
    if batch.confirmed_at and made.done > 0 and made.waiting:
        return replace(made, time_left=(utcnow() - batch.confirmed_at) / made.done * made.waiting)
    return made


def outcomes(batch: Batch, outcome: Outcome | None = None, limit: int = PAGE, newest: bool = False) -> Sequence[Row]:
    """Rows of a report: those with this outcome in the file's order, or the newest done."""
    query = select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))
    if outcome:
        query = query.where(Row.outcome == outcome)
    elif newest:
        query = query.where(Row.done_at.is_not(None), Row.outcome.not_in([Outcome.SKIPPED, Outcome.UNCHANGED]))
    order = (Row.done_at.desc(), Row.id.desc()) if newest else (Row.line,)
    return db.session.scalars(query.order_by(*order).limit(limit)).all()


def changed_since(batch: Batch) -> Sequence[Row]:
    """The rows that were skipped because their person had changed since the review."""
    query = select(Row).where(Row.batch_id == batch.id, Row.outcome == Outcome.SKIPPED, Row.reason == steps.CHANGED)
    return db.session.scalars(query.order_by(Row.line)).all()


def valid_until(batch: Batch) -> datetime | None:
    """When the last of the batch's open invitations expires, or None where none is open."""
    query = select(func.max(Invitation.expires_at)).where(
        Invitation.batch_id == batch.id, Invitation.state == InvitationState.PENDING
    )
    return db.session.scalar(query)


def uploads(before: int | None = None, limit: int = 50) -> Sequence[Batch]:
    """All batches, newest first; `before`: an id to go on from."""
    query = select(Batch).order_by(Batch.id.desc()).limit(limit)
    return db.session.scalars(query.where(Batch.id < before) if before else query).all()


def unfinished() -> Sequence[Batch]:
    """What is under review or at work, newest first."""
    return db.session.scalars(select(Batch).where(Batch.state.in_(STANDING_STATES)).order_by(Batch.id.desc()).limit(10)).all()
