"""The nearest role, group or e-mail domain to what was typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache

from webapp.core.directory import fold

_DIGITS = re.compile(r"\d")
_COMMON_DOMAINS = ("gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "gmx.de", "web.de")
_MISSPELT = ("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com", "protonmail.com")
"""Long enough for one letter more or less to be no domain of somebody else's, but for those in _PROVIDERS."""
_PROVIDERS = frozenset(
    """
    gmail.com googlemail.com outlook.com hotmail.com live.com msn.com passport.com yahoo.com ymail.com rocketmail.com
    icloud.com cloud.com me.com mac.com aol.com aim.com mail.com email.com gmx.com gmx.net gmx.de gmx.at gmx.ch web.de
    proton.me protonmail.com protonmail.ch pm.me hey.com zoho.com fastmail.com tutanota.com tuta.io hushmail.com
    t-online.de freenet.de arcor.de posteo.de mailbox.org bluewin.ch orange.fr wanadoo.fr free.fr laposte.net sfr.fr
    libero.it virgilio.it alice.it tiscali.it tin.it telenet.be skynet.be ziggo.nl kpnmail.nl planet.nl xs4all.nl
    yahoo.co.uk yahoo.co.in yahoo.co.jp yahoo.com.br yahoo.com.au yahoo.ca yahoo.de yahoo.es yahoo.fr yahoo.it
    hotmail.co.uk hotmail.com.br hotmail.ca hotmail.de hotmail.es hotmail.fr hotmail.it outlook.com.br outlook.de
    outlook.es outlook.fr outlook.it outlook.pt live.co.uk live.de live.fr live.nl btinternet.com sky.com virginmedia.com
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net rogers.com bigpond.com
    uol.com.br bol.com.br terra.com.br sapo.pt telia.com seznam.cz centrum.cz wp.pl o2.pl onet.pl interia.pl
    mail.ru yandex.ru yandex.com qq.com foxmail.com 163.com 126.com sina.com naver.com daum.net rediffmail.com
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
"""Big mail providers: whoever writes one of these means it."""


@lru_cache(maxsize=2048)
def _nearest(wanted: str, names: tuple[str, ...], cutoff: float) -> str | None:
    by_key = {fold(name): name for name in names}
    found = get_close_matches(fold(wanted), list(by_key), n=1, cutoff=cutoff)
    return by_key[found[0]] if found else None


def nearest(wanted: str, names: Iterable[str]) -> str | None:
    """The one name that `wanted` most probably is a misspelling of, or None."""
    return _nearest(wanted[:100], tuple(names), 0.72) if wanted else None


def likely_domain(domain: str, known: Sequence[str]) -> str | None:
    """The domain that a valid one is probably a misspelling of: the organisation's own, or a big provider's.

    domain: ASCII, lower case. None for one that is known, or that differs in nothing but a number (school-2.example).
    """
    return None if domain in known or domain in _PROVIDERS else _likely_domain(domain, tuple(known))


@lru_cache(maxsize=4096)
def _likely_domain(domain: str, known: tuple[str, ...]) -> str | None:
    near = []
    for wanted, most in (*((own, 2 if len(own) >= 8 else 1) for own in known), *((common, 1) for common in _MISSPELT)):
        apart = _letters_apart(domain, wanted, most)
        if apart == 2 and domain[:1] != wanted[0]:  # as in northfield and southfield
            continue
        if apart <= most and _DIGITS.sub("", domain) != _DIGITS.sub("", wanted):
            near.append((apart, wanted))
    return min(near, key=lambda found: found[0])[1] if near else None


def _letters_apart(a: str, b: str, most: int) -> int:
    """How many letters were added, dropped, changed, or swapped with the next one; more than `most` is any such number."""
    if abs(len(a) - len(b)) > most or len(set(a) ^ set(b)) > 2 * most:  # cheap, and true of most domains there are
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        before, above, row = row, before, [i]
        for j, other in enumerate(b, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


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
