"""Roles: the matrix, roles of the organisation's own, and what a change of one does."""

from __future__ import annotations

import pytest
from webapp.core.security.permissions import MEANINGS, SHIPPED_ROLES
from webapp.db import db
from webapp.models import Alias, AuditEvent, InvitationState, Role, UserState
from webapp.services.directory import lookup

from tests.factories import PASSWORD, make_batch, make_group, make_invitation, make_persona, make_user, role
from tests.steps import choose_meaning

HEAD = {"name": "Head of Year", "rank": "70", "permissions": ["invitations:make", "users:manage"]}


def names():
    return list(db.session.scalars(db.select(Role.name).order_by(Role.rank.desc(), Role.id)))


def told(action):
    return db.session.scalars(db.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id.desc())).first()


def paste(browser, role_name):
    """The review of an upload that names this role."""
    file = f"Email,Role,Groups\nnew@northfield.example,{role_name},\n"
    return browser.post("/batches", {"pasted": file}).location


# The matrix


def test_everybody_who_sees_people_sees_who_may_what(sign_in, queries):
    analyst = sign_in("Analyst")
    make_invitation(role_name="Admin")
    page = analyst.get("/roles").page
    for meaning in MEANINGS.values():
        assert meaning.title in page.text
    assert " 80 0 1 Yes Yes Yes Yes Yes Yes – No" in page.text
    assert " 50 1 0 Yes Yes – No" in page.text
    assert len(page.all("th", scope="row")) == len(SHIPPED_ROLES)
    for control in ("New role", "Actions", "Delete", "hand over"):
        assert control not in page.text
    sign_in("Broadcaster").get("/roles", status=403)
    queries.clear()
    analyst.get("/roles")
    few = len(queries)
    for n in range(10):
        db.session.add(Role(name=f"Role {n}", key=f"role {n}", rank=n + 1, permissions=[]))
    db.session.commit()
    queries.clear()
    analyst.get("/roles")
    assert len(queries) == few, queries


def test_only_the_owner_defines_roles(admin):
    for path in ("/roles/new", "/roles/3", "/roles/3/deletion"):
        admin.get(path, status=403)
    for path in ("/roles", "/roles/3", "/roles/3/deletion"):
        admin.post(path, HEAD, status=403)
    assert names() == [shipped.name for shipped in SHIPPED_ROLES]


# New


def test_a_new_role_is_at_once_in_template_pickers_and_checks(owner):
    owner.post("/roles", HEAD)
    made = role("Head of Year")
    assert made.rank == 70
    assert made.permissions == ["users:see", "batches:see", "invitations:make", "users:manage"]  # with what they need
    assert told("role.created").details["after"]["rank"] == 70
    make_group("Library")
    assert "Head of Year" in owner.get("/users?invite=single").text
    review = owner.get(paste(owner, "head of YEAR")).page
    assert "Not a role" not in review.text
    assert "Head of Year" in review.text
    owner.post("/invitations", {"email": "ines@northfield.example", "role": "Head of Year", "password": PASSWORD})
    assert "Head of Year" in owner.get("/users").page.text


def test_the_template_names_the_new_role_when_it_is_among_the_lowest(owner):
    owner.post("/roles", {"name": "Visitor", "rank": "1"})
    assert "Visitor" in owner.get("/batches/template.csv").text


def test_a_new_role_begins_like_another(owner):
    page = owner.get(f"/roles/new?like={role('Analyst').id}").page
    assert page.all("input", name="rank")[0]["value"] == "50"
    assert [a["value"] for a in page.all("input", name="permissions") if "checked" in a] == ["users:see", "batches:see"]


def test_no_two_shipped_roles_read_alike_where_one_is_chosen(owner):
    choices = owner.get("/users?invite=single").page.text
    texts = {shipped.description for shipped in SHIPPED_ROLES[1:]}
    assert len(texts) == 5
    for text in texts:
        assert text in choices


def test_the_owner_describes_a_role_in_their_own_words(owner, admin):
    page = owner.get(f"/roles/{role('Remote').id}").page
    assert "Can sign in to devices from home." in page.text
    wanted = {"name": "Remote", "rank": "10", "description": "Governors. They   read from home"}
    owner.post(f"/roles/{role('Remote').id}", wanted)
    for path in ("/users?invite=single", "/roles"):
        assert "Governors. They read from home" in admin.get(path).page.text
    assert told("role.changed").details["after"]["description"] == "Governors. They read from home"
    owner.post(f"/roles/{role('Remote').id}", {**wanted, "description": ""})
    assert "Sees their own role and groups" in admin.get("/users?invite=single").page.text
    assert "Blank: “Sees their own role and groups”." in owner.get(f"/roles/{role('Remote').id}").page.text
    like = owner.get(f"/roles/new?like={role('Analyst').id}").page
    assert "reports of uploads" not in like.text


