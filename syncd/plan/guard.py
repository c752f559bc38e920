"""The blast-radius guard: does a pass change more than a company would expect? Pure."""

from __future__ import annotations

GUARD_FLOOR = 20
"""Fewer guarded writes than this are never stopped: a share of a handful says nothing."""


def guard_reason(*, guarded: int, known: int, max_changed_share: float) -> str | None:
    """A sentence when `guarded` people of `known` are more than the allowed share (0.0-1.0); None when they are not.

    Guarded are writes that archive, clear, convert, move back, unsubscribe or delete (DESIGN 5.3), and what a re-mapping changes (3.4).
    """
    if guarded < GUARD_FLOOR or guarded <= max_changed_share * known:
        return None
    return (
        f"This pass would unsubscribe, clear, delete, or change by a changed mapping or policy {guarded} of {known} people, "
        f"more than guard.max_changed_share ({max_changed_share:g}) allows; these writes are held."
    )
