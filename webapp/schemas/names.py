"""What a name of a group or a role may be (docs/rules.md, "Words"), and the line that describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from webapp.core.plan.registry import ALL_GROUPS, fold

LONGEST = 80
LONGEST_DESCRIPTION = 200


class Name(fields.String):
    """A name that files can say. noun: what it names, for the sentences."""

    def __init__(self, noun: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noun = noun

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        name = " ".join(str(value or "").split())
        if not name:
            raise ValidationError(f"Type a name for the {self.noun}.")
        if len(name) > LONGEST or len(fold(name)) > LONGEST:
            raise ValidationError(f"A {self.noun}’s name has at most {LONGEST} characters.")
        if "," in name or any(ord(c) < 32 for c in str(value).strip()):
            why = ": files separate groups by commas" if self.noun == "group" else ""
            raise ValidationError(f"A {self.noun}’s name holds no comma and no line break{why}.")
        if name[0] in "=+-@":
            raise ValidationError(
                f"A {self.noun}’s name does not begin with =, +, - or @: spreadsheets would read it as a formula."
            )
        if fold(name) == fold(ALL_GROUPS):
            raise ValidationError("“All groups” is taken: it means access to every group.")
        return name


class Description(fields.String):
    """One line that may be blank."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text = "".join(c for c in " ".join(str(value or "").split()) if c.isprintable())
        if len(text) > LONGEST_DESCRIPTION:
            raise ValidationError(f"Use at most {LONGEST_DESCRIPTION} characters.")
        return text
