"""After sending: who has joined, who is reminded, and what the report says of each."""

from __future__ import annotations

import csv
from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.jobs import batches as batch_job
from webapp.jobs import maintenance
from webapp.jobs import outbox as outbox_job
from webapp.models import AuditEvent, Batch, Invitation, InvitationState, Message, MessageKind, Row, UserState
from webapp.services.batches import joining
from webapp.services.invitations import invitations

from tests.factories import PASSWORD, make_group, make_invitation, make_persona, make_user
from tests.smtp_sink import Sink
from tests.steps import confirm, stage

pytestmark = pytest.mark.usefixtures("known_groups")

INES, JONAS, LENA = "ines@northfield.example", "jonas@northfield.example", "lena@northfield.example"
FILE = f"Email,Role,Groups\n{INES},Analyst,Labs\n{JONAS},Remote,\n{LENA},Remote,\n"


@pytest.fixture(autouse=True)
def labs(app):
    make_group("Labs")


@pytest.fixture
def sink(app, change_settings):
    with Sink() as server:
        change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
        yield server


def finished(client, text: str = FILE, **more) -> Batch:
    """An upload, confirmed and carried out."""
    batch = stage(client, text, **more)
    confirm(client, batch)
    batch_job.process(batch.id)
    outbox_job.send()
    return db.session.get_one(Batch, batch.id)


def invitation(email: str) -> Invitation:
    db.session.rollback()
    return db.session.scalars(db.select(Invitation).where(Invitation.email == email)).one()


def join(email: str, name: str):
    """This person has accepted."""
    user = make_user(name, email=email)
    found = invitation(email)
    found.state, found.user_id, found.closed_at = InvitationState.ACCEPTED, user.id, utcnow()
    db.session.commit()
    return user


def report(client, batch, query: str = ""):
    return client.get(f"/batches/{batch.id}{query}").page


def card(client, batch, page=None):
    """The live part, as an open page asks for it. page: what it shows; by default one that knows nothing."""
    asks = f"/batches/{batch.id}/joined"
    if page:
        (asks,) = [tag["hx-get"] for tag in page.all("div", hx_trigger="every 15s")]
    return client.get(asks, htmx=True).page


def ask_to_remind(client, batch):
    """Press Remind; a worker has not looked yet."""
    return client.get(client.post(f"/batches/{batch.id}/reminders").location).page


def remind(client, batch):
    said = ask_to_remind(client, batch)
    batch_job.process(batch.id)
    return said


def pass_an_hour() -> None:
    for each in [*db.session.scalars(db.select(Invitation)), *db.session.scalars(db.select(Batch))]:
        if each.reminded_at:
            each.reminded_at -= timedelta(minutes=61)
    db.session.commit()


def messages(kind: MessageKind) -> list[str]:
    return sorted(db.session.scalars(db.select(Message.recipient).where(Message.kind == kind)))


