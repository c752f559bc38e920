"""Who has asked to be registered: by which record, with which words, at which address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from syncd.model import FieldValue, Lead, Operation, OperationKind, PersonRecord, PersonState, PersonView, RecordRef, Touch
from syncd.plan.registering import asked_at, why_not_registered

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
OPTIONS = {"webinar": "987"}
ADA = "Ada@example.com"


def record(said: str, *, source: str = "site", key: str = "1", email: str = "ada@example.com", hours: int = 0) -> PersonRecord:
    lead = Lead({"Email": FieldValue(email)}, Touch(consent=said))
    return PersonRecord(RecordRef(source, "rows", key), lead, NOW + timedelta(hours=hours))


def view(*records: PersonRecord, actions: tuple[Operation, ...] = ()) -> PersonView:
    return PersonView("p", PersonState.ACTIVE, records, actions=actions)


def sent(webinar: str = "987", source: str = "webinars", sent_at: datetime | None = NOW, own_id: str = "other") -> Operation:
    fields = {"action": "register", "option.webinar": webinar}
    return Operation(
        "1", "p", f"source:{source}", "", OperationKind.ACTION, fields, {}, source=source, own_id=own_id, sent_at=sent_at
    )


def asked(one: PersonView, **options: str) -> datetime | None:
    return asked_at(one, "webinars", ADA, {**OPTIONS, **options})


def why(one: PersonView) -> str:
    return why_not_registered(one, "webinars", ADA, OPTIONS, "mine")


def test_a_record_that_names_the_webinar_is_proof_and_tells_when() -> None:
    assert asked(view(record("webinar 987"))) == NOW
    assert asked(view(record("webinar 987; 2026-11-01T10:00:00Z"))) == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert asked(view(record("pumps-form")), asked="pumps-form") == NOW
    assert asked(view(record("webinar 987")), asked="pumps-form") is None


@pytest.mark.parametrize("said", ["", "webinar 9876", "webinar-987", "987; no", "987; false", "yes"])
def test_other_words_are_none(said: str) -> None:
    assert asked(view(record(said))) is None


def test_what_the_source_itself_brought_and_what_another_address_said_is_none() -> None:
    assert asked(view(record("webinar 987", source="webinars"))) is None
    assert asked(view(record("webinar 987", email="work@example.com"))) is None
    assert asked_at(view(record("webinar 987", email="")), "webinars", "", OPTIONS) is None


def test_the_newest_word_counts() -> None:
    yes, no = record("987", key="1"), record("987; no", key="2", hours=1)
    assert asked(view(yes, no)) is None
    assert asked(view(no, yes, record("987; yes", key="3", hours=2))) == NOW + timedelta(hours=2)
    assert asked(view(yes, record("something else", key="2", hours=1))) == NOW


def test_nobody_is_registered_twice() -> None:
    proof = record("987")
    assert why(view(proof)) == ""
    assert why(view(proof, actions=(sent(),))) == "registered_before"
    assert why(view(proof, actions=(sent(own_id="mine"),))) == "", "the action itself, tried again"
    assert why(view(proof, actions=(sent("986"), sent(source="others"), sent(sent_at=None)))) == ""
    assert why(view(proof, record("", source="webinars", key="987/r1"))) == "known_there"
    assert why(view(proof, record("", source="webinars", key="9871/r1"), record("", source="site", key="987/r1"))) == ""
    assert why(view()) == "no_proof"
