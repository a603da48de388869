"""What programs send and get of batches and their rows."""

from __future__ import annotations

from marshmallow import fields, validate

from webapp.core.plan.planner import Mode, Plan
from webapp.models import BatchKind, BatchState, Outcome
from webapp.schemas.api.fields import (
    LIMIT,
    MOST,
    Input,
    Output,
    PageQuery,
    PersonOutput,
    Truth,
    Typed,
    Whole,
    number,
)
from webapp.schemas.rows import FIELDS

USES = (*FIELDS, "member", "")
"""What a column can be used as; "member": its ticks make members of the group that it is named like."""


class OptionsInput(Input):
    """How a batch is applied. What is left out stays as it is, or is as the settings say."""

    mode = fields.Enum(
        Mode, by_value=True, metadata={"description": "What happens to groups people have."}
    )
    change_roles = Truth()
    skip_errors = Truth()
    valid_days = Whole(validate=validate.Range(1, 365))
    message = Typed()


class RowInput(Input):
    """One person."""

    email = fields.String(required=True)
    name = fields.String(load_default="")
    role = fields.String(required=True)
    groups = fields.List(fields.String(), load_default=list)


class BatchInput(Input):
    """Rows to stage, and how they are applied."""

    name = fields.String(load_default="Rows of a program", validate=validate.Length(1, 200))
    rows = fields.List(fields.Nested(RowInput), required=True, validate=validate.Length(1))
    options = fields.Nested(OptionsInput, load_default=dict)


class BatchFileInput(Input):
    """A file to stage, as multipart/form-data. options: JSON."""

    file = fields.Raw(required=True, metadata={"type": "string", "format": "binary"})
    options = fields.String(metadata={"description": "Options as JSON."})


class BatchQuery(Input):
    """How something is staged."""

    split = fields.Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata={"description": "Split what is too long into several batches."},
    )


class BatchesQuery(Input):
    """Which batches."""

    before = number(metadata={"description": "Go on before this one: the newest come first."})
    limit = fields.Integer(validate=validate.Range(1, MOST), load_default=LIMIT)
    kind = fields.Enum(BatchKind, by_value=True)
    state = fields.Enum(BatchState, by_value=True)


class RowsQuery(PageQuery):
    """Which rows: after this line, of a plan or an outcome."""

    plan = fields.Enum(Plan, by_value=True)
    outcome = fields.Enum(Outcome, by_value=True)


class RowPatch(Input):
    """Cells of a row that change."""

    email = fields.String()
    name = fields.String()
    role = fields.String()
    groups = fields.List(fields.String())


class ColumnsInput(Input):
    """What the columns of a file hold, from the first on."""

    columns = fields.List(fields.String(validate=validate.OneOf(USES)), required=True)
    sheet = fields.String(load_default=None, allow_none=True)
    header_row = Whole(load_default=None, allow_none=True, validate=validate.Range(0, 1_000_000))
    role = fields.String(load_default="", metadata={"description": "The one role of all rows."})
    remember = Truth(load_default=False)


class ConfirmationInput(Input):
    """number: how many people it is for, where an action is for so many that this has to be said."""

    number = Whole(validate=validate.Range(0, 1_000_000))


class TidyUpInput(Input):
    """ids: which fixes; where it is left out, all that are safe."""

    ids = fields.List(fields.String())


class MissingQuery(Input):
    """Whom the upload is compared with."""

    scope = fields.String(required=True, metadata={"description": "earlier, group-3 or role-2."})


class MissingInput(Input):
    """Whom the upload is compared with."""

    scope = fields.String(required=True)


# Got


class OptionsOutput(Output):
    """How a batch is applied."""

    mode = fields.Enum(Mode, by_value=True)
    change_roles = fields.Boolean()
    skip_errors = fields.Boolean()
    valid_days = fields.Integer()
    message = fields.String()


class CountsOutput(Output):
    """How many rows have each plan."""

    invite = fields.Integer()
    update = fields.Integer()
    unchanged = fields.Integer()
    attention = fields.Integer()
    duplicate = fields.Integer()


