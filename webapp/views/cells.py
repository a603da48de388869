"""How a cell of the review is shown: what it says once its plan is carried out, in the registry's own spelling. No query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.core.directory import ALL_GROUPS, Registry, fold
from webapp.core.planning import Access, Plan
from webapp.models import Row
from webapp.schemas.groups import GroupSchema
from webapp.schemas.rows import split_groups
from webapp.services import steps


@dataclass(frozen=True, slots=True)
class Groups:
    """A row's groups as shown, in names: after the change where a change is planned, else the cell as it stands."""

    kept: Sequence[str]
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    unknown: Sequence[str] = ()

    @property
    def creatable(self) -> list[str]:
        """Those of the unknown names that a group may have."""
        return [name for name in self.unknown if not GroupSchema().validate({"name": name})]


def shown_groups(row: Row, registry: Registry) -> Groups:
    """The groups that the row gives or takes where a change is planned, else those of its cell."""
    step = steps.stored(row)
    if row.plan is Plan.ATTENTION or step.before is None or step.after is None:
        names = [_official(name, registry) for name in split_groups(row.groups)]
        return Groups(names, unknown=[name for name in names if fold(name) not in registry.group_by_key and name != ALL_GROUPS])
    before, after = _names(step.before, registry), _names(step.after, registry)
    return Groups(
        [name for name in after if name in before],
        [name for name in after if name not in before],
        [name for name in before if name not in after],
    )


def _official(name: str, registry: Registry) -> str:
    if fold(name) == fold(ALL_GROUPS):
        return ALL_GROUPS
    group = registry.group_by_key.get(fold(name))
    return group.name if group else name


def _names(access: Access, registry: Registry) -> list[str]:
    if access.everything:
        return [ALL_GROUPS]
    return sorted(registry.group_by_id[id].name for id in access.groups if id in registry.group_by_id)


def shown_role(row: Row, registry: Registry) -> str:
    """The role's own spelling where the cell names one, else the cell."""
    role = registry.role_by_key.get(fold(row.role))
    return role.name if role else row.role
