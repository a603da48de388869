"""Tidy up over HTTP: what is found, what applying it does, one undo, and what a colleague changed meanwhile."""

from __future__ import annotations

import json

import pytest
from webapp.core.plan.planner import Plan
from webapp.db import db
from webapp.models import Alias, AuditEvent, Batch, Group, RowEdit
from webapp.schemas.rows import FIELDS
from webapp.services.directory import roles

from tests.factories import make_group, make_persona, make_user
from tests.steps import confirm, edit, rows_of, stage, state_of_batch

pytestmark = pytest.mark.usefixtures("known_groups")

FILE = (
    "Email,Role,Groups,Status\n"
    "ana@northfield.example,Analsyt,Techer Laptops,\n"
    "ben@northfield.example,Analyst,Student Devices; Teacher Laptops,\n"
    "cleo@northfield,analsyt,Kiosk,\n"
    "dora@gmial.com,Remote,Room 101,\n"
    "ed@northfield.example,Lehrer,Kiosk,\n"
    "flo@northfield.example,Remote,Student Devices,\n"
    "flo@northfield.example,Remote,Teacher Laptops,\n"
    "gus@northfield.example,Remote,,suspended\n"
)


class Panel:
    """Tidy up as the page without the script: its lines, and what they post."""

    def __init__(self, client, batch) -> None:
        self.client, self.batch = client, batch
        self.page = client.get(f"/batches/{batch.id}/tidy-up").page
        boxes = self.page.all("input", name="ids")
        self.lines = {box.get("aria-label", ""): box["value"] for box in boxes}
        self.ticked = [label for box, label in zip(boxes, self.lines, strict=True) if "checked" in box]
        self.version = self.page.values("version")[0]

    def line(self, begins: str) -> str:
        return next(id for label, id in self.lines.items() if label.startswith(begins))

    def post(self, *begins: str, status: int = 303, meant=(), remembered=(), htmx=False):
        """Apply these lines; all that were ticked where none is named. meant: what words mean, by the line."""
        ids = [self.line(each) for each in begins or self.ticked]
        creating = {f"meant-{id}": "+" for id in ids if id.startswith("group-")}
        chosen = {f"meant-{self.line(each)}": name for each, name in dict(meant).items()}
        form = {"ids": ids, "version": self.version, "remembered": [self.line(each) for each in remembered]}
        form |= {"listed": self.page.values("listed"), "others": self.page.values("others")}
        path = f"/batches/{self.batch.id}/tidy-up"
        return self.client.post(path, {**form, **creating, **chosen}, 200 if htmx else status, htmx=htmx)


@pytest.fixture
def batch(admin) -> Batch:
    return stage(admin, FILE)


def cells(batch) -> list[tuple[str, str, str]]:
    return [(row.email.partition("@")[0], row.role, row.groups) for row in rows_of(batch) if not row.removed_at]


def paste(client, batch, *lines: str) -> None:
    """Paste rows below the last: email, name, role, groups, with commas."""
    pasted = [dict(zip(FIELDS, line.split(","), strict=True)) for line in lines]
    client.post(f"/batches/{batch.id}/blocks/rows", {"block": json.dumps({"lines": pasted})}, 200, htmx=True)


def said(client, batch) -> str:
    return client.get(f"/batches/{batch.id}").page.text


