"""csv_drop under the contract suite: files of a server, copied over a real connection."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from connectors.csv_drop import CONNECTOR
from syncd.connector import Secret, Session
from tests.contract.connectors.cases.csv_drop import filled, text
from tests.contract.connectors.kit import Case
from tests.contract.connectors.sftp_server import PASSWORD, server

IS_HTTP = False


def case(folder: Path) -> Case:
    """A folder of the server with files of 40 rows each."""
    far = folder / "far"
    fill = filled(far, ".csv", text)
    user, account = server().account(far)
    sftp = {
        "host": "127.0.0.1",
        "port": server().port,
        "user": user,
        "password": Secret(PASSWORD, "test"),
        "host_key": server().line,
    }
    options = {"folder": "copies", "sftp": sftp}
    session = Session(folder, settle_seconds=5.0, page_size_records=7)

    def turn(switch: str) -> Callable[[], object]:
        setattr(account, switch, True)
        return lambda: setattr(account, switch, False)

    return Case(
        CONNECTOR,
        options,
        fill,
        lambda: shutil.rmtree(far),
        session,
        troubles={"away": server().leave, "refused": lambda: turn("is_locked")},
        secrets=(PASSWORD,),
    )
