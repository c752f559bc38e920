"""Where finished files go: a folder, and a folder of a real SFTP server; both behave alike."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from syncd.delivery import FolderDrop, SftpDrop, alone
from syncd.errors import DeliveryError
from syncd.model.secret import Secret
from syncd.sftp import SftpServer
from tests.contract.connectors.sftp_server import PASSWORD, Account, server


def on_server(home: Path, **changes: Any) -> tuple[SftpDrop, Account]:
    """A drop in the folder `in` of a user, who may write."""
    user, account = server().account(home)
    account.may_write = True
    given = {
        "host": "127.0.0.1",
        "port": server().port,
        "user": user,
        "password": Secret(PASSWORD, "test"),
        "host_key": server().line,
    }
    return SftpDrop(SftpServer.model_validate({**given, **changes}), "in"), account


@pytest.fixture(params=["folder", "server", "plain_server"])
def drop(request: pytest.FixtureRequest, tmp_path: Path) -> FolderDrop | SftpDrop:
    """A drop whose files are in `in`."""
    if request.param == "folder":
        return FolderDrop(tmp_path / "in")
    (tmp_path / "in").mkdir()
    made, account = on_server(tmp_path)
    account.has_posix_rename = request.param == "server"
    return made


def test_a_file_is_there_with_all_its_bytes_and_replaces_the_one_before(drop: FolderDrop | SftpDrop, tmp_path: Path) -> None:
    assert not drop.holds("a.csv")
    for content in (b"", os.urandom(200_000), b"a,b\r\n"):
        drop.put("a.csv", content)
        assert drop.holds("a.csv")
        assert {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()} == {"a.csv": content}


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    """On a server, too: it is written under another name and moved."""
    (tmp_path / "in").mkdir()
    made, account = on_server(tmp_path)
    made.put("a.csv", b"1")
    assert [one for one in account.log if one[0] != "list"] == [("write", "in/.a.csv.part"), ("move", "in/.a.csv.part")]


def test_a_folder_that_is_not_there_is_no_empty_folder(tmp_path: Path) -> None:
    """On a server a missing folder may mean a missing disk: what was taken and what was never put cannot be told apart then."""
    made, _ = on_server(tmp_path)
    for ask in (lambda: made.holds("a.csv"), lambda: made.put("a.csv", b"1")):
        with pytest.raises(DeliveryError, match="cannot be used"):
            ask()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": Secret("wrong", "test")}, "refuses the login"),
        ({"host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXFPq5tmOLH3vCWmKXuWZgCTDZLpmK1Y1IqBGbqMGQa"}, "shows another key"),
        ({"port": 1}, "could not be reached"),
    ],
    ids=["password", "other_key", "nobody_there"],
)
def test_a_server_that_is_not_the_right_one_gets_nothing(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    (tmp_path / "in").mkdir()
    made, account = on_server(tmp_path, **changes)
    with pytest.raises(DeliveryError, match=words) as caught:
        made.put("a.csv", b"1")
    assert "xactly.sftp" in caught.value.advice
    assert caught.value.__cause__ is None
    assert (account.log, list((tmp_path / "in").iterdir())) == ([], [])


def test_a_folder_that_cannot_be_written_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a file")
    with pytest.raises(DeliveryError, match="in cannot be used"):
        FolderDrop(tmp_path / "in").put("a.csv", b"1")


def test_only_one_process_exports_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    with alone(lock), pytest.raises(DeliveryError, match="under way"), alone(lock):
        pass
    with alone(lock):
        pass
