"""The audit log's page: who reads it, what it tells, how it is found and taken away."""

from __future__ import annotations

import ast
import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from webapp.core.text import audit_phrases
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditEvent
from webapp.services.accounts import sessions
from webapp.services.audit import chain
from webapp.services.audit import events as audit

from tests.factories import PASSWORD, make_batch, make_group, make_invitation, make_persona, make_user, role, token_of

RECORDING = {"record", "record_many", "count_refusal", "record_refusal"}


def record(*args, days=0, **details):
    """One event, committed, so many days ago."""
    event = audit.record(*args, **details)
    event.at -= timedelta(days=days)
    audit.stamp(event)
    db.session.commit()
    return event


def events(action):
    return list(db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)))


def shown(page):
    return [a["id"] for a in page.all("tr") if a.get("id", "").startswith("event-") and not a["id"].endswith("-details")]


@pytest.mark.parametrize("role", ["Owner", "Admin", "Investigator"])
def test_who_may_read_it_finds_it_in_the_sidebar(sign_in, role):
    browser = sign_in(role)
    assert browser.get("/").page.all("a", href="/audit")
    assert browser.get("/audit").page.h1 == "Audit Log"


@pytest.mark.parametrize("role", ["Analyst", "Broadcaster", "Remote"])
def test_nobody_else_does(sign_in, role):
    browser = sign_in(role)
    assert not browser.get("/").page.all("a", href="/audit")
    for path in ("/audit", "/audit/events.csv", "/audit/events.jsonl"):
        browser.get(path, 403)


