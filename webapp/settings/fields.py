"""What a setting is: how its text is read, its default, and the sentence about a wrong value."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import ArgumentError

PREFIX = "MUSTER_"


class ConfigError(Exception):
    """A setting that stops the start; str() is the one line to show to the person who started it.

    sentence: what to say under its field on a page.
    """

    def __init__(self, line: str, sentence: str = "") -> None:
        super().__init__(line)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. parse: raises ValueError or the like. expected: what the text has to be, in words.

    default: the text where none is given. blank: the value where there is no default either. is_list: several texts with
    commas between. is_on_page: it can be set on a page, too.
    """

    parse: Callable[[str], Any] = str
    expected: str = ""
    default: str = ""
    blank: Any = ""
    is_list: bool = False
    is_secret: bool = False
    is_on_page: bool = False

    def read(self, name: str, text: str) -> Any:
        """The value of a text. Raises ConfigError."""
        text = text.strip() or self.default
        if self.is_list:
            return tuple(
                self._parse(name, part.strip()) for part in text.split(",") if part.strip()
            )
        return self._parse(name, text) if text else self.blank

    def _parse(self, name: str, text: str) -> Any:
        try:
            return self.parse(text)
        except (ValueError, KeyError, OSError, ArgumentError):
            what = "has a value that" if self.is_secret else f"is “{shorten(text)}”, which"
            line = f"{PREFIX}{name} {what} cannot be used. Expected: {self.expected}."
            raise ConfigError(line, f"Type {self.expected}.") from None


def setting(parse: Callable[[str], Any], expected: str, default: str = "", **options: Any) -> Any:
    """A dataclass field that holds a `Field`."""
    field = Field(parse, expected, default, **options)
    return dataclasses.field(repr=not field.is_secret, metadata={"field": field})


def any_text(**options: Any) -> Any:
    """A setting that may be any text."""
    return setting(str, "", **options)


def number(lowest: int, highest: int, default: int, **options: Any) -> Any:
    """A whole number."""
    return setting(
        _whole_number(lowest, highest),
        f"a whole number from {lowest} to {highest}",
        str(default),
        **options,
    )


def days(fewest: int, most: int, default: int = 0) -> Any:
    """A number of days that can be set on a page; 0 becomes None (no limit, or never)."""
    expected = f"a whole number from {fewest} to {most}" + (", or 0" if fewest else "")
    read = _whole_number(fewest, most)
    return setting(
        lambda text: None if text == "0" else read(text), expected, str(default), is_on_page=True
    )


def choice(*values: str, **options: Any) -> Any:
    """One of a few words; the first is the default."""
    *others, last = values
    return setting(_one_of(values), f"{', '.join(others)} or {last}", values[0], **options)


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not lowest <= int(text) <= highest:
            raise ValueError
        return int(text)

    return read


def _one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in values:
            raise ValueError
        return text.lower()

    return read


def shorten(value: str) -> str:
    """The value on one line and not too long."""
    line = "".join(c if c.isprintable() else "?" for c in value)
    return line if len(line) <= 80 else line[:79] + "…"
