"""The schema of an action on people, and who was chosen for it."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import ValidationError, fields, post_load

from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Ref
from webapp.schemas.forms import FormSchema

ALL = "all"
"""Among the groups: the explicit All groups."""
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
        groups = frozenset(_read_id(text, "Choose groups from the list.") for text in named - {ALL})
        if do in (Do.ADD_GROUPS, Do.REMOVE_GROUPS) and not named:
            raise ValidationError("Choose at least one group.")
        if everything and groups:
            raise ValidationError("Choose All groups, or single groups.")
        role = _read_id(values["role"], "Choose a role.") if do is Do.SET_ROLE else None
        return Action(do, role, groups, everything)


def _read_id(text: str, sentence: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValidationError(sentence)
    return int(text)


def parse_people(text: str) -> frozenset[Ref]:
    """ "user-12,invitation-5" -> {("user", 12), ("invitation", 5)}. Raises ValidationError."""
    people = frozenset((kind, int(number)) for kind, number in _PERSON.findall(text))
    if not people:
        raise ValidationError({"people": [NOBODY]})
    return people
