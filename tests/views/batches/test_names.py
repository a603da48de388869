"""Names of people: read from a file, edited in the review, stored with invitations; what a name never does."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from webapp.db import db
from webapp.models import Batch, Invitation, User

from tests.factories import make_invitation, make_user
from tests.steps import (
    carry_out,
    edit,
    match_columns,
    rows_of,
    stage,
)

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = (
    "Email,Name,Role,Groups\n"
    "ana@northfield.example,Ana Silva,Analyst,Student Devices\n"
    "ben@northfield.example,,Remote,\n"
    "cy@northfield.example,Cy Bar,Analsyt,Teacher Laptops\n"
)


def names(batch: Batch) -> list[str]:
    return [row.name for row in rows_of(batch)]


def invitation_of(email: str) -> Invitation:
    found = db.select(Invitation).where(Invitation.email == email).order_by(Invitation.id.desc()).limit(1)
    return db.session.scalars(found.execution_options(populate_existing=True)).one()


def paste(client: Any, batch: Batch, *cells: tuple[int, str, str], lines: Any = ()) -> Any:
    by_line = {row.line: row for row in rows_of(batch)}
    block = {
        "cells": [
            {"row_id": by_line[line].id, "field": field, "value": value, "seen": by_line[line].cell(field)}
            for line, field, value in cells
        ],
        "lines": list(lines),
    }
    return client.post(f"/batches/{batch.id}/blocks", {"block": json.dumps(block)}, status=200, htmx=True)


class TestRead:
    @pytest.mark.parametrize(
        ("file", "name"),
        [
            ("Name,Email,Role\nAna Silva,ana@x.org,Analyst\n", "Ana Silva"),
            ("Full name,Email,Role\n  Ana   Silva ,ana@x.org,Analyst\n", "Ana   Silva"),
            ("First name,Last name,Email,Role\nAna,Silva,ana@x.org,Analyst\n", "Ana Silva"),
            ("Surname,Given name,Email,Role\nSilva,Ana,ana@x.org,Analyst\n", "Ana Silva"),
            ("Name;Vorname;E-Mail;Rolle\nSilva;Ana;ana@x.org;Analyst\n", "Ana Silva"),
            ("Nombre;Apellidos;Correo;Rol\nAna;Silva;ana@x.org;Analyst\n", "Ana Silva"),
            ("Last,First,Display name,Email,Role\nSilva,Ana,Ana S.,ana@x.org,Analyst\n", "Ana S."),
            ("First name,Last name,Email,Role\n,Silva,ana@x.org,Analyst\n", "Silva"),
            ("Email,Role\nAna Silva <ana@x.org>,Analyst\n", "Ana Silva"),
            ('Email,Role\n"""Silva, Ana"" <ana@x.org>",Analyst\n', "Silva, Ana"),
            ("Email,Name,Role\nOther <ana@x.org>,Ana Silva,Analyst\n", "Ana Silva"),
            ("Email,Name,Role\nAna Silva <ana@x.org>,,Analyst\n", "Ana Silva"),
        ],
    )
    def test_from_its_column_or_columns_or_beside_the_address(self, admin, file, name):
        batch = stage(admin, file)
        [row] = rows_of(batch)
        assert (row.email, row.name, row.plan) == ("ana@x.org", name, "invite")
        assert batch.has_names

    def test_joined_columns_are_told(self, admin):
        batch = stage(admin, "First name,Last name,Email,Role\nAna,Silva,ana@x.org,Analyst\n")
        assert "columns “First name” and “Last name” joined as names" in admin.get(f"/batches/{batch.id}").page.text

    def test_a_person_may_say_which_column_it_is(self, admin):
        batch = stage(admin, "Who,Contact,Access\nAna Silva,ana@x.org,Analyst\n")
        page = match_columns(admin, batch, "name", "email", "role").location
        assert names(batch) == ["Ana Silva"]
        assert "Ana Silva" in admin.get(page).text

    def test_without_one_there_is_no_column_for_it(self, admin):
        page = admin.get(f"/batches/{stage(admin).id}").page
        assert [th for th in page.all("th") if th.get("class") == "c-name"] == []

    def test_it_is_data_and_no_markup(self, admin):
        batch = stage(admin, "Email,Name,Role\nana@x.org,<b onclick=x>Ana & “O'Neil”</b>,Analyst\n")
        text = admin.get(f"/batches/{batch.id}").text
        assert "<b onclick" not in text
        assert "&lt;b onclick=x&gt;Ana &amp; “O&#39;Neil”&lt;/b&gt;" in text


