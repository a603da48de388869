"""What the organisation calls things: the columns of its files, and its own words for roles and groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import delete, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.columns import Places, add_names, names_of
from webapp.core.plan.registry import find_name_problem, fold
from webapp.db import begin_write, db
from webapp.models import Alias, Batch, Group, HeaderMapping, Role, User
from webapp.services.audit import events
from webapp.services.directory import lookup

Named = TypeVar("Named", bound=Role | Group)

# Columns


def header_key(header: Iterable[str]) -> str:
    """A key of a header: the column names in their order, without empty ones at the end."""
    return hashlib.sha256("\x1f".join(map(fold, header)).rstrip("\x1f").encode()).hexdigest()


def columns_of(headers: Mapping[int, Sequence[str]]) -> tuple[int, Places, str] | None:
    """Of several lines, by number, the first that is a remembered header, its columns, and a code of how they are known.

    Columns that were remembered before names were read are read with those of names. One query for them all.
    """
    known = {mapping.key: mapping for mapping in list_header_mappings()}
    for number, header in headers.items():
        mapping = known.get(header_key(header))
        if mapping is None:
            continue
        places = Places.from_dict(mapping.columns)
        if mapping.is_before_names:
            with_names = add_names(places, header)
            if with_names != places:
                return number, with_names, "remembered_names"
        return number, places, "remembered"
    return None


def find_columns(header: Sequence[str]) -> HeaderMapping | None:
    """What is remembered of a header."""
    return db.session.scalar(select(HeaderMapping).where(HeaderMapping.key == header_key(header)))


def remember_columns(header: Sequence[str], places: Places, batch: Batch, by: User) -> None:
    """Read files with this header so from now on. Does not commit."""
    known = find_columns(header)
    if known is None:
        known = HeaderMapping(key=header_key(header))
        db.session.add(known)
    known.is_before_names = False
    if known.columns != places.as_dict():
        known.columns = places.as_dict()
        known.names = names_of(places, header)
        events.record(by, "columns.remembered", batch, columns=known.names)


def forget_columns(known: HeaderMapping, by: User) -> None:
    """Read files with this header by their column names again. Does not commit."""
    label = ", ".join(known.names.values()) or "files of before"
    events.record(by, "columns.forgotten", label=label, columns=known.names)
    db.session.delete(known)


def list_header_mappings() -> Sequence[HeaderMapping]:
    """All remembered headers, the newest first."""
    return db.session.scalars(select(HeaderMapping).order_by(HeaderMapping.id.desc())).all()


def forget_header_mapping(mapping_id: int, by: User) -> None:
    """Forget the columns of one header. Raises NotFoundError."""
    begin_write()
    known = db.session.get(HeaderMapping, mapping_id)
    if known is None:
        raise NotFoundError("These columns are forgotten already.")
    forget_columns(known, by)
    db.session.commit()


# Names and other words of roles and groups


def add(model: type[Named], word: str, name: str, by: User) -> str:
    """Let files say a word for the role or group of this name. -> the word as it is kept. Raises RuleViolationError."""
    begin_write()
    word = remember(model, word, name, by)
    lookup.commit()
    return word


def remember(model: type[Named], word: str, name: str, by: User) -> str:
    """What `add` does. Does not commit."""
    word = check_name(model, word)
    meant = find_named(model, name)
    if meant is None:
        raise RuleViolationError(
            f"There is no {model.kind} called “{name}” any more. Load the page again."
        )
    if find_named(model, word) is meant:
        raise RuleViolationError(f"“{word}” means “{meant.name}” already.")
    refuse_taken(model, word)
    _set_meaning(word, meant)
    events.record(by, "alias.remembered", meant, word=word)
    return word


def forget(alias_id: int, by: User) -> str:
    """Delete an alias. -> the word that it was. Raises NotFoundError."""
    begin_write()
    alias = db.session.get(Alias, alias_id)
    if alias is None:
        raise NotFoundError("There is no such name any more.")
    model = Role if alias.role_id else Group
    meant = get_named(model, alias.role_id or alias.group_id or 0)
    word = alias.word
    events.record(by, "alias.forgotten", meant, word=word)
    db.session.delete(alias)
    lookup.commit()
    return word


def rename(meant: Role | Group, name: str) -> None:
    """Rename a role or group; the old name becomes an alias of it. Does not commit.

    Raises RuleViolationError (field "name") if files cannot say the name, or it means another one.
    """
    model = type(meant)
    old = meant.name
    name = check_name(model, name)
    refuse_taken(model, name, meant)
    meant.name = name
    meant.key = fold(name)
    if meant.key != fold(old):
        _forget_word(name, meant)
        _set_meaning(old, meant)


def transfer_names(old: Group, meant: Group) -> None:
    """Let the name and the aliases of `old` mean `meant`, before `old` is deleted. Does not commit."""
    for word in [old.name, *(alias.word for alias in old.aliases)]:
        _set_meaning(word, meant)


def check_name(model: type[Named], name: str) -> str:
    """The name on one line. Raises RuleViolationError (field "name") where files cannot say it."""
    if problem := find_name_problem(name, model.kind):
        raise RuleViolationError(problem, field="name")
    return " ".join(name.split())


def refuse_taken(
    model: type[Named], name: str, but: Named | None = None, field: str = "name"
) -> None:
    """Raise RuleViolationError if the name already means a role or group other than `but`."""
    taken = find_named(model, name)
    if taken is None or taken is but:
        return
    sentence = f"“{name}” is another name of “{taken.name}”. Remove it there first."
    if taken.key == fold(name):
        sentence = f"“{taken.name}” exists already. Nothing was changed."
    raise RuleViolationError(sentence, field=field)


def find_named(model: type[Named], word: str) -> Named | None:
    """The role or group that a word means, by its name or an alias."""
    registry = lookup.registry()
    by_key = registry.role_by_key if model is Role else registry.group_by_key
    entry = by_key.get(fold(word))
    return db.session.get(model, entry.id) if entry else None


def get_named(model: type[Named], meant_id: int) -> Named:
    """The role or group with this id. Raises NotFoundError."""
    found = db.session.get(model, meant_id)
    if found is None:
        raise NotFoundError(
            f"There is no such {model.kind} any more. It may have been merged or deleted."
        )
    return found


def _set_meaning(word: str, meant: Role | Group) -> None:
    """Let the word mean this role or group, whatever it meant before. Does not commit."""
    _forget_word(word, meant)
    alias = Alias(kind=meant.kind, key=fold(word), word=word)
    if isinstance(meant, Role):
        alias.role_id = meant.id
    else:
        alias.group_id = meant.id
    db.session.add(alias)


def _forget_word(word: str, meant: Role | Group) -> None:
    """Delete what the word meant: a role, or a group, as `meant` is. Does not commit."""
    is_it = Alias.kind == meant.kind, Alias.key == fold(word)
    db.session.execute(delete(Alias).where(*is_it))
