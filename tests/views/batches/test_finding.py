"""Finding rows of an upload: filters, search and order, all in the address."""

from __future__ import annotations

import pytest
from webapp.core.lists.row_filter import Find
from webapp.db import db
from webapp.models import Batch
from webapp.services.batches import row_search
from webapp.services.directory import groups

from tests.factories import make_group, make_user
from tests.steps import rows_of, stage

FILE = (
    "Email,Role,Groups\n"
    "zoe@northfield.example,Remote,Student Devices\n"  # 2, invite
    "Ana@northfield.example,Analsyt,Techer Laptops\n"  # 3, role and groups
    "mona@northfield,Analyst,\n"  # 4, email
    "bea@northfield.example,Admin,Teacher Laptops\n"  # 5, invite, becomes an administrator
    "ÖZIL@northfield.example,Analyst,All groups\n"  # 6, widens
    "zoe@northfield.example,Remote,Student Devices\n"  # 7, duplicate
    "kim@northfield.example,Analyst,Student Devices\n"  # 8, exists already
)


@pytest.fixture(autouse=True)
def directory(app):
    make_group("Student Devices")
    make_group("Teacher Laptops")


@pytest.fixture
def batch(admin) -> Batch:
    make_user("Kim Holm", email="kim@northfield.example", groups=("Student Devices",))
    return stage(admin, FILE)


def lines(client, batch, query: str) -> list[int]:
    page = client.get(f"/batches/{batch.id}?{query}").page
    of = {f"row-{row.id}": row.line for row in rows_of(batch)}
    return [of[tr["id"]] for tr in page.all("tr") if "id" in tr]


QUERIES = {
    "": [2, 3, 4, 5, 6, 7, 8],
    "plan=attention": [3, 4],
    "problem=role": [3],
    "problem=email": [4],
    "plan=attention&problem=groups": [3],
    "plan=invite&problem=role": [],
    "mark=admin": [5],
    "mark=everything": [6],
    "mark=wide": [5, 6],
    "plan=invite&mark=wide": [5, 6],
    "q=zoe": [2, 7],
    "q=ZOE&plan=duplicate": [7],
    "q=özil": [6],
    "q=techer": [3],
    "q=+teacher++laptops+": [5],
    "q=%25": [],
    "q=_": [],
    "q=nobody": [],
    "sort=-line": [8, 7, 6, 5, 4, 3, 2],
    "sort=email": [3, 5, 8, 4, 2, 7, 6],
    "sort=-email&q=zoe": [2, 7],
    "sort=role": [5, 3, 4, 6, 8, 2, 7],
    "sort=plan": [3, 4, 7, 2, 5, 6, 8],
    "sort=-plan": [8, 2, 5, 6, 7, 3, 4],
    "plan=nonsense&problem=x&mark=y&sort=z&page=0&page=-1": [2, 3, 4, 5, 6, 7, 8],
    "page=99": [2, 3, 4, 5, 6, 7, 8],
}
"""What an address asks for, and the lines that are shown for it."""


def test_the_address_decides_what_is_shown(admin, batch):
    assert {query: lines(admin, batch, query) for query in QUERIES} == QUERIES


def test_so_it_does_while_the_directory_has_moved_and_the_plans_are_made_on_the_fly(admin, batch):
    groups.add_groups(["Exam Laptops"], admin.user)
    assert {query: lines(admin, batch, query) for query in QUERIES} == QUERIES


def test_counts_by_column_are_links_that_carry_the_rest(admin, batch):
    page = admin.get(f"/batches/{batch.id}?q=ana&sort=-email").page
    (role,) = page.all("a", id="problem-role")
    assert role["href"] == f"/batches/{batch.id}?plan=attention&problem=role&q=ana&sort=-email"
    (admins,) = page.all("a", id="mark-admin")
    assert admins["href"] == f"/batches/{batch.id}?mark=admin&q=ana&sort=-email"
    assert "Role 1" in page.text
    assert "New Admins 1" in page.text
    assert "All groups 1" in page.text
    (chosen,) = admin.get(role["href"]).page.all("a", id="problem-role")
    assert chosen["aria-current"] == "true"
    assert chosen["href"] == f"/batches/{batch.id}?q=ana&sort=-email"


def test_what_is_not_there_is_not_offered(admin):
    batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,\n")
    page = admin.get(f"/batches/{batch.id}").page
    assert not [a for a in page.all("a") if a.get("id", "").startswith(("problem-", "mark-"))]


def test_the_counts_of_the_plans_keep_the_search_and_the_order(admin, batch):
    page = admin.get(f"/batches/{batch.id}?q=ana&sort=email&plan=attention&problem=role").page
    stats = [a["href"] for a in page.all("a") if a["href"].endswith("plan=invite&q=ana&sort=email")]
    assert stats == [f"/batches/{batch.id}?plan=invite&q=ana&sort=email"]


