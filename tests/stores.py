"""Fresh stores for tests, cheaply: the schema is made once for each engine and copied, compiled statements are shared.

A test process opens hundreds of stores, where syncd opens one: without this most of its time went to making the same tables and
compiling the same statements again. What is opened is the store itself, with its own pragmas and its own look at the schema.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.util import LRUCache

from syncd.clock import FixedClock
from syncd.store import open_store
from tests.postgres import fresh_database

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 6 << 30
_TEMPLATE = "syncd_template"
_numbers = itertools.count()


def keep_in_memory(environment: dict[str, str] | os._Environ[str]) -> None:
    """Let pytest make its folders in memory where there is room: the store syncs every commit, which a shared disk makes long.

    Whether a commit survives is asked by killing processes, not machines, so nothing is tested less.
    """
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return
    # A container's own is small, and programs must not be started there.
    if found.f_frsize * found.f_bavail >= _ENOUGH_BYTES and not found.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK):
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def store_url_for(engine: str, folder: Path) -> str:
    """A fresh store of the present schema, with nothing in it."""
    if engine == "sqlite":
        folder.mkdir(exist_ok=True)
        copy = folder / "syncd.db"
        shutil.copyfile(_sqlite_template(), copy)
        copy.chmod(0o600)
        return f"sqlite:///{copy}"
    _postgres_template()
    return fresh_database(f"t{os.getpid()}_{next(_numbers)}", template=_TEMPLATE)


def empty_store_url(engine: str, folder: Path) -> str:
    """Where no store is yet: a file that is not there, or a database without tables."""
    if engine == "sqlite":
        return f"sqlite:///{folder / 'syncd.db'}"
    return fresh_database(f"t{os.getpid()}_{next(_numbers)}")


@functools.cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="syncd-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "syncd.db"
    _make(f"sqlite:///{path}")
    assert [one.name for one in folder.iterdir()] == ["syncd.db"], "closed, it is one file"
    return path


@functools.cache
def _postgres_template() -> None:
    _make(fresh_database(_TEMPLATE))


def _make(url: str) -> None:
    open_store(url, clock=FixedClock(datetime(2026, 11, 24, 9, 0, tzinfo=UTC))).close()


def share_compiled_statements() -> None:
    """Let engines of one dialect use each other's compiled statements; each would begin with none."""
    event.listen(Engine, "engine_connect", _share)


def _share(connection: Connection) -> None:
    engine = connection.engine
    if "compiled_cache" not in engine.get_execution_options():
        shared: Any = _Shared(engine.dialect)
        engine.update_execution_options(compiled_cache=shared)
        connection.execution_options(compiled_cache=shared)


class _Shared:
    """What SQLAlchemy asks of a cache. Its keys begin with the dialect object, which is another one for each engine: named instead."""

    _kept: LRUCache[Any, Any] = LRUCache(2_000)

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = (dialect.name, dialect.driver, dialect.paramstyle)

    def get(self, key: tuple[Any, ...]) -> Any:
        """The compiled statement, or None."""
        return self._kept.get((self._dialect, *key[1:]))

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._kept[(self._dialect, *key[1:])] = compiled
