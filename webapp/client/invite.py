"""`muster invite`: a file is staged, looked at, perhaps tidied up, confirmed and followed."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import click

from webapp.client import leavers, words
from webapp.client.following import follow
from webapp.client.leavers import Ceiling, Leavers
from webapp.client.transport import Api, AwayError, RefusedError
from webapp.client.words import say
from webapp.core.text.formatting import plural

DONE, REFUSED, PARTLY, ATTENTION, WOULD_CHANGE = 0, 1, 3, 4, 5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line says."""

    name: str
    content: bytes
    key: str
    is_asked: bool
    dry_run: bool
    detailed_exitcode: bool
    tidy: bool
    skip_errors: bool
    mode: str | None
    change_roles: bool
    keep: bool
    ceiling: Ceiling | None
    no_wait: bool
    timeout: float | None
    as_json: bool

    @property
    def options(self) -> dict[str, Any]:
        """The options of the batch."""
        given = {"skip_errors": self.skip_errors, "change_roles": self.change_roles}
        return given | ({"mode": self.mode} if self.mode else {})


def invite_file(api: Api, wanted: Wanted) -> int:
    """Carry it out. -> the exit code."""
    batch = _stage(api, wanted)
    if batch["state"] not in ("mapping", "reviewing"):
        say(f"This was sent before: {batch['page']}")  # by the same key
        return _finish(api, wanted, batch, _find_leavers(api, wanted, batch))
    is_confirmed = False
    try:
        code, gone = _review(api, wanted, batch)
        if code is not None:
            return code
        is_confirmed = True
        return _finish(api, wanted, batch, gone)
    except KeyboardInterrupt:
        if is_confirmed:
            say(f"The work goes on: {batch['page']}")
        raise
    finally:
        if not is_confirmed:
            _discard(api, wanted, batch)


def _stage(api: Api, wanted: Wanted) -> dict[str, Any]:
    """The batch of this key. One that was discarded is over, so the next key of its kind is taken."""
    for number in itertools.count(1):
        key = wanted.key if number == 1 else f"{wanted.key}.{number}"
        answer = api.post_file("/batches", wanted.name, wanted.content, wanted.options, key)
        batch: dict[str, Any] = answer.body
        if batch["state"] != "discarded":
            break
    return batch


def _find_leavers(api: Api, wanted: Wanted, batch: dict[str, Any]) -> Leavers | None:
    """Who is missing, if that was asked for."""
    if not wanted.ceiling:
        return None
    gone = leavers.find(api, batch["id"], wanted.ceiling)
    say(f"{plural(gone.missing, 'person', 'people')} of “{gone.name}” not in the file.")
    return gone


def _review(api: Api, wanted: Wanted, batch: dict[str, Any]) -> tuple[int | None, Leavers | None]:
    """Look at it, and confirm it. -> the exit code where it is not confirmed, and who is missing."""
    path = f"/batches/{batch['id']}"
    if batch["state"] == "mapping":
        say("The columns are not recognised. Nothing was sent.")
        say(
            "Name them Email, Role, Name and Groups, or match them once in the browser and remember them."
        )
        return REFUSED, None
    if wanted.tidy:
        tidied = api.post(f"{path}/tidy-up", {}).body
        say(
            f"Tidied up: {plural(tidied['fixed'], 'fix', 'fixes')} in {plural(tidied['rows'], 'row')}."
        )
    seen = api.get(path)
    batch = seen.body
    words.tell_plan(batch, list(api.pages(f"{path}/rows", "rows")))
    gone = _find_leavers(api, wanted, batch)
    if batch["counts"]["attention"] and not wanted.skip_errors:
        say(f"{plural(batch['counts']['attention'], 'row')} need attention. Nothing was sent.")
        _tell_json(wanted, batch, {})
        return ATTENTION, gone
    n = batch["to_send"] + (gone.missing if gone else 0)
    if wanted.dry_run:
        _tell_json(wanted, batch, {})
        return (WOULD_CHANGE if wanted.detailed_exitcode and n else DONE), gone
    if not n:
        say("Nothing to do.")
        _tell_json(wanted, batch, {})
        return (PARTLY if batch["counts"]["attention"] else DONE), gone
    if wanted.is_asked and not click.confirm(
        f"Do this for {plural(n, 'person', 'people')}?", err=True
    ):
        say("Nothing was sent.")
        return REFUSED, gone
    api.post(f"{path}/confirmation", {}, If_Match=seen.tag)
    return None, gone


def _finish(api: Api, wanted: Wanted, batch: dict[str, Any], gone: Leavers | None) -> int:
    """Follow what was confirmed, and end the access of who is missing. -> the exit code."""
    if wanted.no_wait and not (gone and gone.missing):
        say(f"On its way: {batch['page']}")
        _tell_json(wanted, batch, {})
        return DONE
    outcomes = dict(follow(api, batch, wanted.timeout))
    if gone and gone.missing:
        action = leavers.end_access(api, batch["id"], gone)
        for name, number in follow(api, action, wanted.timeout).items():
            outcomes[name] = outcomes.get(name, 0) + number
    words.tell_outcomes(outcomes)
    _tell_json(wanted, api.get(f"/batches/{batch['id']}").body, outcomes)
    return PARTLY if outcomes.get("skipped") or outcomes.get("failed") else DONE


def _discard(api: Api, wanted: Wanted, batch: dict[str, Any]) -> None:
    """Nothing is left of a review that was not sent, unless it is kept for the browser."""
    if wanted.keep:
        say(f"It is under review: {batch['page']}")
        return
    with suppress(RefusedError, AwayError):
        api.delete(f"/batches/{batch['id']}")


def _tell_json(wanted: Wanted, batch: dict[str, Any], outcomes: dict[str, int]) -> None:
    if wanted.as_json:
        click.echo(json.dumps(batch | {"outcomes": outcomes}, ensure_ascii=False))
