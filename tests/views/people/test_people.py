"""One person: their page, and what is done to one alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import db, utcnow
from webapp.models import (
    AuditEvent,
    Invitation,
    InvitationState,
    Message,
    MessageKind,
    MessageState,
    Priority,
    Session,
    User,
    UserState,
)
from webapp.services.audit import events
from webapp.services.mail import outbox

from tests.factories import PASSWORD, make_batch, make_invitation, make_persona, make_user, role

EXAM, LIBRARY = "Exam Laptops", "Library Chromebooks"


@pytest.fixture
def amelia(app) -> User:
    return make_user("Amelia Hart", "Analyst", (EXAM,))


@pytest.fixture
def ines(app) -> Invitation:
    return make_invitation(groups=(EXAM,), by=make_persona("Owner"))


def fresh(person):
    db.session.expire_all()
    return db.session.get(type(person), person.id)


def form_of(client, person, part: str) -> dict[str, str]:
    """The hidden fields of the form for somebody's role, or groups."""
    kind = "users" if isinstance(person, User) else "invitations"
    page = client.get(f"/{kind}/{person.id}/access?part={part}&next=/users?q=a", htmx=True).page
    return {name: page.values(name)[0] for name in ("do", "seen", "next") if page.values(name)}


def happenings(*, of: str) -> list[str]:
    return list(db.session.scalars(db.select(AuditEvent.action).where(AuditEvent.subject == of).order_by(AuditEvent.id)))


class TestThePage:
    def test_tells_of_a_user_what_they_reach_and_where_they_came_from(self, owner, amelia):
        batch = make_batch(owner.user)
        invitation = make_invitation(amelia.email, state=InvitationState.ACCEPTED, by=make_user("Devika Raman", "Admin"))
        invitation.user_id, invitation.batch_id = amelia.id, batch.id
        db.session.commit()
        page = owner.get(f"/users/{amelia.id}").page
        assert "Active amelia.hart@northfield.example" in page.text
        assert "Role Analyst Device groups Exam Laptops" in page.text
        assert "Invited by Devika Raman" in page.text
        assert "By upload autumn-term-staff.csv" in page.text
        assert page.all("a", href=f"/batches/{batch.id}")
        assert "Not signed in anywhere." in page.text

    def test_tells_of_an_invitation_its_state_and_its_emails(self, owner, ines):
        message = outbox.add_message(MessageKind.INVITATION, ines.email, invitation_id=ines.id, priority=Priority.SINGLE)
        message.state = MessageState.FAILED
        message.result = {"code": "refused", "words": "550 5.1.1 No such user here"}
        db.session.commit()
        page = owner.get(f"/invitations/{ines.id}/details").page
        assert "Invited Not joined yet" in page.text
        assert "Link works until" in page.text
        assert "550 5.1.1 No such user here" in page.text
        assert page.all("a", href=f"/messages/{message.id}")

    @pytest.mark.parametrize("state", [InvitationState.REVOKED, InvitationState.ACCEPTED])
    def test_of_a_closed_invitation_offers_nothing(self, owner, state):
        invitation = make_invitation(state=state)
        page = owner.get(f"/invitations/{invitation.id}/details").page
        assert state.value.capitalize() in page.text
        assert not page.all("div", id="person-menu")

    def test_tells_the_history_in_words_the_newest_first(self, owner, amelia):
        invitation = make_invitation(amelia.email, state=InvitationState.ACCEPTED)
        invitation.user_id = amelia.id
        access = {"role": "Remote", "groups": [LIBRARY]}
        events.record(owner.user, "invitation.created", invitation, after=access)
        events.record(amelia, "invitation.accepted", invitation)
        after = {"role": "Analyst", "groups": [EXAM]}
        events.record(owner.user, "user.changed", amelia, before=access, after=after)
        events.record(owner.user, "user.changed", make_persona("Remote"), before=after, after=access)
        db.session.commit()
        text = owner.get(f"/users/{amelia.id}").page.text
        told = [
            "Changed Amelia Hart: role Remote to Analyst, 1 group added, 1 group removed",
            "Added: Exam Laptops Removed: Library Chromebooks Maren Okafor",
            "Accepted the invitation Amelia Hart",
            "Invited amelia.hart@northfield.example: role Remote, 1 group added Maren Okafor",
        ]
        assert [each for each in told if each in text] == told
        assert sorted(told, key=text.index) == told

    def test_a_long_history_has_pages(self, owner, amelia):
        for n in range(145):
            events.record(owner.user, "invitation.link_copied", amelia, n=n)
        db.session.commit()
        page, seen = owner.get(f"/users/{amelia.id}").page, 0
        for _ in range(3):
            seen += len([a for a in page.all("li") if a.get("id", "").startswith("event-")])
            older = [a["href"] for a in page.all("a") if "before=" in a.get("href", "")]
            page = owner.get(older[0]).page if older else page
        assert (seen, older) == (145, [])

    def test_the_history_is_for_those_who_may_read_the_audit_log(self, owner, amelia, sign_in):
        assert "History" in sign_in("Investigator").get(f"/users/{amelia.id}").page.text
        page = sign_in(make_user("Another Analyst", "Analyst")).get(f"/users/{amelia.id}").page
        assert "History" not in page.text
        assert "Sessions" not in page.text
        assert not page.all("div", id="person-menu")
        sign_in("Remote").get(f"/users/{amelia.id}", status=403)

    def test_the_upload_is_a_link_for_those_who_may_see_uploads(self, owner, sign_in):
        role("Remote").permissions = ["users:see", "audit:read"]
        batch = make_batch(owner.user)
        invitation = make_invitation("lena@northfield.example")
        invitation.batch_id = batch.id
        access = {"role": "Remote", "groups": []}
        events.record(owner.user, "invitation.created", invitation, after=access, batch=batch.id)
        db.session.commit()
        path = f"/invitations/{invitation.id}/details"
        assert len(owner.get(path).page.all("a", href=f"/batches/{batch.id}")) == 2
        page = sign_in("Remote").get(path).page
        assert page.text.count(batch.name) == 2
        assert not page.all("a", href=f"/batches/{batch.id}")

    def test_nobody_there_is_said_kindly(self, owner):
        assert "not here any more" in owner.get("/users/99999", status=404).page.text
        assert "no such invitation" in owner.get("/invitations/99999/details", status=404).page.text

    def test_as_many_queries_for_much_as_for_little(self, owner, amelia, queries, sign_in):
        def one_more() -> None:
            sign_in(amelia)
            invitation = make_invitation(amelia.email, groups=(EXAM, LIBRARY), state=InvitationState.REVOKED)
            events.record(owner.user, "invitation.created", invitation, batch=make_batch(owner.user).id)
            message_for(invitation)

        one_more()
        queries.clear()
        owner.get(f"/users/{amelia.id}")
        few = len(queries)
        for _ in range(9):
            one_more()
        queries.clear()
        page = owner.get(f"/users/{amelia.id}").page
        assert len([a for a in page.all("li") if a.get("id", "").startswith("session-")]) == 10
        assert len(queries) == few, queries


