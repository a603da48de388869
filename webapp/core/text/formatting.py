"""Numbers and times as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

LONGEST_MESSAGE = 1000
"""Characters of words of one's own in an e-mail."""

_IRREGULAR = {"person": "people", "entry": "entries", "audit entry": "audit entries"}


def plural(n: int, noun: str, nouns: str | None = None) -> str:
    """\"1 row", "2 rows", "1,200 people"."""
    return f"{n:,} {noun if n == 1 else nouns or _IRREGULAR.get(noun, noun + 's')}"


def clipped(text: str, longest: int) -> str:
    """The text on one line, cut after `longest` characters, then "…"."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest].rstrip()}…"


def full(value: datetime, zone: tzinfo) -> str:
    """\"8 September 2026, 09:52", in the zone."""
    local = value.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M}"


def when(value: datetime, now: datetime, zone: tzinfo) -> str:
    """\"today at 09:41", "yesterday at 17:05", "3 days ago", then the date."""
    local, today = value.astimezone(zone), now.astimezone(zone).date()
    days = (today - local.date()).days
    names = {0: "today", 1: "yesterday", -1: "tomorrow"}
    if days in names:
        return f"{names[days]} at {local:%H:%M}"
    if 1 < days < 7:
        return f"{days} days ago"
    return day(value, now, zone)


def day(value: datetime, now: datetime, zone: tzinfo) -> str:
    """\"30 November", with the year where that is another one."""
    local, today = value.astimezone(zone), now.astimezone(zone)
    return f"{local.day} {local:%B}" if local.year == today.year else f"{local.day} {local:%B %Y}"


def lasting(value: timedelta) -> str:
    """\"about 40 seconds", "about 3 minutes": rounded for people who wait."""
    seconds = max(1, round(value.total_seconds()))
    if seconds < 60:
        return f"about {plural(round(seconds, -1) or 1, 'second')}"
    if seconds < 5400:
        return f"about {plural(round(seconds / 60), 'minute')}"
    return f"about {plural(round(seconds / 3600), 'hour')}"


def what_sending_does(invites: int, updates: int, admins: int) -> str:
    """\"Invite 62 people, change the access of 21. 2 become administrators.\""""
    if invites and updates:
        sentence = f"Invite {plural(invites, 'person')}, change the access of {updates:,}."
    elif invites:
        sentence = f"Invite {plural(invites, 'person')}."
    elif updates:
        sentence = f"Change the access of {plural(updates, 'person')}."
    else:
        sentence = "No one is invited, and no access changes."
    return f"{sentence} {become_administrators(f'{admins:,}', admins)}." if admins else sentence


def become_administrators(who: str, n: int) -> str:
    """\"1 person becomes an administrator", "2 become administrators". who: the n of them, in words."""
    return f"{who} becomes an administrator" if n == 1 else f"{who} become administrators"


def as_typed(text: str) -> str:
    """The text without control characters and surrounding space; line breaks stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(
        "".join(c for c in line if c.isprintable() or c == "\t").rstrip() for line in lines
    ).strip()


def to_one_line(text: str | None) -> str:
    """A typed name on one line, with single spaces and without control characters."""
    return "".join(c for c in " ".join((text or "").split()) if c.isprintable())


def list_names(names: Sequence[str], most: int = 6) -> str:
    """“Name”, “Phone” and “Notes”; of many only the first, and how many more there are."""
    quoted = [f"“{clipped(name, 39)}”" for name in names[:most]]
    if len(names) > most:
        quoted.append(f"{len(names) - most} more")
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
