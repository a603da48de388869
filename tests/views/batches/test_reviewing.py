"""What two people, or one person in a hurry, need of a review: whose plan it is, where the next problem is, what is gone."""

from __future__ import annotations

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Batch
from webapp.services.directory import groups

from tests.factories import make_user
from tests.steps import edit, rows_of, stage

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = (
    "Email,Role,Groups\n"
    "ana@northfield.example,Analsyt,Student Devices\n"
    "ben@northfield.example,Lehrer,Student Devices\n"
    "cleo@northfield.example,Lehrer,Chess\n"
    "dan.northfield.example,Remote,\n"
)


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def at(batch: Batch, query: str = "") -> dict[str, str]:
    return {"HX-Current-URL": f"http://localhost/batches/{batch.id}{query}"}


def targets(answer) -> list[str]:
    return [partial["hx-target"] for partial in answer.page.all("hx-partial")]


class TestWhoseReviewItIs:
    """An Admin's own row with another role: that Admin may not change it, the other one may."""

    @pytest.fixture
    def other(self, sign_in):
        return sign_in(make_user("Ana Lima", "Admin"))

    @pytest.fixture
    def shared(self, admin, other) -> Batch:
        batch = stage(admin, f"Email,Role,Groups\n{other.user.email},Analyst,\n")
        admin.patch(f"/batches/{batch.id}", {"change_roles": "true"}, htmx=True)
        return batch

    def version(self, client, batch) -> dict[str, str]:
        """What the page that somebody looks at confirms."""
        return {"version": client.get(f"/batches/{batch.id}").page.values("version")[0]}

    def test_everybody_sees_the_plans_of_who_uploaded_it(self, admin, other, owner, shared):
        for who in (admin, other, owner):
            assert "You cannot change your own role" not in who.get(f"/batches/{shared.id}").text
        assert db.session.get(Batch, shared.id).planned_for_id == admin.user.id

    def test_who_confirms_and_has_other_plans_is_asked_once_to_look_again(self, admin, other, shared):
        path = f"/batches/{shared.id}"
        other.post(f"{path}/confirmation", self.version(other, shared))
        page = other.get(path).page.text
        assert "Nothing was sent. Plans changed for your role: look again at 1 row (2), then send." in page
        assert "You cannot change your own role" in page
        assert rows_of(shared)[0].plan is Plan.ATTENTION
        other.patch(path, {"skip_errors": "true"}, htmx=True)
        other.post(f"{path}/confirmation", self.version(other, shared))
        assert db.session.get(Batch, shared.id).state == "queued"

    def test_what_somebody_else_was_asked_to_look_at_is_not_confirmed(self, admin, other, shared):
        path, seen = f"/batches/{shared.id}", self.version(admin, shared)
        other.post(f"{path}/confirmation", self.version(other, shared))
        admin.post(f"{path}/confirmation", seen)
        assert "What would happen has changed since this page was loaded." in admin.get(path).page.text
        admin.post(f"{path}/confirmation", self.version(admin, shared))
        assert "Plans changed for your role: look again" in admin.get(path).page.text
        admin.post(f"{path}/confirmation", self.version(admin, shared))
        assert db.session.get(Batch, shared.id).state == "queued"

    def test_who_looks_in_between_does_not_spoil_anybodys_confirm(self, admin, other, owner, shared):
        seen = self.version(admin, shared)
        make_user("Zoe Lind", "Analyst")
        groups.add_groups(["Chess"], owner.user)
        for who in (other, owner):
            who.get(f"/batches/{shared.id}")
        admin.post(f"/batches/{shared.id}/confirmation", seen)
        assert db.session.get(Batch, shared.id).state == "queued"

    def test_where_all_plans_are_the_same_anybody_confirms_at_once(self, owner, batch):
        owner.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
        owner.post(f"/batches/{batch.id}/confirmation", self.version(owner, batch))
        assert db.session.get(Batch, batch.id).state == "queued"

    def test_stale_plans_that_a_page_shows_can_be_confirmed_from_it(self, admin, owner):
        batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Remote,\nben@northfield.example,Remote,\n")
        old = self.version(admin, batch)
        make_user("Ana Ruiz", "Remote", email="ana@northfield.example")
        groups.add_groups(["Chess"], owner.user)
        seen = self.version(admin, batch)
        assert seen != old
        admin.post(f"/batches/{batch.id}/confirmation", old)
        assert db.session.get(Batch, batch.id).state == "reviewing"
        admin.post(f"/batches/{batch.id}/confirmation", seen)
        assert db.session.get(Batch, batch.id).state == "queued"


