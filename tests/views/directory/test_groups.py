"""Device Groups."""

from __future__ import annotations

import pytest
from webapp.db import db
from webapp.models import Alias, AuditEvent, Group, InvitationState
from webapp.services.directory import groups, lookup

from tests.factories import make_group, make_invitation, make_persona, make_user


def names():
    return list(db.session.scalars(db.select(Group.name).order_by(Group.key)))


def told(action):
    """The newest audit event of this kind."""
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id.desc())).first()


def aliases():
    return {each.word: each.group_id for each in db.session.scalars(db.select(Alias))}


def test_each_group_says_how_many_are_in_it(owner, queries):
    make_user(groups=("Exam Laptops", "Student Devices"))
    make_user("Elliot Fairweather", groups=("Student Devices",))
    make_invitation(groups=("Student Devices",))
    make_invitation("gone@northfield.example", groups=("Student Devices",), state=InvitationState.REVOKED)
    page = owner.get("/groups").page
    assert "2 groups" in page.text
    assert "All groups Every group, also later ones 1 0" in page.text
    assert "Exam Laptops 1 0" in page.text
    assert "Student Devices 2 1" in page.text
    queries.clear()
    owner.get("/groups")
    few = len(queries)
    for n in range(20):
        make_group(f"Room {n}")
    queries.clear()
    owner.get("/groups")
    assert len(queries) == few, queries


def test_without_groups_the_page_says_what_they_are_for(owner):
    page = owner.get("/groups").page
    assert "No device groups yet" in page.text
    example = page.all("input", name="names")[0]["value"]
    owner.post("/groups", {"names": example})
    assert names() == sorted(groups.EXAMPLES)


def test_several_groups_are_added_at_once_and_repeats_collapse(admin):
    before = lookup.directory_version()
    admin.post("/groups", {"names": " Student  Devices, Exam Laptops\nstudent devices\n\n Library "})
    assert names() == ["Exam Laptops", "Library", "Student Devices"]
    assert lookup.directory_version() > before
    events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "group.created")).all()
    assert {(each.actor, each.subject) for each in events} == {(admin.user.email, name) for name in names()}
    assert "3 groups added." in admin.get("/groups").page.text


def test_a_group_added_on_home_leads_back_there(owner):
    assert owner.post("/groups", {"names": "Exam Laptops", "next": "/"}).location == "/"
    assert "“Exam Laptops” added." in owner.get("/").page.text


def test_a_wrong_name_typed_on_home_opens_the_dialog(owner):
    page = owner.post("/groups", {"names": f"{'Long ' * 30}, =Library", "next": "/"}, 422).page
    assert "open" in page.all("dialog", id="new-group")[0]
    assert len(page.all("p", class_="error")) == 1
    assert "Long Long…”: A group’s name has at most 80 characters." in page.text
    assert names() == []


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("  ,\n ", "Type the name of a group"),
        ("Library, exam  LAPTOPS", "“Exam Laptops” exists already. Nothing was changed."),
        ("=Library", "does not begin with"),
        ("All Groups", "“All groups” is taken"),
        ("x" * 81, "at most 80 characters"),
        (", ".join(f"Room {n}" for n in range(501)), "At most 500 groups are added at once. Add them in several steps."),
    ],
)
def test_names_that_do_not_do_are_refused_and_kept(owner, typed, sentence):
    make_group("Exam Laptops")
    answer = owner.post("/groups", {"names": typed}, status=422)
    assert sentence in answer.page.text
    assert not typed.strip(" ,\n") or typed in answer.text
    assert "open" in answer.page.all("dialog", id="new-group")[0]
    assert names() == ["Exam Laptops"]


def test_who_may_only_look_sees_no_controls(sign_in):
    analyst = sign_in("Analyst")
    page = analyst.get("/groups").page
    assert "New group" not in page.text
    assert not page.all("input", name="names")
    analyst.post("/groups", {"names": "Library"}, status=403)
    sign_in("Remote").get("/groups", status=403)


# Found, described, renamed


def test_groups_are_found_by_name_other_name_and_description(owner):
    owner.post("/groups", {"names": "Student Devices, Exam Laptops", "description": "Trolley in  S2"})
    group = make_group("Straße")
    owner.post(f"/groups/{group.id}/names", {"word": "Kiosks"})
    for words, expected in (("STRASSE", "1 of 3 groups"), ("kios", "1 of 3 groups"), ("trolley in s2", "2 of 3 groups")):
        assert expected in owner.get(f"/groups?q={words}").page.text
    assert "No group matches “zzz”" in owner.get("/groups?q=zzz").page.text


