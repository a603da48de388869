"""The figures for Prometheus: how long this process takes to answer, and how the installation is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from webapp.services.operations.status import Figures, Machine

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each one, which nobody asks for


class Latency:
    """How long requests took since this process began, and what the process uses. No label ever holds an id or a name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("endpoint", "method", "status")
        words = "How long this web process took to answer, by view and class of status."
        ProcessCollector(registry=self.registry)
        self._seconds = Histogram(
            "muster_request_seconds", words, labels, buckets=REQUEST_SECONDS, registry=self.registry
        )
        words = "Requests to this web process that wait for a thread."
        self._waiting = Gauge("muster_requests_waiting", words, registry=self.registry)

    def watch(self, waiting: Callable[[], int]) -> None:
        """From now on tell how many requests wait for a thread."""
        self._waiting.set_function(waiting)

    def observe(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        self._seconds.labels(endpoint, method, f"{status // 100}xx").observe(seconds)


class Installation(Collector):
    """What is the same whichever process of a machine answers. figures: of the database, None while it does not answer."""

    def __init__(
        self, version: str, machine: Machine, figures: Figures | None, waiting_jobs: int | None
    ) -> None:
        self._version, self._machine = version, machine
        self._figures, self._waiting_jobs = figures, waiting_jobs

    def collect(self) -> Iterator[Metric]:
        yield _count_by_label(
            "muster_version", "1 for the version that answers.", "version", {self._version: 1}
        )
        yield _gauge(
            "muster_database_up", "Whether the database answers.", self._figures is not None
        )
        yield _gauge(
            "muster_queue_up", "Whether the queue server answers.", self._waiting_jobs is not None
        )
        machine = self._machine
        backed_up_at = machine.backed_up_at.timestamp() if machine.backed_up_at else 0
        words = "When the last backup was made, in seconds since 1970; 0 where none was."
        yield _gauge("muster_last_backup_timestamp_seconds", words, backed_up_at)
        yield _gauge(
            "muster_data_free_bytes",
            "Free space on the disk of the data folder.",
            machine.free_bytes,
        )
        yield _gauge(
            "muster_workers_expected",
            "Workers that there should be, by MUSTER_WORKERS.",
            machine.workers_expected,
        )
        if self._waiting_jobs is not None:
            yield _gauge("muster_queue_depth", "Jobs that wait for a worker.", self._waiting_jobs)
        if now := self._figures:
            yield _gauge(
                "muster_workers_alive", "Workers that were seen within 30 seconds.", now.workers
            )
            yield _gauge(
                "muster_mail_held_up",
                "Whether all sending waits for the mail server.",
                now.is_mail_held_up,
            )
            yield _gauge(
                "muster_outbox_oldest_due_seconds",
                "How long the oldest message has been due.",
                now.oldest_due_seconds,
            )
            yield _count_by_label(
                "muster_outbox_messages", "Messages by state.", "state", now.messages
            )
            yield _gauge(
                "muster_invitations_pending",
                "Invitations that are not accepted yet.",
                now.pending_invitations,
            )
            yield _gauge("muster_database_bytes", "How large the database is.", now.database_bytes)
            yield _count_by_label("muster_batches", "Batches by state.", "state", now.batches)
            ended = HistogramMetricFamily(
                "muster_batch_seconds", "From confirming a batch to its end."
            )
            buckets = [
                ("+Inf" if limit == inf else str(limit), n)
                for limit, n in now.batch_seconds.items()
            ]
            ended.add_metric([], buckets, now.batch_seconds_in_all)
            yield ended


def render(latency: Latency, installation: Installation) -> bytes:
    """Everything, in Prometheus' text format."""
    of_all = CollectorRegistry()
    of_all.register(installation)
    return generate_latest(of_all) + generate_latest(latency.registry)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _count_by_label(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for of, value in values.items():
        family.add_metric([of], value)
    return family