class TestTheNextProblem:
    @pytest.fixture
    def long(self, admin, change_settings) -> Batch:
        change_settings(max_rows=400)
        roles = {120: "Nobody", 240: "Nobody"}
        lines = "".join(f"u{n:03}@northfield.example,{roles.get(n, 'Analyst')},\n" for n in range(2, 302))
        return stage(admin, "Email,Role,Groups\n" + lines)

    def row(self, batch: Batch, line: int) -> int:
        return next(row.id for row in rows_of(batch) if row.line == line)

    def test_is_on_the_next_page_that_has_one(self, admin, long):
        wanted = f"/batches/{long.id}?page=2#row-{self.row(long, 120)}-role"
        assert admin.get(f"/batches/{long.id}/problem?from={self.row(long, 101)}", 303).location == wanted
        assert admin.get(f"/batches/{long.id}/problem", 303).location == wanted

    def test_goes_backwards_and_round(self, admin, long):
        last = f"/batches/{long.id}?page=3#row-{self.row(long, 240)}-role"
        assert admin.get(f"/batches/{long.id}/problem?back=1&from={self.row(long, 2)}", 303).location == last
        first = f"/batches/{long.id}?page=2#row-{self.row(long, 120)}-role"
        assert admin.get(f"/batches/{long.id}/problem?from={self.row(long, 300)}", 303).location == first

    def test_keeps_the_order_and_the_filter_that_leave_it_in(self, admin, long):
        address = admin.get(f"/batches/{long.id}/problem?sort=-email&from={self.row(long, 301)}", 303).location
        assert address == f"/batches/{long.id}?sort=-email#row-{self.row(long, 240)}-role"
        address = admin.get(f"/batches/{long.id}/problem?q=u120", 303).location
        assert address == f"/batches/{long.id}?q=u120#row-{self.row(long, 120)}-role"
        address = admin.get(f"/batches/{long.id}/problem?plan=invite", 303).location
        assert address == f"/batches/{long.id}?page=2#row-{self.row(long, 120)}-role"

    def test_says_where_there_is_none(self, admin):
        batch = stage(admin, "Email,Role,Groups\nana@northfield.example,Analyst,\n")
        admin.get(f"/batches/{batch.id}/problem", 303)
        assert "No row needs attention now." in admin.get(f"/batches/{batch.id}").text


class TestRowsThatAreGone:
    def test_an_edit_of_a_removed_row_says_so(self, admin, owner, batch):
        row = rows_of(batch)[0]
        owner.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        answer = edit(admin, batch, 2, "role", "Analyst", status=409)
        assert "Row 2 was removed in the meantime. Load the page again to put it back." in answer.page.text
        assert rows_of(batch)[0].role == "Analsyt"

    def test_a_paste_draws_a_removed_row_as_removed(self, admin, owner, batch):
        row = rows_of(batch)[0]
        owner.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        block = f'{{"cells": [{{"row_id": {row.id}, "field": "role", "value": "Remote", "seen": "Analsyt"}}], "lines": []}}'
        answer = admin.post(f"/batches/{batch.id}/blocks", {"block": block}, 200, htmx=True)
        assert f"#row-{row.id}" in targets(answer)
        assert answer.page.all("button", aria_label="Put row 2 back")


def test_of_three_rows_with_one_email_each_sentence_and_its_link_name_the_same_row(admin):
    roles = ("Analyst", "Remote", "Broadcaster")
    batch = stage(admin, "Email,Role,Groups\n" + "".join(f"ana@northfield.example,{role},\n" for role in roles))
    for row in rows_of(batch):
        assert f"row {row.change_dict['twin']}" in row.problem


