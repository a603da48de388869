"""What the organisation calls things: the columns of its files, and its own words for roles and groups."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import delete, func, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.files.columns import Places, names_of
from webapp.core.plan.registry import GroupEntry, RoleEntry, fold
from webapp.db import begin_write, binary_order, db
from webapp.models import Alias, AliasKind, Batch, BatchState, Group, HeaderMapping, Role, Row, User
from webapp.schemas.directory import clean_name
from webapp.schemas.rows import split_groups
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup

LONGEST_WORD = 80
"""Characters of a word that can be remembered."""

Named = Role | Group
MODELS: dict[AliasKind, type[Role] | type[Group]] = {AliasKind.ROLE: Role, AliasKind.GROUP: Group}

# Columns


def header_key(header: Iterable[str]) -> str:
    """A key of a header: the column names in their order, without empty ones at the end."""
    return hashlib.sha256("\x1f".join(map(fold, header)).rstrip("\x1f").encode()).hexdigest()


def columns_of(headers: Mapping[int, Sequence[str]]) -> tuple[int, Places] | None:
    """Of several lines, by number, the first that is a remembered header, and its columns; one query."""
    keys = {number: header_key(header) for number, header in headers.items()}
    query = select(HeaderMapping.key, HeaderMapping.columns).where(
        HeaderMapping.key.in_(set(keys.values()))
    )
    known = {found.key: found.columns for found in db.session.execute(query)}
    for number, key in keys.items():
        if key in known:
            return number, Places.from_dict(known[key])
    return None


def remember_columns(header: Sequence[str], places: Places, batch: Batch, by: User) -> None:
    """Read files with this header so from now on. Does not commit."""
    known = _find_columns(header)
    if known is None:
        known = HeaderMapping(key=header_key(header))
        db.session.add(known)
    if known.columns != places.as_dict():
        known.columns, known.names = places.as_dict(), names_of(places, header)
        events.record(by, AuditAction.COLUMNS_REMEMBERED, batch, columns=known.names)


def forget_columns(header: Sequence[str], batch: Batch, by: User) -> None:
    """Read files with this header by their column names again. Does not commit."""
    if known := _find_columns(header):
        db.session.delete(known)
        events.record(by, AuditAction.COLUMNS_FORGOTTEN, batch, columns=list(header))


def _find_columns(header: Sequence[str]) -> HeaderMapping | None:
    return db.session.scalar(select(HeaderMapping).where(HeaderMapping.key == header_key(header)))


def list_header_mappings() -> Sequence[HeaderMapping]:
    """All remembered headers, the newest first."""
    newest = HeaderMapping.created_at.desc(), HeaderMapping.id.desc()
    return db.session.scalars(select(HeaderMapping).order_by(*newest)).all()


def get_header_mapping(alias_id: int) -> HeaderMapping:
    """What is remembered of one header. Raises NotFoundError."""
    known = db.session.get(HeaderMapping, alias_id)
    if known is None:
        raise NotFoundError("These columns are forgotten already.")
    return known


def forget_columns_of(alias_id: int, by: User) -> None:
    """Read files with a remembered header by their column names again. Raises NotFoundError."""
    begin_write()
    known = get_header_mapping(alias_id)
    label = ", ".join(known.names.values()) or "files of before"
    events.record(by, AuditAction.COLUMNS_FORGOTTEN, label=label, columns=known.names)
    db.session.delete(known)
    db.session.commit()


# Words


def remember(kind: AliasKind, word: str, name: str, by: User) -> None:
    """Let a file's word mean the role or group of this name. Raises RuleViolationError."""
    word = check_word(word)
    begin_write()
    entry = _entries(kind).get(fold(name))
    if entry is None:
        raise RuleViolationError(
            f"There is no {kind.value} called “{name}” any more. Load the page again."
        )
    _remember(kind, word, get_named(kind, entry.id), by)


def add(kind: AliasKind, meant_id: int, word: str, by: User) -> str:
    """Add another name for a role or a group, typed on its page. -> the name.

    Raises RuleViolationError (field "word"), or NotFoundError.
    """
    try:
        word = clean_name(word, kind.value)
    except ValidationError as error:
        raise RuleViolationError(str(error), field="word") from error
    begin_write()
    meant = get_named(kind, meant_id)
    entry = _entries(kind).get(fold(word))
    if entry and entry.id == meant_id:
        raise RuleViolationError(f"“{word}” means “{meant.name}” already.", field="word")
    refuse_taken(kind, [word], field="word")
    _remember(kind, word, meant, by)
    return word


def _remember(kind: AliasKind, word: str, meant: Named, by: User) -> None:
    """Give a word its meaning, and commit."""
    _set_meaning(kind, word, meant)
    events.record(by, AuditAction.ALIAS_REMEMBERED, meant, word=word)
    lookup.bump_version()
    db.session.commit()