class TestTheReport:
    def test_is_called_like_the_file_and_says_what_was_done(self, owner, sink):
        batch = finished(owner)
        page = report(owner, batch)
        assert page.h1 == "staff.csv"
        assert "3 invited, today at" in page.text
        assert "staff.csv: 0 of 3 joined" in page.title

    def test_counts_who_joined_and_lists_who_has_not(self, owner, sink):
        batch = finished(owner)
        nadia = join(INES, "Nadia Petrova")
        page = report(owner, batch)
        assert "1 of 3 joined 2 to go" in page.text
        assert "Last: Nadia Petrova today at" in page.text
        assert page.all("a", href=f"/users/{nadia.id}")
        assert "Joined 1 person" in page.text
        assert "Not joined yet 2 people" in page.text
        assert "Sent today at" in page.text

    def test_goes_on_counting_by_itself(self, owner, sink):
        batch = finished(owner)
        first = report(owner, batch)
        same = card(owner, batch, first)
        assert "0 of 3 joined" in same.text
        assert INES not in same.text, "nobody joined, so the lists are as they were"
        assert not same.all("hx-partial")
        join(INES, "Nadia Petrova")
        now = card(owner, batch, same)
        assert "1 of 3 joined" in now.text
        assert "Joined 1 person" in now.text
        assert "Not joined yet 2 people" in now.text
        assert not card(owner, batch, now).all("hx-partial")
        for email, name in ((JONAS, "Jonas"), (LENA, "Lena")):
            join(email, name)
        last = card(owner, batch, now)
        assert "3 of 3 joined" in last.text
        assert "to go" not in last.text
        assert not last.all("div", hx_trigger="every 15s")
        assert not last.all("a", id="remind")

    def test_a_withdrawn_invitation_is_nobody_to_wait_for(self, owner, sink):
        batch = finished(owner)
        owner.post(f"/invitations/{invitation(INES).id}/revocation")
        page = report(owner, batch).text
        assert "0 of 2 joined 2 to go" in page
        assert "No longer invited" in page

    def test_what_an_update_gave_and_took_stands_there_as_tokens(self, owner, sink):
        make_user("Ines Carvalho", email=INES, groups=("Student Devices",))
        batch = finished(owner, f"Email,Role,Groups\n{INES},Analyst,Labs\n")
        page = report(owner, batch)
        assert "Added: Labs" in page.text
        assert "Removed: Student Devices" in page.text
        assert "Ines Carvalho" in page.text
        assert "joined" not in page.title, "nobody was invited"

    def test_names_who_confirmed_unless_it_was_you(self, owner, sink, sign_in):
        batch = finished(owner)
        by = f"by {owner.user.name}"
        assert by not in report(owner, batch).text
        assert by in report(sign_in("Analyst"), batch).text

    def test_shows_a_few_and_then_all(self, owner, sink):
        lines = "".join(f"u{n}@northfield.example,Remote\n" for n in range(8))
        batch = finished(owner, "Email,Role\n" + lines)
        assert report(owner, batch).text.count("Sent today") == 5
        assert "Show all 8" in report(owner, batch).text
        assert report(owner, batch, "?show=pending").text.count("Sent today") == 8

    def test_the_number_of_queries_does_not_grow_with_the_rows(self, owner, sink, queries):
        counted = []
        for n in (3, 60):
            lines = "".join(f"u{i}of{n}@northfield.example,Remote\n" for i in range(n))
            batch = finished(owner, "Email,Role\n" + lines)
            join(f"u1of{n}@northfield.example", "One")
            queries.clear()
            report(owner, batch)
            card(owner, batch)
            counted.append(len(queries))
        assert counted[0] == counted[1], queries

    def test_these_people_are_all_of_the_file_joined_or_not(self, owner, sink):
        make_user("Somebody Else", email="else@northfield.example")
        batch = finished(owner)
        join(INES, "Nadia Petrova")
        assert report(owner, batch).all("a", href=f"/users?upload={batch.id}")
        people = owner.get(f"/users?upload={batch.id}").page.text
        assert "3 people found" in people
        assert "Nadia Petrova" in people
        assert "Somebody Else" not in people

    def test_these_people_are_those_of_the_file_whatever_came_of_their_rows(self, owner, sink):
        make_user("Ada Old", email="ada@northfield.example")
        make_invitation("bo@northfield.example")
        make_user("Somebody Else", email="else@northfield.example")
        batch = finished(
            owner, "Email,Role\nada@northfield.example,Analyst\nbo@northfield.example,Analyst\ncy@northfield.example,Remote\n"
        )
        cy = invitation("cy@northfield.example")
        owner.post(f"/invitations/{cy.id}/email", {"email": "cy@new.example"})
        people = owner.get(f"/users?upload={batch.id}").page.text
        assert "3 people found" in people
        for found in ("Ada Old", "bo@northfield.example", "cy@new.example"):
            assert found in people

    def test_who_joined_and_was_erased_is_not_said_to_have_been_withdrawn(self, owner, sink):
        batch = finished(owner)
        gone = join(INES, "Nadia Petrova")
        gone.state = UserState.DEACTIVATED
        db.session.commit()
        owner.post(f"/users/{gone.id}/erasure", {"current": PASSWORD})
        page = report(owner, batch).text
        assert "No longer invited Withdrawn, or the person was erased." in page
        assert "no valid email" not in owner.get(f"/batches/{batch.id}/missing").page.text


