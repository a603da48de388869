"""For whom a batch's plans are made, and how they are made anew: who looks is who is judged.

The stored plans are those of whoever looked last. Somebody else who looks gets theirs on the fly, and they are stored once
the page has answered. Only those rows are planned again for whom it matters who looks: docs/decisions/0023.
`Batch.drift` tells what anybody was shown: it comes back to what it was when the plans do.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from webapp.core.plan.registry import fold
from webapp.db import among, db, utcnow
from webapp.models import Batch, BatchKind, Invitation, InvitationState, Row, User
from webapp.services.batches import planner
from webapp.services.batches.planner import Judgement
from webapp.services.directory import lookup


@dataclass(frozen=True, slots=True)
class Anew:
    """Plans made anew, to be shown and then stored: plain values but for `moved`, that outlive the transaction.

    stand: how the batch stood (`stand`). moved: the rows whose plan is another now, which they hold already.
    rows: the same as `plans.write` takes them. batch: its columns. by_id: for whom.
    """

    stand: tuple[object, ...]
    moved: Sequence[Row]
    rows: Sequence[dict[str, Any]]
    batch: Mapping[str, Any]
    by_id: int


# Questions


def are_current(batch: Batch, by: User | None = None) -> bool:
    """Whether the stored plans are what this person, or whoever looks, is shown."""
    return not planner.are_stale(batch) and (by is None or _apart(batch, by) is None)


def anew(batch: Batch, by: User) -> Anew | None:
    """The plans as they would be, were they made now for this person; None where those stored are. Nothing is stored."""
    at = utcnow()  # first, and the version before the rows: what comes later is newer
    if planner.are_stale(batch):
        version, rows = lookup.directory_version(), planner.standing_rows(batch)
    elif apart := _apart(batch, by):
        version, rows = batch.directory_version, _bearing(batch, apart)
    else:
        return None
    judgements = planner.judged_again(batch, rows, by)
    moved = planner.stale(rows, judgements)
    drift, counts = _drifted(batch, moved, judgements), Counter(batch.counts)
    planner.plan_anew(counts, moved, judgements)
    made_at = {"directory_version": version, "planned_at": at}
    values = {**made_at, "drift": drift, "counts": {key: n for key, n in counts.items() if n}}
    return Anew(stand(batch), moved, [planner.written(row) for row in moved], values, by.id)


def shown(batch: Batch, by: User) -> Anew | None:
    """The same, and the batch itself becomes what a page shows of it; nothing of that is stored."""
    made = anew(batch, by)
    if made:
        db.session.expunge(batch)  # what is changed from here on is for the eye, and must not be flushed
        _put(batch, made, by)
    return made


def stand(batch: Batch) -> tuple[object, ...]:
    """How a batch stands: while that is the same, so are its rows, and what is stored of their plans."""
    return batch.state, batch.version, batch.drift, batch.directory_version, batch.planned_at, batch.planned_for_id


@dataclass(frozen=True, slots=True)
class _Apart:
    """Why two people's plans may differ. roles: the ids of those that only one of them may grant or change. own: the e-mails of
    the two, as far as they are among the rows."""

    roles: Collection[int]
    own: Collection[str]


def _apart(batch: Batch, by: User) -> _Apart | None:
    """What may tell this person's plans from those stored; None where nothing does.

    What is the Owner's neither may grant or change. Whoever ranks alike and is not among the rows is no other.
    """
    other = batch.planned_for
    if other.id == by.id:
        return None
    lower, upper = sorted((other.role.rank, by.role.rank))
    roles = {role.id for role in lookup.registry().roles if lower < role.rank <= upper and not role.is_owner}
    roles |= {role.id for role in lookup.grantable(other)} ^ {role.id for role in lookup.grantable(by)}
    theirs = Row.email_key.in_([other.email_key, by.email_key])
    keys = planner.standing(batch).with_only_columns(Row.email_key).where(theirs).distinct()
    own = [key for key in db.session.scalars(keys) if key]
    return _Apart(roles, own) if roles or own else None


def _bearing(batch: Batch, apart: _Apart) -> list[Row]:
    """The rows that it bears on: those that give such a role, or are about somebody who has it, and the two's own; with all that
    share an e-mail with them, as they may be twins now, or no longer. A fixed number of queries."""
    if apart.roles and batch.kind is not BatchKind.UPLOAD:
        return planner.standing_rows(batch)
    keys = set(apart.own)
    if apart.roles:
        known = lookup.registry().role_by_key
        cells = db.session.scalars(planner.standing(batch).with_only_columns(Row.role).distinct())
        giving = [cell for cell in cells if (role := known.get(fold(cell))) and role.id in apart.roles]
        invited = Invitation.role_id.in_(apart.roles), Invitation.state == InvitationState.PENDING
        of_these = or_(
            among(Row.role, giving),
            Row.email_key.in_(select(User.email_key).where(User.role_id.in_(apart.roles))),
            Row.email_key.in_(select(Invitation.email_key).where(*invited)),
        )
        found = planner.standing(batch).with_only_columns(Row.email_key).where(of_these)
        keys |= {key for key in db.session.scalars(found) if key}
    return planner.loaded(planner.standing(batch).where(among(Row.email_key, sorted(keys))))


# Parts of commands


def refresh(batch: Batch) -> None:
    """Part of a command that stages the batch: make every plan and store it."""
    batch.directory_version, batch.planned_at = lookup.directory_version(), utcnow()  # first: what comes later is newer
    rows = planner.standing_rows(batch)
    judgements = planner.judged_again(batch, rows)
    planner.store(batch, planner.stale(rows, judgements), judgements)


def follow(batch: Batch, by: User) -> Sequence[Row]:
    """Part of a command that goes by what the page showed this person: where the stored plans are old, or another's, they are
    made again and stored. -> the rows whose plan changed."""
    made = anew(batch, by)
    return store(batch, made) if made else []


def store(batch: Batch, made: Anew) -> Sequence[Row]:
    """Part of a command: keep plans that were made while the batch stood as it does. -> as above."""
    _put(batch, made, db.session.get_one(User, made.by_id))
    planner.write(made.rows)
    return made.moved


def _put(batch: Batch, made: Anew, by: User) -> None:
    batch.planned_for = by
    for name, value in made.batch.items():
        setattr(batch, name, value)


# Drift


def _drifted(batch: Batch, changed: Sequence[Row], judgements: Mapping[int, Judgement]) -> str:
    """The batch's drift once these rows have their new plans.

    It is a sum over what each row says, so that an edit does not have to know all rows. Edits are not in it: those
    `Batch.version` counts.
    """
    moved = int(batch.drift, 16)
    for row in changed:
        new = judgements[row.line].values
        moved += _digest(row, new) - _digest(row, {name: getattr(row, name) for name in new})
    return f"{moved % 2**64:x}"


def _digest(row: Row, values: Mapping[str, Any]) -> int:
    text = json.dumps([row.id, values], sort_keys=True)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
