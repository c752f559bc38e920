"""Ids of operations: never the same one twice, and in the order of time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from syncd.clock import FixedClock
from syncd.run.ids import OperationIds


def test_threads_never_get_the_same_id() -> None:
    """All in one microsecond: only chance keeps them apart, also where more is drawn."""
    make_id = OperationIds(FixedClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC)))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make_id(), range(5_000)))
    assert len(set(made)) == 5_000
    assert {len(one) for one in made} == {22}
    assert len({one[:14] for one in made}) == 1


def test_later_ids_sort_behind() -> None:
    clock = FixedClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))
    make_id = OperationIds(clock)
    made = []
    for _ in range(20):
        made.append(make_id())
        clock.advance(0.000001)
    assert made == sorted(made)
