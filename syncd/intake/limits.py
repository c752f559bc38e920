"""What the intake bears, each with its reason. Tests give smaller ones."""

from __future__ import annotations

from dataclasses import dataclass

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """Bounds of one intake process.

    Attributes:
        connections: Open at once; half of the 1,024 files that a process has by default. Beyond, the one goes that has waited
            longest for its next request.
        waiting_count, waiting_bytes: Deliveries between their verdict and the commit (DESIGN 7: 32 MB); beyond, 503.
        reading_bytes: Bodies that are still coming in, all together; beyond, the oldest of them is given up.
        head_bytes: Of a request's line and headers. Senders need a few hundred; nginx takes 32 KB.
        head_seconds: In which a request's head must be complete, counted from the connection or from the last answer.
        body_seconds: In which its body must be complete: 1 MB at 100 KB/s. Senders themselves give up after 15 to 30 s.
        drain_seconds: For what is under way when the intake stops.
        summary_seconds: Between two log lines about refusals of one kind.
        probe_seconds: Between two looks whether storing works again.
        retry_seconds: What a sender is told with a 503.
    """

    connections: int = 512
    waiting_count: int = 10_000
    waiting_bytes: int = 32 * _MEGABYTE
    reading_bytes: int = 64 * _MEGABYTE
    head_bytes: int = 32 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 10.0
    drain_seconds: float = 10.0
    summary_seconds: float = 60.0
    probe_seconds: float = 2.0
    retry_seconds: int = 5
