"""What becomes of the pending invitations of somebody who is deactivated."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import db
from webapp.jobs import batches as job
from webapp.models import AuditEvent, Batch, Invitation, InvitationState, MessageState

from tests.client import Client
from tests.factories import make_invitation, make_user, token_of
from tests.mail_fixtures import make_message


@pytest.fixture
def leaving(owner):
    return make_user("Devon Leaving", "Admin", email="devon@northfield.example")


@pytest.fixture
def made(leaving):
    """A way back in, and two invitations of everyday work."""
    return {
        name: make_invitation(f"{name}@northfield.example", role, by=leaving, expires_in=expires_in)
        for name, role, expires_in in (
            ("backdoor", "Admin", timedelta(days=7)),
            ("pupil", "Remote", timedelta(days=7)),
            ("late", "Analyst", timedelta(days=-1)),
        )
    }


def pending():
    found = db.select(Invitation.email).where(Invitation.state == InvitationState.PENDING).order_by(Invitation.email)
    return [email.partition("@")[0] for email in db.session.scalars(found)]


def test_the_question_says_so_and_those_that_manage_users_are_revoked_unless_one_says_otherwise(app, owner, leaving, made):
    page = owner.get(f"/users/{leaving.id}/deactivation").page
    assert "3 invitations that they made are not accepted yet" in page.text
    assert "Revoke the one to a role that manages users" in page.text
    assert [a["value"] for a in page.all("input", name="theirs")] == ["managing", "all", "none"]
    assert "checked" in page.all("input", name="theirs", value="managing")[0]
    link = f"/invitations/{token_of(made['backdoor'])}"
    Client(app).get(link)
    owner.post(f"/users/{leaving.id}/deactivation", {"theirs": "managing"})
    Client(app).get(link, 410)
    assert pending() == ["late", "pupil"]
    revoked = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "invitation.revoked")).one()
    assert (revoked.subject, revoked.actor) == ("backdoor@northfield.example", owner.user.email)


@pytest.mark.parametrize(
    ("sent", "left"),
    [({}, ["late", "pupil"]), ({"theirs": "all"}, []), ({"theirs": "none"}, ["backdoor", "late", "pupil"])],
)
def test_what_the_form_says_is_done(owner, leaving, made, sent, left):
    owner.post(f"/users/{leaving.id}/deactivation", sent)
    assert pending() == left


def test_its_email_that_has_not_gone_never_goes(owner, leaving):
    message = make_message(role_name="Admin", by=leaving)
    owner.post(f"/users/{leaving.id}/deactivation", {})
    db.session.refresh(message)
    assert message.state is MessageState.CANCELLED


def test_who_made_none_is_not_asked(owner, leaving):
    make_invitation("accepted@northfield.example", by=leaving, state=InvitationState.ACCEPTED)
    make_invitation("others@northfield.example", by=owner.user)
    page = owner.get(f"/users/{leaving.id}/deactivation").page
    assert "invitation" not in page.text.partition("Deactivate Devon Leaving?")[2].partition("Keep")[0]


def test_only_everyday_ones_are_kept_unless_one_says_otherwise(owner, leaving):
    make_invitation("pupil@northfield.example", "Remote", by=leaving)
    page = owner.get(f"/users/{leaving.id}/deactivation").page
    assert "1 invitation that they made is not accepted yet" in page.text
    assert "checked" in page.all("input", name="theirs", value="none")[0]
    owner.post(f"/users/{leaving.id}/deactivation", {"theirs": "none"})
    assert pending() == ["pupil"]


def test_of_many_people_at_once(app, owner, leaving, made):
    other = make_user("Olive Other", "Analyst")
    people = f"user-{leaving.id},user-{other.id}"
    review = owner.post("/actions", {"do": "deactivate", "people": people}).location
    asked = owner.get(f"{review}/confirmation").page
    assert "1 pending invitation that they made to roles that manage users is revoked with it. 2 others" in asked.text
    owner.post(f"{review}/confirmation", {"version": asked.values("version")[0]})
    job.process(db.session.scalars(db.select(Batch.id)).one())
    assert pending() == ["late", "pupil"]
    Client(app).get(f"/invitations/{token_of(made['backdoor'])}", 410)


def test_reactivating_brings_no_link_back(app, owner, leaving, made):
    owner.post(f"/users/{leaving.id}/deactivation", {})
    owner.post(f"/users/{leaving.id}/reactivation", {"password": "correct horse battery"})
    Client(app).get(f"/invitations/{token_of(made['backdoor'])}", 410)


def test_nothing_above_who_deactivates_is_touched(owner, sign_in):
    owner.post("/roles", {"name": "Helper", "rank": "60", "permissions": ["users:manage"]})
    helper = sign_in(make_user("Hel Per", "Helper"))
    person = make_user("Ana Ruiz", "Analyst")
    make_invitation("old@northfield.example", "Admin", by=person)
    page = helper.get(f"/users/{person.id}/deactivation").page
    assert not page.all("input", name="theirs")
    helper.post(f"/users/{person.id}/deactivation", {"theirs": "all"})
    assert pending() == ["old"]
