"""The webhook connector: who is let in, where a browser is sent, and what becomes of a body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.webhook import CONNECTOR, WebhookOptions
from connectors.webhook.event_types import TYPES, problem_of
from connectors.webhook.origins import origin_of, redirect_to
from syncd.connector import Delivery, HttpRequest, Record, Reject, Secret, Verdict

# Known answer of reference/sources.md 9.1.
SECRET = "whsec_c3luY2Qtc3RhbmRhcmQtd2ViaG9vay1rZXk="
BODY = b'{"type":"lead.created","timestamp":"2026-03-01T10:00:00Z","data":{"email":"ada@example.com"}}'
SIGNATURE = "v1,TfMF6Ny0CI6/RhAq9BL6RlAHLnnidPF2cgkzxA8DsAk="
STAMP = 1_772_359_200
AT = datetime.fromtimestamp(STAMP, UTC)
FORM = "application/x-www-form-urlencoded"


def options(secret: str | tuple[str, ...] | None = SECRET, **more: Any) -> WebhookOptions:
    given = secret if secret is None or isinstance(secret, str) else tuple(Secret(one, "test") for one in secret)
    return WebhookOptions(secret=Secret(given, "test") if isinstance(given, str) else given, **more)


def sign(key: bytes, message_id: str = "msg_1", stamp: str = str(STAMP), body: bytes = BODY) -> str:
    """By stdlib alone."""
    signed = f"{message_id}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verify(given: WebhookOptions, body: bytes = BODY, at: datetime = AT, **headers: str) -> Verdict:
    """Headers by name, `_` for `-`; the known answer where none is given."""
    known = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(STAMP),
        "webhook-signature": SIGNATURE,
        "content-type": "application/json",
    }
    found = {**known, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return CONNECTOR.verify(HttpRequest("POST", {k: v for k, v in found.items() if v != "-"}, {}, body), given, at)


def post(given: WebhookOptions, body: bytes = b"email=ada%40example.com", kind: str = FORM, **headers: str) -> Verdict:
    """An unsigned request."""
    found = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return CONNECTOR.verify(HttpRequest("POST", found, {}, body), given, AT)


def parse(body: bytes, kind: str = "application/json", given: WebhookOptions | None = None, **more: Any) -> list[Any]:
    """Of a signed delivery, unless `delivery_id` is ""."""
    made = {"delivery_id": "msg_1", "sent_at": AT, **more}
    delivery = Delivery("site", made.pop("received_at", AT), body, content_type=kind.lower(), **made)
    return list(CONNECTOR.parse(delivery, given or options(forms={})))


def parse_form(body: bytes, kind: str = FORM, given: WebhookOptions | None = None, **more: Any) -> list[Any]:
    """Of an unsigned one, as `verify` kept it."""
    kept = dict(post(given or options(forms={}), body, kind).kept)
    return parse(body, kind, given, delivery_id="", sent_at=None, kept=kept, **more)


# ---------------------------------------------------------------- signatures


def test_the_known_answer_is_let_in() -> None:
    found = verify(options())
    assert (found.refusal, found.status, found.delivery_id, found.sent_at) == ("", 202, "msg_1", AT)


def test_a_secret_without_prefix_counts_as_its_bytes() -> None:
    assert verify(options("plain text, ünïcode"), webhook_signature=sign("plain text, ünïcode".encode())).refusal == ""
    assert verify(options("c3luY2Q="), webhook_signature=sign(b"syncd")).refusal == "bad_signature", "no base64 without whsec_"


@pytest.mark.parametrize("key", [b"old-key", b"new-key"])
@pytest.mark.parametrize("order", [("old-key", "new-key"), ("new-key", "old-key")])
def test_either_of_two_secrets_counts_while_one_is_rotated(key: bytes, order: tuple[str, ...]) -> None:
    assert verify(options(order), webhook_signature=sign(key)).refusal == ""
    assert verify(options(order), webhook_signature=sign(b"third-key")).refusal == "bad_signature"


@pytest.mark.parametrize(
    "signature",
    [
        f"v1a,AAAA {SIGNATURE}",
        f"{SIGNATURE} v2,whatever",
        f"nonsense {SIGNATURE}",
        f"v1 {SIGNATURE}",
        f"v1,!!! {SIGNATURE}",
        f", {SIGNATURE}",
        f"  {SIGNATURE}  ",
        f"v1,{'x' * 500} {SIGNATURE}",
    ],
)
def test_other_versions_and_malformed_items_are_passed_over(signature: str) -> None:
    assert verify(options(), webhook_signature=signature).refusal == ""


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"webhook_signature": "-"}, "missing_signature"),
        ({"webhook_signature": ""}, "missing_signature"),
        ({"webhook_signature": "  "}, "missing_signature"),
        ({"webhook_signature": "v1,"}, "bad_signature"),
        ({"webhook_signature": "v1a," + SIGNATURE[3:]}, "bad_signature"),
        ({"webhook_signature": SIGNATURE[3:]}, "bad_signature"),
        ({"webhook_signature": SIGNATURE.replace("=", "")}, "bad_signature"),
        ({"webhook_signature": SIGNATURE[:-2] + "l="}, "bad_signature"),  # the same bytes in another spelling of base64
        ({"webhook_signature": "v1,\xe9\xff"}, "bad_signature"),
        ({"webhook_id": "-"}, "bad_header"),
        ({"webhook_id": ""}, "bad_header"),
        ({"webhook_id": "msg.1"}, "bad_header"),
        ({"webhook_id": "msg 1"}, "bad_header"),
        ({"webhook_id": "m\xe9"}, "bad_header"),
        ({"webhook_id": "m" * 201}, "bad_header"),
        ({"webhook_id": "msg_2"}, "bad_signature"),
        ({"webhook_timestamp": "-"}, "bad_header"),
        ({"webhook_timestamp": ""}, "bad_header"),
        ({"webhook_timestamp": "1e9"}, "bad_header"),
        ({"webhook_timestamp": " 1772359200"}, "bad_header"),
        ({"webhook_timestamp": "1772359200\n"}, "bad_header"),
        ({"webhook_timestamp": "-1772359200"}, "bad_header"),
        ({"webhook_timestamp": "+1772359200"}, "bad_header"),
        ({"webhook_timestamp": "1772359200.0"}, "bad_header"),
        ({"webhook_timestamp": "1_772_359_200"}, "bad_header"),
        ({"webhook_timestamp": "١٧٧٢٣٥٩٢٠٠"}, "bad_header"),
        ({"webhook_timestamp": "9" * 13}, "bad_header"),
        ({"webhook_timestamp": "999999999999"}, "bad_signature"),
        ({"webhook_timestamp": "1772359201"}, "bad_signature"),
    ],
)
def test_what_is_not_signed_rightly_is_refused_with_a_constant_word(headers: dict[str, str], word: str) -> None:
    found = verify(options(), **headers)
    assert (found.refusal, found.status, found.delivery_id) == (word, 401, "")


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(-301, "stale_timestamp"), (-300, ""), (0, ""), (300, ""), (301, "stale_timestamp"), (10**9, "stale_timestamp")],
)
def test_the_time_may_be_off_by_the_tolerance_either_way(seconds: int, word: str) -> None:
    assert verify(options(), at=AT + timedelta(seconds=seconds)).refusal == word


def test_a_time_that_no_calendar_holds_is_stale_when_it_is_signed() -> None:
    stamp = "999999999999"
    found = verify(options("k"), webhook_timestamp=stamp, webhook_signature=sign(b"k", stamp=stamp))
    assert found.refusal == "stale_timestamp"


def test_a_wrong_clock_is_told_to_those_who_can_sign_only() -> None:
    late = AT + timedelta(days=1)
    assert verify(options(), at=late).refusal == "stale_timestamp"
    assert verify(options(), at=late, webhook_signature="v1,AAAA").refusal == "bad_signature"


def test_every_key_is_compared_with_every_signature_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No early exit: the time tells neither which key it was nor which signature."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watched(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr("syncd.standard_webhooks.hmac.compare_digest", watched)
    given = options(("a-key", "b-key"))
    for key in (b"a-key", b"b-key", b"neither"):
        compared.clear()
        verify(given, webhook_signature=f"{sign(key)} {sign(b'other')}")
        assert len(compared) == 4
        assert all(isinstance(one, bytes) and isinstance(other, bytes) for one, other in compared)


def test_an_empty_body_can_be_signed() -> None:
    assert verify(options("k"), b"", webhook_signature=sign(b"k", body=b"")).refusal == ""


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_of_the_body_never_passes(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place % len(body)] ^= change
    assert verify(options(), bytes(body)).refusal == "bad_signature"


@given(st.integers(0, 10_000), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_character_of_the_signature_never_passes(place: int, character: str) -> None:
    index = 3 + place % (len(SIGNATURE) - 3)
    changed = SIGNATURE[:index] + character + SIGNATURE[index + 1 :]
    assert (verify(options(), webhook_signature=changed).refusal == "") == (changed == SIGNATURE)


@given(
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "origin", "sec-fetch-mode", "accept"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=60),
    ),
    st.binary(max_size=200),
    st.sampled_from(["application/json", FORM, "multipart/form-data; boundary=x", "multipart/form-data", ""]),
)
def test_no_request_makes_it_raise_and_only_a_signed_one_has_an_id(headers: dict[str, str], body: bytes, kind: str) -> None:
    for chosen in (
        options(),
        options(None, forms={}),
        options(forms={"origins": ["https://a.test"], "redirect": "https://a.test/"}),
    ):
        for request in (headers, {**headers, "content-type": kind}):
            found = CONNECTOR.verify(HttpRequest("POST", request, {}, body), chosen, AT)
            assert found.delivery_id == ""
            assert found.redirect in ("", "https://a.test/") or origin_of(found.redirect) == "https://a.test"
            assert (found.status >= 400) == bool(found.refusal)


# ---------------------------------------------------------------- forms


def test_unsigned_posts_are_refused_unless_forms_are_allowed() -> None:
    assert post(options()).refusal == "missing_signature"
    assert post(options(forms={})).refusal == ""
    assert post(options(None, forms={})).refusal == ""


def test_whoever_brings_a_signature_must_have_made_it() -> None:
    assert post(options(forms={}), webhook_signature="v1,AAAA", webhook_id="a", webhook_timestamp="1").refusal == "bad_signature"
    assert post(options(forms={}), webhook_signature="").refusal == "missing_signature"


@pytest.mark.parametrize(
    ("kind", "origin", "origins", "word", "status"),
    [
        (FORM, "", [], "", 202),
        (FORM, "https://any.test", [], "", 202),
        (FORM, "", ["https://a.test"], "", 202),
        (FORM, "null", ["https://a.test"], "", 202),
        (FORM, "https://a.test", ["https://a.test"], "", 202),
        (FORM, "https://b.test", ["https://a.test"], "bad_origin", 403),
        (FORM, "https://a.test.b.test", ["https://a.test"], "bad_origin", 403),
        ("multipart/form-data; boundary=x", "https://a.test", ["https://a.test"], "", 202),
        ("application/json", "", ["https://a.test"], "missing_signature", 401),
        ("application/json", "null", ["https://a.test"], "missing_signature", 401),
        ("application/json", "https://b.test", ["https://a.test"], "missing_signature", 401),
        ("application/json", "https://a.test", [], "missing_signature", 401),
        ("application/json", "https://a.test", ["https://a.test"], "", 202),
        ("application/json; charset=utf-8", "https://A.test:443", ["https://a.test"], "", 202),
    ],
)
def test_who_may_post_without_a_signature(kind: str, origin: str, origins: list[str], word: str, status: int) -> None:
    headers = {"origin": origin} if origin else {}
    found = post(options(forms={"origins": origins}), kind=kind, **headers)
    assert (found.refusal, found.status) == (word, status)


EVIL = [
    "//evil.com",
    "///evil.com",
    "/\\evil.com",
    "\\\\evil.com",
    "https:evil.com",
    "https:/evil.com",
    "https:\\\\evil.com",
    "https://evil.com",
    "https://acme.com.evil.com",
    "https://acme.com@evil.com",
    "https://acme.com:443@evil.com",
    "https://acme.com\\@evil.com",
    "https://acme.com\\.evil.com",
    "https://evil.com/https://acme.com",
    "https://evil.com#https://acme.com",
    "https://evil.com?https://acme.com/",
    "https://acme.com%2eevil.com",
    "https://acme.com:8443/",
    "https://acme.com:0/",
    "https://acme.com:99999/",
    "http://acme.com/",
    "https://acme.com/ok\r\nSet-Cookie: a=b",
    "https://acme.com/\tok",
    " https://acme.com/",
    "https://acme.com/ok ",
    "https://acme.com/ünï",
    "https://аcme.com/",  # a Cyrillic letter
    "https://[::1]/",
    "https://.acme.com/",
    "javascript:alert(1)//https://acme.com",
    "data:text/html,https://acme.com",
    "https://acme.com/" + "x" * 3_000,
    "acme.com",
    "/thanks",
    "",
]


@pytest.mark.parametrize("wanted", EVIL)
def test_no_return_address_makes_an_open_redirect(wanted: str) -> None:
    """What is not surely on an allowed origin is not followed; the configured page counts."""
    from urllib.parse import quote

    body = f"email=a%40b.test&retURL={quote(wanted)}".encode()
    assert post(options(forms={"origins": ["https://acme.com"]}), body).redirect == ""
    assert post(options(forms={"redirect": "https://acme.com/done"}), body).redirect == "https://acme.com/done"


@pytest.mark.parametrize(
    "wanted",
    ["https://acme.com", "https://acme.com/", "https://ACME.com/a?b=c&d=e#f", "https://acme.com:443/x", "https://acme.com?x=1"],
)
def test_a_return_address_on_an_allowed_origin_is_followed(wanted: str) -> None:
    assert redirect_to(wanted, "", ("https://acme.com",)) == wanted
    assert redirect_to(wanted, "https://acme.com/done", ()) == wanted


def test_the_return_address_of_a_multipart_form_counts_and_several_do_not() -> None:
    given = options(forms={"origins": ["https://acme.com"]})
    part = '--B\r\nContent-Disposition: form-data; name="retURL"\r\n\r\nhttps://acme.com/ok\r\n'
    assert post(given, f"{part}--B--\r\n".encode(), "multipart/form-data; boundary=B").redirect == "https://acme.com/ok"
    assert post(given, f"{part}{part}--B--\r\n".encode(), "multipart/form-data; boundary=B").redirect == ""
    assert post(given, part.encode(), "multipart/form-data; boundary=B").redirect == "", "it broke off"


def test_a_script_is_not_redirected() -> None:
    given = options(forms={"redirect": "https://acme.com/done"})
    assert post(given, sec_fetch_mode="navigate").redirect == "https://acme.com/done"
    assert post(given, sec_fetch_mode="cors").redirect == ""


# ---------------------------------------------------------------- records of JSON


def test_an_object_is_one_record_as_it_came() -> None:
    (record,) = parse(BODY)
    assert record == Record("msg_1", BODY, AT, 0, "message msg_1")


def test_a_list_is_one_record_each() -> None:
    found = parse(b'[{"a": 1}, {"a": 2}, 3, null, {"a" :4}]')
    assert [one.key for one in found] == ["msg_1#1", "msg_1#2", "msg_1#3", "msg_1#4", "msg_1#5"]
    assert [one.payload for one in found] == [b'{"a": 1}', b'{"a": 2}', b"3", b"null", b'{"a" :4}']
    assert [type(one) for one in found] == [Record, Record, Reject, Reject, Record]
    assert [one.position for one in found if isinstance(one, Record)] == [1, 2, 5]
    assert found[2].reason == "not_an_object"


def test_an_empty_list_brings_nothing() -> None:
    assert parse(b"[]") == []


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", "empty_body"),
        (b"  \n", "application/json", "empty_body"),
        (b"{", "application/json", "bad_json"),
        (b'{"a":1}}', "application/json", "bad_json"),
        (b"{'a':1}", "application/json", "bad_json"),
        (b'{"a":NaN}', "application/json", "bad_json"),
        (b'{"a":1e999}', "application/json", "bad_json"),
        (b'{"a":"\\ud800"}', "application/json", "bad_json"),
        (b'{"a":' + b"1" * 5_000 + b"}", "application/json", "bad_json"),
        (b"email=a", "application/json", "bad_json"),
        (b'"text"', "application/json", "not_an_object"),
        (b"17", "application/json", "not_an_object"),
        (b"null", "application/json", "not_an_object"),
        (b'{"a":"\xff"}', "application/json", "wrong_charset"),
        (b'{"a":"\xc3\xa9"}', "application/json; charset=us-ascii", "wrong_charset"),
        (b'{"a":1}', "application/json; charset=utf-16", "unknown_charset"),
        (b'{"a":1}', 'application/json; charset="koi8-r"', "unknown_charset"),
        (b'{"a":"x\\u0000y"}', "application/json", "nul"),
        (b'{"x\\u0000y":1}', "application/json", "nul"),
        (b'{"a":{"b":["x\\u0000"]}}', "application/json", "nul"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "application/json", "too_deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "application/json", "too_deep"),
        (b"[" * 100_000, "application/json", "too_deep"),
        (b"[" + b"{}," * 1_000 + b"{}]", "application/json", "too_many_records"),
    ],
)
def test_a_body_that_cannot_be_read_is_kept_with_a_word(body: bytes, kind: str, reason: str) -> None:
    (reject,) = parse(body, kind)
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.payload, reject.key) == (reason, body, "msg_1")
    assert reject.message.endswith(".")


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'\xef\xbb\xbf{"a":"\xc3\xa9"}', "application/json", "é"),
        (b'{"a":"\xe9"}', "application/json; charset=iso-8859-1", "é"),
        (b'{"a":"\x80"}', "application/json; charset=Windows-1252", "€"),
        (b'{"a":"\\\\u0000"}', "application/json", "\\u0000"),
        (b'{"a":"e"}', "application/json; charset=US-ASCII", "e"),
    ],
)
def test_what_can_be_read_becomes_utf_8(body: bytes, kind: str, text: str) -> None:
    (record,) = parse(body, kind)
    assert json.loads(record.payload) == {"a": text}


def test_64_levels_are_let_in() -> None:
    body = b'{"a":' * 63 + b"1" + b"}" * 63
    assert isinstance(parse(body)[0], Record)


def test_the_configured_key_names_the_record() -> None:
    given = options(key="data.id")
    assert parse(b'{"data": {"id": "c-17"}}', given=given)[0].key == "c-17"
    assert parse(b'{"data": {"id": 17}}', given=given)[0].key == "17"
    assert parse(b'{"data.id": "flat"}', given=given)[0].key == "flat"
    assert parse(b'{"items": [{"id": "x"}]}', given=options(key="items.0.id"))[0].key == "x"
    assert [one.key for one in parse(b'[{"id": "a"}, {"id": "b"}]', given=options(key="id"))] == ["a", "b"]


@pytest.mark.parametrize("value", ["null", "true", "1.5", '""', '"  "', "[]", "{}", '"' + "x" * 201 + '"'])
def test_a_record_without_a_usable_key_is_set_aside(value: str) -> None:
    (reject,) = parse(f'{{"id": {value}}}'.encode(), given=options(key="id"))
    assert (reject.reason, reject.key) == ("no_key", "msg_1")
    assert parse(b"{}", given=options(key="id"))[0].reason == "no_key"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"2026-03-01T09:00:00Z"', AT - timedelta(hours=1)),
        ('"2026-03-01T10:30:00+01:00"', AT - timedelta(minutes=30)),
        ("1772355600", AT - timedelta(hours=1)),
        ('"2026-03-01T09:00:00"', AT),  # no offset: it could be any hour
        ('"yesterday"', AT),
        ("1e300", AT),
        ("true", AT),
        ("null", AT),
        ('"2030-01-01T00:00:00Z"', AT),  # from the future it would stay the newest for ever
    ],
)
def test_the_configured_instant_counts_where_it_is_one(value: str, expected: datetime) -> None:
    (record,) = parse(f'{{"at": {value}}}'.encode(), given=options(at="at"))
    assert record.source_at == expected
    assert record.source_at.tzinfo is not None


def test_the_signed_time_counts_without_one_and_the_arrival_when_it_is_later() -> None:
    assert parse(b"{}", sent_at=AT - timedelta(seconds=9))[0].source_at == AT - timedelta(seconds=9)
    assert parse(b"{}", sent_at=AT + timedelta(seconds=9))[0].source_at == AT


def test_an_id_that_could_be_an_address_is_in_no_locator() -> None:
    (record,) = parse(b"{}", delivery_id="ada@example_com")
    assert (record.key, record.locator) == ("ada@example_com", "message")


# ---------------------------------------------------------------- records of forms


def test_a_form_becomes_an_object() -> None:
    (record,) = parse_form(b"email=ada%40example.com&name=Ada+L&topic=a&topic=b&empty=&_charset_=utf-8&&alone")
    assert json.loads(record.payload) == {
        "email": "ada@example.com",
        "name": "Ada L",
        "topic": ["a", "b"],
        "empty": "",
        "alone": "",
    }
    assert (record.source_at, record.locator) == (AT, "form")


def test_a_signed_form_is_named_by_its_message() -> None:
    (record,) = parse(b"email=ada%40example.com", FORM)
    assert (record.key, record.locator) == ("msg_1", "message msg_1")


def test_a_double_click_is_one_record_and_the_next_day_is_news() -> None:
    body = b"email=ada%40example.com&name=Ada"
    keys = [
        parse_form(body, received_at=AT)[0].key,
        parse_form(body, received_at=AT + timedelta(minutes=59))[0].key,
        parse_form(b"name=Ada&email=ada%40example.com", received_at=AT)[0].key,
        parse_form(body, received_at=AT + timedelta(days=1))[0].key,
        parse_form(b"email=ada%40example.com&name=Bob", received_at=AT)[0].key,
    ]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3
    assert all(len(key) == 32 for key in keys)


def test_an_unsigned_form_names_neither_its_key_nor_its_time() -> None:
    given = options(key="id", at="at", forms={})
    (record,) = parse_form(b"id=c-17&at=2020-01-01T00:00:00Z", given=given)
    assert len(record.key) == 32
    assert record.source_at == AT


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"a=%C3%A9", FORM, "é"),
        (b"a=\xc3\xa9", FORM, "é"),
        (b"a=%E9", f"{FORM}; charset=ISO-8859-1", "é"),
        (b"a=%80", f'{FORM};charset="windows-1252"', "€"),
        (b"a=%C3%A9&_charset_=iso-8859-1", FORM, "é"),
    ],
)
def test_the_character_set_of_the_header_counts(body: bytes, kind: str, text: str) -> None:
    assert json.loads(parse_form(body, kind)[0].payload)["a"] == text


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", FORM, "empty_form"),
        (b"&&", FORM, "empty_form"),
        (b"_charset_=utf-8", FORM, "empty_form"),
        (b"a=%E9", FORM, "wrong_charset"),
        (b"a=%C3%A9", f"{FORM}; charset=us-ascii", "wrong_charset"),
        (b"a=b", f"{FORM}; charset=utf-7", "unknown_charset"),
        (b"a=b", f"{FORM}; charset=shift_jis", "unknown_charset"),
        (b"a=x%00y", FORM, "nul"),
        (b"x%00y=a", FORM, "nul"),
        (b"a=b&" * 1_001, FORM, "too_many_fields"),
        (b"a=b", "multipart/form-data", "bad_form"),
        (b"a=b", "multipart/form-data; boundary=B", "bad_form"),
        (b"", "multipart/form-data; boundary=B", "bad_form"),
        (b"--B\r\n\r\nx\r\n--B--\r\n", "multipart/form-data; boundary=B", "bad_form"),
        (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx', "multipart/form-data; boundary=B", "bad_form"),
        (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\n', "multipart/form-data; boundary=B", "bad_form"),
        (
            b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 1_001 + b"--B--\r\n",
            "multipart/form-data; boundary=B",
            "too_many_fields",
        ),
        (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\0\r\n--B--\r\n', "multipart/form-data; boundary=B", "nul"),
        (
            b'--B\r\nContent-Disposition: form-data; name="a"\r\n' + b"X: y\r\n" * 50 + b"\r\nx\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
            "bad_form",
        ),
    ],
)
def test_a_form_that_cannot_be_read_is_kept_with_a_word(body: bytes, kind: str, reason: str) -> None:
    (reject,) = parse_form(body, kind)
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.payload) == (reason, body)


def test_files_are_left_out_and_counted() -> None:
    """The boundary minds capitals, and a chosen file is no field."""
    body = (
        b'--BoundarY\r\nContent-Disposition: form-data; name="email"\r\n\r\nada@example.com\r\n'
        b'--BoundarY\r\nContent-Disposition: form-data; name="town"\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nK\xf6ln\r\n'
        b'--BoundarY\r\nContent-Disposition: form-data; name="cv"; filename="cv.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF\0\r\n'
        b'--BoundarY\r\nContent-Disposition: form-data; name="none"; filename=""\r\n\r\n\r\n'
        b"--BoundarY--\r\n"
    )
    (record,) = parse_form(body, "multipart/form-data; boundary=BoundarY")
    assert json.loads(record.payload) == {"email": "ada@example.com", "town": "Köln"}
    assert record.locator == "form (1 files left out)"


def test_a_filled_honeypot_is_set_aside_as_json() -> None:
    given = options(forms={"honeypot": "website_2"})
    (reject,) = parse_form(b"email=bot%40example.com&website_2=http%3A%2F%2Fspam.test", given=given)
    assert (reject.reason, json.loads(reject.payload)["email"]) == ("honeypot", "bot@example.com")
    assert isinstance(parse_form(b"email=ada%40example.com&website_2=", given=given)[0], Record)
    assert isinstance(parse_form(b"email=ada%40example.com", given=given)[0], Record)
    assert isinstance(parse(b'{"website_2": "x"}', given=given)[0], Record), "whoever can sign is no robot"


@given(
    st.binary(max_size=300),
    st.one_of(
        st.sampled_from(
            ["application/json", FORM, "multipart/form-data; boundary=B", "multipart/form-data; boundary=", "", "text/plain"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=40),
    ),
    st.booleans(),
)
def test_no_body_makes_it_raise_and_twice_is_the_same(body: bytes, kind: str, is_signed: bool) -> None:
    given = options(key="id", at="at", forms={"honeypot": "h"})
    delivery = Delivery("site", AT, body, "msg_1" if is_signed else "", AT, kind.lower(), {"content-type": kind})
    first = CONNECTOR.parse(delivery, given)
    assert first == CONNECTOR.parse(delivery, given)
    assert all(isinstance(json.loads(one.payload), dict) for one in first if isinstance(one, Record))


# ---------------------------------------------------------------- check


def test_a_check_says_what_is_ready_and_what_the_sender_must_be_told() -> None:
    said = " ".join(CONNECTOR.check(None, options(("a-secret", "b-secret"), forms={"origins": ["https://a.test"]})).findings)  # type: ignore[arg-type]
    for words in (
        "Standard Webhooks",
        "300 s",
        "Take the old one out",
        "https://a.test",
        "no honeypot",
        "200 requests per second",
    ):
        assert words in said
    assert "a-secret" not in said


# ---------------------------------------------------------------- ready event types

DATA: dict[str, dict[str, Any]] = {
    "lead.created": {"email": "ada@example.com"},
    "lead.updated": {"phone": "+4930901820"},
    "form.submitted": {"email": "ada@example.com", "unknown": [1]},
    "lead_magnet.downloaded": {"email": "ada@example.com", "asset_id": "guide-7"},
    "referral.created": {"referee": {"email": "bob@example.com"}, "referrer": {"code": "R7"}},
    "web.interaction": {"email": "ada@example.com", "event": "pricing_viewed"},
    "social.interaction": {"email": "ada@example.com", "kind": "comment"},
    "consent.granted": {"email": "ada@example.com", "purpose": "newsletter", "evidence": {"text": "Yes"}},
    "consent.revoked": {"email": "ada@example.com"},
}


def test_each_ready_type_is_taken_with_what_it_needs_and_refused_without() -> None:
    assert set(DATA) == set(TYPES)
    for name, data in DATA.items():
        assert problem_of(json.dumps({"type": name, "data": data}).encode()) == ""
        for key in data:
            less = {one: value for one, value in data.items() if one != key}
            wanted = "" if key == "unknown" else "incomplete_event"
            assert problem_of(json.dumps({"type": name, "data": less}).encode()) == wanted, (name, key)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"type": "lead.exploded", "data": {"email": "a@example.com"}}', "unknown_event"),
        (b'{"type": "lead.created", "data": {"email": ""}}', "incomplete_event"),
        (b'{"type": "lead.created", "data": []}', "not_an_event"),
        (b'{"type": ["lead.created"], "data": {}}', "not_an_event"),
        (b"[]", "not_an_event"),
        (b"{", "not_an_event"),
        (b"[" * 50_000, "not_an_event"),
    ],
)
def test_what_is_no_ready_event_is_refused_with_a_word(body: bytes, refusal: str) -> None:
    """Only when it is rightly signed: a forger learns nothing."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    good = sign(key, body=body)
    verdict = verify(options(events="standard"), body, webhook_signature=good)
    assert (verdict.refusal, verdict.status) == (refusal, 422)
    assert verify(options(events="standard"), body, webhook_signature="v1,AAAA").refusal == "bad_signature"
    assert not verify(options(), body, webhook_signature=good).refusal
