"""What every connector that is sent to must do (STYLE 1a): no forgery is let in, nothing is given away, the same comes out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from syncd.connector import Delivery, HttpRequest, PushConnector, Record, Reject, Verdict, Wanted
from tests.contract.connectors.cases import NOW, PUSH_CASES, PushCase

ODD = [
    b"",
    b"\x00",
    b"\xff\xfe\x00",
    b"{",
    b"[" * 50_000,
    b"null",
    b'"text"',
    b"[1, 2]",
    b"{}",
    b'{"email": null}',
    b"a=b&c=%",
    b'{"email": "\\ud800"}',
    b"\xef\xbb\xbf{}",
    b"x" * 100_000,
]
KINDS = [
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    ";;;=",
    "é",
]


@pytest.fixture(params=sorted(PUSH_CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> PushCase:
    """Each connector that is sent to."""
    make: Callable[[Path], PushCase] = PUSH_CASES[request.param]
    return make(tmp_path)


def verify(case: PushCase, request: HttpRequest) -> Verdict:
    return case.connector.verify(request, case.connector.Options(**case.options), NOW)


def with_headers(request: HttpRequest, **headers: str | None) -> HttpRequest:
    """The request with headers (`_` for `-`) replaced, or left out where None."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    found = {name: value for name, value in {**request.headers, **changed}.items() if value is not None}
    return HttpRequest(request.method, found, request.query, request.body, request.tail)


def delivery(case: PushCase, request: HttpRequest) -> Delivery:
    """What the intake stores of a request that was let in."""
    verdict = verify(case, request)
    return Delivery(
        "site",
        NOW,
        request.body,
        verdict.delivery_id,
        verdict.sent_at,
        request.headers.get("content-type", "").lower(),
        dict(verdict.kept),
    )


def parse(case: PushCase, stored: Delivery) -> tuple[Any, ...]:
    return case.connector.parse(stored, case.connector.Options(**case.options))


def test_it_has_the_contracts_shape(case: PushCase) -> None:
    options = case.connector.Options(**case.options)
    assert isinstance(case.connector, PushConnector)
    assert case.connector.streams(options)
    reception = case.connector.reception(options)
    assert reception is not None
    assert reception.max_bytes >= len(case.body)
    assert reception.content_types
    assert all(one == one.lower().strip() and ";" not in one for one in reception.content_types)


def test_unknown_options_are_refused_and_known_ones_are_documented(case: PushCase) -> None:
    with pytest.raises(ValidationError):
        case.connector.Options(**case.options, no_such_option=1)
    assert all(field.description for field in case.connector.Options.model_fields.values())


def test_what_the_vendor_sends_is_let_in_and_gives_its_records(case: PushCase) -> None:
    request = case.send(case.body, NOW)
    verdict = verify(case, request)
    assert not verdict.refusal
    assert 200 <= verdict.status < 300
    found = parse(case, delivery(case, request))
    assert [type(one) for one in found] == [case.kind] * case.count
    assert len({one.key for one in found}) == case.count


def test_records_say_when_and_where_and_are_json_objects(case: PushCase) -> None:
    for record in parse(case, delivery(case, case.send(case.body, NOW))):
        assert isinstance(json.loads(record.payload), dict)
        at = record.at if isinstance(record, Wanted) else record.source_at
        assert at is None or (at.tzinfo is not None and at <= NOW)
        assert "@" not in record.locator


def test_the_same_delivery_gives_the_same_records_also_from_another_attempt(case: PushCase) -> None:
    first = parse(case, delivery(case, case.send(case.body, NOW)))
    again = parse(case, delivery(case, case.send(case.body, NOW)))
    later = parse(case, delivery(case, case.send(case.body, NOW - timedelta(seconds=60))))
    assert first == again
    assert [one.key for one in first] == [one.key for one in later]


def test_a_verdict_survives_the_journal(case: PushCase) -> None:
    """What is kept is text, and no secret."""
    stored = delivery(case, case.send(case.body, NOW))
    kept = msgspec.json.decode(msgspec.json.encode(stored.kept), type=dict[str, str])
    assert parse(case, msgspec.structs.replace(stored, kept=kept, sequence=17)) == parse(case, stored)
    assert not any(secret in str(kept) for secret in case.secrets)


def test_a_request_without_any_of_its_signed_headers_is_refused(case: PushCase) -> None:
    request = case.send(case.body, NOW)
    for name in case.signed:
        verdict = verify(case, with_headers(request, **{name.replace("-", "_"): None}))
        assert verdict.refusal
        assert 400 <= verdict.status < 500


