"""Exactly one Owner, always: by whatever command, and however many at once."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError
from webapp.core.errors import ConflictError, MusterError, RuleViolationError
from webapp.db import begin_write, db
from webapp.models import OWNER_ROLE_ID, User, UserState
from webapp.services.people import ownership

from tests.at_once import at_once
from tests.factories import make_persona, make_user, role


def owners():
    return list(db.session.scalars(db.select(User.name).where(User.role_id == OWNER_ROLE_ID, User.state == UserState.ACTIVE)))


def handing_over(owner_id, heir_id, role_id):
    return lambda: ownership.hand_over(heir_id, db.session.get_one(User, owner_id), role_id)


@pytest.fixture
def owner(app):
    return make_persona("Owner")


def test_the_two_roles_are_swapped(owner):
    heir, owner_id = make_user("Ines Carvalho", "Analyst", ("Library",)), owner.id
    ownership.hand_over(heir.id, owner, heir.role_id)
    db.session.expire_all()
    assert (heir.role.name, heir.all_groups, heir.groups) == ("Owner", True, [])
    assert db.session.get_one(User, owner_id).role.name == "Analyst"
    with pytest.raises(ConflictError):
        ownership.hand_over(make_persona("Admin").id, db.session.get_one(User, owner_id), role("Admin").id)
    assert owners() == ["Ines Carvalho"]


def test_it_is_not_handed_to_somebody_who_changed_since(owner):
    heir = make_user("Ines Carvalho", "Analyst")
    with pytest.raises(ConflictError, match="Ines Carvalho is Analyst now"):
        ownership.hand_over(heir.id, owner, role("Admin").id)
    heir.state = UserState.DEACTIVATED
    db.session.commit()
    with pytest.raises(RuleViolationError, match="deactivated"):
        ownership.hand_over(heir.id, owner, heir.role_id)
    assert owners() == ["Maren Okafor"]


@pytest.mark.parametrize("values", [{"role_id": 2}, {"state": UserState.DEACTIVATED}])
def test_the_database_refuses_whatever_would_leave_it_without_an_owner(owner, values):
    begin_write()
    db.session.execute(db.update(User).where(User.id == owner.id).values(**values))
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()
    assert owners() == ["Maren Okafor"]


def test_the_database_refuses_to_lose_the_owner(owner):
    begin_write()
    db.session.execute(db.delete(User).where(User.id == owner.id))
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()
    assert owners() == ["Maren Okafor"]


@pytest.mark.parametrize("_", range(3))
def test_of_two_who_are_given_the_ownership_at_once_one_gets_it(app, owner, _):
    ines, tom = make_user("Ines Carvalho", "Admin"), make_user("Tom Ashdown", "Analyst")
    raised = at_once(
        app, handing_over(owner.id, ines.id, ines.role_id), handing_over(owner.id, tom.id, tom.role_id)
    )  # fmt: skip
    assert [type(error) for error in raised] == [ConflictError]
    assert len(owners()) == 1
    assert owners()[0] in ("Ines Carvalho", "Tom Ashdown")


@pytest.mark.parametrize("values", [{"state": UserState.DEACTIVATED}, {"role_id": 6}])
@pytest.mark.parametrize("_", range(2))
def test_handing_over_while_the_heir_is_deactivated_or_demoted_leaves_one_owner(app, owner, values, _):
    heir = make_user("Ines Carvalho", "Admin")
    heir_id, admin_role = heir.id, heir.role_id

    def change():
        """As any command changes somebody who is not the Owner as far as it knows."""
        begin_write()
        db.session.execute(db.update(User).where(User.id == heir_id).values(**values))
        db.session.commit()

    raised = at_once(app, handing_over(owner.id, heir_id, admin_role), change)
    assert len(raised) == 1
    assert isinstance(raised[0], (MusterError, IntegrityError)), raised
    assert len(owners()) == 1


def test_two_owners_are_never_given_by_two_who_demote_each_other(app, owner):
    heir = make_user("Ines Carvalho", "Admin")
    ownership.hand_over(heir.id, owner, heir.role_id)
    there, back = handing_over(heir.id, owner.id, 2), handing_over(owner.id, heir.id, 2)
    raised = at_once(app, there, back)
    assert owners() in (["Maren Okafor"], ["Ines Carvalho"])
    assert all(isinstance(error, MusterError) for error in raised)
