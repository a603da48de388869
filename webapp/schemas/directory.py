"""The schemas of device groups and roles, and what their names may be (docs/rules.md, "Words")."""

from __future__ import annotations

from functools import partial
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from webapp.core.plan.registry import ALL_GROUPS, fold
from webapp.core.security.permissions import GIVABLE, OWNER_RANK, Permission, with_needs
from webapp.schemas.forms import FormSchema

LONGEST = 80
LONGEST_DESCRIPTION = 200
RANKS = f"A rank is a number from 1 to {OWNER_RANK - 1}."


def clean_name(value: Any, noun: str) -> str:
    """A name that files can say. noun: what it names, for the sentences. Raises ValidationError."""
    name = " ".join(str(value).split())
    if not name:
        raise ValidationError(f"Type a name for the {noun}.")
    if len(name) > LONGEST or len(fold(name)) > LONGEST:
        raise ValidationError(f"A {noun}’s name has at most {LONGEST} characters.")
    if "," in name or any(ord(c) < 32 for c in str(value).strip()):
        raise ValidationError(f"A {noun}’s name holds no comma and no line break.")
    if name[0] in "=+-@":
        raise ValidationError(
            f"A {noun}’s name does not begin with =, +, - or @: spreadsheets would read it as a formula."
        )
    if fold(name) == fold(ALL_GROUPS):
        raise ValidationError("“All groups” is taken: it means access to every group.")
    return name


def _clean_description(value: Any) -> str:
    text = "".join(c for c in " ".join(str(value).split()) if c.isprintable())
    if len(text) > LONGEST_DESCRIPTION:
        raise ValidationError(f"Use at most {LONGEST_DESCRIPTION} characters.")
    return text


class GroupSchema(FormSchema):
    """`load({"name": ..., "description": ...})`; raises ValidationError with sentences by field."""

    name = fields.Function(deserialize=partial(clean_name, noun="group"), required=True)
    description = fields.Function(deserialize=_clean_description, load_default="")


class RoleSchema(FormSchema):
    """`load({"name": ..., "rank": ..., "permissions": [...]})`; raises ValidationError with sentences by field.

    Ranks are below the Owner's and need not differ. A permission brings what it is no use without.
    """

    name = fields.Function(deserialize=partial(clean_name, noun="role"), required=True)
    rank = fields.Integer(
        required=True,
        validate=validate.Range(1, OWNER_RANK - 1, error=RANKS),
        error_messages={"invalid": RANKS, "required": RANKS, "null": RANKS, "too_large": RANKS},
    )
    permissions = fields.List(
        fields.String(
            validate=validate.OneOf(GIVABLE, error="Choose among the permissions of this page.")
        ),
        load_default=list,
    )

    @post_load
    def _complete(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        permissions = with_needs(map(Permission, values["permissions"]))
        return values | {"permissions": [permission.value for permission in permissions]}
