"""What a setting is: how its text is read, its default, and the sentence about a wrong value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import ArgumentError

from webapp.settings.parsers import whole_number

PREFIX = "MUSTER_"


class ConfigError(Exception):
    """Muster cannot start as it is set; str() is the one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. parse: raises ValueError or the like. expected: what the text has to be, in words.

    default: the text where none is given. is_list: several texts with commas between. is_on_page: it can be set on a page, too.
    """

    parse: Callable[[str], Any] = str
    expected: str = ""
    default: str = ""
    is_list: bool = False
    is_secret: bool = False
    is_on_page: bool = False

    def read(self, name: str, text: str) -> Any:
        """The value of a text. Raises ConfigError."""
        text = text.strip() or self.default
        try:
            if self.is_list:
                parts = [part.strip() for part in text.split(",")]
                return tuple(self.parse(part) for part in parts if part)
            return self.parse(text) if text else ""
        except (ValueError, KeyError, OSError, ArgumentError):
            value = f"is “{shorten(text)}”, which"
            if self.is_secret:
                value = "has a value that"
            raise ConfigError(
                f"{PREFIX}{name} {value} cannot be used. Expected: {self.expected}."
            ) from None


def setting(
    parse: Callable[[str], Any] = str,
    expected: str = "",
    default: str = "",
    **options: Any,
) -> Any:
    """A dataclass field that holds a `Field`."""
    field = Field(parse, expected, default, **options)
    return dataclasses.field(
        repr=not field.is_secret,
        metadata={"field": field},
    )


def number(lowest: int, highest: int, default: int, **options: Any) -> Any:
    """A whole number."""
    return setting(
        whole_number(lowest, highest),
        f"a whole number from {lowest} to {highest}",
        str(default),
        **options,
    )


def days(fewest: int, most: int, default: int = 0) -> Any:
    """A number of days that can be set on a page; 0: no limit, or never."""
    read = whole_number(fewest, most)
    return setting(
        lambda text: 0 if text == "0" else read(text),
        f"0, or a whole number from {fewest} to {most}",
        str(default),
        is_on_page=True,
    )


def choice(default: str, *values: str, **options: Any) -> Any:
    """One of a few words."""
    by_text = {str(value): value for value in values}
    return setting(
        lambda text: by_text[text.lower()],
        f"one of {', '.join(values)}",
        default,
        **options,
    )


def shorten(value: str) -> str:
    """The value on one line and not too long."""
    line = "".join(c if c.isprintable() else "?" for c in value)
    return line if len(line) <= 80 else line[:79] + "…"
