"""Access tokens of one source: fetched once for everybody, in time, and their refresh tokens kept before they are used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncd.clock import FixedClock
from syncd.connector import Secret, Token, Tokens
from syncd.errors import AuthError
from syncd.http import TokenCache
from syncd.kept_token import KeptToken
from syncd.store import SqlStore, open_store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENCE_SECONDS = 30.0


class Drawer:
    """Keeps a refresh token in memory."""

    def __init__(self, refresh: str | None = None) -> None:
        self.refresh = None if refresh is None else Secret(refresh, "test")
        self.kept_for: list[float | None] = []

    def kept(self) -> Secret | None:
        return self.refresh

    def keep(self, refresh: Secret, expires_in_seconds: float | None) -> None:
        self.refresh = refresh
        self.kept_for.append(expires_in_seconds)


class Vendor:
    """Gives tokens t1, t2 ...; `given` are the refresh tokens that it was shown."""

    def __init__(self, lasts: float | None = 3_600.0, *, rotates: bool = False) -> None:
        self._lasts = lasts
        self._rotates = rotates
        self.given: list[str | None] = []

    def __call__(self, refresh: Secret | None) -> Token:
        self.given.append(None if refresh is None else refresh.reveal())
        count = len(self.given)
        new = Secret(f"r{count}", "vendor") if self._rotates else None
        return Token(Secret(f"t{count}", "vendor"), self._lasts, new, 86_400.0 if self._rotates else None)


def cache(clock: FixedClock, drawer: Drawer | None = None) -> Tokens:
    return TokenCache(clock, drawer or Drawer())


def test_a_token_is_fetched_once_and_lent_until_shortly_before_its_end() -> None:
    clock, vendor = FixedClock(NOW), Vendor(3_600.0)
    tokens = cache(clock)
    assert [tokens.get(vendor).reveal() for _ in range(3)] == ["t1"] * 3
    clock.advance(3_539)
    assert tokens.get(vendor).reveal() == "t1"
    clock.advance(1)
    assert tokens.get(vendor).reveal() == "t2", "a call may take a minute"


def test_a_token_without_an_end_is_lent_until_it_is_refused() -> None:
    clock, vendor = FixedClock(NOW), Vendor(None)
    tokens = cache(clock)
    tokens.get(vendor)
    clock.advance(10**7)
    assert tokens.get(vendor).reveal() == "t1"
    assert tokens.get(vendor, is_refused=True).reveal() == "t2"


def test_whoever_was_refused_with_an_old_one_is_given_the_one_that_is_new() -> None:
    """Ten calls under way at once are refused at once: one of them fetches."""
    clock, vendor = FixedClock(NOW), Vendor()
    tokens = cache(clock)
    tokens.get(vendor)
    clock.advance(600)
    assert [tokens.get(vendor, is_refused=True).reveal() for _ in range(10)] == ["t2"] * 10
    clock.advance(10)
    assert tokens.get(vendor, is_refused=True).reveal() == "t3"


@pytest.mark.parametrize("lasts", [0.0, 30.0])
def test_one_that_ends_at_once_is_never_lent_twice(lasts: float) -> None:
    vendor = Vendor(lasts)
    tokens = cache(FixedClock(NOW))
    assert [tokens.get(vendor).reveal() for _ in range(3)] == ["t1", "t2", "t3"]


def test_many_threads_fetch_one_token() -> None:
    vendor, tokens = Vendor(), cache(FixedClock(NOW))
    is_asked, may_answer = threading.Event(), threading.Event()

    def make(refresh: Secret | None) -> Token:
        is_asked.set()
        assert may_answer.wait(PATIENCE_SECONDS)
        return vendor(refresh)

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(tokens.get, make) for _ in range(8)]
        assert is_asked.wait(PATIENCE_SECONDS)
        may_answer.set()
        assert {one.result().reveal() for one in found} == {"t1"}
    assert vendor.given == [None]


def test_a_failure_leaves_what_was_there_and_frees_the_way() -> None:
    clock, vendor, drawer = FixedClock(NOW), Vendor(), Drawer("kept")
    tokens = cache(clock, drawer)

    def fails(refresh: Secret | None) -> Token:
        raise AuthError("The vendor says no.")

    for _ in range(2):
        with pytest.raises(AuthError):
            tokens.get(fails)
    assert (drawer.kept_for, tokens.get(vendor).reveal()) == ([], "t1")
    clock.advance(60)
    with pytest.raises(AuthError):
        tokens.get(fails, is_refused=True)
    assert tokens.get(vendor).reveal() == "t1", "who was not refused may go on with it"


def test_a_new_refresh_token_is_kept_before_the_access_token_is_lent() -> None:
    clock, vendor = FixedClock(NOW), Vendor(100.0, rotates=True)
    drawer = Drawer()
    tokens = cache(clock, drawer)
    tokens.get(vendor)
    assert (drawer.refresh, drawer.kept_for) == (Secret("r1", ""), [86_400.0])
    clock.advance(100)
    tokens.get(vendor)
    assert (vendor.given, drawer.refresh) == ([None, "r1"], Secret("r2", ""))


def test_what_cannot_be_kept_is_not_lent() -> None:
    """After a restart nobody could log in any more: better to stop now."""

    class Full(Drawer):
        def keep(self, refresh: Secret, expires_in_seconds: float | None) -> None:
            raise OSError

    tokens = cache(FixedClock(NOW), Full())
    with pytest.raises(OSError, match=r"^$"):
        tokens.get(Vendor(rotates=True))


def test_nothing_shows_a_token() -> None:
    clock, vendor = FixedClock(NOW), Vendor(rotates=True)
    tokens = cache(clock)
    made = vendor(None)
    assert "t1" not in repr(tokens) + repr(tokens.get(vendor)) + repr(made)
    assert "r1" not in repr(made)


# ---------------------------------------------------------------- kept in the store


@pytest.fixture
def open_again(tmp_path: Path) -> Callable[[], SqlStore]:
    """Opens the same store as a new process does."""
    return lambda: open_store(f"sqlite:///{tmp_path / 'syncd.db'}", clock=FixedClock(NOW))


def kept_in(store: SqlStore, configured: str | None = "first", source: str = "forms") -> KeptToken:
    return KeptToken(lambda: store, source, FixedClock(NOW), None if configured is None else Secret(configured, "env FORMS"))


def test_a_refresh_token_outlives_the_process_and_is_its_sources_own(open_again: Callable[[], SqlStore]) -> None:
    store = open_again()
    assert kept_in(store).kept() is None
    kept_in(store).keep(Secret("rotated", "vendor"), 3_600.0)
    store.close()
    store = open_again()
    kept = kept_in(store)
    assert kept.kept() == Secret("rotated", "")
    assert kept.expires_at == NOW + timedelta(hours=1)
    assert kept_in(store, source="other").kept() is None
    kept.keep(Secret("again", "vendor"), None)
    assert (kept.kept(), kept.expires_at) == (Secret("again", ""), None)
    store.close()


def test_whoever_configures_another_token_has_logged_in_anew(open_again: Callable[[], SqlStore]) -> None:
    """What was kept has ended; it must not stand in the way of what is new for ever."""
    store = open_again()
    kept_in(store, "first").keep(Secret("rotated", "vendor"), None)
    assert kept_in(store, "second").kept() is None
    assert kept_in(store, None).kept() is None
    assert kept_in(store, "first").kept() == Secret("rotated", "")
    store.close()


def test_the_store_is_opened_when_something_is_asked_of_it(open_again: Callable[[], SqlStore]) -> None:
    opened: list[SqlStore] = []

    def opens() -> SqlStore:
        opened.append(open_again())
        return opened[0]

    kept = KeptToken(opens, "forms", FixedClock(NOW))
    assert not opened
    assert kept.kept() is None
    assert len(opened) == 1
    opened[0].close()