def message_for(invitation: Invitation) -> Message:
    message = outbox.add_message(MessageKind.INVITATION, invitation.email, invitation_id=invitation.id, priority=Priority.SINGLE)
    db.session.commit()
    return message


class TestAccess:
    def test_of_a_user_role_and_groups_and_back_to_the_list(self, admin, amelia):
        exam, library = amelia.groups[0].id, make_user("X Y", groups=(LIBRARY,)).groups[0].id
        answer = admin.post(f"/users/{amelia.id}/access", form_of(admin, amelia, "role") | {"role": str(role("Remote").id)})
        assert answer.location == "/users?q=a"
        assert "Amelia Hart" in admin.get(answer.location).page.text
        groups = form_of(admin, amelia, "groups") | {"groups": [str(exam), str(library)]}
        admin.post(f"/users/{amelia.id}/access", groups)
        found = fresh(amelia)
        assert (found.role.name, [group.name for group in found.groups]) == ("Remote", [EXAM, LIBRARY])
        assert happenings(of=amelia.email) == ["user.changed", "user.changed"]

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
    def test_cancel_never_leads_out_of_the_portal(self, admin, amelia, elsewhere):
        page = admin.get(f"/users/{amelia.id}/access?next={elsewhere}").page
        (cancel,) = page.all("a", data_close="")
        assert cancel["href"] == f"/users/{amelia.id}"

    def test_of_an_invitation_all_groups(self, admin, ines):
        admin.post(f"/invitations/{ines.id}/access", form_of(admin, ines, "groups") | {"groups": "all"})
        assert fresh(ines).all_groups
        page = admin.get(f"/invitations/{ines.id}/access?part=groups").page
        assert "checked" in page.all("input", id="access-groups-all")[0]

    def test_none_ticked_is_no_groups(self, admin, amelia):
        admin.post(f"/users/{amelia.id}/access", form_of(admin, amelia, "groups"))
        assert not fresh(amelia).groups

    def test_who_becomes_an_admin_costs_ones_password(self, admin, amelia):
        wish = form_of(admin, amelia, "role") | {"role": str(role("Admin").id)}
        page = admin.post(f"/users/{amelia.id}/access", wish, 422, htmx=True).page
        assert "Type your password: this person becomes Admin." in page.text
        assert "checked" in page.all("input", id=f"access-role-{role('Admin').id}")[0]
        assert "not your password" in admin.post(f"/users/{amelia.id}/access", wish | {"password": "guess"}, 422).page.text
        assert fresh(amelia).role.name == "Analyst"
        admin.post(f"/users/{amelia.id}/access", wish | {"password": PASSWORD})
        assert fresh(amelia).role.name == "Admin"

    def test_who_is_one_already_costs_none(self, owner):
        other = make_user("Devika Two", "Admin")
        owner.post(f"/users/{other.id}/access", form_of(owner, other, "role") | {"role": str(role("Remote").id)})
        assert fresh(other).role.name == "Remote"

    def test_what_somebody_else_changed_meanwhile_is_not_overwritten(self, admin, amelia):
        form = form_of(admin, amelia, "groups")
        amelia.groups = []
        db.session.commit()
        answer = admin.post(f"/users/{amelia.id}/access", form | {"groups": "all"}, 303)
        assert "Someone else changed" in admin.get(answer.location).page.text
        assert not fresh(amelia).all_groups

    def test_nobody_reaches_above_themselves(self, admin, amelia):
        owner = make_persona("Owner")
        admin.get(f"/users/{owner.id}/access", status=404)
        admin.post(f"/users/{owner.id}/access", {"do": "set_role", "role": role("Remote").id}, 422)
        admin.post(f"/users/{amelia.id}/access", {"do": "set_role", "role": role("Owner").id, "password": PASSWORD}, 422)
        admin.post(f"/users/{admin.user.id}/access", {"do": "set_role", "role": role("Remote").id}, 422)
        assert [fresh(each).role.name for each in (owner, amelia, admin.user)] == ["Owner", "Analyst", "Admin"]

    @pytest.mark.parametrize("form", [{}, {"do": "set_role"}, {"do": "set_groups", "groups": ["all", "1"]}, {"do": "fly"}])
    def test_odd_forms_get_a_sentence(self, admin, amelia, form):
        assert admin.post(f"/users/{amelia.id}/access", form, 422).page.text

    def test_an_odd_part_is_the_role(self, admin, amelia):
        assert form_of(admin, amelia, "nonsense")["do"] == "set_role"


