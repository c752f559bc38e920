"""The contract suite: every connector runs all of it (STYLE 1a)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from syncd.connector import ActingConnector, Page, PullConnector, PushConnector, Session
from syncd.errors import SyncdError
from syncd.wiring import known_connectors
from tests.contract.connectors.cases import CASES, NOW, PUSH_CASES, SENT, SILENT, Case

TOTAL = 100


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """Each connector with an empty vendor."""
    make: Callable[[Path], Case] = CASES[request.param]
    return make(tmp_path)


def pages(case: Case, cursor: dict[str, Any] | None = None) -> list[Page]:
    """Everything from a cursor on."""
    options = case.connector.Options(**case.options)
    return list(case.connector.pull(case.session, options, case.read, cursor, case.clock.now()))


def keys(found: list[Page]) -> list[str]:
    """Keys of all records."""
    return [record.key for page in found for record in page.records]


def test_no_connector_escapes_the_suite(tmp_path: Path) -> None:
    known = known_connectors()
    silent = {name for name, one in known.items() if not getattr(one, "brings_records", True)}
    assert silent == set(SILENT)
    assert all(isinstance(known[name], ActingConnector) for name in silent), "what brings nothing must do something"
    asked = {name: make(tmp_path / name) for name, make in CASES.items() if (tmp_path / name).mkdir() is None}
    sent_to = {name: make(tmp_path) for name, make in PUSH_CASES.items()}
    assert {name for name, one in known.items() if isinstance(one, PullConnector)} - silent == {
        one.connector.name for one in asked.values()
    }
    assert {name for name, one in known.items() if isinstance(one, PushConnector)} == {
        one.connector.name for one in sent_to.values()
    }
    for one in asked.values():
        streams = {other.read for other in asked.values() if other.connector.name == one.connector.name}
        assert set(one.connector.streams(one.connector.Options(**one.options))) <= streams, "a stream escapes the suite"
    two_ways = {one.connector.name for one in asked.values()} & {one.connector.name for one in sent_to.values()}
    assert {asked[name].connector.name for name in SENT} == two_ways


@pytest.mark.parametrize("name", sorted(SILENT))
def test_one_that_brings_no_records_says_so_and_ends_at_once(name: str) -> None:
    """Wherever it is asked from, over HTTP that was not lent: one empty last page, the cursor kept."""
    connector = known_connectors()[name]
    assert isinstance(connector, PullConnector)
    options = connector.Options(**SILENT[name])
    (stream,) = connector.streams(options)
    for cursor in (None, {}, {"at": 7}, connector.cursor_at(options, stream, NOW)):
        (page,) = connector.pull(Session(Path()), options, stream, cursor, NOW)
        assert (page.records, page.rejects, page.is_last, page.cursor) == ((), (), True, cursor or {})
    assert connector.check(Session(Path()), options).findings
    with pytest.raises(ValidationError):
        connector.Options(**SILENT[name], no_such_option=1)
    assert all(field.description for field in connector.Options.model_fields.values())


def test_it_has_the_contracts_shape(case: Case) -> None:
    assert isinstance(case.connector, PullConnector)
    assert case.connector.streams(case.connector.Options(**case.options))


def test_unknown_options_are_refused_and_known_ones_are_documented(case: Case) -> None:
    with pytest.raises(ValidationError):
        case.connector.Options(**case.options, no_such_option=1)
    assert all(field.description for field in case.connector.Options.model_fields.values())


def test_a_full_pull_gives_everything_once_and_ends(case: Case) -> None:
    case.fill(TOTAL)
    found = pages(case)
    assert len(keys(found)) == len(set(keys(found))) == TOTAL
    assert found[-1].is_last
    assert not any(page.is_last for page in found[:-1])


def test_an_empty_vendor_gives_one_last_page(case: Case) -> None:
    found = pages(case)
    assert keys(found) == []
    assert [page.is_last for page in found] == [True]


def test_a_pull_resumed_after_any_page_loses_nothing(case: Case) -> None:
    case.fill(TOTAL)
    whole = pages(case)
    everything = set(keys(whole))
    for index in range(len(whole)):
        before = keys(whole[: index + 1])
        # The cursor has been through the store: it must survive JSON.
        after = keys(pages(case, json.loads(json.dumps(whole[index].cursor))))
        assert set(before) | set(after) == everything, f"lost after page {index}"
        if case.is_ordered or whole[index].is_last:
            assert len(set(before) & set(after)) <= case.repeated


def test_a_pull_without_news_gives_nothing(case: Case) -> None:
    case.fill(TOTAL)
    cursor = pages(case)[-1].cursor
    again = pages(case, cursor)
    assert keys(again) == []
    assert again[-1].is_last
    assert again[-1].cursor == cursor


def test_what_comes_later_is_found_from_the_cursor(case: Case) -> None:
    case.fill(40)
    first = pages(case)
    case.clock.advance(7200)
    case.fill(TOTAL)
    assert set(keys(first)) | set(keys(pages(case, first[-1].cursor))) == set(keys(pages(case)))
    assert len(set(keys(pages(case)))) == TOTAL


def test_records_say_when_and_where_and_are_json_objects(case: Case) -> None:
    case.fill(10)
    for page in pages(case):
        for record in page.records:
            assert isinstance(json.loads(record.payload), dict)
            assert record.source_at is None or (record.source_at.tzinfo is not None and record.source_at <= NOW)
            assert "@" not in record.locator


def test_nothing_newer_than_the_runs_start_is_passed_over(case: Case) -> None:
    """What is too fresh to be complete is neither read nor skipped: the pull says that it is not at its end."""
    case.fill(40)
    options = case.connector.Options(**case.options)
    early = NOW - timedelta(seconds=3600)
    found = list(case.connector.pull(case.session, options, case.read, None, early))
    if not keys(found):
        assert not found[-1].is_last
        assert found[-1].recheck_seconds is not None
    assert set(keys(found)) | set(keys(pages(case, found[-1].cursor))) == set(keys(pages(case)))


def test_a_cursor_by_date_gives_everything_from_that_instant_on(case: Case) -> None:
    case.fill(TOTAL)
    options = case.connector.Options(**case.options)
    dated = {record.key: record.source_at for page in pages(case) for record in page.records if record.source_at is not None}
    at = sorted(dated.values())[TOTAL // 2]
    begin = case.connector.cursor_at(options, case.read, at)
    found = pages(case, json.loads(json.dumps(begin)))
    assert {key for key, when in dated.items() if when >= at} <= set(keys(found))
    assert len(keys(found)) < TOTAL
    assert keys(pages(case, found[-1].cursor)) == []


def test_what_cannot_be_read_is_an_error_never_the_end(case: Case) -> None:
    case.break_()
    with pytest.raises(SyncdError):
        pages(case)
    health = case.connector.check(case.session, case.connector.Options(**case.options))
    assert not health.ok
    assert health.findings


def test_a_green_check_says_what_it_tried(case: Case) -> None:
    case.fill(40)
    health = case.connector.check(case.session, case.connector.Options(**case.options))
    assert health.ok
    assert health.findings


def test_notices_and_rejects_hold_no_personal_data(case: Case) -> None:
    case.fill(TOTAL)
    for page in pages(case):
        assert "@" not in page.notice
        assert not any("@" in reject.message for reject in page.rejects)
