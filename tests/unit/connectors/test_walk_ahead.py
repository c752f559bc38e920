"""The walk over a long set, several pages of which are asked for before their turn: nobody is passed over, whatever moves meanwhile."""

from __future__ import annotations

import itertools
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.connector import Record
from syncd.connector.walk import Listing, Part, Row, Walk
from syncd.errors import ContractError, SourceUnavailableError

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SIZE, END = 100, 10_000
Set = list[tuple[int, str]]
"""A set as it is at a moment: (second, key)."""


class Service:
    """Answers questions out of a set that may be another one with every question."""

    def __init__(self, now: Callable[[], Set], *, is_inclusive: bool = False) -> None:
        self.now, self.is_inclusive = now, is_inclusive
        self.asked: list[tuple[int | None, int]] = []
        self.lock = threading.Lock()

    def ask(self, since: int | None, before: int, offset: int) -> Listing:
        """A page."""
        with self.lock:
            self.asked.append((since, offset))
            rows = self.now()
        slack = 1 if self.is_inclusive else 0
        window = [one for one in rows if (since is None or one[0] > since - slack) and one[0] < before + slack]
        page = [Row(second, True, Record(key, key.encode())) for second, key in window[offset : offset + SIZE]]
        return Listing(page, len(window), AT, AT, b"")

    def parts(self, at_once: int = 4, since: int | None = None) -> Iterator[Part]:
        """A walk."""
        return Walk("x", self.ask, since, END, SIZE, at_once).parts(lambda _: END)


def still(seconds: list[int]) -> Set:
    """A set in which nothing moves."""
    return [(second, f"k{number}") for number, second in enumerate(sorted(seconds))]


def keys(parts: Iterator[Part]) -> list[str]:
    """What was given, in its order."""
    return [row.made.key for part in parts for row in part.rows]


