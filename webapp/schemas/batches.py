"""The schema of how a batch is applied."""

from __future__ import annotations

from marshmallow import ValidationError, fields
from marshmallow.validate import Range

from webapp.core.plan.planner import Mode
from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed
from webapp.schemas.forms import FormSchema

DAYS = "Type a number of days from 1 to 365."


def _clean_message(value: str) -> str:
    text = as_typed(value)
    if len(text) > LONGEST_MESSAGE:
        raise ValidationError(
            f"Use at most {LONGEST_MESSAGE:,} characters; this has {len(text):,}."
        )
    return text


class OptionsSchema(FormSchema):
    """`load({"mode": "add"})` -> {"mode": Mode.ADD}; what is absent is left as it is."""

    mode = fields.Enum(
        Mode, by_value=True, error_messages={"unknown": "Choose Replace, Add or Remove."}
    )
    change_roles = fields.Boolean()
    skip_errors = fields.Boolean()
    valid_days = fields.Integer(
        validate=Range(1, 365, error=DAYS), error_messages={"invalid": DAYS, "too_large": DAYS}
    )
    message = fields.Function(deserialize=_clean_message)
