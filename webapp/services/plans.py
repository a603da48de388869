"""Plans of a batch's rows: the schema and the planner put to work on what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import ColumnElement, and_, exists, select, update

from webapp.core.directory import Registry
from webapp.core.planning import Candidate, Issue, Plan, Policy, Step, plan
from webapp.db import among, db, utcnow
from webapp.models import Batch, BatchState, Invitation, InvitationState, Row, User
from webapp.schemas.rows import FIELDS, RowSchema
from webapp.services import directory


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a row's cells and the directory together say of it. issues: `Issue.as_dict()` each."""

    email_key: str | None
    issues: list[dict[str, Any]]
    step: Step

    def values(self) -> dict[str, Any]:
        """Column values of `Row`."""
        fields = dict.fromkeys(issue["field"] for issue in self.issues)
        return {
            "email_key": self.email_key,
            "issues": self.issues,
            "problems": f",{','.join(fields)}," if fields else "",
            "likely_domain": self.step.likely_domain,
            "plan": self.step.plan,
            "step": self.step.as_dict(),
        }


def policy_of(batch: Batch, by: User, registry: Registry) -> Policy:
    """How this batch is applied when `by` confirms it."""
    return Policy(
        registry=registry,
        rank=by.role.rank,
        protected=frozenset({by.id, batch.uploaded_by_id}),
        mode=batch.mode,
        change_roles=batch.change_roles,
        skip_errors=batch.skip_errors,
    )


def judged(
    cells: Iterable[tuple[int, Mapping[str, str]]],
    policy: Policy,
    *,
    part_of: Mapping[int, int] | None = None,
    batch: Batch | None = None,
) -> dict[int, Judgement]:
    """Judge (line, cells) pairs, given in the order of lines; six queries, however many rows. By line.

    part_of: the part that each line goes to, where a long file is split. batch: whose rows they are, for its other parts.
    """
    schema = RowSchema(policy.registry)
    own = batch.part if batch else 1
    candidates = [candidate(schema, line, row, part_of[line] if part_of else own) for line, row in cells]
    keys = {c.email_key for c in candidates if c.email_key}
    elsewhere = _in_other_parts(batch, keys, schema) if batch and batch.parts > 1 else []
    steps = plan(candidates, directory.people(keys), policy, elsewhere)
    return {c.line: _judgement(c, steps[c.line]) for c in candidates}


def _in_other_parts(batch: Batch, keys: Collection[str], schema: RowSchema) -> list[Candidate]:
    """The rows with these e-mails in other parts of the same file, as far as they still act; one query."""
    query = (
        select(Row.line, Row.email, Row.role, Row.groups, Row.plan, Row.issues, Batch.part, Batch.state, Batch.skip_errors)
        .join(Batch, Batch.id == Row.batch_id)
        .where(_other_parts(batch), Row.removed_at.is_(None), among(Row.email_key, sorted(keys)))
        .where(Batch.state.in_([BatchState.REVIEWING, BatchState.QUEUED, BatchState.PROCESSING, BatchState.PAUSED]))
    )
    found = []
    for line, email, role, groups, planned, issues, part, state, skip_errors in db.session.execute(query):
        if state is BatchState.REVIEWING:
            acts = not (skip_errors and any(issue["code"] != "twin" for issue in issues))
        else:
            acts = planned in (Plan.INVITE, Plan.UPDATE, Plan.UNCHANGED)
        if acts:
            found.append(candidate(schema, line, {"email": email, "role": role, "groups": groups}, part))
    return found


def _other_parts(batch: Batch) -> ColumnElement[bool]:
    return and_(Batch.parts_id == batch.parts_id, Batch.id != batch.id)


