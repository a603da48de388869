"""From stored codes to sentences. Pure.

What happened is stored as a dictionary: a code with its parameters. Each area has one module with its sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CodedText = Mapping[str, Any]
"""A code with its parameters: {"code": "duplicate", "row": 5}."""
Phrase = str | tuple[str, str]
"""A sentence with its parameters in braces; or the one for n = 1 and the one for all other n."""


def describe(phrases: Mapping[str, Phrase], said: CodedText) -> str:
    """The sentence for a code and its parameters. A code that is not known is shown by its `text`, if it has one."""
    phrase = phrases.get(said["code"], "{text}")
    if isinstance(phrase, tuple):
        phrase = phrase[0] if said["n"] == 1 else phrase[1]
    return phrase.format(**{"text": "", **said})


def describe_counts(phrases: Mapping[str, Phrase], counts: Mapping[str, int]) -> list[str]:
    """The phrases of those codes that are counted at all, each with its number as `n`."""
    return [describe(phrases, {"code": code, "n": n}) for code, n in counts.items() if n]
