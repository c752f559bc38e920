"""The connection to SQLite or PostgreSQL: transactions, pragmas, leases, and errors in operators' words."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from syncd.clock import Clock
from syncd.errors import ClaimConflictError, LeaseLostError, StoreError
from syncd.ports import LOG_IN_USE, NOT_COMPACTED, TOO_LARGE

CHUNK = 500
"""Keys of one look-up; both engines plan it as an index search, also before the first ANALYZE."""

_COMPRESS_OVER_BYTES = 2_000
"""Below, zlib costs more than all the rest of storing a record: 65 us for 700 bytes, of which it saves 280."""
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "2",
    "foreign_keys": "1",
    "busy_timeout": "30000",
    # Copying pages back to the file costs more than writing them: with 128 MB between two times each page is copied less often.
    # Writers wait for it, 0.2 s or so; with 256 MB the pages of a large store differ, and it would take twice as long for little.
    "wal_autocheckpoint": "32000",
    # KiB (negative). Small: what a reader has cached is void after each commit, and there is one reader for each thread.
    "cache_size": "-1000",
}
_WRITER_CACHE = "PRAGMA cache_size = -8000"
"""The writer's own pages stay valid. More than this made no pass faster, only larger (bench/mailchimp.py)."""

_MOST_COMPACTED_BYTES = 1 << 30
"""A larger file is not written anew beside the work: other writers give up after the 30 s of their `busy_timeout`."""

_READ_ONLY = {"query_only": "1"}

_OLDEST_SQLITE = (3, 35)
"""RETURNING, UPDATE ... FROM, and more than 999 parameters (sqlite.org, release history)."""

_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 10, 0.1
"""How long to wait for the lock of a process that has just died."""

_STATEMENTS_KEPT = 256
"""Compiled statements for each connection: writing many rows at once has some of each length (bulk.py)."""

_T = TypeVar("_T")


