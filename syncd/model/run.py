"""Runs and their sums."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class InboxOutcome(StrEnum):
    """How a record ended (G2)."""

    WAITING = "waiting"
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    DEAD = "dead"


class RunStatus(StrEnum):
    """How a run ended; exit codes 0, 3, 1 and 4."""

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    STOPPED = "stopped"


class SourceCounts(msgspec.Struct):
    """One source's sums of one run; waiting_before + pulled = applied + unchanged + skipped + dead + waiting."""

    waiting_before: int = 0
    pulled: int = 0
    applied: int = 0
    unchanged: int = 0
    skipped: int = 0
    dead: int = 0
    waiting: int = 0
    review: int = 0
