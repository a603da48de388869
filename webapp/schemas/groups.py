"""The schema of a device group."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema

from webapp.schemas.names import Description, Name


class GroupSchema(Schema):
    """`load({"name": ..., "description": ...})`; raises ValidationError with sentences by field."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    name = Name("group", required=True)
    description = Description(load_default="")