class TestJudged:
    def test_one_that_is_too_long_holds_back_its_row(self, admin):
        batch = stage(admin, f"Email,Name,Role\nana@x.org,{'x' * 200},Analyst\nben@x.org,{'x' * 201},Analyst\n")
        ana, ben = rows_of(batch)
        assert (ana.plan, ben.plan) == ("invite", "attention")
        assert ben.problem == "Over 200 characters."
        assert batch.counts["problem:name"] == 1
        page = admin.get(f"/batches/{batch.id}?plan=attention&problem=name").page
        assert "ben@x.org" in [a.get("value") for a in page.all("input")]

    def test_a_line_break_is_offered_as_a_space(self, admin):
        batch = stage(admin, 'Email,Name,Role\nana@x.org,"Ana\nSilva",Analyst\n')
        [row] = rows_of(batch)
        assert row.problem == "Has a line break."
        edit(admin, batch, 2, "name", row.issues[0]["suggestion"])
        [row] = rows_of(batch)
        assert (row.name, row.plan) == ("Ana Silva", "invite")

    def test_tidy_up_puts_names_on_one_line(self, admin):
        batch = stage(admin, 'Email,Name,Role\nana@x.org,"Ana\nSilva",Analyst\nben@x.org,"Ben\r\n Doe",Analyst\n')
        panel = admin.get(f"/batches/{batch.id}/tidy-up").page
        assert panel.text.count("on one line") == 2
        ids = [a["value"] for a in panel.all("input", type="checkbox", name="ids")]
        admin.post(f"/batches/{batch.id}/tidy-up", {"version": batch.version, "ids": ids})
        assert names(batch) == ["Ana Silva", "Ben Doe"]

    @pytest.mark.parametrize("name", ["", "-", "n/a", "12", "Ana@Silva", "=SUM(A1)", "李小龍", "x" * 200])
    def test_nothing_else_is_wrong_with_a_name(self, admin, name):
        [row] = rows_of(stage(admin, f'Email,Name,Role\nana@x.org,"{name}",Analyst\n'))
        assert row.plan == "invite"

    def test_people_of_one_address_are_the_same_whatever_their_name(self, admin):
        batch = stage(admin, "Email,Name,Role\nana@x.org,Ana Silva,Analyst\nana@x.org,A. Silva,Analyst\n")
        assert [row.plan for row in rows_of(batch)] == ["invite", "duplicate"]


