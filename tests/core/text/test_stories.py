"""An audit event as a sentence."""

import pytest
from webapp.core.text.audit_phrases import describe, describe_run

BEFORE = {"role": "Analyst", "groups": ["Exam Laptops", "Student Devices"]}
AFTER = {"role": "Admin", "groups": ["Student Devices", "Teacher Laptops", "Admin Office"]}


@pytest.mark.parametrize(
    ("action", "details", "subject", "said"),
    [
        ("session.started", {}, "maren@x.org", "Signed in"),
        ("session.refused", {}, "maren@x.org", "Sign-in as maren@x.org refused: email or password is wrong"),
        ("user.changed", {"before": BEFORE, "after": AFTER}, "Hannah Whitcombe",
         "Changed Hannah Whitcombe: role Analyst to Admin, 2 groups added, 1 group removed"),
        ("user.changed", {"before": {"groups": []}, "after": {"groups": "All groups"}}, "Hannah",
         "Changed Hannah: groups nothing to All groups"),
        ("user.changed", {"before": {"name": ""}, "after": {"name": "Hannah"}}, "h@x.org", "Changed h@x.org: name Hannah"),
        ("invitation.created", {"after": AFTER}, "ines@x.org", "Invited ines@x.org: role Admin, 3 groups added"),
        ("invitation.created", {"after": {"role": "Remote", "groups": []}}, "ines@x.org", "Invited ines@x.org: role Remote"),
        ("invitation.accepted", {"after": {"role": "Remote", "groups": "All groups"}}, "i@x.org",
         "Accepted the invitation: role Remote, groups All groups"),
        ("batch.uploaded", {"rows": 1}, "staff.csv", "Uploaded staff.csv: 1 row"),
        ("batch.uploaded", {"rows": 3, "again": 7}, "a.csv", "Uploaded a.csv: 3 rows"),
        ("batch.file_replaced", {"before": "old.csv", "rows": 2, "lost_edits": 1}, "new.csv",
         "Uploaded new.csv in place of “old.csv”: 2 rows, 1 edit lost"),
        ("batch.confirmed", {"counts": {"invite": 60, "update": 1, "attention": 3}}, "a.csv",
         "Confirmed a.csv: 60 new invites, 1 update"),
        ("batch.finished", {"outcomes": {"invited": 1200, "failed": 2}}, "a.csv", "Finished a.csv: 1,200 invited, 2 failed"),
        ("batch.rows_deleted", {"rows": 5, "days": 90}, "a.csv", "Deleted the rows of a.csv: 5 rows, older than 90 days"),
        ("audit.pruned", {"events": 2, "days": 730}, "", "Deleted old audit entries: 2 entries, older than 730 days"),
        ("alias.remembered", {"word": "{} teachers"}, "Teacher Laptops",
         "Had “{} teachers” mean Teacher Laptops from now on"),
        ("message.failed", {"reason": "550 no such user"}, "i@x.org", "Email to i@x.org failed: 550 no such user"),
        ("wizard.turned_around", {}, "X", "wizard.turned_around X"),
        ("user.changed", {}, "", "Changed"),
    ],
)  # fmt: skip
def test_each_action_has_its_words(action, details, subject, said):
    assert subject.join(describe(action, details, subject=subject)) == said


def test_repeated_refusals_are_counted():
    parts = describe("access.refused", {}, 3, "GET /users")
    assert parts == ["Refused, the role does not include it: ", " (3 times within the hour)"]


def test_settings_are_told_by_their_labels_and_long_ones_are_cut():
    changed = {
        "before": {"require_totp": "off", "invite_message": ""},
        "after": {"require_totp": "managers", "invite_message": "a\nb " * 50},
    }
    (told,) = describe("organisation.changed", changed, subject="Northfield")
    assert told.startswith("Changed settings: “Two-step sign-in is required of” off to managers, “Words in every")
    assert told.endswith("…")
    assert "\n" not in told


def test_many_events_of_one_upload_are_counted_by_action():
    actions = ["user.changed"] * 1_200 + ["invitation.created", "batch.paused", "batch.resumed"]
    assert describe_run(actions) == "1 invited, 1,200 users changed, 2 other entries"
