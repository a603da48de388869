"""Corrects the same mistake in all rows under review that have it: fixes, and words of the file said once for all rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import select

from webapp.core.address_repair import is_placeholder
from webapp.core.addresses import key_of, with_domain
from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.db import db, in_json
from webapp.models import AliasKind, Batch, Group, Row, User
from webapp.schemas.rows import FIELDS, split_groups
from webapp.services.batches import bulk_edit, changes, corrections, planner, review
from webapp.services.batches.bulk_edit import Preview
from webapp.services.batches.changes import Proposal, Result
from webapp.services.batches.corrections import MOST_CREATED
from webapp.services.directory import aliases, groups, lookup

PREVIEWED = 100
"""Rows listed as what a fix would change."""


def fix(batch_id: int, field: str, old: str, new: str, by: User) -> Result:
    """Replace a wrong value in every row that has it. Raises ConflictError where no row has it any more."""
    result = changes.apply(batch_id, by, lambda batch: _propose(batch, field, old, new))
    if not result.count:
        raise ConflictError("No row has that value any more. Nothing was replaced.")
    return result


def preview(batch: Batch, field: str, old: str, new: str, limit: int = PREVIEWED) -> Preview:
    """What `fix` would do."""
    changed = [
        (change.row.line, change.before, change.after)
        for change in _propose(batch, field, old, new).changes
        if change.row and change.before != change.after
    ]
    return bulk_edit.preview(changed, limit)


def _propose(batch: Batch, field: str, old: str, new: str) -> Proposal:
    return bulk_edit.change_cells(_rows_with(batch, field, old), field, _fixing(field, old, new))


def _fixing(field: str, old: str, new: str) -> Callable[[str], str]:
    """What a fix makes of a cell."""
    new = " ".join(new.split())

    def fix_email(cell: str) -> str:
        # “none@school”
        is_no_address = is_placeholder(cell.rpartition("@")[0]) and key_of(cell) is None
        return cell if is_no_address else with_domain(cell, new.lstrip("@"))

    def fix_groups(cell: str) -> str:
        names = [new if fold(name) == fold(old) else name for name in split_groups(cell)]
        return ", ".join(split_groups(",".join(names)))

    return {"email": fix_email, "role": lambda _cell: new, "groups": fix_groups}[field]


def _rows_with(batch: Batch, field: str, old: str) -> list[Row]:
    """The rows that have this wrong value. Raises NotFoundError."""
    if field not in FIELDS or not old.strip("@ "):
        raise NotFoundError("There is no such fix.")
    wrong = corrections.wrong_rows(batch, field, select(Row))
    if field == "email":
        domain = old.lstrip("@").lower()
        misspelt = corrections.misspelt_rows(batch, select(Row))
        return planner.load(
            misspelt.where(corrections.domain(Row.email_key) == domain)
        ) or planner.load(wrong.where(corrections.value(field) == domain))
    cell = getattr(Row, field)
    cells = db.session.scalars(wrong.with_only_columns(cell).distinct())
    words = split_groups if field == "groups" else lambda cell: [cell]
    having = [cell for cell in cells if fold(old) in map(fold, words(cell))]
    return planner.load(wrong.where(in_json(cell, having)))


# Unknown words


def translate(
    batch_id: int, field: str, word: str, meant: str, by: User, *, remember: bool = False
) -> Result:
    """Write the role or the group that is meant into every row that says `word`, as one step that can be undone.

    remember: later files may say the word, too. Raises RuleViolationError for what cannot be meant, ConflictError where no row
    says so.
    """
    name = bulk_edit.official_name(field, meant, lookup.registry(), by)
    if remember:
        aliases.check_word(word)
    result = fix(batch_id, field, word, name, by)
    if remember:
        kind = AliasKind.ROLE if field == "role" else AliasKind.GROUP
        aliases.remember(kind, word, name, by)
    return result


def create_groups(batch_id: int, names: Sequence[str], by: User) -> list[Group]:
    """Create these groups, all or none, each with its audit event; the rows that name them are then judged again.

    Nothing in the rows changes, so there is nothing in them to undo. Raises RuleViolationError where none is chosen or a name
    does not do.
    """
    review.get_batch(batch_id)
    if not names:
        raise RuleViolationError("Choose at least one group to create.")
    if len(names) > MOST_CREATED:
        raise RuleViolationError(f"Create at most {MOST_CREATED} groups at once.")
    return groups.add_groups(names, by)
