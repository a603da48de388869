"""What programs send and get of people, groups, roles and the audit log."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from webapp.core.plan.registry import LONGEST_NAME
from webapp.models import InvitationState, UserState
from webapp.schemas.api.fields import Input, Output, PageQuery

STATES = (UserState.ACTIVE.value, UserState.DEACTIVATED.value)


class UsersQuery(PageQuery):
    """Which users."""

    state = fields.String(validate=validate.OneOf(STATES))


class UserPatch(Input):
    """One change of a user: the role, the groups, or the state."""

    role = fields.String()
    groups = fields.List(fields.String())
    state = fields.String(validate=validate.OneOf(STATES))

    @validates_schema
    def _check_one(self, values: dict[str, Any], **_: Any) -> None:
        if len(values) != 1:
            raise ValidationError("Change one of role, groups and state at a time.")


class UserOutput(Output):
    """A person who can sign in, or could."""

    id = fields.Integer()
    email = fields.String()
    name = fields.String()
    role = fields.String()
    groups = fields.List(fields.String())
    state = fields.Enum(UserState, by_value=True)
    created_at = fields.DateTime()
    seen_at = fields.DateTime(allow_none=True)


class UsersOutput(Output):
    """A page of users."""

    users = fields.List(fields.Nested(UserOutput))
    next = fields.String(allow_none=True)


class InvitationsQuery(PageQuery):
    """Which invitations; an expired one is pending."""

    state = fields.Enum(InvitationState, by_value=True)


class InvitationOutput(Output):
    """A promise of an account."""

    id = fields.Integer()
    email = fields.String()
    name = fields.String()
    role = fields.String()
    groups = fields.List(fields.String())
    state = fields.Enum(InvitationState, by_value=True)
    is_expired = fields.Boolean()
    expires_at = fields.DateTime(
        allow_none=True, metadata={"description": "Nothing while nobody has the link."}
    )
    created_at = fields.DateTime()
    batch = fields.Integer(attribute="batch_id", allow_none=True)
    user = fields.Integer(
        attribute="user_id", allow_none=True, metadata={"description": "Who came of it."}
    )


class InvitationsOutput(Output):
    """A page of invitations."""

    invitations = fields.List(fields.Nested(InvitationOutput))
    next = fields.String(allow_none=True)


class GroupInput(Input):
    """A new group."""

    name = fields.String(required=True, validate=validate.Length(1, LONGEST_NAME))
    description = fields.String(load_default="", validate=validate.Length(max=200))


class GroupOutput(Output):
    """A device group."""

    id = fields.Integer()
    name = fields.String()
    description = fields.String()
    other_names = fields.List(fields.String())


class GroupsOutput(Output):
    """All groups, by name."""

    groups = fields.List(fields.Nested(GroupOutput))


class RoleOutput(Output):
    """A role. may_give: whether the token's user may give it."""

    id = fields.Integer()
    name = fields.String()
    description = fields.String()
    rank = fields.Integer()
    permissions = fields.List(fields.String())
    may_give = fields.Boolean()


class RolesOutput(Output):
    """All roles, the highest first."""

    roles = fields.List(fields.Nested(RoleOutput))


class EventOutput(Output):
    """An entry of the audit log. seq: its place in the sealed chain."""

    seq = fields.Integer()
    at = fields.DateTime()
    action = fields.String()
    sentence = fields.String()
    actor = fields.String()
    actor_id = fields.Integer(allow_none=True)
    subject = fields.String()
    subject_type = fields.String()
    subject_id = fields.Integer(allow_none=True)
    address = fields.String()
    count = fields.Integer()
    details = fields.Dict(keys=fields.String())


class EventsOutput(Output):
    """A page of the audit log, in the order of sealing."""

    events = fields.List(fields.Nested(EventOutput))
    next = fields.String(allow_none=True)


class TokenOutput(Output):
    """An API token."""

    id = fields.Integer()
    name = fields.String()
    permissions = fields.List(fields.String())
    may_make_admins = fields.Boolean()
    created_at = fields.DateTime()
    expires_at = fields.DateTime()
    seen_at = fields.DateTime(allow_none=True)


class TokensOutput(Output):
    """The tokens of the user, the newest first. current: the id of this one."""

    tokens = fields.List(fields.Nested(TokenOutput))
    current = fields.Integer()
