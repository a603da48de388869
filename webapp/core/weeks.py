"""Weeks, which begin on Monday. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo


def monday(now: datetime, zone: tzinfo, ahead: int = 0) -> datetime:
    """When this week began in the zone, or the one so many weeks ahead."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=today.weekday())
    first += timedelta(weeks=ahead)
    return datetime.combine(first, time(), zone)