def test_signed_out_in_between_says_so_and_leads_back(admin, batch, client):
    row = rows_of(batch)[0]
    data = {"field": "role", "value": "Analyst", "seen": "Analsyt"}
    answer = client.patch(f"/batches/{batch.id}/rows/{row.id}", data, 200, htmx=True, headers=at(batch, "?plan=attention&page=2"))
    assert answer.location == f"/sign-in?next=/batches/{batch.id}?plan%3Dattention%26page%3D2"
    said = client.get(answer.location).page.text
    assert "You were signed out. Sign in to go on." in said
    assert "Your last change was not saved." in said
    elsewhere = client.patch(f"/batches/{batch.id}", {}, 200, htmx=True, headers={"HX-Current-URL": "https://evil.example//x"})
    assert elsewhere.location == "/sign-in"


def test_edited_rows_are_marked(admin, batch):
    assert not admin.get(f"/batches/{batch.id}").page.all("span", class_="edited")
    assert edit(admin, batch, 2, "role", "Analyst").page.all("span", class_="edited")
    assert not admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True).page.all("span", class_="edited")


def test_what_is_skipped_is_counted_as_skipped(admin, batch):
    assert "4 Need attention" in admin.get(f"/batches/{batch.id}").page.text
    answer = admin.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, htmx=True)
    assert "4 Skipped" in answer.page.text
    assert "Need attention" not in answer.page.text


class TestWordsOfTheReview:
    def test_undo_says_what_was_done(self, admin, batch):
        row = rows_of(batch)[0]
        admin.post(f"/batches/{batch.id}/rows/{row.id}/removal", status=200, htmx=True)
        admin.post(f"/batches/{batch.id}/rows/{row.id}/restoration", status=200, htmx=True)
        lines = '{"cells": [], "lines": [{"email": "eva@x.org"}, {"email": "gil@x.org"}]}'
        admin.post(f"/batches/{batch.id}/blocks/rows", {"block": lines}, 200, htmx=True)
        told = admin.get(f"/batches/{batch.id}/steps", htmx=True).page.text
        assert "added 2 rows" in told
        said = [admin.post(f"/batches/{batch.id}/undos", status=200, htmx=True).page.text for _ in range(3)]
        for sentence, text in zip(("added 2 rows", "put row 2 back", "removed row 2"), said, strict=True):
            assert f"Undone: {sentence}" in text

    def test_a_step_that_was_overtaken_is_not_undone(self, admin, owner, batch):
        edit(admin, batch, 2, "role", "Remote")
        edit(owner, batch, 2, "role", "Analyst")
        answer = admin.post(f"/batches/{batch.id}/undos", status=409, htmx=True)
        assert "Maren Okafor has since changed Role in row 2. Nothing was undone." in answer.page.text

    def test_nothing_left_to_undo_blames_nobody(self, admin, batch):
        answer = admin.post(f"/batches/{batch.id}/undos", status=422, htmx=True)
        assert "There is nothing left to undo." in answer.page.text
        assert "Somebody else" not in answer.page.text

    def test_one_row_is_one_row(self, admin):
        single = stage(admin, "Email,Role,Groups\nana@northfield.example,Nobody,\n")
        answer = admin.patch(f"/batches/{single.id}", {"skip_errors": "true"}, htmx=True)
        assert "Skip them" in answer.page.text
        admin.patch(f"/batches/{single.id}", {"skip_errors": "false"}, htmx=True)
        admin.post(f"/batches/{single.id}/confirmation", {"version": db.session.get(Batch, single.id).version})
        assert "1 row needs attention: fix it, or tick" in admin.get(f"/batches/{single.id}").page.text


def test_all_rows_but_some(admin, batch):
    spared = rows_of(batch)[1].id
    admin.post(f"/batches/{batch.id}/changes", {"do": "remove", "all": "1", "spared": str(spared)}, 200, htmx=True)
    assert [row.id for row in rows_of(batch) if row.removed_at is None] == [spared]


def test_groups_sort_too(admin, batch):
    page = admin.get(f"/batches/{batch.id}?sort=groups").page
    assert [a["aria-sort"] for a in page.all("th") if "aria-sort" in a] == ["ascending"]
    by_id = {f"row-{row.id}": row.line for row in rows_of(batch)}
    assert [by_id[a["id"]] for a in page.all("tr") if "id" in a] == [5, 4, 2, 3]