class BatchSummaryOutput(Output):
    """A batch in a list."""

    id = fields.Integer()
    kind = fields.Enum(BatchKind, by_value=True)
    state = fields.Enum(BatchState, by_value=True)
    name = fields.String()
    options = fields.Nested(OptionsOutput)
    rows = fields.Integer(metadata={"description": "How many rows are not removed."})
    counts = fields.Nested(CountsOutput)
    to_send = fields.Integer(metadata={"description": "Rows that confirming would act on."})
    administrators = fields.Integer(
        metadata={"description": "How many would come to manage people."}
    )
    number_needed = fields.Boolean(metadata={"description": "Whether confirming takes `number`."})
    reading = fields.String(metadata={"description": "How the file was read."})
    uploaded_by = fields.Nested(PersonOutput)
    confirmed_by = fields.Nested(PersonOutput, allow_none=True)
    created_at = fields.DateTime()
    confirmed_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)
    page = fields.String(metadata={"description": "Where a person sees it."})


class BatchOutput(BatchSummaryOutput):
    """A batch, as far as it has come."""

    outcomes = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "description": "How many rows came to which outcome; none before it is confirmed."
        },
    )
    parts = fields.List(
        fields.Integer(), metadata={"description": "All parts of a file that was split."}
    )


class BatchesOutput(Output):
    """A page of batches, the newest first."""

    batches = fields.List(fields.Nested(BatchSummaryOutput))
    next = fields.String(allow_none=True)


class IssueOutput(Output):
    """What is wrong with a cell."""

    field = fields.String()
    code = fields.String()
    text = fields.String()
    suggestion = fields.String(allow_none=True)


class AccessOutput(Output):
    """A role, and groups; “All groups” is one of them."""

    role = fields.String()
    groups = fields.List(fields.String())


class RowOutput(Output):
    """A row: its cells, what is wrong with them, what confirming would do, and what was done."""

    id = fields.Integer()
    line = fields.Integer()
    email = fields.String()
    name = fields.String()
    role = fields.String()
    groups = fields.List(fields.String())
    plan = fields.Enum(Plan, by_value=True)
    issues = fields.List(fields.Nested(IssueOutput))
    person = fields.String(allow_none=True, metadata={"description": "user-12 or invitation-5."})
    before = fields.Nested(AccessOutput, allow_none=True)
    after = fields.Nested(AccessOutput, allow_none=True)
    outcome = fields.Enum(Outcome, by_value=True, allow_none=True)
    reason = fields.String()
    done_at = fields.DateTime(allow_none=True)
    invitation = fields.Integer(allow_none=True)


class RowsOutput(Output):
    """A page of rows."""

    rows = fields.List(fields.Nested(RowOutput))
    next = fields.String(allow_none=True)


class ColumnOutput(Output):
    """A column of the file, and what it holds, or seems to hold."""

    name = fields.String()
    use = fields.String(metadata={"description": "Empty: it is not used."})
    state = fields.String(metadata={"description": "recognised, guess, or empty."})
    samples = fields.List(fields.String())


class ColumnsOutput(Output):
    """The columns of a file."""

    sheets = fields.List(fields.String())
    sheet = fields.String()
    header_row = fields.Integer(allow_none=True)
    columns = fields.List(fields.Nested(ColumnOutput))
    refusal = fields.String(metadata={"description": "Why it cannot be read so, or empty."})


class FixOutput(Output):
    """The same repair in all its rows."""

    id = fields.String()
    kind = fields.String()
    field = fields.String()
    old = fields.String()
    new = fields.String()
    lines = fields.List(fields.Integer())
    is_safe = fields.Boolean()


class FixesOutput(Output):
    """What can be repaired."""

    fixes = fields.List(fields.Nested(FixOutput))


class TidiedOutput(Output):
    """What was repaired, and the batch as it is now."""

    fixed = fields.Integer()
    rows = fields.Integer()
    left_out = fields.Integer()
    batch = fields.Nested(BatchOutput)


class MissingOutput(Output):
    """Who is not in the upload."""

    scope = fields.String()
    size = fields.Integer(metadata={"description": "How many people the scope has."})
    people = fields.List(fields.String())
    scopes = fields.Dict(keys=fields.String(), values=fields.String())


class ReportOutput(Output):
    """How far a batch has come."""

    state = fields.Enum(BatchState, by_value=True)
    outcomes = fields.Dict(keys=fields.String(), values=fields.Integer())
    joined = fields.Integer()
    pending = fields.Integer()
    rows = fields.String(metadata={"description": "Where the rows are, with their outcomes."})


class RetriesOutput(Output):
    """How many e-mails were queued again."""

    retried = fields.Integer()
