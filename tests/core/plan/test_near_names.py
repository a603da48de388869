"""What is suggested for a word that is no group: the letters of a word put right, and nothing else."""

from __future__ import annotations

import random
import re

import pytest
from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry
from webapp.core.plan.suggestions import nearest
from webapp.schemas.rows import RowSchema

NAMES = (
    "Library", "Café", "Science; Labs", "A/B Testers", "Büro Zürich", "Student Devices", "Year 7", "Room 101", "6A", "10-12",
    "R & D", "Kiosk “East Wing”", "O'Brien Hall", "Science Lab", "Year 3 iPads", "Year 4 iPads", "Exam Laptops",
    "Library Chromebooks", "Klasse 1a", "Form II", "Juni Kurs", "Junior Devices", "Senior Laptops", "三年一班", "C", "C#",
)  # fmt: skip


def registry(names=NAMES) -> Registry:
    roles = [RoleEntry(1, "Owner", 100), RoleEntry(2, "Admin", 80), RoleEntry(3, "Analyst", 40)]
    roles += [RoleEntry(4, "Broadcaster", 30), RoleEntry(5, "Remote", 10)]
    return Registry(roles, [GroupEntry(n, name) for n, name in enumerate(names, 1)])


def suggested(field: str, cell: str, names=NAMES) -> str | None:
    _, issues = RowSchema(registry(names)).cell(field, cell)
    return issues[0].get("suggestion") if issues else None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Libary", "Library"), ("Lirbary", "Library"), ("Cafe", "Café"), ("Buero Zuerich", "Büro Zürich"), ("Buro Zurich",
        "Büro Zürich"),
        ("Student Device", "Student Devices"), ("student-devices", "Student Devices"), ("Studentdevices", "Student Devices"),
        ("Year7", "Year 7"), ("room 101.", "Room 101"), ("6-A", "6A"), ("10–12", "10-12"), ("R and D", "R & D"),
        ('Kiosk "East Wing"', "Kiosk “East Wing”"), ("O’Brien Hall", "O'Brien Hall"), ("=Library", "Library"), ("• Library",
        "Library"),
        ("Ｌｉｂｒａｒｙ", "Library"),
    ],
)  # fmt: skip
def test_letters_of_a_word_and_what_stands_between_words_are_put_right(typed, meant):
    assert suggested("groups", typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "Year 8", "Year 17", "Year 70", "Room 102", "101", "6B", "06A", "10-13", "1012", "10/12", "Klasse 1b", "Klasse 2a",
        "Klasse 1 b",
        "Year 6 iPads", "Year 5 Chromebook", "Staff Laptops", "Form III", "Form Ⅲ", "Juli Kurs", "Junior Laptops",
        "Senior Devices",
        "三年二班", "C++", "Library Café", "Library iPads", "Exam", "Laptops",
        "All groups x", "Everyone", "*", "-", "none", "Year",
        "Libraries", "Bibrary",
    ],
)  # fmt: skip
def test_another_number_letter_or_word_is_another_group(typed):
    assert suggested("groups", typed) is None


@pytest.mark.parametrize("between", ["、", "，", "；", ";", "; ", " · ", "•", "|", "/", " and ", " AND ", " & ", " + ", "&"])
def test_groups_with_other_signs_between_them_are_all_suggested_or_none(between):
    assert suggested("groups", f"Library{between}Café") == "Library, Café"
    assert suggested("groups", f"Library{between}Science; Labs") == "Library, Science; Labs", "the longest name first"
    assert suggested("groups", f"Library{between}Nowhere") is None
    assert suggested("groups", f"Nowhere{between}Library{between}Café") is None


def test_a_misspelt_name_beside_another_is_put_right_too():
    assert suggested("groups", "Libary; Cafe") == "Library, Café"
    assert suggested("groups", "Libary, Nowhere") == "Library, Nowhere"


def test_all_groups_is_never_suggested():
    for cell in ("All groups, Library", "All groups; Library", "All grups", "Allgroups", "“All groups”", "Library, all groups"):
        assert suggested("groups", cell) is None, cell


def test_two_names_that_are_equally_near_are_no_suggestion():
    assert nearest("Musik Raum", ("Music Raum", "Musix Raum")) is None
    assert nearest("Musi Raum", ("Music Raum", "Other")) == "Music Raum"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Analsyt", "Analyst"), ("analyst.", "Analyst"), ("Ａｎａｌｙｓｔ", "Analyst"),
        ("Brodcastr", "Broadcaster"), ("Admn", "Admin"),
        ("Admins", "Admin"), ("Dmin", None), ("Adm", None), ("Owne", None), ("Owners", None), ("Adminis", None),
        ("Teacher", None),
    ],
)  # fmt: skip
def test_a_role_is_suggested_by_the_same_rule_and_never_owner(typed, meant):
    assert suggested("role", typed) == meant