def test_where_nothing_is_sent_nothing_is_called_sending(admin, owner):
    batch = stage(admin, f"Email,Role,Groups\n{admin.user.email},Admin,\n")
    admin.post(f"/batches/{batch.id}/confirmation", {"version": batch.version})
    page = admin.get(f"/batches/{batch.id}").page
    assert page.h1 == "Finishing without sending"
    assert "0 of 0" not in page.text


class TestThePreviewOfTheInvitation:
    @pytest.fixture
    def good(self, admin) -> Batch:
        return stage(admin, "Email,Role,Groups\nana@northfield.example,Remote,\n")

    def test_shows_what_is_typed_and_stores_nothing(self, admin, good):
        answer = admin.get(f"/batches/{good.id}/letter?valid_days=3&message=Welcome+%3Call%3E", htmx=True)
        assert "Welcome <all>" in answer.page.text
        assert "Welcome &lt;all&gt;" in admin.get(answer.page.all("iframe")[0]["src"]).text
        assert db.session.get(Batch, good.id).message == ""

    def test_keeps_what_is_stored_where_what_is_typed_is_wrong(self, admin, good):
        text = admin.get(f"/batches/{good.id}/letter?valid_days=0&message=Hello", htmx=True).page.text
        assert "within 7 days" in text
        assert "Hello" in text


class TestRowsThatStayAsTheyAre:
    FILE = "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(4))

    @pytest.fixture
    def again(self, admin) -> Batch:
        for n in range(4):
            make_user(f"Person {n}", email=f"u{n}@northfield.example", role_name="Analyst")
        return stage(admin, self.FILE + "new@northfield.example,Remote,\n")

    def lines(self, page) -> list[str]:
        return [th["id"].removeprefix("line-") for th in page.all("th", role="rowheader")]

    def test_are_folded_into_one_row_at_the_end(self, admin, again):
        page = admin.get(f"/batches/{again.id}").page
        assert self.lines(page) == ["6"]
        assert "4 unchanged. They have what the file says. Show" in page.text
        (fold,) = page.all("a", id="fold")
        assert fold["aria-expanded"] == "false"
        page = admin.get(fold["href"]).page
        assert self.lines(page) == ["6", "2", "3", "4", "5"]
        assert "They have what the file says. Hide" in page.text

    def test_but_not_where_something_is_looked_for_nor_in_a_file(self, admin, again):
        for query in ("q=northfield", "plan=unchanged"):
            assert "They have what the file says." not in admin.get(f"/batches/{again.id}?{query}").page.text
        rows = admin.get(f"/batches/{again.id}/rows.csv").text.splitlines()[1:]
        assert [row.split("@")[0].strip('"') for row in rows] == ["u0", "u1", "u2", "u3", "new"]

    def test_are_unfolded_by_the_way_to_one_of_them(self, admin, again):
        to = admin.get(f"/batches/{again.id}/lines/3", 303).location
        assert "unfolded=yes" in to
        assert "3" in self.lines(admin.get(to).page)

    def test_fill_no_page_while_they_are_folded(self, admin, again, change_settings):
        change_settings(max_rows=200)
        new = "".join(f"n{n}@northfield.example,Remote,\n" for n in range(100))
        batch = stage(admin, self.FILE + new)
        page = admin.get(f"/batches/{batch.id}").page
        assert self.lines(page) == [str(line) for line in range(6, 106)]
        assert "of 100" not in page.text
        (fold,) = page.all("a", id="fold")
        page = admin.get(fold["href"]).page
        assert self.lines(page) == ["2", "3", "4", "5"]
        (fold,) = page.all("a", id="fold")
        assert len(self.lines(admin.get(fold["href"]).page)) == 100

    def test_where_all_do_the_foot_says_so(self, admin, again):
        batch = stage(admin, self.FILE)
        page = admin.get(f"/batches/{batch.id}").page
        assert "4 unchanged. They have what the file says. Show" in page.text
        assert "Everybody has what the file says." in page.text
        assert "Finish without sending" in page.text


def test_who_may_only_look_gets_the_downloads_and_nothing_to_press(sign_in, batch):
    page = sign_in("Analyst").get(f"/batches/{batch.id}").page
    assert "Download as CSV" in page.text
    for absent in ("Find and replace", "Tidy up 1", "Next problem", "Skip them", "Discard upload", "Replace file"):
        assert absent not in page.text, absent
