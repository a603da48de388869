"""The stylesheet: it can be read, uses only what it defines, and keeps the rules that it states at its top."""

import re
from pathlib import Path

import lightningcss

TOP = Path(__file__).parents[1]
STYLE = (TOP / "static" / "muster.css").read_text(encoding="utf-8")


def test_every_rule_can_be_read():
    assert lightningcss.process_stylesheet(STYLE, filename="muster.css")


def test_every_variable_that_is_used_is_defined():
    defined = set(re.findall(r"(--[\w-]+)\s*:", STYLE))
    scripted = set(re.findall(r"--[\w-]+", "".join(path.read_text(encoding="utf-8") for path in (TOP / "static").rglob("*.js"))))
    assert set(re.findall(r"var\((--[\w-]+)", STYLE)) <= defined | scripted


def test_no_selector_is_an_id():
    selectors = re.findall(r"(?m)^\s*([^@{};/]+)\{", re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL))
    assert [selector for selector in selectors if re.search(r"#[a-z]", selector)] == []


def test_no_selector_watches_what_is_within_a_row_or_the_page():
    watching = re.findall(
        r"(?<![\w-])(?:tr|body|html|main|\.page|\.grid|\.cell|\.fix|\.token)(?![\w-])[^\s>+~,{]*:has\([^{]*", STYLE
    )
    assert watching == []


def test_no_selector_waits_for_a_request_within():
    assert ":has(.htmx-request)" not in STYLE
