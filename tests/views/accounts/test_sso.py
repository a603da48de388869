"""Single sign-on: through the provider and back, who gets in by it, and as whom."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Identity, Invitation, InvitationState, Session, User, UserState

from tests.factories import make_factor, make_group, make_invitation, make_persona, make_user, token_of
from tests.provider import go_through

INES = "ines.carvalho@northfield.example"
AMELIA = "amelia.hart@northfield.example"


def user_of(email):
    return db.session.scalar(db.select(User).where(User.email_key == email))


def actions():
    return list(db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)))


@pytest.fixture(autouse=True)
def somebody(app):
    make_persona("Owner")


class TestTheFirstTime:
    def test_a_verified_email_accepts_the_invitation_with_role_and_groups(self, provider, client):
        make_group("Student Devices")
        invitation = make_invitation(INES, "Investigator", ("Student Devices",))
        provider.say("ines", email=INES.upper(), email_verified=True, name="Inês  Carvalho")

        answer = go_through(provider, client, "ines", "/sign-in/sso?next=/account")

        assert answer.location == "/account"
        ines = user_of(INES)
        assert (ines.name, ines.role.name, ines.group_names) == ("Inês Carvalho", "Investigator", "Student Devices")
        assert db.session.get(Invitation, invitation.id).state is InvitationState.ACCEPTED
        assert not ines.has_password
        assert "Inês Carvalho" in client.get("/account").text
        assert actions()[-3:] == ["invitation.accepted", "identity.connected", "session.started"]

    def test_an_invitations_link_counts_more_than_the_email(self, provider, client):
        invitation = make_invitation("bob@northfield.example")
        provider.say("b.smith", email="b.smith@elsewhere.example", email_verified=False)
        page = client.get(f"/invitations/{token_of(invitation)}").page
        [way] = [each["href"] for each in page.all("a") if "/sign-in/sso" in each["href"]]
        assert page.text.index("Continue with School account") < page.text.index("Full name")

        go_through(provider, client, "b.smith", way)

        assert user_of("bob@northfield.example")
        assert db.session.scalars(db.select(Identity)).one().subject == "b.smith"
        other = make_user("Cy Vance", "Remote")
        provider.say("cy", email=other.email)
        assert client.get(f"/invitations/{token_of(invitation)}", 410)

    def test_an_invitation_that_was_never_handed_over_is_accepted(self, provider, client):
        make_invitation(INES, expires_in=None)
        provider.say("ines", email=INES)
        go_through(provider, client, "ines")
        assert user_of(INES).name == INES

    def test_an_active_user_is_connected_and_known_by_the_account_from_then_on(self, provider, client):
        amelia = make_user()
        provider.say("amelia", email=AMELIA, email_verified=True)
        go_through(provider, client, "amelia")
        provider.say("amelia", email="somebody.else@northfield.example")
        go_through(provider, client, "amelia")
        assert db.session.scalars(db.select(Session.user_id)).all() == [amelia.id]
        assert actions().count("identity.connected") == 1

    def test_who_is_signed_in_as_somebody_else_is_signed_out_of_that(self, provider, admin):
        make_user()
        provider.say("amelia", email=AMELIA)
        go_through(provider, admin, "amelia")
        assert "Amelia Hart" in admin.get("/account").text


@pytest.mark.parametrize(
    ("claims", "email_setting", "gets_in"),
    [
        ({"email": INES, "email_verified": True}, "verified", True),
        ({"email": INES, "email_verified": "true"}, "verified", True),
        ({"email": INES}, "verified", True),
        ({"email": INES, "email_verified": False}, "verified", False),
        ({"email": INES, "email_verified": "false"}, "verified", False),
        ({"email": INES, "email_verified": False}, "trusted", True),
        ({"email_verified": True}, "trusted", False),
        ({"email": "no address", "email_verified": True}, "verified", False),
        ({"email": [INES], "email_verified": True}, "verified", False),
        ({"email": "nobody@northfield.example", "email_verified": True}, "verified", False),
    ],
)
def test_what_an_email_is_worth(provider, client, change_settings, claims, email_setting, gets_in):
    make_invitation(INES)
    change_settings(**provider.settings(oidc_email=email_setting))
    provider.say("ines", **claims)
    go_through(provider, client, "ines", status=303 if gets_in else 422)
    assert bool(user_of(INES)) is gets_in
    assert bool(client.cookie()) is gets_in


class TestRefused:
    @pytest.mark.parametrize(
        ("prepare", "says"),
        [
            (lambda: None, "Nobody has invited amelia.hart@northfield.example. Ask an administrator"),
            (lambda: make_invitation(AMELIA, expires_in=timedelta(days=-1)), "Your invitation has expired."),
            (lambda: make_invitation(AMELIA, state=InvitationState.REVOKED), "Nobody has invited"),
            (lambda: make_user(state=UserState.DEACTIVATED), "Your account is deactivated."),
            (lambda: make_factor(make_user()), "two-step sign-in"),
        ],
        ids=["stranger", "expired", "revoked", "deactivated", "second factor"],
    )
    def test_who_may_not_come_in_by_an_email(self, provider, client, prepare, says):
        prepare()
        provider.say("amelia", email=AMELIA, email_verified=True)
        page = go_through(provider, client, "amelia", status=422).page
        assert says in page.text
        assert not db.session.scalars(db.select(Identity)).all()
        assert actions()[-1] == "sso.refused"

    def test_the_owner_is_never_connected_by_an_email(self, provider, client):
        owner = make_persona("Owner")
        provider.say("maren", email=owner.email, email_verified=True)
        assert "only the Owner connects it" in go_through(provider, client, "maren", status=422).page.text

    def test_a_second_account_with_the_same_email_is_not_taken_for_the_person(self, provider, client):
        make_user()
        provider.say("amelia", email=AMELIA)
        go_through(provider, client, "amelia")
        provider.say("amelia2", email=AMELIA)
        assert "another account of School account" in go_through(provider, client, "amelia2", status=422).page.text

    def test_somebody_deactivated_is_out_though_known(self, provider, client):
        amelia = make_user()
        provider.say("amelia", email=AMELIA)
        go_through(provider, client, "amelia")
        amelia = db.session.get(User, amelia.id)
        amelia.state = UserState.DEACTIVATED
        db.session.commit()
        assert "deactivated" in go_through(provider, client, "amelia", status=422).page.text

    def test_an_answer_that_was_not_asked_for(self, provider, client):
        assert "begun in another window" in client.get("/sign-in/sso/callback?code=x&state=made-up", 422).page.text
        assert "begun in another window" in client.get("/sign-in/sso/callback", 422).page.text

    def test_an_answer_counts_once(self, provider, client):
        make_invitation(INES)
        provider.say("ines", email=INES)
        back = provider.authorize(client.get("/sign-in/sso", 302).location, "ines")
        client.get(back, 303)
        client.post("/sign-out")
        client.get(back, 422)

    def test_an_answer_of_somebody_elses_browser(self, provider, client, admin):
        make_invitation(INES)
        provider.say("ines", email=INES)
        back = provider.authorize(client.get("/sign-in/sso", 302).location, "ines")
        assert admin.get(back, 422)
        assert user_of(INES) is None

    def test_who_goes_back(self, provider, client):
        there = client.get("/sign-in/sso", 302).location
        back = provider.authorize(there, "ines", action="deny")
        state = there.partition("state=")[2].partition("&")[0]
        page = client.get(f"{back}&state={state}", 422).page
        assert "School account did not let you in, or you went back." in page.text

    def test_another_site_is_no_page_to_end_at(self, provider, client):
        make_invitation(INES)
        provider.say("ines", email=INES)
        assert go_through(provider, client, "ines", "/sign-in/sso?next=//evil.example").location == "/"


def test_a_way_begun_many_times_leaves_room_in_the_cookie(provider, client):
    for _ in range(12):
        client.get("/sign-in/sso", 302)
    assert len(client.flask.get_cookie("muster").value) < 3000


def test_without_single_sign_on_there_is_no_such_page(client):
    assert "There is no single sign-on here." in client.get("/sign-in/sso", 404).page.text
    assert "Continue with" not in client.get("/sign-in").text


def test_where_it_is_not_used_nothing_of_it_is_loaded(tmp_path):
    code = (
        "import sys; from webapp.app import create_app; from webapp.settings.settings import Settings;"
        f"create_app(Settings.from_environment({{'MUSTER_DATA_DIR': {str(tmp_path / 'data')!r}}}));"
        "print(sorted({'authlib', 'requests', 'joserfc', 'cryptography.hazmat', 'ldap3'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
