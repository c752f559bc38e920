"""The catalogue of log events (STYLE 6): constants, noun + past verb, no values.

Each is documented in docs/reference/events.md; a test keeps the two in step.
"""

from __future__ import annotations

RUN_STARTED = "run_started"
RUN_FINISHED = "run_finished"
RUN_RECOVERED = "run_recovered"
SOURCE_LOST = "source_lost"
SOURCE_RECOVERED = "source_recovered"
STREAM_UNFINISHED = "stream_unfinished"
PAGE_STORED = "page_stored"
RECORD_DEAD_LETTERED = "record_dead_lettered"
RECORD_SKIPPED = "record_skipped"
VALUE_ADAPTED = "value_adapted"
LEAD_RESOLVED = "lead_resolved"
RECORDS_REMAPPED = "records_remapped"
MAPPER_LOST = "mapper_lost"
REVIEW_OPENED = "review_opened"
ORG_CONNECTED = "org_connected"
ORG_LOST = "org_lost"
ORG_RECOVERED = "org_recovered"
TOKEN_REFRESHED = "token_refreshed"  # noqa: S105 - an event name
MIRROR_REFRESHED = "mirror_refreshed"
OPERATION_DONE = "operation_done"
OPERATION_REFUSED = "operation_refused"
OPERATION_FAILED = "operation_failed"
OPERATION_UNKNOWN = "operation_unknown"
OPERATION_SUPERSEDED = "operation_superseded"
FIELD_CONTESTED = "field_contested"
LEAD_UNASSIGNED = "lead_unassigned"
BATCH_BISECTED = "batch_bisected"
BUDGET_EXHAUSTED = "budget_exhausted"
GUARD_STOPPED = "guard_stopped"
CONFIG_SPIKE_DETECTED = "config_spike_detected"
INTAKE_LOST = "intake_lost"
INTAKE_RECOVERED = "intake_recovered"
DELIVERY_REFUSED = "delivery_refused"

ALL_EVENTS: frozenset[str] = frozenset(
    value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str)
)
"""Every event that may be logged."""
