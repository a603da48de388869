"""The schema of an action on people, and of who was chosen for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Ref

ALL = "all"
"""Among the groups: the explicit All groups."""
WHAT = "Choose what to do to these people."
NOBODY = "No one was chosen. Tick the people in the list, and choose what to do."
_ID = re.compile(r"[1-9][0-9]{0,8}")
_PERSON = re.compile(r"(user|invitation)-([1-9][0-9]{0,8})")


def _id(text: Any, sentence: str) -> int:
    if not _ID.fullmatch(str(text)):
        raise ValidationError(sentence)
    return int(text)


class _Role(fields.Field[int | None]):
    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int | None:
        return _id(value, "Choose a role.") if value else None


class _Groups(fields.Field[tuple[set[int], bool]]):
    """Ids, or the word "all" among them."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> tuple[set[int], bool]:
        given = [text for text in value if text]
        return {
            _id(text, "Choose groups from the list.") for text in given if text != ALL
        }, ALL in given


class ActionSchema(Schema):
    """`load({"do": "set_groups", "role": "", "groups": ["3", "7"]})` -> an Action."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    do = fields.Enum(
        Do, by_value=True, required=True, error_messages={"required": WHAT, "unknown": WHAT}
    )
    role = _Role(load_default=None)
    groups = _Groups(load_default=(frozenset(), False))

    @post_load
    def _action(self, values: dict[str, Any], **kwargs: Any) -> Action:
        do, (groups, everything) = values["do"], values["groups"]
        if do is Do.SET_ROLE and values["role"] is None:
            raise ValidationError("Choose a role.", "role")
        if do in (Do.ADD_GROUPS, Do.REMOVE_GROUPS) and not groups and not everything:
            raise ValidationError("Choose at least one group.", "groups")
        if everything and groups:
            raise ValidationError("Choose All groups, or single groups.", "groups")
        return Action(
            do, values["role"] if do is Do.SET_ROLE else None, frozenset(groups), everything
        )


class _People(fields.Field[frozenset[Ref]]):
    """ "user-12,invitation-5" -> {("user", 12), ("invitation", 5)}."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> frozenset[Ref]:
        found = [_PERSON.fullmatch(word.strip()) for word in str(value).split(",") if word.strip()]
        if not found or not all(found):
            raise ValidationError(NOBODY)
        return frozenset((match[1], int(match[2])) for match in found if match)


class ChosenSchema(Schema):
    """`load({"people": "user-12,invitation-5"})["people"]`."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    people = _People(required=True, error_messages={"required": NOBODY})