class TestThePage:
    def test_tells_who_did_what_to_whom_when_and_from_where(self, owner, change_settings):
        hannah = make_user("Hannah Whitcombe")
        before = {"role": "Analyst", "groups": ["Exam Laptops"]}
        after = {"role": "Admin", "groups": ["Student Devices", "Teacher Laptops"]}
        event = record(owner.user, "user.changed", hannah, before=before, after=after)
        page = owner.get("/audit").page
        assert "Changed Hannah Whitcombe : role Analyst to Admin, 2 groups added, 1 group removed" in page.text
        assert "Maren Okafor" in page.text
        (time,) = [a for a in page.all("time") if a["datetime"] == event.at.isoformat()]
        assert time["title"] == f"{event.at.day} {event.at:%B %Y, %H:%M}"
        assert page.all("ins", class_="token")
        assert page.all("del", class_="token")

    def test_names_are_those_of_today_and_the_email_is_that_of_then(self, owner):
        hannah = make_user("Hannah Whitcombe")
        record(hannah, "session.started", hannah)
        hannah.name, hannah.email = "Hannah Wood", "wood@northfield.example"
        db.session.commit()
        text = owner.get("/audit").page.text
        assert "Hannah Wood" in text
        assert "hannah.whitcombe@northfield.example" in text

    def test_links_lead_to_what_is_still_there(self, owner):
        batch = make_batch(owner.user)
        record(owner.user, "batch.uploaded", batch, rows=3)
        invitation = make_invitation("gone@northfield.example")
        record(owner.user, "invitation.created", invitation, batch=batch.id)
        db.session.delete(invitation)
        db.session.commit()
        page = owner.get("/audit").page
        assert len(page.all("a", href=f"/batches/{batch.id}")) == 2
        assert not page.all("a", href="/users?q=gone@northfield.example")

    def test_a_role_leads_to_its_page_for_who_may_change_it(self, owner, sign_in):
        record(owner.user, "role.changed", role("Analyst"), before={"rank": 40}, after={"rank": 50})
        path = f"/roles/{role('Analyst').id}"
        assert owner.get("/audit").page.all("a", href=path)
        owner.get(path)
        assert not sign_in("Investigator").get("/audit").page.all("a", href=path)

    def test_a_day_begins_at_local_midnight(self, owner, change_settings):
        from zoneinfo import ZoneInfo

        change_settings(time_zone=ZoneInfo("Pacific/Kiritimati"))
        at = utcnow().replace(hour=11, minute=0) - timedelta(days=9)
        event = record(owner.user, "setup.done")
        begin_write()
        event.at = at
        audit.stamp(event)
        db.session.commit()
        next_day = (at + timedelta(hours=14)).date()
        assert next_day != at.date()
        assert f"{next_day.day} {next_day:%B %Y}" in owner.get("/audit").page.text
        assert shown(owner.get(f"/audit?from={next_day}&to={next_day}").page) == [f"event-{event.id}"]
        assert not shown(owner.get(f"/audit?from={at.date()}&to={at.date()}").page)

    def test_an_empty_answer_says_why(self, owner):
        page = owner.get("/audit?q=nobody+at+all").page
        assert "No entries match these filters" in page.text
        assert page.all("a", href="/audit")

    def test_50_a_page_newest_first_then_older_ones(self, owner):
        ids = [record(owner.user, "session.ended", owner.user, days=2 - n // 20).id for n in range(60)]
        first = owner.get("/audit?action=session.ended").page
        assert shown(first)[0] == f"event-{ids[-1]}"
        (older,) = [a["href"] for a in first.all("a", class_="link")]
        rest = owner.get(older).page
        assert len(shown(first)) == 50
        assert shown(first) + shown(rest) == [f"event-{id}" for id in reversed(ids)]
        assert not rest.all("a", class_="link")

    def test_what_one_upload_did_to_many_is_folded_but_not_where_one_searches(self, owner):
        batch = make_batch(owner.user)
        for n in range(5):
            record(owner.user, "invitation.created", make_invitation(f"user{n}@northfield.example"), batch=batch.id)
        record(owner.user, "user.changed", make_user("Hannah Whitcombe"), batch=batch.id)
        page = owner.get("/audit").page
        (fold,) = [a["id"] for a in page.all("tr") if a.get("id", "").startswith("run-")]
        run = fold.removeprefix("run-")
        assert len(page.all("tr", data_run=run)) == 12, "six entries with their details"
        assert f"5 invited, 1 user changed by {batch.name}" in page.text
        assert page.all("button", data_unfold=run, aria_expanded="false")
        assert not owner.get("/audit?q=user1").page.all("tr", data_run=run)

    def test_says_how_long_entries_are_kept(self, owner, change_settings):
        assert "Entries are kept for 730 days" in owner.get("/audit").page.text
        change_settings(audit_days=0)
        assert "Entries cannot be edited, and are kept." in owner.get("/audit").page.text

    def test_costs_the_same_with_a_thousand_entries(self, owner, queries):
        people = [make_user(f"Person {n}") for n in range(5)]
        groups = [make_group(f"Group {n}") for n in range(5)]
        for n in range(3):
            record(people[n], "user.changed", people[n + 1], batch=make_batch(owner.user).id)
            record(people[n], "group.created", groups[n])

        def cost():
            queries.clear()
            owner.get("/audit")
            return len(queries)

        few = cost()
        for person in people:
            audit.record_many(person, "invitation.created", [(p.id, p.email) for p in people] * 20)
            for group in groups * 20:
                audit.record(person, "group.created", group)
        for n in range(3):
            record(people[n], "group.created", groups[n])
            record(people[n], "user.changed", people[n + 1], batch=make_batch(owner.user).id)
        assert db.session.scalar(db.select(db.func.count(AuditEvent.id))) > 1_000
        assert cost() == few, queries
        assert few <= 13, queries


class TestFinding:
    @pytest.fixture(autouse=True)
    def _events(self, owner):
        self.owner = owner
        self.hannah, self.devika = make_user("Hannah Whitcombe"), make_persona("Admin")
        begin_write()
        with audit.unlock():
            db.session.execute(db.delete(AuditEvent))
        db.session.commit()
        group = make_group("Exam Laptops")
        self.made = {
            "group": record(self.devika, "group.created", group, days=10),
            "user": record(owner.user, "user.changed", self.hannah, before={}, after={"groups": ["Büro"]}, days=2),
            "sign-in": record(self.hannah, "session.started", self.hannah),
            "failed": record(None, "message.failed", "ines@x.org", reason="550", days=40),
        }
        audit.count_refusal("session.refused", None, "ines@x.org", "198.51.100.7")
        self.made["refused"] = events("session.refused")[0]

    def test_a_refusal_has_its_sign(self):
        assert len(self.owner.get("/audit?action=refusals").page.all("svg", class_="i refusal")) == 1
        assert not self.owner.get("/audit?action=people").page.all("svg", class_="i refusal")

    def test_the_address_carries_the_filter(self):
        names = {f"event-{event.id}": name for name, event in self.made.items()}
        everything = set(self.made)
        wanted = {
            "": everything,
            "action=people": {"user"},
            "action=groups": {"group"},
            "action=sign-ins": {"sign-in", "refused"},
            "action=invitations": {"failed"},
            "action=refusals": {"refused"},
            "action=user.changed": {"user"},
            "action=no.such": set(),
            "by=muster": {"failed"},
            "days=7": {"user", "sign-in", "refused"},
            "days=30": {"group", "user", "sign-in", "refused"},
            "q=whitcombe": {"user", "sign-in"},
            "q=HANNAH": {"user", "sign-in"},
            "q=devika": {"group"},
            "q=exam+lap": {"group"},
            "q=ines@x.org": {"failed", "refused"},
            "q=198.51.100": {"refused"},
            "q=Büro": {"user"},
            "q=550&days=7": set(),
            "q=100%25": set(),
            "from=2000-13-45&to=x&days=-1&by=x&about=x-y&before=0&action=": everything,
            "days=99999999&about=users-99999999999&by=99999999999": everything,
        }
        found = {query: {names[id] for id in shown(self.owner.get(f"/audit?{query}").page)} for query in wanted}
        assert found == wanted

    def test_by_who_did_it_and_by_whom_it_is_about(self):
        assert shown(self.owner.get(f"/audit?by={self.devika.id}").page) == [f"event-{self.made['group'].id}"]
        page = self.owner.get(f"/audit?about=users-{self.hannah.id}").page
        assert set(shown(page)) == {f"event-{self.made[name].id}" for name in ("user", "sign-in")}
        assert "Only entries about one person." in page.text
        assert page.values("about") == [f"users-{self.hannah.id}"]

    def test_between_two_days(self):
        day = self.made["group"].at.date()
        page = self.owner.get(f"/audit?days=between&from={day}&to={day}").page
        assert shown(page) == [f"event-{self.made['group'].id}"]
        assert page.values("from") == page.values("to") == [str(day)]
        assert not shown(self.owner.get(f"/audit?from={day + timedelta(days=1)}&to={day}").page)

    def test_the_filter_stays_in_the_form_and_in_the_links(self):
        page = self.owner.get("/audit?q=whitcombe&action=people&days=7").page
        assert page.values("q") == ["whitcombe"]
        chosen = [a["value"] for a in page.all("option") if "selected" in a]
        assert chosen == ["people", "7"]
        assert page.all("a", href="/audit/events.csv?q=whitcombe&action=people&days=7")


class TestExporting:
    def test_as_csv_all_that_the_filter_finds_with_formulas_escaped(self, owner):
        group = make_group("Exam Laptops")
        for n in range(120):
            record(owner.user, "group.created", group, after={"n": n})
        record(None, "message.failed", "=1+1@x.org", reason="+cmd")
        answer = owner.get("/audit/events.csv?action=groups")
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert f"audit-log-{utcnow():%Y-%m-%d}.csv" in answer.headers["Content-Disposition"]
        lines = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert len(lines) == 120
        assert lines[0]["What happened"] == "Created the group Exam Laptops"
        assert (lines[0]["Done by"], lines[0]["Email"]) == ("Maren Okafor", owner.user.email)
        assert json.loads(lines[0]["Details"]) == {"after": {"n": 119}}
        (failed,) = csv.DictReader(io.StringIO(owner.get("/audit/events.csv?action=invitations").data.decode("utf-8-sig")))
        assert failed["About"] == "'=1+1@x.org"

    def test_as_json_lines_with_what_the_chain_needs(self, owner):
        event = record(owner.user, "group.created", make_group("Büro"))
        chain.seal()
        db.session.refresh(event)
        (line,) = [json.loads(each) for each in owner.get("/audit/events.jsonl?action=groups").text.splitlines()]
        assert (line["subject_type"], line["subject_id"], line["about"]) == ("groups", event.subject_id, "Büro")
        assert (line["actor_id"], line["email"], line["done_by"]) == (owner.user.id, owner.user.email, "Maren Okafor")
        assert (line["seal"], line["link"]) == (event.seq, event.link)

    def test_goes_beyond_a_chunk(self, owner, monkeypatch):
        from webapp.services.audit import browse

        monkeypatch.setattr(browse, "CHUNK", 7)
        for n in range(20):
            record(owner.user, "setup.done", n=n)
        lines = [json.loads(each) for each in owner.get("/audit/events.jsonl?action=settings").text.splitlines()]
        assert len({line["id"] for line in lines}) == 20
        assert [line["id"] for line in lines] == sorted((line["id"] for line in lines), reverse=True)

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_is_itself_audited(self, sign_in, form):
        investigator = sign_in("Investigator")
        record(investigator.user, "setup.done")
        investigator.get(f"/audit/events.{form}?action=settings&q=")
        (event,) = events("audit.exported")
        assert (event.actor, event.address) == (investigator.user.email, investigator.peer)
        assert event.details == {"form": form, "filter": {"action": "settings"}}
        assert "Exported the audit log" in investigator.get("/audit").page.text

    def test_an_empty_log_is_a_header(self, owner):
        assert owner.get("/audit/events.csv?q=nothing+like+it").data.decode("utf-8-sig").count("\r\n") == 1


class TestRefusalsAreRecorded:
    """Each with who, what and from where, counted within the hour."""

    def refusals(self, action):
        return [(e.actor, e.subject, e.address, e.count) for e in events(action)]

    @pytest.mark.slow
    def test_a_limit_at_the_sign_in(self, client, owner):
        for _ in range(12):
            client.post("/sign-in", {"email": "Ines@x.org", "password": "wrong"}, status=None)
        assert self.refusals("session.refused") == [("", "ines@x.org", client.peer, 10)]
        assert self.refusals("limit.refused") == [("", "sign-in as ines@x.org", client.peer, 2)]

    def test_a_limit_of_resending(self, admin):
        path = f"/invitations/{make_invitation().id}/messages"
        for _ in range(6):
            admin.post(path, status=None)
        (refusal,) = self.refusals("limit.refused")
        assert refusal[:3] == (admin.user.email, f"POST {path}", admin.peer)

    def test_a_link_to_a_role_above_ones_own(self, admin):
        path = f"/invitations/{make_invitation(role_name='Owner').id}/link"
        admin.post(path, status=404)
        assert self.refusals("rank.refused") == [(admin.user.email, f"POST {path}", admin.peer, 1)]

    def test_an_invitation_to_a_role_above_ones_own(self, sign_in):
        admin = sign_in("Admin")
        admin.user.role.rank = 55
        db.session.commit()
        form = {"email": "ines@northfield.example", "role": "Investigator"}
        page = admin.post("/invitations", form, status=422).page
        assert "Investigator" in page.text
        assert self.refusals("rank.refused") == [(admin.user.email, "POST /invitations", admin.peer, 1)]
        assert events("invitation.created") == []

    def test_a_password_that_is_somebody_elses(self, sign_in, client):
        from webapp.core.errors import RuleViolationError

        owner = make_persona("Owner")
        with pytest.raises(RuleViolationError):
            sessions.check_own_password(owner, "wrong")
        assert self.refusals("password.refused") == [(owner.email, "(own password)", "", 1)]


class TestCommandsAreRecorded:
    def test_options_of_an_upload_before_and_after(self, admin):
        batch = make_batch(admin.user, 1)
        admin.patch(f"/batches/{batch.id}", {"mode": "add"}, htmx=True)
        (event,) = events("batch.changed")
        assert event.details == {"before": {"mode": "replace"}, "after": {"mode": "add"}}
        admin.patch(f"/batches/{batch.id}", {"mode": "add"}, htmx=True)
        assert len(events("batch.changed")) == 1

    def test_an_expired_invitation_that_a_fresh_one_replaces(self, admin):
        old = make_invitation("ines@northfield.example", expires_in=timedelta(days=-1))
        admin.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
        (event,) = events("invitation.closed")
        assert (event.subject_type, event.subject_id, event.subject) == ("invitations", old.id, "ines@northfield.example")

    def test_resending_with_the_expiry_before_and_after(self, admin):
        invitation = make_invitation(expires_in=timedelta(hours=1))
        admin.post(f"/invitations/{invitation.id}/messages")
        (event,) = events("invitation.sent_again")
        assert event.details["before"]["expires"] < event.details["after"]["expires"]


def test_no_token_link_or_password_is_ever_in_the_log(client, owner):
    """The whole way of a person: nothing that opens a door is recorded, whatever is typed where."""
    secrets = [PASSWORD, "wrong horse", "another secret of mine"]
    client.post("/sign-in", {"email": owner.user.email, "password": "wrong horse"}, status=422)
    client.post("/sign-in", {"email": "another secret of mine", "password": "wrong horse"}, status=422)
    owner.post("/invitations", {"email": "ines@northfield.example", "role": "Remote"})
    from webapp.models import Invitation

    invitation = db.session.scalars(db.select(Invitation)).one()
    secrets.append(token := token_of(invitation))
    owner.post(f"/invitations/{invitation.id}/link", status=200)
    owner.post(f"/invitations/{invitation.id}/messages")
    client.post(f"/invitations/{token}", {"name": "Inês", "password": "correct horse battery 2"})
    client.get("/audit", 403)
    client.get(f"/users?q={token}", 403)
    client.post("/sign-out")
    found = db.session.scalars(db.select(AuditEvent)).all()
    assert {"session.refused", "invitation.link_copied", "invitation.accepted", "access.refused"} <= {e.action for e in found}
    text = " ".join(f"{e.subject} {e.actor} {e.details}" for e in found)
    page = owner.get("/audit/events.jsonl").text + owner.get("/audit").text
    for secret in secrets:
        assert secret not in text
        assert secret not in page
    assert "horse" not in text


def test_every_event_that_is_recorded_has_a_sentence_and_every_sentence_an_event():
    recorded, said = set(), set()
    for file in Path(audit.__file__).parents[2].rglob("*.py"):
        if file.name == "audit_phrases.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.add(node.value)
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in RECORDING:
                recorded |= {each.value for each in node.args[:2] if isinstance(each, ast.Constant) and each.value}
    assert recorded > {"session.started", "session.refused", "link.refused", "invitation.revoked"}
    assert recorded <= set(audit_phrases.SENTENCES)
    assert set(audit_phrases.SENTENCES) <= said


def test_a_refused_reset_is_found_among_refusals_and_people(owner):
    audit.count_refusal("password_reset.refused", None, "nobody@x.org", "192.0.2.7")
    for action in ("refusals", "people"):
        assert "Password reset for nobody@x.org refused" in owner.get(f"/audit?action={action}").page.text
