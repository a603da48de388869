"""The schemas of what pages ask of batches: how one is applied, an action on people, and a block of pasted cells."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate

from webapp.core.lists.paging import LARGEST, read_number
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Mode, Ref
from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed
from webapp.schemas.forms import FormSchema
from webapp.schemas.rows import FIELDS

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
        validate=validate.Range(1, 365, error=DAYS),
        error_messages={"invalid": DAYS, "too_large": DAYS},
    )
    message = fields.Function(deserialize=_clean_message)


# Actions on people

ALL = "all"
"""What a form sends among the groups for All groups."""
WHAT = "Choose what to do to these people."
NOBODY = "No one was chosen. Tick the people in the list, and choose what to do."
_PERSON = re.compile(r"\b(user|invitation)-([1-9][0-9]{0,8})\b")


class ActionSchema(FormSchema):
    """`load({"do": "set_groups", "role": "", "groups": ["3", "7"]})` -> an Action."""

    do = fields.Enum(
        Do, by_value=True, required=True, error_messages={"required": WHAT, "unknown": WHAT}
    )
    role = fields.String(load_default="")
    groups = fields.List(fields.String(), load_default=[])

    @post_load
    def _make_action(self, values: dict[str, Any], **_: Any) -> Action:
        do = values["do"]
        named = {text for text in values["groups"] if text}
        everything = ALL in named
        groups = frozenset(read_number(text) or 0 for text in named - {ALL})  # 0: there is none
        if do in (Do.ADD_GROUPS, Do.REMOVE_GROUPS) and not named:
            raise ValidationError("Choose at least one group.")
        if everything and groups:
            raise ValidationError("Choose All groups, or single groups.")
        role = None
        if do is Do.SET_ROLE:
            role = read_number(values["role"])
            if not role:
                raise ValidationError("Choose a role.")
        return Action(do, role, groups, everything)


def parse_people(text: str) -> frozenset[Ref]:
    """ "user-12,invitation-5" -> {("user", 12), ("invitation", 5)}. Raises ValidationError."""
    people = frozenset((kind, int(number)) for kind, number in _PERSON.findall(text))
    if not people:
        raise ValidationError({"people": [NOBODY]})
    return people


# Pasted cells

MOST_LINES = 10_000
"""Lines of one paste: about what the 500 kB of a form hold."""


class CellSchema(FormSchema):
    """One cell of a block."""

    row_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, LARGEST))
    field = fields.String(required=True, validate=validate.OneOf(FIELDS))
    value = fields.String(required=True)
    seen = fields.String(required=True)


class LineSchema(FormSchema):
    """A line that found no row to go into."""

    email = fields.String()
    name = fields.String()
    role = fields.String()
    groups = fields.String()


class BlockSchema(FormSchema):
    """`loads(json)` -> {"cells": [{"row_id", "field", "value", "seen"}, ...], "lines": [{"email", ...}, ...]}.

    lines: those that are left when every row has its line.
    """

    cells = fields.List(fields.Nested(CellSchema), load_default=list)
    lines = fields.List(
        fields.Nested(LineSchema), load_default=list, validate=validate.Length(max=MOST_LINES)
    )
