"""Files as people really make them: each oddity is a clear reject, and the rest goes through."""

from __future__ import annotations

import json
import os
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.csv_drop import CONNECTOR, CsvDropOptions
from syncd.connector import Page, Session
from tests.contract.connectors.cases import NOW


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """An empty drop folder."""
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def write(drop: Path, name: str, content: bytes | str, age: float = 3600) -> Path:
    """Drop a file that is `age` seconds old."""
    path = drop / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (NOW.timestamp() - age,) * 2)
    return path


def pull(drop: Path, cursor: Any = None, **options: Any) -> list[Page]:
    """All pages."""
    settings = CsvDropOptions(folder=drop, **options)
    return list(CONNECTOR.pull(Session(drop.parent, settle_seconds=5.0), settings, "rows", cursor, NOW))


def rows(found: list[Page]) -> list[dict[str, str]]:
    """The records as objects."""
    return [json.loads(record.payload) for page in found for record in page.records]


def rejects(found: list[Page]) -> list[tuple[str, str]]:
    """(reason, locator) of all rejects."""
    return [(reject.reason, reject.locator) for page in found for reject in page.rejects]


GOOD = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]

DIALECTS = {
    "commas": b"a,b\n1,x\n2,y\n",
    "semicolons": b"a;b\r\n1;x\r\n2;y\r\n",
    "tabs": b"a\tb\n1\tx\n2\ty\n",
    "pipes": b"a|b\n1|x\n2|y\n",
    "old line ends": b"a,b\r1,x\r2,y\r",
    "byte order mark": b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
    "UTF-16 with mark": "a,b\n1,x\n2,y\n".encode("utf-16"),
    "UTF-16 without mark": "a,b\n1,x\n2,y\n".encode("utf-16-le"),
    "quoted cells": b'"a","b"\n"1","x"\n"2","y"\n',
    "no end of line at the end": b"a,b\n1,x\n2,y",
    "empty lines": b"a,b\n\n1,x\n,\n2,y\n\n",
    "extra empty cells": b"a,b\n1,x,,\n2,y,\n",
}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_is_found_out(drop: Path, name: str) -> None:
    write(drop, "f.csv", DIALECTS[name])
    found = pull(drop)
    assert rows(found) == GOOD
    assert rejects(found) == []


def test_quotes_delimiters_and_line_breaks_inside_cells_are_kept(drop: Path) -> None:
    write(drop, "f.csv", 'a,b\n"one, two","line one\nline two"\n"say ""hi""",5" screen\n')
    assert rows(pull(drop)) == [{"a": "one, two", "b": "line one\nline two"}, {"a": 'say "hi"', "b": '5" screen'}]


