"""Batches on their way to the store: those that wait share a commit, and each is told what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from syncd.errors import ClaimConflictError, StoreError
from syncd.run.storing import Storing

_SECONDS = 10


class Writer:
    """Writes when it is let; `refuse` says what becomes of a commit."""

    def __init__(self, refuse: Callable[[Sequence[int]], Exception | None] = lambda _: None) -> None:
        self.commits: list[list[int]] = []
        self.tried: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_go_on = threading.Event()
        self._refuse = refuse

    def write(self, batches: Sequence[int]) -> None:
        self.tried.append(list(batches))
        self.has_begun.set()
        assert self.may_go_on.wait(_SECONDS)
        error = self._refuse(batches)
        if error is not None:
            raise error
        self.commits.append(list(batches))


def stored(writer: Writer, count: int) -> list[Exception | None]:
    """Submit a first batch and, while it is written, the others; gives what each is told."""
    storing = Storing(writer.write)
    told = [storing.submit(0)]
    assert writer.has_begun.wait(_SECONDS)
    told += [storing.submit(number) for number in range(1, count)]
    writer.may_go_on.set()
    storing.close()
    return [one.exception(0) for one in told]  # type: ignore[misc]  # what is raised here is an Exception


def test_those_that_wait_share_a_commit_four_at_most_in_the_order_of_coming() -> None:
    writer = Writer()
    assert stored(writer, 10) == [None] * 10
    assert writer.commits == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]


def test_one_whose_claims_were_taken_costs_the_others_nothing() -> None:
    conflict = ClaimConflictError("Somebody was first.")
    writer = Writer(lambda batches: conflict if 3 in batches else None)
    assert stored(writer, 6) == [None, None, None, conflict, None, None]
    assert writer.commits == [[0], [1], [2], [4], [5]]
    assert writer.tried == [[0], [1, 2, 3, 4], [1], [2], [3], [4], [5]]


def test_one_that_is_alone_is_not_tried_twice() -> None:
    conflict = ClaimConflictError("Somebody was first.")
    writer = Writer(lambda batches: conflict)
    assert stored(writer, 1) == [conflict]
    assert writer.tried == [[0]]


@pytest.mark.parametrize("error", [StoreError("The disk is full."), RuntimeError("a bug")])
def test_a_store_that_is_lost_is_told_to_all_of_a_commit(error: Exception) -> None:
    writer = Writer(lambda batches: error if 2 in batches else None)
    assert stored(writer, 6) == [None, error, error, error, error, None]
    assert writer.commits == [[0], [5]]


def test_a_store_that_is_lost_on_the_second_try_is_told_to_that_one() -> None:
    conflict, full = ClaimConflictError("Somebody was first."), StoreError("The disk is full.")
    writer = Writer(lambda batches: conflict if len(batches) > 1 else full if batches == [2] else None)
    assert stored(writer, 5) == [None, None, full, None, None]
