"""One's own account and accounts elsewhere: connecting, showing who one is, signing out, and a portal without passwords."""

from __future__ import annotations

import time

import pytest
from webapp.db import db, utcnow
from webapp.models import AuditEvent, Identity, LinkPurpose, Message, Session, User
from webapp.services.links import account_links

from tests.factories import PASSWORD, make_factor, make_group, make_invitation, make_persona, make_user, role, token_of
from tests.provider import go_through

AMELIA = "amelia.hart@northfield.example"
INES = "ines.carvalho@northfield.example"


def actions():
    return list(db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)))


def own_passwords(page):
    """The fields that ask for the password that one has."""
    return page.all("input", type="password", autocomplete="current-password")


def identities():
    return db.session.scalars(db.select(Identity)).all()


@pytest.fixture
def joined(app, provider, client):
    """A browser in which Ines signed in at the provider, an Admin without a password."""
    make_persona("Owner")
    make_invitation(INES, "Admin")
    provider.say("ines", email=INES, email_verified=True, name="Ines Carvalho")
    go_through(provider, client, "ines")
    client.user = db.session.scalar(db.select(User).where(User.email_key == INES))
    return client


def prove(provider, browser, age=0, subject="ines", **claims):
    """Sign in at the provider again, `age` seconds ago."""
    provider.say(subject, auth_time=int(time.time()) - age, **claims)
    there = browser.get("/sign-in/sso/proof", 302).location
    assert "prompt=login" in there
    assert "max_age=0" in there
    return browser.get(provider.authorize(there, subject), None)


class TestConnecting:
    def connect(self, provider, browser, subject, password=PASSWORD):
        browser.post("/account/identities", {"current": password})
        assert "Continue with School account" in browser.get("/account").page.text
        return go_through(provider, browser, subject, "/account/identities/new")

    def test_the_owner_connects_an_account_with_the_password_and_signs_in_by_it(self, provider, owner, client):
        provider.say("maren", email="private@elsewhere.example", email_verified=False)
        self.connect(provider, owner, "maren")
        assert "School account signs you in, since" in owner.get("/account").page.text
        go_through(provider, client, "maren")
        assert "Maren Okafor" in client.get("/account").text
        assert "identity.connected" in actions()

    def test_it_takes_the_password(self, provider, owner):
        assert "This is not your password" in owner.post("/account/identities", {"current": "wrong"}, 422).page.text
        assert "Type your current password." in owner.post("/account/identities", {}, 422).page.text
        assert owner.get("/account/identities/new", 303).location == "/account"

    def test_the_account_of_somebody_else_is_not_connected(self, provider, joined, sign_in):
        other = sign_in("Analyst")
        other.post("/account/identities", {"current": PASSWORD})
        page = go_through(provider, other, "ines", "/account/identities/new", 422).page
        assert "This account of School account is connected with somebody else here." in page.text

    def test_a_way_that_somebody_else_began_in_this_browser_connects_nobody(self, provider, sign_in):
        browser, other = sign_in("Admin"), sign_in("Analyst")
        browser.post("/account/identities", {"current": PASSWORD})
        back = provider.authorize(browser.get("/account/identities/new", 302).location, "x")
        browser.set_cookie(sid=other.cookie("sid"))
        assert browser.get(back, 303).location == "/sign-in"
        assert identities() == []

    def test_disconnecting(self, provider, admin):
        self.connect(provider, admin, "devika")
        [identity] = identities()
        admin.post(f"/account/identities/{identity.id}/removal", {"current": "wrong"}, 422)
        assert len(identities()) == 1
        admin.post(f"/account/identities/{identity.id}/removal", {"current": PASSWORD})
        assert identities() == []
        assert actions()[-1] == "identity.disconnected"

    def test_nobody_disconnects_their_only_way_in(self, provider, joined):
        assert "this is your only way in" in joined.get("/account").page.text
        prove(provider, joined)
        [identity] = identities()
        page = joined.post(f"/account/identities/{identity.id}/removal", status=422).page
        assert "this is your only way in" in page.text
        assert len(identities()) == 1

    def test_somebody_elses_account_stays(self, provider, joined, admin):
        [identity] = identities()
        admin.post(f"/account/identities/{identity.id}/removal", {"current": PASSWORD})
        assert len(identities()) == 1

    def test_a_person_with_two_step_sign_in_connects_it_and_is_asked_for_no_code(self, provider, admin, client):
        make_factor(admin.user)
        self.connect(provider, admin, "devika")
        assert go_through(provider, client, "devika").location == "/"


