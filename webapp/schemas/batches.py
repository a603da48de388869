"""The schema of how a batch is applied."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields

from webapp.core.planning import Mode


class OptionsSchema(Schema):
    """`load({"mode": "add"})` -> {"mode": Mode.ADD}; what is absent is left as it is."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    mode = fields.Enum(Mode, by_value=True, error_messages={"unknown": "Choose Replace, Add or Remove."})
    change_roles = fields.Boolean()
    skip_errors = fields.Boolean()
