"""Device groups: the list, a group's other names, and what happens before two are made one or one is deleted."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from webapp.core.errors import RuleViolationError
from webapp.core.lists.paging import read_number, searched
from webapp.core.plan.registry import fold
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.forms import GroupForm, GroupsForm, show_errors
from webapp.http.web import Answer, current_user, get_number, redirect_to, require
from webapp.models import Group
from webapp.services.directory import aliases, groups

bp = Blueprint("groups", __name__, url_prefix="/groups")


@bp.get("")
@require(Permission.USERS_SEE)
def index(form: GroupsForm | None = None, row_form: GroupForm | None = None) -> str:
    """All groups, found by `?q=`; `?new` opens the dialog, `?edit=7` that row.

    form, row_form: the dialog's or the row's, where what was typed is refused.
    """
    everyone = groups.list_groups()
    search = searched(request.args.get("q", ""))
    editing = get_number(request.args, "edit") or (request.view_args or {}).get("group_id")
    row = next((each for each in everyone if each.id == editing), None)
    return render_template(
        "directory/groups/index.html",
        groups=[group for group in everyone if is_found(group, search)],
        total=len(everyone),
        search=search,
        editing=editing,
        edit_form=row_form or GroupForm(formdata=None, obj=row),
        form=form or GroupsForm(formdata=None),
        is_open=form is not None or "new" in request.args,
        examples=groups.EXAMPLES,
        **groups.count_members(),
    )


def is_found(group: Group, search: str) -> bool:
    """Whether its name, its description or one of its other names contains the words."""
    texts = [group.name, group.description]
    for alias in group.aliases:
        texts.append(alias.word)
    return fold(search) in fold("\n".join(texts))


@bp.post("")
@require(Permission.USERS_MANAGE)
def create() -> Answer:
    """Add one or several."""
    form = GroupsForm()
    if not form.validate():
        return index(form), 422
    try:
        added = groups.add_groups(form.split_names(), current_user(), form.description.data)
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return index(form), 422
    said = f"{plural(len(added), 'group')} added."
    if len(added) == 1:
        said = f"“{added[0].name}” added."
    return redirect_to("groups.index", say=said, back=form.next.data)


@bp.post("/<int:group_id>")
@require(Permission.USERS_MANAGE)
def update(group_id: int) -> Answer:
    """Rename and describe."""
    form = GroupForm()
    if not form.validate():
        return index(row_form=form), 422
    try:
        group = groups.change_group(
            group_id,
            form.name.data,
            form.description.data,
            current_user(),
        )
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return index(row_form=form), 422
    return redirect_to("groups.index", say=f"“{group.name}” saved.")


@bp.get("/<int:group_id>")
@require(Permission.USERS_SEE)
def show(group_id: int, problem: str = "") -> str:
    """How many people a group has, and what else it is called. problem: what was wrong with another name."""
    return render_template(
        "directory/groups/show.html",
        group=aliases.get_named(Group, group_id),
        word=request.form.get("word", ""),
        problem=problem,
        **groups.count_members(),
    )


@bp.post("/<int:group_id>/names")
@require(Permission.USERS_MANAGE)
def add_name(group_id: int) -> Answer:
    """Another name that files may say."""
    name = aliases.get_named(Group, group_id).name
    try:
        word = aliases.add(Group, request.form.get("word", ""), name, current_user())
    except RuleViolationError as refusal:
        return show(group_id, str(refusal)), 422
    return redirect_to("groups.show", group_id=group_id, say=f"Files may say “{word}” now.")


@bp.get("/<int:group_id>/merger")
@bp.post("/<int:group_id>/merger")
@require(Permission.USERS_MANAGE)
def merger(group_id: int) -> Answer:
    """Choose groups to merge into this one, then see who gains what; a POST merges them."""
    numbers = map(read_number, request.values.getlist("with"))
    chosen = [number for number in numbers if number]
    if request.method == "POST":
        group = groups.merge_groups(group_id, chosen, current_user())
        return redirect_to("groups.show", group_id=group.id, say=f"Merged into “{group.name}”.")
    others = [each for each in groups.list_groups() if each.id != group_id]
    return render_template(
        "directory/groups/merger.html",
        group=aliases.get_named(Group, group_id),
        others=others,
        wanted=[each for each in others if each.id in chosen],
        effect=groups.effect_of(chosen, current_user(), group_id),
    )


@bp.get("/<int:group_id>/deletion")
@bp.post("/<int:group_id>/deletion")
@require(Permission.USERS_MANAGE)
def deletion(group_id: int) -> Answer:
    """Show who loses what; a POST deletes the group."""
    if request.method == "POST":
        name = groups.delete_group(group_id, current_user())
        return redirect_to("groups.index", say=f"“{name}” deleted.")
    group = aliases.get_named(Group, group_id)
    effect = groups.effect_of([group_id], current_user())
    return render_template("directory/groups/deletion.html", group=group, effect=effect)
