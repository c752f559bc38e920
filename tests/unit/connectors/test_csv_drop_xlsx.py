"""Workbooks as people really make them: what a cell becomes, which of them are refused and with which words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.csv_drop import CONNECTOR, CsvDropOptions
from connectors.csv_drop import sheets as sheets_module
from syncd.connector import Page, Session
from tests.contract.connectors.kit import NOW


def book(*rows: Any, more: dict[str, list[Any]] | None = None) -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    assert made.active is not None
    made.active.title = "Leads"
    for row in rows:
        made.active.append(row)
    for name, others in (more or {}).items():
        sheet = made.create_sheet(name)
        for row in others:
            sheet.append(row)
    return made


def put(folder: Path, content: openpyxl.Workbook | bytes, name: str = "in.xlsx") -> Path:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.save(path)
    os.utime(path, (NOW.timestamp() - 3600,) * 2)
    return path


def pull(folder: Path, cursor: Any = None, size: int = 500, **options: Any) -> list[Page]:
    lent = Session(folder, settle_seconds=5.0, page_size_records=size)
    return list(CONNECTOR.pull(lent, CsvDropOptions(folder=folder, **options), "rows", cursor, NOW))


def rows(found: list[Page]) -> list[dict[str, str]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def rejects(found: list[Page]) -> list[tuple[str, str]]:
    return [(one.reason, one.message) for page in found for one in page.rejects]


def members(path: Path, **changed: bytes | None) -> bytes:
    """The bytes of a workbook with some of its parts changed or left out (None)."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.infolist():
            content = changed.pop(one.filename, old.read(one))
            if content is not None:
                new.writestr(one.filename, content)
        for name, content in changed.items():
            new.writestr(name, content or b"")
    return made.getvalue()


CELLS = [
    (datetime(2026, 11, 14, 9, 45, 30), "2026-11-14T09:45:30"),
    (date(2026, 11, 14), "2026-11-14"),
    (time(9, 45), "09:45:00"),
    (490301829991.0, "490301829991"),
    (4.9e11, "490000000000"),
    (12.5, "12.5"),
    (7, "7"),
    (True, "true"),
    ("'=1+1", "'=1+1"),
    ("  ünïcode 😀\nsecond line ", "  ünïcode 😀\nsecond line "),
    (None, ""),
]


@pytest.mark.parametrize(("value", "expected"), CELLS)
def test_what_a_cell_becomes(value: Any, expected: str, tmp_path: Path) -> None:
    put(tmp_path, book(["a", "b"], ["x", value]))
    assert rows(pull(tmp_path)) == [{"a": "x", "b": expected}]


def test_a_day_with_a_format_of_hours_keeps_its_midnight(tmp_path: Path) -> None:
    made = book(["a"], [datetime(2026, 11, 14)])
    assert made.active is not None
    made.active["A2"].number_format = "dd.mm.yyyy hh:mm"
    put(tmp_path, made)
    assert rows(pull(tmp_path)) == [{"a": "2026-11-14T00:00:00"}]


def test_days_are_counted_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    made = book(["a"])
    made.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    assert made.active is not None
    made.active.append([datetime(2026, 11, 14, 9, 45)])
    put(tmp_path, made)
    assert rows(pull(tmp_path)) == [{"a": "2026-11-14T09:45:00"}]


def test_a_formula_gives_the_value_that_was_saved_and_its_error_nothing(tmp_path: Path) -> None:
    path = put(tmp_path, book(["a", "b", "c"], ["x", "=1+1", "=1/0"]))
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    for formula, saved in (
        (b"><f>1+1</f><v></v>", b"><f>1+1</f><v>2</v>"),
        (b"><f>1/0</f><v></v>", b' t="e"><f>1/0</f><v>#DIV/0!</v>'),
    ):
        assert formula in sheet
        sheet = sheet.replace(formula, saved)
    put(tmp_path, members(path, **{"xl/worksheets/sheet1.xml": sheet}))
    assert rows(pull(tmp_path)) == [{"a": "x", "b": "2", "c": ""}]


def test_a_formula_that_was_never_calculated_is_empty(tmp_path: Path) -> None:
    put(tmp_path, book(["a", "b"], ["x", "=1+1"]))
    assert rows(pull(tmp_path)) == [{"a": "x", "b": ""}]


def test_short_rows_are_filled_up_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    put(
        tmp_path, book(["a", "b", "c"], ["1"], [None, None, None], [None, "2"], ["3", "4", "5", None, None], ["6", "7", "8", "9"])
    )
    found = pull(tmp_path)
    assert rows(found) == [{"a": "1", "b": "", "c": ""}, {"a": "", "b": "2", "c": ""}, {"a": "3", "b": "4", "c": "5"}]
    assert [one.locator for page in found for one in page.records] == ["in.xlsx row 2", "in.xlsx row 4", "in.xlsx row 5"]
    assert [reason for reason, _ in rejects(found)] == ["ragged_row"]


def test_the_first_sheet_is_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    put(tmp_path, book(["a"], ["first"], more={"Second": [["a"], ["second"]]}))
    assert rows(pull(tmp_path)) == [{"a": "first"}]
    assert rows(pull(tmp_path, sheet="Second")) == [{"a": "second"}]
    assert rejects(pull(tmp_path, sheet="Third")) == [("not_text", 'in.xlsx has no sheet "Third".')]
    health = CONNECTOR.check(Session(tmp_path), CsvDropOptions(folder=tmp_path, sheet="Third"))
    assert any('no sheet "Third"; it has Leads, Second' in one for one in health.findings)


