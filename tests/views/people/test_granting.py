"""Nobody gives a role that may do more than their own, whatever its rank; and links that make people manage users cost the
password."""

from __future__ import annotations

import csv
import io

import pytest
from webapp.db import db
from webapp.jobs import batches as job
from webapp.jobs import outbox as mail_job
from webapp.models import AuditEvent, Batch, Invitation, Message, Outcome, Row, User, UserState

from tests.client import Client
from tests.factories import PASSWORD, make_invitation, make_user, role, token_of
from tests.mail_fixtures import make_message
from tests.steps import choose_meaning

pytestmark = pytest.mark.slow  # passwords are hashed slowly on purpose

INES = "ines@northfield.example"
MORE = "Admin ranks above your own role, or may do more"


def role_of(owner, name, permissions, rank="90"):
    owner.post("/roles", {"name": name, "rank": rank, "permissions": permissions})


@pytest.fixture
def registrar(owner, sign_in):
    """Somebody who ranks above Admin, and may do all that an Admin may but read the audit log."""
    role_of(owner, "Registrar", ["invitations:make", "users:manage", "messages:see"])
    return sign_in(make_user("Rina Registrar", "Registrar"))


@pytest.fixture
def mailreader(owner, sign_in):
    """Somebody of an Admin's rank, who reads outgoing mail and nothing else."""
    role_of(owner, "Mailreader", ["messages:see"], rank="80")
    return sign_in(make_user("Mo Mailreader", "Mailreader"))


def review_of(browser, role_name):
    file = f"Email,Role\n{INES},{role_name}\n"
    return browser.post("/batches", {"pasted": file}).location


def confirm(browser, review, status=303, **more):
    version = db.session.scalars(db.select(Batch.version).order_by(Batch.id.desc())).first()
    return browser.post(f"{review}/confirmation", {"version": version, "password": PASSWORD, **more}, status=status)


class TestARoleThatMayDoMore:
    def test_is_not_offered(self, registrar):
        assert ">Admin<" not in registrar.get("/invitations/new?invite=single").text
        assert "Admin" not in registrar.get("/batches/template.csv").text
        person = make_user("Ana Ruiz")
        offered = registrar.get(f"/users/{person.id}/access?part=role").page.all("input", name="role")
        assert str(role("Admin").id) not in {a["value"] for a in offered}

    def test_single_invite(self, registrar):
        answer = registrar.post("/invitations", {"email": INES, "role": "Admin", "password": PASSWORD}, status=422)
        assert MORE in answer.page.text or "Not a valid choice" in answer.page.text
        assert db.session.scalar(db.select(Invitation)) is None

    def test_upload_at_parse_and_confirm(self, registrar):
        review = review_of(registrar, "Admin")
        assert MORE in registrar.get(review).page.text
        confirm(registrar, review)
        assert db.session.scalar(db.select(Invitation)) is None

    def test_confirm_of_what_somebody_else_uploaded(self, admin, registrar):
        review = review_of(admin, "Admin")
        assert MORE not in admin.get(review).page.text
        confirm(registrar, review)
        assert MORE in registrar.get(review).page.text
        assert db.session.scalars(db.select(Batch.state)).one().value == "reviewing"

    def test_the_worker_asks_again(self, owner, admin):
        """Who confirmed has got another role since."""
        review = review_of(admin, "Admin")
        admin.get(review)
        confirm(admin, review)
        db.session.rollback()
        role_of(owner, "Registrar", ["invitations:make", "users:manage"])
        db.session.get_one(User, admin.user.id).role = role("Registrar")
        db.session.commit()
        job.process(db.session.scalars(db.select(Batch.id)).one())
        row = db.session.scalars(db.select(Row)).one()
        assert (row.outcome, row.why) == (Outcome.SKIPPED, "Devika Raman may not grant or change this role")

    def test_remembered_words_mean_no_such_role(self, registrar):
        review = review_of(registrar, "Boss")
        choose_meaning(registrar, review, "Boss", "Admin", 422, remember=True)

    def test_role_of_somebody_who_is_here(self, registrar):
        person = make_user("Ana Ruiz")
        set_role = {"do": "set_role", "role": role("Admin").id, "password": PASSWORD}
        assert MORE in registrar.post(f"/users/{person.id}/access", set_role, status=422).page.text
        invited = make_invitation()
        assert MORE in registrar.post(f"/invitations/{invited.id}/access", set_role, status=422).page.text
        batch = registrar.post("/actions", {**set_role, "people": f"user-{person.id}"}).location
        assert MORE in registrar.get(batch).page.text

    def test_reactivating_and_reset_links(self, registrar):
        person = make_user("Ana Ruiz", "Admin", state=UserState.DEACTIVATED)
        registrar.post(f"/users/{person.id}/reactivation", {"password": PASSWORD}, status=422)
        other = make_user("Ben Ruiz", "Admin")
        registrar.get(f"/users/{other.id}/reset-link", status=403)
        registrar.post(f"/users/{other.id}/reset-link", {"password": PASSWORD}, status=403)
        assert "Make reset link" not in registrar.get(f"/users/{other.id}").page.text

    def test_resending_and_another_address(self, registrar):
        invited = make_invitation(role_name="Admin")
        registrar.post(f"/invitations/{invited.id}/messages", status=422)
        registrar.post(f"/invitations/{invited.id}/email", {"email": INES, "password": PASSWORD}, status=404)

    @pytest.mark.parametrize("who", ["mailreader", "registrar"])
    def test_its_links_and_letters(self, who, request):
        browser = request.getfixturevalue(who)
        message = make_message(INES, role_name="Admin")
        browser.post(f"/invitations/{message.invitation_id}/link", {"password": PASSWORD}, status=404)
        assert INES not in browser.get("/messages").page.text
        browser.get(f"/messages/{message.id}", status=404)
        browser.get(f"/messages/{message.id}/html", status=404)
        assert "to a role that you may not give" in browser.get("/link-sheets/new").page.text
        browser.post("/link-sheets", {"form": "csv", "all": "yes", "password": PASSWORD}, status=409)


