"""What the organisation calls things: which columns its files have, and its own words for roles and groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete, select

from webapp.core.columns import name_of
from webapp.core.directory import fold
from webapp.core.errors import Refused
from webapp.core.fields import Field
from webapp.db import begin_write, db
from webapp.models import Alias, AliasKind, Batch, Group, HeaderMapping, Role, User
from webapp.services import audit, directory
from webapp.services.audit import AuditAction

LONGEST_WORD = 80
"""Characters of a word that can be remembered."""

# Columns


def header_key(header: Iterable[str]) -> str:
    """What files with the same column names in the same order have in common; columns without one at the end do not count."""
    return hashlib.sha256("\x1f".join(map(fold, header)).rstrip("\x1f").encode()).hexdigest()


def columns_of(headers: Mapping[int, Sequence[str]]) -> tuple[int, dict[Field, int]] | None:
    """Of several lines, by number, the first that is a remembered header, and its columns; one query."""
    keys = {number: header_key(header) for number, header in headers.items()}
    query = select(HeaderMapping.key, HeaderMapping.columns).where(HeaderMapping.key.in_(set(keys.values())))
    known = {found.key: found.columns for found in db.session.execute(query)}
    for number, key in keys.items():
        if key in known:
            return number, {Field(name): place for name, place in known[key].items()}
    return None


def remember_columns(header: Sequence[str], columns: Mapping[Field, int], batch: Batch, by: User) -> None:
    """Part of a command: from now on files with this header are read so."""
    held = {field.value: place for field, place in columns.items()}
    known = db.session.scalar(select(HeaderMapping).where(HeaderMapping.key == header_key(header)).with_for_update())
    if known and known.columns == held:
        return
    if known:
        known.columns = held
    else:
        db.session.add(HeaderMapping(key=header_key(header), columns=held))
    named = {field.heading: name_of(header, place) for field, place in columns.items()}
    audit.record(by, AuditAction.COLUMNS_REMEMBERED, batch, columns=named)


def forget_columns(header: Sequence[str], batch: Batch, by: User) -> None:
    """Part of a command: files with this header are read by their column names again."""
    gone = db.session.execute(delete(HeaderMapping).where(HeaderMapping.key == header_key(header)).returning(HeaderMapping.id))
    if gone.first():
        audit.record(by, AuditAction.COLUMNS_FORGOTTEN, batch, columns=list(header))


# Words


def remember(kind: AliasKind, word: str, name: str, by: User, batch_id: int) -> Alias:
    """From now on a file's `word` means the role or the group of this name. Raises Refused.

    batch_id: the batch in which no row says so any more, so that its plans stay as good as they are.
    """
    word = check(word)
    begin_write()
    meant = _meant(kind, name)
    alias = db.session.scalar(select(Alias).where(Alias.kind == kind, Alias.key == fold(word)).with_for_update())
    if alias is None:
        alias = Alias(kind=kind, key=fold(word))
        db.session.add(alias)
    alias.word = word
    alias.role_id = meant.id if kind is AliasKind.ROLE else None
    alias.group_id = meant.id if kind is AliasKind.GROUP else None
    audit.record(by, AuditAction.ALIAS_REMEMBERED, meant, word=word)
    batch = db.session.get_one(Batch, batch_id, with_for_update={"of": Batch})
    is_fresh = batch.directory_version == directory.version()
    directory.moved()
    if is_fresh:
        batch.directory_version = directory.version()
    db.session.commit()
    return alias


def check(word: str) -> str:
    """The word as it is kept. Raises Refused for one that cannot be remembered."""
    word = " ".join(word.split())
    if not word or len(word) > LONGEST_WORD:
        raise Refused(f"Only words of up to {LONGEST_WORD} characters can be remembered.")
    return word


def _meant(kind: AliasKind, name: str) -> Role | Group:
    query = select(Role) if kind is AliasKind.ROLE else select(Group)
    column = Role.key if kind is AliasKind.ROLE else Group.key
    meant: Role | Group | None = db.session.scalar(query.where(column == fold(name)))
    if meant is None:
        db.session.rollback()
        raise Refused(f"There is no {kind.value} called “{name}” any more. Load the page again.")
    return meant