class TestDisconnectingSomebodyElse:
    """Their account at the provider was made again: it has another subject."""

    @pytest.fixture
    def amelia(self, provider, app, client):
        make_persona("Owner")
        amelia = make_user()
        provider.say("amelia", email=AMELIA)
        go_through(provider, client, "amelia")
        return amelia

    def test_then_the_new_account_is_connected(self, provider, amelia, admin, client):
        provider.say("amelia2", email=AMELIA)
        go_through(provider, client, "amelia2", status=422)
        assert "Signs in with" in admin.get(f"/users/{amelia.id}").page.text
        path = f"/users/{amelia.id}/identities/removal"
        assert "The next person who signs in with their verified email" in admin.get(path).page.text
        admin.post(path, {"password": "wrong"}, 422)
        assert len(identities()) == 1
        admin.post(path, {"password": PASSWORD})
        assert identities() == []
        assert "/sign-in" in client.get("/account", 303).location
        assert actions()[-2:] == ["identity.disconnected", "sessions.ended"]
        go_through(provider, client, "amelia2")
        admin.get(f"/users/{amelia.id}")

    def test_not_of_somebody_who_ranks_as_high(self, provider, joined, admin):
        admin.get(f"/users/{joined.user.id}/identities/removal", 403)
        admin.post(f"/users/{joined.user.id}/identities/removal", {"password": PASSWORD}, 403)
        assert len(identities()) == 1

    def test_nothing_to_disconnect(self, provider, admin):
        admin.get(f"/users/{make_user().id}/identities/removal", 409)


class TestShowingWhoOneIs:
    def make_admin(self, browser, status):
        data = {"email": "new@northfield.example", "role": "Admin"}
        return browser.post("/invitations", data, status)

    def test_who_signed_in_at_the_provider_confirms_there(self, provider, joined):
        page = self.make_admin(joined, 422).page
        assert "Confirm with School account first: this person becomes Admin." in page.text
        assert not page.all("input", name="password")
        answer = prove(provider, joined)
        assert "It counts for five minutes." in answer.page.text
        assert "session.proven" in actions()
        self.make_admin(joined, 303)

    def test_it_counts_for_five_minutes(self, provider, joined):
        prove(provider, joined, age=301)
        self.make_admin(joined, 422)
        prove(provider, joined, age=10**12)
        self.make_admin(joined, 422)
        prove(provider, joined, age=200)
        self.make_admin(joined, 303)

    def test_a_provider_whose_clock_is_ahead_does_not_make_it_count_longer(self, provider, joined):
        prove(provider, joined, age=-(10**13))
        session = db.session.scalars(db.select(Session).where(Session.user_id == joined.user.id)).one()
        assert session.proven_at <= utcnow()
        self.make_admin(joined, 303)

    def test_it_ends_with_the_session(self, provider, joined, client):
        prove(provider, joined)
        joined.post("/sign-out")
        go_through(provider, joined, "ines")
        self.make_admin(joined, 422)

    def test_somebody_else_at_the_provider_shows_nothing(self, provider, joined):
        answer = prove(provider, joined, subject="mallory", email="mallory@northfield.example")
        assert "somebody else is signed in: mallory@northfield.example" in answer.page.text
        self.make_admin(joined, 422)

    def test_signing_in_alone_shows_nothing(self, provider, joined):
        provider.say("ines", auth_time=int(time.time()))
        joined.post("/sign-out")
        go_through(provider, joined, "ines")
        self.make_admin(joined, 422)

    def test_who_signed_in_by_password_types_it(self, provider, admin):
        assert "Enter your password to confirm." in self.make_admin(admin, 422).page.text
        row = db.session.scalars(db.select(Session).where(Session.user_id == admin.user.id)).one()
        row.proven_at = utcnow()
        db.session.commit()
        self.make_admin(admin, 422)

    @pytest.mark.parametrize(
        ("path", "data"),
        [
            ("/users/{amelia}/access", {"do": "set_role", "role": "{admin}"}),
            ("/users/{zed}/erasure", {}),
            ("/account/email", {"email": "ines@northfield.example"}),
            ("/account/password", {"password": "a long enough phrase"}),
            ("/users/{cy}/second-factor/removal", {}),
            ("/invitations/{invited}/link", {"password": ""}),
            ("/link-sheets", {"all": "1"}),
        ],
    )
    def test_wherever_a_password_is_asked(self, provider, joined, path, data):
        cy, zed, amelia = make_user("Cy Vance", "Remote"), make_user("Zed Poe", "Remote", state="deactivated"), make_user()
        make_factor(cy)
        invited = make_invitation("chief@northfield.example", "Admin")
        names = {"amelia": amelia.id, "zed": zed.id, "cy": cy.id, "invited": invited.id, "admin": role("Admin").id}
        data = {name: value.format(**names) for name, value in data.items()}
        path = path.format(**names)
        if path.endswith("/access"):
            data["seen"] = joined.get(path).page.values("seen")[0]
        refused = joined.post(path, data, 422)
        assert "Confirm with School account" in refused.page.text
        assert not own_passwords(refused.page)
        prove(provider, joined)
        assert joined.post(path, data, None).status < 400

    def test_ownership_is_handed_over_by_an_owner_who_signed_in_there(self, provider, owner, client):
        amelia = make_user()
        TestConnecting().connect(provider, owner, "maren")
        go_through(provider, client, "maren")
        client.post("/ownership", {"heir": amelia.id, "role": amelia.role_id}, 422)
        prove(provider, client, subject="maren")
        client.post("/ownership", {"heir": amelia.id, "role": amelia.role_id})
        assert db.session.get(User, amelia.id).role.is_owner


