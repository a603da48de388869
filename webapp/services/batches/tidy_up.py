"""Tidy up: carries out the chosen fixes of a batch under review as one step. docs/rules.md, "Tidy up"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from webapp.core.addresses import with_domain
from webapp.core.errors import ForbiddenError
from webapp.core.plan.fixes import Fix, Kind
from webapp.core.plan.registry import fold
from webapp.core.security.permissions import Permission
from webapp.db import db
from webapp.models import TIDIED, Batch, Group, Role, RowEdit, User
from webapp.schemas.rows import split_groups
from webapp.services.batches import bulk_edit, changes
from webapp.services.batches.changes import Change, ChangeSet, Place
from webapp.services.batches.fixes import find_fixes
from webapp.services.directory import aliases, groups, lookup

CREATE = "+"
"""In place of a group's name: the group is created. No name begins so."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person ticked. ids: of fixes, and of kinds: those of its fixes that the page did not list.

    listed: ids of the fixes that it listed. meant: what a word means, by the fix; CREATE for a new group. remembered: fixes
    whose word later files may say, too. version: the batch's, as the page showed it.
    """

    ids: frozenset[str]
    listed: frozenset[str] = frozenset()
    meant: Mapping[str, str] = field(default_factory=dict)
    remembered: frozenset[str] = frozenset()
    version: int = 0

    def has(self, fix: Fix) -> bool:
        return fix.id in self.ids or (fix.kind in self.ids and fix.id not in self.listed)


@dataclass(slots=True)
class TidyUp(ChangeSet):
    """What was tidied up. fixed: how many fixes, and `touched`: the rows that they are about. made: names of new groups.

    left_out: how many fixes no longer hold, and others: who changed rows since the page was shown.
    """

    fixed: int = 0
    touched: frozenset[int] = frozenset()
    made: Sequence[str] = ()
    left_out: int = 0
    changed_by: Sequence[str] = ()


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
    chosen = [fix for fix in find_fixes(batch).all if choice.has(fix)]
    fixes, made = _decide(chosen, by, choice.meant)
    words = []
    for fix in fixes:
        if fix.id in choice.remembered and fix.kind in _CHOSEN:
            words.append(fix)
    is_written = _change_directory(made, words, by)
    draft = _Draft(batch, fixes)
    # rows are merged as all else leaves them
    fixes.sort(key=lambda fix: fix.kind is Kind.TWICE)
    done = [fix for fix in fixes if draft.carry_out(fix)]
    known = {fix.id for fix in chosen} | set(Kind)
    not_done = len(fixes) - len(done)
    done += made
    step = TidyUp(
        draft.list_changes(),
        is_written=is_written,
        fixed=len(done),
        touched=frozenset(row_id for fix in done for row_id in fix.rows),
        made=[fix.old for fix in made],
        left_out=len(choice.ids - known) + not_done,
    )
    if step.left_out:
        step.changed_by = _who_changed(batch, by, choice.version)
    if step.changes:
        mark = _mark(batch, by, step)
        db.session.add(mark)
    return step


_CHOSEN = (Kind.GROUP, Kind.WORD)
"""Kinds of fixes for which a person says what is meant."""


def _decide(
    chosen: Iterable[Fix],
    by: User,
    meant: Mapping[str, str],
) -> tuple[list[Fix], list[Fix]]:
    """The fixes with what a person chose for their words, and those that create a group. Words without a choice go."""
    fixes = []
    made = []
    for fix in chosen:
        if fix.kind not in _CHOSEN:
            fixes.append(fix)
            continue
        name = meant.get(fix.id, CREATE if fix.kind is Kind.GROUP else "")
        if name == CREATE and fix.kind is Kind.GROUP:
            made.append(fix)
        elif name:
            official = bulk_edit.official_name(fix.field, name, by)
            fixes.append(replace(fix, new=official))
    return fixes, made


def _change_directory(
    made: Sequence[Fix],
    words: Sequence[Fix],
    by: User,
) -> bool:
    """Create groups and remember words. Does not commit. -> whether there were any."""
    if not (made or words):
        return False
    if not by.may(Permission.USERS_MANAGE):
        raise ForbiddenError
    groups.create_groups([fix.old for fix in made], by)
    for fix in words:
        model = Role if fix.field == "role" else Group
        aliases.remember(model, fix.old, fix.new, by)
    lookup.bump_version()
    return True


class _Draft:
    """The rows that fixes are about, as they become one fix after the other."""

    def __init__(self, batch: Batch, fixes: Iterable[Fix]) -> None:
        ids = {row_id for fix in fixes for row_id in fix.rows}
        self.rows = {row.id: row for row in bulk_edit.load_rows(batch, ids)}
        self.cells: dict[Place, str] = {}
        self.removed: set[int] = set()
        self.registry = lookup.registry()

    def carry_out(self, fix: Fix) -> bool:
        """Whether it could be carried out."""
        if fix.kind is Kind.TWICE:
            left = [row_id for row_id in fix.rows if row_id not in self.removed]
            return self._merge(left)
        if fix.field == "removed":
            self.removed |= fix.rows.keys()
            return True
        for row_id in fix.rows:
            cell = self._cell(row_id, fix.field)
            self.cells[row_id, fix.field] = _repair(fix, cell)
        return True

    def _merge(self, ids: Sequence[int]) -> bool:
        """Make one row of these, unless their roles differ or fewer than two are left."""
        names = [self._cell(row_id, "role") for row_id in ids]
        roles = {self.registry.role_by_key.get(fold(name)) for name in names}
        if len(ids) < 2 or len(roles) > 1 or None in roles:
            return False
        first, *later = ids
        cells = [self._cell(row_id, "groups") for row_id in ids]
        names = [self._cell(row_id, "name") for row_id in ids]
        self.cells[first, "groups"] = bulk_edit.join_groups(cells, self.registry)
        self.cells[first, "name"] = next(filter(None, names), "")
        self.removed |= set(later)
        return True

    def _cell(self, row_id: int, field: str) -> str:
        place = (row_id, field)
        return self.cells.get(place, self.rows[row_id].cell(field))

    def list_changes(self) -> list[Change]:
        found = []
        for row_id in self.removed:
            removal = Change(self.rows[row_id], "removed", "", "removed")
            found.append(removal)
        for (row_id, column), cell in self.cells.items():
            row = self.rows[row_id]
            before = row.cell(column)
            if row_id not in self.removed and before != cell:
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


def _who_changed(batch: Batch, by: User, version: int) -> Sequence[str]:
    """Who else changed rows of the batch since this version of it."""
    is_since = RowEdit.batch_id == batch.id, RowEdit.version > version
    query = select(User.name).join(RowEdit, RowEdit.user_id == User.id)
    return db.session.scalars(query.where(*is_since, User.id != by.id).distinct()).all()


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