@pytest.mark.parametrize("is_inclusive", [False, True])
@pytest.mark.parametrize("run", [1, 2, 30, 99, 100, 101, 250, 2_000])
def test_everybody_is_given_once_and_no_page_is_asked_for_that_the_overlap_does_not_demand(
    run: int, *, is_inclusive: bool
) -> None:
    """Whatever number share a second; a run of one second is no reason to ask again by key."""
    people = still([1 + number // run for number in range(2_000)])
    service = Service(lambda: people, is_inclusive=is_inclusive)
    assert keys(service.parts(since=0)) == [key for _, key in people]
    overlap = SIZE // 20
    assert sorted(service.asked) == [(0, offset) for offset in range(0, 2_000 - overlap, SIZE - overlap)]


def test_parts_are_safe_up_to_what_was_given_without_a_gap() -> None:
    people = still(list(range(1, 1_001)))
    given_so_far = 0
    parts = list(Service(lambda: people).parts())
    for part in parts[:-1]:
        given_so_far = max([given_so_far, *(row.second for row in part.rows)])
        assert part.safe == given_so_far - 1
    assert (parts[-1].safe, parts[-1].is_end) == (END, True)


def test_an_error_comes_after_every_page_before_it() -> None:
    """Pages behind it that have come are of no use: the cursor goes over what was given without a gap."""
    people = still(list(range(1, 1_001)))
    service = Service(lambda: people)

    def ask(since: int | None, before: int, offset: int) -> Listing:
        if offset == 380:
            raise SourceUnavailableError("down")
        return service.ask(since, before, offset)

    found: list[Part] = []
    with pytest.raises(SourceUnavailableError, match="down"):
        found.extend(Walk("x", ask, None, END, SIZE, 4).parts(lambda _: END))
    assert [row.second for part in found for row in part.rows] == list(range(1, 386))
    assert found[-1].safe == 384


def test_a_page_ahead_that_is_out_of_order_is_an_alarm() -> None:
    people = still(list(range(1, 1_001)))
    spoilt = people[:500] + people[600:700] + people[500:600] + people[700:]
    with pytest.raises(ContractError, match="order"):
        keys(Service(lambda: spoilt).parts())


def test_when_more_leave_than_pages_overlap_it_is_asked_for_by_key() -> None:
    """Forty of the first leave behind the first page: the second would begin forty further on."""
    people = still(list(range(1, 1_001)))
    sets = itertools.chain([people], itertools.repeat(people[40:]))
    service = Service(lambda: next(sets))
    assert set(keys(service.parts())) == {key for _, key in people}
    assert [one for one in service.asked if one[0] is not None] == [(99, 0)], "one call more, and no other page twice"


def test_a_second_longer_than_a_page_from_which_somebody_leaves_is_asked_for_by_key() -> None:
    """Within one second a page goes on only where the set has kept its size."""
    people = [*still(list(range(1, 51))), *[(60, f"same{number}") for number in range(600)]]
    sets = itertools.chain([people], itertools.repeat([one for one in people if one[1] not in ("k3", "same0")]))
    service = Service(lambda: next(sets))
    assert set(keys(service.parts())) >= {key for _, key in people if key not in ("k3", "same0")}
    assert any(since is not None for since, _ in service.asked)


def test_within_a_second_that_is_sorted_anew_a_set_of_another_size_is_asked_for_by_key() -> None:
    """One leaves in front, and somebody unseen is sorted before the page: the rows that were seen are as many as they should be."""
    rest = still(list(range(70, 250)))
    before = [*[(number, f"one{number}") for number in range(1, 51)], *[(60, f"same{number}") for number in range(100)], *rest]
    after = [one for one in before if one[1] not in ("one3", "same99")]
    after.insert(after.index((60, "same45")), (60, "same99"))
    sets = itertools.chain([before], itertools.repeat(after))
    assert "same99" in keys(Service(lambda: next(sets)).parts())


def test_a_list_in_which_no_page_goes_on_is_read_by_key_alone() -> None:
    """A service whose offsets lead anywhere costs a few calls, not one for each page."""
    people = still(list(range(1, 3_001)))
    service = Service(lambda: people)

    def ask(since: int | None, before: int, offset: int) -> Listing:
        return service.ask(since, before, 10 * offset)

    assert keys(Walk("x", ask, None, END, SIZE, 4).parts(lambda _: END)) == [key for _, key in people]
    assert len([one for one in service.asked if one[0] is None]) == 5, "the first, and those under way"


@pytest.mark.parametrize(("count", "size"), [(200, 100), (1_000, 99)])
def test_two_pages_and_small_pages_are_read_one_after_the_other(count: int, size: int) -> None:
    people = still(list(range(1, count + 1)))
    service = Service(lambda: people)
    given_now = keys(Walk("x", service.ask, None, END, size, 4).parts(lambda _: END))
    assert len(given_now) == count
    assert all(offset == 0 for _, offset in service.asked)


@settings(max_examples=100, deadline=None)
@given(
    seconds=st.lists(st.integers(1, 60), min_size=0, max_size=8).map(sorted),
    seed=st.integers(0, 2**32),
    moves=st.lists(st.integers(0, 12), max_size=30),
    is_inclusive=st.booleans(),
    is_unsteady=st.booleans(),
)
def test_who_stays_is_given_whatever_moves_while_pages_are_asked_for_in_any_order(
    seconds: list[int], seed: int, moves: list[int], *, is_inclusive: bool, is_unsteady: bool
) -> None:
    """People leave, join late and move to the end between any two answers; an unsteady service sorts equal seconds as it likes."""
    chance = random.Random(seed)
    # Some seconds are shared by up to a third of a page, or by more than a page, through which only a steady order leads.
    seconds = sorted(set(seconds)) if is_unsteady else seconds
    spread = [chance.randint(1, 900) for _ in range(chance.randint(150, 900))]
    shared = [second * 10 for second in seconds for _ in range(chance.randint(1, 33))]
    now: Set = still(spread + shared)
    untouched = {key for _, key in now}
    waiting, numbers = list(moves), itertools.count()

    def moved() -> Set:
        for _ in range(waiting.pop() if waiting else 0):
            place = chance.randrange(len(now))
            second, key = now.pop(place)
            untouched.discard(key)
            if chance.random() < 0.3:
                now.append((chance.choice([second, 950, END + 50]), key))
            if chance.random() < 0.2:
                now.append((chance.randint(1, 900), f"late{next(numbers)}"))
        ranks = {key: chance.random() if is_unsteady else zlib.crc32(key.encode()) for _, key in now}
        return sorted(now, key=lambda one: (one[0], ranks[one[1]]))

    assert untouched <= set(keys(Service(moved, is_inclusive=is_inclusive).parts()))