class TestTwoStepSignIn:
    def test_the_provider_asks_for_it(self, provider, joined, change_settings):
        change_settings(**provider.settings(require_totp="everyone"))
        joined.get("/account")

    def test_who_signs_in_by_password_sets_it_up(self, provider, admin, change_settings):
        change_settings(**provider.settings(require_totp="everyone"))
        assert admin.get("/account", 303).location == "/account/second-factor"


class TestWithoutPasswords:
    @pytest.fixture(autouse=True)
    def only(self, provider, change_settings):
        change_settings(**provider.settings(oidc_only="yes"))

    def sign_in(self, client, email, status):
        return client.post("/sign-in?local=1", {"email": email, "password": PASSWORD}, status)

    def test_the_sign_in_page_has_no_form(self, owner, client):
        page = client.get("/sign-in").page
        assert not page.all("input", name="password")
        assert "Continue with School account" in page.text

    def test_the_owner_finds_one(self, owner, client):
        assert client.get("/sign-in?local=1").page.all("input", name="password")
        self.sign_in(client, owner.user.email, 303)

    def test_nobody_else_gets_in_by_password(self, owner, client):
        amelia = make_user()
        assert "Email or password is wrong." in self.sign_in(client, amelia.email, 422).page.text

    def test_an_invitation_is_accepted_at_the_provider_only(self, owner, client):
        path = f"/invitations/{token_of(make_invitation(INES))}"
        page = client.get(path).page
        assert not page.all("input", name="password")
        assert "Continue with School account, and you are in." in page.text
        client.post(path, {"name": "Ines", "password": "a long enough phrase"}, 422)
        assert db.session.scalar(db.select(User).where(User.email_key == INES)) is None


class TestForgottenPassword:
    def test_who_has_none_is_told_how_they_sign_in(self, provider, joined, client):
        joined.post("/password-resets/new", {"email": INES}, 200)
        message = db.session.scalars(db.select(Message).order_by(Message.id.desc())).first()
        assert message.kind == "elsewhere"
        assert message.link_id is None

    def test_once_the_provider_is_not_used_any_more_a_link_goes_out(self, provider, joined, change_settings):
        change_settings(oidc_issuer="")
        joined.post("/password-resets/new", {"email": INES}, 200)
        message = db.session.scalars(db.select(Message).order_by(Message.id.desc())).first()
        link = account_links.link_url(message.link)
        assert message.link.purpose is LinkPurpose.RESET
        joined.post("/" + link.partition("//")[2].partition("/")[2], {"password": "a long enough phrase"})
        assert db.session.get(User, joined.user.id).has_password

    def test_nobody_makes_such_a_link_for_them(self, provider, joined, owner):
        page = owner.get(f"/users/{joined.user.id}/reset-link", 422).page
        assert "This person signs in with School account: there is no password to reset." in page.text


