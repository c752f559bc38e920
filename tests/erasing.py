"""What a store holds, byte for byte and row for row: for tests that look for somebody in it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from syncd.clock import SystemClock
from syncd.store import SqlStore, open_store, tables
from syncd.store.deliveries import DeliveryJournal, delivery
from tests.world import World

PERSON = {
    "email": "Quilla.Xanthopoulos@Zyzzyvas.example",
    "first": "Quillabeth",
    "last": "Xanthopoulos",
    "company": "Zyzzyva Worksmith",
    "phone": "+1 415 555 2671",
    "title": "Chief Wayfinder",
    "street": "77 Juniper Crossing",
}
NEEDLES = (
    "quilla.xanthopoulos@zyzzyvas.example", "quilla.xanthopoulos", "quillaxanthopoulos", "zyzzyvas.example",
    "quillabeth", "xanthopoulos", "zyzzyva", "415 555 2671", "4155552671", "wayfinder", "juniper crossing",
)  # fmt: skip
"""Every spelling of PERSON that a test may have put into a store."""


def held(url: str, needles: Iterable[str] = NEEDLES, *, but: Iterable[str] = ()) -> set[str]:
    """Places (a file, or table.column) with one of the needles in them; tables named in `but` are passed by."""
    wanted = [one.lower().encode() for one in needles]
    return {place for place, raw in (*_files(url), *_rows(url, set(but))) if any(one in raw.lower() for one in wanted)}


def held_in(world: World, needles: Iterable[str] = NEEDLES, *, but: Iterable[str] = ()) -> set[str]:
    """The same of a world's store and journal."""
    return held(world.store_url, needles, but=but)


def _rows(url: str, but: set[str]) -> Iterable[tuple[str, bytes]]:
    with closing(open_store(url, clock=SystemClock())) as store:
        assert isinstance(store, SqlStore)
        for table in tables.metadata.sorted_tables:
            if table.name in but:
                continue
            with store.db.read() as connection:
                for row in connection.execute(select(table)):
                    yield from ((f"{table.name}.{name}", _raw(value)) for name, value in row._mapping.items())
        with store.db.read() as connection:
            known = _tables_there(connection)
            assert known - {table.name for table in tables.metadata.sorted_tables} <= {
                "alembic_version",
                "delivery",
                "journal_schema",
            }
    journal = DeliveryJournal(url, store.db.clock)
    with closing(journal), journal.db.read() as connection:
        for row in connection.execute(select(delivery)):
            yield "delivery.body", _raw(row.body)


def _tables_there(connection: Any) -> set[str]:
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if connection.dialect.name == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    return set(connection.execute(text(names)).scalars())


def _raw(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        return zlib.decompress(raw) if raw[:1] == b"x" and _is_packed(raw) else raw
    return str(value).encode()


def _is_packed(raw: bytes) -> bool:
    try:
        zlib.decompress(raw)
    except zlib.error:
        return False
    return True


def _files(url: str) -> Iterable[tuple[str, bytes]]:
    """Of SQLite, as they lie there: before any store is opened on them, and without what opening may tidy."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        yield from ((one.name, one.read_bytes()) for one in sorted(path.parent.glob(f"{path.name}*")))