class TestTheResultsFile:
    def test_says_who_of_those_invited_has_joined(self, owner, sink):
        make_user("Ada Old", email="ada@northfield.example")
        batch = finished(owner, FILE + "ada@northfield.example,Analyst,Labs\n")
        join(INES, "Nadia Petrova")
        owner.post(f"/invitations/{invitation(LENA).id}/revocation")
        lines = list(csv.DictReader(owner.get(f"/batches/{batch.id}/report.csv").data.decode("utf-8-sig").splitlines()))
        assert [(line["Email"], line["Outcome"], line["Joined"]) for line in lines] == [
            (INES, "Invited", "Yes"),
            (JONAS, "Invited", "No"),
            (LENA, "Invited", ""),
            ("ada@northfield.example", "Updated", ""),
        ]
        assert lines[-1]["Reason"] == "Added Labs"

    def test_costs_no_more_queries_with_more_rows(self, owner, sink, queries):
        counted = []
        for n in (3, 60):
            batch = finished(owner, "Email,Role\n" + "".join(f"u{i}of{n}@northfield.example,Remote\n" for i in range(n)))
            queries.clear()
            owner.get(f"/batches/{batch.id}/report.csv")
            counted.append(len(queries))
        assert counted[0] == counted[1], queries


class TestUploads:
    def test_say_how_many_joined(self, owner, sink):
        batch = finished(owner)
        join(INES, "Nadia Petrova")
        stage(owner, f"Email,Role\n{INES},Analyst\n", name="other.csv")
        page = owner.get("/batches").page.text
        assert page.count("1 of 3 joined") == 1
        counted = joining.count_joined([batch.id, batch.id + 1])
        assert list(counted) == [batch.id]

    def test_many_batches_are_counted_in_one_query(self, owner, sink, queries):
        batches = [finished(owner, f"Email,Role\nu{n}@northfield.example,Remote\n").id for n in range(3)]
        queries.clear()
        assert len(joining.count_joined(batches)) == 3
        assert len([each for each in queries if each.startswith("SELECT")]) == 1


