"""The schema of a device group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from webapp.core.directory import ALL_GROUPS, fold


class GroupName(fields.String):
    """A name for a device group (docs/rules.md, "Words")."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        name = " ".join(str(value or "").split())
        if not name:
            raise ValidationError("Type a name for the group.")
        if len(name) > 80:
            raise ValidationError("A group’s name has at most 80 characters.")
        if "," in name or any(ord(c) < 32 for c in str(value).strip()):
            raise ValidationError("A group’s name holds no comma and no line break: files separate groups by commas.")
        if name[0] in "=+-@":
            raise ValidationError("A group’s name does not begin with =, +, - or @: spreadsheets would read it as a formula.")
        if fold(name) == fold(ALL_GROUPS):
            raise ValidationError("“All groups” is taken: it means access to every group.")
        return name


class GroupSchema(Schema):
    """`load({"name": ..., "description": ...})`; raises ValidationError with sentences by field."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    name = GroupName(required=True)
    description = fields.String(load_default="")
