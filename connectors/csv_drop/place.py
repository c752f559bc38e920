"""Where a pull goes on: which files were read, how far into the one being read. Belongs to csv_drop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from connectors.csv_drop.files import Drop
from connectors.csv_drop.rows import BadRow, Row

_REMEMBERED_FILES = 2_000
"""Digests of files that were read completely; the oldest are forgotten first."""


class Place:
    """The cursor: files read completely by content, and how far into the one being read."""

    def __init__(self, cursor: Mapping[str, Any] | None) -> None:
        """From a cursor, or from the beginning."""
        self._done: dict[str, list[Any]] = dict((cursor or {}).get("done", {}))
        self._digests: dict[str, None] = dict.fromkeys((cursor or {}).get("digests", ()))
        self._open: dict[str, Any] = dict((cursor or {}).get("open", {}))
        self._since: float | None = (cursor or {}).get("since")
        self._seen: dict[str, list[Any]] = dict((cursor or {}).get("seen", {}))
        self._stored = dict(self._done)

    def is_known(self, path: Path) -> bool:
        """Whether this very file was read to its end (same name, size and time), or is older than asked for: it is not opened."""
        stat = path.stat()
        return self.is_done(path.name, stat.st_size, stat.st_mtime_ns)

    def is_done(self, name: str, size: int, mtime_ns: int) -> bool:
        """The same of a file that is only known by its listing."""
        if self._since is not None and mtime_ns / 1e9 < self._since:
            return True
        return self._done.get(name) == [size, mtime_ns]

    def was_stored(self, name: str, size: int, mtime_ns: int) -> bool:
        """Whether that it was read stood in the cursor that the pull began with: what it held is stored."""
        return self._stored.get(name) == [size, mtime_ns]

    def quiet_since(self, name: str, size: int, mtime_ns: int, at: float) -> float:
        """When a listed file was first seen with this size and time, as Unix seconds: `at` if that is now."""
        known = self._seen.get(name)
        if known is None or known[:2] != [size, mtime_ns]:
            self._seen[name] = [size, mtime_ns, at]
            return at
        return float(known[2])

    def has_content(self, drop: Drop) -> bool:
        """Whether this content was read, under whatever name."""
        return drop.digest in self._digests

    def start_of(self, drop: Drop) -> tuple[int, int] | None:
        """(offset, row) to go on from, when the last pull stopped inside this content."""
        if self._open.get("digest") == drop.digest:
            return int(self._open["offset"]), int(self._open["row"])
        return None

    def advance(self, drop: Drop, row: Row | BadRow) -> None:
        """Everything up to and with a row has been given."""
        self._open = {"digest": drop.digest, "offset": row.next_offset, "row": row.number}

    def leave_out(self, name: str, size: int, mtime_ns: int) -> None:
        """A file is not read in this version, and counts as done."""
        self._done[name] = [size, mtime_ns]

    def finish(self, drop: Drop) -> None:
        """A file was read to its end."""
        self.leave_out(drop.path.name, drop.size, drop.mtime_ns)
        self._digests.pop(drop.digest, None)
        self._digests[drop.digest] = None
        while len(self._digests) > _REMEMBERED_FILES:
            del self._digests[next(iter(self._digests))]
        self._open = {}

    def cursor(self, present: Collection[str] | None = None) -> dict[str, Any]:
        """As JSON; with the names that are `present`, those of files that are gone are forgotten (their content is not)."""
        if present is not None:
            self._done = {name: stamp for name, stamp in self._done.items() if name in present}
            self._seen = {name: seen for name, seen in self._seen.items() if name in present and name not in self._done}
        found: dict[str, Any] = {"done": dict(self._done), "digests": list(self._digests), "open": dict(self._open)}
        if self._seen:
            found["seen"] = dict(self._seen)
        return found if self._since is None else {**found, "since": self._since}