def get_alias(alias_id: int) -> tuple[Alias, Any]:
    """An alias, and the role or group that it means. Raises NotFoundError."""
    alias = db.session.get(Alias, alias_id)
    if alias is None:
        raise NotFoundError("There is no such name any more.")
    return alias, db.session.get_one(MODELS[alias.kind], alias.role_id or alias.group_id)


def forget(alias_id: int, by: User) -> tuple[int | None, str]:
    """Delete an alias. -> the id of its group, None for a role, and the word. Raises NotFoundError."""
    begin_write()
    alias, meant = get_alias(alias_id)
    group_id, word = alias.group_id, alias.word
    events.record(by, AuditAction.ALIAS_FORGOTTEN, meant, word=word)
    db.session.delete(alias)
    lookup.bump_version()
    db.session.commit()
    return group_id, word


def rename(kind: AliasKind, meant: Named, name: str) -> None:
    """Rename a role or group; the old name becomes an alias of it. Does not commit.

    Raises RuleViolationError (field "name") if the name means another one.
    """
    old, key = meant.name, fold(name)
    if key != meant.key:
        refuse_taken(kind, [name], meant.id)
        db.session.execute(delete(Alias).where(Alias.kind == kind, Alias.key == key))
        meant.name, meant.key = name, key
        _set_meaning(kind, old, meant)
    meant.name = name


def transfer_names(kind: AliasKind, old: Named, meant: Named) -> None:
    """Let the name and the aliases of `old` mean `meant`, before `old` is deleted. Does not commit."""
    for alias in list_aliases(kind)[old.id]:
        _set_meaning(kind, alias.word, meant)
    _set_meaning(kind, old.name, meant)


def refuse_taken(
    kind: AliasKind, names: Iterable[str], but_id: int = 0, field: str = "name"
) -> None:
    """Refuse names that another role or group has, or that are aliases of one. Raises RuleViolationError."""
    entries = _entries(kind)
    others = [(name, entries[fold(name)]) for name in names if fold(name) in entries]
    others = [(name, entry) for name, entry in others if entry.id != but_id]
    taken = sorted(f"“{entry.name}”" for name, entry in others if fold(entry.name) == fold(name))
    if taken:
        verb = "exists" if len(taken) == 1 else "exist"
        raise RuleViolationError(
            f"{', '.join(taken)} {verb} already. Nothing was changed.", field=field
        )
    for name, entry in others:
        raise RuleViolationError(
            f"“{name}” is another name of “{entry.name}”. Remove it there first.", field=field
        )


def get_named(kind: AliasKind, meant_id: int) -> Any:
    """The role or group with this id. Raises NotFoundError."""
    found = db.session.get(MODELS[kind], meant_id)
    if found is None:
        raise NotFoundError(
            f"There is no such {kind.value} any more. It may have been merged or deleted."
        )
    return found


def list_aliases(kind: AliasKind) -> dict[int, list[Alias]]:
    """The aliases of all roles or groups, by id, in one query."""
    found: defaultdict[int, list[Alias]] = defaultdict(list)
    for alias in db.session.scalars(
        select(Alias).where(Alias.kind == kind).order_by(binary_order(Alias.key))
    ):
        found[alias.role_id or alias.group_id or 0].append(alias)
    return found


def count_rows_naming(kind: AliasKind, ids: Collection[int]) -> int:
    """How many rows under review name one of these roles or groups, by whatever name."""
    keys = {key for key, entry in _entries(kind).items() if entry.id in ids}
    cell = Row.role if kind is AliasKind.ROLE else Row.groups
    said = (
        select(cell, func.count())
        .join(Batch, Batch.id == Row.batch_id)
        .where(Batch.state == BatchState.REVIEWING, Row.removed_at.is_(None), cell != "")
        .group_by(cell)
    )
    split = split_groups if kind is AliasKind.GROUP else lambda text: [text]
    return sum(
        n for text, n in db.session.execute(said) if not keys.isdisjoint(map(fold, split(text)))
    )


def check_word(word: str) -> str:
    """The word as it is stored. Raises RuleViolationError if it is empty or too long."""
    word = " ".join(word.split())
    if not word or len(word) > LONGEST_WORD:
        raise RuleViolationError(
            f"Only words of up to {LONGEST_WORD} characters can be remembered."
        )
    return word


def _set_meaning(kind: AliasKind, word: str, meant: Named) -> Alias:
    """Let the word mean this role or group, whatever it meant before. Does not commit."""
    alias = db.session.scalar(select(Alias).where(Alias.kind == kind, Alias.key == fold(word)))
    if alias is None:
        alias = Alias(kind=kind, key=fold(word))
        db.session.add(alias)
    alias.word = word
    alias.role_id = meant.id if kind is AliasKind.ROLE else None
    alias.group_id = meant.id if kind is AliasKind.GROUP else None
    return alias


def _entries(kind: AliasKind) -> Mapping[str, RoleEntry | GroupEntry]:
    """The roles or groups by every name that they have, folded."""
    registry = lookup.registry()
    return registry.role_by_key if kind is AliasKind.ROLE else registry.group_by_key
