"""google_forms beyond the contract suite: nanoseconds, edits, one filter for all pages, titles, rights."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from connectors.google_forms import CONNECTOR, GoogleFormsOptions
from syncd.connector import Page, Secret
from syncd.errors import AuthError, ContractError, RateLimitedError
from syncd.sandbox.vendors.google import GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REFRESH_TOKEN
from tests.contract.connectors.cases.google_forms import FORM, OPTIONS, case
from tests.contract.connectors.kit import Case

SECOND = "1FormSecond"


def options(**more: Any) -> GoogleFormsOptions:
    return GoogleFormsOptions(**{**OPTIONS, **more})


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    return list(CONNECTOR.pull(made.session, options(**more), "responses", cursor, made.clock.now()))


def keys(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def payloads(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


@pytest.fixture
def made(tmp_path: Path) -> Case:
    return case(tmp_path)


@pytest.fixture
def model(made: Case) -> Any:
    assert made.vendor is not None
    return made.vendor.model


def filters(model: Any) -> list[str | None]:
    return [one.query.get("filter") for one in model.calls if one.path.endswith("/responses")]


def test_the_cursor_keeps_nanoseconds_and_the_filter_is_the_same_on_every_page(made: Case, model: Any) -> None:
    begin = made.clock.now() - timedelta(seconds=5400)
    made.fill(20)
    found = pages(made)
    assert set(filters(model)) == {None}
    model.calls.clear()
    for number in range(10):
        model.submit(
            FORM, {"E-mail": f"late{number}@example.com"}, at=begin + timedelta(seconds=6), nanoseconds=123_456_790 + number
        )
    again = pages(made, found[-1].cursor)
    assert len(keys(again)) == 10
    assert set(filters(model)) == {"timestamp >= 2026-11-24T07:30:06.123456700Z"}
    assert again[-1].cursor["forms"][FORM]["at"] == "2026-11-24T07:30:06.123456799Z"


def test_pages_come_in_no_order_so_that_the_cursor_waits_for_the_end(made: Case) -> None:
    made.fill(30)
    found = pages(made)
    assert len(found) > 3
    assert all(page.cursor["forms"] == {} for page in found[:-1])
    assert found[-1].cursor["forms"][FORM]["seen"]


def test_an_edited_response_comes_again_under_its_key(made: Case, model: Any) -> None:
    made.fill(5)
    first = pages(made)
    key = keys(first)[0]
    made.clock.advance(600)
    model.edit(FORM, key, {"Name": "Changed"}, at=made.clock.now() - timedelta(seconds=100))
    again = pages(made, first[-1].cursor)
    assert keys(again) == [key]
    assert payloads(again)[0]["by_title"]["Name"] == "Changed"


def test_what_is_too_fresh_is_left_for_the_next_time(made: Case, model: Any) -> None:
    model.submit(FORM, {"E-mail": "old@example.com"}, at=made.clock.now() - timedelta(seconds=100))
    model.submit(FORM, {"E-mail": "fresh@example.com"}, at=made.clock.now() - timedelta(seconds=10))
    first = pages(made)
    assert len(keys(first)) == 1
    made.clock.advance(60)
    assert len(keys(pages(made, first[-1].cursor))) == 1


def test_a_response_that_is_listed_late_is_found_within_the_overlap(made: Case, model: Any) -> None:
    made.session = msgspec.structs.replace(made.session, overlap_seconds=300.5)
    model.delay_seconds = 200.0
    late = model.submit(FORM, {"E-mail": "late@example.com"}, at=made.clock.now() - timedelta(seconds=100), nanoseconds=1)
    model.delay_seconds = 0.0
    model.submit(FORM, {"E-mail": "early@example.com"}, at=made.clock.now() - timedelta(seconds=80), nanoseconds=7)
    first = pages(made)
    made.clock.advance(400)
    model.calls.clear()
    assert keys(pages(made, first[-1].cursor)) == [late]
    assert filters(model) == ["timestamp >= 2026-11-24T08:53:39.000000007Z"]


def test_answers_are_joined_to_titles_and_keyed_by_the_question(made: Case, model: Any) -> None:
    answers = {"E-mail": "ada@example.com", "Interests": ["Engines", "Looms"]}
    model.submit(FORM, answers, at=made.clock.now() - timedelta(seconds=100), email="ada@home.example")
    given = model.forms[FORM].responses[0].answers
    model.forms[FORM].titles.pop(next(iter(given)))
    given["0000aaaa"] = "Morning"
    (one,) = payloads(pages(made))
    first, second, *_ = given
    assert one["answers"] == {
        first: {"title": "", "value": "ada@example.com"},
        second: {"title": "Interests", "values": ["Engines", "Looms"]},
        "0000aaaa": {"title": "When? Monday", "value": "Morning"},
    }
    assert one["by_title"] == {"Interests": ["Engines", "Looms"], "When? Monday": "Morning"}
    assert one["respondentEmail"] == "ada@home.example"


def test_files_keep_their_ids_at_drive(made: Case, model: Any) -> None:
    model.submit_odd(FORM, made.clock.now() - timedelta(seconds=600))
    upload = {"fileUploadAnswers": {"answers": [{"fileId": "f1", "fileName": "cv.pdf", "mimeType": "application/pdf"}]}}
    model.forms[FORM].responses[2].more = {"answers": {"q": upload}}
    found = [one for one in payloads(pages(made)) if one["answers"].get("q", {}).get("files")]
    assert [one["answers"]["q"] for one in found] == [{"title": "", "files": [{"fileId": "f1", "fileName": "cv.pdf"}]}]


def test_a_form_without_news_costs_one_call(made: Case, model: Any) -> None:
    made.fill(5)
    cursor = pages(made)[-1].cursor
    cursor["forms"][FORM]["at"] = "2026-11-24T08:00:00.000000000Z"
    model.calls.clear()
    pages(made, cursor)
    assert [one.path for one in model.calls] == [f"/v1/forms/{FORM}/responses"]


def test_each_form_has_a_cursor_and_one_that_is_gone_does_not_stop_the_others(made: Case, model: Any) -> None:
    made.fill(9)
    model.add_form(SECOND)
    model.submit(SECOND, {"E-mail": "ada@example.com"}, at=made.clock.now() - timedelta(seconds=300))
    found: list[Page] = []
    with pytest.raises(ContractError, match='no form "1FormGone1"'):  # noqa: PT012 - what came before it counts
        typed = options(forms=["1FormGone1", FORM, SECOND])
        for page in CONNECTOR.pull(made.session, typed, "responses", None, made.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert len(keys(found)) == 10
    assert not any(page.is_last for page in found)
    assert set(found[-1].cursor["forms"]) == {FORM, SECOND}


def test_a_form_that_is_not_shared_and_a_scope_that_is_missing_are_told_apart(made: Case, model: Any) -> None:
    made.fill(1)
    model.private.add(FORM)
    with pytest.raises(AuthError, match="Share it"):
        pages(made)
    model.private.clear()
    consent = {"refresh_token": Secret(GOOGLE_REFRESH_TOKEN, "test"), "client_id": GOOGLE_CLIENT_ID}
    consent |= {"client_secret": Secret(GOOGLE_CLIENT_SECRET, "test"), "service_account": None}
    model.consented = frozenset({"https://www.googleapis.com/auth/forms.responses.readonly"})
    made.clock.advance(4_000)  # the token of the service account has ended
    with pytest.raises(AuthError, match=r"forms\.body\.readonly"):
        pages(made, **consent)


def test_the_quota_is_waited_for_over_a_minute_and_then_leaves(made: Case, model: Any) -> None:
    made.fill(1)
    model.faults.add("throttled", "/responses$", times=2)
    before = made.clock.now()
    assert len(keys(pages(made))) == 1
    assert (made.clock.now() - before).total_seconds() >= 60
    model.faults.add("throttled", "/responses$", times=-1)
    with pytest.raises(RateLimitedError) as caught:
        pages(made)
    assert caught.value.retry_after_seconds


def test_the_check_lists_the_questions(made: Case, model: Any) -> None:
    model.add_form(FORM)
    health = CONNECTOR.check(made.session, options())
    assert health.ok
    assert all(f'"{title}"' in health.findings[0] for title in ("E-mail", "Name", "When? Monday"))


def test_ids_of_forms_are_those_of_the_editor() -> None:
    for wrong in ("https://docs.google.com/forms/d/1FormSandbox/edit", "", "a/b", "1FAIpQLSdSandbox"):
        with pytest.raises(ValidationError):
            options(forms=[wrong])


def test_a_time_of_another_shape_is_no_cursor(made: Case, model: Any) -> None:
    model.submit_odd(FORM, made.clock.now() - timedelta(seconds=600))
    found = pages(made)
    cursor = found[-1].cursor["forms"][FORM]["at"]
    assert cursor.endswith("Z")
    assert len(cursor) == len("2026-11-24T08:50:02.000000000Z")
