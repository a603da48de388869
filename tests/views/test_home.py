"""Home."""

from __future__ import annotations

from tests.factories import make_batch, make_group, make_invitation, make_persona
from webapp.db import db, utcnow
from webapp.models import BatchState, MailGate


def test_the_first_steps_are_groups_and_invitations(owner):
    page = owner.get("/").page
    assert "Add your device groups" in page.text
    assert "Invite your first users" in page.text
    assert page.all("a", href="/users?invite=bulk")
    make_group("Exam Laptops")
    assert "Add your device groups" not in owner.get("/").page.text
    make_invitation()
    assert "First steps" not in owner.get("/").page.text


def test_the_example_set_takes_one_click(owner):
    form = owner.get("/").page.all("input", name="names")[0]
    assert owner.post("/groups", {"names": form["value"], "next": "/"}).location == "/"
    assert "6 groups added." in owner.get("/").page.text


def test_unfinished_uploads_of_everybody_are_listed(owner):
    other = make_persona("Admin")
    begun = make_batch(other, name="sixth-form-mentors.csv")
    make_batch(other, name="done.csv", state=BatchState.FINISHED)
    page = owner.get("/").page
    assert page.all("a", href=f"/batches/{begun.id}")
    assert "Under review" in page.text
    assert "by Devika Raman" in page.text
    assert "done.csv" not in page.text


def test_an_alarm_says_that_no_mail_goes_out_and_why(owner):
    gate = db.session.get_one(MailGate, 1)
    gate.paused_at, gate.reason = utcnow(), "The mail server refused the sign-in (535)."
    db.session.commit()
    text = owner.get("/").page.text
    assert "No email is going out since today at" in text
    assert "The mail server refused the sign-in (535)." in text


def test_who_may_not_invite_sees_their_own_role_and_groups(sign_in):
    remote = sign_in("Remote")
    remote.user.groups = [make_group("Exam Laptops")]
    db.session.commit()
    page = remote.get("/").page
    for text in ("Jun-ho Park", "jun-ho.park@northfield.example", "Remote", "Exam Laptops"):
        assert text in page.text
    assert "First steps" not in page.text
    assert "Unfinished uploads" not in page.text


def test_an_analyst_sees_uploads_but_no_invitation(sign_in):
    page = sign_in("Analyst").get("/").page
    assert "Unfinished uploads" in page.text
    assert not page.all("a", href="/users?invite=bulk")
