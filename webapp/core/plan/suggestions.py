"""What was probably meant by a name of a role or group, or by a domain, if that is certain.

Only letters within a word of a name are ever corrected. A word is left alone where another one could be meant: it holds a
number or belongs to one (1a, 1b), is short, is a numeral, a month or the like, or stands in some other name. Two names that
are equally near are no suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain

from webapp.core.text.spelling import letters_apart, plain

# Names of roles and groups

LONGEST = 100
"""Letters in what is looked up; names are shorter."""
SHORTEST_WORD, LONGEST_WORD = 4, 40
"""Letters in a word that is corrected."""

_ROMAN = re.compile(r"[ivxlcdm]+")
_PIECE = re.compile(
    r"""
    \d+ (?: [\W_]+ \d+ )*    # numbers with what stands between them: 10-12 is not 1012
    | [#%*+@$]              # signs that tell names apart (C, C++ and C#)
    | [^\d\s_!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u206f\u3001-\u3030]+  # words: all but punctuation
    """,
    re.VERBOSE,
)
_FAMILY_WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety first second third fourth fifth sixth seventh
    eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth
    monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays
    january february march april june july august september october november december
    north south east west northern southern eastern western upper lower inner outer junior senior juniors seniors
    left right spring summer autumn winter morning evening male female boys girls internal external
    eins zwei drei vier fünf sechs sieben acht neun zehn zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn erste zweite
    dritte vierte fünfte sechste siebte achte neunte zehnte elfte zwölfte ersten zweiten dritten vierten
    montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz juni juli oktober dezember
    nord süd west nördlich südlich obere untere oben unten links rechts
    deux trois quatre cinq sept huit neuf onze douze treize quatorze quinze seize vingt premier première deuxième troisième
    quatrième cinquième sixième lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet
    août septembre octobre novembre décembre
    tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince primero segundo tercero cuarto quinto sexto
    lunes martes miércoles jueves viernes sábado domingo enero febrero marzo mayo junio julio agosto
    quattro cinque sette otto nove dieci terzo quarto giugno luglio
    vijf zeven acht negen tien maandag dinsdag woensdag donderdag vrijdag zaterdag zondag
    """
_FAMILIES = frozenset(map(plain, _FAMILY_WORDS.split()))
"""Words that come in families: one letter makes another of them."""

_BETWEEN = re.compile(r"\s*(?:[、，；;·•・|\t\n/&+,])\s*|\s+(?:and|und|et|y)\s+", re.IGNORECASE)
"""What stands between names where people do not write commas; it may as well be a part of a name."""
MOST_PIECES = 20


def split_known(text: str, find: Callable[[str], str | None]) -> list[str]:
    """Split a text into known names, longest first; [] if any part is unknown.

    find: the name that a piece means, if any.
    """
    name = find(text)
    if name:
        return [name]
    between = list(_BETWEEN.finditer(text))
    if len(between) > MOST_PIECES:
        return []
    for found in reversed(between):
        name = find(text[: found.start()])
        rest = split_known(text[found.end() :], find) if name else []
        if name and rest:
            return [name, *rest]
    return []


@lru_cache(maxsize=4096)
def nearest(wanted: str, names: tuple[str, ...], most: int = 2) -> str | None:
    """The one name that `wanted` is a misspelling of, by `most` letters; None where that is not certain."""
    pieces = _split(wanted)
    if not pieces or len(wanted) > LONGEST:
        return None
    known = set(chain.from_iterable(map(_split, names)))
    near = []
    for name in names:
        near.append((_apart(pieces, _split(name), known, most), name))
    near.sort()
    if not near or near[0][0] > most:
        return None
    is_certain = len(near) == 1 or near[0][0] < near[1][0]
    return near[0][1] if is_certain else None


@lru_cache(maxsize=4096)
def _split(name: str) -> tuple[str, ...]:
    """Split a name into words, numbers and signs that tell names apart. “Year7” and “Year 7” are alike."""
    text = plain(name).lstrip("=+-@*•·'\" ").replace("&", "and")
    return tuple(_PIECE.findall(text))


def _can_be_misspelt(word: str) -> bool:
    """Whether a letter more or less leaves it the same word. Where a script has no small letters, nobody can tell."""
    return (
        SHORTEST_WORD <= len(word) <= LONGEST_WORD
        and all(map(str.islower, word))
        and word not in _FAMILIES
        and not _ROMAN.fullmatch(word)
    )


def _apart(words: Sequence[str], others: Sequence[str], known: set[str], most: int) -> int:
    """How many letters the words are apart in all; more than `most` where one of them is another word."""
    if "".join(words) == "".join(others):
        return 0
    if len(words) != len(others):
        return most + 1
    total = 0
    for word, other in zip(words, others, strict=True):
        if word == other:
            continue
        allowed = min(most, len(word) // 3, len(other) // 3)
        apart = letters_apart(word, other, allowed)
        begins_alike = word[0] == other[0] or word[:2] == other[1::-1]
        if word in known or not begins_alike or apart > allowed:
            return most + 1
        if not (_can_be_misspelt(word) and _can_be_misspelt(other)):
            return most + 1
        total += apart
    return total


# Domains of e-mail addresses

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
"""Long enough for one letter more or less to be no domain of somebody else's, except those in _PROVIDERS."""
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
