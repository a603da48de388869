"""Batches under review: staged, changed, confirmed, discarded; and what the review shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import JSON, delete, func, literal, literal_column, select, update
from sqlalchemy.orm import joinedload

from webapp import queue
from webapp.core.errors import ConflictError, ForbiddenError, NotFoundError, PasswordRequiredError
from webapp.core.files.columns import Places
from webapp.core.lists.paging import Page
from webapp.core.lists.row_filter import EVERYTHING, Find
from webapp.core.plan.planner import Plan
from webapp.core.text.formatting import become_administrators, plural
from webapp.db import begin_write, db, empty_log, utcnow
from webapp.models import MARKERS, UNMOVED, Batch, BatchFile, BatchKind, BatchState, Row, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.audit import events
from webapp.services.audit.events import AuditAction
from webapp.services.batches import people_rows, planner, replan, report, row_search
from webapp.services.batches.replan import Anew
from webapp.services.directory import lookup
from webapp.services.settings import in_force

T = TypeVar("T")

PAGE = 100
"""Rows on one page of the review."""

NONE = "There is no such upload."
MOVED = "What would happen has changed since this page was loaded."
AT_WORK = (BatchState.QUEUED, BatchState.PROCESSING, BatchState.PAUSED)
STANDING_STATES = (BatchState.MAPPING, BatchState.REVIEWING, *AT_WORK)


# Staging


def stage_again(batch_id: int, by: User) -> Batch:
    """A new batch under review from those rows of a finished one whose people had changed since its review.

    While there is one that is not done yet, it is that one: pressed twice is one review.
    """
    begin_write()
    old = locked(batch_id)
    if standing := db.session.scalar(select(Batch).where(Batch.again_of_id == old.id, Batch.state.in_(STANDING_STATES))):
        db.session.rollback()
        return standing
    rows = report.changed_since(old)
    if not rows:
        raise ConflictError(f"No row of this {old.kind.value} was skipped because of a change.")
    batch = Batch(
        kind=old.kind,
        state=BatchState.REVIEWING,
        name=old.name,
        facts=[f"{plural(len(rows), 'row')} of {old.kind.value} {old.id} that had changed since its review"],
        header=old.header,
        columns=old.columns,
        mode=old.mode,
        change_roles=old.change_roles,
        skip_errors=old.kind is not BatchKind.UPLOAD,
        valid_days=old.valid_days,
        message=old.message,
        action=old.action,
        reverts_id=old.reverts_id,
        again_of_id=old.id,
        directory_version=lookup.directory_version(),
        planned_for_id=by.id,
        uploaded_by_id=by.id,
        counts={},
    )
    db.session.add(batch)
    db.session.flush()
    for row in rows:
        cells = {field: row.cell(field) for field in FIELDS}
        read = {"read_cells": row.read_cells} | {f"read_{field}": cell for field, cell in cells.items()}
        aim = {"subject": row.step["subject"]} if "subject" in row.step else {}
        db.session.add(Row(batch_id=batch.id, line=row.line, email_key=row.email_key, step=aim, **cells, **read))
    db.session.flush()
    planner.count(batch, [(Plan.ATTENTION, {}, [])] * len(rows), +1)  # until they are planned below
    replan.refresh(batch)
    told = AuditAction.BATCH_UPLOADED if batch.kind is BatchKind.UPLOAD else AuditAction.BATCH_STAGED
    events.record(by, told, batch, rows=len(rows), again=old.id)
    db.session.commit()
    return batch


def aimed_at_people(by: User) -> dict[str, Any]:
    """Columns of a new batch whose rows aim at people who are there: what stands in the way of one holds up no other."""
    return {
        "state": BatchState.REVIEWING,
        "skip_errors": True,
        "valid_days": in_force.settings().invite_days,
        "directory_version": lookup.directory_version(),
        "planned_for_id": by.id,
        "uploaded_by_id": by.id,
        "counts": {},
    }


# What a command begins with


def locked(batch_id: int) -> Batch:
    """The batch as it is now; call it after begin_write(). Raises NotFoundError. Does not commit."""
    batch = db.session.get(Batch, batch_id)
    if batch is None:
        raise NotFoundError(NONE)
    return batch


class NotUnderReviewError(ConflictError):
    """The batch was confirmed or discarded meanwhile: the person is better served on its page."""

    def __init__(self, batch: Batch) -> None:
        who = f" by {batch.confirmed_by.name}" if batch.confirmed_by else ""
        confirmed = f"This {batch.kind.value} was already confirmed{who}. Nothing of your last change was kept."
        discarded = f"This {batch.kind.value} was discarded in the meantime. {nothing_done(batch)}"
        super().__init__(discarded if batch.state is BatchState.DISCARDED else confirmed)
        self.batch_id = batch.id


def under_review(batch_id: int, *, any_kind: bool = False) -> Batch:
    """Part of a command: the locked upload, which is still under review. Raises NotUnderReviewError where it no longer is.

    any_kind: an action or a revert, too, whose rows can be left out and confirmed, but not edited.
    """
    batch = locked(batch_id)
    if batch.state is not BatchState.REVIEWING:
        raise NotUnderReviewError(batch)
    if not any_kind and batch.kind is not BatchKind.UPLOAD:
        raise ConflictError(f"The rows of this {batch.kind.value} cannot be edited; they can only be left out.")
    return batch


def nothing_done(batch: Batch) -> str:
    """What did not happen, as a sentence."""
    return "Nothing was sent." if batch.kind is BatchKind.UPLOAD else "Nothing was done."


# Plans


def refresh_if_stale(batch_id: int, by_id: int | None = None, made: Anew | None = None) -> None:
    """After a page was shown from plans made on the fly: store them, so that the next page need not.

    by_id: who looked. made: the plans as the page has made them. Others need not wait while plans are made: those made before
    the lock is taken are stored where the batch still stands as it did. Else they are made once more, at last under the lock.
    """
    for early in (made, None):
        db.session.rollback()
        early = early or _anew(found(batch_id), by_id)
        begin_write()
        batch = locked(batch_id)
        if early is None or early.stand == replan.stand(batch):
            break
    else:
        early = _anew(batch, by_id)
    if early:
        replan.store(batch, early)
    db.session.commit()


def _anew(batch: Batch, by_id: int | None) -> Anew | None:
    if batch.state is not BatchState.REVIEWING:
        return None
    return replan.anew(batch, db.session.get_one(User, by_id) if by_id else batch.planned_for)


# Confirm, discard


class PlansChangedError(ConflictError):
    """What would be done is no longer what was seen; nothing was queued."""


def confirm(batch_id: int, version: int, by: User, *, drift: str = UNMOVED, proven: bool = False) -> bool:
    """Queue what was seen. -> False where the batch is confirmed already (twice is one confirm).

    version, drift: the batch's, as the page showed them. proven: `by` has just given their password. Raises PlansChangedError
    where somebody else edited since, or what would happen is not what `by` saw; PasswordRequiredError; ConflictError where the
    batch was discarded.
    """
    begin_write()
    batch = locked(batch_id)
    if batch.confirmed_by_id is not None:
        db.session.rollback()
        return False
    batch = under_review(batch_id, any_kind=True)
    nothing, then = nothing_done(batch), "send" if batch.kind is BatchKind.UPLOAD else "confirm"
    if not by.may(needed := people_rows.permission(batch)):
        raise ForbiddenError(f"{nothing} Your role does not include this ({needed}). Ask an administrator.")
    if others := _edits_by_others(batch, version, by):
        db.session.rollback()
        raise PlansChangedError(f"{nothing} {others} Look at the rows again, then {then}.")
    if not batch.moved_version <= version <= batch.version:  # nobody has seen what is still to come
        db.session.rollback()
        raise PlansChangedError(f"{nothing} {MOVED} Look again, then {then}.")
    is_stale, whose = planner.are_stale(batch), batch.planned_for
    changed = replan.follow(batch, by)
    if batch.drift != drift:
        told = _what_moved(changed, None if is_stale else whose) if changed else MOVED
        db.session.commit()
        raise PlansChangedError(f"{nothing} {told} Look again, then {then}.")
    if batch.kind is not BatchKind.UPLOAD and not batch.to_send:
        db.session.rollback()
        raise PlansChangedError(f"{nothing} There is nobody left to do it to: discard this {batch.kind.value}.")
    if batch.counts.get(Plan.ATTENTION, 0) and not batch.skip_errors:
        db.session.commit()
        needing = batch.counts[Plan.ATTENTION]
        verb = "needs" if needing == 1 else "need"
        them = "it" if needing == 1 else "them"
        raise PlansChangedError(f"Nothing was sent. {plural(needing, 'row')} {verb} attention: fix {them}, or tick “Skip them”.")
    if (admins := batch.counts.get("admin", 0)) and not proven:
        db.session.commit()
        raise PasswordRequiredError(f"Type your password: {become_administrators(plural(admins, 'person'), admins)}.")
    batch.state = BatchState.QUEUED
    batch.confirmed_by = by
    batch.confirmed_at = utcnow()
    let_go_of_file(batch)
    events.record(by, AuditAction.BATCH_CONFIRMED, batch, counts=batch.counts, **batch.settings())
    db.session.commit()
    empty_log()
    queue.enqueue_batch(batch_id)
    return True


def _edits_by_others(batch: Batch, version: int, by: User) -> str:
    """A sentence on what others changed after `version`, or "". One's own edits were seen by oneself."""
    made = db.session.execute(
        select(User.name, RowEdit.field, Row.line, RowEdit.after)
        .join(User, User.id == RowEdit.user_id)
        .outerjoin(Row, Row.id == RowEdit.row_id)
        .where(RowEdit.batch_id == batch.id, RowEdit.version > version, RowEdit.user_id != by.id)
        .order_by(RowEdit.id.desc())
        .limit(4)
    ).all()
    told = [f"{name} {_did(field, line, after)}." for name, field, line, after in made[:3]]
    return " ".join(told + (["And more."] if len(made) > 3 else []))


