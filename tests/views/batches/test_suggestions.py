"""What the review suggests, through HTTP: what is safe, and nothing else; and groups that are created from a file."""

from __future__ import annotations

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch, Group

from tests.factories import make_group
from tests.steps import rows_of, stage

FORTY = [f"Klasse {year}{letter}" for year in range(1, 21) for letter in "ab"]


def suggestions(page) -> list[str]:
    """The values of all buttons that put a cell right."""
    return [button["value"] for button in page.all("button", class_="suggest")]


def tidy_up(client, batch):
    return client.get(f"/batches/{batch.id}/tidy-up").page


def file_of(groups) -> str:
    return "Email,Role,Groups\n" + "".join(f'u{n}@x.org,Analyst,"{name}"\n' for n, name in enumerate(groups))


def test_numbered_groups_are_never_offered_for_each_other(admin):
    for name in ("Year 7", "Room 101", "6A", "10-12"):
        make_group(name)
    batch = stage(
        admin, file_of(["Year 8", "Year 8", "Year 17", "Year 17", "Room 102", "Room 102", "6B", "6B", "10-13", "10-13"])
    )
    page = admin.get(f"/batches/{batch.id}").page
    assert not suggestions(page)
    assert "5 groups that do not exist" in tidy_up(admin, batch).text
    assert "Spelling" not in tidy_up(admin, batch).text


def test_no_group_of_a_cell_is_dropped(admin):
    make_group("Library")
    make_group("Café")
    batch = stage(
        admin,
        file_of(["Library、Café", "Library；Café", "Library，Café", "Library · Café", "Library and Café", "Library、Nowhere"]),
    )
    assert suggestions(admin.get(f"/batches/{batch.id}").page) == ["Library, Café"] * 5


def test_a_space_between_two_names_is_no_separator_and_a_tab_is_one(admin):
    make_group("Library")
    make_group("Café")
    batch = stage(admin, file_of(["Library\tCafé", "Library Café"]))
    page = admin.get(f"/batches/{batch.id}").page
    assert [row.plan for row in rows_of(batch)] == [Plan.INVITE, Plan.ATTENTION]
    assert not suggestions(page)
    assert "1 group that does not exist" in tidy_up(admin, batch).text


def test_all_groups_beside_a_name_suggests_nothing_wider(admin):
    make_group("Library")
    batch = stage(admin, file_of(["All groups, Library", "All groups, Library"]))
    page = admin.get(f"/batches/{batch.id}").page
    assert not suggestions(page)
    assert "Tidy up" not in page.text


def test_no_address_is_made_of_a_placeholder(admin):
    words = ["n/a", "-", "none", "TBC", "Total", "Email", "---", "Languages", "to.be.confirmed", "grand.total", "not.yet"]
    batch = stage(admin, "Email,Role\n" + "".join(f"{word},Analyst\n" for word in words) + "erin.bar,Analyst\n")
    assert suggestions(admin.get(f"/batches/{batch.id}").page) == ["erin.bar@northfield.example"]


def test_a_fix_of_a_domain_leaves_placeholders_alone(admin):
    batch = stage(admin, "Email,Role\nana@northfield,Analyst\nben@northfield,Analyst\nnone@northfield,Analyst\n")
    ids = tidy_up(admin, batch).values("ids")
    admin.post(f"/batches/{batch.id}/tidy-up", {"ids": ids}, status=200, htmx=True)
    assert [row.email for row in rows_of(batch)] == ["ana@northfield.example", "ben@northfield.example", "none@northfield"]


class TestLookAlikes:
    FILE = 'Email,Role\nana@nоrthfield.example,Admin\nben@northfield.example,Admin\n"Ćiro <сiro@northfield.example>",Analyst\n'

    def test_are_noted_on_the_cell_with_the_latin_form(self, admin):
        batch = stage(admin, self.FILE)
        page = admin.get(f"/batches/{batch.id}").page
        assert "Has letters that only look Latin." in page.text
        assert suggestions(page) == ["ana@northfield.example", "ciro@northfield.example"]
        assert [row.plan for row in rows_of(batch)] == [Plan.INVITE] * 3
        assert "Look-alike letters 2" in page.text
        assert "1–2 of 2" in admin.get(f"/batches/{batch.id}?mark=lookalike").page.text

    def test_are_told_before_anything_is_sent_and_who_becomes_an_admin(self, admin):
        batch = stage(admin, self.FILE)
        text = admin.get(f"/batches/{batch.id}/confirmation").page.text
        assert "Letters that only look Latin in 2 addresses" in text
        assert "Row 2: ana@nоrthfield.example" in text
        assert text.count("who becomes Admin") == 1, text
        foot = admin.get(f"/batches/{batch.id}").page.text
        assert "ana@nоrthfield.example becomes Admin." in foot.replace(" .", ".")

    def test_are_gone_once_the_cell_is_put_right(self, admin):
        batch = stage(admin, self.FILE)
        row = rows_of(batch)[0]
        form = {"field": "email", "value": "ana@northfield.example", "seen": row.email}
        assert "looks like" not in admin.patch(f"/batches/{batch.id}/rows/{row.id}", form, htmx=True).page.text
        assert db.session.get(Batch, batch.id).counts["lookalike"] == 1


class TestCreateGroups:
    @pytest.fixture
    def batch(self, admin) -> Batch:
        make_group("Library")
        return stage(admin, file_of([*FORTY, "Libary", "=Bad"]))

    def offered(self, client, batch) -> list[str]:
        labels = [select["aria-label"] for select in tidy_up(client, batch).all("select")]
        return [label.removeprefix("What ").removesuffix(" becomes") for label in labels if label.endswith(" becomes")]

    def test_the_first_of_forty_makes_no_misspellings_of_the_others(self, admin, batch):
        admin.post(f"/batches/{batch.id}/groups", {"name": FORTY[0]})
        assert suggestions(admin.get(f"/batches/{batch.id}").page) == ["Library"]
        assert self.offered(admin, batch) == FORTY[1:]

    def test_lists_them_as_people_sort_without_what_is_misspelt_or_no_name(self, admin, batch):
        assert self.offered(admin, batch) == FORTY
        assert "Create all 40" in tidy_up(admin, batch).text

    def test_leaves_out_roles_and_words_for_none_and_all(self, admin):
        batch = stage(admin, file_of(["Klasse 7", "Klasse 8", "none", "N/A", "keine", "All", "alle", "TBD", "Analyst"]))
        assert self.offered(admin, batch) == ["Klasse 7", "Klasse 8"]
        page = admin.get(f"/batches/{batch.id}").page
        assert page.all("button", aria_label="Create group “none”, row 4"), "one by one it can be made all the same"

    def test_all_or_none(self, admin, batch):
        admin.post(f"/batches/{batch.id}/groups", {"name": ["Klasse 1a", "Library"]}, status=422)
        admin.post(f"/batches/{batch.id}/groups", {}, status=422)
        assert not db.session.scalars(db.select(Group).where(Group.name.startswith("Klasse"))).all()
