"""Tidy up: carries out the chosen fixes of a batch under review as one step. docs/rules.md, "Tidy up"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, select

from webapp.core.addresses import with_domain
from webapp.core.errors import ForbiddenError
from webapp.core.plan.fixes import Fix, Kind, name_others
from webapp.core.plan.group_cells import Cells, merge_rows, split_groups
from webapp.core.plan.registry import fold
from webapp.core.security.permissions import Permission
from webapp.db import db
from webapp.models import REDONE, TIDIED, UNDONE, Batch, Group, Role, RowEdit, User
from webapp.schemas.rows import FIELDS
from webapp.services.batches import bulk_edit, changes
from webapp.services.batches.changes import Change, ChangeSet
from webapp.services.batches.fixes import find_fixes
from webapp.services.directory import aliases, groups, lookup

CREATE = "+"
"""In place of a group's name: the group is created. No name begins so."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person ticked. ids: of fixes, and of kinds: those of its fixes that the page did not list.

    listed: ids of the fixes that it listed. others: `name_others` of those that it did not, of each kind. meant: what a
    word means, by the fix; CREATE for a new group. remembered: fixes whose word later files may say, too. version: the
    batch's, as the page showed it.
    """

    ids: frozenset[str]
    version: int
    listed: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    meant: Mapping[str, str] = field(default_factory=dict)
    remembered: frozenset[str] = frozenset()


@dataclass(slots=True)
class TidyUp(ChangeSet):
    """What was tidied up. fixed: how many fixes, and `touched`: the rows that they are about. made: names of new groups.

    left_out: how many fixes are no longer as the page showed them, and changed_by: who changed rows since.
    """

    fixed: int = 0
    touched: frozenset[int] = frozenset()
    made: Sequence[str] = ()
    left_out: int = 0
    changed_by: Sequence[str] = ()


def choose_safe(batch: Batch, by: User, ids: Iterable[str] | None = None) -> Choice:
    """These fixes of a batch, or all that are safe and that `by` may carry out, as it stands now."""
    found = find_fixes(batch).all
    if ids is None:
        may_create = by.may(Permission.USERS_MANAGE)
        safe = [fix for fix in found if fix.is_safe and (fix.kind is not Kind.GROUP or may_create)]
        ids = [fix.id for fix in safe]
    return Choice(ids=frozenset(ids), version=batch.version)


def tidy_up(batch_id: int, by: User, choice: Choice) -> TidyUp:
    """Carry out the chosen fixes as one step; what somebody else changed meanwhile stays. Commits once.

    Groups are created and words remembered with it; an undo leaves these. Raises RuleViolationError, ForbiddenError.
    """
    return changes.apply(_propose, batch_id, by, choice)


def _propose(
    batch: Batch,
    by: User,
    choice: Choice,
) -> TidyUp:
    since = _edits_since(batch, choice.version)
    chosen, left_out = _find_chosen(batch, choice, since)
    decided = _decide(chosen, by, choice)
    is_written = _change_directory(decided, by)
    fixes = decided.fixes
    draft = _Draft(batch, fixes)
    # rows are merged as all else leaves them
    fixes.sort(key=lambda fix: fix.kind is Kind.TWICE)
    done = [fix for fix in fixes if draft.carry_out(fix)]
    left_out += len(fixes) - len(done)
    done += decided.made
    step = TidyUp(
        draft.list_changes(),
        is_written=is_written,
        fixed=len(done),
        touched=frozenset(row_id for fix in done for row_id in fix.rows),
        made=[fix.old for fix in decided.made],
        left_out=left_out,
    )
    if left_out:
        names = select(User.name).join(RowEdit, RowEdit.user_id == User.id)
        others = names.where(since, User.id != by.id).distinct()
        step.changed_by = db.session.scalars(others).all()
    if step.changes:
        mark = _mark(batch, by, step)
        db.session.add(mark)
    return step


# What was ticked, and is as it was shown


def _edits_since(batch: Batch, version: int) -> ColumnElement[bool]:
    """Edits after this version of the batch; and those that were undone or redone after it."""
    is_later = RowEdit.version > version
    is_replay = RowEdit.field.in_((UNDONE, REDONE))
    replays = select(RowEdit.before).where(RowEdit.batch_id == batch.id, is_later, is_replay)
    versions = [int(text) for text in db.session.scalars(replays)]
    return and_(RowEdit.batch_id == batch.id, is_later | RowEdit.version.in_(versions))


def _find_chosen(
    batch: Batch,
    choice: Choice,
    since: ColumnElement[bool],
) -> tuple[list[Fix], int]:
    """The ticked fixes, in those of their rows that are as the page showed them; and how many fixes no longer are."""
    chosen = []
    others: defaultdict[str, list[Fix]] = defaultdict(list)
    for fix in find_fixes(batch).all:
        if fix.id in choice.ids:
            chosen.append(fix)
        elif fix.kind in choice.ids and fix.id not in choice.listed:
            others[fix.kind].append(fix)
    known = {*Kind, *(fix.id for fix in chosen)}
    left_out = len(choice.ids - known)
    for fixes in others.values():
        if name_others(fixes) in choice.others:
            chosen += fixes
        else:
            left_out += len(fixes)
    changed = _list_changed(since)
    as_shown = []
    for fix in chosen:
        if rows := _find_unchanged(fix, changed):
            as_shown.append(replace(fix, rows=rows))
    return as_shown, left_out + len(chosen) - len(as_shown)


def _list_changed(since: ColumnElement[bool]) -> Mapping[int, set[str]]:
    """The fields that these edits changed, by the row's id."""
    changed: defaultdict[Any, set[str]] = defaultdict(set)
    query = select(RowEdit.row_id, RowEdit.field).where(since)
    for row_id, column in db.session.execute(query):
        changed[row_id].add(column)
    return changed


