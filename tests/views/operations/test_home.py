"""Home."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import BatchState, Invitation, InvitationState, MailCircuit, Message, MessageKind, MessageState
from webapp.services.operations import dashboard, heartbeats

from tests.factories import make_batch, make_group, make_invitation, make_persona, role


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
    for _ in range(10):
        make_batch(other)
    page = owner.get("/").page
    assert page.all("a", id="all-uploads", href="/batches")
    assert not page.all("a", href=f"/batches/{begun.id}")


def test_an_alarm_says_that_no_mail_goes_out_and_why(owner):
    gate = db.session.get_one(MailCircuit, 1)
    gate.paused_at, gate.cause = utcnow(), {"code": "unreachable", "server": "The mail server", "cause": "535"}
    db.session.commit()
    text = owner.get("/").page.text
    assert "No email has gone out since today at" in text
    assert "The mail server cannot be used (535)." in text


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


def lose(invitation) -> None:
    """Its e-mail failed for good."""
    db.session.add(
        Message(
            kind=MessageKind.INVITATION, priority=3, recipient=invitation.email, message_id=f"<{invitation.id}@x>",
            invitation_id=invitation.id, state=MessageState.FAILED,
        )
    )  # fmt: skip
    db.session.commit()


class TestAttention:
    def test_failed_deliveries_are_counted_and_lead_to_those_people(self, admin):
        for n in range(2):
            lose(make_invitation(f"u{n}@northfield.example"))
        lose(make_invitation("gone@northfield.example", state=InvitationState.REVOKED))
        page = admin.get("/").page
        assert "2 invitations could not be delivered" in page.text
        assert page.all("a", href="/users?concern=failed", class_="cover")
        make_invitation("fine@northfield.example")
        found = admin.get("/users?concern=failed").page.text
        assert "2 people found" in found
        assert "Only those whose email failed. Show everybody" in found
        assert "u0@northfield.example" in found
        assert "fine@northfield.example" not in found

    def test_invitations_that_expire_this_week(self, admin):
        today = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
        left = today + timedelta(days=7 - today.weekday()) - utcnow()  # until Monday
        minute = timedelta(minutes=1)
        for n, ends in enumerate((-minute, left / 2, left - minute, left + minute, left + timedelta(days=20))):
            make_invitation(f"u{n}@northfield.example", expires_in=ends)
        make_invitation("x@northfield.example", expires_in=left / 2, state=InvitationState.ACCEPTED)
        page = admin.get("/").page
        assert "2 invitations expire this week" in page.text
        assert page.all("a", href="/users?concern=expiring")
        found = admin.get("/users?concern=expiring").page.text
        assert "2 people found" in found
        assert "u1@northfield.example" in found
        assert "u2@northfield.example" in found

    def test_no_worker_and_no_queue_are_told_to_those_who_send(self, owner, sign_in):
        page = owner.get("/").page
        assert "No worker was seen in the last minute." in page.text
        assert page.all("a", href="/settings", class_="btn")
        heartbeats.beat("one")
        assert "The queue server does not answer." in owner.get("/").page.text
        admin = sign_in("Admin").get("/").page
        assert "The queue server does not answer." in admin.text
        assert not admin.all("a", href="/settings", class_="btn")
        assert "queue server" not in sign_in("Analyst").get("/").page.text

    def test_all_is_well(self, owner, queue, change_settings):
        heartbeats.beat("one")
        make_invitation(expires_in=timedelta(days=30))
        assert "No mail server is set" in owner.get("/").page.text
        change_settings(mail_url="smtp://mail.northfield.example")
        assert "Nothing: email goes out, and no invitation is about to expire." in owner.get("/").page.text

    def test_does_not_wait_for_a_queue_that_is_away(self, owner):
        waits = []
        for _ in range(4):  # a machine that is busy lengthens one or the other
            began = time.monotonic()
            owner.get("/")
            waits.append(time.monotonic() - began)
        assert min(waits) < 0.5

    @pytest.mark.parametrize("name", ["Broadcaster", "Remote"])
    def test_who_may_see_nobody_sees_their_own_access_alone(self, sign_in, name):
        lose(make_invitation(expires_in=timedelta(days=1)))
        page = sign_in(name).get("/").page
        for text in ("Needs attention", "Invitations by week", "could not be delivered", "expires", "worker"):
            assert text not in page.text


class TestChart:
    def test_is_empty_in_the_first_days(self, owner):
        page = owner.get("/").page
        assert "No one was invited in the last 12 weeks." in page.text
        assert not page.all("svg", role="img")

    def test_tells_its_numbers_in_a_table_too(self, owner):
        now = utcnow()
        for n, (age, state) in enumerate(((0, "pending"), (15, "accepted"), (15, "revoked"), (200, "accepted"))):
            invitation = make_invitation(f"u{n}@northfield.example", state=InvitationState(state))
            invitation.created_at = now - timedelta(days=age)
            invitation.closed_at = now - timedelta(days=age) if state != "pending" else None
        db.session.commit()
        weeks = dashboard.weeks()
        assert (len(weeks), sum(week["invited"] for week in weeks), sum(week["accepted"] for week in weeks)) == (12, 3, 1)
        assert all(week["begins"].weekday() == 0 for week in weeks)
        assert weeks[-1]["invited"] == 1
        page = owner.get("/").page
        assert page.all("svg", role="img")
        assert "3 people invited and 1 invitation accepted in the last 12 weeks." in page.text
        assert "Week from Invited Accepted" in page.text


def test_home_costs_the_same_at_10_000_invitations(owner, queries):
    counted = []
    analyst = role("Analyst").id
    for n in (1, 10_000):
        now = utcnow()
        db.session.execute(
            db.insert(Invitation),
            [
                {
                    "email": f"n{n}u{i}@northfield.example", "email_key": f"n{n}u{i}@northfield.example", "role_id": analyst,
                    "token_hash": f"{n}-{i}", "nonce": "", "valid_days": 7, "expires_at": now + timedelta(days=i % 20),
                }
                for i in range(n)
            ],
        )  # fmt: skip
        db.session.commit()
        make_batch(owner.user)
        owner.get("/")
        queries.clear()
        began = time.process_time()
        owner.get("/")
        counted.append(len(queries))
    assert counted[0] == counted[1], queries
    assert time.process_time() - began < 1.5


def test_the_keys_are_a_page_too(admin, sign_in):
    (link,) = admin.get("/").page.all("a", data_open="keys")
    page = admin.get(link["href"]).page
    assert page.h1 == "Keyboard shortcuts"
    assert page.all("h2", class_="keys-title")
    assert not page.all("h3")
    assert "Next or previous problem F8 Shift F8" in page.text
    part = sign_in("Remote").get(link["href"], htmx=True).page
    assert not part.whole
    assert "F8" not in part.text
