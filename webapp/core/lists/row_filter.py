"""What the review shows of a batch's rows: a filter, a search and an order, as the page's address carries them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webapp.core.lists.paging import ListFilter, Order, member, read_number, searched
from webapp.core.plan.planner import Plan


class Problem(StrEnum):
    """A column with something wrong in it."""

    EMAIL = "email"
    NAME = "name"
    ROLE = "role"
    GROUPS = "groups"


class Mark(StrEnum):
    """What deserves a second look though it is no error; `core.plan.planner.Step.marks`."""

    ADMIN = "admin"
    EVERYTHING = "everything"
    MANY = "many"
    WIDE = "wide"
    LOOKALIKE = "lookalike"


class Hint(StrEnum):
    """What a row is found by though nothing is wrong with it: what else the file, or the past, says of it."""

    GONE = "gone"
    """The file says that this person is suspended, or has left."""
    TEXT = "text"
    """A heading or a footer where a person should be."""
    HIDDEN = "hidden"
    """The sheet hides this row, or its filter does."""
    MERGED = "merged"
    """A cell of this row is part of a merged one whose value stands in a row above."""
    REPLACED = "replaced"
    """The address was replaced by another one. Not stored with the row."""


class Sort(Order):
    """Line is the place in the file."""

    LINE = "line"
    LINE_DOWN = "-line"
    EMAIL = "email"
    EMAIL_DOWN = "-email"
    NAME = "name"
    NAME_DOWN = "-name"
    ROLE = "role"
    ROLE_DOWN = "-role"
    GROUPS = "groups"
    GROUPS_DOWN = "-groups"
    PLAN = "plan"
    PLAN_DOWN = "-plan"


@dataclass(frozen=True, slots=True)
class Find(ListFilter):
    """What the review shows. plan, problem, mark, hint: None for any. text: part of a cell, on one line. page: from 1.

    unfolded: "yes" where the rows that stay as they are are shown, too.
    """

    plan: Plan | None = None
    problem: Problem | None = None
    mark: Mark | None = None
    hint: Hint | None = None
    text: str = ""
    sort: Sort = Sort.LINE
    page: int = 1
    unfolded: str = ""

    @classmethod
    def parse(cls, args: Mapping[str, str]) -> Find:
        """From the address's query; what it does not know is left out."""
        return cls(
            member(Plan, args.get("plan")),
            member(Problem, args.get("problem")),
            member(Mark, args.get("mark")),
            member(Hint, args.get("hint")),
            searched(args.get("q", "")),
            member(Sort, args.get("sort")) or Sort.LINE,
            read_number(args.get("page")) or 1,
            "yes" if "unfolded" in args else "",
        )

    def says(self, *cells: str) -> bool:
        """Whether one of the cells contains the text, ignoring case and repeated spaces."""
        wanted = self.text.casefold()
        return not wanted or any(wanted in " ".join(cell.casefold().split()) for cell in cells)


EVERYTHING = Find()
