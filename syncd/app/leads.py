"""Find, show and export people: what syncd knows of a lead, and why it wrote what it wrote (G7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from syncd.errors import ConfigError
from syncd.model import Operation, PersonState, PersonView
from syncd.normalise.keys import email_key, phone_key
from syncd.policy import Decided
from syncd.ports import Key, Store

_DECISIONS = 30
"""Of one person, shown at most."""


class LeadCard(msgspec.Struct, frozen=True):
    """Everything about one person, ready to be laid out or printed as JSON. Holds personal data.

    `operations` are those that are kept: of what ended before `forgotten_before` (None: nothing was forgotten yet) only the last
    write of each field and what else planning looks back at.
    """

    person_id: str
    state: str
    golden: dict[str, Any]
    notes: dict[str, str]
    records: list[dict[str, Any]]
    org_records: list[dict[str, Any]]
    operations: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    decided: tuple[Decided, ...] = ()
    forgotten_before: datetime | None = None


def find_leads(store: Store, text: str, limit: int = 20, *, is_whole: bool = False) -> list[str]:
    """Person ids that answer to an e-mail, phone, Salesforce id, person id, record (KEY, SOURCE:KEY, SOURCE:STREAM:KEY) or part of a name or company.

    `is_whole`: to a whole name, company or address, and not to a part of one.
    """
    keys: list[Key] = []
    if "@" in text:
        keys.extend((kind, email_key(text)) for kind in ("email", "shared_email"))
    else:
        phone = phone_key(text, None)
        if phone:
            keys.append(("phone", phone))
    return store.find_persons(keys, text.strip(), limit, is_whole=is_whole)


def one_lead(store: Store, text: str, *, with_erased: bool = False, is_whole: bool = False) -> PersonView:
    """Exactly one person; with `with_erased` also one of whom nothing is left; with `is_whole` by no part of a name or address.

    Raises:
        ConfigError: Nobody, or more than one person, answers to `text`, or somebody who was erased.
    """
    found = find_leads(store, text, is_whole=is_whole)
    if not found:
        raise ConfigError(
            "Nobody in this store answers to that.", advice='Try "syncd lead find" with an e-mail, a name or an id.'
        )
    if len(found) > 1:
        raise ConfigError(f"{len(found)} people answer to that.", advice=f"Name one of these ids: {', '.join(found[:5])}.")
    view = store.person_views(found)[0]
    if view.state is PersonState.ERASED and not with_erased:
        raise ConfigError("This person was erased; nothing of them is kept.", advice="There is nothing left to be done.")
    return view


def show_lead(store: Store, text: str) -> LeadCard:
    """The card of exactly one person.

    Raises:
        ConfigError: Nobody, or more than one person, answers to `text`.
    """
    view = one_lead(store, text, with_erased=True)
    document = store.person_documents([view.person_id]).get(view.person_id, {})
    return LeadCard(
        person_id=view.person_id,
        state=str(view.state),
        golden=document.get("golden", {}),
        notes=document.get("notes", {}),
        records=[_record(view, index) for index in range(len(view.records))],
        org_records=[_org_record(view, index) for index in range(len(view.org_records))],
        operations=[_operation(one) for one in store.operations_of(view.person_id)],
        holds=[msgspec.to_builtins(hold) for hold in view.holds],
        decided=decided_about(store, view.person_id),
        forgotten_before=store.pruned_before(),
    )


def decided_about(store: Store, person_id: str) -> tuple[Decided, ...]:
    """What rules of the policy made of a person, and would have made; the newest first, some of many."""
    rows = store.decisions_of(person_id)[-_DECISIONS:]
    return tuple(Decided(one.at, one.rule_id, one.outcome, one.from_status, one.to_status, one.policy) for one in reversed(rows))


def export_leads(store: Store) -> Iterator[dict[str, Any]]:
    """One person at a time as DESIGN 3.2 shapes it: `person_id`, `sf_object`, `sf_id`, `fields`, `keys`, `sources`."""
    for view, document in store.export_persons():
        # Somebody who was converted is the Contact; the lead of before is only left when there is nothing else.
        living = [one for one in view.org_records if one.is_survivor and not one.row.is_deleted]
        target = min(living, key=lambda one: one.row.is_converted, default=None)
        golden: dict[str, Any] = document.get("golden", {})
        yield {
            "person_id": view.person_id,
            "sf_object": target.row.object if target else None,
            "sf_id": target.row.sf_id if target else None,
            "fields": {name: value.get("value") if isinstance(value, dict) else value for name, value in golden.items()},
            "keys": sorted([kind, value] for kind, value in document.get("keys", [])),
            "sources": sorted({record.ref.source for record in view.records}),
        }


def _record(view: PersonView, index: int) -> dict[str, Any]:
    record = view.records[index]
    return {
        "source": record.ref.source,
        "stream": record.ref.stream,
        "key": record.ref.key,
        "locator": record.locator,
        "source_at": record.source_at,
        "mapping": record.mapping,
        "touch": msgspec.to_builtins(record.lead.touch),
        "problems": [msgspec.to_builtins(problem) for problem in record.lead.problems],
        "skipped": record.lead.skipped,
    }


def _org_record(view: PersonView, index: int) -> dict[str, Any]:
    record = view.org_records[index]
    row = record.row
    return {
        "object": row.object,
        "sf_id": row.sf_id,
        "is_survivor": record.is_survivor,
        "is_deleted": row.is_deleted,
        "is_converted": row.is_converted,
        "stamp": row.stamp,
        "fields": row.fields,
        "base": record.base,
    }


def _operation(one: Operation) -> dict[str, Any]:
    return {
        "operation_id": one.operation_id,
        "run_id": one.run_id,
        "kind": str(one.kind),
        "state": str(one.state),
        "object": one.object,
        "sf_id": one.sf_id,
        "code": one.code,
        "message": one.message,
        "at": one.finished_at or one.sent_at or one.planned_at,
        "fields": [
            {
                "field": name,
                "before": one.before.get(name),
                "after": value,
                "because": msgspec.to_builtins(one.provenance[name]) if name in one.provenance else None,
            }
            for name, value in one.fields.items()
        ],
    }
