"""Files of a server: whom it trusts, when a file is complete, what is left behind, what breaks off."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import paramiko
import pytest
from pydantic import ValidationError

from connectors.csv_drop import CONNECTOR, CsvDropOptions
from connectors.csv_drop.options import SftpOptions
from syncd.connector import Page, Secret, Session
from syncd.errors import AuthError, SourceUnavailableError, SyncdError
from tests.contract.connectors.kit import NOW
from tests.contract.connectors.sftp_server import PASSWORD, Account, line_of, private_key_text, server


class Far:
    """A folder of the server, and a source that reads it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "far"
        self.home.mkdir()
        self.folder = folder
        self.copies = folder / "copies"
        self.account: Account
        self.user, self.account = server().account(self.home)
        self.options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": server().port,
            "user": self.user,
            "password": Secret(PASSWORD, "test"),
            "host_key": [server().line],
        }

    def put(self, name: str, text: str = "a,b\n1,x\n2,y\n", age: float = 7200) -> Path:
        path = self.home / name
        path.write_text(text)
        os.utime(path, (NOW.timestamp() - age,) * 2)
        return path

    def typed(self, **more: Any) -> CsvDropOptions:
        return CsvDropOptions(folder=Path("copies"), sftp=SftpOptions(**{**self.options, **more}))

    def pages(self, cursor: Any = None, *, at: datetime = NOW, settle: float = 5.0, **more: Any) -> list[Page]:
        lent = Session(self.folder, settle_seconds=settle)
        known = json.loads(json.dumps(cursor))
        return list(CONNECTOR.pull(lent, self.typed(**more), "rows", known, at))

    def opened(self) -> list[str]:
        return [Path(name).name for what, name in self.account.log if what == "open"]


@pytest.fixture
def far(tmp_path: Path) -> Far:
    return Far(tmp_path)


