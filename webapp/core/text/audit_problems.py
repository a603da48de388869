"""What `muster audit verify` found, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from webapp.core.text.formatting import full, plural
from webapp.core.text.phrases import describe

SHOWN = 20
"""Problems that are shown one by one."""

PROBLEMS = {
    "ends_changed": "The chain’s own record of its ends was changed, so its end or its beginning may be missing.",
    "broken": "Event {event}, in place {place:,}, does not follow what stands before it: there, events were removed, inserted or "
    "reordered.",
    "changed": "Event {event} ({action}) was changed, or not written by Muster.",
    "cut_off": "The chain was sealed up to {sealed:,}, but its last event is {found:,}.",
    "anchor_missing": "Link {link:,}, which is noted in {file} of the data folder, is no part of the chain: the log was cut "
    "off or replaced, or a backup from before was restored. If that was you, remove that file.",
}

ADVICE = """What is named above is not what Muster left there: somebody changed the database.
What to do:
1. If MUSTER_SECRET_KEY was changed, name the former key in MUSTER_SECRET_KEY_FALLBACKS and check again.
2. Keep a copy of everything as it is now, before anything else: muster backup FILE.
3. Restore your last backups into other data folders and check them there. The newest one that is whole shows what the entries \
said; so does an export of the log that is kept elsewhere.
4. Find out who could write to the database or the data folder, and change its passwords. Anyone who could read the secret key \
could write entries that pass: change that, too.
5. Only when you know what was changed: muster audit begin-anew seals the log as it stands, and records that."""


@dataclass
class Verdict:
    """What checking found. problems: in words."""

    sealed_at: datetime | None
    events: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, code: str, **about: Any) -> None:
        """Add a problem. code: of PROBLEMS."""
        problem = describe(PROBLEMS, {"code": code, **about})
        self.problems.append(problem)


def list_lines(verdict: Verdict, zone: tzinfo) -> list[str]:
    """How much was checked, and the problems."""
    sealed = "none of them sealed yet"
    if verdict.sealed_at:
        sealed = f"sealed until {full(verdict.sealed_at, zone)}"
    wrong = len(verdict.problems)
    result = f"{plural(wrong, 'problem')}:" if wrong else "nothing was changed."
    lines = [f"{plural(verdict.events, 'event')}, {sealed}, {result}", *verdict.problems[:SHOWN]]
    if wrong > SHOWN:
        lines.append(f"And {plural(wrong - SHOWN, 'problem')} more.")
    return lines
