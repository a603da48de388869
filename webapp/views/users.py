"""Role Management: users and invitations in one table."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, render_template, request, url_for

from webapp.core.permissions import Permission
from webapp.services import directory, users
from webapp.services.users import Filter, Status
from webapp.views.invitations import dialog_context
from webapp.web import allow, number

bp = Blueprint("users", __name__, url_prefix="/users")


@bp.get("")
@allow(Permission.USERS_SEE)
def index() -> str:
    """The list; `?invite=bulk` or `?invite=single` opens the dialog."""
    wanted = asked_for()
    listing = users.listing(wanted, number(request.args, "page") or 1)
    registry = directory.registry()
    return render_template(
        "users/index.html",
        listing=listing,
        wanted=wanted,
        registry=registry,
        statuses=[(status, listing.counts[status], address(wanted, status=status)) for status in Status],
        all_address=address(wanted, status=None),
        at=partial(address, wanted),
        nobody=said_of_nobody(wanted, registry),
        alone=not wanted.is_on and listing.everybody < 2,
        **dialog_context(),
    )


def asked_for() -> Filter:
    """The filter that the address carries; what it does not know is left out."""
    status = request.args.get("status", "")
    return Filter(
        Status(status) if status in set(Status) else None,
        request.args.get("q", "").strip()[:100],
        number(request.args, "role"),
        number(request.args, "group"),
    )


def address(wanted: Filter, **changed: Any) -> str:
    """The address of the list with this filter and what is changed of it."""
    values: dict[str, Any] = {
        "status": wanted.status, "q": wanted.search or None, "role": wanted.role_id, "group": wanted.group_id, **changed
    }  # fmt: skip
    return url_for("users.index", **{name: value for name, value in values.items() if value is not None})


def said_of_nobody(wanted: Filter, registry: Any) -> str:
    """Why the list is empty: "Nobody with status Expired in Exam Laptops matches “wood”."."""
    role, group = registry.role_by_id.get(wanted.role_id), registry.group_by_id.get(wanted.group_id)
    parts = [f"with status {wanted.status.value.title()}"] if wanted.status else []
    parts += [f"with the role {role.name}"] if role else []
    parts += [f"in {group.name}"] if group else []
    parts += [f"matches “{wanted.search}”" if wanted.search else "is here"]
    return f"Nobody {' '.join(parts)}."
