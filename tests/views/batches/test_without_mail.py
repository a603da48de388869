"""Without a mail server nothing says sent; once there is one, what was never emailed is offered to be sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.jobs import batches as batch_job
from webapp.jobs import outbox as outbox_job
from webapp.models import Batch, Group, Invitation, InvitationState, Message, MessageKind, MessageState
from webapp.services.invitations import invitations

from tests.factories import make_group, make_invitation, make_user
from tests.mail_fixtures import make_message
from tests.smtp_sink import Sink
from tests.steps import begin_action, confirm, rows_of, stage

INES, JONAS = "ines@northfield.example", "jonas@northfield.example"
FILE = f"Email,Role,Groups\n{INES},Analyst,Labs\n{JONAS},Remote,\n"


@pytest.fixture(autouse=True)
def known_groups(app):
    make_group("Labs")
    make_group("Office")


@pytest.fixture
def owner(sign_in):
    return sign_in("Owner")


def finished(client, text: str = FILE, **options) -> Batch:
    """An upload, confirmed and carried out as far as it goes now."""
    batch = stage(client, text)
    if options:
        client.patch(f"/batches/{batch.id}", options, htmx=True)
    confirm(client, batch)
    batch_job.process(batch.id)
    outbox_job.send()
    return db.session.get_one(Batch, batch.id)


def question(client, batch) -> str:
    return client.get(f"/batches/{batch.id}/confirmation?version={batch.version}", htmx=True).page.text


def is_green(client) -> bool:
    """Whether Uploads shows a finished one in green."""
    page = client.get("/batches").page
    assert "Finished" in page.text
    return bool(page.all("span", class_="chip", data_tone="ok"))


def assert_nothing_says_sent(client) -> None:
    home = client.get("/").page.text
    assert "0 of 2 joined 2 to go Confirmed today at" in home
    again = client.get(f"/batches/{stage(client, FILE).id}").page.text
    assert "Same list as staff.csv , confirmed today at" in again
    assert not is_green(client)


class TestNothingSaysSent:
    def test_the_button_and_the_question_before_it(self, owner):
        batch = stage(owner, FILE)
        review = owner.get(f"/batches/{batch.id}").page
        assert "Create 2 invitations" in review.text
        assert "Send 2 invitations" not in review.text
        asked = question(owner, batch)
        assert "Nobody gets an email: no mail server is set" in asked
        assert "you hand over the links yourself" in asked
        assert "Create 2 invitations" in asked

    def test_updates_alone_need_no_warning(self, owner):
        make_user("Ines", email=INES)
        batch = stage(owner, f"Email,Role,Groups\n{INES},Analyst,Labs\n")
        assert "Nobody gets an email" not in question(owner, batch)

    def test_the_report_says_so_and_leads_on(self, owner):
        batch = finished(owner)
        page = owner.get(f"/batches/{batch.id}").page
        assert "2 created, none emailed, today at" in page.text
        assert "0 of 2 joined" in page.text
        assert "2 invitations were not emailed" in page.text
        assert "2 Created" in page.text
        for href in (f"/link-sheets/new?upload={batch.id}", "/messages", "/settings/email"):
            assert page.all("a", href=href), href
        assert page.text.count("Copy link") == 2
        assert "Handed to the mail server" not in page.text

    def test_uploads_home_and_the_same_list_again_do_not(self, owner):
        finished(owner)
        assert_nothing_says_sent(owner)

    def test_the_report_also_where_all_joined_by_their_links(self, owner):
        batch = finished(owner)
        for invitation in db.session.scalars(db.select(Invitation)):
            invitation.state, invitation.closed_at = InvitationState.ACCEPTED, utcnow()
        db.session.commit()
        page = owner.get(f"/batches/{batch.id}").page.text
        assert "2 created, none emailed" in page
        assert "2 of 2 joined" in page
        assert not is_green(owner)

    def test_a_review_that_updates(self, owner):
        finished(owner)
        batch = stage(owner, FILE.replace("Labs", "Office"))
        for page in (owner.get(f"/batches/{batch.id}").page.text, question(owner, batch)):
            assert "Links handed over" in page
            assert "already sent" not in page

    def test_resending_does_not_say_sent_either(self, owner):
        finished(owner)
        to = owner.post("/actions?concern=unsent", {"do": "resend", "all": "1", "next": "/"}).location
        assert "already sent" not in owner.get(to).page.text
        action = db.session.get_one(Batch, int(to.rpartition("/")[2]))
        confirm(owner, action)
        assert "Sent again" not in owner.get(to).page.text
        batch_job.process(action.id)
        outbox_job.send()
        report = owner.get(to).page.text
        assert "2 written as files, none emailed" in report
        assert "2 Written as files" in report
        assert "Sent again" not in report

    def test_who_may_not_invite_is_not_told_to_hand_links_over(self, owner, sign_in):
        finished(owner)
        assert "Hand the links over on paper" in owner.get("/").page.text
        assert "Hand the links over" not in sign_in("Analyst").get("/").page.text

    def test_the_results_file_says_so(self, owner):
        lines = owner.get(f"/batches/{finished(owner).id}/report.csv").data.decode("utf-8-sig")
        assert lines.count("Not emailed: no mail server was set") == 2

    def test_home_counts_them_and_outgoing_mail_keeps_them_apart(self, owner):
        finished(owner)
        home = owner.get("/").page
        assert "2 invitations were never emailed" in home.text
        assert "Nothing: email goes out" not in home.text
        assert not home.all("button", id="send-unsent")
        mail = owner.get("/messages").page.text
        assert "2 written as files, 0 waiting, 0 failed." in mail
        assert " sent," not in mail

    def test_home_and_settings_say_that_no_mail_server_is_set_and_how_to_set_one(self, owner):
        make_invitation()
        home = owner.get("/").page
        assert "No mail server is set" in home.text
        assert home.all("a", href="/settings/email")
        assert "MUSTER_MAIL_URL=smtp+starttls://" in owner.get("/settings/email").page.text

    def test_a_single_invitation(self, owner):
        assert "Create invitation" in owner.get("/users?invite=single").page.text
        to = owner.post("/invitations", {"email": INES, "role": "Analyst"}).location
        assert "No email was sent, as no mail server is set" in owner.get(to).page.text

    def test_a_link_on_paper_does_not_count_as_an_email(self, owner):
        batch = finished(owner)
        owner.post(f"/link-sheets?upload={batch.id}", {"form": "csv", "all": "yes"}, status=200)
        assert "2 invitations were never emailed" in owner.get("/").page.text

    def test_nobody_is_reminded_of_what_they_never_got(self, owner, change_settings):
        finished(owner)
        for invitation in db.session.scalars(db.select(Invitation)):
            invitation.expires_at = invitation.created_at + timedelta(days=1)
        db.session.commit()
        change_settings(reminder_days=3)
        invitations.send_reminders()
        assert db.session.scalar(db.select(db.func.count(Message.id))) == 2


class TestOnceThereIsAServer:
    @pytest.fixture
    def batch(self, owner) -> Batch:
        return finished(owner)

    @pytest.fixture
    def sink(self, batch, change_settings):
        with Sink() as server:
            change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
            yield server

    def test_home_offers_to_send_them_and_the_review_shows_whom(self, owner, batch, sink):
        home = owner.get("/").page
        assert "2 invitations were never emailed" in home.text
        assert home.all("button", id="send-unsent")
        to = owner.post("/actions?concern=unsent", {"do": "resend", "all": "1", "next": "/"}).location
        action = db.session.get_one(Batch, int(to.rpartition("/")[2]))
        assert sink.messages == []
        review = owner.get(to).page.text
        assert INES in review
        assert JONAS in review
        confirm(owner, action)
        batch_job.process(action.id)
        outbox_job.send()
        assert sorted(r for m in sink.messages for r in m.recipients) == [INES, JONAS]
        assert "never emailed" not in owner.get("/").page.text
        report = owner.get(f"/batches/{batch.id}").page.text
        assert "never emailed" not in report
        assert report.count("Sent today") == 2

    def test_no_page_says_that_they_were_sent_before_they_are(self, owner, batch, sink):
        assert_nothing_says_sent(owner)
        assert "2 created, none emailed" in owner.get(f"/batches/{batch.id}").page.text
        to = owner.post(f"/actions?concern=unsent&upload={batch.id}", {"do": "resend", "all": "1"}).location
        action = db.session.get_one(Batch, int(to.rpartition("/")[2]))
        confirm(owner, action)
        batch_job.process(action.id)
        outbox_job.send()
        assert "0 of 2 joined 2 to go Confirmed today at" in owner.get("/").page.text, "it was not sent then"
        assert "2 invited, today at" in owner.get(f"/batches/{batch.id}").page.text
        assert is_green(owner)

    def test_what_goes_by_email_was_sent(self, owner, batch, sink):
        text = "Email,Role\nlena@northfield.example,Analyst\nmia@northfield.example,Analyst\n"
        finished(owner, text)
        assert "0 of 2 joined 2 to go Sent today at" in owner.get("/").page.text
        assert "Same list as staff.csv , sent today at" in owner.get(f"/batches/{stage(owner, text).id}").page.text

    def test_a_test_message_is_no_invitation(self, owner, batch, sink):
        row = rows_of(batch)[0]
        example = make_message("lena@northfield.example")
        example.kind, example.state, example.row_id = MessageKind.TEST, MessageState.SENT, row.id
        db.session.commit()
        assert "2 created, none emailed" in owner.get(f"/batches/{batch.id}").page.text

    def test_an_upload_that_went_by_email_stays_so_without_the_server(self, owner, batch, sink, change_settings):
        other = finished(owner, "Email,Role\nlena@northfield.example,Analyst\nmia@northfield.example,Analyst\n")
        change_settings(mail_url="")
        mia = db.session.scalars(db.select(Invitation).where(Invitation.email.startswith("mia"))).one()
        batch_job.process(confirm(owner, begin_action(owner, "resend", mia)).id)
        outbox_job.send()
        lena = db.session.scalars(db.select(Invitation).where(Invitation.email.startswith("lena"))).one()
        lena.state, lena.closed_at = InvitationState.ACCEPTED, utcnow()
        db.session.commit()
        page = owner.get(f"/batches/{other.id}").page.text
        assert "1 invitation was not emailed" in page
        assert "2 invited, today at" in page
        assert "none emailed" not in page

    def test_the_report_offers_those_of_its_own_upload(self, owner, batch, sink, change_settings):
        change_settings(mail_url="")
        other = finished(owner, "Email,Role\nlena@northfield.example,Analyst\n")
        change_settings(mail_url=sink.url)
        page = owner.get(f"/batches/{other.id}").page
        assert "1 invitation was never emailed" in page.text
        (form,) = page.all("form", action=f"/actions?concern=unsent&upload={other.id}")
        to = owner.post(form["action"], {"do": "resend", "all": "1"}).location
        review = owner.get(to).page.text
        assert "lena@northfield.example" in review
        assert INES not in review

    def test_the_list_finds_them(self, owner, batch, sink):
        make_invitation("fine@northfield.example")
        found = owner.get("/users?concern=unsent").page.text
        assert "2 people found" in found
        assert "Only those never emailed." in found
        assert "fine@northfield.example" not in found

    def test_the_counts_keep_files_apart_from_what_was_sent(self, owner, batch, sink):
        owner.post("/invitations", {"email": "lena@northfield.example", "role": "Analyst"})
        outbox_job.send()
        assert "1 sent, 2 written as files, 0 waiting, 0 failed." in owner.get("/messages").page.text
        states = db.session.scalars(db.select(Message.state).order_by(Message.id)).all()
        assert states == [MessageState.WRITTEN, MessageState.WRITTEN, MessageState.SENT]

    def test_those_who_may_not_invite_are_not_offered_it(self, batch, sink, sign_in):
        assert not sign_in("Analyst").get("/").page.all("button", id="send-unsent")


@pytest.mark.any_database
class TestLinksThatOpenHereOnly:
    PLACES = "/batches/{batch}/confirmation", "/batches/{batch}/letter", "/link-sheets/new", "/settings/email"

    def test_are_warned_of(self, owner, change_settings):
        make_invitation("lena@northfield.example")
        batch = stage(owner, FILE)
        for address, warned in (("http://127.0.0.1:8000", True), ("https://muster.northfield.example", False)):
            change_settings(public_url=address)
            for place in self.PLACES:
                page = owner.get(place.format(batch=batch.id)).page
                assert ("open on this computer only" in page.text) is warned, (address, place)

    def test_with_a_copied_link_and_on_paper(self, owner):
        invitation = make_invitation("lena@northfield.example")
        for path, form in ((f"/invitations/{invitation.id}/link", {}), ("/link-sheets", {"form": "slips", "all": "yes"})):
            assert "The links open on this computer only" in owner.post(path, form, status=200).page.text


class TestWhatChanged:
    @pytest.fixture
    def batch(self, owner) -> Batch:
        make_user("Ines", email=INES, groups=("Office",))
        make_invitation(JONAS, groups=("Office",))
        text = f"Email,Role,Groups\n{INES},Remote,Labs\n{JONAS},Analyst,All groups\n"
        return finished(owner, text, change_roles="true")

    def test_the_report_names_roles_and_groups(self, owner, batch):
        text = owner.get(f"/batches/{batch.id}").page.text
        for said in ("Added: Remote", "Removed: Analyst", "Added: Labs", "Removed: Office", "Added: All groups"):
            assert said in text

    def test_the_results_file_names_them(self, owner, batch):
        lines = owner.get(f"/batches/{batch.id}/report.csv").data.decode("utf-8-sig")
        assert "Role Analyst to Remote; added Labs; removed Office" in lines
        assert "Added All groups; removed Office" in lines

    def test_also_after_a_group_was_renamed_or_deleted(self, owner, batch):
        group = db.session.scalars(db.select(Group).where(Group.name == "Office")).one()
        owner.post(f"/groups/{group.id}/deletion")
        text = owner.get(f"/batches/{batch.id}").page.text
        assert "Office" in text