BAD_ROWS = {
    "too few cells": (b"3\n", "ragged_row"),
    "too many cells": (b"3,4,5\n", "ragged_row"),
    "a NUL byte": (b"3,\x00\n", "nul_byte"),
    "bytes that are no UTF-8": (b"3,\xff\xfe\n4,\xc3\xa9\n5,\xc3\xa9\n", "bad_encoding"),
    "a lone surrogate": (b"3,\xed\xa0\x80\n4,\xc3\xa9\n5,\xc3\xa9\n", "bad_encoding"),
    "an open quote": (b'3,"oops\n', "open_quote"),
    "a cell of 10 MB": (b"3," + b"x" * 10_000_000 + b"\n", "cell_too_long"),
    "a quoted cell beyond the limit": (b'3,"' + b"x" * 200_000 + b'"\n', "cell_too_long"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_set_aside_with_its_place_and_the_rest_goes_through(drop: Path, name: str) -> None:
    bad, reason = BAD_ROWS[name]
    write(drop, "f.csv", b"a,b\n1,x\n" + bad + b"2,y\n")
    found = pull(drop)
    assert (reason, "f.csv row 3") in rejects(found)
    assert GOOD[0] in rows(found)
    assert GOOD[1] in rows(found)
    assert found[-1].is_last


def test_an_open_quote_does_not_swallow_the_rest_of_a_large_file(drop: Path) -> None:
    body = "".join(f"{n},y\n" for n in range(20_000))
    write(drop, "f.csv", 'a,b\n1,"never closed\n' + body)
    found = pull(drop)
    assert len(rows(found)) == 20_000
    assert rejects(found) == [("open_quote", "f.csv row 2")]


def test_a_truncated_file_gives_its_whole_rows(drop: Path) -> None:
    write(drop, "f.csv", 'a,b\n1,x\n2,y\n3,"cut in the mid')
    found = pull(drop)
    assert rows(found) == GOOD
    assert rejects(found) == [("open_quote", "f.csv row 4")]


BAD_FILES = {
    "two columns of one name": (b"a,a\n1,2\n", "bad_header"),
    "a column without a name": (b"a,,b\n1,2,3\n", "bad_header"),
    "a spreadsheet": (b"PK\x03\x04" + b"\x00" * 100, "not_text"),
    "a picture": (bytes(range(256)) * 50, "not_text"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_table_is_one_reject(drop: Path, name: str) -> None:
    content, reason = BAD_FILES[name]
    write(drop, "bad.csv", content)
    write(drop, "good.csv", b"a,b\n1,x\n2,y\n", age=100)
    found = pull(drop)
    assert rejects(found) == [(reason, "bad.csv")]
    assert rows(found) == GOOD
    assert rejects(pull(drop, found[-1].cursor)) == [], "told once"


def test_empty_files_and_bare_headers_hold_no_records(drop: Path) -> None:
    write(drop, "empty.csv", b"")
    write(drop, "header.csv", b"a,b\n")
    found = pull(drop)
    assert (rows(found), rejects(found), found[-1].is_last) == ([], [], True)


def test_windows_encoding_is_read_and_reported_never_silent(drop: Path) -> None:
    write(drop, "f.csv", "a;b\n1;Müller\n".encode("cp1252"))
    found = pull(drop)
    assert rows(found) == [{"a": "1", "b": "Müller"}]
    assert "cp1252" in found[0].notice


def test_the_same_content_under_another_name_is_read_once(drop: Path) -> None:
    write(drop, "f.csv", b"a,b\n1,x\n")
    first = pull(drop)
    (drop / "f.csv").unlink()
    write(drop, "copy.csv", b"a,b\n1,x\n")
    again = pull(drop, first[-1].cursor)
    assert rows(again) == []
    assert "read before" in " ".join(page.notice for page in again)


def test_new_content_under_the_same_name_is_read(drop: Path) -> None:
    write(drop, "f.csv", b"a,b\n1,x\n")
    first = pull(drop)
    write(drop, "f.csv", b"a,b\n1,x\n2,y\n", age=60)
    assert rows(pull(drop, first[-1].cursor)) == GOOD


def test_a_file_still_being_written_is_not_read(drop: Path) -> None:
    write(drop, "fresh.csv", b"a,b\n1,x\n", age=1)
    write(drop, "upload.csv.part", b"a,b\n1,x\n")
    found = pull(drop)
    assert rows(found) == []
    assert not found[-1].is_last
    assert found[-1].recheck_seconds == pytest.approx(4, abs=0.1)
    (drop / "fresh.csv.done").touch()
    assert rows(pull(drop)) == [{"a": "1", "b": "x"}], "its marker says that it is complete"


def test_a_file_that_somebody_has_open_for_writing_is_not_read(drop: Path) -> None:
    path = write(drop, "f.csv", b"a,b\n1,x\n")
    with path.open("ab"):
        assert rows(pull(drop)) == []
    assert rows(pull(drop)) == [{"a": "1", "b": "x"}]


def test_key_columns_make_a_changed_row_a_newer_version(drop: Path) -> None:
    write(drop, "old.csv", "mail,title\nA@example.com,one\n", age=200)
    write(drop, "new.csv", "mail,title\na@example.com ,two\n", age=100)
    found = pull(drop, key=["mail"])
    records = [record for page in found for record in page.records]
    assert len({record.key for record in records}) == 1
    assert records[0].source_at is not None
    assert records[1].source_at == records[0].source_at + timedelta(seconds=100)


def test_a_link_out_of_the_folder_is_not_followed(drop: Path) -> None:
    outside = drop.parent / "private.csv"
    outside.write_text("a,b\n1,secret\n")
    (drop / "link.csv").symlink_to(outside)
    assert rows(pull(drop)) == []


def test_memory_does_not_grow_with_the_file(drop: Path) -> None:
    """Peak allocation for 120,000 rows is about that for 30,000."""

    def peak(count: int) -> int:
        path = write(drop, f"f{count}.csv", "a,b,c\n" + "".join(f"{n},name {n},company {n % 50}\n" for n in range(count)))
        tracemalloc.start()
        settings = CsvDropOptions(folder=drop)
        read = sum(len(page.records) for page in CONNECTOR.pull(Session(drop.parent), settings, "rows", None, NOW))
        _, high = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        path.unlink()
        assert read == count
        return high

    assert peak(120_000) < 1.5 * peak(30_000) + 500_000