_DID = {
    "mode": "changed what happens to groups",
    "change_roles": "changed the tick “Also change roles of existing users”",
    "skip_errors": "changed the tick “Skip them”",
    "valid_days": "changed how long the links work",
    "message": "changed the personal message",
}


def _did(field: str, line: int | None, after: str) -> str:
    if field in MARKERS:
        return f"has {field}: {after}"
    if field in ("removed", "added"):
        return f"{field} row {line}, or put it back"
    return _DID.get(field, f"changed {field.capitalize()} in row {line}")


def _what_moved(rows: Sequence[Row], whose: User | None) -> str:
    """whose: for whom the rows were planned before, where nothing else has moved."""
    lines = ", ".join(str(row.line) for row in rows[:5]) + (" …" if len(rows) > 5 else "")
    why = f"it was planned for {whose.name} and is now for you" if whose else "people, groups or roles changed"
    return f"What would happen has changed in {plural(len(rows), 'row')} ({lines}), because {why}."


def discard(batch_id: int, by: User) -> Batch:
    """Give up what was not confirmed; its rows and its file go."""
    begin_write()
    batch = locked(batch_id)
    if batch.state not in (BatchState.MAPPING, BatchState.REVIEWING):
        raise NotUnderReviewError(batch)
    drop(batch, by)
    db.session.commit()
    empty_log()
    return batch


