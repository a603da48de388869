"""The e-mail domain that was misspelt. Names of roles and groups: `near_names`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from webapp.core.text.spelling import letters_apart

_DIGITS = re.compile(r"\d")
_MISSPELT = (
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "yahoo.com",
    "icloud.com",
    "protonmail.com",
)
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
"""Big mail providers, which are never corrected."""


@lru_cache(maxsize=4096)
def likely_domain(domain: str, known: tuple[str, ...]) -> str | None:
    """The domain that another one is probably a misspelling of: the organisation's own, or a big provider's.

    domain: ASCII, lower case. None for one that is known, or that differs in nothing but a number (school-2.example).
    """
    if domain in known or domain in _PROVIDERS:
        return None
    found, nearest = None, 3
    for wanted in (*known, *_MISSPELT):
        most = 2 if wanted in known and len(wanted) >= 8 else 1
        apart = letters_apart(domain, wanted, most)
        if apart == 2 and domain[:1] != wanted[0]:  # as in northfield and southfield
            continue
        is_another_number = _DIGITS.sub("", domain) == _DIGITS.sub("", wanted)
        if apart <= most and apart < nearest and not is_another_number:
            found, nearest = wanted, apart
    return found


def nearest_domain(domain: str, known: Sequence[str]) -> str | None:
    """A whole domain for one that is broken: the organisation's own first, then the common ones. None where none is certain."""
    domain = domain.lower()
    for candidate in (*known, *_MISSPELT):
        if candidate.startswith(domain + "."):
            return candidate
    return likely_domain(domain, tuple(known))
