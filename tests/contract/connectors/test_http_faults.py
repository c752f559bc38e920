"""What every connector that speaks HTTP must survive (STYLE 1a, sources.md 11.6): nothing is lost, nothing is given away."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.connector import Page
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.caller import ATTEMPTS
from tests.contract.connectors.cases import CASES, Case, Vendor

TOTAL = 100
TEMPORARY = [
    "throttled",
    "limit",
    "unavailable",
    "html_503",
    "error",
    "html",
    "cut_body",
    "cut_stream",
    "cut_before",
    "cut_after",
    "late",
    "empty_page",
]
UNREADABLE = ["html", "cut_body", "empty_page"]
"""A page came, and is kept."""


@pytest.fixture(params=[name for name in CASES if name != "csv_drop"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """Each connector with a filled vendor behind HTTP."""
    make: Callable[[Path], Case] = CASES[request.param]
    made = make(tmp_path)
    made.fill(TOTAL)
    return made


@pytest.fixture
def vendor(case: Case) -> Vendor:
    assert case.vendor is not None
    return case.vendor


def pull(case: Case, cursor: Any = None) -> tuple[list[Page], SyncdError | None]:
    """What came, and the error that ended it."""
    options = case.connector.Options(**case.options)
    found: list[Page] = []
    try:
        for page in case.connector.pull(case.session, options, case.connector.streams(options)[0], cursor, case.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before an error counts
    except SyncdError as error:
        return found, error
    return found, None


def keys(found: list[Page]) -> set[str]:
    return {record.key for page in found for record in page.records}


def everything(case: Case) -> set[str]:
    return keys(pull(case)[0])


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_temporary_fault_costs_nothing_but_time(case: Case, vendor: Vendor, kind: str) -> None:
    whole = everything(case)
    vendor.model.faults.add(kind, vendor.path, skip=3, times=2)
    found, error = pull(case)
    assert error is None
    assert keys(found) == whole
    assert found[-1].is_last
    assert vendor.model.faults.hits[kind] == 2


@pytest.mark.parametrize("kind", TEMPORARY)
def test_a_lasting_fault_is_an_error_never_the_end_and_the_cursor_goes_on(case: Case, vendor: Vendor, kind: str) -> None:
    whole = everything(case)
    vendor.model.faults.add(kind, vendor.path, skip=3, times=-1)
    before, error = pull(case)
    assert isinstance(error, RateLimitedError if kind in ("throttled", "limit") else SourceUnavailableError)
    assert vendor.model.faults.hits[kind] == ATTEMPTS
    assert keys(before) < whole
    assert not any(page.is_last for page in before)
    vendor.model.faults.clear()
    after, error = pull(case, json.loads(json.dumps(before[-1].cursor)))
    assert error is None
    assert keys(before) | keys(after) == whole


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_page_that_cannot_be_read_is_kept_and_not_shown(case: Case, vendor: Vendor, kind: str) -> None:
    vendor.model.faults.add(kind, vendor.path, skip=3, times=-1)
    _, error = pull(case)
    assert isinstance(error, SourceUnavailableError)
    assert error.page
    assert error.page[:40].decode() not in f"{error} {error!r} {error.detail}"


def test_a_refused_key_is_told_at_once_with_advice(case: Case, vendor: Vendor) -> None:
    vendor.model.faults.add("expired", times=-1)
    before = vendor.model.call_count
    found, error = pull(case)
    assert isinstance(error, AuthError)
    assert "api_key" in error.advice
    assert not found
    assert vendor.model.call_count == before + 1


def test_a_refused_right_is_no_throttle(case: Case, vendor: Vendor) -> None:
    vendor.model.faults.add("forbidden", vendor.path, times=-1)
    _, error = pull(case)
    assert isinstance(error, AuthError)


def test_json_of_another_shape_stops_at_once_and_the_page_is_kept(case: Case, vendor: Vendor) -> None:
    def other_shape(request: Any, body: bytes) -> bytes:
        return b'{"people": [], "count": 3}' if request.url.split("?")[0].endswith("/members") else body

    vendor.line.distort = other_shape
    before = vendor.model.call_count
    found, error = pull(case)
    assert isinstance(error, ContractError)
    assert error.page == b'{"people": [], "count": 3}'
    assert not keys(found)
    assert vendor.model.call_count <= before + 2


@pytest.mark.parametrize("kind", [*TEMPORARY, "expired", "forbidden"])
def test_no_error_and_no_finding_gives_anything_away(case: Case, vendor: Vendor, kind: str) -> None:
    """No key, in whatever form; no query; no address of a person."""
    vendor.model.faults.add(kind, vendor.path, times=-1)
    _, error = pull(case)
    assert error is not None
    health = case.connector.check(case.session, case.connector.Options(**case.options))
    assert not health.ok
    chain = [one for one in (error, error.__cause__, error.__context__) if one is not None]
    shown = " ".join([*(f"{one} {one!r}" for one in chain), error.detail, repr(case.session), *health.findings])
    options = case.connector.Options(**case.options)
    shown += f" {options} {options!r} {options.model_dump_json(fallback=str)}"
    for secret in vendor.secrets:
        for form in (secret, base64.b64encode(f"syncd:{secret}".encode()).decode(), secret[:12]):
            assert form not in shown
    assert "last_changed" not in shown
    assert "?" not in shown
    assert "@" not in shown


def test_no_more_calls_are_under_way_than_the_vendor_bears(case: Case, vendor: Vendor) -> None:
    pull(case)
    assert 1 <= vendor.model.most_open <= 4


def test_a_mix_of_faults_loses_nothing(case: Case, vendor: Vendor) -> None:
    whole = everything(case)
    for kind in ("unavailable", "throttled", "limit", "html", "cut_body", "cut_stream", "cut_after"):
        vendor.model.faults.add(kind, times=-1, probability=0.08)
    found: set[str] = set()
    cursor: Any = None
    for _ in range(20):
        pages, error = pull(case, cursor)
        found |= keys(pages)
        cursor = json.loads(json.dumps(pages[-1].cursor)) if pages else cursor
        if error is None:
            break
    assert found == whole
