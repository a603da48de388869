"""What the organisation calls things: the columns of its files, and its own words for roles and groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import delete, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.columns import Places, names_of
from webapp.core.plan.registry import GroupEntry, RoleEntry, fold
from webapp.db import begin_write, db
from webapp.models import Alias, AliasKind, Batch, Group, HeaderMapping, Role, User
from webapp.schemas.directory import clean_name
from webapp.services.audit import events
from webapp.services.directory import lookup

Named = Role | Group

# Columns


def header_key(header: Iterable[str]) -> str:
    """A key of a header: the column names in their order, without empty ones at the end."""
    return hashlib.sha256("\x1f".join(map(fold, header)).rstrip("\x1f").encode()).hexdigest()


def columns_of(headers: Mapping[int, Sequence[str]]) -> tuple[int, Places] | None:
    """Of several lines, by number, the first that is a remembered header, and its columns."""
    known = {mapping.key: mapping.columns for mapping in list_header_mappings()}
    for number, header in headers.items():
        if columns := known.get(header_key(header)):
            return number, Places.from_dict(columns)
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
    if known.columns != places.as_dict():
        known.columns = places.as_dict()
        known.names = names_of(places, header)
        events.record(by, "columns.remembered", batch, columns=known.names)


def forget_columns(known: HeaderMapping, by: User) -> None:
    """Read files with this header by their column names again. Does not commit."""
    label = ", ".join(known.names.values()) or "files of before"
    events.record(by, "columns.forgotten", label, columns=known.names)
    db.session.delete(known)


def list_header_mappings() -> Sequence[HeaderMapping]:
    """All remembered headers, the newest first."""
    return db.session.scalars(select(HeaderMapping).order_by(HeaderMapping.id.desc())).all()


def get_header_mapping(mapping_id: int) -> HeaderMapping:
    """What is remembered of one header. Raises NotFoundError."""
    known = db.session.get(HeaderMapping, mapping_id)
    if known is None:
        raise NotFoundError("These columns are forgotten already.")
    return known


def forget_header_mapping(mapping_id: int, by: User) -> None:
    """Forget the columns of one header. Raises NotFoundError."""
    begin_write()
    forget_columns(get_header_mapping(mapping_id), by)
    db.session.commit()


# Words


def add(kind: AliasKind, word: str, name: str, by: User) -> str:
    """Let files say a word for the role or group of this name. -> the word as it is kept. Raises RuleViolationError."""
    word = check_word(kind, word)
    begin_write()
    entries = _entries(kind)
    entry = entries.get(fold(name))
    if entry is None:
        raise RuleViolationError(
            f"There is no {kind.value} called “{name}” any more. Load the page again."
        )
    if entries.get(fold(word)) is entry:
        raise RuleViolationError(f"“{word}” means “{entry.name}” already.")
    refuse_taken(kind, [word])
    meant = get_named(kind, entry.id)
    _set_meaning(word, meant)
    events.record(by, "alias.remembered", meant, word=word)
    lookup.commit()
    return word


def check_word(kind: AliasKind, word: str) -> str:
    """The word as it is kept. Raises RuleViolationError where files cannot say it."""
    try:
        return clean_name(word, kind.value)
    except ValidationError as error:
        raise RuleViolationError(str(error)) from error


def get_alias(alias_id: int) -> tuple[Alias, Any]:
    """An alias, and the role or group that it means. Raises NotFoundError."""
    alias = db.session.get(Alias, alias_id)
    if alias is None:
        raise NotFoundError("There is no such name any more.")
    return alias, get_named(alias.kind, alias.role_id or alias.group_id or 0)


def forget(alias_id: int, by: User) -> None:
    """Delete an alias. Raises NotFoundError."""
    begin_write()
    alias, meant = get_alias(alias_id)
    events.record(by, "alias.forgotten", meant, word=alias.word)
    db.session.delete(alias)
    lookup.commit()


def rename(meant: Named, name: str) -> None:
    """Rename a role or group; the old name becomes an alias of it. Does not commit.

    Raises RuleViolationError (field "name") if the name means another one.
    """
    old, kind = meant.name, _kind_of(meant)
    refuse_taken(kind, [name], meant.id)
    meant.name = name
    meant.key = fold(name)
    if meant.key != fold(old):
        db.session.execute(delete(Alias).where(Alias.kind == kind, Alias.key == meant.key))
        _set_meaning(old, meant)


def transfer_names(old: Named, meant: Named) -> None:
    """Let the name and the aliases of `old` mean `meant`, before `old` is deleted. Does not commit."""
    for word in [old.name, *(alias.word for alias in old.aliases)]:
        _set_meaning(word, meant)


def refuse_taken(
    kind: AliasKind, names: Iterable[str], but_id: int = 0, field: str = "name"
) -> None:
    """Refuse names that another role or group has, or that are aliases of one. Raises RuleViolationError, a line a name."""
    entries, sentences = _entries(kind), []
    for name in names:
        entry = entries.get(fold(name))
        if entry is None or entry.id == but_id:
            continue
        if fold(entry.name) == fold(name):
            sentences.append(f"“{entry.name}” exists already. Nothing was changed.")
        else:
            sentences.append(f"“{name}” is another name of “{entry.name}”. Remove it there first.")
    if sentences:
        raise RuleViolationError("\n".join(sentences), field=field)


def get_named(kind: AliasKind, meant_id: int) -> Any:
    """The role or group with this id. Raises NotFoundError."""
    found = db.session.get(Role if kind is AliasKind.ROLE else Group, meant_id)
    if found is None:
        raise NotFoundError(
            f"There is no such {kind.value} any more. It may have been merged or deleted."
        )
    return found


def _set_meaning(word: str, meant: Named) -> None:
    """Let the word mean this role or group, whatever it meant before. Does not commit."""
    kind, key = _kind_of(meant), fold(word)
    alias = db.session.scalar(select(Alias).where(Alias.kind == kind, Alias.key == key))
    if alias is None:
        alias = Alias(kind=kind, key=key)
        db.session.add(alias)
    alias.word = word
    alias.role_id = meant.id if kind is AliasKind.ROLE else None
    alias.group_id = meant.id if kind is AliasKind.GROUP else None


def _kind_of(meant: Named) -> AliasKind:
    return AliasKind.ROLE if isinstance(meant, Role) else AliasKind.GROUP


def _entries(kind: AliasKind) -> Mapping[str, RoleEntry | GroupEntry]:
    """The roles or groups by every name that they have, folded."""
    registry = lookup.registry()
    return registry.role_by_key if kind is AliasKind.ROLE else registry.group_by_key
