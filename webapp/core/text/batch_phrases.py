"""Words for batches: names of actions and reverts, and how a file was read. Pure."""

from __future__ import annotations

from typing import Any

from webapp.core.plan.actions import Action, Do
from webapp.core.plan.registry import Registry
from webapp.core.text import phrases
from webapp.core.text.formatting import list_names
from webapp.core.text.phrases import CodedText

_TITLES = {
    "set_role": "Change the role of {n} {n:person|people} to {role}",
    "set_groups": "Set the groups of {n} {n:person|people}",
    "add_group": "Add “{group}” to {n} {n:person|people}",
    "add_groups": "Add {count:,} groups to {n} {n:person|people}",
    "add_all_groups": "Add All groups to {n} {n:person|people}",
    "remove_group": "Remove “{group}” from {n} {n:person|people}",
    "remove_groups": "Remove {count:,} groups from {n} {n:person|people}",
    "remove_all_groups": "Remove All groups from {n} {n:person|people}",
    "deactivate": "Deactivate {n} {n:person|people}",
    "reactivate": "Reactivate {n} {n:person|people}",
    "resend": "Resend the {n:invitation|invitations} of {n} {n:person|people}",
    "revoke": "Revoke the {n:invitation|invitations} of {n} {n:person|people}",
    "end_access": "End the access of {n} {n:person|people}",
    "revert": "Revert of “{name}”",
    "part": "{name}, part {part} of {parts}",
}

_READING = {
    "again": "{n} {n:row|rows} of {kind} {batch} that had changed since its review",
    "address_list": "a list of {n} {n:address|addresses}, each one person",
    "chosen": "columns as you chose",
    "downloaded": "downloaded from Muster before",
    "encoding": "{encoding}",
    "examples": "{n} example {n:row|rows} from the template left out",
    "header_row": "header found in row {row}",
    "ignored": "{n:column|columns} {columns} ignored",
    "joined": "columns {columns} joined as groups",
    "joined_names": "columns {columns} joined as names",
    "missing": "People of {scope} who are not in {name}",
    "no_header": "no header row",
    "overflowed": "extra cells of {n} {n:row|rows} were read as groups",
    "pasted": "pasted",
    "prefilled": "{n} {n:row|rows} without an email below the last person skipped ({n:row|rows} {rows})",
    "remembered": "columns as remembered for files with these headers",
    "remembered_names": "columns as remembered for files with these headers, and names, which are read now",
    "separated": "{separation}",
    "sheets_unread": "{n:sheet|sheets} {sheets} not read",
    "ticks": "{n:column|columns} {columns} read as ticks for groups",
    "trimmed": "{n} {n:cell|cells} trimmed",
    "workbook": "{format} workbook, sheet {sheets}",
}

_SEPARATIONS = {
    ",": "comma-separated",
    ";": "semicolon-separated",
    "\t": "tab-separated",
    "|": "pipe-separated",
}


def describe_title(said: CodedText) -> str:
    """What a batch is called: "Deactivate 12 people", "Revert of “staff.csv”"."""
    if "of" in said:
        said = {**said, "name": describe_title(said["of"])[:200]}
    return phrases.describe(_TITLES, said)


def name_action(action: Action, n: int, registry: Registry) -> dict[str, Any]:
    """What an action for so many people is called, as it is stored."""
    said: dict[str, Any] = {"code": action.do.value, "n": n}
    if action.do is Do.SET_ROLE:
        said["role"] = registry.role_by_id[action.role or 0].name
    if action.do in (Do.ADD_GROUPS, Do.REMOVE_GROUPS):
        verb = "add" if action.do is Do.ADD_GROUPS else "remove"
        if action.everything:
            said["code"] = f"{verb}_all_groups"
        elif len(action.groups) == 1:
            [group_id] = action.groups
            said["code"] = f"{verb}_group"
            said["group"] = registry.group_by_id[group_id].name
        else:
            said["count"] = len(action.groups)
    return said


def describe_reading(said: CodedText) -> str:
    """One fact about how a file was read; several are joined by commas."""
    shown = dict(said)
    for name in ("columns", "sheets"):
        if name in said:
            shown[name] = list_names(said[name])
    if "rows" in said:
        first, last = said["rows"][0], said["rows"][-1]
        shown["rows"] = f"{first} to {last}" if last > first else str(first)
    if separator := said.get("separation"):
        shown["separation"] = _SEPARATIONS.get(separator, f"separated by “{separator}”")
    return phrases.describe(_READING, shown)
