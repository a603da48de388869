"""Bulk steps over 50,000 rows: tidy up, its undo, the mode, who is missing; and how long others cannot write meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import event

from bench.portal import LARGEST, people, portal
from bench.timing import Figure
from webapp.core.plan.planner import Mode
from webapp.db import db
from webapp.models import Batch, User
from webapp.services.batches import changes, fixes, missing, undo
from webapp.services.batches.tidy_up import Choice, tidy_up


def figures() -> list[Figure]:
    """Seconds of the processor for the whole, and for the part in which the write lock is held."""
    who_is_missing = _find_missing()
    with portal() as muster:
        batch_id = muster.upload(people(LARGEST, wrong_role_every=2))
        with muster.app.app_context():
            held = _Held()

            def tidy(by: User) -> None:
                batch = db.session.get_one(Batch, batch_id)
                ids = frozenset(fix.id for fix in fixes.find_fixes(batch).all)
                tidy_up(batch_id, by, Choice(ids, batch.version))

            def measured(what: str, step: Callable[[User], object]) -> list[Figure]:
                by = db.session.scalars(db.select(User).limit(1)).one()
                start, held.seconds = time.process_time(), 0.0
                step(by)
                taken = time.process_time() - start
                return [
                    Figure(what, taken, "s"),
                    Figure(f"{what}: write lock held", held.seconds, "s"),
                ]

            return [
                who_is_missing,
                *measured(
                    "tidy up 25,000 of 50,000 rows",
                    tidy,
                ),
                *measured("undo that", lambda by: undo.undo(batch_id, by)),
                *measured(
                    "switch the mode",
                    lambda by: changes.set_options(batch_id, by, mode=Mode.REMOVE),
                ),
                *measured(
                    "skip wrong rows",
                    lambda by: changes.set_options(batch_id, by, skip_errors=True),
                ),
            ]


def _find_missing() -> Figure:
    """Seconds of the processor until it is known who of 50,000 users is not among 50,000 rows."""
    with portal(users=LARGEST) as muster:
        batch_id = muster.upload(people(LARGEST))
        with muster.app.app_context():
            batch = db.session.get_one(Batch, batch_id)
            scopes = [scope for scope in missing.list_scopes(batch) if scope.startswith("role")]
            start = time.process_time()
            for scope in scopes:
                missing.find_missing(batch, scope)
            taken = time.process_time() - start
    return Figure("who is missing, of all roles", taken, "s")


class _Held:
    """How long transactions that write were open, summed up."""

    def __init__(self) -> None:
        self.seconds, self._since = 0.0, 0.0
        event.listen(db.engine, "begin", self._begin)
        event.listen(db.engine, "commit", self._end)
        event.listen(db.engine, "rollback", self._end)

    def _begin(self, connection: object) -> None:
        options = connection.get_execution_options()  # type: ignore[attr-defined]
        self._since = time.process_time() if options.get("write") else 0.0

    def _end(self, _connection: object) -> None:
        if self._since:
            self.seconds += time.process_time() - self._since
        self._since = 0.0
