"""Account Settings: the way to everything, and what is set on pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from webapp.core.plan.planner import Mode
from webapp.db import db, utcnow
from webapp.jobs import outbox as jobs
from webapp.models import AuditEvent, Invitation, MailCircuit, Message, MessageKind, MessageState, Organisation
from webapp.services.operations import change_settings, heartbeats
from webapp.services.settings import in_force
from webapp.settings.pages import SECTIONS
from webapp.version import version

from tests.client import Client
from tests.factories import PASSWORD, make_factor, make_group, make_invitation, token_of
from tests.smtp_sink import Sink
from tests.steps import rows_of, stage, upload


def save(client: Client, section: str, status: int = 303, **typed: str) -> Any:
    """As the page sends it: what it showed, except what is typed."""
    page = client.get(f"/settings/{section}").page
    names = [*SECTIONS[section].names, *(f"{name}-unit" for name in SECTIONS[section].names)]
    form = {name: value for name in names for value in page.values(name) + page.chosen(name)}
    seen = {f"seen-{name}": page.values(f"seen-{name}")[0] for name in SECTIONS[section].names if page.values(f"seen-{name}")}
    return client.post(f"/settings/{section}", {**form, **seen, **typed}, status)


def events() -> list[AuditEvent]:
    db.session.rollback()
    return list(
        db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "organisation.changed").order_by(AuditEvent.id))
    )


@pytest.mark.any_database
class TestIndex:
    def test_it_leads_to_role_management_and_device_groups(self, owner):
        make_group("Exam Laptops")
        make_invitation()
        make_invitation("late@northfield.example", expires_in=timedelta(days=-1))
        page = owner.get("/settings").page
        assert page.h1 == "Account Settings"
        for address in ("/users", "/groups", "/roles", "/aliases", "/audit", *(f"/settings/{name}" for name in SECTIONS)):
            assert page.all("a", href=address, class_="cover"), address
        assert "1 user, 1 invited, 1 expired" in page.text
        assert "1 group " in page.text

    def test_the_owner_sees_how_the_installation_is_doing_and_no_secret(self, owner, change_settings):
        change_settings(
            mail_url="smtp://postman:open-sesame@mail.northfield.example:587", redis_url="redis://:quiet@queue.northfield.example"
        )
        heartbeats.beat("one")
        answer = owner.get("/settings")
        text = answer.page.text
        for told in (
            f"Version {version()}",
            "Send queue Empty",
            "Workers 1",
            "Mail server mail.northfield.example",
            "Database size",
        ):
            assert told in text
        assert "Queue server That of MUSTER_REDIS_URL" in text
        for secret in ("open-sesame", "quiet", "postman", owner.app.secret_key):
            assert secret not in answer.text

    def test_the_owner_sees_where_secrets_come_from(self, owner, change_settings):
        change_settings(given=frozenset())
        assert "secrets" not in owner.get("/settings").page.text
        given = frozenset({"MAIL_URL", "METRICS_TOKEN", "PORT"})
        change_settings(mail_url="smtp://:open-sesame@mail", given=given, files={"MAIL_URL": Path("/run/secrets/mail_url")})
        answer = owner.get("/settings")
        assert (
            "Where its secrets come from: MUSTER_MAIL_URL: /run/secrets/mail_url MUSTER_METRICS_TOKEN: environment"
            in answer.page.text
        )
        assert "open-sesame" not in answer.text

    def test_it_is_healthy_or_not(self, owner, queue, change_settings):
        assert "Needs attention" in owner.get("/settings").page.text
        heartbeats.beat("one")
        assert "Without email" in owner.get("/settings").page.text
        change_settings(mail_url="smtp://mail.northfield.example")
        assert "Healthy" in owner.get("/settings").page.text
        db.session.get_one(MailCircuit, 1).paused_at = utcnow()
        db.session.commit()
        assert "Held up since" in owner.get("/settings").page.text

    def test_others_see_their_own_part_only(self, sign_in):
        remote = sign_in("Remote").get("/settings").page
        assert "Jun-ho Park" in remote.text
        admin = sign_in("Admin").get("/settings").page
        assert "Role Management" in admin.text
        assert admin.all("a", href="/aliases", class_="cover")
        for page in (remote, admin):
            assert "This installation" not in page.text
            assert not page.all("a", href="/settings/general")
        assert "Role Management" not in remote.text
        sign_in("Admin").get("/settings/general", 403)
        sign_in("Admin").post("/settings/general", {"NAME": "Mine"}, 403)


class TestSaving:
    def test_is_audited_with_before_and_after(self, owner, change_settings):
        change_settings(given=frozenset())
        answer = save(owner, "general", NAME="  Northfield   Academy ", TIME_ZONE="Europe/Berlin")
        assert answer.location == "/settings/general"
        page = owner.get("/settings/general").page
        assert page.values("NAME") == ["Northfield Academy"]
        assert "Saved." in page.text
        (event,) = events()
        assert event.details == {
            "before": {"name": "", "time_zone": "UTC"},
            "after": {"name": "Northfield Academy", "time_zone": "Europe/Berlin"},
        }
        assert event.actor_id == owner.user.id
        assert (
            "Changed settings: “Organisation” Northfield Academy, “Time zone” UTC to Europe/Berlin"
            in owner.get("/audit").page.text
        )

    def test_what_is_there_already_is_no_change(self, owner):
        save(owner, "uploads")
        assert "Nothing was changed." in owner.get("/settings/uploads").page.text
        assert not events()

    def test_blank_is_the_default_again(self, owner):
        save(owner, "uploads", MAX_ROWS="7", ALLOWED_DOMAINS="Northfield.example, exämple.org")
        assert db.session.get_one(Organisation, 1).settings == {
            "MAX_ROWS": "7",
            "ALLOWED_DOMAINS": "northfield.example, xn--exmple-cua.org",
        }
        save(owner, "uploads", MAX_ROWS="", ALLOWED_DOMAINS=" ")
        assert db.session.get_one(Organisation, 1).settings == {}
        assert in_force.settings().max_rows == 100

    def test_every_wrong_value_is_told_under_its_field_and_nothing_is_lost(self, owner):
        answer = save(owner, "uploads", 422, MAX_ROWS="many", ALLOWED_DOMAINS="not a domain", UPLOAD_MODE="add")
        assert "Type a whole number from 1 to 50000." in answer.page.text
        assert "Type domains, such as example.org, intranet.local." in answer.page.text
        assert answer.page.values("MAX_ROWS") == ["many"]
        assert answer.page.all("input", id="MAX_ROWS", aria_invalid="true", autofocus="")
        assert not answer.page.all("select", id="UPLOAD_MODE", aria_invalid="true")
        assert in_force.settings().upload_mode is Mode.REPLACE
        assert not events()

    @pytest.mark.parametrize(
        "address",
        ["http://intranet.example.org", "intranet.example.org", "https://", "https://a@b.example", "https://a b"],
    )
    def test_the_link_on_the_first_page_is_an_https_address(self, owner, address):
        page = save(owner, "general", 422, CONTINUE_URL=address).page
        assert "Type an https address, such as https://intranet.example.org." in page.text
        assert page.values("CONTINUE_URL") == [address]

    def test_the_link_on_the_first_page_leads_invited_people_on(self, owner, sign_in):
        link = {"CONTINUE_URL": "https://intranet.example.org:8443/start?a=b#c", "CONTINUE_NAME": "Hillcrest Intranet"}
        save(owner, "general", NAME="Hillcrest", **link)
        page = sign_in("Remote").get("/").page
        assert page.all("a", href="https://intranet.example.org:8443/start?a=b#c", class_="btn primary")
        assert "Continue to Hillcrest Intranet" in page.text

    def test_the_name_is_not_left_out_nor_long(self, owner):
        assert "Type your organisation’s name." in save(owner, "general", 422, NAME="").page.text
        assert "Type your organisation’s name." in save(owner, "general", 422, NAME=" ").page.text
        assert "Use at most 120 characters." in save(owner, "general", 422, NAME="x" * 121).page.text

    def test_a_length_of_time_is_shown_in_its_largest_unit(self, owner):
        save(owner, "sign-in", **{"SESSION_IDLE": "90", "SESSION_IDLE-unit": "m", "SESSION_MAX": "48", "SESSION_MAX-unit": "h"})
        page = owner.get("/settings/sign-in").page
        assert (page.values("SESSION_IDLE"), page.chosen("SESSION_IDLE-unit")) == (["90"], ["m"])
        assert (page.values("SESSION_MAX"), page.chosen("SESSION_MAX-unit")) == (["2"], ["d"])
        assert in_force.settings().session_max == timedelta(days=2)
        assert not page.all("option", value="s"), "nobody counts in seconds"

    def test_a_length_of_time_that_is_no_number_stays_as_typed(self, owner):
        page = save(owner, "sign-in", 422, **{"SESSION_IDLE": "soon", "SESSION_IDLE-unit": "d"}).page
        assert "Type a length of time" in page.text
        assert (page.values("SESSION_IDLE"), page.chosen("SESSION_IDLE-unit")) == (["soon"], ["h"])

    def test_the_time_zone_is_chosen_from_a_list(self, owner, change_settings):
        change_settings(given=frozenset())
        page = owner.get("/settings/general").page
        assert page.chosen("TIME_ZONE") == ["UTC"]
        assert page.all("option", value="Europe/Berlin")
        assert not page.all("option", value="Etc/GMT+5")
        save(owner, "general", NAME="N", TIME_ZONE="America/New_York")
        assert "America/New York" in owner.get("/settings/general").page.text

    def test_the_environment_wins_and_the_page_shows_it_read_only(self, owner, change_settings):
        save(owner, "uploads", MAX_ROWS="7")
        change_settings(max_rows=30, given=frozenset({"MAX_ROWS"}))
        page = owner.get("/settings/uploads").page
        assert page.all("input", id="MAX_ROWS", value="30", readonly="")
        assert not page.values("MAX_ROWS")
        assert "Set by MUSTER_MAX_ROWS in the environment" in page.text
        owner.post("/settings/uploads", {"MAX_ROWS": "9", "seen-MAX_ROWS": "30"})
        assert in_force.settings().max_rows == 30
        assert not events()[1:]

    def test_there_are_no_other_pages(self, owner):
        owner.get("/settings/secrets", 404)
        owner.post("/settings/secrets", {"SECRET_KEY": "x" * 40}, 404)
        owner.post("/settings/general", {"MAX_ROWS": "9", "SECRET_KEY": "x" * 40})
        assert db.session.get_one(Organisation, 1).settings == {}


class TestTwoAtOnce:
    def test_the_later_one_wins_and_the_log_has_both(self, owner):
        opened = {"MAX_ROWS": "200", "seen-MAX_ROWS": "100", "ALLOWED_DOMAINS": "", "seen-ALLOWED_DOMAINS": ""}
        save(owner, "uploads", MAX_ROWS="300", ALLOWED_DOMAINS="a.example")
        owner.post("/settings/uploads", opened)
        assert (in_force.settings().max_rows, in_force.settings().allowed_domains) == (200, ("a.example",))
        assert [event.details["after"]["max_rows"] for event in events()] == ["300", "200"]

    def test_different_fields_do_not_get_in_each_others_way(self, owner):
        save(owner, "uploads", MAX_ROWS="300")
        owner.post("/settings/uploads", {"UPLOAD_MODE": "add", "seen-UPLOAD_MODE": "replace"})
        assert (in_force.settings().max_rows, in_force.settings().upload_mode) == (300, Mode.ADD)

    def test_of_many_saves_at_once_the_last_one_wins_and_all_are_in_the_log(self, app, owner):
        start = threading.Barrier(6)

        def one(n: int) -> None:
            with app.app_context():
                start.wait()
                change_settings.save({"MAX_ROWS": str(n)}, by=db.session.merge(owner.user, load=False))

        threads = [threading.Thread(target=one, args=(n,)) for n in range(201, 207)]
        [each.start() for each in threads]
        [each.join() for each in threads]
        saved = [event.details["after"]["max_rows"] for event in events()]
        assert sorted(saved) == ["201", "202", "203", "204", "205", "206"]
        assert saved[-1] == str(in_force.settings().max_rows)


class TestTakesEffect:
    """Each setting, by what people notice of it."""

    def test_row_limit(self, owner):
        save(owner, "uploads", MAX_ROWS="1")
        file = "Email,Role,Groups\na@northfield.example,Analyst,\nb@northfield.example,Analyst,\n"
        assert "The limit is 1 per file." in upload(owner, file, status=422).page.text

    def test_allowed_domains(self, owner):
        batch = stage(owner, "Email,Role,Groups\nines@elsewhere.example,Analyst,\n")
        save(owner, "uploads", ALLOWED_DOMAINS="northfield.example")
        owner.get(f"/batches/{batch.id}")  # opened again, its rows are judged again
        assert "domain_not_allowed" in str(rows_of(batch)[0].issues)
        answer = owner.post("/invitations", {"email": "x@elsewhere.example", "role": "Analyst"}, None)
        assert db.session.scalar(db.select(db.func.count(Invitation.id))) == 0, answer.page.text

    def test_default_mode_and_days_of_an_upload(self, owner):
        save(owner, "uploads", UPLOAD_MODE="add")
        save(owner, "email", INVITE_DAYS="30")
        batch = stage(owner, "Email,Role,Groups\nines@northfield.example,Analyst,\n")
        assert (batch.mode, batch.valid_days) == (Mode.ADD, 30)

    def test_time_zone(self, owner, change_settings):
        change_settings(given=frozenset())
        save(owner, "general", NAME="N", TIME_ZONE="Asia/Kathmandu")
        make_invitation()
        local = utcnow().astimezone(in_force.settings().time_zone)
        assert str(local.utcoffset()) == "5:45:00"
        assert f"{local:%Y}, {local:%H}:" in owner.get("/audit").text

    def test_words_and_subject_of_invitations_and_the_sender(self, owner, change_settings):
        save(
            owner, "email", MAIL_FROM="Front office <office@northfield.example>", INVITE_SUBJECT="Your account at Northfield",
            INVITE_MESSAGE="Read the <b>handbook</b>.\nIt is short.",
        )  # fmt: skip
        with Sink() as sink:
            change_settings(mail_url=sink.url)
            owner.post("/invitations", {"email": "ines@northfield.example", "role": "Analyst"})
            jobs.send()
            (received,) = sink.messages
        mail, text = received.mime, received.text
        assert received.sender == "office@northfield.example"
        assert mail["From"] == "Front office <office@northfield.example>"
        assert mail["Subject"] == "Your account at Northfield"
        assert "Read the <b>handbook</b>.\nIt is short." in text
        assert token_of(db.session.scalars(db.select(Invitation)).one()) in text
        assert "Read the &lt;b&gt;handbook&lt;/b&gt;.<br>" in mail.get_body(("html",)).get_content()

    def test_two_step_sign_in(self, owner, sign_in):
        admin = sign_in("Admin")
        save(owner, "sign-in", REQUIRE_TOTP="everyone")
        assert admin.get("/", 303).location != "/"

    @pytest.mark.slow
    def test_limits_of_sessions(self, owner, sign_in):
        admin = sign_in("Admin")
        save(owner, "sign-in", SESSION_IDLE="1s", SESSION_MAX="1d")
        threading.Event().wait(1.1)
        assert admin.get("/", 303).location.startswith("/sign-in")

    def test_retention(self, owner):
        save(owner, "data", RETENTION_DAYS="30", AUDIT_DAYS="0", password=PASSWORD)
        assert (in_force.settings().retention_days, in_force.settings().audit_days) == (30, 0)
        assert "Uploads kept 30 days, audit log for good" in owner.get("/settings").page.text

    @pytest.mark.slow
    def test_what_protects_less_costs_the_password(self, owner):
        save(owner, "sign-in", REQUIRE_TOTP="managers")
        make_factor(owner.user)
        for section, typed in (
            ("sign-in", {"REQUIRE_TOTP": "off"}),
            ("data", {"AUDIT_DAYS": "60"}),
            ("data", {"RETENTION_DAYS": "30"}),
        ):
            asked = save(owner, section, 422, **typed).page
            assert "Type your password" in asked.text
            assert asked.all("input", name="password", type="password")
            assert (
                "This is not your password. Nothing was changed."
                in save(owner, section, 422, **typed, password="wrong wrong wrong").page.text
            )
        assert (in_force.settings().require_totp, in_force.settings().audit_days) == ("managers", 730)
        save(owner, "sign-in", REQUIRE_TOTP="off", password=PASSWORD)
        save(owner, "data", AUDIT_DAYS="60", password=PASSWORD)
        assert (in_force.settings().require_totp, in_force.settings().audit_days) == ("off", 60)
        save(owner, "data", RETENTION_DAYS="30", password=PASSWORD)
        save(owner, "data", AUDIT_DAYS="90", RETENTION_DAYS="90")
        save(owner, "data", AUDIT_DAYS="0", RETENTION_DAYS="0")
        save(owner, "data", 422, AUDIT_DAYS="36500")
        few = save(owner, "data", 422, AUDIT_DAYS="29", password=PASSWORD).page.text
        assert "Type 0, or a whole number from 30 to 36500." in few


@pytest.fixture
def sink(change_settings: Callable[..., Any]) -> Iterator[Sink]:
    with Sink() as server:
        change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
        yield server


@pytest.mark.any_database
class TestTestMessage:
    def test_saves_what_is_typed_and_tells_what_the_server_answered(self, owner, sink):
        form = {"INVITE_SUBJECT": "Come in", "seen-INVITE_SUBJECT": ""}
        assert owner.post("/settings/email/tests", form).location == "/settings/email"
        page = owner.get("/settings/email").page
        assert "Test on its way to maren.okafor@northfield.example." in page.text
        assert "Queued" in page.text
        assert "Subject: Come in" in page.text
        jobs.send()
        (mail,) = sink.messages
        assert (mail.mime["To"], mail.mime["Subject"]) == ("maren.okafor@northfield.example", "Test: Come in")
        page = owner.get("/settings/email").page
        message = db.session.scalars(db.select(Message)).one()
        assert (message.kind, message.state) == (MessageKind.TEST, MessageState.SENT)
        assert f"The mail server said: {message.result_text}" in page.text
        assert page.all("a", href=f"/messages/{message.id}")
        assert "Come in" in owner.get(f"/messages/{message.id}").page.text

    def test_without_a_mail_server_no_server_is_said_to_have_spoken(self, owner):
        owner.post("/settings/email/tests", {})
        jobs.send()
        text = owner.get("/settings/email").page.text
        assert "Written as a file" in text
        assert "Nothing was sent: no mail server is set." in text
        assert "The mail server said" not in text

    def test_a_wrong_value_sends_nothing(self, owner):
        page = owner.post("/settings/email/tests", {"MAIL_FROM": "nobody", "seen-MAIL_FROM": "x"}, 422).page
        assert "Type an address" in page.text or "Somebody set this" in page.text
        assert not db.session.scalar(db.select(Message.id))

    def test_the_preview_is_a_document_of_its_own(self, owner):
        assert "Accept invitation" in owner.get("/settings/email/letter").text


class TestRememberedWords:
    def test_are_seen_and_forgotten(self, admin, queries):
        group = make_group("Student Devices")
        admin.post(f"/groups/{group.id}/names", {"word": "Pupils"}, None)
        page = admin.get("/aliases").page
        assert "Pupils means Student Devices" in page.text
        (form,) = [each for each in page.all("form") if "/removal" in each.get("action", "")]
        assert admin.post(form["action"]).location == "/aliases"
        assert "“Pupils” means nothing to files any more." in admin.get("/aliases").page.text

    def test_columns_too(self, admin, sign_in):
        from webapp.models import HeaderMapping

        db.session.add(HeaderMapping(key="k" * 64, columns={"0": "email", "1": "role"}, names={"Email": "Mail", "Role": "Job"}))
        db.session.commit()
        page = admin.get("/aliases").page
        assert "“Mail” holds Email, “Job” holds Role" in page.text
        (form,) = [each for each in page.all("form") if "/columns/" in each.get("action", "")]
        admin.post(form["action"], {})
        assert "Forgotten." in admin.get("/aliases").page.text
        admin.post(form["action"], {}, 404)
        event = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "columns.forgotten")).one()
        assert event.details["columns"] == {"Email": "Mail", "Role": "Job"}
        sign_in("Analyst").get("/aliases", 403)
