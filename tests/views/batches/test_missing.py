"""Who is missing: people of an earlier list, a group or a role who are not in a file, over HTTP."""

from __future__ import annotations

from webapp.db import db
from webapp.models import Batch, BatchKind, Invitation, InvitationState, User, UserState
from webapp.services.directory import roles

from tests.factories import make_group, make_invitation, make_persona, make_user, role
from tests.steps import carry_out, confirm, edit, newest_batch, outcomes_of, rows_of, stage


def file_of(*names: str) -> str:
    return "Email,Role,Groups\n" + "".join(f"{name}@northfield.example,Analyst,\n" for name in names)


def people(*names: str) -> list[User]:
    """Analysts of these names."""
    return [make_user(name.title(), email=f"{name}@northfield.example") for name in names]


def see(client, batch: Batch, scope: str = "", status: int = 200) -> str:
    query = f"?scope={scope}" if scope else ""
    return client.get(f"/batches/{batch.id}/missing{query}", status).page.text


def begin(client, batch: Batch, scope: str) -> Batch:
    """Go on to the review of the action."""
    client.post(f"/batches/{batch.id}/missing", {"scope": scope})
    return newest_batch()


class TestTheEarlierList:
    def test_is_compared_first(self, admin):
        carry_out(admin, stage(admin, file_of("ana", "ben", "cy"), name="staff.csv"))
        batch = stage(admin, file_of("ana", "cy", "dora"))
        page = admin.get(f"/batches/{batch.id}").page
        assert "1 person of it is missing here ." in page.text
        assert page.all("a", href=f"/batches/{batch.id}/missing")
        text = see(admin, batch)
        assert "1 person is missing Out of 3 in staff.csv" in text
        assert "ben@northfield.example" in text
        assert "cy@northfield.example" not in text

    def test_is_counted_by_the_database(self, admin, queries):
        carry_out(admin, stage(admin, file_of("ana", "ben", "cy")))
        batch = stage(admin, file_of("ana"))
        queries.clear()
        assert "2 people of it are missing here ." in admin.get(f"/batches/{batch.id}").page.text
        comparing = [each for each in queries if "LEFT OUTER JOIN (SELECT" in each]
        assert len(comparing) == 2
        assert all(each.startswith("SELECT count(") for each in comparing), comparing
        queries.clear()
        admin.get(f"/batches/{batch.id}?q=ana", htmx=True)
        assert not [each for each in queries if "LEFT OUTER JOIN (SELECT" in each]

    def test_tells_a_replaced_address_from_a_missing_person(self, admin):
        carry_out(admin, stage(admin, file_of("ana", "ben")))
        ana = db.session.scalars(db.select(Invitation).where(Invitation.email_key.startswith("ana@"))).one()
        admin.post(f"/invitations/{ana.id}/email", {"email": "ana@new.example"})
        both = stage(admin, "Email,Role\nana@new.example,Analyst\nben@northfield.example,Analyst\n")
        assert "Nobody is missing" in see(admin, both, "earlier")
        again = stage(admin, file_of("ana", "ben"))
        assert "Nobody is missing All 2 people in staff.csv are in this file." in see(admin, again)

    def test_does_not_count_who_was_corrected_then_and_reads_the_same_here(self, admin):
        text = file_of("ana", "cy") + "ben@@northfield.example,Analyst,\n"
        first = stage(admin, text)
        edit(admin, first, 4, "email", "ben@northfield.example")
        carry_out(admin, first)
        assert "missing here" not in admin.get(f"/batches/{stage(admin, text).id}").page.text
        assert "1 person of it is missing here" in admin.get(f"/batches/{stage(admin, file_of('ana', 'cy')).id}").page.text

    def test_does_not_count_who_was_revoked_since(self, admin):
        carry_out(admin, stage(admin, file_of("ana", "ben")))
        ben = db.session.scalars(db.select(Invitation).where(Invitation.email_key.startswith("ben@"))).one()
        admin.post(f"/invitations/{ben.id}/revocation")
        assert "missing here" not in admin.get(f"/batches/{stage(admin, file_of('ana')).id}").page.text


