"""The panel of Tidy up: its sections, and what the ticks come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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

_TITLES = {
    Kind.SPELLING: "Spelling",
    Kind.ADDRESS: "Addresses",
    Kind.WORD: "Words Muster does not know",
    Kind.TWICE: "Same person twice",
    Kind.REMOVAL: "Rows to remove",
}


@dataclass(frozen=True, slots=True)
class Section:
    """The fixes of one kind. listed: each with its tick; others: with one tick for all, whose value is the kind."""

    kind: Kind
    title: str
    about: str
    listed: Sequence[Fix]
    others: Sequence[Fix]
    shown: int = FEW
    """How many are in sight; the others are folded."""


Effect = tuple[int, list[str], list[str] | None, list[str]]
"""Rows that are alike: how many; the ticks that touch them; all those that it takes until they need nobody's attention, None
where they need none; and those that remove them."""


def panel_context(batch: Batch) -> dict[str, Any]:
    """What the panel shows. ticked: the ticks that are set at first; effects: what they come to, for static/js/tidy-up.js too."""
    by = current_user()
    registry = lookup.registry()
    found = find_fixes(batch)
    may_create = by.may(Permission.USERS_MANAGE)
    sections = []
    for kind in Kind:
        if section := _section(kind, found.all, batch, may_create):
            sections.append(section)
    ticked = set()
    for section in sections:
        for fix in section.listed:
            if fix.is_safe and (may_create or fix.kind is not Kind.GROUP):
                ticked.add(fix.id)
        if section.others and ticked & {fix.id for fix in section.listed}:
            ticked.add(section.kind)
    return {
        "batch": batch,
        "sections": sections,
        "ticked": ticked,
        "effects": _list_effects(found, sections),
        "asked": (request.args.get("field"), fold(request.args.get("word", ""))),
        "names": {
            "role": [role.name for role in lookup.grantable(by)],
            "groups": [group.name for group in registry.groups],
        },
        "CREATE": CREATE,
        "LISTED": LISTED,
        "earlier": same_list.find_earlier(batch),
        "fold": fold,
        "list_lines": list_lines,
        "name_others": name_others,
        "is_name": lambda word: not find_name_problem(word),
    }


def _section(kind: Kind, fixes: Sequence[Fix], batch: Batch, may_create: bool) -> Section | None:
    """The section of a kind, if there is anything in it."""
    own = [fix for fix in fixes if fix.kind is kind]
    if not own:
        return None
    n = len(own)
    title = _TITLES.get(kind) or plural(n, "correction")
    if kind is Kind.GROUP:
        title = f"{plural(n, 'group')} that {'does' if n == 1 else 'do'} not exist"
    about = "" if kind is Kind.EARLIER else plural(n, "fix", "fixes")
    if kind is Kind.GROUP and may_create:
        about = f"Create all {n}" if n > 1 else ""
    elif kind in (Kind.GROUP, Kind.WORD):
        about = f"0 of {min(n, LISTED)} chosen"
    if kind is Kind.REMOVAL:
        words = [word for notice in batch.notices for word in notice["words"]]
        about = f"{n:,} {words[0]}" if len(words) == 1 else plural(n, "row")
    # what a word means is chosen for each: the others are listed once these are done
    is_chosen = kind is Kind.WORD or (kind is Kind.GROUP and not may_create)
    listed = own if kind is Kind.GROUP and may_create else own[:LISTED]
    others = [] if is_chosen else own[len(listed) :]
    is_folded = kind is Kind.EARLIER and n > FEW and n < len(fixes)
    return Section(kind, title, about, listed, others, 0 if is_folded else FEW)


def _list_effects(found: Fixes, sections: Sequence[Section]) -> list[Effect]:
    ticks: defaultdict[int, set[str]] = defaultdict(set)
    names: dict[str, str] = {}
    for section in sections:
        names |= {fix.id: fix.id for fix in section.listed}
        names |= {fix.id: section.kind.value for fix in section.others}
    for fix in found.all:
        for row_id in fix.rows:
            if fix.id in names:
                ticks[row_id].add(names[fix.id])
    removals = {names[fix.id] for fix in found.all if fix.field == "removed"}
    counts: Counter[tuple[Any, ...]] = Counter()
    for row_id in {**ticks, **found.needs}:
        needs = found.needs.get(row_id)
        needed = needs and tuple(sorted({names.get(need, A_PERSON) for need in needs}))
        counts[tuple(sorted(ticks[row_id])), needed] += 1
    effects: list[Effect] = []
    for (touching, needed), n in counts.items():
        removing = [tick for tick in touching if tick in removals]
        effects.append((n, list(touching), None if needed is None else list(needed), removing))
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
