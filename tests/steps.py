"""Steps that many tests take: over HTTP with a signed-in client, or straight through the services."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from typing import Any

from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.jobs import batches as job
from webapp.models import Batch, BatchState, Invitation, Row, User
from webapp.services.batches import fixes, planner, tidy_up

from tests.client import Answer, Client, Page
from tests.factories import make_batch

# Over HTTP: upload, match the columns, edit, confirm, act on people

FILE = "Email,Role,Groups\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Remote,\n"
"""What `upload` and `stage` upload unless told otherwise."""


def upload(client: Client, text: str | bytes = FILE, name: str = "staff.csv", status: int = 303, **more: Any) -> Answer:
    """Upload a file."""
    data = text if isinstance(text, bytes) else text.encode()
    return client.post("/batches", {"file": (io.BytesIO(data), name)}, status, content_type="multipart/form-data", **more)


def stage(client: Client, text: str | bytes = FILE, **more: Any) -> Batch:
    """Upload a file and return its batch; of a file that is split, the last part."""
    upload(client, text, **more)
    return newest_batch()


def newest_batch() -> Batch:
    """Return the batch that was made last."""
    return db.session.scalars(db.select(Batch).order_by(Batch.id.desc()).limit(1)).one()


def rows_of(batch: Batch) -> list[Row]:
    """Return all rows of a batch by line, removed ones too."""
    return list(db.session.scalars(db.select(Row).where(Row.batch_id == batch.id).order_by(Row.line)))


def columns(*uses: str, **more: str) -> dict[str, str]:
    """Return the form that says what each column is used as."""
    return {f"column-{place}": use for place, use in enumerate(uses)} | {"header_row": "1", **more}


def match_columns(client: Client, batch: Batch, *uses: str, status: int = 303, **more: str) -> Answer:
    """Say what each column of a file is used as."""
    return client.post(f"/batches/{batch.id}/mapping", columns(*uses, **more), status)


def selected_use(page: Page, place: int) -> str:
    """Return what the page shows a column to be used as."""
    options = [(a, within) for tag, a, within in page.tags if tag == "option"]
    return next(a["value"] for a, within in options if "selected" in a and within[-1][1].get("name") == f"column-{place}")


def edit(client: Client, batch: Batch, line: int, field: str, value: str, seen: str | None = None, status: int = 200) -> Answer:
    """Edit one cell of a review. seen: what the page showed there, where that is not what there is."""
    row = next(row for row in rows_of(batch) if row.line == line)
    data = {"field": field, "value": value, "seen": row.cell(field) if seen is None else seen}
    return client.patch(f"/batches/{batch.id}/rows/{row.id}", data, status, htmx=True)


def choose_meaning(client: Client, review: str, word: str, meant: str, status: int = 303, *, remember: bool = False) -> Answer:
    """Tidy up one unknown word of a review: say what it means."""
    page = client.get(f"{review}/tidy-up").page
    name = next(each["name"] for each in page.all("select") if each["aria-label"].startswith(f"What {word} "))
    id = name.removeprefix("meant-")
    return client.post(f"{review}/tidy-up", {"ids": id, name: meant, "remembered": id if remember else ""}, status)


def refs(*people: User | Invitation) -> str:
    """Name people as the form of an action does."""
    return ",".join(f"{'user' if isinstance(p, User) else 'invitation'}-{p.id}" for p in people)


def begin_action(client: Client, do: str, *people: User | Invitation, **more: Any) -> Batch:
    """Choose an action for people in the list and return the batch to review."""
    to = client.post("/actions", {"do": do, "people": refs(*people), **more}).location
    return db.session.get_one(Batch, int(to.rpartition("/")[2]))


def confirm(client: Client, batch: Batch, **more: Any) -> Batch:
    """Confirm a review as it is now and return its batch."""
    client.post(f"/batches/{batch.id}/confirmation", {"version": db.session.get_one(Batch, batch.id).version, **more})
    return db.session.get_one(Batch, batch.id)


def carry_out(client: Client, batch: Batch, **more: Any) -> Batch:
    """Confirm a review, do what a worker does then, and return the batch."""
    assert confirm(client, batch, **more).state is BatchState.QUEUED
    job.process(batch.id)
    return db.session.get_one(Batch, batch.id)


def outcomes_of(batch: Batch) -> dict[str, tuple[str, str]]:
    """Return the outcome of each row and why, by the part of its address before the @."""
    return {row.email.partition("@")[0]: (row.outcome.value if row.outcome else "", row.why) for row in rows_of(batch)}


# Through the services

LINES = [
    ("ana@northfield.example", "Analsyt", "Student Devices"),
    ("ben@northfield.example", "Remote", "Techer Laptops"),
    ("ana@northfield.example", "Analyst", "Teacher Laptops"),
    ("amelia.hart@northfield.example", "Analyst", "Student Devices"),
    ("jonas@northfield", "Analsyt", ""),
    ("ben@northfield.example", "Remote", "Techer Laptops"),
]
"""What `make_review` takes unless told otherwise."""


def make_review(by: User, lines: Sequence[tuple[str, str, str]] = LINES) -> Batch:
    """Make a batch of these rows under review, as an upload leaves it."""
    batch = make_batch(by)
    for line, cells in enumerate(lines, 2):
        values = dict(zip(("email", "role", "groups"), cells, strict=True))
        read = {f"read_{field}": value for field, value in values.items()}
        db.session.add(Row(batch_id=batch.id, line=line, plan=Plan.ATTENTION, change_dict={}, issues=[], **values, **read))
    db.session.flush()
    planner.plan_batch(batch)
    db.session.commit()
    return batch


def tidy(batch_id: int, by: User, *kinds: str, only: int | None = None) -> tidy_up.TidyUp:
    """Tidy up what is safe of these kinds; or but one fix, by its place among them."""
    batch = db.session.get_one(Batch, batch_id)
    found = fixes.find_fixes(batch).all
    safe = [fix for fix in found if fix.is_safe and fix.kind in kinds]
    if only is not None and safe:
        safe = [safe[only % len(safe)]]
    return tidy_up.tidy_up(batch_id, by, tidy_up.Choice(frozenset(fix.id for fix in safe), batch.version))


def rows_now(batch_id: int) -> list[Row]:
    """Return all rows of a batch by line, as they are in the database now."""
    db.session.rollback()
    return list(db.session.scalars(db.select(Row).where(Row.batch_id == batch_id).order_by(Row.line)))


def cell(batch: Batch, line: int, field: str) -> str:
    """Return one cell as it is in the database now."""
    return next(row for row in rows_now(batch.id) if row.line == line).cell(field)


def state_of_batch(batch_id: int) -> tuple[Any, ...]:
    """Return all that a person sees of a batch: its rows' cells and plans, its counts, its options."""
    db.session.rollback()
    batch = db.session.get_one(Batch, batch_id)
    standing = db.session.scalars(db.select(Row).where(Row.batch_id == batch_id, Row.removed_at.is_(None)).order_by(Row.line))
    seen = [(r.line, r.email, r.role, r.groups, r.email_key, r.plan, r.issues, r.change_dict) for r in standing]
    return seen, dict(batch.counts), batch.settings()


def stored_plans(batch_id: int) -> dict[int, Plan]:
    """Return the stored plans by line, and check that planning everything again makes the same ones."""
    db.session.rollback()
    batch = db.session.get_one(Batch, batch_id)
    found = planner.load(planner.select_rows(batch))
    assert planner.find_changed(found, planner.plan_stored_rows(batch, found)) == []
    counted = [row.plan for row in found]
    assert {plan: batch.counts.get(plan, 0) for plan in Plan} == {plan: counted.count(plan) for plan in Plan}
    return {row.line: row.plan for row in found}


# Anything


def wait_for(happened: Callable[[], object], what: str) -> None:
    """Wait until something has happened, for a minute at most."""
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
