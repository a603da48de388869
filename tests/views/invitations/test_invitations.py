"""Single invites, links, and the page behind a link."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import AuditEvent, Invitation, InvitationState, MailCircuit, Message, MessageKind, Session, User
from webapp.services.mail import outbox

from tests.client import Client
from tests.factories import PASSWORD, make_group, make_invitation, make_user, token_of
from tests.mail_fixtures import due_emails, invitation_of

INES = "ines@northfield.example"
NEW = {"name": "Inês Carvalho", "password": "a long walk at dusk"}


def users_named(name: str) -> list[User]:
    return list(db.session.scalars(db.select(User).where(User.name == name)))


class TestSingleInvite:
    def test_sends_one_invitation_and_says_so(self, admin):
        make_group("Student Devices")
        to = admin.post(
            "/invitations", {"email": "ines@northfield.example", "role": "Analyst", "groups": ["Student Devices"]}
        ).location
        said = "ines@northfield.example is invited. No email was sent, as no mail server is set: hand the link over yourself."
        assert said in admin.get(to).page.text
        invitation = db.session.scalars(db.select(Invitation)).one()
        assert [group.name for group in invitation.groups] == ["Student Devices"]
        assert db.session.scalars(db.select(Message)).one().priority < 3

    def test_says_whether_its_email_goes_out_now(self, admin, change_settings):
        change_settings(mail_url="smtp://mail.northfield.example")
        to = admin.post("/invitations", {"email": "ines@northfield.example", "role": "Analyst"}).location
        assert "Invitation sent to ines@northfield.example" in admin.get(to).page.text
        db.session.get_one(MailCircuit, 1).paused_at = utcnow()
        db.session.commit()
        to = admin.post("/invitations", {"email": "jonas@northfield.example", "role": "Analyst"}).location
        said = "Email is held up: it goes out when the mail server answers."
        assert f"jonas@northfield.example is invited. {said}" in admin.get(to).page.text
        jonas = db.session.scalars(db.select(Invitation).where(Invitation.email == "jonas@northfield.example")).one()
        to = admin.post(f"/invitations/{jonas.id}/messages").location
        assert f"jonas@northfield.example is invited again. {said}" in admin.get(to).page.text

    def test_the_help_for_files_names_groups_that_are_there(self, admin):
        assert "Student Devices" not in admin.get("/invitations/new").page.text
        make_group("Exam Laptops")
        make_group("Library Chromebooks")
        assert "separated by commas: Exam Laptops, Library Chromebooks" in admin.get("/invitations/new").page.text

    @pytest.mark.parametrize("htmx", [True, False])
    def test_keeps_what_was_typed_and_says_what_is_wrong(self, admin, htmx):
        answer = admin.post("/invitations", {"email": "nonsense", "role": "Analyst"}, 422, htmx=htmx)
        assert "No @ in email." in answer.page.text
        assert answer.page.values("email") == ["nonsense"]

    def test_an_existing_user_is_linked_to(self, admin):
        make_user("Ana Ruiz", email="ana@northfield.example")
        answer = admin.post("/invitations", {"email": "ANA@northfield.example", "role": "Analyst"}, 422, htmx=True)
        assert "This person already has an account." in answer.page.text
        assert [a for a in answer.page.all("a") if "/users?q=" in a["href"]]

    def test_a_pending_invitation_offers_to_resend(self, admin):
        invitation = make_invitation("ana@northfield.example")
        answer = admin.post("/invitations", {"email": "ana@northfield.example", "role": "Analyst"}, 422, htmx=True)
        assert answer.page.all("button", hx_post=f"/invitations/{invitation.id}/messages")

    def test_a_role_that_one_may_not_grant(self, admin):
        answer = admin.post("/invitations", {"email": "ana@northfield.example", "role": "Owner"}, 422, htmx=True)
        assert "Owner cannot be assigned." in answer.page.text

    def test_somebody_who_will_manage_people_costs_the_password(self, owner):
        wanted = {"email": "ines@northfield.example", "role": "Admin"}
        answer = owner.post("/invitations", wanted, 422, htmx=True)
        assert "Type your password: this person becomes Admin." in answer.page.text
        assert answer.page.values("email") == ["ines@northfield.example"]
        answer = owner.post("/invitations", wanted | {"password": "not mine at all"}, 422, htmx=True)
        assert "This is not your password. Nothing was changed." in answer.page.text
        assert db.session.scalars(db.select(Invitation)).all() == []
        owner.post("/invitations", wanted | {"password": PASSWORD})
        invitation = db.session.scalars(db.select(Invitation)).one()
        to = f"/invitations/{invitation.id}/email"
        assert owner.get(to).page.all("input", type="password")
        answer = owner.post(to, {"email": "inez@northfield.example"}, 422)
        assert "Type your password: this person becomes Admin." in answer.page.text
        owner.post(to, {"email": "inez@northfield.example", "password": PASSWORD})
        assert db.session.scalars(db.select(Invitation.email).order_by(Invitation.id.desc())).first() == "inez@northfield.example"

    def test_the_dialog_has_an_address_of_its_own(self, admin):
        page = admin.get("/users?invite=single").page
        assert page.all("dialog", id="invite")
        assert "Investigator Can see people, groups, invitations, reports and the audit log. Cannot change them." in page.text
        assert admin.get("/invitations/new?invite=bulk").page.all("form", id="bulk-panel")


class TestResend:
    def test_keeps_the_link_and_extends_its_time(self, admin):
        invitation = make_invitation(expires_in=timedelta(hours=1))
        before, link = invitation.expires_at, invitation.token_hash
        admin.post(f"/invitations/{invitation.id}/messages")
        invitation = db.session.get(Invitation, invitation.id)
        assert invitation.expires_at > before + timedelta(days=6)
        assert invitation.token_hash == link

    def test_three_an_hour(self, admin):
        invitation = make_invitation()
        for _ in range(4):
            answer = admin.post(f"/invitations/{invitation.id}/messages", status=None)
        assert answer.status in (303, 429)
        assert "Wait a while" in admin.post(f"/invitations/{invitation.id}/messages", status=429).page.text

    def test_a_revoked_one_never(self, admin):
        invitation = make_invitation(state=InvitationState.REVOKED)
        admin.post(f"/invitations/{invitation.id}/messages", status=422)


class TestCopyLink:
    def test_shows_the_link_made_from_the_public_url_and_audits_it(self, admin, settings):
        invitation = make_invitation(expires_in=None)
        page = admin.post(f"/invitations/{invitation.id}/link", status=200, headers={"X-Forwarded-Host": "evil.example"}).page
        link = page.all("input", id="link")[0]["value"]
        assert link == f"{settings.public_url}/invitations/{token_of(invitation)}"
        assert db.session.get(Invitation, invitation.id).expires_at is not None
        assert db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "invitation.link_copied")).one()

    def test_leads_back_to_where_it_was_asked_for(self, admin):
        invitation = make_invitation()
        page = admin.post(f"/invitations/{invitation.id}/link", {"next": "/users?q=a"}, 200).page
        assert page.all("a", href="/users?q=a", data_close="")

    def test_not_for_a_role_above_ones_own(self, admin):
        invitation = make_invitation(role_name="Owner")
        admin.post(f"/invitations/{invitation.id}/link", status=404)

    def test_after_the_servers_key_was_changed_the_old_link_is_dead_and_the_new_one_works(self, admin, client, change_settings):
        invitation = make_invitation()
        old = token_of(invitation)
        change_settings(secret_key="another key of more than thirty-two characters")
        page = admin.post(f"/invitations/{invitation.id}/link", status=200).page
        client.get(f"/invitations/{old}", 404)
        client.get("/invitations/" + page.all("input", id="link")[0]["value"].rpartition("/")[2])


class TestOpening:
    def test_shows_who_invites_to_what_and_changes_nothing(self, client, admin, queries):
        invitation = make_invitation(groups=("Student Devices",), by=admin.user)
        queries.clear()
        page = client.get(f"/invitations/{token_of(invitation)}").page
        assert "Devika Raman invited you" in page.text
        assert "Student Devices" in page.text
        assert not [q for q in queries if q.startswith(("UPDATE", "INSERT", "DELETE"))], queries

    @pytest.mark.parametrize(
        ("state", "expires_in", "said"),
        [
            (InvitationState.PENDING, timedelta(days=-1), "This invitation has expired"),
            (InvitationState.REVOKED, timedelta(days=7), "This invitation was withdrawn"),
            (InvitationState.ACCEPTED, timedelta(days=7), "This invitation was already used"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_closed_one_is_told_kindly(self, client, state, expires_in, said, method):
        invitation = make_invitation(state=state, expires_in=expires_in)
        answer = client.send(method, f"/invitations/{token_of(invitation)}", 410, data=NEW if method == "POST" else None)
        assert said in answer.page.h1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_an_unknown_one(self, client, method):
        assert "No invitation has this address" in client.send(method, "/invitations/" + "x" * 43, 404).page.h1

    def test_whose_person_has_an_account_meanwhile(self, client):
        invitation = make_invitation()
        make_user("Inês Carvalho", email=invitation.email)
        assert "You already have an account" in client.get(f"/invitations/{token_of(invitation)}", 410).page.h1


class TestAskingForANewLink:
    """The page of an expired link lets its person ask for a new one."""

    @pytest.fixture
    def expired(self, change_settings) -> str:
        """The token of an expired invitation, where e-mail is sent."""
        change_settings(mail_url="smtp://127.0.0.1:1")
        return token_of(make_invitation(INES, expires_in=timedelta(days=-1)))

    def ask(self, client, token, status=303):
        return client.post(f"/invitations/{token}/renewal", status=status)

    def test_it_goes_to_the_address_it_was_sent_to_and_that_is_not_shown(self, client, expired):
        page = client.get(f"/invitations/{expired}", 410).page
        assert "Ask for a new link, and it arrives in the same inbox." in page.text
        (form,) = page.all("form", method="post")
        answer = client.get(client.post(form["action"]).location)
        assert answer.page.h1 == "Check your inbox"
        assert INES not in page.text + answer.text
        (letter,) = due_emails()
        assert letter.to == INES
        fresh = token_of(invitation_of(INES))
        assert f"/invitations/{fresh}" in letter.text
        assert "Join" in client.get(f"/invitations/{fresh}").page.h1
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "invitation.sent_again")).one()
        assert event.actor_id is None
        assert event.details["after"]["expires"] > event.details["before"]["expires"]

    def test_the_old_link_stays_dead(self, client, expired):
        self.ask(client, expired)
        client.get(f"/invitations/{expired}", 404)
        client.post(f"/invitations/{expired}", NEW, status=404)
        self.ask(Client(client.app), expired, 404)
        assert len(due_emails()) == 1

    def test_a_second_press_gets_the_same_answer_and_sends_nothing(self, client, expired):
        first, second = self.ask(client, expired), self.ask(client, expired)
        assert first.location == second.location == "/invitations/asked"
        assert len(due_emails()) == 1

    def test_not_more_often_than_people_may_resend(self, client, expired):
        first = invitation_of(INES)
        for _ in range(4):
            outbox.add_message(MessageKind.INVITATION, INES, invitation_id=first.id, priority=2)
        db.session.commit()
        self.ask(client, expired)
        assert len(due_emails()) == 0, "it has expired still"
        assert invitation_of(INES).is_expired
        refused = db.session.scalars(db.select(AuditEvent.subject).where(AuditEvent.action == "link.refused")).all()
        assert any(INES in subject for subject in refused)
        for _ in range(9):
            self.ask(client, expired)
        self.ask(client, expired, 429)

    def test_only_of_one_that_has_expired(self, client, change_settings):
        change_settings(mail_url="smtp://127.0.0.1:1")
        going = make_invitation(INES)
        assert self.ask(client, token_of(going)).location == f"/invitations/{token_of(going)}"
        revoked = make_invitation("jonas@northfield.example", state=InvitationState.REVOKED, expires_in=timedelta(days=-1))
        self.ask(client, token_of(revoked), 410)
        self.ask(client, "x" * 43, 404)
        assert due_emails() == []

    def test_not_offered_without_a_mail_server(self, client):
        token = token_of(make_invitation(INES, expires_in=timedelta(days=-1)))
        page = client.get(f"/invitations/{token}", 410).page
        assert "Ask the person who invited you for a new one." in page.text
        assert not page.all("form")
        self.ask(client, token, 410)
        assert invitation_of(INES).is_expired


class TestAccepting:
    def test_makes_the_user_with_role_and_groups_signed_in(self, client):
        invitation = make_invitation(role_name="Analyst", groups=("Student Devices", "Teacher Laptops"))
        to = client.post(f"/invitations/{token_of(invitation)}", NEW).location
        page = client.get(to).page
        assert page.h1 == "Welcome, Inês"
        assert "You are in. This is what" in page.text
        assert "autofocus" in page.all("h1")[0]
        assert client.get(to).page.h1 == "Home"
        [user] = users_named("Inês Carvalho")
        assert (user.email, user.role.name) == (invitation.email, "Analyst")
        assert [group.name for group in user.groups] == ["Student Devices", "Teacher Laptops"]

    def test_works_once(self, client, app):
        invitation = make_invitation()
        client.post(f"/invitations/{token_of(invitation)}", NEW)
        assert "already used" in Client(app).post(f"/invitations/{token_of(invitation)}", NEW, 410).page.h1
        assert len(users_named("Inês Carvalho")) == 1

    @pytest.mark.parametrize("typed", [{"name": "", "password": PASSWORD}, {"name": "Inês", "password": "short"}])
    def test_a_poor_name_or_password_is_told_and_the_name_kept(self, client, typed):
        invitation = make_invitation()
        page = client.post(f"/invitations/{token_of(invitation)}", typed, 422).page
        assert page.values("name") == [typed["name"]]
        assert db.session.get(Invitation, invitation.id).state is InvitationState.PENDING

    def test_without_a_csrf_token_nothing_happens(self, client):
        invitation = make_invitation()
        client.post(f"/invitations/{token_of(invitation)}", NEW, 400, csrf=False)
        assert users_named("Inês Carvalho") == []

    @pytest.mark.slow
    def test_fifty_at_once_have_one_winner(self, app):
        token = token_of(make_invitation())
        db.session.rollback()
        statuses: list[int] = []

        def post() -> None:
            with app.app_context():
                statuses.append(Client(app).post(f"/invitations/{token}", NEW, status=None).status)

        threads = [threading.Thread(target=post) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [303] + [410] * 49
        assert len(users_named("Inês Carvalho")) == 1
        assert db.session.scalar(db.select(db.func.count(Session.id))) == 1
