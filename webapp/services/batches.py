"""Batches under review: staged, changed, confirmed, discarded; and what the review shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select

from webapp import queue
from webapp.core import columns, tables
from webapp.core.errors import Conflict, NotThere
from webapp.core.planning import Mode, Plan
from webapp.core.words import plural
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchKind, BatchState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services import audit, directory, plans, reports
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
        values = judgement.values()
        plans.count(batch, values["plan"], values["step"], values["problems"], +1)

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
    rows = reports.changed_since(old)
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
        plans.count(batch, Plan.ATTENTION, {}, "", +1)  # until refresh() below plans it
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


# Confirm, discard


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
    queue.ring("webapp.jobs.batches.process", batch_id, name=f"batch-{batch_id}")
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
        total = batch.counts.get(plan, 0) if plan else batch.size
        rows: Sequence[Row] = db.session.scalars(query.order_by(Row.line).limit(PAGE).offset((number - 1) * PAGE)).all()
        return Page(rows, number, total), False
    rows = plans.standing_rows(batch)
    judgements = plans.judged_again(batch, rows)
    db.session.expunge(batch)  # what is changed from here on is for the eye, and must not be flushed
    for row in rows:
        db.session.expunge(row)
        plans.count(batch, row.plan, row.step, row.problems, -1)
        for name, value in judgements[row.line].values().items():
            setattr(row, name, value)
        plans.count(batch, row.plan, row.step, row.problems, +1)
    chosen = [row for row in rows if plan is None or row.plan is plan]
    return Page(chosen[(number - 1) * PAGE : number * PAGE], number, len(chosen)), True


def same_file(batch: Batch) -> list[Batch]:
    """Other batches of the very same file that are under review or at work."""
    if not batch.content_hash:
        return []
    query = select(Batch).where(Batch.content_hash == batch.content_hash, Batch.id != batch.id, Batch.state.in_(STANDING_STATES))
    return list(db.session.scalars(query.order_by(Batch.id.desc()).limit(3)))


def uploads(before: int | None = None, limit: int = 50) -> Sequence[Batch]:
    """All batches, newest first; `before`: an id to go on from."""
    query = select(Batch).order_by(Batch.id.desc()).limit(limit)
    return db.session.scalars(query.where(Batch.id < before) if before else query).all()


def unfinished() -> Sequence[Batch]:
    """What is under review or at work, newest first."""
    return db.session.scalars(select(Batch).where(Batch.state.in_(STANDING_STATES)).order_by(Batch.id.desc()).limit(10)).all()