def drop(batch: Batch, by: User) -> None:
    """Part of a command: what was not confirmed is given up."""
    batch.state = BatchState.DISCARDED
    batch.counts = {}
    db.session.execute(Row.__table__.delete().where(Row.batch_id == batch.id))  # type: ignore[attr-defined]
    let_go_of_file(batch)
    events.record(by, AuditAction.BATCH_DISCARDED, batch)


def let_go_of_file(batch: Batch) -> None:
    """Part of a command: the file is not read anew any more."""
    db.session.execute(delete(BatchFile).where(BatchFile.batch_id == batch.id))
    batch.notices = []  # they quote other columns
    forget_other_columns(batch)


MOST_CELLS_KEPT = 90
"""PostgreSQL makes no longer list in one call."""


def forget_other_columns(batch: Batch) -> None:
    """Part of a command: of each line as read only the columns that are used stay; birthdays, passwords and the like go."""
    used = Places.from_dict(batch.columns).fields if batch.columns else {}
    by_place = {place: getattr(Row, f"read_{field}") for field, place in used.items()}
    if used and len(by_place) == len(batch.header):
        return  # there are no others
    width = max(by_place, default=-1) + 1
    kept: Any = literal([], JSON)
    if 0 < width <= MOST_CELLS_KEPT:
        make = func.json_array if db.engine.dialect.name == "sqlite" else func.json_build_array
        kept = make(*(by_place.get(place, literal_column("''")) for place in range(width)), type_=JSON)
    cells = update(Row).where(Row.batch_id == batch.id).values(read_cells=kept)
    db.session.execute(cells, execution_options={"synchronize_session": False})


