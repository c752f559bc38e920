"""What of the ledger and the org decides on a deletion: whose move archived, what an export is compared by, what stays known afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.model import (
    FieldSchema,
    Hold,
    ObjectSchema,
    Operation,
    OperationKind,
    OperationState,
    OrgRecord,
    OrgRow,
    OrgSchema,
    PersonState,
    PersonView,
    Provenance,
)
from syncd.plan import exported_digest, exported_fields, facts_of, golden, has_opted_out, last_expired, may_delete, why_kept
from syncd.plan.deletions import kept_opt_outs, why_not_exported
from syncd.policy import Policy
from syncd.policy.model import ArchiveMeans, Rule, Section
from syncd.ports import ExportedLead

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = Policy(
    digest="12345678",
    rules=(
        Rule("shut", Section.ARCHIVE, means=ArchiveMeans("Archived")),
        Rule("other", Section.ARCHIVE, means=ArchiveMeans("Archived")),
        Rule("back", Section.REVIVE, to_status="Open"),
        Rule("hot", Section.NURTURE),
    ),
)
FIELDS = {
    "Id": FieldSchema("Id", "id", is_createable=False, is_updateable=False),
    "Title": FieldSchema("Title", "string"),
    "Age__c": FieldSchema("Age__c", "double", is_createable=False, is_updateable=False),
    "LastModifiedDate": FieldSchema("LastModifiedDate", "datetime", is_createable=False, is_updateable=False),
    "Address": FieldSchema("Address", "address", is_createable=False, is_updateable=False),
}
SCHEMA = OrgSchema({"Lead": ObjectSchema("Lead", FIELDS)})


def lead(**more: Any) -> OrgRecord:
    fields = more.pop("fields", {"Status": "Archived"})
    record = {name: more.pop(name) for name in ("deleted_by_us", "base", "other_by", "other_at") if name in more}
    return OrgRecord(OrgRow("Lead", "00Q1", fields, more.pop("stamp", NOW), **more), **record)


def written(number: int, kind: OperationKind, rule: str = "", **more: Any) -> Operation:
    why = {
        name: Provenance(rule=f"policy acme 12345678: {one}")
        for name, one in (more.pop("rules", None) or {"Status": rule}).items()
    }
    values = {"state": OperationState.DONE, "finished_at": NOW + number * DAY, "sent_at": NOW, "provenance": why}
    return Operation(f"{number:03}", "p", "Lead", "00Q1", kind, {"Status": "x"}, {}, **{**values, **more})


def view(*records: OrgRecord, **more: Any) -> PersonView:
    return PersonView("p", PersonState.ACTIVE, org_records=records or (lead(),), **more)


def archived(*moves: Operation) -> dict[str, datetime]:
    known = view(moves=moves)
    machines = frozenset({"005machine"})
    return facts_of(known, golden(()), None, POLICY, now=NOW, machine_users=machines, starts={}).archived


def move(number: int, rule: str, **more: Any) -> Operation:
    return written(number, OperationKind.STATUS, rule, **more)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ((), {}),
        ((move(1, "shut"),), {"shut": NOW + DAY}),
        ((move(1, "shut"), move(2, "other")), {"other": NOW + 2 * DAY}),
        ((move(1, "shut"), move(2, "back")), {}),
        ((move(1, "shut"), move(2, "back"), move(3, "shut")), {"shut": NOW + 3 * DAY}),
        ((move(1, "shut"), move(2, "forgotten")), {}),
        ((move(1, "shut"), move(2, "hot")), {"shut": NOW + DAY}),
        ((move(1, "shut"), move(2, "published")), {"shut": NOW + DAY}),
        ((move(1, "shut"), move(2, "illegal_status")), {}),
        ((move(1, "shut", rules={"Status": "shut", "Is_Hot__c": "hot"}),), {"shut": NOW + DAY}),
        ((move(1, "shut"), msgspec.structs.replace(move(2, "back"), sf_id="00Q2")), {"shut": NOW + DAY}),
        ((msgspec.structs.replace(move(1, "shut"), provenance={"Status": Provenance(rule="undo 1")}),), {}),
    ],
    ids=["nothing", "the rule", "another rule", "revived", "twice", "a rule that is gone", "a flag", "the page", "put right", "with a flag", "another lead", "an undo"],
)  # fmt: skip
def test_the_rule_behind_the_last_move_has_archived(moves: tuple[Operation, ...], expected: dict[str, datetime]) -> None:
    assert archived(*moves) == expected


def test_an_edit_before_our_own_write_is_an_edit() -> None:
    machines = frozenset({"005machine"})

    def edited(**more: Any) -> datetime | None:
        facts = facts_of(view(lead(**more)), golden(()), None, POLICY, now=NOW, machine_users=machines, starts={})
        assert facts.standing is not None
        return facts.standing.edited_at

    assert edited(modified_by="005machine") is None
    assert edited(modified_by="005machine", other_by="005machine", other_at=NOW - DAY) is None
    assert edited(modified_by="005machine", other_by="005rep", other_at=NOW - DAY) == NOW - DAY
    assert edited(modified_by="005rep", other_by="005rep2", other_at=NOW - DAY) == NOW


def test_an_export_is_compared_by_what_people_put_in() -> None:
    """A formula is another one tomorrow; a stamp, a value and a field more are not."""
    row = OrgRow("Lead", "00Q1", {"Id": "00Q1", "Title": "a", "Age__c": 3.0, "LastModifiedDate": "2026-05-20T12:00:00Z"}, NOW)
    digest = exported_digest(row, SCHEMA)

    def other(**fields: Any) -> str:
        return exported_digest(msgspec.structs.replace(row, fields={**row.fields, **fields}), SCHEMA)

    assert other(Age__c=4.0) == other(Unknown__c="x") == digest
    assert len({digest, other(Title="b"), other(Title=None), other(LastModifiedDate="2026-05-20T12:00:01Z")}) == 4
    assert exported_digest(msgspec.structs.replace(row, stamp=NOW + DAY), SCHEMA) != digest
    assert exported_digest(msgspec.structs.replace(row, sf_id="00Q2"), SCHEMA) != digest
    assert exported_fields(SCHEMA) == ("Age__c", "Id", "LastModifiedDate", "Title")


def test_what_keeps_a_lead_besides_the_policy() -> None:
    expired = written(1, OperationKind.EXPIRE)
    assert why_kept(view(), lead()) == ""
    assert why_kept(view(holds=(Hold("Title", "x", "undo"),)), lead()) == "held"
    failed = msgspec.structs.replace(expired, state=OperationState.FAILED)
    assert why_kept(view(expirations=(failed,)), lead()) == ""


def test_who_may_not_delete_is_told_by_the_describe() -> None:
    assert may_delete(SCHEMA)
    assert not may_delete(OrgSchema({"Lead": ObjectSchema("Lead", FIELDS, is_deletable=False)}))
    assert not may_delete(OrgSchema({}))


def test_what_is_back_from_the_recycle_bin_is_kept() -> None:
    assert why_kept(view(expirations=(written(1, OperationKind.EXPIRE),)), lead()) == "restored_by_person"


def test_an_export_that_is_missing_is_told_from_one_that_is_old() -> None:
    row = lead().row
    assert why_not_exported(row, None) == "needs_export"
    assert why_not_exported(row, ExportedLead("00Q1", "p", NOW - DAY, "")) == "export_outdated"
    assert why_not_exported(row, ExportedLead("00Q1", "p", NOW, "")) == ""


GONE = lead(is_deleted=True, deleted_by_us=True, fields={"HasOptedOutOfEmail": True, "Status": "Archived"})


@pytest.mark.parametrize(
    ("operation", "is_ours"),
    [
        ({}, True),
        ({"state": OperationState.SUPERSEDED}, True),
        ({"state": OperationState.UNKNOWN}, True),
        ({"state": OperationState.SUPERSEDED, "sent_at": None}, False),
        ({"state": OperationState.REFUSED}, False),
        ({"state": OperationState.FAILED}, False),
    ],
)
def test_a_deletion_whose_answer_nobody_heard_is_ours(operation: dict[str, Any], is_ours: bool) -> None:
    known = view(GONE, expirations=(written(1, OperationKind.EXPIRE, **operation),))
    assert (last_expired(known) is not None, bool(kept_opt_outs(known))) == (is_ours, is_ours)


def test_where_the_person_is_in_the_org_nothing_has_expired() -> None:
    expired = (written(1, OperationKind.EXPIRE),)
    new = msgspec.structs.replace(lead(fields={}).row, sf_id="00Q2")
    assert last_expired(view(GONE, OrgRecord(new), expirations=expired)) is None
    assert last_expired(view(expirations=expired)) is None
    assert last_expired(PersonView("p", PersonState.ACTIVE)) is None


def test_an_opt_out_of_a_lead_that_we_deleted_stays_known_until_a_later_one_tells() -> None:
    expired = (written(1, OperationKind.EXPIRE),)
    new = OrgRecord(msgspec.structs.replace(lead(fields={"HasOptedOutOfEmail": False}).row, sf_id="00Q2"))
    assert has_opted_out(view(GONE, expirations=expired))
    assert has_opted_out(view(GONE, new, expirations=expired)), "somebody made a lead without knowing of it"
    told = msgspec.structs.replace(new, base={"HasOptedOutOfEmail": True})
    assert not has_opted_out(view(GONE, told, expirations=expired)), "a person has cleared what we had set there"
    by_person = msgspec.structs.replace(GONE, deleted_by_us=False)
    assert not has_opted_out(view(by_person))