class TestAGroupOrARole:
    def test_is_chosen_where_no_list_is_known(self, admin):
        batch = stage(admin, file_of("ana"))
        assert "Compare with" in see(admin, batch)
        assert "missing Out of" not in see(admin, batch)

    def test_lists_who_is_not_in_the_file(self, admin):
        group = make_group("Labs")
        make_user("Ana Ruiz", groups=("Labs",), email="ana@northfield.example")
        make_user("Ben Okri", groups=("Labs",), email="ben@northfield.example")
        make_user("Cleo Park", email="cleo@northfield.example")
        make_user("Dina Roth", groups=("Labs",), email="dina@northfield.example", state=UserState.DEACTIVATED)
        text = see(admin, stage(admin, file_of("ana")), f"group-{group.id}")
        assert "1 person is missing Out of 2 in Labs" in text
        assert "Ben Okri" in text
        text = see(admin, newest_batch(), f"role-{role('Analyst').id}")
        assert "2 people are missing Out of 3 in Analyst" in text

    def test_costs_no_more_queries_with_more_people(self, admin, queries):
        batch = stage(admin)
        counts = []
        for n in (3, 30):
            people(*(f"person{n}{each}" for each in range(n)))
            queries.clear()
            see(admin, batch, f"role-{role('Analyst').id}")
            counts.append(len(queries))
        assert counts[0] == counts[1], queries

    def test_shows_the_first_hundred_and_says_how_many_more(self, admin):
        people(*(f"person{n:03}" for n in range(102)))
        text = see(admin, stage(admin), f"role-{role('Analyst').id}")
        assert "102 people are missing Out of 102 in Analyst" in text
        assert "person099@northfield.example" in text
        assert "person100@northfield.example" not in text
        assert "and 2 more; the review lists everyone. " in text

    def test_that_is_gone_is_said(self, admin):
        batch = stage(admin)
        for scope in ("group-999999", "role-0", "earlier", "anything", "group-x"):
            assert "What you compare with is not there any more. Choose something else." in see(admin, batch, scope, 404)
            admin.post(f"/batches/{batch.id}/missing", {"scope": scope}, 404)

    def test_warns_of_rows_whose_people_nobody_knows(self, admin):
        batch = stage(admin, file_of("ana") + "ben@@northfield,Analyst,\n")
        assert "1 row has no valid email Its person may be listed as missing." in see(admin, batch)

    def test_counts_a_removed_row_as_in_the_file(self, admin):
        people("ana", "ben")
        batch = stage(admin, file_of("ana", "ben"))
        admin.post(f"/batches/{batch.id}/rows/{rows_of(batch)[0].id}/removal")
        assert "Nobody is missing" in see(admin, batch, f"role-{role('Analyst').id}")


