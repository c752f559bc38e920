"""The walk over a set that moves, where only offsets lead through it."""

from __future__ import annotations

from datetime import UTC, datetime

from syncd.connector import Record
from syncd.connector.walk import Listing, Row, Walk

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SIZE = 4


def listing(rows: list[tuple[str, int]], offset: int) -> Listing:
    """A page of the set as it is now."""
    made = [Row(second, True, Record(key, b"{}")) for key, second in rows[offset : offset + SIZE]]
    return Listing(made, len(rows), AT, AT, b"")


def test_a_page_that_begins_with_a_row_that_was_edited_has_moved() -> None:
    """Nine of one second; behind the first page one is edited and three leave, so that the next page begins with the edited one.

    It was seen, but not there: what now lies in front of it was not.
    """
    before = [(key, 10) for key in "abcdefg"]
    after = [*((key, 10) for key in "efg"), ("a", 50)]
    asked: list[int] = []

    def ask(since: int | None, before_second: int, offset: int) -> Listing:
        del since, before_second
        asked.append(offset)
        return listing(after if len(asked) > 2 else before, offset)

    given = [row.made.key for part in Walk("x", ask, None, 100, SIZE).parts(lambda _: 100) for row in part.rows]
    assert asked[:3] == [0, 0, SIZE - 1], "a run of one second is longer than a page"
    assert set(given) == set("abcdefg")
