"""What a batch's invitations say: days, personal message, preview, and a test to oneself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.jobs import outbox as jobs
from webapp.models import AuditEvent, Batch, BatchState, Message, MessageKind, MessageState, Outcome, Role, RowEdit, UserState
from webapp.services.batches import confirmation, execute
from webapp.services.mail import claim, results

from tests.factories import PASSWORD, make_invitation, make_persona
from tests.mail_fixtures import make_message, message_to, pass_time
from tests.smtp_sink import Sink
from tests.steps import rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = "Email,Role,Groups\nbroken,Analyst,\nines@northfield.example,Analyst,Student Devices\n"
WORDS = "Dear all,\n\nthe <b>portal</b> opens on Monday.\n  Devika"


@pytest.fixture
def sink(change_settings: Callable[..., Any]) -> Iterator[Sink]:
    with Sink() as server:
        change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
        yield server


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def fresh(batch) -> Batch:
    db.session.rollback()
    return db.session.get_one(Batch, batch.id)


def save(client, batch, status=200, **form):
    return client.patch(f"/batches/{batch.id}/letter", {"valid_days": "7", "message": "", **form}, status, htmx=True)


class TestForm:
    def test_is_opened_from_the_review_and_says_how_things_stand(self, admin, batch):
        page = admin.get(f"/batches/{batch.id}").page
        (link,) = page.all("a", id="letter-open")
        assert "Invitation text and expiry 7 days" in page.text
        part = admin.get(link["href"], htmx=True).page
        assert not part.whole
        assert part.values("valid_days") == ["7"]
        assert admin.get(link["href"]).page.h1 == "Invitation"

    def test_stores_days_and_words_as_one_step(self, admin, batch):
        version = batch.version
        answer = save(admin, batch, valid_days="30", message="\r\n " + WORDS.replace("\n", "\r\n") + " \r\n")
        assert "30 days, message" in answer.page.text
        now = fresh(batch)
        assert (now.valid_days, now.message, now.version) == (30, WORDS, version + 1)
        edits = db.session.scalars(db.select(RowEdit).where(RowEdit.batch_id == batch.id).order_by(RowEdit.id)).all()
        assert [(e.field, e.before, e.after, e.row_id, e.version) for e in edits] == [
            ("valid_days", "7", "30", None, now.version),
            ("message", "", WORDS, None, now.version),
        ]

    def test_the_question_before_sending_tells_it(self, admin, batch):
        save(admin, batch, valid_days="30")
        asked = admin.get(f"/batches/{batch.id}/confirmation?version={batch.version}", htmx=True).page
        assert "Links work for 30 days" in asked.text

    def test_saving_what_is_there_already_is_no_step(self, admin, batch):
        version = batch.version
        save(admin, batch)
        assert fresh(batch).version == version

    def test_works_without_the_script(self, admin, batch):
        admin.post(f"/batches/{batch.id}/letter", {"valid_days": "1", "message": "Hi"})
        assert fresh(batch).valid_days == 1

    @pytest.mark.parametrize("days", ["0", "366", "-1", "", "seven", "1.5", "99999999999999999999"])
    def test_days_are_from_1_to_365(self, admin, batch, days):
        answer = save(admin, batch, 422, valid_days=days, message="kept as typed")
        assert "Type a number of days from 1 to 365." in answer.page.text
        assert "kept as typed" in answer.page.text
        assert answer.page.values("valid_days") == [days]
        assert answer.page.all("input", id="letter-days", aria_invalid="true")
        assert (fresh(batch).valid_days, fresh(batch).message) == (7, "")

    def test_a_message_has_at_most_1000_characters(self, admin, batch):
        save(admin, batch, message="x" * 1000)
        answer = save(admin, batch, 422, message="y" * 1001)
        assert "Use at most 1,000 characters; this has 1,001." in answer.page.text
        assert fresh(batch).message == "x" * 1000

    def test_costs_no_new_plans(self, admin, queries, change_settings):
        change_settings(max_rows=1000)
        counted = []
        for n in (2, 300):
            large = stage(admin, "Email,Role,Groups\n" + "".join(f"u{i}@northfield.example,Analyst,\n" for i in range(n)))
            queries.clear()
            save(admin, large, valid_days="9")
            assert not [query for query in queries if "UPDATE rows" in query]
            counted.append(len(queries))
        assert counted[0] == counted[1], queries

    def test_others_are_told_before_they_send(self, admin, owner, batch):
        seen = batch.version
        save(owner, batch, message="Mine")
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": seen})
        assert "Maren Okafor changed the personal message." in admin.get(f"/batches/{batch.id}").page.text

    def test_comes_too_late_for_a_batch_that_is_confirmed(self, admin, batch):
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        admin.patch(f"/batches/{batch.id}/letter", {"valid_days": "9"}, None, htmx=True)
        assert fresh(batch).valid_days == 7
        assert admin.get(f"/batches/{batch.id}/letter", 303).location == f"/batches/{batch.id}"

    def test_is_not_for_who_may_only_look(self, sign_in, batch):
        looking = sign_in("Analyst")
        assert not looking.get(f"/batches/{batch.id}").page.all("a", id="letter-open")
        for path in ("letter", "letter/html"):
            looking.get(f"/batches/{batch.id}/{path}", 403)
        looking.post(f"/batches/{batch.id}/letter/tests", {}, 403)


@pytest.mark.any_database
class TestPreview:
    def test_shows_the_email_to_the_first_who_is_invited(self, admin, batch):
        save(admin, batch, valid_days="3", message=WORDS)
        page = admin.get(f"/batches/{batch.id}/letter").page
        assert "As ines@northfield.example will see it" in page.text
        assert "Devika Raman invited you to Muster" in page.text
        (frame,) = page.all("iframe")
        assert frame["sandbox"] == ""
        html = admin.get(frame["src"])
        assert html.headers["Content-Security-Policy"].endswith("sandbox")
        for said in (
            "Analyst",
            "Student Devices",
            "within 3 days",
            "the &lt;b&gt;portal&lt;/b&gt; opens on Monday.",
            "<br>",
            "Accept invitation",
        ):
            assert said in html.text
        assert "> the <b>portal</b> opens on Monday." in page.text.replace("  ", " ")

    def test_holds_no_link_that_works(self, admin, batch):
        assert "/invitations/…" in admin.get(f"/batches/{batch.id}/letter/html").text

    def test_of_a_batch_where_nobody_is_invited_takes_whom_there_is(self, admin):
        batch = stage(admin, "Email,Role,Groups\nbroken,Analsyt,Chess Club\n")
        html = admin.get(f"/batches/{batch.id}/letter/html").text
        assert "Analsyt" in html
        assert "Chess Club" in html

    def test_of_a_batch_without_rows_says_nothing(self, admin):
        batch = stage(admin, "Email,Role,Groups\nines@northfield.example,Analyst,\n")
        admin.post(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}/removal", status=200, htmx=True)
        assert not admin.get(f"/batches/{batch.id}/letter").page.all("iframe")
        admin.get(f"/batches/{batch.id}/letter/html", 404)
        answer = admin.post(f"/batches/{batch.id}/letter/tests", {}, 422, htmx=True)
        assert "There is no row left to write an example for." in answer.page.text


class TestSending:
    def test_the_batchs_invitations_carry_its_words_and_days(self, admin, batch, sink):
        save(admin, batch, valid_days="2", message=WORDS)
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        while execute.run_chunk(batch.id, 50):
            pass
        jobs.send()
        (mail,) = sink.messages
        assert "> Dear all,\n>\n> the <b>portal</b> opens on Monday.\n> Devika\n" in mail.text
        assert "within 2 days" in mail.text
        shown = admin.get(f"/messages/{message_to('ines@northfield.example').id}").page.text
        assert "opens on Monday." in shown

    def test_an_invitation_of_a_batch_without_words_has_none(self, admin, batch, sink):
        admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        while execute.run_chunk(batch.id, 50):
            pass
        jobs.send()
        assert "\n>" not in sink.messages[0].text


class TestTest:
    def send(self, client, batch, status=200, **form):
        form = {"valid_days": "7", "message": "", **form}
        return client.post(f"/batches/{batch.id}/letter/tests", form, status, htmx=True)

    def test_goes_to_who_asks_with_what_is_typed_and_no_link(self, admin, batch, sink):
        answer = self.send(admin, batch, valid_days="5", message="Typed but not saved before")
        assert f"Test on its way to {admin.user.email}" in answer.page.text
        jobs.send()
        (mail,) = sink.messages
        assert mail.recipients == [admin.user.email]
        assert mail.mime["Subject"] == "Test: Devika Raman invited you to Muster"
        assert "> Typed but not saved before\n" in mail.text
        assert "Role: Analyst\nDevice groups: Student Devices" in mail.text
        assert "within 5 days" in mail.text
        html = mail.mime.get_body(("html",)).get_content()
        for part in (mail.text, html):
            assert "/invitations/" not in part
            assert "This is a test." in part
        assert fresh(batch).message == "Typed but not saved before"

    def test_invites_nobody_and_touches_no_row(self, admin, batch, sink):
        self.send(admin, batch)
        jobs.send()
        message = message_to(admin.user.email)
        assert (message.kind, message.priority, message.state) == (MessageKind.TEST, 1, MessageState.SENT)
        assert [row.outcome for row in rows_of(batch)] == [None, None]
        assert fresh(batch).state is BatchState.REVIEWING

    def test_goes_before_the_batches(self, admin, batch, sink):
        other = stage(admin, "Email,Role,Groups\njonas@northfield.example,Analyst,\n")
        admin.post(f"/batches/{other.id}/confirmation", {"version": other.version})
        while execute.run_chunk(other.id, 50):
            pass
        self.send(admin, batch)
        jobs.send()
        assert sink.recipients == [admin.user.email, "jonas@northfield.example"]

    def test_whose_batch_is_confirmed_meanwhile_settles_no_row(self, admin, sink):
        batch = stage(admin, "Email,Role,Groups\nines@northfield.example,Analyst,\n")
        self.send(admin, batch)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        while execute.run_chunk(batch.id, 50):
            pass
        (id, _) = claim.claim("w1")
        assert db.session.get_one(Message, id).kind is MessageKind.TEST
        claim.begin_data(id, "w1")
        results.record_failed(id, "w1", {"code": "refused", "words": "552 5.2.2"})
        assert rows_of(batch)[0].outcome is Outcome.WAITING

    def test_still_goes_when_the_batch_is_cancelled_and_its_row_keeps_its_outcome(self, admin, sink):
        batch = stage(admin, "Email,Role,Groups\nines@northfield.example,Analyst,\njonas@northfield.example,Analyst,\n")
        self.send(admin, batch)
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        while execute.run_chunk(batch.id, 50):
            pass
        _, ines, _ = claim.claim("w1")
        results.record_sent(ines, "w1", {"code": "accepted", "words": "250 OK"})
        claim.release("w1")
        execute.cancel(batch.id, admin.user)
        assert [row.outcome for row in rows_of(batch)] == [Outcome.INVITED, Outcome.SKIPPED]
        jobs.send()
        assert sink.recipients == [admin.user.email]

    def test_that_was_let_go_is_due_again(self, admin, batch, sink):
        self.send(admin, batch)
        claim.claim("w1")
        claim.release("w1")
        jobs.send()
        assert sink.recipients == [admin.user.email]

    def test_of_a_batch_that_was_discarded_is_a_general_one(self, admin, batch, sink):
        self.send(admin, batch)
        confirmation.discard(batch.id, admin.user)
        jobs.send()
        assert sink.recipients == [admin.user.email]
        message = message_to(admin.user.email)
        assert "This is a test." in admin.get(f"/messages/{message.id}/html").text

    def test_is_shown_under_outgoing_mail(self, admin, batch, sink):
        self.send(admin, batch)
        jobs.send()
        assert "Test of an invitation" in admin.get("/messages").page.text
        message = message_to(admin.user.email)
        page = admin.get(f"/messages/{message.id}").page
        assert page.h1 == "Test: Devika Raman invited you to Muster"
        assert "This is a test." in admin.get(f"/messages/{message.id}/html").text

    def test_is_audited(self, admin, batch):
        self.send(admin, batch)
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "message.test_queued")).one()
        assert (event.actor_id, event.subject, event.details) == (admin.user.id, admin.user.email, {"batch": batch.id})

    def test_comes_at_most_five_times_an_hour_for_each_person(self, admin, owner, batch):
        for _ in range(5):
            self.send(admin, batch)
        answer = self.send(admin, batch, 422, message="kept")
        assert "You had 5 tests within the hour." in answer.page.text
        assert "kept" in answer.page.text
        self.send(owner, batch)
        pass_time(minutes=61)
        self.send(admin, batch)

    def test_is_not_sent_with_values_that_cannot_be(self, admin, batch):
        self.send(admin, batch, 422, valid_days="0")
        assert db.session.scalar(db.select(db.func.count(Message.id))) == 0

    def test_works_without_the_script(self, admin, batch):
        answer = admin.post(f"/batches/{batch.id}/letter/tests", {"valid_days": "7", "message": ""})
        assert f"Test on its way to {admin.user.email}" in admin.get(answer.location).page.text


def test_an_admin_in_the_file_still_needs_the_password_after_the_letter_changed(admin):
    batch = stage(admin, "Email,Role,Groups\ndev@northfield.example,Admin,\n")
    save(admin, batch, valid_days="9")
    assert admin.get(f"/batches/{batch.id}/confirmation", htmx=True).page.all("input", id="confirm-password")
    admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version, "password": PASSWORD})
    assert fresh(batch).state is BatchState.QUEUED


def test_a_letter_for_a_role_that_was_deleted_is_still_shown_and_sent(owner, sink):
    extra = Role(name="Visitor", key="visitor", rank=5, permissions=[])
    db.session.add(extra)
    db.session.commit()
    batch = stage(owner, "Email,Role\nines@northfield.example,Visitor\n")
    owner.post(f"/batches/{batch.id}/letter/tests", {"valid_days": "7", "message": ""}, None)
    db.session.delete(db.session.get(Role, extra.id))
    db.session.commit()
    assert "Visitor" in owner.get(f"/batches/{batch.id}/letter/html").text
    owner.get("/messages")
    jobs.send()
    (test,) = db.session.scalars(db.select(Message))
    assert test.state is MessageState.SENT


@pytest.mark.any_database
class TestWhatPeopleType:
    """An encoded word in a name or an address is what its letters say, for Muster and for every mail program."""

    BREAKS_OUT = "=?utf-8?q?A=0D=0AReply-To=3A_x=40evil.test=0D=0AContent-Type=3Atext/html=0D=0A=0D=0A=3Cb=3EPay=21?= b"

    def test_a_name_adds_no_header_and_no_body(self, owner, client, sink):
        owner.post("/account/name", {"name": self.BREAKS_OUT})
        seen = owner.get("/settings/general").page.values("seen-NAME")[0]
        owner.post("/settings/general", {"NAME": self.BREAKS_OUT, "seen-NAME": seen})
        owner.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
        client.post("/password-resets/new", {"email": owner.user.email}, 200)
        jobs.send()
        assert sorted(sink.recipients) == sorted(["ines@northfield.example", owner.user.email])
        for mail in sink.messages:
            assert mail.mime["Reply-To"] is None
            assert mail.mime.get_content_type() == "multipart/alternative"
            assert self.BREAKS_OUT in mail.mime["Subject"]
            assert self.BREAKS_OUT in mail.text
            assert [address.addr_spec for address in mail.mime["To"].addresses] == mail.recipients

    @pytest.mark.parametrize("email", ["=?utf-8?q?a=2Cb=40evil.test?=@x.org", "=?utf-8?q?a?=@x.org", "=?utf-8?b?YQ==?=@x.org"])
    def test_an_address_is_never_an_encoded_word(self, owner, email):
        batch = stage(owner, f"Email,Role,Groups\n{email},Analyst,\n")
        assert [row.plan for row in rows_of(batch)] == [Plan.ATTENTION]
        single = owner.post("/invitations", {"email": email, "role": "Remote"}, 422)
        assert "Not an email address." in single.page.text
        invited = make_invitation("ines@northfield.example")
        again = owner.post(f"/invitations/{invited.id}/email", {"email": email, "password": PASSWORD}, 422)
        assert "Not an email address." in again.page.text
        changed = owner.post("/account/email", {"email": email, "password": PASSWORD}, 422)
        assert "Not an email address." in changed.page.text


@pytest.mark.any_database
class TestReplies:
    """Where an answer to an e-mail goes, and that the person invited sees it."""

    def sent(self, sink):
        jobs.send()
        (mail,) = sink.messages
        return mail, mail.mime.get_body(("html",)).get_content()

    def test_go_to_the_sender_and_nothing_is_said_about_it(self, admin, sink):
        admin.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
        mail, html = self.sent(sink)
        assert mail.mime["Reply-To"] is None
        assert "Reply to this email" not in mail.text + html

    def test_go_to_the_address_that_the_owner_sets_on_the_page(self, owner, sink):
        page = owner.get("/settings/email").page
        form = {name: page.values(name)[0] for name in ("MAIL_REPLY_TO", "INVITE_SUBJECT", "INVITE_DAYS", "REMINDER_DAYS")}
        seen = {f"seen-{name}": value for name, value in form.items()}
        owner.post("/settings/email", {**form, **seen, "MAIL_REPLY_TO": "IT-Büro, Köln <help@schüle.example>"}, 422)
        owner.post("/settings/email", {**form, **seen, "MAIL_REPLY_TO": '"IT-Büro, Köln" <help@schüle.example>'})
        assert "goes to help@schüle.example" in owner.get("/settings/email").page.text
        owner.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
        mail, html = self.sent(sink)
        (address,) = mail.mime["Reply-To"].addresses
        assert (address.display_name, address.addr_spec) == ("IT-Büro, Köln", "help@xn--schle-mva.example")
        assert "Questions? Reply to this email: it goes to help@schüle.example." in mail.text
        assert "Questions? Reply to this email: it goes to help@schüle.example." in html

    def test_go_to_the_person_who_confirmed_where_that_is_set(self, admin, sink, change_settings, client):
        change_settings(mail_reply_to="help@northfield.example", mail_reply_to_inviter="yes")
        batch = stage(admin, "Email,Role,Groups\nines@northfield.example,Remote,\n")
        assert f"it goes to {admin.user.email}" in admin.get(f"/batches/{batch.id}/letter/html").text
        admin.post(f"/batches/{batch.id}/confirmation", {"version": fresh(batch).version})
        execute.run_chunk(batch.id, 10)
        mail, _ = self.sent(sink)
        (address,) = mail.mime["Reply-To"].addresses
        assert (address.display_name, address.addr_spec) == (admin.user.name, admin.user.email)
        assert f"it goes to {admin.user.email}." in mail.text
        sink.messages.clear()
        client.post("/password-resets/new", {"email": admin.user.email}, 200)
        assert self.sent(sink)[0].mime["Reply-To"] == "help@northfield.example", "which is about nobody's invitation"

    @pytest.mark.parametrize(("state", "email"), [(UserState.DEACTIVATED, None), (UserState.ACTIVE, "zoë@northfield.example")])
    def test_never_to_who_has_left_or_whose_address_not_every_server_takes(self, owner, sink, change_settings, state, email):
        change_settings(mail_reply_to="help@northfield.example", mail_reply_to_inviter="yes")
        admin = make_persona("Admin")
        message = make_message("ines@northfield.example", by=admin)
        admin.state, admin.email = state, email or admin.email
        db.session.commit()
        assert message.recipient == "ines@northfield.example"
        mail, _ = self.sent(sink)
        assert mail.mime["Reply-To"] == "help@northfield.example"

    def test_the_name_of_the_person_who_confirmed_breaks_out_of_nothing(self, admin, sink, change_settings):
        change_settings(mail_reply_to_inviter="yes")
        name = '=?utf-8?q?A=0D=0ABcc=3A_x=40evil.test?= "b" <x@evil.test>, c'
        admin.post("/account/name", {"name": name})
        admin.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
        mail, _ = self.sent(sink)
        assert [address.addr_spec for address in mail.mime["Reply-To"].addresses] == [admin.user.email]
        assert mail.mime["Bcc"] is None
