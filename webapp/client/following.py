"""Watches a batch until all its rows are done."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from webapp.client.transport import Api

LONGEST_PAUSE = 5.0
"""Seconds between two looks."""
OVER = ("finished", "cancelled", "discarded", "reverted")


class NotFinishedError(Exception):
    """It goes on in the server; str() is the sentence."""


def follow(api: Api, batch: Mapping[str, Any], timeout: float | None) -> dict[str, int]:
    """Wait until a batch is over. -> how many rows had which outcome. timeout: seconds. Raises NotFinishedError."""
    deadline = time.monotonic() + timeout if timeout else None
    pause = 0.2
    total = batch["rows"]
    with click.progressbar(
        length=total, label=batch["name"], file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        while True:
            report = api.get(f"/batches/{batch['id']}/report").body
            outcomes: dict[str, int] = report["outcomes"]
            done = sum(n for name, n in outcomes.items() if name != "waiting")
            bar.update(max(0, done - bar.pos))
            if report["state"] in OVER:
                return outcomes
            if deadline and time.monotonic() > deadline:
                raise NotFinishedError(
                    f"Not finished after {timeout:g} seconds. It goes on: {batch['page']}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
