"""The ledger of exports to Xactly; the same on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from syncd.clock import FixedClock
from syncd.errors import ClaimConflictError
from syncd.ports import XactlyBatch, XactlyRow
from syncd.store import SqlStore, open_store

NOW = datetime(2026, 3, 31, 9, 20, tzinfo=UTC)


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store on either engine."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    yield opened
    opened.close()


def batch(name: str = "march", number: int = 1, **more: object) -> XactlyBatch:
    return XactlyBatch(name, "2026-03", number, NOW, 1, 1, files={"a.csv": "ä,b\r\n" * 900, "b.json": "{}"}, **more)  # type: ignore[arg-type]


def order(deal: str = "006A", version: int = 1, **more: object) -> XactlyRow:
    return XactlyRow(deal, "1", version, deal, b"digest", document=b"document %d" % version, **more)  # type: ignore[arg-type]


def reversal(version: int = 1) -> XactlyRow:
    return order(version=version, is_reversal=True, is_standing=False)


def test_a_batch_is_given_again_as_it_was_stored(store: SqlStore) -> None:
    store.put_xactly_batch(batch(), [order()])
    assert store.xactly_batch("march") == batch()
    assert store.xactly_batches() == [XactlyBatch("march", "2026-03", 1, NOW, 1, 1)]
    store.set_xactly_state("march", "done")
    assert store.xactly_batch("march") == batch(state="done")
    assert store.xactly_batch("april") is None


def test_the_latest_version_of_each_line_is_known_until_and_after_its_reversal(store: SqlStore) -> None:
    store.put_xactly_batch(batch(), [order(), order("006B")])
    plain = XactlyRow("006A", "1", 1, "006A", b"digest")
    other = XactlyRow("006B", "1", 1, "006B", b"digest")
    assert store.xactly_heads() == [plain, other]
    store.put_xactly_batch(batch("second", 2), [reversal()])
    assert store.xactly_heads() == [XactlyRow("006A", "1", 1, "006A", b"digest", is_standing=False), other]
    store.put_xactly_batch(batch("third", 3), [order(version=2)])
    assert [(one.deal, one.version, one.is_standing) for one in store.xactly_heads()] == [("006A", 2, True), ("006B", 1, True)]
    store.put_xactly_batch(batch("fourth", 4), [reversal(2), order(version=3)])
    assert [(one.deal, one.version, one.is_standing) for one in store.xactly_heads()] == [("006A", 3, True), ("006B", 1, True)]
    keys = [("006A", "1", 1), ("006A", "1", 3), ("006B", "1", 1), ("006A", "2", 1), ("006C", "1", 1)]
    assert store.xactly_documents(keys) == {keys[0]: b"document 1", keys[1]: b"document 3", keys[2]: b"document 1"}


@pytest.mark.parametrize(
    ("second", "rows"),
    [
        (batch(), [order("006B")]),
        (batch("other"), [order("006B")]),
        (batch("other", 2), [order("006B"), order()]),
        (batch("other", 2), [order("006B"), order(version=2)]),
    ],
    ids=["same_name", "same_number", "same_version", "standing_still"],
)
def test_what_was_taken_is_not_taken_twice_and_nothing_of_the_second_is_stored(
    store: SqlStore, second: XactlyBatch, rows: list[XactlyRow]
) -> None:
    store.put_xactly_batch(batch(), [order()])
    with pytest.raises(ClaimConflictError):
        store.put_xactly_batch(second, rows)
    assert [one.deal for one in store.xactly_heads()] == ["006A"]
    assert [one.name for one in store.xactly_batches()] == ["march"]


def test_nothing_is_reversed_twice(store: SqlStore) -> None:
    store.put_xactly_batch(batch(), [order()])
    store.put_xactly_batch(batch("second", 2), [reversal()])
    with pytest.raises(ClaimConflictError):
        store.put_xactly_batch(batch("third", 3), [reversal()])
    assert len(store.xactly_batches()) == 2


def test_the_ledger_outlives_pruning(store: SqlStore) -> None:
    store.put_xactly_batch(batch(), [order()])
    assert sum(store.prune(datetime(2040, 1, 1, tzinfo=UTC), 100)) == 0
    assert len(store.xactly_heads()) == 1
    assert store.xactly_batch("march") == batch()


def test_many_rows_are_one_batch(store: SqlStore) -> None:
    many = [order(f"006{number:06d}") for number in range(3_000)]
    store.put_xactly_batch(batch(), many)
    gone = [order(one.deal, is_reversal=True, is_standing=False) for one in many[:1_000]]
    store.put_xactly_batch(batch("second", 2), gone)
    heads = store.xactly_heads()
    assert (len(heads), sum(one.is_standing for one in heads)) == (3_000, 2_000)
    assert len(store.xactly_documents([(one.deal, "1", 1) for one in many])) == 3_000
