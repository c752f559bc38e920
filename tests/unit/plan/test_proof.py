"""What is proof of an opt-in: evidence in these very words, and nothing newer that says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.model import FieldValue, Lead, PersonRecord, PersonState, PersonView, RecordRef, Touch
from syncd.plan.proof import opted_in_at

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def record(said: str, hours: int = 0, *, source: str = "site") -> PersonRecord:
    lead = Lead({"Email": FieldValue("ada@example.com")}, Touch(consent=said))
    return PersonRecord(RecordRef(source, "rows", f"{said}{hours}"), lead, NOW + timedelta(hours=hours))


def proof(*records: PersonRecord) -> datetime | None:
    return opted_in_at(PersonView("p", PersonState.ACTIVE, records), "box")


@pytest.mark.parametrize("word", ["no", "denied", "Withdrawn", "unsubscribed", "pending"])
def test_a_newer_word_against_it_ends_it_whichever_source_says_it(word: str) -> None:
    no = record(f"box; {word}", 1, source="other")
    assert proof(record("box"), no) is None
    assert proof(no, record("box", 2)) == NOW + timedelta(hours=2), "agreed once more"
    assert proof(record("box", 1), no) is None, "said at the same time"


def test_silence_and_other_words_are_neither() -> None:
    assert proof(record("")) is None
    assert proof(record("boxes; other-box")) is None
    assert proof(record("box"), record("other; no", 1)) == NOW