class Database:
    """One engine with its two kinds of transaction. Safe for threads; SQLite writes take turns."""

    def __init__(self, url: str, clock: Clock, pragmas: Mapping[str, str] | None = None, *, is_read_only: bool = False) -> None:
        """Open `url` (`sqlite:///path` or `postgresql://...`); a new SQLite file is readable by its owner only.

        `pragmas` stand in for the store's own of the same name; those that are not among them are set first. With `is_read_only`
        the database itself refuses every write, and no file is made.
        """
        self.clock = clock
        given = dict(pragmas or {}) | (_READ_ONLY if is_read_only else {})
        self._pragmas = {**{name: value for name, value in given.items() if name not in _PRAGMAS}, **_PRAGMAS, **given}
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database) if self.is_sqlite and parsed.database else None
        if not self.is_sqlite:
            parsed = parsed.set(drivername="postgresql+psycopg")
        if self.is_sqlite and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            wanted = ".".join(map(str, _OLDEST_SQLITE))
            raise StoreError(
                f"This Python comes with SQLite {sqlite3.sqlite_version}; the store needs {wanted}.",
                advice="Use a newer Python, or PostgreSQL (store.url).",
            )
        if self.path is not None and not self.path.exists():
            if is_read_only:
                raise StoreError(f"There is no store {self.path} yet.", advice='"syncd run --once" makes it.')
            self._touch(self.path)
        if self.is_sqlite:
            self.engine: Engine = create_engine(parsed, connect_args={"cached_statements": _STATEMENTS_KEPT})
        else:
            # Positional parameters: rows go to the driver as tuples (bulk.py).
            options = {"postgresql_readonly": True} if is_read_only else {}
            self.engine = create_engine(parsed, pool_pre_ping=True, paramstyle="format", execution_options=options)
        self._turn = threading.RLock()
        self._writer: Connection | None = None
        self._lock_file: int | None = None
        self._lock_connection: Connection | None = None
        self.fences: dict[str, int] = {}
        self.notes_statuses = False
        """Whether changes of a lead's status are remembered: while a policy has programs."""
        self.machines: frozenset[str] = frozenset()
        """Users whose changes never hide when a person changed a record last."""
        if self.is_sqlite:
            event.listen(self.engine, "connect", partial(_prepare_sqlite, self._pragmas))
            event.listen(self.engine, "begin", _begin_sqlite)

    @staticmethod
    def _touch(path: Path) -> None:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError as error:
            raise StoreError(
                f"The store {path} cannot be made: {error.strerror}.", advice="Check the folder in store.url and its rights."
            ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A short read transaction."""
        with self._errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A short write transaction; commits at the end, rolls back on any error. No network inside."""
        if not self.is_sqlite:
            with self._errors(), self.engine.connect() as connection, connection.begin():
                yield connection
            return
        with self._errors(), self._turn, self._write_connection().begin():
            yield self._write_connection()

    @contextmanager
    def overwriting(self) -> Iterator[Connection]:
        """As `write`; SQLite overwrites with zeros what is deleted or becomes shorter meanwhile."""
        if not self.is_sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._errors(), self._turn:
            driver: Any = self._write_connection().connection.driver_connection
            (before,) = driver.execute("PRAGMA secure_delete").fetchone()
            driver.execute("PRAGMA secure_delete = 1")
            try:
                with self.write() as connection:
                    yield connection
            finally:
                with suppress(sqlite3.ProgrammingError):  # a connection that is gone has forgotten it already
                    driver.execute(f"PRAGMA secure_delete = {int(before)}")

    def scrub(self) -> tuple[str, ...]:
        """Write a SQLite file anew and empty its log, so that nothing is left of what was ever deleted; gives what stood in the way.

        Earlier versions of rows lie about in the free room of pages: only a new file has none. Writers wait meanwhile, some ten seconds
        for each GB. On PostgreSQL its own vacuum does it, by and by.
        """
        if not self.is_sqlite:
            return ()
        met: list[str] = []
        if self.path is not None and self.path.stat().st_size > _MOST_COMPACTED_BYTES:
            met.append(TOO_LARGE)
        else:
            try:
                with self._errors(), self._turn:
                    compacting: Any = self._write_connection().connection.driver_connection
                    compacting.execute("VACUUM")
            except StoreError:
                met.append(NOT_COMPACTED)
        return (*met, *(() if self.checkpoint() else (LOG_IN_USE,)))

    def _write_connection(self) -> Connection:
        """The one connection that writes to SQLite: a second one would throw its page cache away at each of the other's commits."""
        if self._writer is None:
            self._writer = self.engine.connect().execution_options(syncd_write=True)
            self._writer.connection.driver_connection.execute(_WRITER_CACHE)  # type: ignore[union-attr]
        return self._writer

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            raise explained(error, self.path) from error
        except SQLAlchemyError as error:
            raise StoreError("The store cannot be used.", advice='Run "syncd store check".', detail=str(error)) from error

    def checkpoint(self) -> bool:
        """Bring SQLite's log into its file and make the log empty; False if a reader is in the way, which costs nothing.

        Writers wait meanwhile: for a quiet moment. On PostgreSQL there is nothing to do.
        """
        if not self.is_sqlite:
            return True
        with self._errors(), self._turn:
            driver: Any = self._write_connection().connection.driver_connection
            driver.execute("PRAGMA busy_timeout = 0")
            try:
                is_busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                driver.execute(f"PRAGMA busy_timeout = {_PRAGMAS['busy_timeout']}")
        return not is_busy

    # ------------------------------------------------------------------ statements

    def insert(self, table: Table) -> Any:
        """An INSERT of the dialect, which knows ON CONFLICT."""
        return sqlite_dialect.insert(table) if self.is_sqlite else postgresql.insert(table)

    def upsert(
        self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], keys: Sequence[str], *, where: Any = None
    ) -> None:
        """Insert rows or replace those with the same `keys`; rows are sorted so that two writers cannot deadlock."""
        if not rows:
            return
        statement = self.insert(table)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        statement = statement.on_conflict_do_update(index_elements=list(keys), set_=changed, where=where)
        connection.execute(statement, sorted(rows, key=lambda row: tuple(str(row[name]) for name in keys)))

    def add_missing(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> None:
        """Insert rows whose `keys` are not there yet."""
        if rows:
            statement = self.insert(table).on_conflict_do_nothing(index_elements=list(keys))
            connection.execute(statement, sorted(rows, key=lambda row: tuple(str(row[name]) for name in keys)))

    # ------------------------------------------------------------------ one engine per store

    def lock(self, name: str) -> bool:
        """Hold the operating system's (or PostgreSQL's) lock for the life of this process; False if this handle had it already."""
        return self._lock_sqlite(name) if self.is_sqlite else self._lock_postgresql(name)

    def _lock_sqlite(self, name: str) -> bool:
        if self.path is None or self._lock_file is not None:
            return False
        handle = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise _taken(name) from error
        self._lock_file = handle
        return True

    def _lock_postgresql(self, name: str) -> bool:
        if self._lock_connection is not None:
            return False
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        number = zlib.crc32(name.encode())
        asked = (text("SELECT pg_try_advisory_lock(:number)"), {"number": number})
        for _ in range(_LOCK_TRIES):
            if connection.execute(*asked).scalar():
                break
            # The server notices a moment later that a process which had it has died.
            threading.Event().wait(_LOCK_PAUSE_SECONDS)
        else:
            connection.close()
            raise _taken(name)
        self._lock_connection = connection
        return True

    def unlock(self) -> None:
        """Give the lock back; a process that dies gives it back too."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None
        if self._lock_connection is not None:
            with suppress(DBAPIError):  # a server that is gone has given it back already
                self._lock_connection.execute(text("SELECT pg_advisory_unlock_all()"))
            self._lock_connection.invalidate()
            self._lock_connection.close()
            self._lock_connection = None

    def close(self) -> None:
        """Close every connection."""
        self.unlock()
        self.reopen()

    def reopen(self) -> None:
        """Connect anew with the next statement: whoever opened a file that could only be read cannot write to it for ever."""
        with self._turn:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self.engine.dispose()


def _taken(name: str) -> StoreError:
    taken = StoreError(
        f"Another syncd ({name}) is working on this store.", advice="Wait until it has finished, or stop it; then start again."
    )
    taken.reason = "lease_taken"
    return taken


def _prepare_sqlite(pragmas: Mapping[str, str], connection: Any, record: Any) -> None:
    """Set the pragmas and make sure that they took."""
    del record
    connection.isolation_level = None
    cursor = connection.cursor()
    for name, wanted in pragmas.items():
        cursor.execute(f"PRAGMA {name} = {wanted}")
    for name, wanted in pragmas.items():
        found = str(cursor.execute(f"PRAGMA {name}").fetchone()[0])
        if found != wanted:
            raise StoreError(
                f"SQLite did not accept {name} = {wanted} (it says {found}).", advice="Keep the store on a local disk."
            )
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("syncd_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


_CAUSES = (
    ("database or disk is full", "disk_full", "The disk of the store is full.", "Free some room; nothing acknowledged is lost."),
    ("no space left", "disk_full", "The disk of the store is full.", "Free some room; nothing acknowledged is lost."),
    ("readonly", "read_only", "The store can only be read.", "Check the rights of the file and its folder, and the mount."),
    ("read-only", "read_only", "The store can only be read.", "Check the rights of the file and its folder, and the mount."),
    (
        "database is locked",
        "locked",
        "The store is locked by another program.",
        "Stop the other program (a backup, a shell) and start again.",
    ),
    ("unable to open", "cannot_open", "The store cannot be opened.", "Check store.url and the rights of its folder."),
    (
        "not a database",
        "not_a_store",
        "The file in store.url is not a syncd store.",
        "Name another file; this one was not touched.",
    ),
    ("malformed", "damaged", "The store is damaged.", 'Stop syncd and restore a backup; "syncd store check" tells more.'),
    ("disk i/o error", "disk_failed", "The disk of the store fails.", "Check the disk and the mount, then start again."),
    ("connection refused", "unreachable", "PostgreSQL does not answer.", "Check store.url and that the server runs."),
    (
        "password authentication failed",
        "refused",
        "PostgreSQL refused the user or password in store.url.",
        "Correct store.url.",
    ),
    ("could not serialize", "conflict", "Two writers met; the work is repeated.", ""),
)


def explained(error: DBAPIError | sqlite3.Error, path: Path | None) -> StoreError:
    """What a driver's error means to an operator; `path` is the file, None for a server."""
    told = error.orig if isinstance(error, DBAPIError) else error
    words = str(told).lower()
    if "unable to open" in words and path is not None and path.exists() and not os.access(path, os.W_OK):
        # A log beside the file could not be made, which is all that SQLite says of a disk that is mounted read-only.
        words = "readonly"
    where = f" ({path})" if path else ""
    for mark, reason, what, advice in _CAUSES:
        if mark in words:
            found = StoreError(f"{what[:-1]}{where}.", advice=advice)
            found.reason = reason
            return found
    # The driver's own words may quote values of a row, so they are not passed on.
    return StoreError(f"The store{where} refused a statement ({type(told).__name__}).", advice='Run "syncd store check".')


def pack(payload: bytes) -> tuple[bytes, bool]:
    """Payload as stored, and whether it was compressed."""
    if len(payload) <= _COMPRESS_OVER_BYTES:
        return payload, False
    packed = zlib.compress(payload, 3)
    return (packed, True) if len(packed) < len(payload) else (payload, False)


def unpack(payload: bytes, is_compressed: bool) -> bytes:
    """The payload as it came."""
    return zlib.decompress(payload) if is_compressed else bytes(payload)


def chunks(values: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """Slices of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


__all__ = ["CHUNK", "ClaimConflictError", "Database", "LeaseLostError", "chunks", "pack", "unpack"]
