"""csv_drop under the contract suite: files of a server, copied over a real connection."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from connectors.csv_drop import CONNECTOR
from syncd.connector import Secret, Session
from tests.contract.connectors.kit import NOW, Case
from tests.sftp_server import PASSWORD, server

IS_HTTP = False


def case(folder: Path) -> Case:
    """A folder of the server with files of 40 rows each."""
    far = folder / "far"
    far.mkdir()
    user, _ = server().account(far)

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = far / f"file{start:05d}.csv"
            rows = [f"person{n}@example.com,Name {n}" for n in range(start, min(start + 40, count))]
            path.write_text("\n".join(["email,name", *rows]) + "\n", encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    sftp = {
        "host": "127.0.0.1",
        "port": server().port,
        "user": user,
        "password": Secret(PASSWORD, "test"),
        "host_key": server().line,
    }
    return Case(
        CONNECTOR,
        {"folder": "copies", "sftp": sftp},
        fill,
        lambda: shutil.rmtree(far),
        Session(folder, settle_seconds=5.0, page_size_records=7),
    )
