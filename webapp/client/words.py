"""What the commands say: sentences on stderr, tables and CSV on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from webapp.core.files.csv_writer import write_lines
from webapp.core.text.formatting import plural

PLANS = {
    "invite": "new invitation",
    "update": "update",
    "unchanged": "unchanged",
    "attention": "needs attention",
    "duplicate": "duplicate",
}
MOST = 50
"""Rows of a plan that are shown; the counts tell of the others."""


def say(text: str) -> None:
    """Say something to people."""
    click.echo(text, err=True)


def tell_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    """Columns as wide as their widest cell."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip(), err=err)


def tell_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A CSV file, with formulas made harmless."""
    for piece in write_lines(header, rows):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def tell_plan(batch: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """What confirming would do, row by row, and in all."""
    acting = [row for row in rows if row["plan"] in ("invite", "update", "attention")]
    if acting:
        header = ("Row", "Email", "Role", "Groups", "What happens")
        tell_table(header, map(_plan_cells, acting[:MOST]), err=True)
    if len(acting) > MOST:
        say(f"and {len(acting) - MOST:,} more")
    counts = [f"{batch['counts'][plan]:,} {PLANS[plan]}" for plan in PLANS if batch["counts"][plan]]
    say(f"{batch['name']}: {plural(batch['rows'], 'row')}. {', '.join(counts) or 'nothing'}.")


def _plan_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    what = PLANS[row["plan"]]
    if row["issues"]:
        what = "; ".join(map(_issue, row["issues"]))
    elif row["plan"] == "update":
        what = _change(row)
    return str(row["line"]), row["email"], row["role"], ", ".join(row["groups"]), what


def _issue(issue: Mapping[str, Any]) -> str:
    if issue["suggestion"]:
        return f"{issue['text']} Did you mean {issue['suggestion']}?"
    return str(issue["text"])


def _change(row: Mapping[str, Any]) -> str:
    before, after = row["before"], row["after"]
    if not before or not after:
        return "update"
    parts = [f"+ {name}" for name in after["groups"] if name not in before["groups"]]
    parts += [f"- {name}" for name in before["groups"] if name not in after["groups"]]
    if before["role"] != after["role"]:
        parts.insert(0, f"{before['role']} -> {after['role']}")
    return ", ".join(parts) or "update"


def tell_outcomes(outcomes: Mapping[str, int]) -> None:
    """How a batch ended."""
    found = [f"{n:,} {name}" for name, n in outcomes.items() if n]
    say(f"Done: {', '.join(found) or 'nothing to do'}.")