def unsettle_parts(batch: Batch, keys: Collection[str] | None = None) -> None:
    """Part of a command that changed rows with these e-mail keys, or (None) any: other parts that hold them under review
    are planned anew when they are next looked at or confirmed."""
    if batch.parts == 1:
        return
    affected = update(Batch).where(_other_parts(batch), Batch.state == BatchState.REVIEWING)
    if keys is not None:
        siblings = select(Batch.id).where(_other_parts(batch))
        affected = affected.where(
            Batch.id.in_(select(Row.batch_id).where(Row.batch_id.in_(siblings), among(Row.email_key, sorted(keys))))
        )
    db.session.execute(affected.values(directory_version=-1), execution_options={"synchronize_session": False})


def _judgement(row: Candidate, step: Step) -> Judgement:
    issues = dict.fromkeys((*row.issues, *step.issues))
    return Judgement(row.email_key, [issue.as_dict() for issue in issues], step)


def candidate(schema: RowSchema, line: int, cells: Mapping[str, str], part: int = 1) -> Candidate:
    """One row by the schema alone; a broken one keeps its e-mail key, for its twins."""
    issues: tuple[Issue, ...] = ()
    try:
        good = schema.load(cells)
    except ValidationError as error:
        good = error.valid_data
        messages: Mapping[str, list[Issue]] = error.messages_dict
        issues = tuple(issue for field in FIELDS for issue in messages.get(field, ()))
    email, role, wish = good.get("email"), good.get("role"), good.get("groups")
    return Candidate(
        line,
        email.key if email else None,
        email.domain if email else "",
        role.id if role else None,
        wish.groups if wish else None,
        wish.everything if wish else False,
        issues,
        part,
    )


def are_stale(batch: Batch) -> bool:
    """Whether the stored plans are older than the directory: it has moved, or an invitation has expired since."""
    if batch.directory_version != directory.version():
        return True
    expired = Invitation.expires_at.between(batch.planned_at, utcnow()) & (Invitation.state == InvitationState.PENDING)
    return bool(db.session.scalar(select(exists().where(expired))))


def standing_rows(batch: Batch) -> list[Row]:
    """The rows that were not removed, in the file's order."""
    return list(db.session.scalars(select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None)).order_by(Row.line)))


def judged_again(batch: Batch, rows: Sequence[Row], by: User | None = None) -> dict[int, Judgement]:
    """Judge stored rows anew, for who is assumed to confirm. Twins must be among the rows. By line."""
    by = by or batch.planned_for
    policy = policy_of(batch, by, directory.registry(by))
    return judged(((row.line, {field: row.cell(field) for field in FIELDS}) for row in rows), policy, batch=batch)


def stale(rows: Sequence[Row], judgements: Mapping[int, Judgement]) -> list[Row]:
    """Those rows whose stored plan is no longer what the judgement says."""
    return [row for row in rows if any(getattr(row, k) != v for k, v in judgements[row.line].values().items())]


def store(batch: Batch, rows: Sequence[Row], judgements: Mapping[int, Judgement]) -> None:
    """Part of a command: write the judgements of these rows, and keep the batch's counts true."""
    changed = stale(rows, judgements)
    if not changed:
        return
    for row in changed:
        count(batch, row.plan, row.step, row.problems, -1)
    db.session.execute(update(Row), [{"id": row.id, **judgements[row.line].values()} for row in changed])
    for row in changed:
        values = judgements[row.line].values()
        count(batch, values["plan"], values["step"], values["problems"], +1)
        db.session.expire(row, list(values))


def count(batch: Batch, plan: str, step: Mapping[str, Any], problems: str, by: int) -> None:
    """Part of a command: move the batch's counts by one row: its plan, its marks, "problem:role" and the like, and
    "misspelt" where its domain probably is; that is no problem, and only counted for `bulk.offers` to know of it."""
    counts = Counter(batch.counts)
    fields = (f"problem:{field}" for field in problems.strip(",").split(",") if field)
    misspelt = ("misspelt",) if "likely_domain" in step else ()
    for key in (str(plan), *step.get("marks", ()), *fields, *misspelt):
        counts[key] += by
    batch.counts = {key: n for key, n in counts.items() if n}
