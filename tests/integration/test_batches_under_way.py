"""Batches that are resolved while others are being stored: as if they had come one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from syncd.errors import ClaimConflictError, StoreError
from syncd.model import RunStatus
from syncd.run.context import LEADS_PER_COMMIT, LEADS_PER_ROUND
from tests.world import World, row

COUNT = 3 * LEADS_PER_COMMIT


class Store:
    """Stands before the store: holds up each commit until the next batch was looked up, or for a while; may refuse one."""

    def __init__(self, *, refuse: int = 0, error: Exception | None = None) -> None:
        """The `refuse`-th commit ends with `error`, once."""
        self.commits = 0
        self.given = self.refused = 0
        """Records that were to be stored so far, and those of them that were refused."""
        self._refuse, self._error = refuse, error
        self._looked_up = threading.Event()
        self._port: Any = None

    def wrap(self, port: Any, name: str) -> Any:
        """Be the store of the pass."""
        if name != "store":
            return port
        self._port = port
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def candidates(self, keys: Any) -> Any:
        """Who else has these keys: the look-up that must see what came before."""
        found = self._port.candidates(keys)
        self._looked_up.set()
        return found

    def commit_resolved(self, run_id: str, rows: Any, at: Any, plans: Any, adopted: Any) -> None:
        """Store some batches, late."""
        self.commits += 1
        self.given += len(rows) + len(adopted)
        self._looked_up.clear()
        self._looked_up.wait(0.2)
        if self.commits == self._refuse and self._error is not None:
            self.refused = len(rows) + len(adopted)
            raise self._error
        self._port.commit_resolved(run_id, rows, at, plans, adopted)


def rows() -> list[dict[str, str]]:
    return [row(n) for n in range(COUNT)]


def emails(world: World) -> list[str]:
    return sorted(str(lead["Email"]) for lead in world.leads())


def test_who_comes_in_two_batches_is_one_person(make_world: Callable[..., World]) -> None:
    """The same name and phone in three batches that are under way together, which no key of the database keeps apart."""
    world = make_world()
    given = rows()
    for number in (5, LEADS_PER_COMMIT + 5, 2 * LEADS_PER_COMMIT + 5):
        given[number] = row(number, email="", first="Ada", last="Byron", phone="+1 415 555 0123")
    world.drop(given)
    assert world.run(wrap=Store().wrap).status is RunStatus.OK
    assert len([lead for lead in world.leads() if lead["LastName"] == "Byron"]) == 1
    assert len(world.leads()) == COUNT - 2


def test_who_comes_again_before_the_round_is_stored_is_created_once_and_whole(make_world: Callable[..., World]) -> None:
    """The second record is still on its way to the store when the first round leaves for the org: one create, no update."""
    world = make_world()
    first, again = LEADS_PER_ROUND // 2, LEADS_PER_ROUND - 1
    given = [row(n) for n in range(LEADS_PER_ROUND + LEADS_PER_COMMIT)]
    given[again] = row(first, title="Countess", city="London")
    world.drop(given)
    summary = world.run(wrap=Store().wrap)
    assert summary.status is RunStatus.OK
    assert (summary.operations["created"], summary.operations["updated"]) == (len(given) - 1, 0)
    (lead,) = [one for one in world.leads() if one["Email"] == row(first)["email"]]
    assert lead["City"] == "London"


def test_a_batch_whose_claims_were_taken_is_resolved_anew_and_counted_once(make_world: Callable[..., World]) -> None:
    world = make_world(extra_settings=f"guard: {{max_creates_per_pass: {COUNT}}}\n")
    world.drop(rows())
    store = Store(refuse=1, error=ClaimConflictError("Another worker took the same person first."))
    summary = world.run(wrap=store.wrap)
    assert summary.status is RunStatus.OK
    assert store.refused == LEADS_PER_COMMIT
    assert store.given == COUNT + store.refused
    assert summary.operations["created"] == COUNT
    assert summary.sources["booth"].applied == COUNT
    assert emails(world) == sorted(one["email"] for one in rows())


@pytest.mark.parametrize("commit", [1, 2, 3])
def test_a_store_that_fails_in_the_middle_loses_and_doubles_nothing(make_world: Callable[..., World], commit: int) -> None:
    """Of nine batches at most four share a commit, so there are three at least."""
    count = 9 * LEADS_PER_COMMIT
    world = make_world()
    world.drop([row(n) for n in range(count)])
    store = Store(refuse=commit, error=StoreError("The disk of the store is full."))
    with pytest.raises(StoreError, match="full"):
        world.run(wrap=store.wrap)
    assert store.refused >= LEADS_PER_COMMIT
    assert len(world.leads()) <= count - store.refused
    summary = world.run()
    assert summary.status is RunStatus.OK
    assert emails(world) == sorted(row(n)["email"] for n in range(count))


def test_batches_that_share_a_commit_with_one_whose_claims_were_taken_are_stored(make_world: Callable[..., World]) -> None:
    """Whichever commit it is, and however many batches it has: every record is stored and counted once."""
    count = 9 * LEADS_PER_COMMIT
    for commit in (2, 3):
        world = make_world(extra_settings=f"guard: {{max_creates_per_pass: {count}}}\n")
        world.drop([row(n) for n in range(count)])
        store = Store(refuse=commit, error=ClaimConflictError("Another worker took the same person first."))
        summary = world.run(wrap=store.wrap)
        assert summary.status is RunStatus.OK
        assert store.given == count + store.refused
        assert summary.operations["created"] == count
        assert summary.sources["booth"].applied == count
        assert emails(world) == sorted(row(n)["email"] for n in range(count))
