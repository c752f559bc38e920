"""csv_drop under the contract suite: text; workbooks and a server are in csv_drop_*.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from connectors.csv_drop import CONNECTOR
from syncd.connector import Session
from tests.contract.connectors.kit import NOW, Case

IS_HTTP = False


def filled(drop: Path, suffix: str, write: Callable[[Path, Sequence[int]], object]) -> Callable[[int], None]:
    """Makes a folder hold files of 40 people each; `write` puts the numbers of some into a file."""
    drop.mkdir()

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = drop / f"file{start:05d}{suffix}"
            write(path, range(start, min(start + 40, count)))
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    return fill


def text(path: Path, numbers: Sequence[int]) -> None:
    """A file with a row for each number."""
    rows = [f"person{number}@example.com,Name {number}" for number in numbers]
    path.write_text("\n".join(["email,name", *rows]) + "\n", encoding="utf-8")


def troubles(drop: Path) -> dict[str, Callable[[], Callable[[], object]]]:
    """The folder is gone; a file is in its place. (That it may not be read is nothing that root meets.)"""

    def move_away() -> Callable[[], object]:
        gone = drop.rename(drop.with_name("gone"))
        return lambda: gone.rename(drop)

    def cover() -> Callable[[], object]:
        mend = move_away()
        drop.touch()
        return lambda: (drop.unlink(), mend())

    return {"away": move_away, "refused": cover}


def case(folder: Path) -> Case:
    """A folder of files of 40 rows each."""
    drop = folder / "drop"
    fill = filled(drop, ".csv", text)
    session = Session(folder, settle_seconds=5.0, page_size_records=7)
    return Case(CONNECTOR, {"folder": "drop"}, fill, drop.rmdir, session, troubles=troubles(drop))
