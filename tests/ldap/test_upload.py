"""The organisation's directory as an upload."""

from __future__ import annotations

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch

from tests.directory_server import BASE, DirectoryServer
from tests.factories import make_group
from tests.steps import newest_batch, rows_of

pytestmark = [pytest.mark.ldap, pytest.mark.slow]

FORM = {"directory": "yes", "role": "Analyst", "group": ""}


def cells(batch: Batch) -> list[tuple[str, str, str, str]]:
    return [(row.email, row.name, row.role, row.groups) for row in rows_of(batch)]


def test_everybody_with_an_address_becomes_a_row(admin, directory, known_groups):
    page = admin.get("/batches?invite=bulk").page
    assert "From the directory localhost" in page.text
    answer = admin.post("/batches", FORM, 303)
    batch = newest_batch()
    assert answer.headers["Location"].endswith(f"/batches/{batch.id}")
    assert batch.file_name == "localhost.csv"
    assert cells(batch) == [
        ("ana@northfield.example", "Ana Souza", "Analyst", "Student Devices"),
        ("Ben@Northfield.example", "=Ben", "Analyst", "Student Devices"),
        ("chloe@northfield.example", "", "Analyst", ""),
    ]
    assert {row.plan for row in rows_of(batch)} == {Plan.INVITE}


def test_names_of_groups_are_read_with_their_commas_and_letters(admin, use_directory):
    use_directory()
    make_group("Year 1")
    admin.post("/batches", FORM | {"group": "schüler,  gäste"}, 303)
    assert cells(newest_batch()) == [("ana@northfield.example", "Ana Souza", "Analyst", "")]
    admin.post("/batches", FORM | {"group": "year 1"}, 303)
    assert cells(newest_batch()) == [("chloe@northfield.example", "", "Analyst", "Year 1")]


@pytest.mark.parametrize("scheme", ["ldap", "ldap+starttls"])
def test_without_tls_here_and_with_starttls(admin, use_directory, directory_server, scheme):
    use_directory(ldap_url=f"{scheme}://localhost:{directory_server.port}")
    admin.post("/batches", FORM, 303)
    assert len(rows_of(newest_batch())) == 3


def test_a_long_list_is_offered_in_parts(admin, use_directory):
    use_directory(max_rows=2)
    page = admin.post("/batches", FORM | {"group": " "}, 422).page
    assert "This file has 3 users. The limit is 2 per file." in page.text
    [button] = page.all("button", name="split")
    assert button["form"] == "directory-form"
    admin.post("/batches", FORM | {"split": "yes"}, 303)
    assert [each.parts for each in db.session.scalars(db.select(Batch))] == [2, 2]


def test_more_people_than_an_answer_holds(admin, change_settings, use_directory):
    people = {f"u{n}": {"mail": f"u{n}@northfield.example"} for n in range(620)}
    for most, status in (("unlimited", 303), ("550", 422)):
        server = DirectoryServer(people, {}, most)
        try:
            use_directory(ldap_url=f"ldaps://localhost:{server.tls_port}", max_rows=1000)
            answer = admin.post("/batches", FORM, status)
        finally:
            server.stop()
    assert len(rows_of(newest_batch())) == 620
    assert "it gives only a part of its people" in answer.page.text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ca_file": ""}, "its certificate is not trusted; name its authority in MUSTER_CA_FILE"),
        ({"ldap_bind_password": "wrong"}, "refuses MUSTER_LDAP_BIND_DN"),
        ({"ldap_base": "dc=elsewhere"}, "noSuchObject"),
        ({"ldap_filter": "(objectClass=device)"}, "The directory has nobody with an email."),
        ({"ldap_url": "ldaps://localhost:1"}, "Connection refused"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_typed_is_lost(admin, use_directory, wrong, said):
    use_directory(**wrong)
    page = admin.post("/batches", FORM, 422).page
    assert said in page.text
    assert "reading-only" not in page.text
    assert any("selected" in each for each in page.all("option", value="Analyst"))
    assert db.session.scalars(db.select(Batch)).all() == []


def test_a_group_that_is_not_there(admin, directory):
    page = admin.post("/batches", FORM | {"group": "Year 9)(mail=*"}, 422).page
    assert "The directory has nobody with an email in “Year 9)(mail=*”." in page.text
    assert page.all("input", name="group")[0]["value"] == "Year 9)(mail=*"


def test_a_role_that_is_not_theirs_to_give_needs_attention(admin, directory):
    admin.post("/batches", FORM | {"role": "Owner"}, 303)
    assert {row.plan for row in rows_of(newest_batch())} == {Plan.ATTENTION}


def test_who_may_not_invite_may_not_read_the_directory(sign_in, directory):
    sign_in("Analyst").post("/batches", FORM, 403)


def test_the_doctor_asks_it(app, use_directory):
    from webapp.services.operations.doctor import CHECKS

    use_directory()
    assert CHECKS["directory"]() == ("ok", "It answers.")
    use_directory(ldap_base=f"ou=none,{BASE}")
    assert CHECKS["directory"]()[0] == "wrong"
