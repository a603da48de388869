"""What a role of these permissions lets somebody do, in words."""

from __future__ import annotations

import pytest
from webapp.core.security.permissions import SHIPPED_ROLES, Permission, what_it_does

TOLD = {
    "Admin": "Manages users and groups, reads outgoing mail, invites people, reads the audit log",
    "Investigator": "Reads the audit log, sees uploads, sees people",
    "Analyst": "Sees uploads, sees people",
    "Broadcaster": "Sees their own role and groups",
}


@pytest.mark.parametrize(("name", "told"), TOLD.items())
def test_a_role_is_described_by_what_it_may_do(name, told):
    assert what_it_does(next(role.permissions for role in SHIPPED_ROLES if role.name == name)) == told


def test_what_a_permission_needs_goes_without_saying():
    assert what_it_does([Permission.INVITATIONS_MAKE, Permission.USERS_SEE, Permission.BATCHES_SEE]) == "Invites people"