class TestTheAction:
    def test_deactivates_users_and_revokes_invitations_and_can_be_reverted(self, admin):
        ana, ben, *_ = people("ana", "ben", *(f"stay{n}" for n in range(10)))
        invited = make_invitation(email="ines@northfield.example")
        kept = file_of("ana", *(f"stay{n}" for n in range(10)))
        upload = stage(admin, kept, name="staff.csv")
        batch = begin(admin, upload, f"role-{role('Analyst').id}")
        assert (batch.kind, batch.name) == (BatchKind.ACTION, "End the access of 2 people")
        text = admin.get(f"/batches/{batch.id}").page.text
        assert "People of Analyst who are not in staff.csv." in text
        assert "Deactivate Signed out everywhere at once" in text
        assert "Revoke The link stops working" in text
        batch = carry_out(admin, batch)
        assert [db.session.get_one(User, user.id).state for user in (ana, ben)] == [UserState.ACTIVE, UserState.DEACTIVATED]
        assert db.session.get_one(Invitation, invited.id).state is InvitationState.REVOKED
        assert "2 ended" in admin.get(f"/batches/{batch.id}").page.text
        admin.post(f"/batches/{batch.id}/reversal")
        revert = carry_out(admin, newest_batch())
        assert outcomes_of(revert) == {"ben": ("updated", "Reactivated")}
        assert db.session.get_one(User, ben.id).state is UserState.ACTIVE

    def test_is_one_where_the_button_was_pressed_twice(self, admin):
        people("ana", "ben")
        upload, scope = stage(admin, file_of("ana")), f"role-{role('Analyst').id}"
        first = begin(admin, upload, scope)
        assert begin(admin, upload, scope).id == first.id
        people("cy")
        assert begin(admin, upload, scope).title["n"] == 2

    def test_never_touches_the_owner_oneself_or_anyone_above(self, admin, owner):
        group = make_group("Labs")
        for user in (admin.user, owner.user):
            user.groups = [group]
        db.session.commit()
        make_user("Cleo Park", groups=("Labs",), email="cleo@northfield.example")
        batch = begin(admin, stage(admin), f"group-{group.id}")
        assert "End the access of 1 person. 2 cannot be changed." in admin.get(f"/batches/{batch.id}").page.text
        carry_out(admin, batch, typed="1")
        assert [db.session.get_one(User, each.user.id).state for each in (admin, owner)] == [UserState.ACTIVE] * 2

    def test_on_more_than_a_fifth_takes_the_number(self, admin):
        people(*(f"stay{n}" for n in range(8)), "ana", "ben")
        scope = f"role-{role('Analyst').id}"
        one = begin(admin, stage(admin, file_of(*(f"stay{n}" for n in range(8)), "ana")), scope)
        assert "Type 1" not in admin.get(f"/batches/{one.id}/confirmation").page.text
        three = begin(admin, stage(admin, file_of(*(f"stay{n}" for n in range(7)))), scope)
        page = admin.get(f"/batches/{three.id}/confirmation").page
        assert "Type 3 to go on" in page.text
        for typed in ("", "2", "three"):
            answer = admin.post(f"/batches/{three.id}/confirmation", {"version": three.version, "typed": typed}, 422)
            assert "Type 3. Nothing was done." in answer.page.text
        assert confirm(admin, three, typed=" 3 ").confirmed_by_id == admin.user.id

    def test_is_for_those_who_manage_users_and_prepare_batches(self, admin, sign_in):
        owner = make_persona("Owner")
        roles.save(None, "Inviter", "", 55, ["invitations:make"], owner)
        roles.save(None, "Keeper", "", 54, ["users:manage", "batches:see"], owner)
        roles.save(None, "Warden", "", 53, ["users:manage"], owner)
        people("cleo")
        batch = stage(admin)
        inviter, keeper, warden = (sign_in(make_user(f"{name} Lund", name)) for name in ("Inviter", "Keeper", "Warden"))
        scope = f"role-{role('Analyst').id}"
        for client, may_see, may_begin in (
            (inviter, 403, 403), (keeper, 200, 403), (warden, 403, 403), (admin, 200, 303),
        ):  # fmt: skip
            page = client.get(f"/batches/{batch.id}/missing?scope={scope}", may_see).page
            assert ("Review 1 person" in page.text) == (may_begin == 303)
            client.post(f"/batches/{batch.id}/missing", {"scope": scope}, may_begin)

    def test_needs_somebody_who_is_missing(self, admin):
        people("ana")
        batch = stage(admin, file_of("ana"))
        answer = admin.post(f"/batches/{batch.id}/missing", {"scope": f"role-{role('Analyst').id}"}, 409)
        assert "Nobody is missing any more. Nothing was done." in answer.page.text


class TestAFileThatIsNotWhole:
    def test_is_refused(self, admin):
        batch = stage(admin)
        admin.post(f"/batches/{batch.id}/discard")
        assert "Not all rows of staff.csv are kept, so nobody can tell who is missing." in see(admin, batch, status=409)

    def test_is_refused_where_a_part_was_discarded(self, admin, change_settings):
        change_settings(max_rows=2)
        admin.post("/batches", {"pasted": file_of("ana", "ben", "cy"), "split": "1"})
        last = newest_batch()
        scope = f"role-{role('Analyst').id}"
        people("ana", "ben", "cy")
        assert "Nobody is missing" in see(admin, last, scope)
        admin.post(f"/batches/{last.parts_id}/discard")
        see(admin, last, scope, 409)

    def test_is_no_action(self, admin):
        people("cleo")
        action = begin(admin, stage(admin), f"role-{role('Analyst').id}")
        see(admin, action, status=409)