class TestPanel:
    def test_lists_everything_with_before_after_and_rows(self, admin, batch):
        text = Panel(admin, batch).page.text
        for words in (
            "Spelling 3 fixes", "Analsyt Analyst rows 2, 4", "Techer Laptops Teacher Laptops row 2",
            "Student Devices; Teacher Laptops Student Devices, Teacher Laptops row 3",
            "Addresses 2 fixes", "@northfield @northfield.example row 4", "@gmial.com @gmail.com row 5",
            "2 groups that do not exist Create all 2", "Kiosk 2 rows", "Room 101 1 row",
            "Words Muster does not know 0 of 1 chosen", "Lehrer role, 1 row",
            "Same person twice 1 fix", "flo@northfield.example Student Devices + Teacher Laptops rows 7, 8",
            "Rows to remove 1 suspended", "gus@northfield.example status says “suspended” row 9",
        ):  # fmt: skip
            assert words in text, words

    def test_ticks_what_is_safe(self, admin, batch):
        panel = Panel(admin, batch)
        left = [label for label in panel.lines if label not in panel.ticked]
        assert [label.partition(",")[0] for label in left] == ["Lehrer", "Remove gus@northfield.example"]
        assert len(panel.ticked) == 8

    def test_opens_on_the_line_that_was_asked_for(self, admin, batch):
        page = admin.get(f"/batches/{batch.id}/tidy-up?field=role&word=lehrer", htmx=True).page
        [focused] = [a for _, a, _ in page.tags if "autofocus" in a]
        assert focused["aria-label"] == "What Lehrer means"

    def test_the_button_says_how_many_rows_need_attention_or_have_a_hint(self, admin, batch):
        assert "Tidy up 7 problems" in said(admin, batch)
        hint = stage(admin, "Email,Role\nana@gmial.com,Analyst\n")
        assert "Tidy up 1 hint" in said(admin, hint)
        fine = stage(admin, "Email,Role\nana@northfield.example,Analyst\n,Analyst\nben@northfield.example,Remote\n")
        assert "Tidy up" not in said(admin, fine)

    def test_an_edit_brings_the_button_up_to_date(self, admin, batch):
        answer = edit(admin, batch, 6, "role", "Remote", status=200)
        assert f"#batch-{batch.id}-tidy-up" in [part["hx-target"] for part in answer.page.all("hx-partial")]
        assert "Tidy up" in answer.page.text

    def test_is_not_for_those_who_may_not_invite(self, sign_in, batch):
        analyst = sign_in("Analyst")
        assert "Tidy up" not in said(analyst, batch)
        analyst.get(f"/batches/{batch.id}/tidy-up", 403)
        analyst.post(f"/batches/{batch.id}/tidy-up", {}, 403)

    def test_costs_the_same_queries_for_few_and_many_rows(self, admin, queries):
        counted = []
        for n in (2, 60):
            lines = "".join(f"u{i}@gmial.com,Analsyt,Techer Laptops {i}\n" for i in range(n))
            many = stage(admin, "Email,Role,Groups\n" + lines)
            queries.clear()
            admin.get(f"/batches/{many.id}/tidy-up")
            counted.append(len(queries))
        assert counted[1] <= counted[0], queries

    def test_rows_to_remove_may_be_short_and_say_it_in_another_column(self, admin):
        gone = "Email,Role,Status,Left\nana@x.org,Remote,suspended\nben@x.org,Remote,,yes\ncleo@x.org,Remote,active,no\n"
        text = Panel(admin, stage(admin, gone)).page.text
        assert "ana@x.org status says “suspended” row 2" in text
        assert "ben@x.org left says “yes” row 3" in text
        assert "Rows to remove 2 rows" in text


