"""The schema of a block of cells, as the review grid sends it."""

from __future__ import annotations

from marshmallow import fields, validate

from webapp.core.lists.paging import LARGEST
from webapp.schemas.forms import FormSchema
from webapp.schemas.rows import FIELDS

MOST = 10_000
"""Cells, and lines, of one paste: more than a page shows, and about what the 500 kB of a form hold."""


class CellSchema(FormSchema):
    """One cell of a block."""

    row_id = fields.Integer(required=True, strict=True, validate=validate.Range(1, LARGEST))
    field = fields.String(required=True, validate=validate.OneOf(FIELDS))
    value = fields.String(required=True)
    seen = fields.String(required=True)


class LineSchema(FormSchema):
    """A line that found no row to go into."""

    email = fields.String()
    role = fields.String()
    groups = fields.String()


class BlockSchema(FormSchema):
    """`loads(json)` -> {"cells": [{"row_id", "field", "value", "seen"}, ...], "lines": [{"email", ...}, ...]}.

    lines: those that are left when every row has its line.
    """

    cells = fields.List(
        fields.Nested(CellSchema), load_default=list, validate=validate.Length(max=MOST)
    )
    lines = fields.List(
        fields.Nested(LineSchema), load_default=list, validate=validate.Length(max=MOST)
    )
