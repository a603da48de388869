"""What a mail server's answer ("550 5.7.60 Not this sender") is about. Pure."""

from __future__ import annotations

import re

LONGEST_WORDS = 300

_SENDER = re.compile(
    r"\bsender\b|\bsend (?:\w+ )?as\b|sendas|\bmail from\b|\bfrom[: ]+address\b|return[- ]path|envelope[- ]from",
    re.I,
)
_ONE_RECIPIENT = re.compile(r"\d{3} \d\.(1\.[0-6]|2\.\d+|4\.\d+)\b|.*gr[ae]y[- ]?list", re.I)
"""Answers about one recipient: codes of an address, a mailbox or the way to its domain, and greylisting."""
_PACE = re.compile(
    r"too (?:many|fast|quick|much)|\brates?\b|\blimit|\bslow|throttl|quota|exceed|flood|\bper (?:second|minute|hour|day)\b",
    re.I,
)


def words_of(code: int, text: bytes | str) -> str:
    """Put a reply on one line."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    said = "".join(c if c.isprintable() else " " for c in decoded)
    words = " ".join([str(code), *said.split()])
    return words[:LONGEST_WORDS]


def codes(words: str) -> list[str]:
    """The code and what follows it, mostly the enhanced code: 450, 4.7.1. Two answers with the same ones are the same."""
    return words.split()[:2]


def is_about_sender(words: str, sender: str) -> bool:
    """Whether the server refuses who sends, and not the recipient."""
    return sender.casefold() in words.casefold() or _SENDER.search(words) is not None


def is_about_pace(words: str, *, has_taken: bool) -> bool:
    """Whether a "not now" is about the pace, so for everybody. Before a message was taken, it has to speak of too many."""
    if _ONE_RECIPIENT.match(words):
        return False
    return has_taken or _PACE.search(words) is not None
