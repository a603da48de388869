"""The schema of the audit log's filter, as the address has it."""

from __future__ import annotations

from datetime import date

from marshmallow import fields, validate

from webapp.core.lists.paging import LONGEST_SEARCH
from webapp.schemas.forms import FormSchema

ITSELF = "muster"
"""Who did it, where nobody did."""

_ANY_DAY = validate.Range(
    date(1970, 1, 1),
    date(9000, 1, 1),
)


class LogFilterSchema(FormSchema):
    """`load({"action": "people", "days": "7"})` -> the same with a number. Fields that are missing leave out nothing.

    action: a key of `browse.AREAS`, `browse.REFUSALS`, or one action by its own name. by: a user's id, or ITSELF. about: a
    table and an id. days: so many up to now. first, last: days in the portal's time zone.
    """

    q = fields.String(
        validate=validate.Length(1, LONGEST_SEARCH),
    )
    action = fields.String(
        validate=validate.Length(1),
    )
    by = fields.String(
        validate=validate.Regexp(rf"({ITSELF}|[0-9]{{1,9}})\Z"),
    )
    about = fields.String(
        validate=validate.Regexp(r"[a-z]+-[0-9]{1,9}\Z"),
    )
    days = fields.Integer(
        validate=validate.Range(1, 36_500),
    )
    first = fields.Date(data_key="from", validate=_ANY_DAY)
    last = fields.Date(data_key="to", validate=_ANY_DAY)
