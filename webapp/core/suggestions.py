"""The nearest role, group or e-mail domain to what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache

from webapp.core.directory import fold

_COMMON_DOMAINS = ("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.de", "web.de")


@lru_cache(maxsize=2048)
def _nearest(wanted: str, names: tuple[str, ...], cutoff: float) -> str | None:
    by_key = {fold(name): name for name in names}
    found = get_close_matches(fold(wanted), list(by_key), n=1, cutoff=cutoff)
    return by_key[found[0]] if found else None


def nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The one name that `wanted` most probably is a misspelling of, or None."""
    return _nearest(wanted[:100], tuple(names), 0.72) if wanted else None


def nearest_domain(domain: str, known: Sequence[str]) -> str | None:
    """A whole domain for a broken or mistyped one: the organisation's own first, then the common ones."""
    domain = domain.lower().strip(".")
    if not domain:
        return known[0] if known else None
    for candidate in known:
        if candidate.startswith(domain + ".") or candidate.removeprefix("www.").split(".")[0] == domain:
            return candidate
    candidates = (*known, *_COMMON_DOMAINS)
    if domain in candidates:
        return None
    return _nearest(domain, candidates, 0.8)
