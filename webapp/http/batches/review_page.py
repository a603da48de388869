"""What the review of a batch shows, and every part of it."""

from __future__ import annotations

from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from webapp.core.addresses import with_domain
from webapp.core.lists.row_filter import Find, Mark
from webapp.core.plan.actions import Do
from webapp.core.plan.registry import fold
from webapp.core.text import action_phrases, batch_phrases
from webapp.core.text import notices as notice_words
from webapp.http.batches import cells
from webapp.http.web import current_user, run_after_response
from webapp.models import Batch, BatchKind, BatchState
from webapp.services.batches import (
    fixes,
    missing,
    people_rows,
    planner,
    report,
    reverts,
    review,
    row_search,
    same_list,
    undo,
    upload,
)
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.invitations import invitations


def review_context(batch: Batch) -> dict[str, Any]:
    """What review.html and its parts show. Stale plans are made again for it, and stored once it has answered."""
    if plans := planner.show(batch):
        run_after_response(planner.store_shown, batch.id, plans)
    context = row_context(batch)
    context["page"] = row_search.find_page(batch, context["find"])
    if batch.kind is BatchKind.UPLOAD:
        earlier = same_list.find_earlier(batch)
        return context | {
            "same_file": review.find_same_file(batch),
            "earlier": earlier,
            "is_emailed": lambda: bool(earlier and report.find_emailed([earlier.id])),
            "count_missing": partial(missing.count_missing, batch),
            "folds": row_search.is_folded(batch, context["find"]),
            "is_file_kept": upload.is_file_kept(batch),
        }
    return context | {"original": reverts.original(batch)}


def template_folder(batch: Batch) -> str:
    """The folder of the review's templates: files are edited, actions and reverts are only looked through."""
    return "batches" if batch.kind is BatchKind.UPLOAD else "batches/actions"


def row_context(batch: Batch) -> dict[str, Any]:
    """What every part of a batch under review needs. at(plan=…): the review's address, with some of what is found changed."""
    registry = lookup.registry()
    find = asked_for()
    roles = lookup.grantable(batch.planned_for)
    here = url_for("batches.show", batch_id=batch.id)
    roles_found = cache(lambda: row_search.count_wrong_roles(batch))
    new_addresses = cache(lambda: replaced_addresses.among_rows(batch))
    return {
        **kind_context(batch),
        "batch": batch,
        "left_out": [] if batch.kind is BatchKind.UPLOAD else people_rows.removed_rows(batch),
        "registry": registry,
        "roles": roles,
        "rows_at": f"{here}/rows",
        "step_of": cache(lambda row: row.change),
        "shown_groups": cells.shown_groups,
        "as_it_stands": cache(partial(cells.as_it_stands, registry=registry)),
        "role_list": cache(partial(cells.role_list, roles=roles, registry=registry)),
        "with_domain": with_domain,
        "undoing": lambda: undo.available(batch, current_user()),
        "wide_access": cache(lambda: row_search.list_wide(batch)),
        "look_alikes": lambda: row_search.find_page(batch, Find(mark=Mark.LOOKALIKE)).rows[:5],
        "look_alike_of": partial(cells.look_alike_of, known_domains=registry.known_domains),
        "new_addresses": new_addresses,
        "notices": cache(lambda: row_search.list_notices(batch, new_addresses())),
        "same_role": lambda row: roles_found()[fold(row.role)] if fixes.are_cheap(batch) else 0,
        "fixable": cache(lambda: fixes.count_fixable(batch)),
        "notice_words": notice_words,
        "find": find,
        "parts": {part.part: part for part in upload.parts_of(batch)},
        "at": lambda **changed: f"{here}?{urlencode(find.args(**changed))}".rstrip("?"),
    }


def kind_context(batch: Batch) -> dict[str, Any]:
    """What an action or a revert is called: `kind_words`, and in `does` what is done to how many; None for an upload."""
    if batch.kind is BatchKind.UPLOAD:
        return {"kind_words": None}
    made = None
    if batch.kind is BatchKind.REVERT:
        words, does = action_phrases.REVERT, action_phrases.name_revert(batch.counts)
    else:
        assert batch.doing is not None
        words = action_phrases.WORDS[batch.doing.do]
        does = batch_phrases.describe_title({**batch.title, "n": batch.to_send})
        if batch.doing.do in (Do.DEACTIVATE, Do.END_ACCESS) and batch.state is BatchState.REVIEWING:
            made = invitations.count_made_by_people_of(batch, current_user())
    return {
        "kind_words": words,
        "does": does,
        "rest": action_phrases.describe_rest(batch.counts),
        "made": made,
    }


def asked_for() -> Find:
    """What the page shows of the rows, by its address; of a command from a page, by the address of that page."""
    here = request.headers.get("HX-Current-URL") if request.method != "GET" else None
    return Find.parse(MultiDict(parse_qsl(urlsplit(here).query)) if here else request.args)
