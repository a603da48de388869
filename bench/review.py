"""The review: an edited cell, the first page, and the way from the upload to it, in small batches and in large ones."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable

from sqlalchemy import select

from bench.floor import FloorRow, floor
from bench.portal import LARGEST, Portal, people, portal
from bench.timing import Figure, in_turns, zipped

SIZES = (100, 5_000, LARGEST)
ROUNDS = 120


def edit_figures() -> list[Figure]:
    """An edit beside the minimal PATCH, and each size beside the smallest."""
    with portal() as muster, floor() as minimal:
        with minimal.app.app_context():
            minimal.stage(people(100))
            row_id = minimal.db.session.scalars(select(FloorRow.id).limit(1)).one()
        batches = {size: muster.upload(people(size, wrong_role_every=3)) for size in SIZES}
        sizes: dict[int, int] = {}
        tasks = [_edit(muster, batches[size], size, sizes) for size in SIZES]
        roles = itertools.cycle(["Remote", "Analyst"])

        def patch() -> None:
            answer = minimal.browser.patch(f"/rows/{row_id}", data={"value": next(roles)}, headers=minimal.headers())
            assert answer.status_code == 200, answer.status

        minimum, *taken = in_turns(patch, *tasks, rounds=ROUNDS)
    found = [Figure("edit of a cell, 100 rows, beside a minimal PATCH", taken[0] * 1e3, "ms", minimum * 1e3, 2.0)]
    for size, seconds in list(zip(SIZES, taken, strict=True))[1:]:
        found.append(Figure(f"edit of a cell, {size:,} rows, beside 100 rows", seconds * 1e3, "ms", taken[0] * 1e3, 1.1))
    found.append(Figure("bytes of its answer, gzipped, 100 rows", sizes[100], "B", 1000, 1.0))
    found += [
        Figure(f"bytes of its answer, {size:,} rows, beside 100 rows", sizes[size], "B", sizes[100], 1.1) for size in SIZES[1:]
    ]
    return found


def _edit(muster: Portal, batch_id: int, size: int, sizes: dict[int, int]) -> Callable[[], None]:
    row_id, role = muster.row(batch_id, size // 2 + 1)
    roles = itertools.cycle(["Remote", "Broadcaster"])
    seen = role

    def edit() -> None:
        nonlocal seen
        value = next(roles)
        data = {"field": "role", "value": value, "seen": seen}
        headers = muster.headers(htmx=True)
        answer = muster.browser.patch(f"/batches/{batch_id}/rows/{row_id}", data=data, headers=headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)[:500]
        seen = value
        sizes[size] = zipped(answer.get_data())

    return edit


def stage_figures() -> list[Figure]:
    """From the upload to the first page of its review, beside the floor, against a directory of 10,000 users."""
    found = []
    with portal(users=10_000) as muster, floor(users=10_000) as minimal:
        for size in (1_000, 10_000, LARGEST):
            data = people(size)

            def upload(data: bytes = data) -> None:
                muster.get(f"/batches/{muster.upload(data)}")

            def staged(data: bytes = data) -> None:
                file = {"file": (io.BytesIO(data), "people.csv")}
                assert minimal.browser.post("/batch", data=file, headers=minimal.headers()).status_code == 200

            minimum, taken = in_turns(staged, upload, rounds=5, clock=time.process_time)
            found.append(Figure(f"upload to first review page, {size:,} rows", taken, "s", minimum, 1.5))
    return found


def page_figures() -> list[Figure]:
    """The first page of the grid, in a small batch and in a large one."""
    found = []
    with portal() as muster:
        small, large = (muster.upload(people(size)) for size in (100, LARGEST))
        body = muster.get(f"/batches/{small}")
        first, other = in_turns(lambda: muster.get(f"/batches/{small}"), lambda: muster.get(f"/batches/{large}"), rounds=20)
        found.append(Figure("first page of the grid, 100 rows", first * 1e3, "ms"))
        found.append(Figure("first page of the grid, 50,000 rows, beside 100", other * 1e3, "ms", first * 1e3, 1.1))
        found.append(Figure("its bytes, gzipped", zipped(body), "B", 8000, 1.0))
    return found