def _find_unchanged(fix: Fix, changed: Mapping[int, set[str]]) -> Mapping[int, int]:
    """The rows of a fix that are as they were; of one that is about whole rows all, or none."""
    if fix.is_of_rows:
        return {} if fix.rows.keys() & changed.keys() else fix.rows
    about = {fix.field, "added", "removed"}
    rows = {}
    for row_id, line in fix.rows.items():
        if about.isdisjoint(changed.get(row_id, ())):
            rows[row_id] = line
    return rows


_CHOSEN = (Kind.GROUP, Kind.WORD)
"""Kinds of fixes for which a person says what is meant."""


class _Decided(NamedTuple):
    """fixes: of cells and rows. made: those that create a group. words: those of `fixes` to be remembered."""

    fixes: list[Fix]
    made: list[Fix]
    words: list[Fix]


def _decide(
    chosen: Iterable[Fix],
    by: User,
    choice: Choice,
) -> _Decided:
    """The fixes with what a person chose for their words. Words without a choice go."""
    decided = _Decided([], [], [])
    for fix in chosen:
        if fix.kind not in _CHOSEN:
            decided.fixes.append(fix)
            continue
        name = choice.meant.get(fix.id, CREATE if fix.kind is Kind.GROUP else "")
        if name == CREATE and fix.kind is Kind.GROUP:
            decided.made.append(fix)
        elif name:
            official = bulk_edit.official_name(fix.field, name, by)
            meant = replace(fix, new=official)
            decided.fixes.append(meant)
            if fix.id in choice.remembered:
                decided.words.append(meant)
    return decided


def _change_directory(decided: _Decided, by: User) -> bool:
    """Create groups and remember words. Does not commit. -> whether there were any."""
    if not (decided.made or decided.words):
        return False
    if not by.may(Permission.USERS_MANAGE):
        raise ForbiddenError
    groups.create_groups([fix.old for fix in decided.made], by)
    for fix in decided.words:
        model = Role if fix.field == "role" else Group
        aliases.remember(model, fix.old, fix.new, by)
    lookup.bump_version()
    return True


class _Draft:
    """The rows that fixes are about, as they become one fix after the other."""

    def __init__(self, batch: Batch, fixes: Iterable[Fix]) -> None:
        ids = {row_id for fix in fixes for row_id in fix.rows}
        self.rows = {row.id: row for row in bulk_edit.load_rows(batch, ids)}
        self.cells: dict[int, dict[str, str]] = {}
        for row in self.rows.values():
            self.cells[row.id] = {column: row.cell(column) for column in FIELDS}
        self.removed: set[int] = set()

    def carry_out(self, fix: Fix) -> bool:
        """Whether it could be carried out."""
        if fix.kind is Kind.TWICE:
            left = [row_id for row_id in fix.rows if row_id not in self.removed]
            return len(left) > 1 and self._merge(*left)
        if fix.field == "removed":
            self.removed |= fix.rows.keys()
            return True
        for row_id in fix.rows:
            cells = self.cells[row_id]
            cells[fix.field] = _repair(fix, cells[fix.field])
        return True

    def _merge(self, first: int, *later: int) -> bool:
        """Make one row of these, unless their roles differ."""
        rows = []
        for row_id in (first, *later):
            cells = self.cells[row_id]
            rows.append(Cells(cells["name"], cells["role"], cells["groups"]))
        merged = merge_rows(rows, lookup.registry())
        if merged is None:
            return False
        self.cells[first] |= merged._asdict()
        self.removed |= set(later)
        return True

    def list_changes(self) -> list[Change]:
        found = []
        for row_id, row in self.rows.items():
            if row_id in self.removed:
                found.append(Change(row, "removed", "", "removed"))
                continue
            for column, cell in self.cells[row_id].items():
                before = row.cell(column)
                if before != cell:
                    found.append(Change(row, column, before, cell))
        return found


def _repair(fix: Fix, cell: str) -> str:
    """The cell after the fix."""
    if fix.kind is Kind.EARLIER:
        return fix.new
    if fix.field == "groups":
        names = []
        for name in split_groups(cell):
            is_it = fold(name) == fold(fix.old)
            names.append(fix.new if is_it else name)
        # one word may mean several groups
        return ", ".join(split_groups(",".join(names)))
    if fix.new.startswith("@"):
        return with_domain(cell, fix.new.lstrip("@"))
    return fix.new


def _mark(batch: Batch, by: User, step: TidyUp) -> RowEdit:
    """What the step is called in the list of changes."""
    return RowEdit(
        batch_id=batch.id,
        version=batch.version + 1,
        user_id=by.id,
        field=TIDIED,
        before=str(step.fixed),
        after=str(len(step.made)),
    )
