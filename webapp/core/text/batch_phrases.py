"""Words for batches: names of actions and reverts, and how a file was read. Pure."""

from __future__ import annotations

from typing import Any

from webapp.core.plan.actions import Action, Do
from webapp.core.plan.registry import Registry
from webapp.core.text import phrases
from webapp.core.text.formatting import list_names, list_numbers
from webapp.core.text.phrases import CodedText, Phrase

_TITLES: dict[str, Phrase] = {
    "set_role": (
        "Change the role of {n:,} person to {role}",
        "Change the role of {n:,} people to {role}",
    ),
    "set_groups": ("Set the groups of {n:,} person", "Set the groups of {n:,} people"),
    "add_group": ("Add “{group}” to {n:,} person", "Add “{group}” to {n:,} people"),
    "add_groups": ("Add {count:,} groups to {n:,} person", "Add {count:,} groups to {n:,} people"),
    "add_all_groups": ("Add All groups to {n:,} person", "Add All groups to {n:,} people"),
    "remove_group": ("Remove “{group}” from {n:,} person", "Remove “{group}” from {n:,} people"),
    "remove_groups": (
        "Remove {count:,} groups from {n:,} person",
        "Remove {count:,} groups from {n:,} people",
    ),
    "remove_all_groups": (
        "Remove All groups from {n:,} person",
        "Remove All groups from {n:,} people",
    ),
    "deactivate": ("Deactivate {n:,} person", "Deactivate {n:,} people"),
    "reactivate": ("Reactivate {n:,} person", "Reactivate {n:,} people"),
    "resend": ("Resend the invitation of {n:,} person", "Resend the invitations of {n:,} people"),
    "revoke": ("Revoke the invitation of {n:,} person", "Revoke the invitations of {n:,} people"),
    "revert": "Revert of “{name}”",
    "part": "{name}, part {part} of {parts}",
}

_READING: dict[str, Phrase] = {
    "again": (
        "{n:,} row of {kind} {batch} that had changed since its review",
        "{n:,} rows of {kind} {batch} that had changed since its review",
    ),
    "address_list": (
        "a list of {n:,} address, each one person",
        "a list of {n:,} addresses, each one person",
    ),
    "blank": ("{n:,} blank row skipped", "{n:,} blank rows skipped"),
    "chosen": "columns as you chose",
    "downloaded": "downloaded from Muster before",
    "encoding": "{encoding}",
    "examples": (
        "{n:,} example row from the template left out",
        "{n:,} example rows from the template left out",
    ),
    "header_row": "header found in row {row}",
    "ignored": ("column {columns} ignored", "columns {columns} ignored"),
    "joined": "columns {columns} joined as groups",
    "more_words": (
        "{n:,} more remembered word understood",
        "{n:,} more remembered words understood",
    ),
    "no_header": "no header row",
    "overflowed": (
        "extra cells of {n:,} row were read as groups",
        "extra cells of {n:,} rows were read as groups",
    ),
    "pasted": "pasted",
    "prefilled": (
        "{n:,} row without an email below the last person skipped (row {rows})",
        "{n:,} rows without an email below the last person skipped (rows {rows})",
    ),
    "remembered": "columns as remembered for files with these headers",
    "separated": "{separation}",
    "separated_below": "{separation} rows below {header} column names",
    "sheets_unread": ("sheet {sheets} not read", "sheets {sheets} not read"),
    "ticks": (
        "column {columns} read as ticks for groups",
        "columns {columns} read as ticks for groups",
    ),
    "trimmed": ("{n:,} cell trimmed", "{n:,} cells trimmed"),
    "word": ("“{word}” read as {meaning} in {n:,} row", "“{word}” read as {meaning} in {n:,} rows"),
    "workbook": "{format} workbook, sheet {sheets}",
}

_SKIPPED: dict[str, Phrase] = {
    "attention": ("{n:,} row that needed attention", "{n:,} rows that needed attention"),
    "duplicate": ("{n:,} duplicate", "{n:,} duplicates"),
    "other": ("{n:,} row for another reason", "{n:,} rows for another reason"),
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
        return phrases.describe(_TITLES, {**said, "name": describe_title(said["of"])[:200]})
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
        shown["rows"] = list_numbers(said["rows"])
    for name in ("separation", "header"):
        if name in said:
            shown[name] = _SEPARATIONS.get(said[name], f"separated by “{said[name]}”")
    return phrases.describe(_READING, shown)


def describe_skipped(attention: int, duplicates: int, others: int) -> str:
    """Why rows were skipped: "5 rows that needed attention, 3 duplicates"."""
    if not attention and not duplicates:
        return "Nothing was done for these rows."
    counts = {"attention": attention, "duplicate": duplicates, "other": others}
    return ", ".join(phrases.describe_counts(_SKIPPED, counts))