class TestOneAlone:
    def test_a_user_is_deactivated_and_comes_back(self, admin, amelia, sign_in):
        browser = sign_in(amelia)
        answer = admin.post(f"/users/{amelia.id}/deactivation", {"next": "/users?status=active&page=2"})
        assert answer.location == "/users?status=active&page=2"
        assert fresh(amelia).state is UserState.DEACTIVATED
        assert "/sign-in" in browser.get("/", status=303).location
        admin.post(f"/users/{amelia.id}/reactivation")
        assert fresh(amelia).state is UserState.ACTIVE
        assert happenings(of=amelia.email)[-2:] == ["user.deactivated", "user.reactivated"]

    def test_an_admin_comes_back_for_ones_password(self, owner):
        other = make_user("Devika Two", "Admin", state=UserState.DEACTIVATED)
        assert "Reactivate Devika Two?" in owner.get(f"/users/{other.id}/reactivation").page.text
        assert "Type your password" in owner.post(f"/users/{other.id}/reactivation", status=422).page.text
        owner.post(f"/users/{other.id}/reactivation", {"password": PASSWORD})
        assert fresh(other).state is UserState.ACTIVE

    @pytest.mark.parametrize(("noun", "said"), [("messages", "Resend"), ("revocation", "Revoke")])
    def test_what_is_done_to_an_invitation_is_asked_first(self, admin, ines, noun, said):
        page = admin.get(f"/invitations/{ines.id}/{noun}?next=/users?q=a").page
        assert f"{said} the invitation to {ines.email}?" in page.text
        assert page.values("next") == ["/users?q=a"]
        assert (fresh(ines).state, db.session.scalars(db.select(Message)).all()) == (InvitationState.PENDING, [])

    def test_what_is_done_to_a_user_is_asked_first(self, admin, amelia):
        assert "Deactivate Amelia Hart?" in admin.get(f"/users/{amelia.id}/deactivation", htmx=True).page.text
        admin.get(f"/users/{amelia.id}/reactivation", status=404)
        assert fresh(amelia).state is UserState.ACTIVE
        admin.post(f"/users/{amelia.id}/deactivation")
        page = admin.get(f"/users/{amelia.id}/reactivation").page
        assert "with the role and the groups that they had" in page.text
        assert not page.all("input", id="access-password")
        admin.get(f"/users/{amelia.id}/deactivation", status=404)

    def test_an_invitation_is_revoked_once(self, admin, ines):
        admin.post(f"/invitations/{ines.id}/revocation", {"next": "https://evil.example/"})
        assert fresh(ines).state is InvitationState.REVOKED
        assert "revoked" in admin.post(f"/invitations/{ines.id}/revocation", status=422).page.text

    def test_an_invitation_is_sent_again_and_back_where_one_was(self, admin, ines):
        answer = admin.post(f"/invitations/{ines.id}/messages", {"next": "/users?status=invited"})
        assert answer.location == "/users?status=invited"
        (focused,) = admin.get(answer.location).page.all("button", autofocus="", popovertarget=f"invitation-{ines.id}-menu")
        assert focused["aria-label"] == f"Actions for {ines.email}"
        assert not admin.get(answer.location).page.all("button", autofocus="", popovertarget=f"invitation-{ines.id}-menu")
        assert db.session.scalars(db.select(Message)).one().recipient == ines.email

    def test_not_by_those_who_may_only_look(self, amelia, ines, sign_in):
        browser = sign_in("Investigator")
        for path in (
            f"/users/{amelia.id}/deactivation", f"/users/{amelia.id}/reactivation", f"/users/{amelia.id}/access",
            f"/users/{amelia.id}/sessions/removal", f"/invitations/{ines.id}/revocation", f"/invitations/{ines.id}/access",
        ):  # fmt: skip
            browser.post(path, status=403)
        for path in (f"/users/{amelia.id}/deactivation", f"/invitations/{ines.id}/revocation"):
            browser.get(path, status=403)

    @pytest.mark.parametrize("name", ["deactivation", "access"])
    def test_not_to_oneself(self, admin, name):
        admin.post(f"/users/{admin.user.id}/{name}", {"do": "set_role", "role": role("Remote").id}, 422)