def test_another_body_under_the_same_signature_is_refused(case: PushCase) -> None:
    request = case.send(case.body, NOW)
    other = case.body.replace(b"ada", b"eve") if b"ada" in case.body else case.body.swapcase()  # a thin one names nobody
    for body in (case.body + b" ", case.body[:-1], b"", other):
        if not case.is_bound:
            continue
        assert verify(case, HttpRequest(request.method, request.headers, request.query, body)).refusal


def test_headers_of_one_request_do_not_carry_another(case: PushCase) -> None:
    one, other = case.send(case.body, NOW), case.send(b'{"email": "eve@example.com"}', NOW - timedelta(seconds=7))
    for name in case.signed:
        if one.headers[name] != other.headers[name]:
            assert verify(case, with_headers(one, **{name.replace("-", "_"): other.headers[name]})).refusal


@pytest.mark.parametrize("away", [timedelta(days=-1), timedelta(days=1), timedelta(days=-3650)])
def test_a_replay_from_another_day_is_refused(case: PushCase, away: timedelta) -> None:
    assert bool(verify(case, case.send(case.body, NOW + away)).refusal) is case.is_dated


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:20]))
@pytest.mark.parametrize("kind", KINDS)
def test_odd_bodies_are_refused_or_stored_and_never_raise(case: PushCase, body: bytes, kind: str) -> None:
    """Rightly signed nonsense becomes a reject that keeps it; a reject's sentence quotes nothing."""
    request = with_headers(case.send(body, NOW), content_type=kind)
    assert isinstance(verify(case, request), Verdict)
    stored = delivery(case, request)
    found = parse(case, stored)
    assert found == parse(case, stored)
    for one in found:
        assert isinstance(one, Record | Reject | Wanted)
        if not isinstance(one, Reject):
            assert isinstance(json.loads(one.payload), dict)
        else:
            assert one.payload in body or json.loads(one.payload) is not None
            assert one.reason.replace("_", "").isalpha()
            assert "@" not in one.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.text(max_size=20), st.text(st.characters(max_codepoint=255), max_size=60), max_size=6),
    st.binary(max_size=99),
)
def test_no_headers_and_no_body_make_it_raise_or_pass(case: PushCase, headers: dict[str, str], body: bytes) -> None:
    assert verify(case, HttpRequest("POST", headers, {}, body)).refusal
    assert verify(case, HttpRequest("POST", {**dict.fromkeys(case.signed, "1"), **headers}, headers, body)).refusal


def test_a_challenge_is_answered_and_nothing_is_stored(case: PushCase) -> None:
    for request, answer in case.handshakes:
        verdict = verify(case, request)
        assert not verdict.refusal
        assert not verdict.is_stored
        assert verdict.answer == answer
        assert request.method in case.connector.reception(case.connector.Options(**case.options)).methods  # type: ignore[union-attr]


def test_what_is_let_in_by_its_address_or_its_body_is_not_without(case: PushCase) -> None:
    request = case.send(case.body, NOW)
    if case.signed:
        return
    bare = HttpRequest(request.method, request.headers, {}, b"{}", "")
    wrong = HttpRequest(request.method, request.headers, {}, b"{}", "wrong")
    for one in (bare, wrong):
        verdict = verify(case, one)
        assert verdict.refusal
        assert verdict.status in (401, 404)


def test_a_refusal_is_a_constant_word(case: PushCase) -> None:
    """It becomes a label of a metric and a key of the log."""
    request = with_headers(case.send(case.body, NOW), **{name.replace("-", "_"): "x ada@example.com" for name in case.signed})
    verdict = verify(case, HttpRequest("POST", request.headers, {}, b"{}", "x") if not case.signed else request)
    assert verdict.refusal.replace("_", "").isalpha()
    assert verdict.refusal == verdict.refusal.lower()


def test_nothing_gives_a_secret_away(case: PushCase) -> None:
    options = case.connector.Options(**case.options)
    request = case.send(case.body, NOW)
    health = case.connector.check(case.session, options)
    refused = verify(case, HttpRequest("POST", {}, {}, b""))
    shown = f"{options} {options!r} {options.model_dump_json(fallback=str)} {health} {refused} {verify(case, request)}"
    shown += f" {parse(case, delivery(case, request))}"
    assert health.findings
    for secret in case.secrets:
        assert secret not in shown
