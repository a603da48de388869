"""How a batch under review is applied, and what its invitations say."""

from __future__ import annotations

from webapp.models import Batch, User
from webapp.services.batches import changes
from webapp.services.batches.changes import Change, ChangeSet


@changes.command
def change(batch: Batch, _by: User, /, **wanted: object) -> ChangeSet:
    """Set options of a batch (mode, change_roles, skip_errors, valid_days, message) as one step.

    Plans that depend on them are made again.
    """
    edits = []
    for name, value in wanted.items():
        before = changes.current(batch, None, name)
        edits.append(Change(None, name, before, str(value)))
    return ChangeSet(edits)
