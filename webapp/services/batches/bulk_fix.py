"""Corrects the same mistake in all rows under review that have it: fixes, and words of the file said once for all rows."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.core.addresses import with_domain
from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.plan.registry import fold
from webapp.models import AliasKind, Batch, Group, User
from webapp.schemas.rows import FIELDS, split_groups
from webapp.services.batches import bulk_edit, changes, corrections, review
from webapp.services.batches.changes import Proposal, Result
from webapp.services.batches.corrections import MOST_CREATED
from webapp.services.directory import aliases, groups


def fix(batch_id: int, field: str, old: str, new: str, by: User) -> Result:
    """Replace a wrong word in every row that has it. Raises ConflictError where no row has it any more."""
    result = changes.apply(batch_id, by, lambda batch: propose_fix(batch, field, old, new))
    if not result.count:
        raise ConflictError("No row has that value any more. Nothing was replaced.")
    return result


def propose_fix(batch: Batch, field: str, old: str, new: str) -> Proposal:
    """What `fix` changes. Raises NotFoundError."""
    if field not in FIELDS:
        raise NotFoundError("There is no such fix.")
    ids = {
        word.row_id
        for word in corrections.list_wrong_words(batch, field)
        if fold(word.text) == fold(old)
    }
    new = " ".join(new.split())
    rows = bulk_edit.load_rows(batch, ids)
    return bulk_edit.change_cells(rows, field, lambda cell: _fix_cell(field, cell, old, new))


def _fix_cell(field: str, cell: str, old: str, new: str) -> str:
    if field == "email":
        return with_domain(cell, new.lstrip("@"))
    if field == "role":
        return new
    names = [new if fold(name) == fold(old) else name for name in split_groups(cell)]
    # one word may mean several groups
    return ", ".join(split_groups(",".join(names)))


# Unknown words


def translate(
    batch_id: int, field: str, word: str, meant: str, by: User, *, remember: bool = False
) -> Result:
    """Write the role or the group that is meant into every row that says `word`, as one step that can be undone.

    remember: later files may say the word, too. Raises RuleViolationError for what cannot be meant, ConflictError where no row
    says so.
    """
    name = bulk_edit.official_name(field, meant, by)
    kind = AliasKind.ROLE if field == "role" else AliasKind.GROUP
    if remember:
        aliases.check_word(kind, word)
    result = fix(batch_id, field, word, name, by)
    if remember:
        aliases.add(kind, word, name, by)
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
