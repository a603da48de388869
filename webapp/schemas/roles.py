"""The schema of a role."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load, validate

from webapp.core.security.permissions import GIVABLE, OWNER_RANK, Permission, with_needs
from webapp.schemas.names import Name

RANKS = f"A rank is a number from 1 to {OWNER_RANK - 1}."


class RoleSchema(Schema):
    """`load({"name": ..., "rank": ..., "permissions": [...]})`; raises ValidationError with sentences by field.

    Ranks are below the Owner's and need not differ. A permission brings what it is no use without.
    """

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    name = Name("role", required=True)
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
    def _completed(self, values: dict[str, Any], **_: Any) -> dict[str, Any]:
        permissions = with_needs(map(Permission, values["permissions"]))
        return values | {"permissions": [permission.value for permission in permissions]}