@pytest.mark.parametrize("typed", ["Analyst, Remote", "Analyst;Remote", "Analyst/Remote"])
def test_several_roles_in_a_cell_are_called_so(typed):
    _, [issue] = RowSchema(registry()).cell("role", typed)
    assert issue == {"field": "role", "code": "role_several"}


# Two thousand near names

FAMILIES = (
    "Year {}",
    "Room {}",
    "Klasse {}",
    "{}",
    "Form {}",
    "Group {}",
    "Raum-{}",
    "Year {} iPads",
    "{} Laptops",
    "Stufe {} Nord",
)
_WORDS = (
    "Staff Exam Student Teacher Library Music Physics Chemistry Biology Junior Senior Boys Girls Monday Sunday Tuesday Thursday "
    "Lower Upper North South East West Internal External June July Juni Juli Art Science Sports Kitchen Office"
)
WORDS = _WORDS.split()
THINGS = ("Laptops", "iPads", "Tablets", "Phones", "Kiosk", "Chromebooks", "Devices")


def numbers(chance: random.Random) -> str:
    n = chance.randint(1, 130)
    return chance.choice(
        [
            f"{n}",
            f"{n}{chance.choice('abcdefABCDEF')}",
            f"{n}-{n + chance.randint(1, 9)}",
            f"{n}.{chance.randint(1, 9)}",
            f"0{n}",
            chance.choice("ABCDEFGH"),
            chance.choice(["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "XI", "XII"]),
        ]
    )


def misspelt(chance: random.Random, word: str) -> str:
    """One letter dropped, doubled, changed or swapped, except the first."""
    at = chance.randrange(1, len(word) - 1)
    return chance.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + "q" + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )


def cases(chance: random.Random):
    """(known groups, cell, what may be suggested for it: one value, or nothing)."""
    for _ in range(400):
        family = chance.choice(FAMILIES)
        known = {family.format(numbers(chance)) for _ in range(chance.randint(3, 12))}
        new = family.format(numbers(chance))
        if new.casefold() not in {name.casefold() for name in known}:
            yield known, new, None
    for _ in range(500):
        known = {f"{chance.choice(WORDS)} {chance.choice(THINGS)}" for _ in range(chance.randint(3, 12))}
        new = f"{chance.choice(WORDS)} {chance.choice(THINGS)}"
        if new not in known:
            yield known, new, None
    for _ in range(400):
        known = {f"{chance.choice(WORDS)} {chance.choice(THINGS)} {numbers(chance)}" for _ in range(6)}
        two = chance.sample(sorted(known), 2)
        other = chance.choice([*WORDS, "Nowhere 5"])
        sign = chance.choice(["、", "，", "；", ";", "|", " and ", " & ", " + ", " · "])
        yield known, sign.join(two), ", ".join(two)
        yield known, sign.join([*two, other]), None
    for _ in range(200):
        known = {f"{chance.choice(WORDS)} {chance.choice(THINGS)}" for _ in range(6)}
        yield known, f"All groups{chance.choice([', ', '; ', ' and '])}{chance.choice(sorted(known))}", None
        yield known, misspelt(chance, "All groups"), None
    for _ in range(400):
        thing, word = chance.choice(THINGS), chance.choice(WORDS)
        name = f"{word} {thing} {numbers(chance)}"
        known = {name, *(f"{chance.choice(WORDS)} {chance.choice(THINGS)} {numbers(chance)}" for _ in range(6))}
        yield known, name.replace(thing, misspelt(chance, thing)), name


SIGNS = re.compile(r"[、，；;|&+·]| and ")
"""What stands between two groups of a cell."""


def spoken(text: str) -> list[str]:
    """Letters and numbers in their order, by no rule of the product's."""
    return re.findall(r"\d+|[^\W\d_]+", text.casefold())


def test_of_two_thousand_near_names_none_is_unsafe_digits_words_and_groups_stay():
    chance = random.Random(20261130)
    tried = unsafe = helped = misspellings = 0
    for known, cell, meant in cases(chance):
        tried += 1
        found = suggested("groups", cell, tuple(sorted(known)))
        misspellings += meant is not None
        helped += found is not None and found == meant
        if found:
            assert re.findall(r"\d+", found) == re.findall(r"\d+", cell), (cell, found)
            assert len(spoken(found)) == len([word for word in spoken(cell) if word != "and"]), (cell, found)
            assert len(split_groups(found)) == len(SIGNS.split(cell)), (cell, found)
        if found is None or found == meant or spoken(found) == spoken(cell):
            continue
        unsafe += 1
        print("unsafe:", cell, "->", found, "of", sorted(known))
    assert tried >= 2000
    assert not unsafe
    assert helped > misspellings * 0.8, "safe, and still of help"
