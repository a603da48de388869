"""From stored codes to sentences. Pure.

What happened is stored as a dictionary: a code with its parameters. Each area has one module with its sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CodedText = Mapping[str, Any]
"""A code with its parameters: {"code": "duplicate", "row": 5}."""


class Number(int):
    """A number that a sentence is written for: "{n} {n:row is|rows are} hidden"."""

    def __format__(self, words: str) -> str:
        one, _, many = words.partition("|")
        if many:
            return one if self == 1 else many
        return f"{int(self):,}"


def describe(phrases: Mapping[str, str], said: CodedText) -> str:
    """The sentence for a code and its parameters. A code that is not known is shown by its `text`, if it has one."""
    phrase = phrases.get(said["code"], "{text}")
    number = Number(said.get("n", 0))
    return phrase.format_map({"text": "", **said, "n": number})


def describe_counts(phrases: Mapping[str, str], counts: Mapping[str, int]) -> list[str]:
    """The phrases of those codes that are counted at all, each with its number as `n`."""
    found = []
    for code, n in counts.items():
        if n:
            found.append(describe(phrases, {"code": code, "n": n}))
    return found