# Questions


def found(batch_id: int) -> Batch:
    """The batch. Raises NotFoundError."""
    batch = db.session.get(Batch, batch_id, options=_WHO)
    if batch is None:
        raise NotFoundError(f"{NONE} It may have been removed; the list of uploads shows those there are.")
    return batch


def review(batch: Batch, find: Find = EVERYTHING, by: User | None = None) -> tuple[Page[Row], Anew | None]:
    """A page of the review, and the plans that it was made from where they are newer than the stored ones.

    Where the directory has moved, or `by`, who looks and may confirm, is another than they were made for, the plans are
    made on the fly, for this answer alone: a GET does not write.
    """
    made = replan.shown(batch, by or batch.planned_for)
    return row_search.page(batch, find, PAGE, made.moved if made else ()), made


def all_of(batch: Batch, find: Find = EVERYTHING) -> Iterable[Row]:
    """All rows that the review shows on all its pages, for a download; as `review` makes them."""
    made = replan.shown(batch, batch.planned_for) if batch.state is BatchState.REVIEWING else None
    return row_search.each(batch, find, made.moved if made else ())


def same_file(batch: Batch) -> list[Batch]:
    """Earlier batches of the very same file that are under review or at work."""
    if not batch.content_hash:
        return []
    query = select(Batch).where(Batch.content_hash == batch.content_hash, Batch.id < batch.id, Batch.state.in_(STANDING_STATES))
    if batch.parts > 1:
        query = query.where(Batch.parts_id.is_distinct_from(batch.parts_id))
    return list(db.session.scalars(query.order_by(Batch.id.desc()).limit(3)))


def uploads(before: int | None = None, limit: int = 50, kind: BatchKind | None = None) -> Sequence[Batch]:
    """All batches, or those of a kind, newest first; `before`: an id to go on from."""
    query = select(Batch).options(*_WHO).order_by(Batch.id.desc()).limit(limit)
    query = query.where(Batch.kind == kind) if kind else query
    return db.session.scalars(query.where(Batch.id < before) if before else query).all()


def unfinished(limit: int) -> Sequence[Batch]:
    """What is under review or at work, newest first."""
    standing = select(Batch).options(*_WHO).where(Batch.state.in_(STANDING_STATES))
    return db.session.scalars(standing.order_by(Batch.id.desc()).limit(limit)).all()


_WHO = tuple(joinedload(who).lazyload(User.role) for who in (Batch.uploaded_by, Batch.confirmed_by))
"""Pages name them; commands seldom ask. Without their roles: beside an outer join of two tables SQLite makes a table of all
users first."""