class TestApply:
    def test_everything_is_one_step_and_one_undo_the_groups_stay(self, admin, batch):
        before = cells(batch)
        Panel(admin, batch).post()
        assert "8 fixes in 7 rows" in said(admin, batch)
        assert cells(batch) == [
            ("ana", "Analyst", "Teacher Laptops"),
            ("ben", "Analyst", "Student Devices, Teacher Laptops"),
            ("cleo", "Analyst", "Kiosk"),
            ("dora", "Remote", "Room 101"),
            ("ed", "Lehrer", "Kiosk"),
            ("flo", "Remote", "Student Devices, Teacher Laptops"),
            ("gus", "Remote", ""),
        ]
        assert [row.plan for row in rows_of(batch) if row.plan is Plan.ATTENTION and not row.removed_at] == [Plan.ATTENTION]
        steps = admin.get(f"/batches/{batch.id}/steps", htmx=True).page
        assert "You tidied up 8 fixes" in steps.text
        answer = admin.post(f"/batches/{batch.id}/undos", None, 200, htmx=True)
        assert "Undone: tidied up 8 fixes. 2 groups stay" in answer.page.text
        assert cells(batch) == before
        assert {"Kiosk", "Room 101"} <= set(db.session.scalars(db.select(Group.name)))
        admin.post(f"/batches/{batch.id}/redos", None, 200, htmx=True)
        assert ("flo", "Remote", "Student Devices, Teacher Laptops") in cells(batch)

    def test_answers_with_the_review_and_a_toast_that_undoes(self, admin, batch):
        answer = Panel(admin, batch).post("Student Devices; Teacher", htmx=True)
        assert "1 fix in 1 row" in answer.page.text
        assert "Tidy up 6 problems" in answer.page.text
        undo = next(b["hx-post"] for b in answer.page.all("button") if "/undos?" in b.get("hx-post", ""))
        admin.post(undo, None, 200, htmx=True)
        assert cells(batch)[1][2] == "Student Devices; Teacher Laptops"

    def test_only_what_is_ticked(self, admin, batch):
        Panel(admin, batch).post("Techer Laptops", "Remove gus")
        assert [(role, groups) for _, role, groups in cells(batch)][:2] == [
            ("Analsyt", "Teacher Laptops"),
            ("Analyst", "Student Devices; Teacher Laptops"),
        ]
        assert "gus" not in [name for name, _, _ in cells(batch)]

    def test_a_word_is_said_once_and_remembered(self, admin, batch):
        Panel(admin, batch).post("Lehrer", meant={"Lehrer": "Remote"}, remembered=["Lehrer"])
        assert ("ed", "Remote", "Kiosk") in cells(batch)
        assert [alias.word for alias in db.session.scalars(db.select(Alias))] == ["Lehrer"]
        later = stage(admin, "Email,Role\nzoe@northfield.example,LEHRER\n")
        assert rows_of(later)[0].plan is Plan.INVITE

    def test_a_word_without_a_choice_changes_nothing(self, admin, batch):
        Panel(admin, batch).post("Lehrer", meant={"Lehrer": ""}, remembered=["Lehrer"])
        assert ("ed", "Lehrer", "Kiosk") in cells(batch)
        assert not db.session.scalars(db.select(Alias)).all()

    def test_a_group_may_become_one_that_exists_or_stay(self, admin, batch):
        Panel(admin, batch).post(
            "Create Kiosk", "Create Room 101", meant={"Create Kiosk": "Student Devices", "Create Room 101": ""}
        )
        assert [groups for name, _, groups in cells(batch) if name in ("cleo", "dora", "ed")] == [
            "Student Devices", "Room 101", "Student Devices",
        ]  # fmt: skip
        assert "Room 101" not in db.session.scalars(db.select(Group.name)).all()

    def test_groups_alone_are_created_and_audited_and_leave_nothing_to_undo(self, admin, batch):
        answer = Panel(admin, batch).post("Create Kiosk", htmx=True)
        assert "1 fix in 2 rows" in answer.page.text
        assert not [b for b in answer.page.all("button") if "/undos?" in b.get("hx-post", "")]
        made = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "group.created")).all()
        assert [event.subject for event in made] == ["Kiosk"]
        assert not db.session.scalars(db.select(RowEdit)).all()

    @pytest.mark.parametrize("meant", ["Owner", "Nobody"])
    def test_only_what_one_may_grant_can_be_meant(self, admin, batch, meant):
        answer = Panel(admin, batch).post("Lehrer", "Create Kiosk", meant={"Lehrer": meant}, status=422)
        assert "Choose a role that you may grant." in answer.page.text
        assert "Kiosk" not in db.session.scalars(db.select(Group.name)).all()

    def test_a_merge_follows_the_spelling_and_is_left_out_where_roles_differ(self, admin):
        batch = stage(
            admin,
            "Email,Role,Groups\nflo@northfield.example,Analsyt,Student Devices\n"
            "flo@northfield.example,Analyst,Teacher Laptops\nflo@northfield.example,Analyst,\n",
        )
        panel = Panel(admin, batch)
        assert len(panel.ticked) == 2
        panel.post("Merge the rows of flo")
        assert "1 left out: no longer as shown" in said(admin, batch)
        assert len(cells(batch)) == 3
        panel.post()
        assert cells(batch) == [("flo", "Analyst", "Student Devices, Teacher Laptops")]

    def test_nothing_ticked_changes_nothing(self, admin, batch):
        before = state_of_batch(batch.id)
        admin.post(f"/batches/{batch.id}/tidy-up", {})
        assert state_of_batch(batch.id) == before

    def test_comes_too_late_after_the_discard(self, admin, batch):
        panel = Panel(admin, batch)
        admin.post(f"/batches/{batch.id}/discard")
        panel.post()
        assert "Kiosk" not in db.session.scalars(db.select(Group.name)).all()


