"""Taking somebody's name out of what was written down."""

from __future__ import annotations

from webapp.core.forgetting import replaced

TEXTS = {"hannah@x.org", "hannah@x.org.uk", "Hannah Whitcombe"}


def test_texts_are_replaced_wherever_they_stand_in_whatever_case() -> None:
    told = {"after": {"email": "Hannah@X.org", "names": ["Amelia Hart", "HANNAH WHITCOMBE"]}, "rows": 3, "why": None}
    assert replaced(told, TEXTS, "Erased person 12") == {
        "after": {"email": "Erased person 12", "names": ["Amelia Hart", "Erased person 12"]}, "rows": 3, "why": None,
    }  # fmt: skip


def test_the_longest_is_replaced_first_and_dots_are_dots() -> None:
    assert replaced("hannah@x.org.uk, hannah@xyorg", TEXTS, "…") == "…, hannah@xyorg"


def test_nothing_to_forget_leaves_everything_as_it_is() -> None:
    assert replaced({"a": "b"}, {""}, "…") == {"a": "b"}
