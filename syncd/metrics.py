"""What the daemon counts for Prometheus: every metric is defined here, and counted where it happens.

Names are `syncd_<noun>_<unit>`; labels come from closed sets (sources of the configuration, constant words), never from a
request or a record. Documented in docs/reference/metrics.md; a test keeps the two in step.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from syncd.model import Lane

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what `render` gives."""

REGISTRY = CollectorRegistry(auto_describe=True)

NO_SOURCE = "-"
"""Label of what belongs to no configured source."""

WEBHOOK_REQUESTS = Counter(
    "syncd_webhook_requests_total",
    "Requests to push sources by how they ended: stored, answered (a handshake), or the word of the refusal.",
    ("source", "outcome"),
    registry=REGISTRY,
)
WEBHOOK_SECONDS = Histogram(
    "syncd_webhook_seconds",
    "Seconds from the head of a request to its answer, the commit included.",
    ("source",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    registry=REGISTRY,
)


LEAD_AGE = Histogram(
    "syncd_lead_age_seconds",
    "From the receipt of a lead that was sent to us to its being in the org.",
    ("source",),
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 900, 3_600, 14_400),
    registry=REGISTRY,
)
API_CALLS = Counter("syncd_api_calls_total", "Calls to Salesforce.", ("lane",), registry=REGISTRY)
OPERATIONS = Counter(
    "syncd_operations_total",
    "Writes to Salesforce by how they ended; API calls divided by those that were created is what a lead costs.",
    ("lane", "outcome"),
    registry=REGISTRY,
)
EVENTS = Counter("syncd_events_total", "Events of the log, whether their level is shown or not.", ("event",), registry=REGISTRY)


def _gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
    """A value of the engine, which is one process: of its predecessors only the last word counts."""
    return Gauge(name, text, labels, registry=REGISTRY, multiprocess_mode="mostrecent")


BUDGET = _gauge("syncd_api_budget_count", "Calls of the org in 24 h: used by all, allowed, and ours of this day.", ("kind",))
SUCCEEDED = _gauge(
    "syncd_source_succeeded_timestamp_seconds",
    "When the last pass began that missed nothing of a source: its lag is the time since.",
    ("source",),
)
WAITING = _gauge("syncd_inbox_waiting_count", "Records that wait to be mapped and resolved.", ("source",))
WANTED = _gauge("syncd_wanted_count", "Records that a source has announced and that are still to be asked for.", ("source",))
DEAD_LETTERS = _gauge("syncd_dead_letters_open_count", "What was set aside and waits for a person.")
REVIEWS = _gauge("syncd_reviews_open_count", "Questions that wait for a person.")
OPEN_OPERATIONS = _gauge("syncd_operations_open_count", "Writes that are planned, held, under way or without an answer.")
QUEUE_BYTES = _gauge("syncd_journal_bytes", "Bodies that were received and are not in the inbox yet.", ("source",))
QUEUE_AGE = _gauge("syncd_journal_oldest_timestamp_seconds", "When the oldest of them came.", ("source",))
FILE_BYTES = _gauge(
    "syncd_store_bytes", "Size of the files of a SQLite store: `store`, its write-ahead log `wal`, and `journal`.", ("file",)
)


def count_event(event: str) -> None:
    """Something was logged, shown or not."""
    EVENTS.labels(event).inc()


def note_arrival(source: str, seconds: float) -> None:
    """A lead that was sent to us is in the org."""
    LEAD_AGE.labels(source).observe(seconds)


def count_run(lane: Lane, api_calls: int, operations: Mapping[str, int]) -> None:
    """A run has ended."""
    API_CALLS.labels(lane.name.lower()).inc(api_calls)
    for outcome, count in operations.items():
        if count:
            OPERATIONS.labels(lane.name.lower(), outcome).inc(count)


def note_schedules(succeeded: Mapping[str, datetime | None]) -> None:
    """When each source was last read to its end."""
    for source, at in succeeded.items():
        if at is not None:
            SUCCEEDED.labels(source).set(at.timestamp())


def note_budget(usage: tuple[int, int] | None, ours: int) -> None:
    """What the org said last of its calls, and how many of them are ours today."""
    if usage is not None:
        BUDGET.labels("used").set(usage[0])
        BUDGET.labels("allowed").set(usage[1])
    BUDGET.labels("ours").set(ours)


def note_queues(
    waiting: Mapping[str, int], wanted: Mapping[str, int], dead_letters: int, reviews: int, open_operations: int
) -> None:
    """What waits in the store."""
    for gauge, counts in ((WAITING, waiting), (WANTED, wanted)):
        for source, count in counts.items():
            gauge.labels(source).set(count)
    DEAD_LETTERS.set(dead_letters)
    REVIEWS.set(reviews)
    OPEN_OPERATIONS.set(open_operations)


def note_journal(backlog: Mapping[str, tuple[int, datetime | None]]) -> None:
    """What waits before the inbox: bytes, and since when."""
    for source, (size, oldest_at) in backlog.items():
        QUEUE_BYTES.labels(source).set(size)
        QUEUE_AGE.labels(source).set(oldest_at.timestamp() if oldest_at is not None else 0.0)


def note_files(sizes: Mapping[str, int]) -> None:
    """How large the files of the store are."""
    for file, size in sizes.items():
        FILE_BYTES.labels(file).set(size)


def render() -> bytes:
    """All metrics as Prometheus reads them: of both processes where they share a folder, else of this one."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