class TestMeanwhile:
    def test_a_colleagues_edits_are_kept_and_named(self, admin, owner, batch):
        panel = Panel(admin, batch)
        edit(owner, batch, 2, "groups", "Student Devices")
        edit(owner, batch, 8, "groups", "Student Devices, Teacher Laptops")
        panel.post()
        found = cells(batch)
        assert found[0] == ("ana", "Analyst", "Student Devices")
        assert ("flo", "Remote", "Student Devices, Teacher Laptops") in found
        assert "6 fixes in 5 rows. 2 left out: changed by Maren Okafor" in said(admin, batch)

    def test_pasted_rows_are_left_alone_also_where_they_have_the_same_mistake(self, admin, owner, batch):
        panel = Panel(admin, batch)
        paste(owner, batch, "zoe@northfield.example,,Analsyt,Zoo", "yan@northfield.example,,Lehrer,Kiosk")
        panel.post("Analsyt", "Lehrer", "Create Kiosk", meant={"Lehrer": "Remote"})
        assert cells(batch)[-2:] == [("zoe", "Analsyt", "Zoo"), ("yan", "Lehrer", "Kiosk")]
        assert cells(batch)[0][1] == "Analyst"
        assert "Zoo" not in db.session.scalars(db.select(Group.name)).all()

    def test_a_merge_is_left_out_once_a_row_is_pasted_that_belongs_to_it(self, admin, owner, batch):
        panel = Panel(admin, batch)
        before = len(cells(batch))
        paste(owner, batch, "flo@northfield.example,,Remote,All groups")
        panel.post("Merge the rows of flo")
        assert len(cells(batch)) == before + 1
        assert "Nothing was fixed. 1 left out: changed by Maren Okafor" in said(admin, batch)

    def test_a_row_is_not_removed_once_somebody_changed_it(self, admin, owner, batch):
        panel = Panel(admin, batch)
        edit(owner, batch, 9, "role", "Analyst")
        panel.post("Remove gus")
        assert cells(batch)[-1][0] == "gus"
        assert "1 left out: changed by Maren Okafor" in said(admin, batch)

    def test_what_a_colleague_undid_is_left_alone(self, admin, owner, batch):
        edit(owner, batch, 4, "role", "Remote")
        panel = Panel(admin, batch)
        owner.post(f"/batches/{batch.id}/undos", None, 200, htmx=True)
        panel.post("Analsyt")
        assert [role for name, role, _ in cells(batch) if name in ("ana", "cleo")] == ["Analyst", "analsyt"]

    def test_a_removed_row_stays_removed(self, admin, owner, batch):
        panel = Panel(admin, batch)
        row = rows_of(batch)[0]
        owner.post(f"/batches/{batch.id}/rows/{row.id}/removal", None, 200, htmx=True)
        panel.post()
        assert cells(batch)[0][0] == "ben"
        assert rows_of(batch)[0].role == "Analsyt"


class TestTheSameListAgain:
    """What was corrected before is offered again, where the rows still read the same."""

    FILE = (
        "Email,Role,Groups\nana@northfield.example,Teacher,\nben@northfield.example,Teacher,\n"
        "cleo@northfield,Analsyt,\ndora@northfield.example,Remote,\ned@northfield.example,Remote,Student Devices\n"
    )

    @pytest.fixture
    def again(self, admin) -> Batch:
        first = stage(admin, self.FILE)
        for line in (2, 3):
            edit(admin, first, line, "role", "Remote")
        edit(admin, first, 4, "email", "cleo@northfield.example")
        edit(admin, first, 4, "role", "Analyst")
        admin.post(f"/batches/{first.id}/rows/{rows_of(first)[3].id}/removal", None, 200, htmx=True)
        confirm(admin, first)
        return stage(admin, self.FILE)

    def test_it_is_offered_first_and_once(self, admin, again):
        panel = Panel(admin, again)
        for words in (
            "4 corrections from ", "What you changed in this list last time, where the rows still read the same.",
            "Teacher Remote rows 2, 3", "cleo@northfield cleo@northfield.example row 4", "Analsyt Analyst row 4",
            "dora@northfield.example removed then row 5",
        ):  # fmt: skip
            assert words in panel.page.text, words
        assert "Spelling" not in panel.page.text
        assert len(panel.ticked) == 4

    def test_it_is_not_ticked_where_it_widens_access(self, admin):
        text = "Email,Role,Groups\nana@x.org,Remote,\nben@x.org,Remote,\ncy@x.org,Remote,\n"
        first = stage(admin, text)
        edit(admin, first, 2, "groups", "All groups")
        edit(admin, first, 3, "role", "Admin")
        edit(admin, first, 4, "role", "Analyst")
        confirm(admin, first, password="correct horse battery")
        panel = Panel(admin, stage(admin, text))
        assert len(panel.lines) == 3
        assert panel.ticked == [next(label for label in panel.lines if "Analyst" in label)]

    def test_it_is_made_in_one_step_with_one_undo(self, admin, again):
        before = state_of_batch(again.id)
        Panel(admin, again).post()
        assert [(name, role) for name, role, _ in cells(again)] == [
            ("ana", "Remote"), ("ben", "Remote"), ("cleo", "Analyst"), ("ed", "Remote"),
        ]  # fmt: skip
        assert rows_of(again)[2].email == "cleo@northfield.example"
        admin.post(f"/batches/{again.id}/undos", None, 200, htmx=True)
        assert state_of_batch(again.id) == before

    def test_a_row_that_reads_otherwise_is_left_alone(self, admin, again):
        edit(admin, again, 2, "role", "Lehrer", status=422)
        assert "Teacher Remote row 3" in Panel(admin, again).page.text

    def test_by_somebody_else_says_so(self, owner, again):
        assert "What Devika Raman changed in this list last time" in Panel(owner, again).page.text