def test_a_workbook_without_a_header_is_named_by_the_options(tmp_path: Path) -> None:
    put(tmp_path, book(["1", "2"], ["3"]))
    assert rows(pull(tmp_path, header=["a", "b"])) == [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]


def test_a_row_has_the_same_key_in_a_workbook_and_in_text(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "t").mkdir()
    put(tmp_path / "x", book(["email", "name"], ["ada@example.com", "Ada"]))
    put(tmp_path / "t", b"email,name\nada@example.com,Ada\n", "in.csv")
    one, other = pull(tmp_path / "x"), pull(tmp_path / "t")
    assert one[0].records[0].key == other[0].records[0].key
    assert one[0].records[0].payload == other[0].records[0].payload


def test_a_pull_goes_on_behind_the_row_where_it_was(tmp_path: Path) -> None:
    put(tmp_path, book(["a"], *([str(number)] for number in range(20))))
    found = pull(tmp_path, size=7)
    rest = pull(tmp_path, json.loads(json.dumps(found[0].cursor)), size=7)
    assert [one["a"] for one in rows(found)] == [str(number) for number in range(20)]
    assert [one["a"] for one in rows(rest)] == [str(number) for number in range(7, 20)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "an old Excel file (.xls), or one with a password; save it as XLSX"),
        ("locked.xlsx", b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "with a password; save it as XLSX"),
        ("cut.xlsx", b"PK\x03\x04" + b"\x00" * 100, "is no whole workbook"),
    ],
)
def test_what_is_no_workbook_is_set_aside_with_a_sentence(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    put(tmp_path, content, name)
    found = pull(tmp_path)
    ((reason, message),) = rejects(found)
    assert reason == "not_text"
    assert words in message
    assert found[-1].is_last
    assert rejects(pull(tmp_path, found[-1].cursor)) == []


def test_a_zip_file_that_is_no_workbook_is_set_aside(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.csv", "x")
    put(tmp_path, made.getvalue())
    assert "no workbook" in rejects(pull(tmp_path))[0][1]


def test_macros_are_refused(tmp_path: Path) -> None:
    put(tmp_path, members(put(tmp_path, book(["a"], ["1"])), **{"xl/vbaProject.bin": b"x"}))
    assert "holds macros" in rejects(pull(tmp_path))[0][1]


def test_a_workbook_that_would_grow_without_end_is_not_unpacked(tmp_path: Path) -> None:
    """256 MB of one letter are a quarter of a megabyte when packed."""
    path = put(tmp_path, book(["a"], ["1"]))
    bomb = members(path, **{"xl/worksheets/sheet9.xml": b"x" * (257 * 1024 * 1024)})
    put(tmp_path, bomb)
    tracemalloc.start()
    ((reason, message),) = rejects(pull(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason == "not_text"
    assert "save it as CSV" in message
    assert peak < 8_000_000


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, book(["a"], ["1"]))
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    lol = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + sheet.partition(b"?>")[2]
    put(tmp_path, members(path, **{"xl/worksheets/sheet1.xml": lol}))
    assert "declares a document type" in rejects(pull(tmp_path))[0][1]


def test_a_sheet_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    path = put(tmp_path, book(["a"], *([f"v{number}"] for number in range(3_000))))
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    put(tmp_path, members(path, **{"xl/worksheets/sheet1.xml": sheet[: len(sheet) // 2]}))
    found = pull(tmp_path)
    assert 1_000 < len(rows(found)) < 2_000
    assert "breaks off or is damaged" in rejects(found)[-1][1]
    assert found[-1].is_last


@pytest.mark.parametrize(
    "part",
    ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels"],
)
def test_a_workbook_without_one_of_its_parts_takes_nobody_along(part: str, tmp_path: Path) -> None:
    put(tmp_path, members(put(tmp_path, book(["a"], ["1"])), **{part: None}))
    put(tmp_path, b"a\n2\n", "other.csv")
    found = pull(tmp_path)
    assert {"a": "2"} in rows(found)
    assert found[-1].is_last


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        folder = tmp_path / str(count)
        folder.mkdir()
        made = openpyxl.Workbook(write_only=True)
        sheet = made.create_sheet()
        sheet.append(["a", "b"])
        for number in range(count):
            sheet.append([number, "text"])
        made.save(folder / "in.xlsx")
        os.utime(folder / "in.xlsx", (NOW.timestamp() - 3600,) * 2)
        lent = Session(folder, settle_seconds=5.0, page_size_records=100)
        tracemalloc.start()
        count_read = sum(len(page.records) for page in CONNECTOR.pull(lent, CsvDropOptions(folder=folder), "rows", None, NOW))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count_read == count
        return most

    peak(10)
    assert peak(6_000) < peak(1_000) + 1_500_000


def test_neither_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, connectors.csv_drop; sys.exit(any(name in sys.modules for name in ('openpyxl', 'paramiko', 'cryptography')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def test_the_limits_are_far_above_what_people_have() -> None:
    assert sheets_module._MOST_BYTES >= 200 * 1024 * 1024


def test_a_workbook_that_is_touched_is_read_by_another_sheet(tmp_path: Path) -> None:
    path = put(tmp_path, book(["a"], ["first"], more={"Second": [["a"], ["second"]]}))
    first = pull(tmp_path, sheet="Third")
    os.utime(path, (NOW.timestamp() - 1800,) * 2)
    assert rows(pull(tmp_path, first[-1].cursor, sheet="Second")) == [{"a": "second"}]
