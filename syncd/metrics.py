"""What is measured, for `/metrics` (STYLE 6): closed label sets only, never ids or addresses.

Two processes count; where `PROMETHEUS_MULTIPROC_DIR` names a folder, prometheus-client sums them over it. Events of the log are counted
by the call that logs them (`syncd.log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from syncd.model import Lane

AGE = Histogram(
    "syncd_lead_age_seconds",
    "From the receipt of a lead that was sent to us to its being in the org.",
    ("source",),
    buckets=(0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 900, 3_600, 14_400),
)
CALLS = Counter("syncd_api_calls_total", "REST calls to Salesforce, by lane; divided by leads it is what one costs.", ("lane",))
LEADS = Counter("syncd_operations_total", "Writes to Salesforce that ended, by lane and outcome.", ("lane", "outcome"))
BUDGET = Gauge(
    "syncd_api_budget_calls",
    "Calls of the org in 24 h: used by all, allowed, and used by syncd today.",
    ("kind",),
    multiprocess_mode="mostrecent",
)
LAG = Gauge(
    "syncd_source_succeeded_timestamp_seconds",
    "When the last pass began that missed nothing of a source; its lag is the time since.",
    ("source",),
    multiprocess_mode="mostrecent",
)


def note_arrival(source: str, seconds: float) -> None:
    """A lead that was sent to us is in the org."""
    AGE.labels(source).observe(seconds)


def count_run(lane: Lane, api_calls: int, operations: Mapping[str, int]) -> None:
    """A run has ended."""
    CALLS.labels(lane.name.lower()).inc(api_calls)
    for outcome, count in operations.items():
        if count:
            LEADS.labels(lane.name.lower(), outcome).inc(count)


def note_schedules(succeeded: Mapping[str, datetime | None]) -> None:
    """When each source was last read to its end."""
    for source, at in succeeded.items():
        if at is not None:
            LAG.labels(source).set(at.timestamp())


def note_budget(usage: tuple[int, int] | None, ours: int) -> None:
    """What the org said last of its calls, and how many of them are ours today."""
    if usage is not None:
        BUDGET.labels("used").set(usage[0])
        BUDGET.labels("allowed").set(usage[1])
    BUDGET.labels("ours").set(ours)
