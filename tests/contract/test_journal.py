"""The contract of the journal of deliveries, on both engines: nothing acknowledged is lost, nothing is given twice (G1)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from syncd.clock import SystemClock
from syncd.errors import StoreError
from syncd.model import Delivery
from syncd.ports import Backlog
from syncd.store import DeliveryJournal, open_journal, open_store
from syncd.store import deliveries as module

AT = datetime(2026, 11, 25, 9, 0, 0, 123_456, tzinfo=UTC)

PUTTER = """\
import sys
from datetime import UTC, datetime
from syncd.model import Delivery
from syncd.store import open_journal

journal = open_journal(sys.argv[1])
name, count = sys.argv[2], int(sys.argv[3])
for number in range(count):
    at = datetime(2026, 11, 25, tzinfo=UTC)
    journal.put([Delivery("site", at, b"x" * 700, delivery_id=f"{name}-{number}")])
    print(f"{name}-{number}", flush=True)
"""


@pytest.fixture
def journal(store_url: str) -> Iterator[DeliveryJournal]:
    """The journal of a fresh store."""
    opened = open_journal(store_url)
    yield opened
    opened.close()


def made(number: int, source: str = "site", body: bytes = b"{}") -> Delivery:
    return Delivery(source, AT + timedelta(seconds=number), body, delivery_id=f"msg_{number}")


def ids(found: list[Delivery]) -> list[str]:
    return [one.delivery_id for one in found]


def putter(url: str, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PUTTER, url, name, str(count)], stdout=subprocess.PIPE, text=True)


def test_a_delivery_comes_out_as_it_went_in(journal: DeliveryJournal) -> None:
    whole = Delivery(
        "site", AT, bytes(range(256)), "msg_1", AT - timedelta(days=1), "text/plain; charset=utf-8", {"origin": "https://a.test"}
    )
    bare = Delivery("other", AT, b"")
    journal.put([whole, bare])
    first, second = journal.take(10)
    assert (first.source, first.received_at, first.body, first.delivery_id) == ("site", AT, bytes(range(256)), "msg_1")
    assert (first.sent_at, first.content_type, first.kept) == (whole.sent_at, whole.content_type, whole.kept)
    assert (second.source, second.body, second.delivery_id, second.sent_at, second.kept) == ("other", b"", "", None, {})
    assert 0 < first.sequence < second.sequence


def test_the_oldest_come_first_and_taking_changes_nothing(journal: DeliveryJournal) -> None:
    journal.put([made(number) for number in range(5)])
    journal.put([made(5)])
    assert ids(journal.take(4)) == ["msg_0", "msg_1", "msg_2", "msg_3"]
    assert ids(journal.take(100)) == [f"msg_{number}" for number in range(6)]


def test_only_the_named_sources_are_taken(journal: DeliveryJournal) -> None:
    journal.put([made(0, "a"), made(1, "b"), made(2, "c"), made(3, "a")])
    assert ids(journal.take(10, ["a", "c"])) == ["msg_0", "msg_2", "msg_3"]
    assert ids(journal.take(1, ["b"])) == ["msg_1"]
    assert journal.take(10, []) == []


def test_what_is_removed_is_gone_and_its_number_is_never_given_again(journal: DeliveryJournal) -> None:
    journal.put([made(0), made(1)])
    before = [one.sequence for one in journal.take(10)]
    journal.remove(before)
    assert journal.take(10) == []
    journal.put([made(2)])
    journal.remove(before)
    (left,) = journal.take(10)
    assert left.delivery_id == "msg_2"
    assert left.sequence > max(before)


def test_nothing_is_nothing(journal: DeliveryJournal) -> None:
    journal.put([])
    journal.remove([])
    journal.remove([4711])
    assert journal.take(10) == []
    assert journal.backlog() == {}


def test_the_backlog_says_how_much_waits_and_for_how_long(journal: DeliveryJournal) -> None:
    journal.put([made(7, "a", b"1234"), made(3, "a", b"56"), made(5, "b", b"")])
    assert journal.backlog() == {
        "a": Backlog(2, 6, AT + timedelta(seconds=3)),
        "b": Backlog(1, 0, AT + timedelta(seconds=5)),
    }


def test_what_is_taken_is_bounded_in_bytes(journal: DeliveryJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TAKEN_BYTES", 2_500)
    journal.put([made(0, body=b"x" * 4_000), *(made(number, body=b"x" * 1_000) for number in range(1, 5))])
    assert ids(journal.take(10)) == ["msg_0"], "one is given, whatever its size"
    journal.remove([journal.take(1)[0].sequence])
    assert ids(journal.take(10)) == ["msg_1", "msg_2"]


def test_more_than_one_statement_holds_are_taken_and_removed(journal: DeliveryJournal) -> None:
    journal.put([made(number) for number in range(1_234)])
    found = journal.take(5_000)
    assert ids(found) == [f"msg_{number}" for number in range(1_234)]
    journal.remove([one.sequence for one in found])
    assert journal.backlog() == {}


def test_it_is_there_again_after_a_restart_and_beside_its_store(journal: DeliveryJournal, store_url: str) -> None:
    journal.put([made(0)])
    journal.close()
    store = open_store(store_url, clock=SystemClock())
    again = open_journal(store_url)
    try:
        assert ids(again.take(10)) == ["msg_0"]
        assert store.check() == []
    finally:
        again.close()
        store.close()


def test_a_journal_of_a_newer_syncd_is_left_alone(journal: DeliveryJournal, store_url: str) -> None:
    with journal.db.write() as connection:
        connection.execute(update(module.journal_schema).values(number=99))
    with pytest.raises(StoreError, match=r"schema 99, but syncd .* knows 1"):
        open_journal(store_url)


def test_many_that_open_it_at_once_all_succeed(store_url: str) -> None:
    gate = threading.Barrier(8)

    def open_and_put(number: int) -> None:
        gate.wait()
        one = open_journal(store_url)
        one.put([made(number)])
        one.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_and_put, range(8)))
    journal = open_journal(store_url)
    assert sorted(ids(journal.take(100))) == [f"msg_{number}" for number in range(8)]
    with journal.db.read() as connection:
        assert connection.execute(select(module.journal_schema.c.number)).all() == [(module.SCHEMA,)]
    journal.close()


def test_two_put_while_one_takes_and_removes_and_nothing_is_lost(journal: DeliveryJournal, store_url: str) -> None:
    """Two processes put, a third handle empties the journal meanwhile: each delivery is seen exactly once."""
    writers = [putter(store_url, name, 150) for name in ("a", "b")]
    seen: list[str] = []
    done = threading.Event()

    def drain() -> None:
        while True:
            is_over = done.is_set()
            found = journal.take(20)
            seen.extend(ids(found))
            journal.remove([one.sequence for one in found])
            if is_over and not found:
                return

    thread = threading.Thread(target=drain)
    thread.start()
    told = [line for writer in writers for line in writer.communicate()[0].split()]
    done.set()
    thread.join()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted(seen) == sorted(told)
    assert len(set(told)) == 300


def test_every_acknowledged_delivery_survives_a_kill(journal: DeliveryJournal, store_url: str) -> None:
    writer = putter(store_url, "k", 100_000)
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    told += writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    stored = ids(journal.take(100_000))
    assert stored[: len(told)] == told
    assert len(stored) - len(told) in (0, 1), "one may have been committed and not yet told"


# ---------------------------------------------------------------- SQLite alone


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[DeliveryJournal]:
    """A journal on SQLite."""
    opened = open_journal(f"sqlite:///{tmp_path / 'syncd.db'}")
    yield opened
    opened.close()


def test_the_file_is_the_owners_alone_and_lies_beside_the_store(lite: DeliveryJournal, tmp_path: Path) -> None:
    path = tmp_path / "syncd.db-intake"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "syncd.db").exists()
    with lite.db.read() as connection:
        told = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
    assert told == {"journal_mode": "wal", "synchronous": 2}


def test_the_file_shrinks_when_a_backlog_was_taken(
    lite: DeliveryJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SPARE_PAGES", 16)
    for start in range(0, 200, 20):
        lite.put([made(number, body=os.urandom(20_000)) for number in range(start, start + 20)])
    with lite.db.write() as connection:
        full = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    while found := lite.take(20):
        lite.remove([one.sequence for one in found])
    with lite.db.write() as connection:
        empty = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    assert full > 900
    assert empty <= 16 + 10
    lite.close()
    assert (tmp_path / "syncd.db-intake").stat().st_size <= 26 * 4096


def test_the_backlog_is_read_from_an_index(lite: DeliveryJournal) -> None:
    with lite.db.read() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT source, count(*), sum(size), min(received_at) FROM delivery GROUP BY source"
        ).all()
    assert "USING COVERING INDEX delivery_backlog" in str(plan)


def test_taking_by_source_does_not_sort(lite: DeliveryJournal) -> None:
    statements: list[str] = []
    event.listen(lite.db.engine, "before_cursor_execute", lambda c, u, statement, *rest: statements.append(statement))
    lite.take(5, ["a", "b"])
    chosen = next(one for one in statements if "LIMIT" in one)
    with lite.db.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {chosen}", ("", "a", "b", 5, 0)[: chosen.count("?")]).all()
    assert "TEMP B-TREE" not in str(plan)


def limited(journal: DeliveryJournal, pragma: str) -> Any:
    """Each connection of the journal from now on has `pragma`; gives what ends that."""

    def limit(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    event.listen(journal.db.engine, "connect", limit)
    journal.db.reopen()

    def lift() -> None:
        event.remove(journal.db.engine, "connect", limit)

    return lift


@pytest.mark.parametrize(
    ("pragma", "words"),
    [("max_page_count = 12", "The disk of the store is full"), ("query_only = 1", "The store can only be read")],
)
def test_a_put_that_fails_says_why_and_the_next_one_may_succeed(lite: DeliveryJournal, pragma: str, words: str) -> None:
    """SQLite's own errors, as a full disk and a file without rights give them."""
    lift = limited(lite, pragma)
    with pytest.raises(StoreError, match=words):
        lite.put([made(0), made(1, body=b"x" * 100_000)])
    lift()
    assert lite.take(10) == [], "nothing of it was stored"
    lite.put([made(2)])
    assert ids(lite.take(10)) == ["msg_2"]


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder for somebody who is not root, which the test is meanwhile: root may write to every file."""
    account = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="syncd-journal-"))
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, account.pw_uid, account.pw_gid)
        os.seteuid(account.pw_uid)
    yield folder
    if was_root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_a_file_without_rights_is_told_and_used_again_when_it_has_them(plain_folder: Path) -> None:
    journal = open_journal(f"sqlite:///{plain_folder / 'syncd.db'}")
    journal.close()
    path = plain_folder / "syncd.db-intake"
    path.chmod(0o400)
    plain_folder.chmod(0o500)
    with pytest.raises(StoreError, match=r"can only be read|cannot be opened"):
        journal.put([made(0)])
    plain_folder.chmod(0o700)
    path.chmod(0o600)
    journal.put([made(1)])
    assert ids(journal.take(10)) == ["msg_1"]
    journal.close()


def test_a_locked_file_is_told_and_used_again_when_it_is_free(lite: DeliveryJournal, tmp_path: Path) -> None:
    limited(lite, "busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "syncd.db-intake", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked by another program \(.*syncd.db-intake\)"):
        lite.put([made(0)])
    other.execute("ROLLBACK")
    other.close()
    lite.put([made(1)])
    assert ids(lite.take(10)) == ["msg_1"]


def test_a_file_that_is_no_journal_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db-intake"
    path.write_bytes(b"something else entirely, " * 100)
    with pytest.raises(StoreError, match="not a syncd store"):
        open_journal(f"sqlite:///{tmp_path / 'syncd.db'}")
    assert path.read_bytes() == b"something else entirely, " * 100


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be made"):
        open_journal(f"sqlite:///{tmp_path / 'nowhere' / 'syncd.db'}")
