"""zoom beyond the contract suite: known answers, tokens, statuses, reports that come late, sums of joins, uuids with slashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.zoom import CONNECTOR, ZoomOptions
from syncd.connector import Delivery, HttpRequest, Page, Secret
from syncd.errors import ContractError, RateLimitedError
from tests.contract.connectors.cases.zoom import ID, OPTIONS, case
from tests.contract.connectors.kit import NOW, Case

STAMP = 1_772_359_200
AT = datetime.fromtimestamp(STAMP, UTC)
KNOWN = ZoomOptions(**{**OPTIONS, "webhook_secret": Secret("zoom-secret-token", "test")})
BODY = b'{"event":"webinar.registration_created"}'
PROOF = "v0=1ab13dafe169755ee630ac087a3f51d485eba9fea5021311946757c420154643"


def verify(body: bytes = BODY, proof: str = PROOF, at: datetime = AT, stamp: str = str(STAMP)) -> Any:
    headers = {"x-zm-request-timestamp": stamp, "x-zm-signature": proof}
    return CONNECTOR.verify(HttpRequest("POST", headers, {}, body), KNOWN, at)


def pages(made: Case, stream: str = "registrants", cursor: Any = None, **more: Any) -> list[Page]:
    options = ZoomOptions(**{**OPTIONS, **more})
    return list(CONNECTOR.pull(made.session, options, stream, cursor, made.clock.now()))


def rows(found: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for page in found for one in page.records]


def test_the_known_answers_of_signature_and_challenge() -> None:
    """Reference, sources.md 8.1."""
    assert not verify().refusal
    assert verify(proof=PROOF[:-1] + "4").refusal == "bad_signature"
    assert verify(at=AT + timedelta(seconds=301)).refusal == "stale_timestamp"
    assert verify(stamp="²").refusal == "bad_header"
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'
    made = case(Path()).vendor
    assert made is not None
    headers = made.model.signed(body, AT, "zoom-secret-token")
    verdict = CONNECTOR.verify(HttpRequest("POST", headers, {}, body), KNOWN, AT)
    assert json.loads(verdict.answer) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": "d9e0d764a78494688ba3f2d5c0ed4ca311394b4834d959759213424d2df961e3",
    }


def test_events_of_comings_and_goings_are_thanked_for_and_not_kept(tmp_path: Path) -> None:
    made = case(tmp_path).vendor
    assert made is not None
    for word, is_kept in (("participant_joined", False), ("ended", False), ("registration_cancelled", True)):
        body = json.dumps({"event": f"webinar.{word}", "payload": {"object": {"id": ID}}}).encode()
        verdict = CONNECTOR.verify(HttpRequest("POST", made.model.signed(body, NOW), {}, body), ZoomOptions(**OPTIONS), NOW)
        assert (verdict.refusal, verdict.is_stored, verdict.status) == ("", is_kept, 200)


def test_all_three_lists_are_read_and_the_ticket_is_never_kept(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    for number, status in enumerate(("approved", "pending", "denied")):
        made.vendor.model.register(ID, f"person{number}@example.com", at=NOW - timedelta(hours=1), status=status)
    found = rows(pages(made))
    assert sorted(one["status"] for one in found) == ["approved", "denied", "pending"]
    assert "join_url" not in json.dumps(found)
    assert "tk=" not in json.dumps(found)


def test_a_status_that_changes_is_news_and_the_rest_of_other_webinars_is_not_given_again(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    model.add_webinar("123", "Other", NOW + timedelta(days=9))
    model.register("123", "other@example.com", at=NOW - timedelta(hours=1))
    who = model.register(ID, "ada@example.com", at=NOW - timedelta(hours=1), status="pending")
    first = pages(made)
    model.set_status(ID, who, "approved")
    again = rows(pages(made, cursor=json.loads(json.dumps(first[-1].cursor))))
    assert [(one["email"], one["status"]) for one in again] == [("ada@example.com", "approved")]


def test_a_token_that_ends_in_the_middle_of_a_walk_is_fetched_anew(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(40)
    assert made.vendor is not None
    model = made.vendor.model
    ended = []

    def end_once(vendor: Any, name: str) -> None:
        if name == "registrants" and not ended:
            ended.append(name)
            made.clock.advance(20)
            vendor.tokens.end_all()

    model.page_served = end_once
    assert len(rows(pages(made))) == 40
    assert model.tokens.count == 2


def test_joins_of_one_person_are_one_record_and_guests_none(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    model.add_webinar("77", "Over", NOW - timedelta(hours=4), uuid="/aB//c==")
    ada = model.register("77", "Ada@Example.com", at=NOW - timedelta(days=1), first_name="Ada", last_name="L")
    model.register("77", "absent@example.com", at=NOW - timedelta(days=1))
    model.attend("77", ada, minutes=10)
    model.attend("77", ada, minutes=20)
    model.attend("77", "", minutes=20)
    found = {one["user_email"]: one for one in rows(pages(made, "participants"))}
    assert set(found) == {"ada@example.com", "absent@example.com"}
    assert (found["ada@example.com"]["duration"], found["ada@example.com"]["joins"]) == (1_800, 2)
    assert found["ada@example.com"]["leave_time"] > found["ada@example.com"]["join_time"]
    assert found["absent@example.com"]["attended"] is False


def test_a_report_is_read_when_it_is_ready_looked_at_for_a_day_and_then_left_alone(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    model.add_webinar("77", "Over", NOW - timedelta(minutes=80), minutes=60)
    ada = model.register("77", "ada@example.com", at=NOW - timedelta(days=1))
    model.attend("77", ada, minutes=10)
    first = pages(made, "participants")
    assert rows(first) == [], "it ended 20 minutes ago: its report may be half of itself"
    made.clock.advance(3_600)
    second = pages(made, "participants", first[-1].cursor)
    assert [one["duration"] for one in rows(second)] == [600]
    model.attend("77", ada, minutes=5)
    third = pages(made, "participants", second[-1].cursor)
    assert [one["duration"] for one in rows(third)] == [900]
    made.clock.advance(2 * 86_400)
    fourth = pages(made, "participants", third[-1].cursor)
    calls = len([one for one in model.calls if "/report/" in one.path])
    pages(made, "participants", fourth[-1].cursor)
    assert len([one for one in model.calls if "/report/" in one.path]) == calls


def test_a_webinar_that_is_too_old_is_not_asked_about(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None
    made.vendor.model.add_webinar("55", "Old", NOW - timedelta(days=60))
    assert len(rows(pages(made))) == 3
    assert not any("/webinars/55/" in one.path for one in made.vendor.model.calls)
    pages(made, look_back_days=90)
    assert any("/webinars/55/" in one.path for one in made.vendor.model.calls)


def test_a_webinar_that_is_gone_stops_no_other_and_is_told(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None
    model = made.vendor.model
    model.add_webinar("66", "Gone", NOW + timedelta(days=2))

    def delete(vendor: Any, name: str) -> None:
        if name == "webinars":
            vendor.webinars.pop("66", None)

    model.page_served = delete
    found = pages(made)
    assert len(rows(found)) == 3
    assert found[-1].is_last
    assert found[-1].notice.startswith("1 webinars cannot be read")


def test_a_daily_limit_with_an_iso_date_leaves_the_source_alone_until_then(tmp_path: Path) -> None:
    made = case(tmp_path)
    made.fill(3)
    assert made.vendor is not None
    made.vendor.model.says_iso_date = True
    made.vendor.model.faults.add("throttled", "/registrants$", times=-1)
    with pytest.raises(RateLimitedError) as throttled:
        pages(made)
    assert throttled.value.retry_after_seconds == pytest.approx(7_200, abs=5)


def test_an_event_without_a_registrant_is_kept_as_it_came() -> None:
    for body in (BODY, b"[]", b'{"payload": {"object": {"id": true, "registrant": {"id": "r"}}}}'):
        (one,) = CONNECTOR.parse(Delivery("webinars", NOW, body, sequence=3), KNOWN)
        assert (one.key, getattr(one, "reason", ""), one.payload) == ("delivery-3", "no_registrant", body)


def distorted(made: Case, path: str, name: str, odd: Any) -> None:
    """From now on the first of the listed things at a path is `odd`, or has its `odd` members."""

    def distort(request: Any, body: bytes) -> bytes:
        answer = json.loads(body)
        if path in str(request.url) and answer.get(name):
            first = answer[name][0]
            answer[name][0] = {**first, **odd} if isinstance(odd, dict) else odd
        return json.dumps(answer).encode()

    assert made.vendor is not None
    made.vendor.line.distort = distort


@pytest.mark.parametrize("word", ["uuid", "topic", "start_time", "duration"])
@pytest.mark.parametrize("stream", ["registrants", "participants"])
def test_a_webinar_may_lack_whatever_is_optional(tmp_path: Path, word: str, stream: str) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    model.webinars.clear()
    model.add_webinar("77", "Over", NOW - timedelta(days=2))
    model.register("77", "ada@example.com", at=NOW - timedelta(days=3))
    distorted(made, "/users/user-1/webinars", "webinars", {word: None})
    found = rows(pages(made, stream))
    # Without a beginning nobody knows when it is over: who came is not asked for.
    assert len(found) == (0 if (stream, word) == ("participants", "start_time") else 1)
    assert all(isinstance(one["webinar"][name], str) for one in found for name in ("id", "topic", "start_time"))


@pytest.mark.parametrize(
    ("path", "name", "odd", "field"),
    [
        ("/users?", "users", {"id": 7}, "users[0].id"),
        ("/webinars?", "webinars", {"duration": "an hour"}, "webinars[0].duration"),
        ("/webinars?", "webinars", "Pumps", "webinars[0]"),
    ],
)
def test_another_shape_of_a_listed_thing_is_told_with_its_field_and_the_page_is_kept(
    tmp_path: Path, path: str, name: str, odd: Any, field: str
) -> None:
    made = case(tmp_path)
    made.fill(3)
    distorted(made, path, name, odd)
    with pytest.raises(ContractError, match=rf"{name} answered with JSON of another shape") as changed:
        pages(made)
    assert f", at {field}." in str(changed.value)
    assert name.encode() in changed.value.page


def test_an_end_beyond_the_calendar_is_no_end(tmp_path: Path) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    made.vendor.model.add_webinar("77", "For ever", NOW - timedelta(days=2), minutes=10**10)
    assert rows(pages(made, "participants")) == []


@pytest.mark.parametrize(("path", "name"), [("/participants", "participants"), ("/absentees", "registrants")])
def test_a_row_of_a_report_that_is_none_is_set_aside_alone(tmp_path: Path, path: str, name: str) -> None:
    made = case(tmp_path)
    assert made.vendor is not None
    model = made.vendor.model
    model.add_webinar("77", "Over", NOW - timedelta(hours=4))
    came = model.register("77", "ada@example.com", at=NOW - timedelta(days=1))
    model.register("77", "absent@example.com", at=NOW - timedelta(days=1))
    model.attend("77", came, minutes=10)
    distorted(made, path, name, 7)
    found = pages(made, "participants")
    (reject,) = [one for page in found for one in page.rejects]
    assert (reject.reason, reject.payload) == (f"odd_{'participant' if name == 'participants' else 'absentee'}", b"7")
    assert len(rows(found)) == 1


def test_an_event_whose_payload_is_no_object_is_refused_or_kept_and_never_raises() -> None:
    made = case(Path()).vendor
    assert made is not None
    for payload in ('"x"', "[1]", '{"object": [1]}', '{"object": {"registrant": 1}}', "null"):
        body = f'{{"event": "endpoint.url_validation", "payload": {payload}}}'.encode()
        headers = made.model.signed(body, AT, "zoom-secret-token")
        assert CONNECTOR.verify(HttpRequest("POST", headers, {}, body), KNOWN, AT).status == 200
        assert CONNECTOR.parse(Delivery("webinars", NOW, body, sequence=3), KNOWN)[0].key == "delivery-3"
