"""Uploads the people of the organisation's directory, as if they had been exported to a file."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from webapp.core.files.csv_writer import write_lines
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.fields import Field
from webapp.core.plan.registry import Registry, fold
from webapp.db import db
from webapp.models import Batch, User
from webapp.services.batches import upload
from webapp.services.directory import lookup
from webapp.services.settings import in_force

LOOK = (
    "Nothing was sent. Who runs this server finds the reason in these words, or by “muster doctor”."
)


def find_host() -> str:
    """The host of the directory; "" where none is set."""
    return urlsplit(in_force.environment().ldap_url).hostname or ""


def stage(
    role: str,
    group: str,
    by: User,
    *,
    split: bool = False,
) -> Batch:
    """Read everybody of the directory, or of one group of it, into a batch under review. One commit.

    Everybody gets this role, and those groups of Muster that they have in the directory, by name or remembered word.
    Raises UnreadableFileError where the directory cannot be used or has nobody.
    """
    # imported only where a directory is set: it needs an optional package
    from webapp import ldap

    group = group.strip()
    settings = in_force.environment()
    registry = lookup.registry()
    db.session.rollback()  # no transaction stays open while a server is asked
    try:
        people = ldap.list_people(settings, group)
    except ldap.LdapError as error:
        raise UnreadableFileError(str(error), LOOK) from error
    if not people:
        raise UnreadableFileError(
            f"The directory has nobody with an email{f' in “{group}”' if group else ''}.",
            "Type a group as it is called there, or leave it blank for everybody.",
        )
    lines = [
        (each.email, each.name, role, ", ".join(_known(registry, each.groups))) for each in people
    ]
    data = b"".join(write_lines([field.heading for field in Field], lines))
    return upload.stage(data, f"{find_host()}.csv", by, split=split)


def _known(
    registry: Registry,
    names: Sequence[str],
) -> list[str]:
    """The groups of Muster that are meant by these names, in their order; other names are left out."""
    found = {}
    for name in names:
        if group := registry.group_by_key.get(fold(name)):
            found[group.id] = group.name
    return list(found.values())
