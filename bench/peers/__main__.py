"""`make bench-peers`: an upload of 10,000 rows to its review and its confirmation, beside django-import-export's way there."""

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
from webapp import processes

ROWS = USERS = 10_000
ROUNDS = 3
GOALS = {"dry run": 40, "preview and confirm": 100}
"""So many times as long as Muster."""


def main(python: str) -> int:
    """The exit code: 1 where a goal was missed. python: of the environment with the peers."""
    processes.settle()
    data = people(ROWS)
    with portal(users=USERS) as muster, TemporaryDirectory(prefix="muster-peers-") as folder:
        tasks = {"dry run": lambda: _reviewed(muster, data), "preview and confirm": lambda: _confirmed(muster, data)}
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
            found = [_compared(peer, name, task) for name, task in tasks.items()]
            peer.communicate()
    print(table(found, ("import-export", "Muster")))
    return int(any(figure.verdict == "MISSED" for figure in found))


def _compared(peer: subprocess.Popen[str], name: str, task: Callable[[], object]) -> Figure:
    """Medians of processor seconds, taken in turns."""
    assert peer.stdin
    assert peer.stdout
    own, theirs = [], []
    task()
    for _ in range(ROUNDS):
        start = time.process_time()
        task()
        own.append(time.process_time() - start)
        print(name, file=peer.stdin, flush=True)
        theirs.append(float(peer.stdout.readline().split()[0]))
    return Figure(f"{name}, {ROWS:,} rows", statistics.median(theirs), "s", statistics.median(own), GOALS[name], is_least=True)


def _reviewed(muster: Portal, data: bytes) -> tuple[int, bytes]:
    """What the file would do, on a page."""
    batch_id = muster.upload(data)
    return batch_id, muster.get(f"/batches/{batch_id}")


def _confirmed(muster: Portal, data: bytes) -> None:
    """The same, and its confirmation: what is left is the workers' to do."""
    batch_id, page = _reviewed(muster, data)
    version = re.search(rb'name="version" value="(\d+)"', page)
    assert version
    answer = muster.browser.post(f"/batches/{batch_id}/confirmation", data={"version": version[1]}, headers=muster.headers())
    assert answer.status_code == 303, answer.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
