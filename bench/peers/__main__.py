"""`make bench-peers`: 10,000 rows to their review, and to their confirmation, beside django-import-export's way there."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.portal import Portal, people, portal
from bench.timing import Figure, table
from webapp.run import processes

ROWS = USERS = 10_000
ROUNDS = 3
DRY_RUN, CONFIRMED = "dry run", "preview and confirm"


def main(python: str) -> int:
    """The exit code: 1 where a goal was missed. python: of the environment with the peers."""
    processes.tune_gc()
    data = people(ROWS)
    with portal(users=USERS) as muster, TemporaryDirectory(prefix="muster-peers-") as folder:
        (csv_file := Path(folder) / "people.csv").write_bytes(data)
        here = Path(__file__).parent
        peer = subprocess.Popen(
            [python, here / "project.py", folder, csv_file, str(USERS)],
            env={**os.environ, "PYTHONPATH": str(here)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with peer:
            own, confirmed, dry_run, theirs = _medians(
                lambda: _reviewed(muster, data),
                lambda: _confirmed(muster, data),
                lambda: _told(peer, DRY_RUN),
                lambda: _told(peer, CONFIRMED),
            )
            peer.communicate()
    found = [
        Figure(
            f"{DRY_RUN} of {ROWS:,} rows, beside the review", dry_run, "s", own, 25, is_least=True
        ),
        Figure(f"{CONFIRMED}, beside the review", theirs, "s", own, 50, is_least=True),
        Figure(f"{CONFIRMED}, beside the review and its confirmation", theirs, "s", confirmed),
    ]
    print(table(found, ("import-export", "Muster")))
    return int(any(figure.verdict == "MISSED" for figure in found))


def _medians(
    own: Callable[[], object], confirmed: Callable[[], object], *theirs: Callable[[], float]
) -> list[float]:
    """Seconds of the processor, taken in turns: theirs are told by the other process."""

    def taken(task: Callable[[], object]) -> float:
        start = time.process_time()
        task()
        return time.process_time() - start

    own(), confirmed()
    rounds = [(taken(own), taken(confirmed), *(ask() for ask in theirs)) for _ in range(ROUNDS)]
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def _told(peer: subprocess.Popen[str], task: str) -> float:
    assert peer.stdin
    assert peer.stdout
    print(task, file=peer.stdin, flush=True)
    return float(peer.stdout.readline())


def _reviewed(muster: Portal, data: bytes) -> tuple[int, bytes]:
    """What the file would do, on a page."""
    batch_id = muster.upload(data)
    return batch_id, muster.get(f"/batches/{batch_id}")


def _confirmed(muster: Portal, data: bytes) -> None:
    """The same, and its confirmation: what is left is the workers' to do."""
    batch_id, page = _reviewed(muster, data)
    version = re.search(rb'name="version" value="(\d+)"', page)
    assert version
    answer = muster.browser.post(
        f"/batches/{batch_id}/confirmation", data={"version": version[1]}, headers=muster.headers()
    )
    assert answer.status_code == 303, answer.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