def test_a_group_is_renamed_and_described_and_its_old_name_goes_on_working(admin):
    group, before = make_group("Pupil Devices"), lookup.directory_version()
    admin.post(f"/groups/{group.id}", {"name": " Student  Devices", "description": "Years 7 to 11"})
    db.session.refresh(group)
    assert (group.name, group.description) == ("Student Devices", "Years 7 to 11")
    assert aliases() == {"Pupil Devices": group.id}
    assert lookup.directory_version() > before
    event = told("group.changed")
    assert event.details["before"] == {"name": "Pupil Devices", "description": ""}
    assert event.details["after"] == {"name": "Student Devices", "description": "Years 7 to 11"}
    file = "Email,Role,Groups\nines@northfield.example,Analyst,pupil devices\n"
    review = admin.get(admin.post("/batches", {"pasted": file}).location).page
    assert "Student Devices" in review.text
    assert "No such group" not in review.text
    assert "Student Devices" in admin.get("/batches/template.csv").text
    admin.post(f"/groups/{group.id}", {"name": "Pupil Devices", "description": ""})  # back again
    assert aliases() == {"Student Devices": group.id}


def test_rows_under_review_say_what_they_said_when_a_group_is_renamed(admin):
    group = make_group("Pupil Devices")
    review = admin.post("/batches", {"pasted": "Email,Role,Groups\nines@northfield.example,Analyst,Pupil Devices\n"}).location
    admin.post(f"/groups/{group.id}", {"name": "Student Devices"})
    page = admin.get(review).page
    assert "Student Devices" in page.text
    assert "No such group" not in page.text
    version = page.values("version")[0]
    assert admin.post(f"{review}/confirmation", {"version": version}).location == review
    assert "What would happen has changed" not in admin.get(review).page.text


def test_another_spelling_of_its_own_name_is_no_other_name(owner):
    group = make_group("exam laptops")
    owner.post(f"/groups/{group.id}", {"name": "Exam Laptops"})
    assert names() == ["Exam Laptops"]
    assert aliases() == {}


@pytest.mark.any_database
def test_a_name_that_does_not_do_is_told_beside_the_field_and_kept(owner):
    library, group = make_group("Library"), make_group("Exam Laptops")
    owner.post(f"/groups/{library.id}/names", {"word": "Kiosks"})
    for typed, sentence in (
        ("Library", "“Library” exists already."),
        ("Kiosks", "“Kiosks” is another name of “Library”. Remove it there first."),
        ("", "Type a name for the group."),
        ("a,b", "no comma"),
        ("+1", "does not begin with"),
        ("ß" * 50, "at most 80 characters"),
    ):
        answer = owner.post(f"/groups/{group.id}", {"name": typed, "description": "kept"}, status=422)
        assert sentence in answer.page.text
        field = answer.page.all("input", id=f"group-{group.id}-name")[0]
        assert (field["value"], field["aria-invalid"]) == (typed, "true")
    assert names() == ["Exam Laptops", "Library"]
    assert owner.post("/groups", {"names": "kiosks"}, status=422).page.text.count("another name of “Library”") == 1


def test_a_description_that_is_too_long_is_told(owner):
    group = make_group("Library")
    answer = owner.post(f"/groups/{group.id}", {"name": "Library", "description": "x" * 201}, status=422)
    assert "Use at most 200 characters." in answer.page.text
    assert "Use at most" in owner.post("/groups", {"names": "Kiosks", "description": "x" * 201}, status=422).page.text


# Other names


def test_other_names_are_added_and_removed(admin):
    group, other = make_group("Student Devices"), make_group("Library")
    admin.post(f"/groups/{group.id}/names", {"word": "Students"})
    assert "Students" in admin.get(f"/groups/{group.id}").page.text
    assert (
        "means “Student Devices” already" in admin.post(f"/groups/{group.id}/names", {"word": "students"}, status=422).page.text
    )
    assert "another name of" in admin.post(f"/groups/{other.id}/names", {"word": "STUDENTS"}, status=422).page.text
    assert "exists already" in admin.post(f"/groups/{other.id}/names", {"word": "student devices"}, status=422).page.text
    assert "no comma" in admin.post(f"/groups/{other.id}/names", {"word": "a, b"}, status=422).page.text
    alias_id = db.session.scalars(db.select(Alias.id)).one()
    here = f"/groups/{group.id}"
    assert admin.post(f"/aliases/{alias_id}/removal", {"next": here}).location == here
    assert aliases() == {}
    assert told("alias.forgotten").details == {"word": "Students"}
    admin.post(f"/aliases/{alias_id}/removal", status=404)


# People


