"""What the daemon counts for Prometheus: every metric is defined here, and counted where it happens.

Names are `syncd_<noun>_<unit>`; labels come from closed sets (sources of the configuration, constant words), never from a
request or a record. Documented in docs/reference/metrics.md; a test keeps the two in step.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what `render` gives."""

REGISTRY = CollectorRegistry(auto_describe=True)

NO_SOURCE = "-"
"""Label of what belongs to no configured source."""

WEBHOOK_REQUESTS = Counter(
    "syncd_webhook_requests_total",
    "Requests to push sources by how they ended: stored, or the word of the refusal.",
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


def render() -> bytes:
    """All metrics of this process as Prometheus reads them."""
    return generate_latest(REGISTRY)
