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
_ID = re.compile(r"[1-9][0-9]{0,8}")
_PERSON = re.compile(r"(user|invitation)-([1-9][0-9]{0,8})")


def _read_role(text: str) -> int | None:
    return _read_id(text, "Choose a role.") if text else None


def _read_groups(texts: list[str]) -> tuple[frozenset[int], bool]:
    """Ids, and whether the word "all" is among them."""
    ids = [text for text in texts if text and text != ALL]
    return frozenset(_read_id(text, "Choose groups from the list.") for text in ids), ALL in texts


def _read_id(text: Any, sentence: str) -> int:
    if not _ID.fullmatch(str(text)):
        raise ValidationError(sentence)
    return int(text)


class ActionSchema(FormSchema):
    """`load({"do": "set_groups", "role": "", "groups": ["3", "7"]})` -> an Action."""

    do = fields.Enum(
        Do, by_value=True, required=True, error_messages={"required": WHAT, "unknown": WHAT}
    )
    role = fields.Function(deserialize=_read_role, load_default=None)
    groups = fields.Function(deserialize=_read_groups, load_default=(frozenset(), False))

    @post_load
    def _make_action(self, values: dict[str, Any], **_: Any) -> Action:
        do, role, (groups, everything) = values["do"], values["role"], values["groups"]
        if do is Do.SET_ROLE and role is None:
            raise ValidationError("Choose a role.", "role")
        if do in (Do.ADD_GROUPS, Do.REMOVE_GROUPS) and not groups and not everything:
            raise ValidationError("Choose at least one group.", "groups")
        if everything and groups:
            raise ValidationError("Choose All groups, or single groups.", "groups")
        return Action(do, role if do is Do.SET_ROLE else None, groups, everything)


def read_people(text: str) -> frozenset[Ref]:
    """ "user-12,invitation-5" -> {("user", 12), ("invitation", 5)}. Raises ValidationError."""
    people: set[Ref] = set()
    for word in filter(None, map(str.strip, text.split(","))):
        match = _PERSON.fullmatch(word)
        if not match:
            raise ValidationError({"people": [NOBODY]})
        people.add((match[1], int(match[2])))
    if not people:
        raise ValidationError({"people": [NOBODY]})
    return frozenset(people)
