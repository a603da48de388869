"""The role or group that was misspelt, if that is certain: only letters within a word are ever corrected.

A word is left alone where another one could be meant: it holds a number or belongs to one (1a, 1b), is short, is a
numeral, a month or the like, or stands in some other name. Two names that are equally near are no suggestion.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

from webapp.core.text.spelling import letters_apart, plain

LONGEST = 100
"""Letters in what is looked up; names are shorter."""
SHORTEST_WORD, LONGEST_WORD = 4, 40
"""Letters in a word that is corrected."""

_TOKEN = re.compile(r"[^\W_]+|[#&@%*§$€]|[^\w\s]", re.UNICODE)
_NUMBER = re.compile(r"\d+|\D+")
_ROMAN = re.compile(r"[ivxlcdm]+")
_SIGNS = "#&@%*+§$€"
"""Signs that tell names apart (C, C++ and C#); other punctuation does not."""
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

_BETWEEN = re.compile(r"\s*(?:[、，；;·•・|\t\n/])\s*")
"""What stands between names where people do not write commas."""
_OR_WITHIN = re.compile(r"\s*(?:[、，；;·•・|\t\n/&+,])\s*|\s+(?:and|und|et|y)\s+", re.IGNORECASE)
"""The same, and what may as well be a part of a name."""
MOST_PIECES = 20


def split_names(text: str) -> list[str]:
    """The pieces of a text that may be a name each."""
    return [piece for piece in _BETWEEN.split(text.replace(",", ";")) if piece]


def split_known(text: str, find: Callable[[str], str | None]) -> list[str]:
    """Split a text into known names, longest first; [] if any part is unknown.

    find: the name that a piece means, if any.
    """
    places = [0]
    ends = []
    for found in _OR_WITHIN.finditer(text):
        ends.append(found.start())
        places.append(found.end())
    ends.append(len(text))
    pieces = [(start, end) for start, end in zip(places, ends, strict=True) if end > start]
    # “C++” is not C
    ends_with_a_sign = len(pieces) < len(places) and any(sign in text for sign in _SIGNS)
    if len(pieces) > MOST_PIECES or ends_with_a_sign:
        return []
    rest: dict[int, list[str]] = {len(pieces): []}
    for first in reversed(range(len(pieces))):
        for last in reversed(range(first, len(pieces))):
            name = find(text[pieces[first][0] : pieces[last][1]]) if last + 1 in rest else None
            if name:
                rest[first] = [name, *rest[last + 1]]
                break
    return rest.get(0, [])


class _Names:
    """Names that are looked up in: by their letters and numbers, and by the words between their numbers."""

    def __init__(self, names: Iterable[str]) -> None:
        self.by_letters: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        self.by_shape: defaultdict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        self.words: set[str] = set()
        for name in names:
            words = _words(name)
            self.words.update(words)
            letters = _letters(name)
            self.by_letters[letters].append(name)
            self.by_shape[_shape(words, letters)].append((words, name))


_index = lru_cache(maxsize=32)(_Names)


def nearest(wanted: str, names: Iterable[str], most: int = 2) -> str | None:
    """The one name that `wanted` is a misspelling of, by `most` letters; None where that is not certain."""
    return _nearest(wanted, tuple(names), most) if 0 < len(wanted) <= LONGEST else None


@lru_cache(maxsize=4096)
def _nearest(wanted: str, names: tuple[str, ...], most: int) -> str | None:
    index = _index(names)
    letters = _letters(wanted)
    if not letters:
        return None
    if same := index.by_letters.get(letters):
        return same[0] if len(same) == 1 else None
    words = _words(wanted)
    near: defaultdict[int, list[str]] = defaultdict(list)
    for others, name in index.by_shape.get(_shape(words, letters), ()):
        apart = _apart(words, others, index.words, most)
        if apart <= most:
            near[apart].append(name)
    best = near[min(near)] if near else []
    return best[0] if len(best) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name, and signs that tell names apart."""
    pieces = []
    for piece in _split(name):
        if piece == "&":
            piece = "and"
        if piece in _SIGNS or any(map(str.isalnum, piece)):
            pieces.append(piece)
    return pieces


def _split(name: str) -> list[str]:
    text = plain(name).lstrip("=+-@*•·'\" ")
    # Marks of other scripts belong to their letter, though a pattern takes them for punctuation.
    marked = "".join("x" if unicodedata.category(c).startswith("M") else c for c in text)
    return [text[found.start() : found.end()] for found in _TOKEN.finditer(marked)]


def _letters(name: str) -> tuple[str, ...]:
    """Split a name into letters and numbers: “Year7” and “Year 7” are alike, 10-12 and 1012 are not."""
    runs: list[str] = []
    between = ""
    for piece in _split(name):
        if piece not in _SIGNS and not any(map(str.isalnum, piece)):
            between += piece
            continue
        for run in _NUMBER.findall("and" if piece == "&" else piece):
            is_number = run[0].isdecimal()
            after_number = bool(runs) and runs[-1][-1].isdecimal()
            if is_number and after_number:
                runs += [between or " ", run]
            elif is_number or after_number or not runs or run in _SIGNS or runs[-1] in _SIGNS:
                runs.append(run)
            else:
                runs[-1] += run
            between = ""
    return tuple(runs)


def _shape(words: list[str], letters: tuple[str, ...]) -> tuple[str, ...]:
    """The words that must match exactly, "" for each word that may be misspelt, and separators between numbers."""
    between_numbers = (run for run in letters if not any(map(str.isalnum, run)))
    return (*("" if _can_be_misspelt(word) else word for word in words), *between_numbers)


def _can_be_misspelt(word: str) -> bool:
    return (
        SHORTEST_WORD <= len(word) <= LONGEST_WORD
        and word.isalpha()
        and word not in _FAMILIES
        and not _ROMAN.fullmatch(word)
        and not any(_is_a_word_of_its_own(letter) for letter in word)
    )


def _is_a_word_of_its_own(letter: str) -> bool:
    """Chinese, Japanese and Korean characters, and all that stand for a number."""
    return (
        unicodedata.east_asian_width(letter) in "WF"
        or unicodedata.numeric(letter, None) is not None
    )


def _apart(words: list[str], others: list[str], known: set[str], most: int) -> int:
    """How many letters the words are apart in all; more than `most` where one of them is another word."""
    total = 0
    for word, other in zip(words, others, strict=True):
        if word == other:
            continue
        allowed = min(most, len(word) // 3, len(other) // 3)
        begins_alike = word[0] == other[0] or word[:2] == other[1::-1]
        if word in known or not begins_alike:
            return most + 1
        apart = letters_apart(word, other, allowed)
        if apart > allowed:
            return most + 1
        total += apart
    return total
