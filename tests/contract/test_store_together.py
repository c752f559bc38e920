"""Short writes of several threads in one transaction: durable when they return, and all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from syncd.clock import FixedClock
from syncd.errors import StoreError
from syncd.store import SqlStore, open_store
from syncd.store import tables as t

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
COUNT = 8


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    opened = open_store(store_url, clock=FixedClock(NOW))
    yield opened
    opened.close()


Work = Callable[[Connection], None]


def noting(name: str, *, then: BaseException | None = None, seen: list[Any] | None = None) -> Work:
    """A write of one fact; adds its transaction to `seen`."""

    def work(connection: Connection) -> None:
        if seen is not None:
            seen.append(connection.get_transaction())
        connection.execute(insert(t.meta).values(name=name, value="x"))
        if then is not None:
            raise then

    return work


def facts(store: SqlStore) -> set[str]:
    """Those that another connection sees."""
    with store.db.read() as connection:
        return set(connection.execute(select(t.meta.c.name).where(t.meta.c.name.like("fact%"))).scalars())


def at_once(store: SqlStore, works: list[Work], rows: int = 1) -> list[BaseException | None]:
    """Begin all of them while somebody else writes; gives what each raised."""

    def one(work: Work) -> BaseException | None:
        try:
            store.together.write(work, rows)
        except (StoreError, RuntimeError) as error:
            return error
        return None

    with ThreadPoolExecutor(len(works)) as pool:
        with store.db.write() as connection:
            connection.execute(text("SELECT 1"))
            tasks = [pool.submit(one, work) for work in works]
            while store.db.is_sqlite and len(store.together._waiting) < len(works):
                threading.Event().wait(0.001)
        return [task.result() for task in tasks]


def test_everybody_s_write_is_there_when_it_returns(store: SqlStore) -> None:
    names = {f"fact{number}" for number in range(COUNT)}

    def one(name: str) -> bool:
        store.together.write(noting(name), 1)
        return name in facts(store)

    with ThreadPoolExecutor(COUNT) as pool:
        assert list(pool.map(one, sorted(names))) == [True] * COUNT
    assert facts(store) == names


@pytest.mark.parametrize(("rows", "transactions"), [(1, 1), (500, COUNT / 2), (600, COUNT)])
def test_who_waits_at_the_same_time_shares_a_transaction_as_far_as_it_goes(store: SqlStore, rows: int, transactions: int) -> None:
    seen: list[Any] = []
    works = [noting(f"fact{number}", seen=seen) for number in range(COUNT)]
    assert at_once(store, works, rows) == [None] * COUNT
    assert len(facts(store)) == COUNT
    assert len({id(one) for one in seen}) == (transactions if store.db.is_sqlite else COUNT)


def test_what_one_raises_undoes_all_and_all_hear_of_it(store: SqlStore) -> None:
    if not store.db.is_sqlite:
        pytest.skip("PostgreSQL commits each by itself")
    works = [noting("fact0"), noting("fact1", then=RuntimeError("broken")), noting("fact2")]
    ended = at_once(store, works)
    assert [type(one) for one in ended] == [RuntimeError] * 3
    assert facts(store) == set()
    store.together.write(noting("fact3"), 1)
    assert facts(store) == {"fact3"}, "nothing that has failed comes later"