def test_how_many_were_found_is_said(admin, batch):
    assert "2 of 7 rows" in admin.get(f"/batches/{batch.id}?q=zoe").page.text
    assert "of 7 rows" not in admin.get(f"/batches/{batch.id}").page.text


def test_a_search_without_a_match_says_so_and_offers_a_way_out(admin, batch):
    page = admin.get(f"/batches/{batch.id}?q=<b>nobody&sort=email").page
    assert "No row has “<b>nobody”" in page.text
    assert page.all("a", href=f"/batches/{batch.id}?sort=email")


def test_order_is_told_to_screen_readers_and_turns_at_the_second_click(admin, batch):
    page = admin.get(f"/batches/{batch.id}?sort=email").page
    (sorted_by,) = [th for th in page.all("th") if "aria-sort" in th]
    assert (sorted_by["class"], sorted_by["aria-sort"]) == ("c-email", "ascending")
    (again,) = page.all("a", id="sort-email")
    assert again["href"] == f"/batches/{batch.id}?sort=-email"
    (role,) = page.all("a", id="sort-role")
    assert role["href"] == f"/batches/{batch.id}?sort=role"


def test_the_search_asks_for_the_rows_only(admin, batch):
    answer = admin.get(f"/batches/{batch.id}?q=zoe", htmx=True)
    assert not answer.page.whole
    assert "2 of 7 rows" in answer.page.text
    assert f"/batches/{batch.id}/rows.csv?q=zoe" in answer.text


def test_an_edit_answers_with_links_that_keep_what_the_page_is_filtered_by(admin, batch):
    row = rows_of(batch)[1]
    here = {"HX-Current-URL": f"http://localhost/batches/{batch.id}?plan=attention&q=ana&sort=-email"}
    edit = {"field": "role", "value": "Analyst", "seen": "Analsyt"}
    answer = admin.patch(f"/batches/{batch.id}/rows/{row.id}", edit, htmx=True, headers=here)
    assert f'href="/batches/{batch.id}?plan=attention&amp;q=ana&amp;sort=-email"' in answer.text
    assert "problem-role" not in answer.text, "its count has gone"
    assert [a for a in answer.page.all("a", aria_current="true") if "plan=attention" in a["href"]]


def test_options_are_changed_without_losing_the_filter(admin, batch):
    here = {"HX-Current-URL": f"http://localhost/batches/{batch.id}?q=zoe"}
    answer = admin.patch(f"/batches/{batch.id}", {"mode": "add"}, htmx=True, headers=here)
    assert "2 of 7 rows" in answer.page.text


def test_the_pager_carries_it_all(admin, change_settings):
    change_settings(max_rows=1000)
    people = "".join(f"u{n:03}@northfield.example,Analyst,\n" for n in range(150))
    batch = stage(admin, "Email,Role,Groups\n" + people)
    page = admin.get(f"/batches/{batch.id}?q=northfield&sort=-email").page
    assert "1–100 of 150" in page.text
    (next_page,) = page.all("a", rel="next")
    assert next_page["href"] == f"/batches/{batch.id}?q=northfield&sort=-email&page=2"
    second = admin.get(next_page["href"]).page
    assert second.values("value")[0] == "u049@northfield.example"


def test_the_number_of_queries_does_not_grow_with_the_rows(admin, queries, change_settings):
    change_settings(max_rows=1000)
    counted = []
    for n in (3, 90):
        people = "".join(f"u{i}@northfield.example,{'Admin' if i % 3 else 'Analyst'},\n" for i in range(n))
        batch = stage(admin, "Email,Role,Groups\n" + people + "broken,Analyst,\n")
        counts = {}
        for query in ("", "plan=invite", "problem=email", "mark=admin", "q=u1", "sort=plan&q=u1", "plan=invite&mark=wide"):
            queries.clear()
            admin.get(f"/batches/{batch.id}?{query}")
            counts[query] = len(queries)
        counted.append(counts)
    assert counted[0] == counted[1]


def test_a_row_that_is_blocked_grants_nothing(admin, batch):
    """Two rows that contradict each other make nobody an Admin until one of them goes."""
    text = "Email,Role,Groups\nbea@northfield.example,Admin,\nbea@northfield.example,Analyst,\n"
    batch = stage(admin, text)
    assert batch.counts == {"attention": 2, "problem:email": 2}
    assert lines(admin, batch, "mark=admin") == []


def test_stored_counts_are_those_of_the_rows(admin, batch):
    fresh = db.session.get(Batch, batch.id)
    for problem in ("email", "role", "groups"):
        page = row_search.find_page(fresh, Find.parse({"problem": problem}))
        assert page.total == len(page.rows) == len([row for row in rows_of(batch) if getattr(row, f"{problem}_wrong")])
