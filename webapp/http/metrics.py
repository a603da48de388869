"""The figures for Prometheus: how long the web server takes to answer, and how the installation is doing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each one, which nobody asks for


REQUEST_SECONDS = Histogram(
    "muster_request_seconds",
    "How long the web server took to answer, by view and class of status.",
    ("endpoint", "status"),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
"""How long requests take. No label holds an id or a name."""


def render(version: str, figures: Mapping[str, float | Mapping[str, int]]) -> bytes:
    """Everything in Prometheus' text format. docs/operations.md says what each figure means."""
    lines = [f'muster_version{{version="{version}"}} 1']
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines += [f'muster_{name}{{state="{state}"}} {n}' for state, n in value.items()]
        else:
            lines.append(f"muster_{name} {float(value)}")
    return "\n".join([*lines, ""]).encode() + generate_latest(_registry())


def _registry() -> CollectorRegistry:
    """What this process counts; where the supervisor started several on one port, what all of them count."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
