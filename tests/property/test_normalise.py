"""Normalising twice is normalising once, and nothing that a source can send makes a transform or a mapping fail."""

from __future__ import annotations

from typing import Any

import msgspec
import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.mapping import load_mapping
from syncd.normalise import TRANSFORMS, Args, Bad
from syncd.normalise.contact import _plain_number, phone_of
from syncd.normalise.keys import email_key, names_agree, phone_key

ARGS = Args(region="DE", formats=("iso", "%d.%m.%Y", "%d.%m.%Y %H:%M"), zone="Europe/Berlin", separator=" ", length=20)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"[+(]?[0-9 ()/.-]{5,18}", fullmatch=True),
    st.from_regex(r"[A-Za-z.+]{1,10}@[a-z]{1,8}\.(com|org|de)", fullmatch=True),
    st.sampled_from(
        ["O'BRIEN", "MCDONALD", "van der Berg", "€ 10.000,00", "4.9E+11", "=1+1", "Müller & Söhne GmbH", "東京", "x", "n/a"]
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ALL = (
    "version: 1\nlead:\n"
    + "".join(
        f"  F{index}__c: {{from: [a, b.c, f{index}], as: {name}{', length: 5' if name == 'truncate' else ''}}}\n"
        for index, name in enumerate(sorted(TRANSFORMS))
    )
    + "  LastName: {from: a}\n  HasOptedOutOfEmail: {from: b, translate: {yes please: true}}\ntouch: {at: a, utm: {source: b}}\n"
)
MAPPING = load_mapping(ALL, "all.yaml", name="all")


@pytest.mark.parametrize("name", sorted(set(TRANSFORMS) - {"split", "join"}))
@settings(deadline=None, max_examples=60)
@given(value=TEXTS)
def test_twice_is_once(name: str, value: str) -> None:
    once = TRANSFORMS[name](value, ARGS)
    if isinstance(once, Bad) or once is None:
        return
    if name == "domain" or (name == "number" and not isinstance(once, str)):
        return
    again = TRANSFORMS[name](once, ARGS)
    assert again == once, (name, value)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(["a", "b", *(f"f{n}" for n in range(20))]), JSON))
def test_no_record_makes_a_mapping_fail(record: dict[str, Any]) -> None:
    lead = MAPPING.map_record(record)
    msgspec.json.encode(lead)
    for problem in lead.problems:
        for value in record.values():
            if isinstance(value, str) and len(value) > 6:
                assert value not in problem.message


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60))
def test_no_payload_makes_a_mapping_fail(payload: bytes) -> None:
    lead = MAPPING.map(payload)
    assert lead.fields or lead.is_fatal


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_names_agree_both_ways_and_with_themselves(a: str, b: str, c: str, d: str) -> None:
    assert names_agree(a, b, c, d) == names_agree(c, d, a, b)
    assert names_agree(a, b, a, b) != "clash"
    email_key(a)
    phone_key(b, "US")


REGIONS = st.sampled_from([None, "US", "CA", "DE", "GB", "IT", "RU", "MX", "AU"])
NUMBERS = st.one_of(
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
    st.from_regex(r"\+?[0-9 ().-]{7,18}", fullmatch=True),
    st.from_regex(r"\([2-9][0-9]{2}\) [0-9]{3}-[0-9]{4}", fullmatch=True),
    st.builds(
        lambda region, form: phonenumbers.format_number(phonenumbers.example_number(region), form),
        st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
        st.sampled_from([0, 1, 2]),
    ),
)


@settings(deadline=None, max_examples=400)
@given(NUMBERS, REGIONS)
def test_the_short_way_of_reading_a_phone_is_the_librarys(text: str, region: str | None) -> None:
    """Where the short way gives a number at all, the library gives the same one."""
    made = _plain_number(text, region)
    if made:
        number = phonenumbers.parse(text, region)
        assert phonenumbers.is_possible_number(number)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == made
        assert not number.extension


@pytest.mark.parametrize(("text", "region"), [("(415) 555-0157", "US"), ("+49 30 5550100", None), ("+39 333 1234567", "DE")])
def test_the_short_way_is_taken_for_what_people_usually_write(text: str, region: str | None) -> None:
    assert _plain_number(text, region)


def test_every_phone_that_was_made_reads_as_itself() -> None:
    """What is remembered is what the library would say."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        text = phonenumbers.format_number(phonenumbers.example_number(region), phonenumbers.PhoneNumberFormat.NATIONAL)
        found = phone_of(text, region)
        if found is not None:
            again = phonenumbers.parse(found.e164, None)
            assert phonenumbers.format_number(again, phonenumbers.PhoneNumberFormat.E164) == found.e164