class TestGroupsAndRole:
    def enter(self, provider, client, **claims):
        provider.say("amelia", email=AMELIA, email_verified=True, **claims)
        go_through(provider, client, "amelia")
        user = db.session.scalar(db.select(User).where(User.email_key == AMELIA))
        return user.role.name, user.group_names

    @pytest.mark.parametrize(
        ("mode", "claims", "groups"),
        [
            ("off", {"groups": ["Labs"]}, "Staff"),
            ("add", {"groups": ["Labs", "Unknown"]}, "Labs, Staff"),
            ("replace", {"groups": ["labs"]}, "Labs"),
            ("replace", {"groups": ["/Labs"]}, "Labs"),
            ("replace", {"groups": "Labs, Staff"}, "Labs, Staff"),
            ("replace", {"groups": []}, ""),
            ("replace", {"groups": ["All groups"]}, ""),
            ("replace", {}, "Staff"),
            ("replace", {"_claim_names": {"groups": "src1"}}, "Staff"),
            ("replace", {"groups": ["Labs"], "hasgroups": True}, "Staff"),
            ("replace", {"groups": 5}, "Staff"),
        ],
    )
    def test_groups_follow_the_claim(self, provider, client, change_settings, mode, claims, groups):
        make_persona("Owner")
        make_group("Labs")
        make_group("Staff")
        make_user(groups=("Staff",))
        change_settings(**provider.settings(oidc_groups=mode))
        assert self.enter(provider, client, **claims)[1] == groups

    def test_all_groups_is_kept_where_groups_are_added(self, provider, client, change_settings):
        make_persona("Owner")
        make_group("Labs")
        make_user(groups=("All groups",))
        change_settings(**provider.settings(oidc_groups="add"))
        assert self.enter(provider, client, groups=["Labs"])[1] == "All groups"

    @pytest.mark.parametrize(
        ("now", "highest", "roles", "then"),
        [
            ("Analyst", "", ["Investigator"], "Investigator"),
            ("Analyst", "", ["remote", "broadcaster"], "Broadcaster"),
            ("Analyst", "", ["Admin"], "Analyst"),
            ("Analyst", "Admin", ["Admin", "Remote"], "Admin"),
            ("Analyst", "Admin", ["Owner"], "Analyst"),
            ("Analyst", "Owner", ["Admin"], "Admin"),
            ("Analyst", "Remote", ["Investigator"], "Analyst"),
            ("Admin", "", ["Remote"], "Admin"),
            ("Admin", "Admin", ["Remote"], "Remote"),
            ("Analyst", "Nonsense", ["Remote"], "Analyst"),
            ("Analyst", "", ["Unknown"], "Analyst"),
        ],
    )
    def test_the_role_follows_the_claim_up_to_a_ceiling(self, provider, client, change_settings, now, highest, roles, then):
        make_persona("Owner")
        make_user(role_name=now)
        change_settings(**provider.settings(oidc_role_claim="realm.roles", oidc_max_role=highest))
        assert self.enter(provider, client, realm={"roles": roles})[0] == then

    def test_what_changed_is_in_the_audit_log(self, provider, client, change_settings):
        make_persona("Owner")
        make_group("Labs")
        make_user()
        change_settings(**provider.settings(oidc_groups="add"))
        self.enter(provider, client, groups=["Labs"])
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "user.changed")).one()
        assert (event.details["before"], event.details["after"]) == ({"groups": []}, {"groups": ["Labs"]})

    def test_nothing_of_the_owner_follows(self, provider, owner, client, change_settings):
        change_settings(**provider.settings(oidc_groups="replace", oidc_role_claim="roles", oidc_max_role="Admin"))
        TestConnecting().connect(provider, owner, "maren")
        provider.say("maren", groups=[], roles=["Remote"])
        go_through(provider, client, "maren")
        maren = db.session.get(User, owner.user.id)
        assert (maren.role.name, maren.group_names) == ("Owner", "All groups")


class TestTrial:
    def test_the_owner_sees_what_the_provider_says_and_nothing_changes(self, provider, owner, change_settings):
        make_group("Labs")
        make_invitation(INES)
        change_settings(**provider.settings(oidc_groups="add", oidc_role_claim="roles"))
        provider.say("ines", email=INES, name="Ines", groups=["Labs", "Chess"], roles=["Analyst"])
        assert "Try it" in owner.get("/settings/sign-in").page.text
        page = go_through(provider, owner, "ines", "/sign-in/sso/trial", 200).page
        for words in (f"As {INES}.", "which it does not call verified or not", "Labs, Chess. Muster knows: Labs", "Analyst"):
            assert words in page.text
        assert identities() == []
        assert db.session.scalar(db.select(User).where(User.email_key == INES)) is None

    def test_it_says_why_an_account_would_not_get_in(self, provider, owner):
        provider.say("x", email="nobody@northfield.example")
        page = go_through(provider, owner, "x", "/sign-in/sso/trial", 200).page
        assert "Nobody has invited nobody@northfield.example." in page.text


def test_what_people_of_each_role_may_do_does_not_depend_on_how_they_signed_in(provider, client, sign_in):
    """Permissions are those of the user, whatever `Session.via` is: one of each kind of page, by both ways."""
    for name in ("Admin", "Analyst", "Remote"):
        browser = sign_in(name)
        provider.say(name, email=browser.user.email)
        go_through(provider, client, name)
        for path in ("/", "/users", "/batches", "/audit", "/settings/email", "/invitations/new", "/messages", "/account"):
            assert client.get(path, None).status == browser.get(path, None).status
