"""Role Management."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.db import utcnow
from webapp.models import InvitationState, UserState

from tests.factories import make_invitation, make_user, role

EXAM, LIBRARY = "Exam Laptops", "Library Chromebooks"


@pytest.fixture
def people(owner):
    """Everybody of the school, and who is expected."""
    make_user("Amelia Hart", "Analyst", (EXAM, LIBRARY, "Student Devices"))
    make_user("Björn Håkansson", "Broadcaster", ("All groups",))
    make_user("Hannah Whitcombe", "Remote", state=UserState.DEACTIVATED)
    make_invitation("b.adeyemi@northfield.example", "Investigator", (EXAM,))
    make_invitation("cover.teacher07@northfield.example", "Remote", expires_in=timedelta(days=-1))
    make_invitation("gone@northfield.example", state=InvitationState.REVOKED)
    return owner


def listed(page):
    """Who is in the table, in its order: names, or e-mails of invitations."""
    known = ("Amelia Hart", "Björn Håkansson", "Hannah Whitcombe", "Maren Okafor", "b.adeyemi@", "cover.teacher07@", "gone@")
    table = page.text.partition("Last activity")[2]
    return sorted((name for name in known if name in table), key=table.index)


def test_users_and_invitations_stand_in_one_table_by_name(people):
    page = people.get("/users").page
    assert listed(page) == [
        "Amelia Hart", "b.adeyemi@", "Björn Håkansson", "cover.teacher07@", "Hannah Whitcombe", "Maren Okafor",
    ]  # fmt: skip
    assert "All 6 Active 3 Invited 1 Expired 1 Not joined yet 2 Deactivated 1" in page.text
    assert "Exam Laptops Library Chromebooks +1 more: Student Devices" in page.text
    assert "Not joined yet" in page.text
    assert "1–6 of 6" in page.text


FOUND = {
    "status=active": ["Amelia Hart", "Björn Håkansson", "Maren Okafor"],
    "status=invited": ["b.adeyemi@"],
    "status=expired": ["cover.teacher07@"],
    "status=deactivated": ["Hannah Whitcombe"],
    "q=hart": ["Amelia Hart"],
    "q=TEACHER07": ["cover.teacher07@"],
    "q=h%C3%A5kan": ["Björn Håkansson"],
    "q=H%C3%85KANSSON": ["Björn Håkansson"],
    "q=%25": [],
    "q=amelia&status=invited": [],
    "q=HART+amelia": ["Amelia Hart"],
    "status=unjoined": ["b.adeyemi@", "cover.teacher07@"],
    "group=none": ["cover.teacher07@", "Hannah Whitcombe"],
    "sort=-name&status=active": ["Maren Okafor", "Björn Håkansson", "Amelia Hart"],
    "sort=role": ["Maren Okafor", "b.adeyemi@", "Amelia Hart", "Björn Håkansson", "cover.teacher07@", "Hannah Whitcombe"],
    "sort=-role&status=active": ["Björn Håkansson", "Amelia Hart", "Maren Okafor"],
    "sort=status": ["Amelia Hart", "Björn Håkansson", "Maren Okafor", "b.adeyemi@", "cover.teacher07@", "Hannah Whitcombe"],
}


def test_the_list_is_narrowed_by_its_address(people):
    assert {query: listed(people.get(f"/users?{query}").page) for query in FOUND} == FOUND
    odd = people.get("/users?status=nonsense&role=x&page=y").page
    assert listed(odd) == listed(people.get("/users").page)


def test_the_list_is_narrowed_by_role_and_by_group(people):
    page = people.get(f"/users?role={role('Remote').id}").page
    assert listed(page) == ["cover.teacher07@", "Hannah Whitcombe"]
    assert "All 2 Active 0 Invited 0 Expired 1 Not joined yet 1 Deactivated 1" in page.text
    exam = next(each.id for each in make_user("X Y", groups=(EXAM,)).groups)
    names = listed(people.get(f"/users?group={exam}&status=active").page)
    assert names == ["Amelia Hart", "Björn Håkansson", "Maren Okafor"]  # All groups includes it


def test_filters_stay_in_the_addresses(people):
    page = people.get("/users?status=active&q=north&role=1").page
    assert page.all("a", href="/users?status=invited&q=north&role=1")
    assert page.values("q") == ["north"]
    assert [a["value"] for a in page.all("option") if "selected" in a] == ["1"]


def test_nobody_found_says_so_and_offers_to_clear_the_filters(people):
    page = people.get("/users?status=expired&q=wood").page
    assert "No users match these filters" in page.text
    assert "No one matches “wood”." in page.text
    assert page.all("a", href="/users")


def test_pages_of_25_and_a_fixed_number_of_queries(owner, queries):
    queries.clear()
    make_user("Amelia Hart", groups=(EXAM,))
    make_invitation(groups=(EXAM,))
    queries.clear()
    owner.get("/users")
    few = len(queries)
    for n in range(40):
        make_user(f"Person {n:02}", groups=(EXAM, LIBRARY))
        make_invitation(f"z{n:02}@northfield.example", groups=(EXAM,))
    queries.clear()
    page = owner.get("/users").page
    assert len(queries) == few, queries
    assert "1–25 of 83" in page.text
    assert len([a for a in page.all("tr") if a.get("id")]) == 25
    assert page.all("a", href="/users?page=2", rel="next")
    last = owner.get("/users?page=4").page
    assert "76–83 of 83" in last.text
    assert not last.all("a", rel="next")
    assert "76–83 of 83" in owner.get("/users?page=99").page.text


def test_alone_one_is_led_to_the_first_invitations(owner):
    page = owner.get("/users").page
    assert "Invite your first users" in page.text
    assert "up to 100 people" in page.text
    assert not page.all("table", id="users")


@pytest.mark.parametrize("tab", ["bulk", "single"])
def test_the_dialog_opens_by_its_address(people, tab):
    page = people.get(f"/users?invite={tab}").page
    assert "open" in page.all("dialog", id="invite")[0]
    assert page.all("a", id=f"invite-tab-{tab}")[0]["aria-selected"] == "true"
    assert "open" not in people.get("/users").page.all("dialog", id="invite")[0]


def test_a_link_is_copied_only_for_roles_that_one_may_grant(people, sign_in):
    equal = make_invitation("new.admin@northfield.example", "Admin")
    assert people.get("/users").page.all("form", action=f"/invitations/{equal.id}/link")
    assert sign_in("Admin").get("/users").page.all("form", action=f"/invitations/{equal.id}/link")
    assert not [a for a in sign_in("Analyst").get("/users").page.all("form") if a.get("action", "").endswith("/link")]


def test_who_may_only_look_gets_no_dialog(people, sign_in):
    page = sign_in("Investigator").get("/users?invite=bulk").page
    assert "Invite Users" not in page.text
    assert not page.all("dialog", id="invite")
    sign_in("Broadcaster").get("/users", status=403)


def test_by_activity_the_newest_comes_first_and_who_was_never_here_last(owner):
    now = utcnow()
    make_user("Amelia Hart", seen_at=now - timedelta(days=2))
    make_user("Björn Håkansson")
    make_user("Hannah Whitcombe", seen_at=now - timedelta(days=9))
    make_invitation("b.adeyemi@northfield.example", expires_in=timedelta(days=-5))
    newest = ["Maren Okafor", "Amelia Hart", "b.adeyemi@", "Hannah Whitcombe", "Björn Håkansson"]
    assert listed(owner.get("/users?sort=-activity").page) == newest
    assert listed(owner.get("/users?sort=activity").page) == [*reversed(newest[:-1]), "Björn Håkansson"]


def test_a_heading_says_how_it_sorts_and_turns_it(people):
    page = people.get("/users?status=active").page
    assert [a.get("aria-sort") for a in page.all("th") if "aria-sort" in a] == ["ascending"]
    assert page.all("a", id="sort-name")[0]["href"] == "/users?status=active&sort=-name"
    assert page.all("a", id="sort-activity")[0]["href"] == "/users?status=active&sort=activity"
    page = people.get("/users?sort=-role&page=1").page
    assert [a.get("aria-sort") for a in page.all("th") if "aria-sort" in a] == ["descending"]
    assert page.all("a", id="sort-role")[0]["href"] == "/users?sort=role"


def test_a_search_answers_the_list_alone_and_says_how_many(people):
    answer = people.get("/users?q=amelia&sort=-role", htmx=True)
    assert not answer.page.whole
    assert "1 person found" in answer.page.text
    assert answer.page.values("sort") == ["-role"]
    restored = {"HX-History-Restore-Request": "true", "HX-Request-Type": "full"}
    assert people.get("/users?q=amelia", headers=restored).page.whole


def test_each_line_tells_what_can_be_done(people):
    page = people.get("/users").page
    can = {a["aria-label"]: a["data-can"] for a in page.all("input") if "data-pick" in a}
    assert not can["Select Maren Okafor"]
    assert can["Select Amelia Hart"] == "deactivate set_groups set_role"
    assert can["Select b.adeyemi@northfield.example"] == "resend revoke set_groups set_role link"
    assert can["Select cover.teacher07@northfield.example"] == "resend revoke"
    assert can["Select Hannah Whitcombe"] == "reactivate"
    assert page.all("input", id="pick-page")[0]["data-total"] == "6"
    found = people.get("/users?status=unjoined&q=teacher&sort=role").page.all("input", id="pick-page")[0]
    assert (found["data-total"], found["data-filter"]) == ("1", "status=unjoined&q=teacher")


def test_who_may_only_look_gets_no_boxes_and_no_menus(people, sign_in):
    page = sign_in("Investigator").get("/users").page
    assert not [a for a in page.all("input") if "data-pick" in a]
    assert not page.all("div", id="selection")
    assert "Actions for" not in str(page.tags)
    assert page.all("a", id="export")
