"""The address that is plainly meant; and where none is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.address_repair import repair_address
from webapp.core.addresses import key_of
from webapp.core.text.lookalikes import look_alike

OWN = ("school.example.org",)


@pytest.mark.parametrize(
    "typed",
    [
        "{};", "<{}", "{}.", "({})", "{},", "mailto:{}", "MAILTO:{}?subject=Hello", '"{}"', "'{}'", "“{}”", "{}>",
        "E-mail: {}", "Email:{}",
        "{} (Erin Bar)", "{} <mailto:{}>", "[{}](mailto:{})", "SMTP:{}", "smtp:{}", "https://{}", "{}?",
        "Erin Bar <{}>;", "Bar, Erin <{}>.", "\u200b{}", "\u202a{}\u202c", "{} {}", "<{}>, <{}>",
    ],
)  # fmt: skip
def test_what_stands_around_an_address_is_taken_away(typed):
    text = typed.replace("{}", "erin.bar@x.org")
    assert repair_address(text, known_domains=OWN) == "erin.bar@x.org"
    assert key_of(text) is None


@pytest.mark.parametrize(
    "typed",
    [
        "erin＠school.example.org", "ｅｒｉｎ＠school．example．org",
        "erin&#64;school.example.org", "erin&commat;school.example.org",
        "mailto:erin%40school.example.org", "erin (at) school.example.org", "erin[at]school[dot]example[dot]org",
        "erin@@school.example.org",
        "erin @school.example.org", "erin@ school.example.org",
        "erin@school..example.org", "erin.@school.example.org", "erin@school", "erin@schol.example.org,",
    ],
)  # fmt: skip
def test_other_ways_to_write_one_are_read(typed):
    assert repair_address(typed, known_domains=OWN) in ("erin@school.example.org", "erin@schol.example.org")


@pytest.mark.parametrize(
    "typed",
    [
        "n/a", "N/A", "na", "-", "--", "---", "none", "TBC", "tbd", "Total", "Email", "E-Mail", "Languages", "Maths",
        "Year 7", "year7", "Room101",
        "Room.101", "v1.0", "p.7", "No. 7", "x", "?", "n.a.", "no.email", "not.known", "www.school.example.org",
        "none@school", "n/a@school",
        "email@", "Erin Bar", "Erin Bar erin@x.org", "a/b@x.org;", "ask erin@x.org;", "a@x.org; b@x.org", "a@x.org/b@x.org",
        "erin@x.org", "1234", "12.34", "@", "@@", "@school.example.org", "erin@",
        "erin@school,example.org", "a" * 2000,
    ],
)  # fmt: skip
def test_no_address_is_made_of_what_is_none_or_leaves_a_doubt(typed):
    assert repair_address(typed, known_domains=OWN) is None


@pytest.mark.parametrize("name", ["erin.bar", "Erin.Bar", "erin_bar", "ebar12", "e.bar"])
def test_the_name_of_a_mailbox_gets_our_own_domain(name):
    assert repair_address(name, known_domains=OWN) == f"{name}@school.example.org"
    assert repair_address(name) is None


@given(st.text(max_size=60), st.sampled_from(["", "@x.org", "@", "@school", " (at) x.org"]))
def test_what_is_suggested_is_always_an_address(before, after):
    found = repair_address(before + after, known_domains=OWN)
    assert found is None or key_of(found)


class TestLookAlikes:
    @pytest.mark.parametrize(
        ("typed", "latin"),
        [
            ("erin@sсhool.example.org", "erin@school.example.org"),
            ("erіn@school.example.org", "erin@school.example.org"),
            ("erin@schοοl.example.org", "erin@school.example.org"),
            ("ｅｒｉｎ@school.example.org", "erin@school.example.org"),
            ("erin@ѕсһооӏ.example.org", "erin@school.example.org"),
            ("eжrin@school.example.org", ""),
        ],
    )
    def test_letters_of_another_alphabet_among_latin_ones_are_noted(self, typed, latin):
        assert look_alike(typed, OWN) == latin

    @pytest.mark.parametrize(
        "typed",
        [
            "erin@school.example.org", "jürgen@müller.example", "иван@пример.рф", "иван@school.example.org", "josé@x.org",
        "αλφα@x.gr",
            "田中@例え.jp", "tanaka田中@x.jp", "erin@xn--mller-kva.example",
        ],
    )  # fmt: skip
    def test_an_address_in_one_alphabet_is_not(self, typed):
        assert look_alike(typed, OWN) is None
