"""Reads single variables of the environment, and says in one line what is wrong with one."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.exc import ArgumentError

from webapp.settings import parsers

T = TypeVar("T")

PREFIX = "MUSTER_"


class ConfigError(Exception):
    """A setting that stops the start; str() is the one line to show to the person who started it.

    name, sentence: which setting it is, and what to say under its field on a page; "" where no page sets it.
    """

    def __init__(self, line: str, name: str = "", sentence: str = "") -> None:
        super().__init__(line)
        self.name, self.sentence = name, sentence


class Environment:
    """Single variables. Blanks alone count as not set, as `NAME=` in an env file is meant; no value of `secrets` is repeated."""

    def __init__(self, environ: Mapping[str, str], secrets: Collection[str]) -> None:
        self._environ, self._secrets = environ, secrets

    def refuse_unknown_names(self, known: Collection[str]) -> None:
        for name in sorted(self._environ):
            if name.startswith(PREFIX) and (short := name.removeprefix(PREFIX)) not in known:
                near = difflib.get_close_matches(short.upper(), known, n=1, cutoff=0)[0]
                raise ConfigError(f"{shown(name)} is not a setting of Muster. Did you mean {PREFIX}{near}?")

    def text(self, name: str) -> str:
        return self._environ.get(PREFIX + name, "").strip()

    def one(self, name: str, default: str, check: Callable[[str], str], expected: str) -> str:
        """What `check` makes of the value, or of the default; "" stays as it is."""
        value = self.text(name) or default
        return self._check(name, value, check, expected) if value else ""

    def many(self, name: str, check: Callable[[str], T], expected: str) -> tuple[T, ...]:
        """The values between commas, each checked; blanks left out."""
        parts = [part.strip() for part in self.text(name).split(",") if part.strip()]
        return tuple(self._check(name, part, check, expected) for part in parts)

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        def whole(value: str) -> int:
            if not re.fullmatch(r"[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
                raise ValueError
            return int(value)

        return self._check(name, self.text(name) or str(default), whole, f"a whole number from {lowest} to {highest}")

    def days(self, name: str, default: int, fewest: int, most: int) -> int | None:
        """So many days; 0 is None, for ever."""

        def kept(value: str) -> int | None:
            if not re.fullmatch(r"[0-9]{1,9}", value) or not (int(value) == 0 or fewest <= int(value) <= most):
                raise ValueError
            return int(value) or None

        return self._check(name, self.text(name) or str(default), kept, f"a whole number from {fewest} to {most}, or 0")

    def duration(self, name: str, default: str) -> timedelta:
        return self._check(name, self.text(name) or default, parsers.duration, "a length of time, such as 30m, 8h or 7d")

    def choice(self, name: str, default: str, check: Callable[[str], T], expected: str) -> T:
        """One of a few values."""
        return self._check(name, self.text(name) or default, check, expected)

    def zone(self, name: str) -> ZoneInfo:
        value = self.text(name)
        expected = "the name of a time zone, such as Europe/Berlin or UTC"
        return self._check(name, value, ZoneInfo, expected) if value else parsers.server_zone(self._environ.get("TZ", ""))

    def _check(self, name: str, value: str, check: Callable[[str], T], expected: str) -> T:
        try:
            return check(value)
        except (ValueError, KeyError, OSError, ArgumentError):
            given = "has a value" if name in self._secrets else f"is “{shown(value)}”,"
            which = "that" if name in self._secrets else "which"
            line = f"{PREFIX}{name} {given} {which} cannot be used. Expected: {expected}."
            raise ConfigError(line, name, f"Type {expected}.") from None


def shown(value: str) -> str:
    """The value on one line and not too long."""
    line = "".join(c if c.isprintable() else "?" for c in value)
    return line if len(line) <= 80 else line[:79] + "…"
