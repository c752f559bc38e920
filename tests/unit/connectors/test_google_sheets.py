"""google_sheets beyond the contract suite: identity of rows, what is given again, odd tables, Drive's word, times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.google_sheets import CONNECTOR, GoogleSheetsOptions
from connectors.google_sheets.api import letters
from connectors.google_sheets.table import blocks
from syncd.connector import Page
from syncd.errors import AuthError, ContractError
from tests.contract.connectors.cases.google_sheets import OPTIONS, TAB, case
from tests.contract.connectors.kit import Case

PLAIN = {"at_column": None, "key": ["E-mail"]}


def options(**more: Any) -> GoogleSheetsOptions:
    return GoogleSheetsOptions(**{**OPTIONS, **more})


def walk(made: Case, cursor: Any = None, **more: Any) -> Iterator[Page]:
    return CONNECTOR.pull(made.session, options(**{**PLAIN, **more}), "rows", cursor, made.clock.now())


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    return list(walk(made, json.loads(json.dumps(cursor)), **more))


def payloads(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def emails(found: list[Page]) -> list[str]:
    return sorted(one["E-mail"] for one in payloads(found))


@pytest.fixture
def made(tmp_path: Path) -> Case:
    found = case(tmp_path)
    found.session = msgspec.structs.replace(found.session, page_size_records=10_000)
    return found


@pytest.fixture
def model(made: Case) -> Any:
    assert made.vendor is not None
    return made.vendor.model


def calls(model: Any) -> list[str]:
    return [unquote(one.path.rpartition("/")[2]) for one in model.calls if "/values/" in one.path]


def test_sorting_and_inserting_change_no_rows_identity(made: Case, model: Any) -> None:
    made.fill(30)
    for more in (PLAIN, {"key": [], "at_column": None}):
        before = {one.key for page in pages(made, **more) for one in page.records}
        rows = model.tab(TAB).rows
        rows[1:] = [*rows[:0:-1]]
        rows.insert(5, [])
        assert {one.key for page in pages(made, **more) for one in page.records} == before


def test_an_edit_changes_the_row_of_its_key_and_is_another_row_without_one(made: Case, model: Any) -> None:
    made.fill(3)
    known = {one.key for page in pages(made) for one in page.records}
    unkeyed = {one.key for page in pages(made, key=[]) for one in page.records}
    model.tab(TAB).rows[2][1] = "Changed"
    assert {one.key for page in pages(made) for one in page.records} == known
    assert len({one.key for page in pages(made, key=[]) for one in page.records} - unkeyed) == 1


def test_only_what_lies_near_a_change_is_given_again(made: Case, model: Any) -> None:
    made.fill(1_200)
    cursor = pages(made)[-1].cursor
    model.write(TAB, ["new@example.com"])
    assert len(payloads(pages(made, cursor))) == 201
    model.tab(TAB).rows[1][1] = "Changed"
    cursor = pages(made, cursor)[-1].cursor
    assert payloads(pages(made, cursor)) == []


def test_large_tabs_are_read_in_blocks_of_ten_thousand_rows(made: Case, model: Any) -> None:
    made.fill(25_000)
    found = pages(made)
    assert len(payloads(found)) == 25_000
    assert max(len(page.records) for page in found) == 1_000
    assert calls(model) == ["'Leads'!A1:Z1", "'Leads'!A2:Z10001", "'Leads'!A10002:Z20001", "'Leads'!A20002:Z25011"]


@pytest.mark.parametrize("size", [1, 2, 3, 10_000])
def test_rows_with_the_same_key_are_versions_in_their_order_and_it_is_said_once(made: Case, model: Any, size: int) -> None:
    """The last one counts; what an earlier one says of consent is not lost."""
    made.session = msgspec.structs.replace(made.session, page_size_records=size)
    model.write(
        TAB, ["ada@example.com", "first"], ["bob@example.com"], [" ADA@example.com ", "second"], ["ada@example.com", "third"]
    )
    found = pages(made)
    records = [one for page in found for one in page.records]
    adas = [one for one in records if json.loads(one.payload)["Name"]]
    assert [json.loads(one.payload)["Name"] for one in adas] == ["first", "second", "third"]
    assert len({one.key for one in adas}) == 1
    assert {one.position for one in records} == {0}, "a row that moves up is no older version"
    assert "2 rows have the key of a row above them" in found[-1].notice
    assert not found[-1].is_last
    again = pages(made, found[-1].cursor)
    assert (payloads(again), again[-1].is_last, again[-1].notice) == ([], True, "")


def test_the_last_row_of_a_key_stays_the_last_word_when_an_earlier_one_changes(made: Case, model: Any) -> None:
    made.fill(1_100)
    model.write(TAB, ["person3@example.com", "last word"])
    cursor = pages(made)[-1].cursor
    model.tab(TAB).rows[4][1] = "edited"
    found = [one for one in payloads(pages(made, cursor)) if one["E-mail"] == "person3@example.com"]
    assert [one["Name"] for one in found] == ["edited", "last word"]


def test_a_row_without_its_key_is_known_by_its_content(made: Case, model: Any) -> None:
    model.write(TAB, ["", "Ada"], ["", "Bob"], ["", "Ada"])
    found = pages(made)
    assert [one["Name"] for one in payloads(found)] == ["Ada", "Bob", "Ada"]
    assert len({one.key for page in found for one in page.records}) == 2


def test_a_tab_that_had_rows_and_has_none_is_told_once_and_nothing_follows(made: Case, model: Any) -> None:
    made.fill(10)
    cursor = pages(made)[-1].cursor
    held = list(model.tab(TAB).rows)
    for left in (1, 0):
        model.tab(TAB).rows[left:] = []
        found = pages(made, cursor)
        assert payloads(found) == []
        assert not found[-1].is_last
        assert "is empty, and had 10 rows" in found[-1].notice
    again = pages(made, found[-1].cursor)
    assert again[-1].is_last
    model.tab(TAB).rows[:] = held
    assert payloads(pages(made, again[-1].cursor)) == [], "they were given before"


def test_ragged_rows_are_padded_and_cells_beyond_the_header_go_by_their_letter(made: Case, model: Any) -> None:
    model.write(TAB, ["ada@example.com"], ["bob@example.com", "Bob", "", "beyond", "", 7.0], [], ["", "  "])
    found = {one["E-mail"]: one for one in payloads(pages(made))}
    assert found["ada@example.com"] == {"E-mail": "ada@example.com", "Name": "", "Timestamp": ""}
    assert found["bob@example.com"] == {
        "E-mail": "bob@example.com",
        "Name": "Bob",
        "Timestamp": "",
        "column D": "beyond",
        "column F": 7,
    }


def test_a_formula_without_a_value_is_none(made: Case, model: Any) -> None:
    model.write(TAB, ["ada@example.com", "#REF!"], ["#N/A", "Loading..."])
    assert payloads(pages(made)) == [{"E-mail": "ada@example.com", "Name": "", "Timestamp": ""}]


@pytest.mark.parametrize(
    ("head", "more", "said"),
    [
        (["E-mail", "Name", "E-mail"], {}, "Columns A and C"),
        (["Mail", "Name"], {}, 'no column "E-mail"'),
        ([], {}, "holds no names of columns"),
        (["E-mail"], {"at_column": "When"}, 'no column "When"'),
    ],
)
def test_a_header_that_does_not_fit_stops_the_tab_and_quotes_no_cell(
    made: Case, model: Any, head: list[str], more: dict[str, Any], said: str
) -> None:
    model.tab(TAB).rows[:] = [head, ["ada@example.com", "secret name"]]
    with pytest.raises(ContractError, match=said) as caught:
        pages(made, **more)
    assert "secret name" not in str(caught.value)


def test_the_header_may_stand_further_down(made: Case, model: Any) -> None:
    model.tab(TAB).rows[:] = [["Our leads"], [], ["E-mail"], ["ada@example.com"]]
    assert payloads(pages(made, header_row=3)) == [{"E-mail": "ada@example.com"}]


def test_a_tab_that_was_renamed_is_told_with_what_there_is_and_its_number_outlives_it(made: Case, model: Any) -> None:
    made.fill(2)
    model.add_tab("Other", "E-mail", id=7)
    model.write("Other", ["other@example.com"])
    cursor = pages(made, tabs=[TAB, "gid=7"])[-1].cursor
    model.tab(TAB).title = "Leads 2027"
    found: list[Page] = []
    with pytest.raises(ContractError, match=r'no tab "Leads": it was renamed.*"Leads 2027" \(gid=0\)'):  # noqa: PT012 - what came counts
        for page in walk(made, tabs=[TAB, "gid=7"]):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert emails(found) == ["other@example.com"], "the other tab was read"
    assert not any(page.is_last for page in found)
    assert payloads(pages(made, cursor, tabs=["gid=0", "gid=7"])) == []


def test_a_tab_that_is_renamed_while_it_is_read_is_told_too(made: Case, model: Any) -> None:
    made.fill(2)
    model.page_served = lambda vendor, name: setattr(vendor.tab(TAB), "title", "Renamed") if len(calls(vendor)) == 1 else None
    with pytest.raises(ContractError, match="It was renamed or made smaller meanwhile"):
        pages(made)


def test_a_title_with_quotes_is_asked_for_rightly(made: Case, model: Any) -> None:
    model.tab(TAB).title = "Ada's / Leads? 100%"
    model.write("Ada's / Leads? 100%", ["ada@example.com"])
    assert emails(pages(made, tabs=["Ada's / Leads? 100%"])) == ["ada@example.com"]


def test_drive_says_whether_to_read_at_all(made: Case, model: Any) -> None:
    made.fill(5)
    first = pages(made, drive_check=True)
    model.calls.clear()
    again = pages(made, first[-1].cursor, drive_check=True)
    assert [one.path.split("/")[1] for one in model.calls] == ["drive"]
    assert again[-1].is_last
    assert again[-1].cursor == first[-1].cursor
    model.write(TAB, ["new@example.com"])
    assert "new@example.com" in emails(pages(made, again[-1].cursor, drive_check=True))


def test_what_failed_is_read_again_although_drive_knows_of_no_change(made: Case, model: Any) -> None:
    made.fill(5)
    found: list[Page] = []
    with pytest.raises(ContractError):  # noqa: PT012 - what came before it counts
        for page in walk(made, tabs=["Gone", TAB], drive_check=True):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    model.add_tab("Gone", "E-mail", id=9)
    model.tab("Gone").rows.append(["late@example.com"])
    assert emails(pages(made, found[-1].cursor, tabs=["Gone", TAB], drive_check=True)) == ["late@example.com"]


def test_the_right_to_ask_drive_is_needed_only_for_that(made: Case, model: Any) -> None:
    made.fill(1)
    assert pages(made)[-1].is_last
    with pytest.raises(AuthError, match=r"drive\.metadata\.readonly"):  # the token was given for sheets only
        pages(made, drive_check=True)
    made.clock.advance(4_000)
    assert pages(made, drive_check=True)[-1].is_last


def test_what_is_not_shared_says_with_whom_to_share_it(made: Case, model: Any) -> None:
    model.is_shared = False
    with pytest.raises(AuthError, match="Share it"):
        pages(made)


def test_times_are_read_in_the_columns_own_form_and_zone(made: Case, model: Any) -> None:
    made.session = msgspec.structs.replace(made.session, page_size_records=10_000)
    local = datetime(2026, 7, 1, 12, 0)
    model.write(TAB, ["ada@example.com", "", local], ["bob@example.com", "", "yesterday"], ["eve@example.com"])
    timed = {"at_column": "Timestamp"}

    def times(**more: Any) -> dict[str, Any]:
        found = pages(made, **{**timed, **more})
        return {json.loads(one.payload)["E-mail"]: one.source_at for page in found for one in page.records}

    summer = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert times() == {"ada@example.com": summer, "bob@example.com": None, "eve@example.com": None}
    assert times(dates="serial")["ada@example.com"] == summer
    assert times(at_zone="Asia/Jakarta")["ada@example.com"] == summer - timedelta(hours=5)
    assert times(at_format="iso")["ada@example.com"] is None
    found = pages(made, **timed)
    assert '1 rows have no time in "Timestamp"' in found[-1].notice
    assert "yesterday" not in found[-1].notice


def test_a_zone_nobody_knows_is_told_and_not_guessed(made: Case, model: Any) -> None:
    model.zone = "GMT+01:00"
    made.fill(0)
    with pytest.raises(ContractError, match="at_zone"):
        pages(made, at_column="Timestamp")
    assert pages(made)[-1].is_last


def test_a_time_from_the_future_is_cut_to_the_receipt(made: Case, model: Any) -> None:
    model.write(TAB, ["ada@example.com", "", "2036-01-01T00:00:00Z"])
    (one,) = (one for page in pages(made, at_column="Timestamp", at_format="iso") for one in page.records)
    assert one.source_at is not None
    assert one.source_at <= made.clock.now()


def test_cells_as_they_are_shown_are_texts(made: Case, model: Any) -> None:
    model.write(TAB, ["ada@example.com", 30901820])
    assert payloads(pages(made))[0]["Name"] == 30901820
    assert payloads(pages(made, cells="shown"))[0]["Name"] == "30901820"


def test_the_check_lists_columns_and_tabs(made: Case, model: Any) -> None:
    health = CONNECTOR.check(made.session, options(drive_check=True))
    assert health.ok
    assert '"E-mail", "Name", "Timestamp"' in health.findings[-1]
    health = CONNECTOR.check(made.session, options(tabs=["Laeds"]))
    assert not health.ok
    assert 'Did you mean "Leads"?' in health.findings[-1]


def test_the_check_shows_no_persons_row_where_the_header_is_missing(made: Case, model: Any) -> None:
    model.tab(TAB).rows[:] = [["ada@example.com", "Name", 491701234567]]
    health = CONNECTOR.check(made.session, options(**{**PLAIN, "key": []}))
    assert health.findings[-1].endswith('Its columns: "column A", "Name", "column C".')


@pytest.mark.parametrize(
    "more",
    [
        {"tabs": []},
        {"tabs": ["gid=x"]},
        {"tabs": [" "]},
        {"at_zone": "Mars/Base"},
        {"spreadsheet": "https://x"},
        {"header_row": 0},
    ],
)
def test_options_that_mean_nothing_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        options(**more)


@given(st.integers(1, 50), st.integers(0, 300), st.integers(1, 40))
def test_blocks_cover_every_row_once(header: int, count: int, size: int) -> None:
    covered = [row for first, last in blocks(header, count, size) for row in range(first, last + 1)]
    assert covered == list(range(header + 1, count + 1))


def test_columns_have_the_names_of_a_spreadsheet() -> None:
    assert [letters(number) for number in (1, 26, 27, 52, 702, 703)] == ["A", "Z", "AA", "AZ", "ZZ", "AAA"]