def rows(found: list[Page]) -> list[dict[str, str]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def test_a_file_is_fetched_once_and_its_copy_goes_when_it_is_stored(far: Far) -> None:
    far.put("leads.csv")
    first = far.pages()
    assert rows(first) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert first[-1].is_last
    assert (far.copies / "leads.csv").exists(), "the cursor may not have been stored"
    again = far.pages(first[-1].cursor)
    assert rows(again) == []
    assert far.opened() == ["leads.csv"]
    assert list(far.copies.iterdir()) == []
    assert (far.home / "leads.csv").exists(), "nothing is changed on the server"
    assert [what for what, _ in far.account.log if what == "move"] == []


def test_the_time_of_a_row_is_that_of_the_file_on_the_server(far: Far) -> None:
    far.put("leads.csv", age=7200)
    (first, _) = (one for page in far.pages() for one in page.records)
    assert first.source_at == NOW - timedelta(seconds=7200)


def test_a_new_version_of_a_file_is_fetched_again(far: Far) -> None:
    far.put("leads.csv")
    first = far.pages()
    far.put("leads.csv", "a,b\n1,x\n2,z\n", age=3600)
    assert {"a": "2", "b": "z"} in rows(far.pages(first[-1].cursor))


def test_only_wanted_plain_files_are_looked_at(far: Far) -> None:
    for name in ("x.csv.part", ".hidden.csv", "~$x.csv", "x.pdf", "x.csv.tmp"):
        far.put(name)
    (far.home / "folder.csv").mkdir()
    secret = far.folder / "elsewhere.csv"
    secret.write_text("a\n1\n")
    (far.home / "link.csv").symlink_to(secret)
    found = far.pages()
    assert rows(found) == []
    assert found[-1].is_last
    assert far.opened() == []


# ---------------------------------------------------------------- complete or not


def test_a_young_file_counts_when_it_was_seen_unchanged_twice(far: Far) -> None:
    far.put("leads.csv", age=10)
    first = far.pages()
    assert rows(first) == []
    assert not first[-1].is_last
    assert first[-1].recheck_seconds == 30.0
    assert "may still be being written" in first[-1].notice
    soon = far.pages(first[-1].cursor, at=NOW + timedelta(seconds=10))
    assert rows(soon) == []
    assert soon[-1].recheck_seconds == 20.0
    assert len(rows(far.pages(soon[-1].cursor, at=NOW + timedelta(seconds=30)))) == 2


def test_one_that_grows_waits_anew(far: Far) -> None:
    far.put("leads.csv", age=10)
    first = far.pages()
    far.put("leads.csv", "a,b\n1,x\n2,y\n3,z\n", age=10)
    second = far.pages(first[-1].cursor, at=NOW + timedelta(seconds=30))
    assert rows(second) == []
    assert len(rows(far.pages(second[-1].cursor, at=NOW + timedelta(seconds=60)))) == 3


def test_a_clock_that_is_ahead_delays_a_file_and_loses_none(far: Far) -> None:
    far.put("leads.csv", age=-3600)
    first = far.pages()
    assert rows(first) == []
    assert len(rows(far.pages(first[-1].cursor, at=NOW + timedelta(seconds=30)))) == 2


def test_a_marker_says_that_a_file_is_complete(far: Far) -> None:
    far.put("leads.csv", age=1)
    far.put("leads.csv.done", "", age=1)
    assert len(rows(far.pages())) == 2


def test_a_file_that_changes_while_it_is_fetched_is_fetched_again(far: Far) -> None:
    path = far.put("leads.csv")
    far.account.on_read = lambda _: far.put("leads.csv", "a,b\n1,x\n2,y\n3,z\n", age=3600)
    first = far.pages()
    assert rows(first) == []
    assert not first[-1].is_last
    assert "changed while it was fetched" in first[-1].notice
    assert [one.name for one in far.copies.iterdir()] == []
    far.account.on_read = None
    assert path.exists()
    assert len(rows(far.pages(first[-1].cursor))) == 3


# ---------------------------------------------------------------- what breaks off


def test_a_transfer_that_breaks_off_is_begun_anew(far: Far) -> None:
    far.put("a.csv", age=7300)
    far.put("big.csv", "a,b\n" + "1,xxxxxxxxxxxxxxxxxxxx\n" * 20_000)
    far.account.break_after = 100_000
    before: list[Page] = []
    with pytest.raises(SourceUnavailableError, match="broke off"):  # noqa: PT012 - what came before it counts
        for page in CONNECTOR.pull(Session(far.folder), far.typed(), "rows", None, NOW):
            before.append(page)  # noqa: PERF402 - what came before the error counts
    assert rows(before) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert not any(page.is_last for page in before)
    assert not (far.copies / "big.csv").exists()
    far.account.break_after = None
    after = far.pages(before[-1].cursor)
    assert after[-1].is_last
    assert rows(after)[-1] == {"a": "1", "b": "xxxxxxxxxxxxxxxxxxxx"}
    assert sorted(far.opened()) == ["a.csv", "big.csv", "big.csv"]


def test_a_connection_that_goes_while_much_is_asked_for_is_one_error_and_no_trace(far: Far) -> None:
    """The library asks ahead in a thread of its own; what ends there is a warning here, and would be a traceback among the logs."""
    far.put("big.csv", "a\n" + "1\n" * 20_000_000)
    far.account.break_after = 40_000
    with pytest.raises(SourceUnavailableError, match="broke off"):
        far.pages()


def test_a_file_that_may_not_be_read_does_not_stop_the_others(far: Far) -> None:
    far.put("a.csv", age=7300)
    far.put("b.csv")
    far.account.on_read = lambda path: path.unlink(missing_ok=True) if path.name == "a.csv" else None
    found = far.pages()
    assert len(rows(found)) == 2
    assert not found[-1].is_last
    assert "a.csv cannot be fetched" in found[-1].notice


def test_what_is_too_large_is_set_aside_unread_and_once(far: Far) -> None:
    far.put("big.csv", "a\n" + "1\n" * 100)
    found = far.pages(max_file_bytes=100)
    ((reason, message),) = [(one.reason, one.message) for page in found for one in page.rejects]
    assert reason == "too_large"
    assert "sftp.max_file_bytes (100)" in message
    assert far.opened() == []
    assert not [one for page in far.pages(found[-1].cursor, max_file_bytes=100) for one in page.rejects]


def test_files_are_moved_only_when_they_are_stored_and_only_if_that_is_wanted(far: Far) -> None:
    (far.home / "done").mkdir()
    far.put("leads.csv")
    first = far.pages(move_to="done")
    assert (far.home / "leads.csv").exists()
    second = far.pages(first[-1].cursor, move_to="done")
    assert not (far.home / "leads.csv").exists()
    assert (far.home / "done" / "leads.csv").exists()
    assert second[-1].is_last
    assert rows(far.pages(second[-1].cursor, move_to="done")) == []


def test_a_folder_to_move_to_that_is_not_there_is_told(far: Far) -> None:
    far.put("leads.csv")
    first = far.pages(move_to="done")
    second = far.pages(first[-1].cursor, move_to="done")
    assert not second[-1].is_last
    assert "leads.csv cannot be fetched or moved" in second[-1].notice


def test_a_name_that_is_no_text_is_told(far: Far) -> None:
    """The library cannot list such a folder: it is no empty one."""
    far.put("leads.csv")
    (Path(os.fsdecode(os.fsencode(far.home) + b"/\xff.csv"))).write_text("a\n1\n")
    error = error_of(far)
    assert isinstance(error, SourceUnavailableError)
    assert "name is not UTF-8" in str(error)


def test_a_folder_that_is_not_there_is_an_error(far: Far) -> None:
    with pytest.raises(SourceUnavailableError, match='folder "nowhere"'):
        far.pages(folder="nowhere")


# ---------------------------------------------------------------- whom it trusts, who is let in


def other_line() -> str:
    key = paramiko.ECDSAKey.generate()
    return f"{key.get_name()} {key.get_base64()}"


def error_of(far: Far, **more: Any) -> SyncdError:
    with pytest.raises(SyncdError) as caught:
        far.pages(**more)
    health = CONNECTOR.check(Session(far.folder), far.typed(**more))
    assert not health.ok
    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.detail} {health.findings}"
    return caught.value


ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXFPq5tmOLH3vCWmKXuWZgCTDZLpmK1Y1IqBGbqMGQa"


