"""What every connector that speaks HTTP must survive (STYLE 1a, sources.md 11.6): nothing is lost, nothing is given away."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncd.connector import Page, limits_of
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.caller import ATTEMPTS
from tests.contract.connectors.cases import CASES, HTTP_CASES, Case, Vendor, kinds_of

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each connector with each fault that its vendor can have."""
    if "kind" not in metafunc.fixturenames:
        metafunc.parametrize("name", HTTP_CASES)
        return
    wanted = {"unreadable": UNREADABLE, "anything": [*TEMPORARY, "expired", "forbidden"]}
    kinds = next((found for word, found in wanted.items() if word in metafunc.function.__name__), TEMPORARY)
    pairs = [(name, kind) for name in HTTP_CASES for kind in kinds_of(name, kinds)]
    metafunc.parametrize(("name", "kind"), pairs, ids=["-".join(pair) for pair in pairs])


@pytest.fixture
def case(name: str, tmp_path: Path) -> Case:
    """A connector with a filled vendor behind HTTP."""
    make: Callable[[Path], Case] = CASES[name]
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
        for page in case.connector.pull(case.session, options, case.read, cursor, case.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before an error counts
    except SyncdError as error:
        return found, error
    return found, None


def keys(found: list[Page]) -> set[str]:
    return {record.key for page in found for record in page.records}


def everything(case: Case) -> set[str]:
    return keys(pull(case)[0])


def test_a_temporary_fault_costs_nothing_but_time(case: Case, vendor: Vendor, kind: str) -> None:
    whole = everything(case)
    vendor.model.faults.add(kind, vendor.path, skip=vendor.skip, times=2)
    found, error = pull(case)
    assert error is None
    assert keys(found) == whole
    assert found[-1].is_last
    assert vendor.model.faults.hits[kind] == 2


def test_a_lasting_fault_is_an_error_never_the_end_and_the_cursor_goes_on(case: Case, vendor: Vendor, kind: str) -> None:
    whole = everything(case)
    vendor.model.faults.add(kind, vendor.path, skip=vendor.skip, times=-1)
    before, error = pull(case)
    assert isinstance(error, RateLimitedError if kind in ("throttled", "limit") else SourceUnavailableError)
    assert vendor.model.faults.hits[kind] == ATTEMPTS
    assert keys(before) < whole
    assert not any(page.is_last for page in before)
    vendor.model.faults.clear()
    after, error = pull(case, json.loads(json.dumps(before[-1].cursor)) if before else None)
    assert error is None
    assert keys(before) | keys(after) == whole


def test_an_unreadable_page_is_kept_and_not_shown(case: Case, vendor: Vendor, kind: str) -> None:
    vendor.model.faults.add(kind, vendor.path, skip=vendor.skip, times=-1)
    _, error = pull(case)
    assert isinstance(error, SourceUnavailableError)
    assert error.page
    assert error.page[:40].decode() not in f"{error} {error!r} {error.detail}"


def test_a_refused_key_is_told_at_once_with_advice(case: Case, vendor: Vendor) -> None:
    vendor.model.faults.add("expired", times=-1)
    before = vendor.model.call_count
    found, error = pull(case)
    assert isinstance(error, AuthError)
    assert vendor.secret_option in error.advice
    assert not keys(found)
    assert vendor.model.call_count == before + vendor.calls_when_refused


def test_odd_records_are_taken_or_set_aside_each_for_itself(case: Case, vendor: Vendor) -> None:
    """Null for whatever is optional, unknown fields, 10 kB texts, all kinds of unicode, times without a zone."""
    known = everything(case)
    if vendor.spoil is None:
        pytest.skip("its vendor has tests of its own for odd records")
    count = vendor.spoil()
    found, error = pull(case)
    assert error is None
    odd = [one for page in found for one in (*page.records, *page.rejects) if one.key not in known]
    assert len(odd) == count
    assert keys(found) >= known
    for page in found:
        assert all(isinstance(json.loads(one.payload), dict) for one in page.records)
        assert not any("@" in one.message for one in page.rejects)


def test_pages_that_go_in_a_circle_are_an_error(case: Case, vendor: Vendor) -> None:
    if vendor.circle is None:
        pytest.skip("its vendor gives no page tokens")
    vendor.circle()
    found, error = pull(case)
    assert isinstance(error, SourceUnavailableError | ContractError)
    assert not any(page.is_last for page in found)
    assert vendor.model.call_count < 200


def test_a_refused_right_is_no_throttle(case: Case, vendor: Vendor) -> None:
    vendor.model.faults.add("forbidden", vendor.path, times=-1)
    _, error = pull(case)
    assert isinstance(error, AuthError)


def test_json_of_another_shape_stops_at_once_and_the_page_is_kept(case: Case, vendor: Vendor) -> None:
    def other_shape(request: Any, body: bytes) -> bytes:
        is_asked = re.search(vendor.path, urlsplit(request.url).path)
        return vendor.other_shape if is_asked else body

    vendor.line.distort = other_shape
    before = vendor.model.call_count
    found, error = pull(case)
    assert isinstance(error, ContractError)
    assert error.page == vendor.other_shape
    assert not keys(found)
    assert vendor.model.call_count <= before + 3 + vendor.calls_when_refused


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
    assert not any(word in shown for word in vendor.private)
    assert "?" not in shown
    assert "@" not in shown


def test_no_more_calls_are_under_way_than_the_vendor_bears(case: Case, vendor: Vendor) -> None:
    pull(case)
    limits = limits_of(case.connector, case.connector.Options(**case.options))
    assert 1 <= vendor.model.most_open <= limits.connections


def test_a_mix_of_faults_loses_nothing(name: str, case: Case, vendor: Vendor) -> None:
    whole = everything(case)
    for kind in kinds_of(name, ["unavailable", "throttled", "limit", "html", "cut_body", "cut_stream", "cut_after"]):
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
