"""The name that an invitation came with: where it is shown, found and offered, and that it goes with its person."""

from __future__ import annotations

import csv
import io
import re

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Invitation, User

from tests.factories import make_invitation, make_user, token_of
from tests.steps import carry_out, stage

INES = "ines@northfield.example"
NAME = "Inês Carvalho"


@pytest.fixture
def ines(app) -> Invitation:
    return make_invitation(INES, name=NAME)


def shown(client, query: str) -> list[str]:
    return [b.strip() for b in re.findall(r'<b><a href="[^"]*">(.*?)</a></b>', client.get(f"/users?{query}").text)]


class TestPeople:
    @pytest.mark.parametrize("words", ["inês", "carvalho in", "CARVALHO", "ines@north"])
    def test_are_found_by_it(self, admin, ines, words):
        make_invitation("other@northfield.example")
        assert shown(admin, f"q={words}") == [NAME]

    def test_are_listed_and_sorted_by_it(self, admin, ines):
        make_invitation("hugo@northfield.example")
        make_user("Zoe Lind")
        make_user("Ida Lind")
        assert [name for name in shown(admin, "sort=name") if "Devika" not in name and "Maren" not in name] == [
            "hugo@northfield.example", "Ida Lind", NAME, "Zoe Lind"
        ]  # fmt: skip
        page = admin.get("/users").page
        assert INES in page.text
        assert "IC" in page.text

    def test_their_page_says_it_with_the_address(self, admin, ines):
        page = admin.get(f"/invitations/{ines.id}/details").page
        assert NAME in page.text
        assert f"{INES}, not joined yet" in page.text


class TestJoining:
    def test_the_form_offers_it_and_the_person_decides(self, client, ines):
        path = f"/invitations/{token_of(ines)}"
        (field,) = client.get(path).page.all("input", id="name")
        assert field["value"] == NAME
        client.post(path, {"name": "Inês C.", "password": "four words of no meaning"})
        assert db.session.scalars(db.select(User.name).where(User.email == INES)).one() == "Inês C."

    def test_a_password_is_made_of_neither_name(self, client, ines):
        path = f"/invitations/{token_of(ines)}"
        for password in ("Carvalho12345", "Montgomery123"):
            answer = client.post(path, {"name": "Ana Montgomery", "password": password}, 422)
            assert "Not your name or email" in answer.page.text

    def test_a_name_of_200_characters_can_be_taken_as_it_is(self, client):
        invitation = make_invitation(INES, name="Ana " + "x" * 196)
        client.post(f"/invitations/{token_of(invitation)}", {"name": invitation.name, "password": "four words of no meaning"})


class TestSlips:
    def test_have_the_name_above_the_address(self, admin, ines):
        text = admin.post("/link-sheets", {"form": "slips", "all": "yes"}, 200).text
        assert f"<b>{NAME}</b>" in text
        assert f"<p>{INES}</p>" in text

    def test_in_the_file_a_formula_is_escaped(self, admin):
        make_invitation(INES, name="=HYPERLINK(A1)")
        data = admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200).data.decode("utf-8-sig")
        header, line = csv.reader(io.StringIO(data))
        assert dict(zip(header, line, strict=True))["Name"] == "'=HYPERLINK(A1)"


class TestDownloads:
    FILE = "Email,Name,Role\nana@northfield.example,=cmd|' /C calc'!A0,Analyst\nben@northfield.example,+Ben,Analyst\n"

    @pytest.mark.parametrize("what", ["rows", "report"])
    def test_have_a_column_for_it_and_escape_formulas(self, admin, what):
        batch = stage(admin, self.FILE)
        if what == "report":
            carry_out(admin, batch)
        data = admin.get(f"/batches/{batch.id}/{what}.csv").data.decode("utf-8-sig")
        names = [line["Name"] for line in csv.DictReader(io.StringIO(data))]
        assert names == ["'=cmd|' /C calc'!A0", "'+Ben"]

    def test_the_list_of_people_has_it_escaped(self, admin):
        make_invitation(INES, name="@SUM(A1)")
        assert '"ines@northfield.example","\'@SUM(A1)"' in admin.get("/users/export.csv").text


class TestSingleInvite:
    def test_takes_it_or_leaves_it_out(self, admin):
        admin.post("/invitations", {"email": "a@northfield.example", "name": "  Ana   Silva ", "role": "Analyst"})
        admin.post("/invitations", {"email": "b@northfield.example", "role": "Analyst"})
        admin.post("/invitations", {"email": "Cy Bar <c@northfield.example>", "role": "Analyst"})
        made = db.session.scalars(db.select(Invitation.name).order_by(Invitation.email)).all()
        assert made == ["Ana Silva", "", "Cy Bar"]

    def test_says_when_it_is_too_long_and_keeps_what_was_typed(self, admin):
        answer = admin.post("/invitations", {"email": INES, "name": "x" * 201, "role": "Analyst"}, 422)
        assert "Over 200 characters." in answer.page.text
        assert answer.page.all("input", id="invite-name")[0]["value"] == "x" * 201

    def test_another_address_in_its_place_keeps_the_name(self, admin, ines):
        admin.post(f"/invitations/{ines.id}/email", {"email": "i.carvalho@northfield.example"})
        made = db.session.scalars(db.select(Invitation).order_by(Invitation.id.desc()).limit(1)).one()
        assert (made.email, made.name) == ("i.carvalho@northfield.example", NAME)


class TestAudit:
    def test_tells_it_when_somebody_is_invited_and_when_it_changes(self, admin, known_groups):
        text = "Email,Name,Role\nana@northfield.example,{},{}\n"
        carry_out(admin, stage(admin, text.format("Ana", "Analyst")))
        carry_out(admin, stage(admin, text.format("Ana Silva", "Remote")))
        found = db.select(AuditEvent).where(AuditEvent.action.in_(["invitation.created", "invitation.changed"]))
        created, changed = db.session.scalars(found.order_by(AuditEvent.id))
        assert created.details["after"]["name"] == "Ana"
        assert changed.details["before"]["name"] == "Ana"
        assert changed.details["after"]["name"] == "Ana Silva"
        text = admin.get("/audit").page.text
        assert "Invited ana@northfield.example : name Ana, role Analyst" in text
        assert "Changed the invitation of ana@northfield.example : role Analyst to Remote, name Ana to Ana Silva" in text