class TestReminders:
    def test_go_to_those_who_have_not_joined_and_no_one_else(self, owner, sink):
        batch = finished(owner)
        join(INES, "Nadia Petrova")
        before = invitation(JONAS).token_hash
        (button,) = report(owner, batch).all("a", id="remind")
        asked = owner.get(button["href"], htmx=True).page.text
        assert "Send a reminder to 2 people?" in asked
        assert "The link stays the same and works 7 days more." in asked
        assert "Reminders are on their way to 2 people." in remind(owner, batch).text
        assert messages(MessageKind.REMINDER) == [JONAS, LENA]
        assert invitation(JONAS).token_hash == before
        assert invitation(JONAS).expires_at > utcnow() + timedelta(days=6, hours=23)
        told = db.select(AuditEvent).where(AuditEvent.action == "invitation.reminded")
        assert [event.actor_id for event in db.session.scalars(told)] == [owner.user.id] * 2

    def test_are_queued_by_a_worker_whom_the_sweep_finds(self, owner, sink):
        batch = finished(owner)
        page = ask_to_remind(owner, batch)
        assert "Sending reminders" in page.text
        assert messages(MessageKind.REMINDER) == []
        assert "Nobody is to be reminded now." in ask_to_remind(owner, batch).text
        maintenance.tick("one")
        assert messages(MessageKind.REMINDER) == [INES, JONAS, LENA]
        assert "Sent 1 minute ago" in report(owner, batch).text

    def test_a_stop_in_the_middle_loses_and_doubles_none_however_late_they_go_on(self, owner, sink, monkeypatch):
        monkeypatch.setattr(invitations, "CHUNK", 2)
        batch = finished(owner)
        ask_to_remind(owner, batch)
        assert batch_job.work(batch.id), "one is left, and the worker is killed"
        assert len(messages(MessageKind.REMINDER)) == 2
        pass_an_hour()
        batch_job.process(batch.id)
        batch_job.process(batch.id)
        assert messages(MessageKind.REMINDER) == [INES, JONAS, LENA]

    def test_none_go_for_somebody_who_may_no_longer_invite(self, owner, sign_in, sink):
        admin = sign_in("Admin")
        batch = finished(owner)
        ask_to_remind(admin, batch)
        owner.post(f"/users/{admin.user.id}/deactivation")
        batch_job.process(batch.id)
        assert messages(MessageKind.REMINDER) == []
        assert "Remind 3" in report(owner, batch).text

    def test_leave_out_those_who_were_never_emailed(self, owner, change_settings):
        batch = finished(owner)
        with Sink() as server:
            change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
            assert not report(owner, batch).all("a", id="remind")
            owner.post(f"/invitations/{invitation(INES).id}/messages")
            outbox_job.send()
            page = report(owner, batch).text
            assert "2 invitations were never emailed" in page
            assert "Remind 1" in page
            remind(owner, batch)
        assert messages(MessageKind.REMINDER) == [INES]

    def test_only_once_an_hour(self, owner, sink):
        batch = finished(owner)
        remind(owner, batch)
        outbox_job.send()
        page = report(owner, batch)
        assert "Sent 1 minute ago" in page.text
        assert not page.all("a", id="remind")
        assert "Nobody is to be reminded now." in remind(owner, batch).text
        assert owner.get(f"/batches/{batch.id}/reminders", 303).location == f"/batches/{batch.id}"
        assert len(messages(MessageKind.REMINDER)) == 3
        pass_an_hour()
        assert "Remind 3" in report(owner, batch).text

    def test_revive_what_has_expired(self, owner, sink):
        batch = finished(owner)
        invitation(INES).expires_at = utcnow() - timedelta(days=1)
        db.session.commit()
        assert "Link expired yesterday" in report(owner, batch).text
        remind(owner, batch)
        outbox_job.send()
        assert INES in sink.messages[-3].recipients + sink.messages[-2].recipients + sink.messages[-1].recipients

    def test_a_batch_with_reminders_can_still_be_reverted(self, owner, sink):
        batch = finished(owner)
        remind(owner, batch)
        to = owner.post(f"/batches/{batch.id}/reversal").location
        assert "Sent again since" not in owner.get(to).page.text

    def test_not_by_who_may_not_invite_nor_to_roles_that_one_may_not_give(self, sign_in, sink):
        owner, admin, analyst = sign_in("Owner"), sign_in("Admin"), sign_in("Analyst")
        make_persona("Investigator")
        batch = finished(owner)
        assert not report(analyst, batch).all("a", id="remind")
        analyst.post(f"/batches/{batch.id}/reminders", status=403)
        found = db.session.scalars(db.select(Row).where(Row.email == INES)).one()
        db.session.get_one(Invitation, found.invitation_id).role_id = owner.user.role_id
        db.session.commit()
        assert "Remind 2" in report(admin, batch).text
        remind(admin, batch)
        assert messages(MessageKind.REMINDER) == [JONAS, LENA]

    def test_none_without_a_mail_server(self, owner):
        batch = finished(owner)
        page = report(owner, batch)
        assert "0 of 3 joined" in page.text
        assert not page.all("a", id="remind")
        assert page.text.count("Copy link") == 3
        remind(owner, batch)
        assert messages(MessageKind.REMINDER) == []
