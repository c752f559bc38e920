"""Whose turn it is: of the lanes in one engine only one at a time resolves, plans, or settles what is open.

Vendors and the org are waited for outside of a turn. So a hot lead is resolved and planned between two chunks of a back-fill, and
never while somebody else's plan for the same people is half made.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from syncd.clock import Clock
from syncd.model import Lane

_LONGEST_WAIT_SECONDS = 1.0
"""After this whoever has waited longest goes first, however urgent the others are: a flood of hot leads must not stop a back-fill."""


class Turns:
    """Gives turns: to the more urgent lane first, unless somebody has waited for long. Safe for threads."""

    def __init__(self, clock: Clock) -> None:
        """Nobody has it."""
        self._clock = clock
        self._changed = threading.Condition()
        self._is_taken = False
        self._waiting: dict[int, tuple[Lane, float]] = {}
        self._last_ticket = 0
        self._lent_to: Lane | None = None

    def take(self, lane: Lane, *, as_owner: bool = False) -> None:
        """Wait until it is this lane's turn; with `as_owner` of a turn that was only lent."""
        with self._changed:
            self._last_ticket += 1
            ticket = self._last_ticket
            self._waiting[ticket] = (lane, self._clock.monotonic())
            owner = ticket if as_owner else None
            try:
                while self._is_taken or self._next(owner) != ticket:
                    # The order may change by time alone.
                    self._changed.wait(_LONGEST_WAIT_SECONDS / 4)
                self._is_taken = True
                if as_owner:
                    self._lent_to = None
            finally:
                del self._waiting[ticket]

    def give(self, lent_to: Lane | None = None) -> None:
        """Let somebody else have a turn; with `lent_to` only that lane and more urgent ones, until the owner takes it again."""
        with self._changed:
            self._is_taken = False
            self._lent_to = lent_to if self._lent_to is None else self._lent_to
            self._changed.notify_all()

    def is_wanted(self, lane: Lane, *, by_patient: bool = True) -> bool:
        """Whether somebody waits who is more urgent than `lane`, or (`by_patient`) who has waited for long."""
        with self._changed:
            now = self._clock.monotonic()
            waiting = self._waiting.values()
            return any(other < lane or (by_patient and now - since > _LONGEST_WAIT_SECONDS) for other, since in waiting)

    def _next(self, owner: int | None) -> int | None:
        """The ticket whose turn it is; None when whoever waits may not have it now."""
        now = self._clock.monotonic()
        limit = self._lent_to
        waiting = {
            ticket: lane for ticket, (lane, _) in self._waiting.items() if limit is None or lane <= limit or ticket == owner
        }
        patient = [ticket for ticket in waiting if now - self._waiting[ticket][1] > _LONGEST_WAIT_SECONDS]
        if patient:
            return min(patient)
        return min(waiting, key=lambda ticket: (waiting[ticket], ticket), default=None)


class Turn:
    """One lane's turn; used by the one thread that runs its pass."""

    def __init__(self, turns: Turns, lane: Lane) -> None:
        """Not taken yet."""
        self._turns = turns
        self.lane = lane
        self._is_held = False

    def __enter__(self) -> Self:
        """Wait for it."""
        self._turns.take(self.lane)
        self._is_held = True
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        if self._is_held:
            self._is_held = False
            self._turns.give()

    @property
    def is_over(self) -> bool:
        """Whether somebody waits for whom this turn should end."""
        return self._is_held and self._turns.is_wanted(self.lane)

    def is_wanted(self, most: Lane) -> bool:
        """Whether a lane as urgent as `most` waits, and this one is not as urgent itself."""
        return self._is_held and self.lane > most and self._turns.is_wanted(Lane(most + 1), by_patient=False)

    def breathe(self, lend_to: Lane | None = None) -> bool:
        """Let whoever is more urgent go first; gives whether somebody did. Only where nothing is half done.

        With `lend_to` only lanes as urgent as that: where people wait to be planned by this very pass.
        """
        if not (self.is_over if lend_to is None else self.is_wanted(lend_to)):
            return False
        self._turns.give(lend_to)
        self._turns.take(self.lane, as_owner=lend_to is not None)
        return True

    @contextmanager
    def aside(self, lend_to: Lane | None = None) -> Iterator[None]:
        """Wait for something else meanwhile; the turn is others', or lent as in `breathe`. Only where nothing is half done."""
        if not self._is_held or (lend_to is not None and self.lane <= lend_to):
            yield
            return
        self._is_held = False
        self._turns.give(lend_to)
        try:
            yield
        finally:
            self._turns.take(self.lane, as_owner=lend_to is not None)
            self._is_held = True
