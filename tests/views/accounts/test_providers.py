"""What a provider may answer: claims elsewhere than in the token, forged and stale tokens, nothing at all."""

from __future__ import annotations

import time

import pytest
from webapp import oidc
from webapp.db import db
from webapp.models import Identity, User
from webapp.services.operations import doctor

from tests.factories import make_invitation, make_persona
from tests.scripted_provider import OTHER_KEY, ScriptedProvider
from tests.smtp_sink import CERTIFICATE

INES = "ines.carvalho@northfield.example"


@pytest.fixture
def provider(app, change_settings):
    make_persona("Owner")
    scripted = ScriptedProvider()
    change_settings(oidc_issuer=scripted.issuer, oidc_client_id="muster", oidc_client_secret="s", oidc_name="School account")
    yield scripted
    app.extensions.pop("muster_oidc", None)
    scripted.stop()


def come_back(provider, client, status=303):
    return client.get(provider.back_from(client.get("/sign-in/sso", 302).location), status)


def is_in(email=INES):
    return db.session.scalar(db.select(User).where(User.email_key == email)) is not None


class TestUserInfo:
    def test_it_is_asked_for_what_the_token_does_not_say(self, provider, client):
        make_invitation(INES)
        provider.userinfo = {"email": INES, "email_verified": True, "name": "Ines Carvalho"}
        come_back(provider, client)
        assert is_in()
        assert provider.sent["code_verifier"]

    def test_that_of_somebody_else_is_not_believed(self, provider, client):
        make_invitation(INES)
        provider.userinfo = {"sub": "mallory", "email": INES, "email_verified": True}
        assert "cannot be used" in come_back(provider, client, 422).page.text
        assert not is_in()

    def test_it_is_not_asked_where_the_token_says_all(self, provider, client):
        make_invitation(INES)
        provider.token = {"email": INES, "name": "Ines Carvalho"}
        come_back(provider, client)
        assert "/me" not in provider.asked


@pytest.mark.parametrize(
    "token",
    [
        {"iss": "https://login.evil.example"},
        {"aud": "another program"},
        {"nonce": "another sign-in"},
        {"exp": int(time.time()) - 600},
        {"sub": ""},
    ],
    ids=lambda token: next(iter(token)),
)
def test_a_token_that_is_not_for_this_sign_in(provider, client, token):
    make_invitation(INES)
    provider.token = {"email": INES, "name": "Ines", **token}
    assert "cannot be used" in come_back(provider, client, 422).page.text
    assert not db.session.scalars(db.select(Identity)).all()


def test_a_token_of_another_key(provider, client):
    make_invitation(INES)
    provider.key = OTHER_KEY
    provider.token = {"email": INES, "name": "Ines"}
    assert "cannot be used" in come_back(provider, client, 422).page.text
    assert not is_in()


def test_a_token_that_is_not_signed(provider, client):
    make_invitation(INES)
    provider.algorithm = "none"
    provider.token = {"email": INES, "name": "Ines"}
    come_back(provider, client, 422)
    assert not is_in()


@pytest.mark.parametrize("said", [{}, {"auth_time": None}])
def test_a_provider_that_does_not_say_when_shows_nothing(provider, client, said):
    make_invitation(INES)
    provider.token = {"email": INES, "name": "Ines", **said}
    come_back(provider, client)
    back = provider.back_from(client.get("/sign-in/sso/proof", 302).location)
    assert "did not say when you signed in there" in client.get(back, 422).page.text


class TestTrouble:
    def test_another_issuer_than_the_one_that_is_set(self, provider, client):
        provider.metadata = {"issuer": "https://login.evil.example"}
        assert "cannot be used" in client.get("/sign-in/sso", 422).page.text
        provider.metadata = {}
        assert client.get("/sign-in/sso", 302), "it is asked again"

    def test_a_provider_that_is_silent_holds_nobody_for_long(self, provider, client, monkeypatch):
        monkeypatch.setattr(oidc, "TIMEOUT", 0.2)
        provider.silent = 1
        began = time.monotonic()
        page = client.get("/sign-in/sso", 422).page
        assert "School account does not answer just now. Try again in a minute." in page.text
        client.get("/sign-in/sso", 422)
        assert time.monotonic() - began < 0.9
        assert len(provider.asked) == 1, "it is left alone for a while"
        assert client.get("/sign-in").page.all("input", name="password")

    def test_a_provider_that_is_away(self, app, client, change_settings):
        change_settings(oidc_issuer="http://localhost:1", oidc_client_id="muster")
        assert "does not answer" in client.get("/sign-in/sso", 422).page.text

    def test_what_it_says_of_itself_is_asked_for_once(self, provider, client):
        for _ in range(3):
            client.get("/sign-in/sso", 302)
        assert len(provider.asked) == 1


class TestCertificates:
    @pytest.fixture
    def secure(self, app, change_settings):
        scripted = ScriptedProvider(tls=True)
        own = {"oidc_issuer": scripted.issuer, "oidc_client_id": "muster"}
        yield lambda **more: change_settings(**own, **more)
        app.extensions.pop("muster_oidc", None)
        scripted.stop()

    def test_one_that_the_system_does_not_vouch_for(self, secure, client):
        secure()
        client.get("/sign-in/sso", 422)
        level, words = doctor.CHECKS["single sign-on"]()
        assert level == "wrong"
        assert "MUSTER_CA_FILE" in words

    def test_one_that_the_file_vouches_for(self, secure, client):
        secure(ca_file=str(CERTIFICATE))
        client.get("/sign-in/sso", 302)


class TestDoctor:
    def about(self):
        return doctor.CHECKS["single sign-on"]()

    def test_it_asks_the_provider(self, provider, change_settings):
        assert self.about()[0] == "ok"
        change_settings(oidc_max_role="Headmaster")
        assert self.about() == (
            "warning",
            "There is no role Headmaster, so the provider gives none: correct MUSTER_OIDC_MAX_ROLE.",
        )

    def test_it_says_what_is_wrong(self, provider):
        provider.metadata = {"issuer": "https://login.evil.example"}
        level, words = self.about()
        assert level == "wrong"
        assert "its issuer is https://login.evil.example" in words
