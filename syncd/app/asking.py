"""Asking the running daemon: a request in the store, and its answer (DESIGN 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncd.clock import Clock
from syncd.errors import StoreError, SyncdError
from syncd.ports import Store

_LOOK_SECONDS = 0.2
_TAKEN_SECONDS = 30.0
"""A daemon that works takes a request within a second or two."""


class RequestFailedError(SyncdError):
    """The daemon could not do what was asked; its own words and exit code."""

    def __init__(self, message: str, code: str, exit_code: int) -> None:
        """As the daemon answered."""
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code


def is_busy(error: StoreError) -> bool:
    """Whether a daemon (or another pass) has the store."""
    return error.reason == "lease_taken"


def ask(store: Store, clock: Clock, kind: str, document: dict[str, Any], waiting: Callable[[str], None]) -> dict[str, Any]:
    """Have the daemon do something and wait for its answer; `waiting` is told once that it was taken. Writes the store.

    Raises:
        StoreError: Nobody takes it: what holds the store is no daemon. The request is withdrawn.
        RequestFailedError: The daemon said no.
    """
    request_id = store.put_request(kind, document, clock.now())
    began, was_taken = clock.monotonic(), False
    while True:
        row = store.request(request_id)
        if row is None or row.state in ("done", "failed"):
            break
        if row.state == "taken" and not was_taken:
            was_taken = True
            waiting("The daemon has taken it.")
        if not was_taken and clock.monotonic() - began > _TAKEN_SECONDS and store.take_request(request_id):
            store.end_request(request_id, False, {"error": "withdrawn"}, clock.now())
            raise StoreError(
                "Another syncd works on this store and does not answer.", advice="Wait until its pass is over, then try again."
            )
        clock.sleep(_LOOK_SECONDS)
    answer = row.answer if row is not None else {}
    if row is None or row.state == "failed":
        message = str(answer.get("error", "The daemon could not do it."))
        raise RequestFailedError(message, str(answer.get("code", "E000")), int(answer.get("exit_code", 1)))
    return answer
