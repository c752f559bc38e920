"""The bodies of sObject Collections calls: create as upsert by external id, update and delete by id (salesforce.md 5.2)."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence

from syncd.clock import Clock
from syncd.model import Assignment, OrgFault, Recovery, RowOutcome, Value
from syncd.salesforce.connection import Answer, Connection
from syncd.salesforce.ids import is_sf_id, to_18
from syncd.salesforce.line import BY_RULE, NO_ASSIGNMENT
from syncd.salesforce.writes import ROWS_PER_CALL, write_rows

Row = tuple[str, Mapping[str, Value]]
"""External id value or Salesforce id, and field to value (None clears)."""


class CollectionWriter:
    """Writes through one connection."""

    def __init__(self, connection: Connection, clock: Clock, chance: random.Random) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._clock = clock
        self._chance = chance

    def create(
        self, object: str, rows: Sequence[Row], external_id_field: str | None, assignment: Assignment | None
    ) -> list[RowOutcome]:
        """Upsert by external id: repeating it never makes a second record.

        The assignment rule runs only for Leads, and only when `assignment` asks for it: the header also works on Account and Case,
        and on what their triggers save. An owner id goes into rows that name no owner. An Opportunity with `ContactId` gets that contact in
        its primary contact role (Object Reference, Opportunity.ContactId, on create only, API 46.0; unverified: its describe says
        whether the field is there and createable).
        Without an external id field every row is refused (CREATE_NOT_POSSIBLE).
        """
        _check_size(rows)
        if external_id_field is None:
            fault = OrgFault(
                "CREATE_NOT_POSSIBLE",
                "Nothing can be created while salesforce.external_id_field is null: a repeated write would make a second record.",
                recovery=Recovery.CONFIG,
            )
            return [RowOutcome(fault=fault) for _ in rows]
        refused = repeated((external_id.casefold() for external_id, _ in rows), "DUPLICATE_EXTERNAL_ID")
        refused |= _unsendable(rows)
        owner = {"OwnerId": assignment.owner_id} if assignment and assignment.owner_id and not assignment.use_rule else {}
        records = [
            {"attributes": {"type": object}, **owner, **fields, external_id_field: external_id} for external_id, fields in rows
        ]
        path = f"composite/sobjects/{object}/{external_id_field}"
        headers = BY_RULE if object == "Lead" and assignment and assignment.use_rule else NO_ASSIGNMENT

        def call(indexes: Sequence[int]) -> Answer:
            body = {"allOrNone": False, "records": [records[index] for index in indexes]}
            return self._connection.write("PATCH", path, body=body, headers=headers)

        return write_rows(call, refused, records, self._clock, self._chance)

    def update(self, object: str, rows: Sequence[Row]) -> list[RowOutcome]:
        """Update by id, assignment rules off."""
        _check_size(rows)
        refused = repeated((to_18(sf_id) for sf_id, _ in rows), "DUPLICATE_VALUE")
        refused |= foreign_ids([sf_id for sf_id, _ in rows]) | _unsendable(rows)
        records = [{"attributes": {"type": object}, **fields, "Id": sf_id} for sf_id, fields in rows]

        def call(indexes: Sequence[int]) -> Answer:
            body = {"allOrNone": False, "records": [records[index] for index in indexes]}
            return self._connection.write("PATCH", "composite/sobjects", body=body, headers=NO_ASSIGNMENT)

        return write_rows(call, refused, records, self._clock, self._chance)

    def delete(self, sf_ids: Sequence[str]) -> list[RowOutcome]:
        """Put records into the org's recycle bin."""
        _check_size(sf_ids)

        def call(indexes: Sequence[int]) -> Answer:
            params = {"ids": ",".join(sf_ids[index] for index in indexes), "allOrNone": "false"}
            return self._connection.write("DELETE", "composite/sobjects", params=params)

        refused = repeated(map(to_18, sf_ids), "DUPLICATE_VALUE") | foreign_ids(sf_ids)
        return write_rows(call, refused, [()] * len(sf_ids), self._clock, self._chance)


def _check_size(rows: Sequence[object]) -> None:
    if len(rows) > ROWS_PER_CALL:
        raise ValueError(f"A write takes at most {ROWS_PER_CALL} rows, not {len(rows)}.")


def repeated(keys: Iterable[str], code: str) -> dict[int, OrgFault]:
    """Later rows with the key of an earlier one: the org would refuse both, or save them in any order."""
    seen: set[str] = set()
    refused: dict[int, OrgFault] = {}
    for index, key in enumerate(keys):
        if key in seen:
            refused[index] = OrgFault(code, "The same record stands in this call twice.", recovery=Recovery.RERESOLVE)
        seen.add(key)
    return refused


def foreign_ids(sf_ids: Sequence[str]) -> dict[int, OrgFault]:
    """What is no record id at all would spoil the call for the others."""
    fault = OrgFault("MALFORMED_ID", "This is no Salesforce id.", ("Id",), Recovery.REFUSED)
    return {index: fault for index, sf_id in enumerate(sf_ids) if not is_sf_id(sf_id)}


def _unsendable(rows: Sequence[Row]) -> dict[int, OrgFault]:
    """Values that JSON or UTF-8 cannot carry; sent, they would fail the whole call."""
    refused: dict[int, OrgFault] = {}
    for index, (_, fields) in enumerate(rows):
        for name, value in fields.items():
            if type(value) is str and value.isascii():
                continue
            if isinstance(value, float) and not math.isfinite(value):
                refused[index] = OrgFault("NUMBER_OUTSIDE_VALID_RANGE", "Not a finite number.", (name,), Recovery.REFUSED)
            elif isinstance(value, str) and not _is_encodable(value):
                refused[index] = OrgFault("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", "Not valid Unicode.", (name,), Recovery.REFUSED)
    return refused


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
