"""Fields and bases of what programs send and get."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields, validate

from webapp.core.lists.paging import LARGEST
from webapp.core.text.formatting import LONGEST_MESSAGE, as_typed

LIMIT = 100
MOST = 500
"""Things on one page: where nothing is said, and at most."""


class Input(Schema):
    """The base of what programs send."""

    class Meta(Schema.Meta):
        unknown = RAISE


class Output(Schema):
    """The base of what programs get: every field is there, and later versions may add some."""

    class Meta(Schema.Meta):
        unknown = INCLUDE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = True


class Truth(fields.Boolean):
    """true or false, and nothing that only looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Whole(fields.Integer):
    """A whole number in JSON: no text, no truth value."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> int:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or value != value or value in (float("inf"), float("-inf")):
            raise self.make_error("invalid")
        if int(value) != value:
            raise self.make_error("invalid")
        return int(value)


class Typed(fields.String):
    """Text of several lines, as `core.text.formatting.as_typed` keeps it, with as many characters as an e-mail's words have."""

    def __init__(self, **more: Any) -> None:
        super().__init__(metadata={"maxLength": LONGEST_MESSAGE}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = as_typed(super()._deserialize(value, attr, data, **more))
        if len(text) > LONGEST_MESSAGE:
            raise ValidationError(f"Use at most {LONGEST_MESSAGE:,} characters.")
        return text


def number(**more: Any) -> fields.Integer:
    """A number of a query that the database can store."""
    return fields.Integer(validate=validate.Range(1, LARGEST), **more)


class PageQuery(Input):
    """Which part of a list: what comes after this one, and how many."""

    after = number(metadata={"description": "Go on after this one."})
    limit = fields.Integer(
        validate=validate.Range(1, MOST),
        load_default=LIMIT,
        metadata={"description": "How many at most."},
    )


class NothingQuery(Input):
    """No query."""


class FaultOutput(Output):
    """One thing that is wrong with what was sent."""

    class Meta(Output.Meta):
        pass

    pointer = fields.String(metadata={"description": "A JSON pointer into what was sent."})
    detail = fields.String()


class ProblemOutput(Output):
    """What went wrong (RFC 9457)."""

    type = fields.String(metadata={"description": "about:blank, or urn:muster: and a name."})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    request = fields.String(metadata={"description": "The id of the request in Muster’s log."})
    errors = fields.List(fields.Nested(FaultOutput))


class PersonOutput(Output):
    """Who did something."""

    id = fields.Integer()
    name = fields.String()