class TestSessions:
    def test_one_is_ended_or_all(self, admin, amelia, sign_in):
        first, second, third = (sign_in(amelia) for _ in range(3))
        page = admin.get(f"/users/{amelia.id}").page
        asking = [link["href"] for link in page.all("a", hx_target="#access-form") if "session=" in link["href"]]
        assert len(asking) == 3
        asked = admin.get(max(asking, key=lambda link: int(link.rpartition("=")[2]))).page
        assert "It takes effect at once. They can sign in again." in asked.text
        third.get("/")
        (newest,) = asked.values("session")
        admin.post(f"/users/{amelia.id}/sessions/removal", {"session": newest})
        assert "Sign Amelia Hart out everywhere?" in admin.get(f"/users/{amelia.id}/sessions/removal").page.text
        third.get("/", status=303)
        second.get("/")
        admin.post(f"/users/{amelia.id}/sessions/removal")
        first.get("/", status=303)
        assert "Not signed in anywhere." in admin.get(f"/users/{amelia.id}").page.text
        events = db.session.scalars(
            db.select(AuditEvent).where(AuditEvent.action == "sessions.ended").order_by(AuditEvent.id)
        ).all()
        assert [(event.actor, event.subject, event.details) for event in events] == [
            (admin.user.email, amelia.email, {"sessions": 1}),
            (admin.user.email, amelia.email, {"sessions": 2}),
        ]

    def test_one_of_somebody_else_is_not_ended_by_its_number(self, admin, amelia, sign_in):
        sign_in(amelia)
        own = db.session.scalars(db.select(Session).where(Session.user_id == admin.user.id)).one()
        admin.post(f"/users/{amelia.id}/sessions/removal", {"session": own.id})
        admin.get("/users")

    def test_those_of_somebody_above_are_neither_shown_nor_ended(self, admin, owner):
        assert "Sessions" not in admin.get(f"/users/{owner.user.id}").page.text
        for ask in (admin.get, admin.post):
            assert "ranks above yours" in ask(f"/users/{owner.user.id}/sessions/removal", status=422).page.text
        owner.get("/")

    def test_those_that_are_over_are_not_shown(self, admin, amelia, sign_in):
        sign_in(amelia)
        session = db.session.scalars(db.select(Session).where(Session.user_id == amelia.id)).one()
        session.seen_at = utcnow() - timedelta(days=30)
        db.session.commit()
        assert "Not signed in anywhere." in admin.get(f"/users/{amelia.id}").page.text
