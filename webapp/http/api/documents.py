"""What a route of the API says of itself, for the document at /api/v1/openapi.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. query, body, form: what it takes. gives: what it answers, with its status.

    also: further statuses, each with a sentence. headers: those that it reads, each with whether it must be there.
    """

    summary: str
    gives: type[Schema] | None = None
    status: int = 200
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    form: type[Schema] | None = None
    also: Mapping[int, str] = field(default_factory=dict)
    headers: Mapping[str, bool] = field(default_factory=dict)


def describe(summary: str, **about: Any) -> Callable[[View], View]:
    """Say what a route takes and gives. about: fields of `Operation`."""

    def mark(view: View) -> View:
        view.operation = Operation(summary, **about)  # type: ignore[attr-defined]
        return view

    return mark
