"""The schema of how a batch is applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Range

from webapp.core.planning import Mode

LONGEST_MESSAGE = 1000
"""Characters."""
DAYS = "Type a number of days from 1 to 365."


class Words(fields.String):
    """Plain text on several lines, as it was typed but for what cannot be seen: control characters, and space around it."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        lines = str(value or "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        text = "\n".join("".join(c for c in line if c.isprintable() or c == "\t").rstrip() for line in lines).strip()
        if len(text) > LONGEST_MESSAGE:
            raise ValidationError(f"Use at most {LONGEST_MESSAGE:,} characters; this has {len(text):,}.")
        return text


class OptionsSchema(Schema):
    """`load({"mode": "add"})` -> {"mode": Mode.ADD}; what is absent is left as it is."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    mode = fields.Enum(Mode, by_value=True, error_messages={"unknown": "Choose Replace, Add or Remove."})
    change_roles = fields.Boolean()
    skip_errors = fields.Boolean()
    valid_days = fields.Integer(validate=Range(1, 365, error=DAYS), error_messages={"invalid": DAYS, "too_large": DAYS})
    message = Words()
