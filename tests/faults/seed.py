"""The seed of a run, and the line at its end: what was played and what the checker counted."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from webapp.core.text.formatting import plural

SEED = int(os.environ.get("MUSTER_FAULTS_SEED") or 4711)
PROPERTY = "faults"


def counted(reports: list[Any]) -> Counter[str]:
    """What the tests of a run have recorded, summed up."""
    total: Counter[str] = Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                total.update(value)
    return total


def line(total: Counter[str]) -> str:
    """seed 4711: 18 faults, 640 invitations: 0 lost, 0 stuck, 0 phantom, 0 doubled outside the gap (3 inside, all marked)"""
    played = f"{plural(total['faults'], 'fault')}, {plural(total['invitations'], 'invitation')}"
    kept = f"{total['lost']} lost, {total['stuck']} stuck, {total['phantom']} phantom, {total['doubled']} doubled outside the gap"
    return f"seed {SEED}: {played}: {kept} ({total['inside']} inside, all marked)"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The line, where faults were played."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    if total := counted(reports):
        terminalreporter.write_line(line(total))
