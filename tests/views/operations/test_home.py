"""Home."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import (
    BatchState,
    Invitation,
    InvitationState,
    MailCircuit,
    Message,
    MessageKind,
    MessageState,
    Row,
    UserState,
)
from webapp.services.operations import dashboard, heartbeats

from tests.factories import make_batch, make_group, make_invitation, make_persona, role


class TestFirstSteps:
    def test_groups_email_and_invitations_one_after_the_other(self, owner, change_settings):
        page = owner.get("/").page
        assert "0 of 3 done" in page.text
        assert page.all("li", aria_current="step")[0]["id"] == "step-1"
        make_group("Exam Laptops")
        make_group("Library")
        make_group("Year 3 iPads")
        page = owner.get("/").page
        assert "Exam Laptops, Library and 1 more." in page.text
        assert page.all("li", aria_current="step")[0]["id"] == "step-2"
        assert "smtp+starttls://user:password@mail.northfield.example:587" in page.text
        assert page.all("button", data_copy="#mail-line")
        change_settings(mail_url="smtp://me:secret@mail.northfield.example:2525")
        page = owner.get("/").page
        assert "Email goes out through mail.northfield.example." in page.text
        assert "secret" not in page.text
        assert "Send me a test" in page.text
        assert page.all("li", aria_current="step")[0]["id"] == "step-3"
        make_invitation()
        assert "First steps" not in owner.get("/").page.text

    def test_the_example_groups_are_named_and_take_one_click(self, owner):
        page = owner.get("/").page
        assert "Student Devices, Teacher Laptops, Library Chromebooks" in page.text
        form = page.all("input", name="names")[0]
        assert owner.post("/groups", {"names": form["value"], "next": "/"}).location == "/"
        assert "6 groups added." in owner.get("/").page.text

    def test_one_can_go_on_without_email(self, owner, admin):
        make_group("Library")
        db.session.delete(admin.user)
        db.session.commit()
        assert owner.post("/first-steps/email").location == "/"
        page = owner.get("/").page
        assert "2 of 3 done" in page.text
        assert "Without email. Set it up" in page.text
        make_invitation()
        page = owner.get("/").page
        assert "First steps" not in page.text
        assert not page.all("div", id="no-mail-server")
        assert "Nothing. Email goes out" not in page.text
        entry = owner.get("/audit").page.text
        assert "Changed settings: without email" in entry.replace("Without", "without")

    def test_email_stays_a_step_until_somebody_has_joined(self, owner):
        make_group("Library")
        make_invitation()
        page = owner.get("/").page
        assert page.all("li", aria_current="step")[0]["id"] == "step-2"
        assert "1 person invited, nobody has joined yet." in page.text
        make_persona("Admin")
        page = owner.get("/").page
        assert "First steps" not in page.text
        assert page.all("div", id="no-mail-server")

    def test_links_that_open_here_only_are_told(self, owner, change_settings):
        assert "Links open on this computer only (127.0.0.1)." in owner.get("/").page.text
        change_settings(public_url="https://127.0.0.1.example.org")
        assert "this computer only" not in owner.get("/").page.text


class TestFigures:
    def test_lead_to_those_people(self, owner):
        assert not owner.get("/").page.all("nav", aria_label="Figures")
        make_persona("Admin")
        make_invitation("late@northfield.example", expires_in=timedelta(days=-1))
        make_invitation("soon@northfield.example", expires_in=timedelta(days=2))
        make_invitation("fine@northfield.example", expires_in=timedelta(days=6))
        page = owner.get("/").page
        assert "5 People 3 Not joined yet 1 Expiring soon" in page.text
        assert page.all("a", href="/users?concern=expiring", data_tone="warn")
        assert "3 people found" in owner.get(page.all("a", href="/users?status=unjoined")[0]["href"]).page.text

    def test_invite_users_opens_the_dialog_here(self, admin):
        page = admin.get("/").page
        assert page.all("a", data_open="invite", class_="btn primary")
        assert page.all("dialog", id="invite")


def test_unfinished_uploads_of_everybody_are_listed(owner):
    other = make_persona("Admin")
    begun = make_batch(other, name="sixth-form-mentors.csv")
    make_batch(other, name="done.csv", state=BatchState.FINISHED)
    page = owner.get("/").page
    assert page.all("a", href=f"/batches/{begun.id}")
    assert "by Devika Raman. Nothing has been sent." in page.text
    assert page.text.index("Last upload") < page.text.index("done.csv")
    for _ in range(10):
        make_batch(other)
    page = owner.get("/").page
    assert page.all("a", id="all-uploads", href="/batches")
    assert not page.all("a", href=f"/batches/{begun.id}")


def test_the_last_upload_says_how_many_have_joined(owner):
    done = make_batch(owner.user, rows=3, name="staff.csv", state=BatchState.FINISHED, confirmed_at=utcnow())
    for n, (row, state) in enumerate(zip(done_rows(done), ("accepted", "pending", "pending"), strict=True)):
        invitation = make_invitation(f"u{n}@northfield.example", state=InvitationState(state))
        row.outcome, row.invitation_id = "invited", invitation.id
    db.session.commit()
    assert "staff.csv 1 of 3 joined 2 to go Confirmed today at" in owner.get("/").page.text


def done_rows(batch):
    return db.session.scalars(db.select(Row).where(Row.batch_id == batch.id)).all()


def test_an_alarm_says_that_no_mail_goes_out_and_why(owner):
    gate = db.session.get_one(MailCircuit, 1)
    gate.paused_at, gate.cause = utcnow(), {"code": "unreachable", "server": "The mail server", "cause": "535"}
    db.session.commit()
    text = owner.get("/").page.text
    assert "No email has gone out since today at" in text
    assert "The mail server cannot be used (535)." in text


class TestWelcome:
    def test_says_what_one_may_do_one_s_groups_and_whom_to_ask(self, owner, sign_in, change_settings):
        remote = sign_in("Remote")
        remote.user.groups = [make_group("Exam Laptops"), make_group("Library")]
        db.session.commit()
        page = remote.get("/").page
        assert page.h1 == "Home"
        assert "Remote. Can sign in to devices from home. There is nothing to set up here" in page.text
        assert "Exam Laptops Library You can use the devices in these 2 groups." in page.text
        assert f"Ask Maren Okafor , {owner.user.email} ." in page.text
        assert "Continue to" not in page.text
        change_settings(continue_url="https://intranet.example.org/start")
        assert remote.get("/").page.all("a", href="https://intranet.example.org/start", class_="btn primary")
        assert "Continue to intranet.example.org" in remote.get("/").page.text
        change_settings(continue_name="Hillcrest Intranet")
        assert "Continue to Hillcrest Intranet" in remote.get("/").page.text
        for text in ("First steps", "Unfinished uploads", "See people"):
            assert text not in page.text

    def test_names_who_invited_while_they_are_here(self, owner, sign_in):
        remote, inviter = sign_in("Remote"), make_persona("Admin")
        invitation = make_invitation("x@northfield.example", state=InvitationState.ACCEPTED)
        invitation.user_id, invitation.invited_by_id = remote.user.id, inviter.id
        db.session.commit()
        page = remote.get("/").page
        assert "Ask Devika Raman , devika.raman@northfield.example , who invited you." in page.text
        assert "None yet. Ask Devika Raman if you need some." in page.text
        inviter.state = UserState.DEACTIVATED
        db.session.commit()
        assert "Ask Maren Okafor" in remote.get("/").page.text

    def test_many_groups_and_all_of_them(self, owner, sign_in):
        remote = sign_in("Broadcaster")
        remote.user.groups = [make_group(f"Class {n:02}") for n in range(21)]
        db.session.commit()
        page = remote.get("/").page
        assert len(page.all("span", class_="token")) == 12
        assert "and 9 more" in page.text
        remote.user.all_groups = True
        db.session.commit()
        assert "All groups You can use the devices in every group." in remote.get("/").page.text

    def test_an_analyst_is_led_to_people(self, sign_in, owner):
        page = sign_in("Analyst").get("/").page
        assert page.all("a", href="/users", class_="btn primary")
        assert "nothing to set up" not in page.text
        assert not page.all("a", href="/users?invite=bulk")


def lose(invitation, kind=MessageKind.INVITATION) -> None:
    """Its e-mail failed for good."""
    db.session.add(
        Message(
            kind=kind, priority=3, recipient=invitation.email, message_id=f"<{invitation.id}-{kind}@x>",
            invitation_id=invitation.id, state=MessageState.FAILED,
        )
    )  # fmt: skip
    db.session.commit()


class TestAttention:
    def test_one_failed_delivery_is_told_with_the_servers_words(self, admin):
        invitation = make_invitation("lena@gmial.com")
        invitation.name = "Lena Fischer"
        lose(invitation)
        message = db.session.scalars(db.select(Message)).one()
        message.result = {"code": "text", "text": "Host gmial.com not found."}
        db.session.commit()
        words = "Lena Fischer: Host gmial.com not found. Correct the address, or send again."
        assert words in admin.get("/").page.text

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

    def test_a_reminder_that_failed_is_told_like_an_invitation(self, admin):
        ines = make_invitation("ines@northfield.example")
        invited = {"kind": MessageKind.INVITATION, "priority": 3, "message_id": "<1@x>", "state": MessageState.SENT}
        db.session.add(Message(recipient=ines.email, invitation_id=ines.id, **invited))
        db.session.flush()
        assert "could not be delivered" not in admin.get("/").page.text
        lose(ines, MessageKind.REMINDER)
        assert "1 invitation could not be delivered ines@northfield.example" in admin.get("/").page.text
        assert "ines@northfield.example" in admin.get("/users?concern=failed").page.text

    @pytest.mark.parametrize(("invite_days", "left"), [(7, timedelta(days=3.5)), (30, timedelta(days=7))])
    def test_invitations_that_expire_soon(self, admin, change_settings, invite_days, left):
        change_settings(invite_days=invite_days, mail_url="smtp://mail.northfield.example")
        minute = timedelta(minutes=1)
        for n, ends in enumerate((-minute, left / 2, left - minute, left + minute, left + timedelta(days=20))):
            make_invitation(f"u{n}@northfield.example", expires_in=ends)
        make_invitation("x@northfield.example", expires_in=left / 2, state=InvitationState.ACCEPTED)
        page = admin.get("/").page
        assert f"2 invitations expire by {utcnow() + left - minute:%A}" in page.text
        assert "u1@northfield.example, u2@northfield.example. A reminder makes the link work longer." in page.text
        assert "Remind 2" in page.text
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

    def test_all_is_well(self, owner, queue, change_settings):
        heartbeats.beat("one")
        make_persona("Admin")
        make_invitation(expires_in=timedelta(days=30))
        assert "No mail server is set" in owner.get("/").page.text
        change_settings(mail_url="smtp://mail.northfield.example")
        assert "Nothing. Email goes out, and no invitation is about to expire." in owner.get("/").page.text

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
        for text in ("Needs attention", "Invitations by week", "could not be delivered", "expires", "worker", "Figures"):
            assert text not in page.text


class TestChart:
    def test_is_empty_in_the_first_days(self, owner):
        page = owner.get("/").page
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