CANNOT_BE = [
    ({"description": "x" * 201}, "Use at most 200 characters."),
    ({"name": ""}, "Type a name for the role."),
    ({"name": "x" * 81}, "at most 80 characters"),
    ({"name": "a,b"}, "no comma"),
    ({"name": "=1+1"}, "does not begin with"),
    ({"name": "aNaLyst"}, "“Analyst” exists already."),
    ({"name": "All Groups"}, "is taken"),
    ({"name": "checker"}, "“checker” is another name of “Investigator”."),
    ({"rank": ""}, "A rank is a number from 1 to 99."),
    ({"rank": "100"}, "A rank is a number from 1 to 99."),
    ({"rank": "0"}, "A rank is a number from 1 to 99."),
    ({"rank": "9" * 400}, "A rank is a number from 1 to 99."),
    ({"rank": "high"}, "A rank is a number from 1 to 99."),
    ({"permissions": ["organisation:manage"]}, "is not a valid choice"),
    ({"permissions": ["users:eat"]}, "is not a valid choice"),
]


@pytest.mark.any_database
def test_what_a_role_cannot_be_is_told_beside_the_field_and_kept(owner):
    db.session.add(Alias(kind="role", word="Checker", key="checker", role_id=role("Investigator").id))
    db.session.commit()
    for changed, sentence in CANNOT_BE:
        wanted = {**HEAD, **changed}
        answer = owner.post("/roles", wanted, status=422)
        assert answer.page.text.count(sentence) == 1, changed
        assert answer.page.all("input", name="name")[0]["value"] == wanted["name"]
        assert owner.post(f"/roles/{role('Remote').id}", wanted, status=422).page.text.count(sentence) == 1, changed
    assert names() == [shipped.name for shipped in SHIPPED_ROLES]


# Changed


def test_a_role_is_renamed_and_its_old_name_goes_on_working(owner):
    analyst = role("Analyst")
    owner.post(f"/roles/{analyst.id}", {"name": "Teacher", "rank": "50", "permissions": ["users:see", "batches:see"]})
    assert "Teacher" in names()
    assert "also “Analyst”" in owner.get("/roles").page.text
    review = owner.get(paste(owner, "analyst")).page
    assert "Not a role" not in review.text
    assert "Teacher" in review.text
    alias = db.session.scalars(db.select(Alias)).one()
    owner.post(f"/aliases/{alias.id}/removal")
    assert "Not a role" in owner.get(paste(owner, "ANALYST")).page.text


def test_permissions_hold_from_the_next_request_on(owner, sign_in):
    remote = sign_in("Remote")
    remote.get("/users", status=403)
    owner.post(f"/roles/{role('Remote').id}", {"name": "Remote", "rank": "10", "permissions": ["users:see"]})
    remote.get("/users")
    before_and_after = told("role.changed").details
    assert before_and_after["before"]["permissions"] == []
    assert before_and_after["after"]["permissions"] == ["users:see"]
    owner.post(f"/roles/{role('Remote').id}", {"name": "Remote", "rank": "10"})
    remote.get("/users", status=403)


def test_a_lower_rank_plans_what_is_under_review_again(owner, admin):
    review = paste(admin, "Admin")
    assert "ranks above" not in admin.get(review).page.text
    before = lookup.directory_version()
    values = {"name": "Investigator", "rank": "90", "permissions": ["users:see"]}
    review = paste(admin, "Investigator")
    page = admin.get(review).page
    owner.post(f"/roles/{role('Investigator').id}", values)
    assert lookup.directory_version() > before
    assert "ranks above your own role" in admin.get(review).page.text
    answer = admin.post(f"{review}/confirmation", {"version": page.values("version")[0]})
    assert answer.location == review
    assert "Nothing was sent. What would happen has changed" in admin.get(review).page.text


def test_nothing_is_written_where_nothing_changed(owner):
    analyst = role("Analyst")
    same = {"name": "Analyst", "description": analyst.description, "rank": "50", "permissions": ["users:see", "batches:see"]}
    owner.post(f"/roles/{analyst.id}", same)
    assert told("role.changed") is None


