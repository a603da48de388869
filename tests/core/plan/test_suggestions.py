"""Domains that are valid and probably misspelt; and those that are not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.plan.suggestions import likely_domain

OWN = ("northfield.example", "nfa.example")


@pytest.mark.parametrize(
    ("domain", "likely"),
    [
        ("gmial.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yahooo.com", "yahoo.com"),
        ("northfeild.example", "northfield.example"),
        ("norhtfeild.example", "northfield.example"),
        ("northfield.exampel", "northfield.example"),
        ("nfaa.example", "nfa.example"),
    ],
)
def test_a_letter_too_many_too_few_or_swapped_is_a_misspelling(domain, likely):
    assert likely_domain(domain, OWN) == likely


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com", "mail.com", "ymail.com", "hotmail.fr", "yahoo.co.uk", "icloud.com", "cloud.com",  # providers
        "northfield.example", "nfa.example",  # our own
        "southfield.example", "partner.example", "hotmail.cl", "staff.northfield.example",  # other people's
        "northfield2.example", "",  # a number is meant
    ],
)  # fmt: skip
def test_what_is_known_or_too_far_away_is_left_alone(domain):
    assert likely_domain(domain, OWN) is None


def test_our_own_is_meant_even_where_it_looks_like_a_provider():
    assert likely_domain("gmial.com", ("gmial.com",)) is None
    assert likely_domain("gmale.com", ("gmales.com",)) == "gmales.com"


def test_numbered_sisters_are_not_misspelt():
    assert likely_domain("school-2.example", ("school-1.example",)) is None


@given(st.text("abgmil.co", min_size=1, max_size=14))
def test_never_suggests_what_is_there_already(domain):
    assert likely_domain(domain, OWN) != domain


def test_fifty_thousand_different_domains_take_a_moment():
    began = time.process_time()
    for n in range(50_000):
        likely_domain(f"{n:05}feld.example", OWN)
    assert time.process_time() - began < 10
