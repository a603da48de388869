"""The panel of Tidy up: its sections, and what the ticks come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from flask import request

from webapp.core.plan.fixes import A_PERSON, Fix, Fixes, Kind, name_others
from webapp.core.plan.registry import find_name_problem, fold
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.web import current_user, get_number
from webapp.models import Batch
from webapp.services.batches import same_list
from webapp.services.batches.fixes import find_fixes
from webapp.services.batches.tidy_up import CREATE, Choice, TidyUp
from webapp.services.directory import lookup

LISTED = 50
"""Fixes of a kind that are listed each with a tick; one tick stands for the others. New groups are all listed, these with a
choice among the groups that exist."""
FEW = 8


@dataclass(frozen=True, slots=True)
class Section:
    """The fixes of one kind. listed: each with its tick; others: with one tick for all, whose value is the kind.

    shown: how many are in sight; the rest is folded.
    """

    kind: Kind
    fixes: Sequence[Fix]
    listed: Sequence[Fix]
    others: Sequence[Fix]
    shown: int = FEW


Effect = tuple[int, tuple[str, ...], tuple[str, ...] | None]
"""Rows that are alike: how many; the ticks that touch them; and all those that it takes until they need nobody's attention,
None where they need none."""


def panel_context(batch: Batch) -> dict[str, Any]:
    """What the panel shows. effects: what its ticks come to, for static/js/tidy-up.js."""
    by = current_user()
    may_create = by.may(Permission.USERS_MANAGE)
    found = find_fixes(batch)
    sections = []
    for kind, fixes in groupby(found.all, key=lambda fix: fix.kind):
        section = _section(kind, list(fixes), may_create)
        sections.append(section)
    first = sections[0] if sections else None
    if first and first.kind is Kind.EARLIER and len(first.fixes) > FEW and len(sections) > 1:
        sections[0] = replace(first, shown=0)
    return {
        "batch": batch,
        "sections": sections,
        "effects": _list_effects(found, sections),
        "asked": (request.args.get("field"), fold(request.args.get("word", ""))),
        "names": {
            "role": [role.name for role in lookup.grantable(by)],
            "groups": [group.name for group in lookup.registry().groups],
        },
        "may_create": may_create,
        "CREATE": CREATE,
        "LISTED": LISTED,
        "earlier": same_list.find_earlier(batch),
        "fold": fold,
        "list_lines": list_lines,
        "name_others": name_others,
        "is_name": lambda word: not find_name_problem(word),
    }


def _section(kind: Kind, fixes: Sequence[Fix], may_create: bool) -> Section:
    if kind is Kind.GROUP and may_create:
        return Section(kind, fixes, fixes, [])
    others = fixes[LISTED:]
    if kind in (Kind.GROUP, Kind.WORD):
        # what a word means is chosen for each: the others are listed once these are done
        others = []
    return Section(kind, fixes, fixes[:LISTED], others)


def _list_effects(found: Fixes, sections: Sequence[Section]) -> list[Effect]:
    tick_of: dict[str, str] = {}
    for section in sections:
        tick_of |= {fix.id: fix.id for fix in section.listed}
        tick_of |= {fix.id: section.kind.value for fix in section.others}
    touching: defaultdict[int, set[str]] = defaultdict(set)
    for fix in found.all:
        for row_id in fix.rows:
            touching[row_id].add(tick_of.get(fix.id, A_PERSON))
    alike: Counter[Any] = Counter()
    for row_id in {**touching, **found.needs}:
        needed = None
        if row_id in found.needs:
            needed = frozenset(tick_of.get(need, A_PERSON) for need in found.needs[row_id])
        alike[frozenset(touching[row_id]), needed] += 1
    effects: list[Effect] = []
    for (ticks, needed), n in alike.items():
        effects.append((n, tuple(ticks), None if needed is None else tuple(needed)))
    return effects


def list_lines(fix: Fix) -> str:
    """Where the rows of a fix are: “row 4”, “rows 4, 6”, “rows 9 to 11”, “25 rows”."""
    lines = sorted(fix.rows.values())
    if len(lines) == 1:
        return f"row {lines[0]}"
    if lines[-1] - lines[0] == len(lines) - 1 > 1:
        return f"rows {lines[0]} to {lines[-1]}"
    if len(lines) <= 3:
        return f"rows {', '.join(map(str, lines))}"
    return plural(len(lines), "row")


# What was ticked


def read_choice() -> Choice:
    """What the form says."""
    form = request.form
    named = [name for name in form if name.startswith("meant-")]
    return Choice(
        ids=frozenset(form.getlist("ids")),
        listed=frozenset(form.getlist("listed")),
        others=frozenset(form.getlist("others")),
        meant={name.removeprefix("meant-"): form[name] for name in named},
        remembered=frozenset(form.getlist("remembered")),
        version=get_number(form, "version") or 0,
    )


def describe_result(step: TidyUp) -> str:
    """What was done, for a toast."""
    said = f"{plural(step.fixed, 'fix', 'fixes')} in {plural(len(step.touched), 'row')}"
    if not step.fixed:
        said = "Nothing was fixed"
    if step.left_out:
        why = (
            f"changed by {' and '.join(step.changed_by)}"
            if step.changed_by
            else "no longer as shown"
        )
        said += f". {step.left_out:,} left out: {why}"
    return said
