"""The review: an edited cell, the first page, and the way from the upload to it, in small batches and in large ones."""

from __future__ import annotations

import csv
import io
import itertools
import re
import statistics
import time
from collections.abc import Callable

from sqlalchemy import select

from bench.floor import FloorRow, floor, same_page
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
            answer = minimal.browser.patch(
                f"/rows/{row_id}", data={"value": next(roles)}, headers=minimal.headers()
            )
            assert answer.status_code == 200, answer.status

        minimum, *taken = in_turns(patch, *tasks, rounds=ROUNDS)
    found = [
        Figure(
            "edit of a cell, 100 rows, beside a minimal PATCH",
            taken[0] * 1e3,
            "ms",
            minimum * 1e3,
            3.0,
        )
    ]
    for size, seconds in list(zip(SIZES, taken, strict=True))[1:]:
        found.append(
            Figure(
                f"edit of a cell, {size:,} rows, beside 100 rows",
                seconds * 1e3,
                "ms",
                taken[0] * 1e3,
                1.25,
            )
        )
    found.append(Figure("bytes of its answer, gzipped, 100 rows", sizes[100], "B", 3000, 1.0))
    found += [
        Figure(
            f"bytes of its answer, {size:,} rows, beside 100 rows",
            sizes[size],
            "B",
            sizes[100],
            1.1,
        )
        for size in SIZES[1:]
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
        answer = muster.browser.patch(
            f"/batches/{batch_id}/rows/{row_id}", data=data, headers=muster.headers(htmx=True)
        )
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
                assert (
                    minimal.browser.post("/batch", data=file, headers=minimal.headers()).status_code
                    == 200
                )

            minimum, taken = in_turns(staged, upload, rounds=5, clock=time.process_time)
            found.append(
                Figure(f"upload to first review page, {size:,} rows", taken, "s", minimum, 2.5)
            )
    return found


def api_figures() -> list[Figure]:
    """10,000 rows by a program, from the request to the plan, beside the upload of the same file to its first page."""
    with portal(users=10_000) as muster:
        data = people(10_000)
        rows = [
            {"email": line["Email"], "role": line["Role"], "groups": line["Groups"].split(", ")}
            for line in csv.DictReader(io.StringIO(data.decode()))
        ]
        sent = {"Authorization": f"Bearer {muster.make_token()}"}
        program = muster.app.test_client(use_cookies=False)

        def by_program() -> None:
            answer = program.post("/api/v1/batches", json={"rows": rows}, headers=sent)
            assert answer.status_code == 201, answer.get_data(as_text=True)[:500]
            batch = answer.get_json()["id"]
            assert program.get(f"/api/v1/batches/{batch}", headers=sent).status_code == 200

        def by_upload() -> None:
            muster.get(f"/batches/{muster.upload(data)}")

        uploaded, taken = in_turns(by_upload, by_program, rounds=5, clock=time.process_time)
    return [
        Figure(
            "10,000 rows by API, request to plan, beside their upload", taken, "s", uploaded, 2.5
        )
    ]


def page_figures() -> list[Figure]:
    """The first page of the grid beside a minimal page of the same HTML, and in a large batch beside a small one."""
    found = []
    with portal() as muster, floor() as minimal:
        small, large = (muster.upload(people(size)) for size in (100, LARGEST))
        body = muster.get(f"/batches/{small}")
        minimal.headers()
        minimal.page = minimal.app.jinja_env.from_string(same_page(body.decode()))
        with minimal.app.app_context():
            minimal.stage(people(100))

        def page() -> bytes:
            return minimal.browser.get("/rows").get_data()

        assert abs(len(page()) - len(body)) < len(body) / 50, (len(page()), len(body))
        pages = (lambda: muster.get(f"/batches/{small}")), (lambda: muster.get(f"/batches/{large}"))
        minimum, first, other = in_turns(page, *pages, rounds=20)
        found.append(
            Figure(
                "first page of the grid, 100 rows, beside the same HTML",
                first * 1e3,
                "ms",
                minimum * 1e3,
            )
        )
        found.append(
            Figure(
                "first page of the grid, 50,000 rows, beside 100",
                other * 1e3,
                "ms",
                first * 1e3,
                1.5,
            )
        )
        found.append(Figure("its bytes, gzipped, 100 rows", zipped(body), "B", 20_000, 1.0))
        found.append(
            Figure(
                "its bytes, gzipped, 50,000 rows",
                zipped(muster.get(f"/batches/{large}")),
                "B",
                20_000,
                1.0,
            )
        )
    return found


def visit_figures() -> list[Figure]:
    """All that a browser loads that was never here: the sign-in, Home after it, and a review of a hundred rows at once."""
    with portal() as muster:
        batch = muster.upload(people(100))
        pages = {
            "a first visit: the sign-in": "/sign-in",
            "Home at once": "/",
            "the review of 100 rows at once": f"/batches/{batch}",
        }
        stranger = muster.app.test_client()
        bodies = {
            name: (stranger if path == "/sign-in" else muster.browser).get(path).get_data()
            for name, path in pages.items()
        }
        sizes = {
            name: zipped(body) + sum(_loaded(muster, body.decode()).values())
            for name, body in bodies.items()
        }
        htmx = next(
            n
            for path, n in _loaded(muster, bodies["Home at once"].decode()).items()
            if "htmx" in path
        )
    first, *later = sizes.items()
    found = [Figure(f"bytes of {first[0]}, gzipped", first[1], "B", 45_000, 1.0)]
    found += [Figure(f"bytes of {name}, gzipped", size, "B") for name, size in later]
    return [*found, Figure("of which htmx", htmx, "B")]


def _loaded(muster: Portal, html: str) -> dict[str, int]:
    """What a page names to be loaded with it: the bytes of each file, gzipped."""
    files = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', html))
    return {path: zipped(muster.get(path)) for path in files}


def confirm_figures() -> list[Figure]:
    """How long a confirm of 50,000 rows takes to answer, the median of three."""
    with portal() as muster:
        ids = [muster.upload(people(LARGEST)) for _ in range(3)]
        taken = []
        for batch_id in ids:
            version = re.search(
                r'name="version"[^>]*value="(\d+)"', muster.get(f"/batches/{batch_id}").decode()
            )
            assert version
            start = time.perf_counter()
            answer = muster.browser.post(
                f"/batches/{batch_id}/confirmation",
                data={"version": version[1]},
                headers=muster.headers(htmx=True),
            )
            taken.append(time.perf_counter() - start)
            assert answer.headers.get("HX-Redirect") == f"/batches/{batch_id}", answer.get_data(
                as_text=True
            )[:500]
    return [Figure("confirm of 50,000 rows answers", statistics.median(taken) * 1e3, "ms")]
