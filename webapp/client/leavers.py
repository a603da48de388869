"""Who is not in the file any more: how many there are, the ceiling, and the end of their access."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import quote

from webapp.client.transport import Api, RefusedError
from webapp.core.text.formatting import plural


class Ceiling(NamedTuple):
    """Whom the file is compared with, and how many may be missing: a share of them in percent, or a number."""

    scope: str
    percent: float | None
    number: int


class Leavers(NamedTuple):
    """The scope, what it is called, and how many of it are missing."""

    scope: str
    name: str
    missing: int


def read_ceiling(scope: str, text: str) -> Ceiling:
    """`10%` or `5`. Raises ValueError."""
    if share := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", text):
        return Ceiling(scope, float(share[1]), 0)
    if re.fullmatch(r"\d{1,6}", text):
        return Ceiling(scope, None, int(text))
    raise ValueError("--at-most takes a share, such as 10%, or a number.")


def find(api: Api, batch_id: int, ceiling: Ceiling) -> Leavers:
    """Who is missing from a batch's file. Raises RefusedError where the scope is unknown, or too many are missing."""
    scope = _find_scope(api, ceiling.scope)
    found = api.get(f"/batches/{batch_id}/missing?scope={quote(scope)}").body
    missing, size = len(found["people"]), found["size"]
    most = ceiling.number
    if ceiling.percent is not None:
        most = int(size * ceiling.percent / 100)
    if missing > most:
        people = plural(size, "person", "people")
        sentence = f"{missing:,} of {people} are not in the file; --at-most allows {most:,}."
        raise RefusedError(422, {"detail": f"{sentence} Nothing was sent."})
    return Leavers(scope, ceiling.scope, missing)


def end_access(api: Api, batch_id: int, leavers: Leavers) -> dict[str, Any]:
    """Confirm the action that ends their access. -> the action."""
    action = api.post(f"/batches/{batch_id}/missing", {"scope": leavers.scope}).body
    seen = api.get(f"/batches/{action['id']}")
    number = {"number": leavers.missing} if seen.body["number_needed"] else {}
    confirmed: dict[str, Any] = api.post(
        f"/batches/{action['id']}/confirmation", number, If_Match=seen.tag
    ).body
    return confirmed


def _find_scope(api: Api, name: str) -> str:
    """What the API calls a scope: earlier, group-3 or role-2."""
    if name == "earlier":
        return name
    kind, path, wanted = "group", "/groups", name
    if name.startswith("role:"):
        kind, path, wanted = "role", "/roles", name.removeprefix("role:")
    listed = api.get(path).body[path.strip("/")]
    for each in listed:
        if each["name"].casefold() == wanted.strip().casefold():
            return f"{kind}-{each['id']}"
    raise RefusedError(404, {"detail": f"There is no {kind} “{wanted}”. Nothing was sent."})