class TestEdited:
    def test_as_any_cell_with_undo_and_redo(self, admin):
        batch = stage(admin, FILE)
        answer = edit(admin, batch, 3, "name", " Ben Doe ")
        assert "Ben Doe" in answer.text
        assert names(batch)[1] == "Ben Doe"
        assert admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True).page.text.count("Undone: changed Name in row 3")
        assert names(batch)[1] == ""
        admin.post(f"/batches/{batch.id}/redos", status=200, htmx=True)
        assert names(batch)[1] == "Ben Doe"

    def test_by_paste_with_new_rows(self, admin):
        batch = stage(admin, FILE)
        paste(admin, batch, (2, "name", "Ana S."), (3, "name", "Ben"))
        assert names(batch) == ["Ana S.", "Ben", "Cy Bar"]
        line = {"email": "dee@northfield.example", "name": "Dee", "role": "Remote", "groups": ""}
        admin.post(f"/batches/{batch.id}/blocks/rows", {"block": json.dumps({"lines": [line]})}, status=200, htmx=True)
        assert names(batch)[-1] == "Dee"

    def test_by_find_and_replace(self, admin):
        batch = stage(admin, FILE)
        asked = {"field": "name", "find": "bar", "by": "Baker"}
        admin.post(f"/batches/{batch.id}/replacements", asked, status=200, htmx=True)
        assert names(batch) == ["Ana Silva", "", "Cy Baker"]

    def test_it_is_found_and_sorted_by(self, admin):
        batch = stage(admin, FILE)
        page = admin.get(f"/batches/{batch.id}?q=ana+silva").page
        shown = [a["value"] for a in page.all("input", class_="cell") if a["id"].endswith("-email")]
        assert shown == ["ana@northfield.example"]
        page = admin.get(f"/batches/{batch.id}?sort=-name").page
        shown = [a["value"] for a in page.all("input", class_="cell") if a["id"].endswith("-name")]
        assert shown == ["Cy Bar", "Ana Silva", ""]

    def test_another_file_in_its_place_keeps_edits_of_rows_that_read_the_same(self, admin):
        batch = stage(admin, FILE)
        edit(admin, batch, 2, "name", "Ana S.")
        stage_in_place = FILE.replace("Cy Bar", "Cy Baker")
        data = {"file": (io.BytesIO(stage_in_place.encode()), "staff.csv")}
        admin.post(f"/batches/{batch.id}/file", data, content_type="multipart/form-data")
        assert names(batch) == ["Ana S.", "", "Cy Baker"]

    def test_merging_keeps_the_first_name_there_is(self, admin):
        batch = stage(
            admin,
            "Email,Name,Role,Groups\nana@x.org,,Analyst,Student Devices\nana@x.org,Ana Silva,Analyst,Teacher Laptops\n",
        )
        first = rows_of(batch)[0]
        admin.post(f"/batches/{batch.id}/rows/{first.id}/merger", status=200, htmx=True)
        assert names(batch)[0] == "Ana Silva"


class TestStored:
    def test_with_the_invitation_of_a_new_person(self, admin):
        carry_out(admin, stage(admin, FILE.replace("Analsyt", "Analyst")))
        assert invitation_of("ana@northfield.example").name == "Ana Silva"
        assert invitation_of("ben@northfield.example").name == ""

    def test_also_one_typed_beside_the_address(self, admin):
        batch = stage(admin)
        edit(admin, batch, 2, "email", "Ana Silva <ana@northfield.example>")
        carry_out(admin, batch)
        assert invitation_of("ana@northfield.example").name == "Ana Silva"

    def test_it_makes_no_update_by_itself(self, admin):
        make_invitation("ana@northfield.example", name="Ana")
        analyst = make_user()
        batch = stage(admin, f"Email,Name,Role\nana@northfield.example,Ana Silva,Analyst\n{analyst.email},Other Name,Analyst\n")
        assert {row.plan for row in rows_of(batch)} == {"unchanged"}

    def test_it_comes_along_with_an_update_of_an_invitation_and_a_blank_one_changes_nothing(self, admin):
        make_invitation("ana@northfield.example", name="Ana")
        text = "Email,Name,Role\nana@northfield.example,{},{}\n"
        carry_out(admin, stage(admin, text.format("", "Remote")))
        assert invitation_of("ana@northfield.example").name == "Ana"
        carry_out(admin, stage(admin, text.format("Ana Silva", "Analyst")))
        assert invitation_of("ana@northfield.example").name == "Ana Silva"

    def test_users_keep_their_own(self, admin):
        analyst = make_user()
        carry_out(admin, stage(admin, f"Email,Name,Role,Groups\n{analyst.email},Other Name,Analyst,Student Devices\n"))
        assert db.session.get_one(User, analyst.id).name == "Amelia Hart"
