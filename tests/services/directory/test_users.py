"""Who is here and who is expected."""

from __future__ import annotations

from datetime import timedelta

from webapp.core.lists.people_filter import Filter, Status
from webapp.models import InvitationState, UserState
from webapp.services.directory import people_list

from tests.factories import make_invitation, make_persona, make_user


def test_everybody_is_counted_by_status(app):
    make_persona("Owner")
    make_user(state=UserState.DEACTIVATED)
    make_invitation(expires_in=None)  # never handed over: it cannot expire
    make_invitation("late@northfield.example", expires_in=timedelta(seconds=-1))
    make_invitation("gone@northfield.example", state=InvitationState.ACCEPTED)
    assert people_list.list_people(Filter()).counts == {
        Status.ACTIVE: 1, Status.INVITED: 1, Status.EXPIRED: 1, Status.UNJOINED: 2, Status.DEACTIVATED: 1
    }  # fmt: skip


def test_only_one_is_somebody_whom_nobody_joins(app):
    make_persona("Owner")
    assert people_list.is_only_one()
    make_invitation("gone@northfield.example", state=InvitationState.REVOKED)
    assert people_list.is_only_one()
    make_invitation()
    assert not people_list.is_only_one()


def test_counts_are_those_of_the_filter_whatever_the_status(app):
    make_persona("Owner")
    make_invitation("hart@northfield.example")
    make_user()
    listing = people_list.list_people(Filter(Status.INVITED, search="hart"))
    assert (listing.page.total, listing.everyone, listing.page.start, listing.page.end) == (1, 2, 1, 1)
    assert listing.counts[Status.ACTIVE] == 1
    assert listing.page.next is None
