"""Device groups: the list, a group's people and names, and what happens before two are made one or one is deleted."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.forms import GroupForm, GroupsForm, show_errors
from webapp.http.web import LARGEST, current_user, get_number, redirect_to, require
from webapp.models import AliasKind
from webapp.services.directory import aliases, groups
from webapp.services.directory.groups import EVERYTHING, GroupCount

bp = Blueprint("groups", __name__, url_prefix="/groups")


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> str:
    """All groups, found by `?q=`; `?new` opens the dialog, `?edit=7` that row."""
    return page(
        GroupsForm(formdata=None),
        is_open="new" in request.args,
        editing=get_number(request.args, "edit"),
    )


@bp.post("")
@require(Permission.USERS_MANAGE)
def create() -> BaseResponse | tuple[str, int]:
    """Add one or several."""
    form = GroupsForm()
    if not form.validate():
        return page(form, is_open=True), 422
    try:
        added = groups.add_groups(form.split_names(), current_user(), form.description.data or "")
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return page(form, is_open=True), 422
    said = (
        f"{plural(len(added), 'group')} added." if len(added) > 1 else f"“{added[0].name}” added."
    )
    return redirect_to("groups.index", say=said, back=form.next.data)


@bp.post("/<int:group_id>")
@require(Permission.USERS_MANAGE)
def update(group_id: int) -> BaseResponse | tuple[str, int]:
    """Rename and describe."""
    form = GroupForm()
    try:
        group = groups.change_group(
            group_id, form.name.data or "", form.description.data or "", current_user()
        )
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return page(GroupsForm(formdata=None), is_open=False, editing=group_id, edit_form=form), 422
    return redirect_to("groups.index", say=f"“{group.name}” saved.")


def page(
    form: GroupsForm, is_open: bool, editing: int | None = None, edit_form: GroupForm | None = None
) -> str:
    """The list, with the dialog for new groups open or not, and a row to be edited or none."""
    everyone, search = groups.list_groups(), request.args.get("q", "").strip()[:100]
    other_names = aliases.list_aliases(AliasKind.GROUP)
    row = (
        next((each for each in everyone if each.id == editing), None)
        if current_user().may(Permission.USERS_MANAGE)
        else None
    )
    if row and edit_form is None:
        edit_form = GroupForm(
            formdata=None, data={"name": row.name, "description": row.description}
        )
    return render_template(
        "directory/groups/index.html",
        groups=groups.filter_groups(everyone, other_names, search),
        total=len(everyone),
        everything=groups.count_all_groups(),
        other_names=other_names,
        search=search,
        editing=row.id if row else None,
        edit_form=edit_form,
        form=form,
        is_open=is_open,
        examples=groups.EXAMPLES,
    )


@bp.get("/<int:group_id>")
@require(Permission.USERS_SEE)
def show(group_id: int) -> str:
    """A group: who reaches it, and what else it is called."""
    return members_page(groups.get_group(group_id))


@bp.get("/all")
@require(Permission.USERS_SEE)
def everything() -> str:
    """The people with All groups."""
    return members_page(groups.count_all_groups())


def members_page(group: GroupCount, problem: str = "") -> str:
    """The people of a group. problem: what was wrong with another name that was typed."""
    search = request.args.get("q", "").strip()[:100]
    listing = groups.list_members(group.id, search, get_number(request.args, "page") or 1)
    return render_template(
        "directory/groups/show.html",
        group=group,
        is_everything=group.id == EVERYTHING,
        address=address_of(group),
        search=search,
        listing=listing,
        through_all=groups.count_all_groups() if group.id != EVERYTHING else None,
        at=partial(address_of, group, q=search or None),
        other_names=aliases.list_aliases(AliasKind.GROUP)[group.id],
        word=request.form.get("word", ""),
        problem=problem,
    )


def address_of(group: GroupCount, **found: Any) -> str:
    """The address of a group's page, with what was found on it."""
    if group.id == EVERYTHING:
        return url_for("groups.everything", **found)
    return url_for("groups.show", group_id=group.id, **found)


@bp.post("/<int:group_id>/names")
@require(Permission.USERS_MANAGE)
def add_name(group_id: int) -> BaseResponse | tuple[str, int]:
    """Another name that files may say."""
    try:
        word = aliases.add(AliasKind.GROUP, group_id, request.form.get("word", ""), current_user())
    except RuleViolationError as refusal:
        return members_page(groups.get_group(group_id), str(refusal)), 422
    return redirect_to("groups.show", group_id=group_id, say=f"Files may say “{word}” now.")


@bp.get("/<int:group_id>/merger")
@require(Permission.USERS_MANAGE)
def merger(group_id: int) -> str:
    """Which groups to make one with this one, and then who gains what."""
    chose_none = "chosen" in request.args and not chosen()
    return merger_page(group_id, "Tick at least one group." if chose_none else "")


@bp.post("/<int:group_id>/merger")
@require(Permission.USERS_MANAGE)
def merge(group_id: int) -> BaseResponse | tuple[str, int]:
    """Make them one."""
    try:
        group = groups.merge_groups(group_id, chosen(), current_user())
    except RuleViolationError as refusal:
        return merger_page(group_id, str(refusal)), 422
    return redirect_to("groups.show", group_id=group.id, say=f"Merged into “{group.name}”.")


def merger_page(group_id: int, problem: str = "") -> str:
    """The groups to choose from; once some are chosen, what merging them does."""
    others = [each for each in groups.list_groups() if each.id != group_id]
    wanted = [each for each in others if each.id in chosen()]
    return render_template(
        "directory/groups/merger.html",
        group=groups.get_group(group_id),
        others=others,
        wanted=wanted,
        effect=groups.effect_of([each.id for each in wanted], current_user(), group_id),
        problem=problem,
    )


def chosen() -> list[int]:
    """The groups that were ticked."""
    wanted = request.values.getlist("with", type=int)
    return [group_id for group_id in wanted if 0 < group_id <= LARGEST]


@bp.get("/<int:group_id>/deletion")
@require(Permission.USERS_MANAGE)
def deletion(group_id: int) -> str:
    """Who loses what, before it is deleted."""
    group = groups.get_group(group_id)
    effect = groups.effect_of([group_id], current_user())
    return render_template("directory/groups/deletion.html", group=group, effect=effect)


@bp.post("/<int:group_id>/deletion")
@require(Permission.USERS_MANAGE)
def delete(group_id: int) -> BaseResponse:
    """Delete it."""
    name = groups.delete_group(group_id, current_user())
    return redirect_to("groups.index", say=f"“{name}” deleted.")
