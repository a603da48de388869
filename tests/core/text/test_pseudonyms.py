"""A person's words taken out of what was written down."""

import pytest
from webapp.core.text.redact import Redactor

ANN = Redactor({"ann@x.org", "Ann Lee", "Admin"}, "Person 7")


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("ann@x.org", "Person 7"),
        ("550 <ANN@X.ORG>: no", "550 <Person 7>: no"),
        ("mail to ann@x.org.", "mail to Person 7."),
        ("joann@x.org, ann@x.org.uk, ann@x.org-a", "joann@x.org, ann@x.org.uk, ann@x.org-a"),
        ("for Ann Lee.csv", "for Person 7.csv"),
        ("Joann Leeds", "Joann Leeds"),
        ("the role Admin", "the role Admin"),
        ("admin", "Person 7"),
        ({"role": "Admin", "groups": ["Admin"], "name": "Admin", "ann@x.org": 1}, None),
        (7, 7),
        (None, None),
    ],
)
def test_only_theirs_go(text, after):
    if isinstance(text, dict):
        after = {"role": "Admin", "groups": ["Admin"], "name": "Person 7", "Person 7": 1}
    assert ANN(text) == after


def test_without_any_word_nothing_changes():
    assert Redactor({""}, "Person 7")("anything") == "anything"
