"""The stylesheet: one changed cell of a review has that cell styled anew, not the page."""

import re
from pathlib import Path

STYLE = (Path(__file__).parents[1] / "static" / "muster.css").read_text()


def test_no_selector_watches_what_is_within_a_row_or_the_page():
    watching = re.findall(
        r"(?<![\w-])(?:tr|body|html|main|\.page|\.grid|\.cell|\.fix|\.token)(?![\w-])[^\s>+~,{]*:has\([^{]*", STYLE
    )
    assert watching == []


def test_no_selector_waits_for_a_request_within():
    assert ":has(.htmx-request)" not in STYLE
