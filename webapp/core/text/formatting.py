"""Numbers and times as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta, tzinfo

LONGEST_MESSAGE = 1000
"""Characters of words of one's own in an e-mail."""
MOST_NAMES = 6
"""Names that are said before "and 4 more"."""


def plural(n: int, noun: str, nouns: str = "") -> str:
    """\"1 row", "2 rows", "1,200 people"."""
    if n == 1:
        return f"1 {noun}"
    if noun == "person":
        nouns = "people"
    return f"{n:,} {nouns or noun + 's'}"


def clipped(text: str, longest: int) -> str:
    """The text on one line, cut after `longest` characters, then "…"."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    return line[:longest].rstrip() + "…"


def full(value: datetime, zone: tzinfo) -> str:
    """\"8 September 2026, 09:52", in the zone."""
    local = value.astimezone(zone)
    return f"{local.day} {local:%B %Y, %H:%M}"


def when(value: datetime, now: datetime, zone: tzinfo) -> str:
    """\"today at 09:41", "yesterday at 17:05", "3 days ago", then the date."""
    local = value.astimezone(zone)
    today = now.astimezone(zone).date()
    days = (today - local.date()).days
    names = {
        -1: "tomorrow",
        0: "today",
        1: "yesterday",
    }
    if days in names:
        return f"{names[days]} at {local:%H:%M}"
    if 1 < days < 7:
        return f"{days} days ago"
    return day(value, now, zone)


def day(value: datetime, now: datetime, zone: tzinfo) -> str:
    """\"30 November", with the year where that is another one."""
    local = value.astimezone(zone)
    if local.year == now.astimezone(zone).year:
        return f"{local.day} {local:%B}"
    return f"{local.day} {local:%B %Y}"


def monday(now: datetime, zone: tzinfo, ahead: int = 0) -> datetime:
    """When this week began in the zone, or the one so many weeks ahead."""
    today = now.astimezone(zone).date()
    first = today + timedelta(weeks=ahead, days=-today.weekday())
    return datetime.combine(first, time(), zone)


def lasting(value: timedelta) -> str:
    """\"about 3 minutes": rounded for people who wait."""
    minutes = round(value / timedelta(minutes=1))
    return "about " + plural(max(minutes, 1), "minute")


def as_typed(text: str) -> str:
    """The text without control characters and surrounding space; line breaks stay."""
    lines = []
    for line in text.splitlines():
        printable = [c for c in line if c.isprintable() or c == "\t"]
        lines.append("".join(printable).rstrip())
    return "\n".join(lines).strip()


def to_one_line(text: str | None) -> str:
    """A typed name on one line, with single spaces and without control characters."""
    line = " ".join((text or "").split())
    return "".join(filter(str.isprintable, line))


def list_names(names: Sequence[str]) -> str:
    """“Name”, “Phone” and “Notes”; of many only the first, and how many more there are."""
    quoted = [f"“{clipped(name, 39)}”" for name in names[:MOST_NAMES]]
    more = len(names) - MOST_NAMES
    if more > 0:
        quoted.append(f"{more} more")
    if len(quoted) > 1:
        last = quoted.pop()
        return ", ".join(quoted) + " and " + last
    return "".join(quoted)


def capital(text: str) -> str:
    """The text as a sentence begins with it."""
    return text[:1].upper() + text[1:]
