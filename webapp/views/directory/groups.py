"""Device groups: the list, a group's people and names, and what happens before two are made one or one is deleted."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.core.lists.paging import searched
from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.forms import GroupForm, GroupsForm, show_errors
from webapp.http.web import LARGEST, current_user, get_number, redirect_to, require
from webapp.models import AliasKind
from webapp.services.directory import aliases, groups, people_list
from webapp.services.directory.groups import EVERYTHING

bp = Blueprint("groups", __name__, url_prefix="/groups")


@bp.get("")
@require(Permission.USERS_SEE)
def index() -> str:
    """All groups, found by `?q=`; `?new` opens the dialog, `?edit=7` that row."""
    return page(editing=get_number(request.args, "edit"))


@bp.post("")
@require(Permission.USERS_MANAGE)
def create() -> BaseResponse | tuple[str, int]:
    """Add one or several."""
    form = GroupsForm()
    if not form.validate():
        return page(form), 422
    try:
        added = groups.add_groups(form.split_names(), current_user(), form.description.data or "")
    except (ValidationError, RuleViolationError) as refusal:
        show_errors(form, refusal)
        return page(form), 422
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
        return page(editing=group_id, edit_form=form), 422
    return redirect_to("groups.index", say=f"“{group.name}” saved.")


def page(
    form: GroupsForm | None = None,
    editing: int | None = None,
    edit_form: GroupForm | None = None,
) -> str:
    """The list, with the dialog for new groups open if its form is given, and a row to be edited or none."""
    everyone, search = groups.list_groups(), searched(request.args.get("q", ""))
    other_names = aliases.list_aliases(AliasKind.GROUP)
    row = next((each for each in everyone if each.id == editing), None)
    return render_template(
        "directory/groups/index.html",
        groups=groups.filter_groups(everyone, other_names, search),
        total=len(everyone),
        everything=groups.count_all_groups(),
        other_names=other_names,
        search=search,
        editing=editing,
        edit_form=edit_form or GroupForm(formdata=None, obj=row),
        form=form or GroupsForm(formdata=None),
        is_open=form is not None or "new" in request.args,
        examples=groups.EXAMPLES,
    )


@bp.get("/all", defaults={"group_id": EVERYTHING})
@bp.get("/<int:group_id>")
@require(Permission.USERS_SEE)
def show(group_id: int) -> str:
    """A group, or All groups: who reaches it, and what else it is called."""
    return members_page(group_id)


def members_page(group_id: int, problem: str = "") -> str:
    """The people of a group. problem: what was wrong with another name that was typed."""
    group, search = groups.get_group(group_id), searched(request.args.get("q", ""))
    wanted = Filter(search=search, group_id=group_id)
    return render_template(
        "directory/groups/show.html",
        group=group,
        is_everything=group_id == EVERYTHING,
        address=url_for("groups.show", group_id=group_id),
        search=search,
        listing=people_list.list_people(wanted, get_number(request.args, "page") or 1),
        through_all=groups.count_all_groups(),
        at=partial(url_for, "groups.show", group_id=group_id, q=search or None),
        other_names=aliases.list_aliases(AliasKind.GROUP)[group_id],
        word=request.form.get("word", ""),
        problem=problem,
    )


@bp.post("/<int:group_id>/names")
@require(Permission.USERS_MANAGE)
def add_name(group_id: int) -> BaseResponse | tuple[str, int]:
    """Another name that files may say."""
    try:
        word = aliases.add(AliasKind.GROUP, group_id, request.form.get("word", ""), current_user())
    except ValidationError as error:
        return members_page(group_id, " ".join(error.messages_dict["word"])), 422
    except RuleViolationError as refusal:
        return members_page(group_id, str(refusal)), 422
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
