"""Link sheets: who is on one, the file, the slips, and that handing links over is noted."""

from __future__ import annotations

import base64
import csv
import io
from datetime import timedelta
from urllib.parse import unquote

import pytest
from webapp.db import db, utcnow
from webapp.models import AuditEvent, BatchState, Invitation, InvitationState
from webapp.services.people import link_sheets

from tests.factories import make_group, make_invitation, make_persona, make_user, token_of
from tests.mail_fixtures import make_sending_batch

INES, JONAS = "ines@northfield.example", "jonas@northfield.example"


@pytest.fixture
def invited(admin) -> list[Invitation]:
    make_user("Amelia Hart")
    make_invitation("gone@northfield.example", state=InvitationState.REVOKED)
    make_invitation("late@northfield.example", expires_in=timedelta(days=-1))
    above = make_invitation("above@northfield.example")
    above.role = make_persona("Owner").role
    db.session.commit()
    return [make_invitation(INES, groups=("Exam Laptops",), expires_in=None), make_invitation(JONAS)]


def lines(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def events():
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "invitation.link_on_sheet")).all()


class TestBeforeTheHandOver:
    def test_says_how_many_and_who_is_left_out_and_hands_nothing_over(self, admin, invited):
        page = admin.get("/link-sheets/new").page
        assert "2 open invitations" in page.text
        assert "Left out: 1 expired invitation, to be resent first; 1 invitation to a role that you may not give." in page.text
        db.session.expire_all()
        assert invited[0].expires_at is None
        assert not events()

    def test_of_a_filter(self, admin, invited):
        page = admin.get("/link-sheets/new?q=ines").page
        assert "1 open invitation" in page.text
        assert page.all("form", action="/link-sheets?q=ines")

    def test_of_picked_people(self, admin, invited):
        page = admin.post("/link-sheets/new", {"people": f"invitation-{invited[0].id},user-1"}, 200).page
        assert "1 open invitation" in page.text
        assert page.values("people") == [f"invitation-{invited[0].id},user-1"]

    def test_nobody(self, admin):
        assert "No open invitation here" in admin.get("/link-sheets/new").page.text
        admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 409)

    def test_too_many_are_refused_with_what_to_do(self, admin, invited, monkeypatch):
        monkeypatch.setattr(link_sheets, "MOST", 1)
        assert "A sheet holds at most 1 person" in admin.get("/link-sheets/new").page.text
        assert "Narrow the filter" in admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 422).page.text

    def test_is_offered_in_the_list_and_on_a_report(self, admin, invited):
        assert admin.get("/users?status=invited").page.all("a", href="/link-sheets/new?status=invited")
        batch = make_sending_batch("a@northfield.example", by=admin.user, state=BatchState.FINISHED)
        assert admin.get(f"/batches/{batch.id}").page.all("a", href=f"/link-sheets/new?upload={batch.id}")
        assert not admin.get("/users?status=active").page.all("a", href="/link-sheets/new?status=active")


class TestTheFile:
    def test_holds_each_with_role_groups_and_link(self, admin, invited, settings):
        answer = admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200)
        assert "link-sheet-" in answer.headers["Content-Disposition"]
        header, *rows = lines(answer)
        assert header == ["Email", "Name", "Role", "Groups", "Link", "Works until"]
        link = f"{settings.public_url}/invitations/{token_of(invited[0])}"
        assert rows[0][:5] == [INES, "", "Analyst", "Exam Laptops", link]
        assert [row[0] for row in rows] == [INES, JONAS]

    def test_formulas_are_escaped(self, admin):
        make_invitation("+plus@northfield.example")
        assert lines(admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200))[1][0] == "'+plus@northfield.example"

    def test_starts_the_time_of_those_never_handed_over_and_of_no_others(self, admin, invited):
        before = invited[1].expires_at
        admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200)
        db.session.expire_all()
        assert timedelta(days=6) < invited[0].expires_at - utcnow() <= timedelta(days=7)
        assert invited[1].expires_at == before

    def test_each_hand_over_is_audited_with_before_and_after(self, admin, invited):
        admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200)
        told = {event.subject: event.details for event in events()}
        assert set(told) == {INES, JONAS}
        assert told[INES]["before"] == {"expires": None}
        assert told[INES]["after"]["expires"]
        assert all(event.stamp and event.actor_id == admin.user.id for event in events())
        assert "invitations/" not in str(told)

    def test_a_fixed_number_of_statements(self, admin, queries):
        def made(n: int) -> int:
            for i in range(n):
                make_invitation(f"p{i}-of-{n}@northfield.example", groups=("Exam Laptops",), expires_in=None)
            queries.clear()
            assert len(lines(admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200))) > n
            return len(queries)

        make_group("Exam Laptops")
        few = made(2)
        assert made(30) == few, queries

    def test_after_the_servers_key_was_changed_the_links_are_good(self, admin, client, invited, change_settings):
        change_settings(secret_key="k" * 40)
        link = lines(admin.post("/link-sheets", {"form": "csv", "all": "yes"}, 200))[1][4]
        assert "Choose" in client.get("/invitations/" + link.rpartition("/")[2]).page.text


class TestTheSlips:
    def test_one_for_each_with_its_code(self, admin, invited):
        page = admin.post("/link-sheets", {"form": "slips", "all": "yes"}, 200).page
        assert page.h1.strip() == "2 slips"
        codes = [image for image in page.all("img") if image["alt"].startswith("QR code")]
        assert [code["alt"] for code in codes] == [f"QR code of the link for {email}" for email in (INES, JONAS)]
        assert all("<svg" in unquote(code["src"]) or "<svg" in _decoded(code["src"]) for code in codes)
        assert token_of(invited[0]) in page.text
        assert len(events()) == 2

    def test_of_an_upload(self, admin, invited):
        batch = make_sending_batch("a@northfield.example", "b@northfield.example", by=admin.user)
        assert "2 open invitations" in admin.get(f"/link-sheets/new?upload={batch.id}").page.text
        page = admin.post(f"/link-sheets?upload={batch.id}", {"form": "slips", "all": "yes"}, 200).page
        assert page.h1.strip() == "2 slips"
        assert len(events()) == 2

    def test_who_may_not_see_links_makes_none(self, sign_in, invited):
        analyst = sign_in("Analyst")
        analyst.get("/link-sheets/new", 403)
        analyst.post("/link-sheets", {"form": "csv", "all": "yes"}, 403)
        assert not [a for a in analyst.get("/users").page.all("a") if "link-sheets" in a["href"]]


def _decoded(address: str) -> str:
    return base64.b64decode(address.partition(",")[2] + "==").decode("utf-8", "replace")
