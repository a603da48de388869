"""How a batch under review is applied, and what its invitations say."""

from __future__ import annotations

from webapp.models import Batch, User
from webapp.services.batches import changes
from webapp.services.batches.changes import Change, Proposal


def change(batch_id: int, by: User, **wanted: object) -> Batch:
    """Set options of a batch (mode, change_roles, skip_errors, valid_days, message) as one step.

    Plans that depend on them are made again.
    """

    def propose(batch: Batch) -> Proposal:
        return Proposal(
            [
                Change(None, name, changes.current(batch, None, name), str(value))
                for name, value in wanted.items()
            ]
        )

    return changes.apply(batch_id, by, propose).batch