def test_the_owners_role_stays_as_it_is(owner):
    for path in ("/roles/1", "/roles/1/deletion"):
        assert "nobody can lock the Owner out" in owner.get(path, status=422).page.text
        owner.post(path, HEAD, status=422)
    assert role("Owner").rank == 100
    owner.get("/roles/9999", status=404)


# Deleted


def test_a_role_that_nobody_has_is_deleted_at_once(owner):
    make_invitation("gone@northfield.example", "Remote", state=InvitationState.ACCEPTED)
    review, path = paste(owner, "Remote"), f"/roles/{role('Remote').id}/deletion"
    page = owner.get(path).page
    assert "No one has this role" in page.text
    owner.post(path)
    assert "Remote" not in names()
    assert told("role.deleted").details["before"]["name"] == "Remote"
    assert "Not a role" in owner.get(review).page.text
    owner.post(path, status=404)


def test_who_has_a_role_that_goes_gets_another_which_is_shown_first(owner, sign_in):
    analyst = sign_in("Analyst")
    invitation = make_invitation(role_name="Analyst")
    gone, remote = role("Analyst").id, role("Remote").id
    path = f"/roles/{gone}/deletion"
    page = owner.get(path).page
    assert "1 user and 1 invitation need another role" in page.text
    page = owner.get(f"{path}?replacement={remote}").page
    assert "1 user and 1 invitation become Remote" in page.text
    assert "Choose the role that they get instead" in owner.post(path, status=422).page.text
    for wrong in (1, gone, 9999):
        owner.post(path, {"replacement": wrong}, status=422)
    owner.post(path, {"replacement": remote})
    db.session.expire_all()
    assert (analyst.user.role.name, invitation.role.name) == ("Remote", "Remote")
    assert told("role.deleted").details["users"] == 1
    analyst.get("/users", status=403)


def test_nobody_erased_counts_but_they_get_another_role_too(owner):
    gone = make_user("Hannah Whitcombe", "Remote", state=UserState.ERASED)
    assert " 10 0 0" in owner.get("/roles").page.text
    path = f"/roles/{role('Remote').id}/deletion"
    page = owner.get(path).page
    assert "No one has this role" in page.text
    owner.post(path)
    db.session.expire_all()
    assert "Remote" not in names()
    assert gone.role.name in names()


def test_the_last_role_besides_the_owners_stays(owner):
    db.session.execute(db.delete(Role).where(Role.id.not_in((1, 2))))
    db.session.commit()
    make_batch(owner.user, 1)
    owner.post("/roles/2/deletion", status=422)
    assert names() == ["Owner", "Admin"]


# Nobody grants above their own rank


@pytest.fixture
def manager(owner, sign_in):
    """Somebody who manages people and invites, ranked below Admin and Investigator."""
    owner.post("/roles", {**HEAD, "rank": "55", "permissions": ["invitations:make", "users:manage", "messages:see"]})
    return sign_in(make_user("Head Teacher", "Head of Year"))


@pytest.mark.parametrize("above", ["Owner", "Admin", "Investigator"])
def test_every_way_to_grant_a_role_keeps_to_ones_rank(manager, above):
    alone = {"email": "ines@northfield.example", "role": above}
    assert manager.post("/invitations", alone, status=422).page.text
    assert f">{above}<" not in manager.get("/invitations/new?invite=single").text
    assert above not in manager.get("/batches/template.csv").text
    review = paste(manager, above)
    page = manager.get(review).page
    assert "Need attention" in page.text
    assert "ranks above your own role" in page.text or "Not by upload" in page.text
    manager.post(f"{review}/confirmation", {"version": page.values("version")[0]})
    assert "need attention" in manager.get(review).page.text or "needs attention" in manager.get(review).page.text
    choose_meaning(manager, paste(manager, "Boss"), "Boss", above, 422, remember=True)
    assert db.session.scalar(db.select(Alias)) is None
    if above != "Owner":
        invitation = make_invitation("above@northfield.example", above)
        manager.post(f"/invitations/{invitation.id}/messages", status=422)
        manager.post(f"/invitations/{invitation.id}/link", status=404)
    manager.post("/roles", {**HEAD, "name": "Mine", "rank": "99"}, status=403)
    manager.post("/ownership", {"heir": manager.user.id}, status=403)


def test_who_ranks_above_is_not_changed_by_an_upload_of_who_manages_people(manager):
    admin = make_persona("Admin")
    make_group("Library")
    review = manager.post("/batches", {"pasted": f"Email,Role,Groups\n{admin.email},Admin,Library\n"}).location
    assert "You cannot change people with the role Admin: it ranks above yours" in manager.get(review).page.text
