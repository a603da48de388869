"""What `flask muster audit verify` found, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from webapp.core.text.formatting import full, plural
from webapp.core.text.phrases import CodedText, describe

SHOWN = 20
"""Problems that are shown one by one."""

PROBLEMS = {
    "ends_changed": "The chain’s own record of its ends was changed, so its end or its beginning may be missing.",
    "missing": "Before event {event}: {n} sealed {n:event is|events are} missing.",
    "moved": "Event {event} is not the one that was sealed in its place ({place:,}), or not in that order.",
    "changed": "Event {event} ({action}) was changed, or not written by Muster.",
    "cut_off": "The chain was sealed up to {sealed:,}, but its last event is {found:,}.",
    "empty": "The log is empty, though Muster was set up: its events were deleted, and what was known of them.",
    "anchor_missing": "Link {link:,}, which is noted in {file} of the data folder, is no part of the chain: the log was cut "
    "off or replaced, or a backup from before was restored. If that was you, remove that file.",
}

ADVICE = (
    "If MUSTER_SECRET_KEY was changed, name the former key in MUSTER_SECRET_KEY_FALLBACKS and check again.",
    "Keep a copy of everything as it is now, before anything else: flask --app wsgi muster backup FILE.",
    "Restore your last backups into other data folders and check them there. The newest one that is whole shows what the entries "
    "said; so does an export of the log that is kept elsewhere.",
    "Find out who could write to the database or the data folder, and change its passwords. Anyone who could read the secret key "
    "could write entries that pass: change that, too.",
    "Only when you know what was changed: flask --app wsgi muster audit begin-anew seals the log as it stands, and records that.",
)


@dataclass
class Verdict:
    """What checking found. waiting: events that are not sealed yet. problems: the first SHOWN of `wrong`."""

    sealed_at: datetime | None
    pruned: int
    events: int = 0
    waiting: int = 0
    wrong: int = 0
    problems: list[CodedText] = field(default_factory=list)

    def add(self, code: str, event: Any = None, **more: Any) -> None:
        """Add a problem. event: the AuditEvent that it is about."""
        about = {"event": event.id, "action": event.action} if event else {}
        self.wrong += 1
        if self.wrong <= SHOWN:
            self.problems.append({"code": code, **about, **more})


def list_lines(verdict: Verdict, zone: tzinfo) -> list[str]:
    """How much was checked, and the problems."""
    sealed = "none of them sealed yet"
    if verdict.sealed_at:
        sealed = f"sealed until {full(verdict.sealed_at, zone)}"
    result = f"{plural(verdict.wrong, 'problem')}:" if verdict.wrong else "nothing was changed."
    lines = [f"{plural(verdict.events, 'event')}, {sealed}, {result}", *describe_problems(verdict)]
    if verdict.wrong > SHOWN:
        lines.append(f"And {plural(verdict.wrong - SHOWN, 'problem')} more.")
    if verdict.waiting and verdict.sealed_at:
        lines.append(f"{plural(verdict.waiting, 'event')} not sealed yet.")
    if verdict.pruned:
        lines.append(f"{plural(verdict.pruned, 'older event')} pruned.")
    return lines


def describe_problems(verdict: Verdict) -> list[str]:
    """A sentence for each of the problems."""
    return [describe(PROBLEMS, problem) for problem in verdict.problems]


def list_advice(verdict: Verdict) -> list[str]:
    """What the problems mean and what to do; nothing where there are none."""
    if not verdict.wrong:
        return []
    lines = ["What is named above is not what Muster left there: somebody changed the database."]
    if "event" in verdict.problems[0]:
        lines.append(f"What stands before event {verdict.problems[0]['event']} is whole.")
    lines.append("What to do:")
    lines += [f"{number}. {advice}" for number, advice in enumerate(ADVICE, start=1)]
    return lines