def test_the_page_of_a_group_says_how_many_reach_it_and_leads_to_them(sign_in):
    analyst = sign_in("Analyst")
    group = make_group("Student Devices")
    make_invitation(groups=("Student Devices",))
    make_user("Zoe Last", "Remote", ("Student Devices",))
    page = analyst.get(f"/groups/{group.id}").page
    assert "1 user, 1 invitation" in page.text
    assert "1 person more reaches it through All groups" in page.text
    (link,) = page.all("a", href=f"/users?group={group.id}")
    assert "ines.carvalho@northfield.example" in analyst.get(link["href"]).page.text
    for control in ("Rename", "Merge", "Delete"):
        assert control not in page.text
    analyst.get("/groups/9999", status=404)
    analyst.get("/groups/0", status=404)


def test_who_has_all_groups_is_a_list_of_its_own(owner):
    make_group("Student Devices")
    make_user("Zoe Last", "Remote", ("All groups",))
    make_user("Amelia Hart", "Remote", ("Student Devices",))
    (link,) = owner.get("/groups").page.all("a", href="/users?group=all")
    page = owner.get(link["href"]).page
    assert "Zoe Last" in page.text
    assert "Amelia Hart" not in page.text


# Merged


def test_merging_says_who_gains_what_and_then_does_it(admin):
    into, other, third = make_group("Student Devices"), make_group("Pupils"), make_group("Kids")
    make_user("Both", "Remote", ("Student Devices", "Pupils"))
    make_user("One", "Remote", ("Pupils",))
    make_user("Other", "Admin", ("Kids",))
    make_invitation(groups=("Kids", "Pupils"))
    make_invitation("gone@northfield.example", groups=("Kids",), state=InvitationState.REVOKED)
    admin.post(f"/groups/{other.id}/names", {"word": "Children"})
    review = admin.post("/batches", {"pasted": "Email,Role,Groups\na@northfield.example,Analyst,children\n"}).location
    path = f"/groups/{into.id}/merger"
    assert "Pupils" in admin.get(path).page.text
    page = admin.get(f"{path}?with={other.id}&with={third.id}").page
    assert "2 people and 1 invitation gain “Student Devices”" in page.text
    assert "Invitations that gain it 1" in page.text
    done = admin.post(path, {"with": [other.id, third.id]})
    assert done.location == f"/groups/{into.id}"
    into_id = into.id
    assert names() == ["Student Devices"]
    assert aliases() == {"Pupils": into_id, "Kids": into_id, "Children": into_id}
    counts = groups.count_members()
    assert (counts["users"][into_id], counts["invited"][into_id]) == (3, 1)
    events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == "group.merged").order_by(AuditEvent.id)).all()
    assert [(e.subject, e.details["into"], e.details["users"], e.details["invitations"]) for e in events] == [
        ("Pupils", "Student Devices", 1, 1),
        ("Kids", "Student Devices", 1, 0),
    ]
    page = admin.get(review).page
    assert "Student Devices" in page.text
    assert "No such group" not in page.text


def test_merging_nothing_is_refused(admin):
    into = make_group("Student Devices")
    path = f"/groups/{into.id}/merger"
    assert "Choose at least one group" in admin.post(path, status=422).page.text
    assert "Choose at least one group" in admin.post(path, {"with": into.id}, status=422).page.text
    admin.post(path, {"with": 9999}, status=404)
    admin.get(f"{path}?with=x&with=99999999999999")


def test_who_is_ranked_above_is_said_before_and_in_the_log(admin):
    owner, group = make_persona("Owner"), make_group("Kids")
    owner.all_groups, owner.groups = False, [group]
    db.session.commit()
    path = f"/groups/{group.id}/deletion"
    assert "Of the users, ranked above you 1" in admin.get(path).page.text
    admin.post(path)
    assert told("group.deleted").details["ranked_above"] == 1


# Deleted


def test_deleting_says_who_loses_what_and_then_does_it(admin):
    group = make_group("Kids")
    user, invitation = make_user(groups=("Kids",)), make_invitation(groups=("Kids",))
    admin.post(f"/groups/{group.id}/names", {"word": "Children"})
    review = admin.post("/batches", {"pasted": "Email,Role,Groups\na@northfield.example,Analyst,Kids\n"}).location
    path = f"/groups/{group.id}/deletion"
    page = admin.get(path).page
    assert "1 person and 1 invitation lose it" in page.text
    assert "Rows under review that name it need attention then." in page.text
    admin.post(path)
    assert names() == []
    assert aliases() == {}
    db.session.expire_all()
    assert (user.groups, invitation.groups) == ([], [])
    assert told("group.deleted").details == {
        "description": "", "names": ["Children"], "users": 1, "invitations": 1, "ranked_above": 0
    }  # fmt: skip
    assert "No such group" in admin.get(review).page.text
    admin.post(path, status=404)
