"""How a batch under review is applied, and what its invitations say."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from webapp.core.plan.planner import Mode
from webapp.models import Batch, User
from webapp.services.batches import changes
from webapp.services.batches.changes import Change, Proposal


@dataclass(frozen=True, slots=True)
class Options:
    """New values of a batch's options; None leaves an option as it is."""

    mode: Mode | None = None
    change_roles: bool | None = None
    skip_errors: bool | None = None
    valid_days: int | None = None
    message: str | None = None


def change(batch_id: int, options: Options, by: User) -> Batch:
    """Set options of a batch as one step; plans that depend on them are made again."""
    wanted = {name: str(value) for name, value in asdict(options).items() if value is not None}

    def propose(batch: Batch) -> Proposal:
        return Proposal(
            [
                Change(None, name, changes.current(batch, None, name), wanted[name])
                for name in wanted
            ]
        )

    return changes.apply(batch_id, by, propose).batch