def test_without_permission_to_manage_groups_they_are_chosen_among_those_there_are(sign_in, admin, batch):
    roles.save(None, "Helper", "", 55, ["invitations:make"], make_persona("Owner"))
    helper = sign_in(make_user("Hedda Lund", "Helper"))
    panel = Panel(helper, batch)
    assert "Create" not in panel.page.text
    assert "Remember" not in panel.page.text
    assert not [label for label in panel.ticked if "Kiosk" in label]
    panel.post("Kiosk", status=403)
    panel.post("Kiosk", meant={"Kiosk": "Student Devices"})
    assert ("cleo", "analsyt", "Student Devices") in cells(batch)


def test_every_new_group_is_listed_and_none_is_created_that_was_not(admin, owner):
    batch = stage(admin, "Email,Role,Groups\n" + "".join(f"u{n}@x.org,Remote,Room {n}\n" for n in range(60)))
    panel = Panel(admin, batch)
    assert [label for label in panel.ticked if label.startswith("Create Room")] == list(panel.lines)
    assert "60 groups that do not exist Create all 60" in panel.page.text
    paste(owner, batch, "zoe@x.org,,Remote,Room 99")
    panel.post()
    names = db.session.scalars(db.select(Group.name).where(Group.name.like("Room%"))).all()
    assert sorted(names) == sorted(f"Room {n}" for n in range(60))


class TestManyAlike:
    """One tick stands for those that are not listed, as long as they are what they were when the page was shown."""

    @pytest.fixture
    def many(self, admin) -> Batch:
        make_group("Library")
        rows = "".join(f"u{n} (at) northfield.example,Analyst,Library\n" for n in range(70))
        return stage(admin, "Email,Role,Groups\n" + rows)

    def test_one_tick_stands_for_those_that_are_not_listed(self, admin, many):
        panel = Panel(admin, many)
        assert "20 others" in panel.page.text
        ticked = [label for label in panel.ticked if not label.startswith("u3 ")]
        panel.post(*ticked)
        assert [row.email for row in rows_of(many) if row.plan is Plan.ATTENTION] == ["u3 (at) northfield.example"]

    def test_they_are_left_out_once_another_is_among_them(self, admin, owner, many):
        panel = Panel(admin, many)
        paste(owner, many, "zoe (at) northfield.example,,Analyst,Library")
        panel.post()
        left = [row.email.partition(" ")[0] for row in rows_of(many) if row.plan is Plan.ATTENTION]
        assert left == [*(f"u{n}" for n in range(50, 70)), "zoe"]
        assert "50 fixes in 50 rows. 21 left out: changed by Maren Okafor" in said(admin, many)

    def test_rows_to_remove_too(self, admin, owner):
        rows = "".join(f"u{n}@x.org,Remote,suspended\n" for n in range(60))
        batch = stage(admin, "Email,Role,Status\n" + rows)
        panel = Panel(admin, batch)
        edit(owner, batch, 61, "role", "Analyst")
        panel.post("Remove u0@x.org", "10 other fixes")
        assert len(cells(batch)) == 50

    def test_what_gives_all_groups_is_not_ticked_among_them_either(self, admin, change_settings):
        make_group("Library")
        change_settings(max_rows=200)
        pairs = "".join(f"u{n}@x.org,Remote,Library\nu{n}@x.org,Remote,Student Devices\n" for n in range(50))
        wide = "zoe@x.org,Remote,Library\nzoe@x.org,Remote,All groups\n"
        panel = Panel(admin, stage(admin, "Email,Role,Groups\n" + pairs + wide))
        assert "1 other fix" in panel.lines
        assert len(panel.ticked) == 50
