"""What a provider or a proxy says about somebody (claims), and the access that follows from it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from webapp.core.plan.registry import Registry, RoleEntry, fold
from webapp.core.security.permissions import may_grant

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Claims:
    """Who is there, as a door says it. groups, roles: None where it does not say.

    subject: who it is for good at this issuer. is_verified: whether the e-mail is theirs; None: it does not say.
    """

    issuer: str
    subject: str
    email: str = ""
    is_verified: bool | None = None
    name: str = ""
    groups: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None


def read_claims(
    raw: Mapping[str, Any], issuer: str, groups_claim: str = "", role_claim: str = ""
) -> Claims:
    """The claims of an ID token, or of UserInfo. groups_claim, role_claim: "" to leave them out."""
    return Claims(
        issuer=issuer,
        subject=str(raw.get("sub") or ""),
        email=_text(raw.get("email")),
        is_verified=_read_verified(raw.get("email_verified")),
        name=_read_name(raw),
        groups=_read_list(raw, groups_claim),
        roles=_read_list(raw, role_claim),
    )


def find_claim(raw: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by the way to it ("realm_access.roles"); None where there is none."""
    if name in raw:
        return raw[name]
    found: Any = raw
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def choose_groups(
    registry: Registry, claims: Claims, mode: str, present: Collection[int]
) -> frozenset[int]:
    """The groups that a person has then. Names that Muster does not know are ignored, and no claim means All groups.

    mode: "off", "add" or "replace". Where the claims say nothing of groups, they stay.
    """
    now = frozenset(present)
    if mode == "off" or claims.groups is None:
        return now
    found = set()
    for name in claims.groups:
        group = registry.group_by_key.get(_key(name))
        if group:
            found.add(group.id)
    if mode == "add":
        return now | found
    return frozenset(found)


def choose_role(registry: Registry, claims: Claims, highest: str, present: int) -> int:
    """The role that a person has then: the highest that the claims name, up to `highest`. Otherwise it stays.

    highest: the name of a role; "": those that manage nobody. Who has more than that now keeps it.
    """
    named = []
    for name in claims.roles or ():
        role = registry.role_by_key.get(_key(name))
        if role and _is_within(role, registry, highest):
            named.append(role)
    now = registry.role_by_id[present]
    if not named or not _is_within(now, registry, highest):
        return present
    return max(named, key=lambda role: role.rank).id


def _key(name: str) -> str:
    """A name as roles and groups are looked up; Keycloak writes groups as paths. No group is called All groups."""
    return fold(name.removeprefix("/"))


def _is_within(role: RoleEntry, registry: Registry, highest: str) -> bool:
    if role.is_owner:
        return False
    if not highest:
        return not role.manages_people
    most = registry.role_by_key.get(fold(highest))
    return most is not None and may_grant(most.rank, most.permissions, role)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _read_verified(value: Any) -> bool | None:
    """Providers send true, false, nothing, or the word."""
    if value is None:
        return None
    return str(value).strip().lower() == "true"


def _read_name(raw: Mapping[str, Any]) -> str:
    given = _text(raw.get("given_name"))
    family = _text(raw.get("family_name"))
    name = _text(raw.get("name")) or f"{given} {family}"
    letters = [each if each.isprintable() else " " for each in name]
    words = "".join(letters).split()
    return " ".join(words)[:LONGEST_NAME].strip()


def _read_list(raw: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """A list of names, or a text with commas between; None where there are none, or too many to be sent."""
    elsewhere = raw.get("_claim_names") or {}
    if not name or name in elsewhere or raw.get("hasgroups"):
        return None
    value = find_claim(raw, name)
    if isinstance(value, str):
        value = re.split(r"[,\n]", value)
    if not isinstance(value, list | tuple):
        return None
    texts = [each for each in value if isinstance(each, str)]
    names = [" ".join(text.split()) for text in texts]
    return tuple(filter(None, names))
