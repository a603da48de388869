"""The schema of how a batch is applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Range

from webapp.core.plan.planner import Mode
from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed

DAYS = "Type a number of days from 1 to 365."


class Words(fields.String):
    """Words of one's own, on several lines."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = as_typed(str(value or ""))
        if len(text) > LONGEST_MESSAGE:
            raise ValidationError(
                f"Use at most {LONGEST_MESSAGE:,} characters; this has {len(text):,}."
            )
        return text


class OptionsSchema(Schema):
    """`load({"mode": "add"})` -> {"mode": Mode.ADD}; what is absent is left as it is."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    mode = fields.Enum(
        Mode, by_value=True, error_messages={"unknown": "Choose Replace, Add or Remove."}
    )
    change_roles = fields.Boolean()
    skip_errors = fields.Boolean()
    valid_days = fields.Integer(
        validate=Range(1, 365, error=DAYS), error_messages={"invalid": DAYS, "too_large": DAYS}
    )
    message = Words()