@pytest.mark.parametrize("kind", ["same kind", "other kind"])
def test_a_server_with_another_key_is_not_trusted(kind: str, far: Far) -> None:
    far.put("leads.csv")
    error = error_of(far, host_key=[other_line() if kind == "same kind" else ED25519])
    assert isinstance(error, AuthError)
    assert "another key" in str(error)
    assert far.account.log == []


@pytest.mark.parametrize("other", [ED25519, "same kind"])
def test_one_of_two_keys_is_enough_while_a_server_changes_its_own(other: str, far: Far) -> None:
    far.put("leads.csv")
    line = other_line() if other == "same kind" else other
    for keys in ([server().line, line], [line, server().line]):
        assert len(rows(far.pages(host_key=keys))) == 2


def test_a_server_is_asked_for_the_kind_of_key_that_is_pinned(far: Far) -> None:
    """It has one of each kind, and shows the one that is asked for."""
    far.put("leads.csv")
    assert len(rows(far.pages(host_key=[line_of(server().rsa_key)]))) == 2


def test_a_wrong_password_is_told_with_advice(far: Far) -> None:
    error = error_of(far, password=Secret("wrong", "test"))
    assert isinstance(error, AuthError)
    assert "sftp.user" in error.advice


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "passphrase"])
def test_a_private_key_lets_in(kind: str, far: Far) -> None:
    key = paramiko.RSAKey.generate(2048) if kind == "rsa" else paramiko.ECDSAKey.generate()
    far.account.key = key
    far.put("leads.csv")
    words = "open sesame" if kind == "passphrase" else None
    given: dict[str, Any] = {"password": None, "key": Secret(private_key_text(key, words), "test")}
    if words:
        error = error_of(far, **given)
        assert isinstance(error, AuthError)
        assert "sftp.passphrase" in error.advice
        given["passphrase"] = Secret(words, "test")
    assert len(rows(far.pages(**given))) == 2


def test_what_is_no_key_is_told_without_showing_it(far: Far) -> None:
    error = error_of(far, password=None, key=Secret("-----BEGIN NOTHING-----", "test"))
    assert isinstance(error, AuthError)
    assert "BEGIN" not in str(error)


def test_a_server_that_is_not_there_is_no_empty_folder(far: Far) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert isinstance(error_of(far, port=port), SourceUnavailableError)


def test_a_check_logs_in_and_lists(far: Far) -> None:
    far.put("leads.csv")
    health = CONNECTOR.check(Session(far.folder), far.typed())
    assert health.ok
    assert "1 files in ." in " ".join(health.findings)
    assert far.opened() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"password": None}, "needs key or password"),
        ({"host_key": []}, "ssh-keyscan"),
        ({"host_key": ["SHA256:abc"]}, "as ssh-keyscan prints it"),
        (
            {"host_key": ["ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAABgQCx0000000000000000000000000000000"]},
            "as ssh-keyscan prints it",
        ),
        ({"port": 0}, "greater than or equal to 1"),
        ({"hostkey": "x"}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_refused(more: dict[str, Any], words: str, far: Far) -> None:
    with pytest.raises(ValidationError, match=words):
        far.typed(**more)


def test_a_key_must_be_pinned(far: Far) -> None:
    far.options.pop("host_key")
    with pytest.raises(ValidationError, match="host_key"):
        far.typed()


def test_no_secret_is_shown(far: Far) -> None:
    assert PASSWORD not in f"{far.typed()} {far.typed()!r}"
