"""typeform beyond the contract suite: known answers, several forms, late responses, what the walk asks for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.typeform import CONNECTOR, TypeformOptions
from syncd.connector import Delivery, HttpRequest, Page, Record, Reject, Secret
from syncd.errors import ContractError
from tests.contract.connectors.cases.typeform import FORM, OPTIONS, case
from tests.contract.connectors.kit import NOW, Case


def options(**more: Any) -> TypeformOptions:
    return TypeformOptions(**{**OPTIONS, **more})


def pages(made: Case, cursor: Any = None, **more: Any) -> list[Page]:
    return list(CONNECTOR.pull(made.session, options(**more), "responses", cursor, made.clock.now()))


def tokens(found: list[Page]) -> list[str]:
    return [one.key for page in found for one in page.records]


def test_the_known_answer_of_the_signature() -> None:
    """Reference, sources.md 7.1."""
    body = b'{"event_id":"E1","event_type":"form_response"}'
    good = {"typeform-signature": "sha256=ECBjJLUga+IwcETEmNHu0esR0mUrnweXJ+YGGjsdZP0="}
    known = options(webhook_secret=Secret("tf-secret", "test"))
    assert not CONNECTOR.verify(HttpRequest("POST", good, {}, body), known, NOW).refusal
    hexed = {"typeform-signature": "sha256=10206324b520"}
    for headers, refusal in (
        ({}, "missing_signature"),
        (hexed, "bad_signature"),
        ({"typeform-signature": "sha256=%%"}, "bad_header"),
    ):
        assert CONNECTOR.verify(HttpRequest("POST", headers, {}, body), known, NOW).refusal == refusal


def test_both_secrets_count_while_one_is_rotated() -> None:
    body = b'{"event_id":"E1","event_type":"form_response"}'
    good = {"typeform-signature": "sha256=ECBjJLUga+IwcETEmNHu0esR0mUrnweXJ+YGGjsdZP0="}
    rotating = options(webhook_secret=(Secret("new", "test"), Secret("tf-secret", "test")))
    assert not CONNECTOR.verify(HttpRequest("POST", good, {}, body), rotating, NOW).refusal
    with pytest.raises(ValidationError):
        options(webhook_secret=tuple(Secret(one, "test") for one in "abc"))


def test_without_a_secret_nothing_is_let_in() -> None:
    assert CONNECTOR.reception(options(webhook_secret=None)) is None


def test_a_page_is_asked_for_by_the_last_token_alone(tmp_path: Path) -> None:
    """Sort and since beside it are refused, or lose records (airbyte PR 40176)."""
    made = case(tmp_path)
    made.fill(20)
    pages(made)
    assert made.vendor is not None
    asked = [one.query for one in made.vendor.model.calls if one.path.endswith("/responses")]
    assert asked[0] == {"page_size": "7", "sort": "submitted_at,asc"}
    assert all(set(one) == {"page_size", "after"} for one in asked[1:])


def test_a_response_that_is_listed_late_is_found_within_the_overlap(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    made.session = type(made.session)(made.session.folder, page_size_records=7, overlap_seconds=1_800.0, http=made.session.http)
    model.submit(FORM, {"email": "first@example.com"}, at=made.clock.now() - timedelta(seconds=120))
    model.delay_seconds = 300.0
    late = model.submit(FORM, {"email": "late@example.com"}, at=made.clock.now() - timedelta(seconds=100))
    model.delay_seconds = 0.0
    model.submit(FORM, {"email": "second@example.com"}, at=made.clock.now() - timedelta(seconds=80))
    first = pages(made)
    assert late not in tokens(first)
    made.clock.advance(400)
    again = tokens(pages(made, first[-1].cursor))
    assert late in again
    assert tokens(first)[-1] not in again, "what was given of the newest second is not given again"


def test_each_form_has_a_cursor_and_one_that_is_gone_does_not_stop_the_others(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    made.fill(9)
    model.add_form("second")
    model.submit("second", {"email": "ada@example.com"}, at=made.clock.now() - timedelta(seconds=300))
    found: list[Page] = []
    with pytest.raises(ContractError, match='no form "gone"'):  # noqa: PT012 - what came before it counts
        for page in CONNECTOR.pull(made.session, options(forms=["gone", FORM, "second"]), "responses", None, made.clock.now()):
            found.append(page)  # noqa: PERF402 - what came before the error counts
    assert len(tokens(found)) == 10
    assert not any(page.is_last for page in found)
    assert set(found[-1].cursor["forms"]) == {FORM, "second"}
    assert tokens(pages(made, found[-1].cursor, forms=[FORM, "second"])) == []


def test_what_is_sent_for_a_form_that_is_not_chosen_is_left_alone(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(1)
    assert made.vendor is not None
    body = made.vendor.model.webhook_body(FORM, 0)
    assert len(CONNECTOR.parse(Delivery("forms", NOW, body), options())) == 1
    assert CONNECTOR.parse(Delivery("forms", NOW, body), options(forms=["other"])) == ()


def test_a_delivery_without_a_response_is_kept_as_it_came() -> None:
    (one,) = CONNECTOR.parse(Delivery("forms", NOW, b'{"event_type": "ping"}', sequence=7), options())
    assert isinstance(one, Reject)
    assert (one.key, one.reason, one.payload) == ("delivery-7", "no_response", b'{"event_type": "ping"}')


def test_a_time_from_the_future_is_cut_to_the_receipt() -> None:
    body = b'{"form_response": {"form_id": "a1B2c3", "token": "t", "submitted_at": "2036-01-01T00:00:00Z"}}'
    (one,) = CONNECTOR.parse(Delivery("forms", NOW, body), options())
    assert isinstance(one, Record)
    assert one.source_at == NOW