class TestTheLinkOfSomebodyWhoWillManageUsers:
    @pytest.fixture
    def invited(self, admin):
        return make_invitation(INES, "Admin", expires_in=None)

    def test_costs_the_password(self, app, admin, invited):
        path = f"/invitations/{invited.id}/link"
        asked = admin.post(path, {"next": "/users"}, status=422)
        assert "Anyone with this link becomes Admin." in asked.page.text
        assert token_of(invited) not in asked.text
        assert asked.page.values("next") == ["/users"]
        wrong = admin.post(path, {"password": "wrong wrong wrong"}, status=422)
        assert "This is not your password. Nothing was changed." in wrong.page.text
        assert "Type your password" in admin.post(path, {"password": ""}, status=422).page.text
        assert db.session.get_one(Invitation, invited.id).expires_at is None, "nothing was handed over"
        assert token_of(invited) in admin.post(path, {"password": PASSWORD}, status=200).text

    def test_as_htmx_asks(self, admin, invited):
        asked = admin.post(f"/invitations/{invited.id}/link", status=422, htmx=True)
        assert asked.page.all("input", name="password")
        assert not asked.page.whole

    def test_other_links_cost_nothing(self, admin):
        other = make_invitation("jonas@northfield.example")
        assert token_of(other) in admin.post(f"/invitations/{other.id}/link", status=200).text

    def test_on_a_sheet(self, admin, invited):
        make_invitation("jonas@northfield.example")
        picked = {"people": f"invitation-{invited.id}"}
        assert admin.get("/link-sheets/new").page.all("input", name="password")
        asked = admin.post("/link-sheets", {"form": "csv", **picked}, status=422)
        assert "Type your password" in asked.page.text
        assert asked.page.values("people") == [picked["people"]]
        admin.post("/link-sheets", {"form": "slips", "all": "yes", "password": "wrong wrong"}, status=422)
        assert db.session.scalar(db.select(AuditEvent).where(AuditEvent.action == "invitation.link_on_sheet")) is None
        sheet = admin.post("/link-sheets", {"form": "csv", "all": "yes", "password": PASSWORD}, status=200)
        links = [line[4] for line in csv.reader(io.StringIO(sheet.data.decode("utf-8-sig")))]
        assert any(token_of(invited) in link for link in links)

    def test_a_sheet_of_others_costs_nothing(self, admin):
        make_invitation("jonas@northfield.example")
        assert not admin.get("/link-sheets/new").page.all("input", name="password")
        admin.post("/link-sheets", {"form": "csv", "all": "yes"}, status=200)

    def test_is_not_in_the_letter_that_is_read_here_but_in_the_one_that_is_sent(self, app, admin, settings):
        message = make_message(INES, role_name="Admin")
        invited = db.session.get_one(Invitation, message.invitation_id)
        for path in (f"/messages/{message.id}", f"/messages/{message.id}/html"):
            text = admin.get(path).text
            assert token_of(invited) not in text
            assert "“Copy invitation link” shows it, for your password" in text
        mail_job.send()
        (written,) = (settings.data_dir / "outbox").glob("*.eml")
        assert token_of(invited) in written.read_bytes().decode().replace("=\n", "").replace("=\r\n", "")
        assert "Admin" in Client(app).get(f"/invitations/{token_of(invited)}").page.text

    def test_letters_of_others_are_read_whole(self, admin):
        message = make_message(INES)
        invited = db.session.get_one(Invitation, message.invitation_id)
        assert token_of(invited) in admin.get(f"/messages/{message.id}").text
        assert db.session.scalars(db.select(Message)).one()
