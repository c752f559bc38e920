"""An org that only pretends to be written: `syncd plan` and `--dry-run` run the real pass against it.

Reads go to the real org and are overlaid with what was "written"; nothing is sent. Together with a scratch copy of the
store the rehearsal is the pass itself, so that a plan cannot differ from what the pass would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from syncd.clock import Clock
from syncd.model import (
    Assignment,
    Conversion,
    ConversionOutcome,
    Operation,
    OrgFault,
    OrgIdentity,
    OrgRow,
    OrgSchema,
    Recovery,
    RowOutcome,
    Value,
)
from syncd.ports import ChangedRows, Org

_PRETENDED = "00QNEW"
_PRETENDED_BY_CONVERSION = {"Account": "001NEW", "Contact": "003NEW", "Opportunity": "006NEW"}
_PRETENDED_OWNER = "005-rehearsal"


def is_pretended(sf_id: str) -> bool:
    """Whether an id exists in a rehearsal only."""
    return sf_id.startswith((_PRETENDED, *_PRETENDED_BY_CONVERSION.values()))


def without_pretended(operation: Operation) -> Operation:
    """An operation as it may be shown: without the ids that exist in a rehearsal only."""
    fields = {name: value for name, value in operation.fields.items() if not _is_pretended_value(value)}
    sf_id = "" if is_pretended(operation.sf_id) else operation.sf_id
    return msgspec.structs.replace(operation, sf_id=sf_id, fields=fields)


def _is_pretended_value(value: Value) -> bool:
    return isinstance(value, str) and (is_pretended(value) or value == _PRETENDED_OWNER)


class RehearsalOrg:
    """Implements `syncd.ports.Org` over another one; its writes stay in memory."""

    def __init__(self, org: Org, clock: Clock) -> None:
        """Start with nothing written."""
        self._org = org
        self._clock = clock
        self._rows: dict[str, OrgRow] = {}
        self._by_external_id: dict[str, str] = {}
        self._overlay: dict[str, dict[str, Value]] = {}
        self._converted: dict[str, ConversionOutcome] = {}
        self._count = 0

    @property
    def api_calls(self) -> int:
        """Calls made for reading."""
        return self._org.api_calls

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """The org's own figure."""
        return self._org.api_usage

    def identity(self) -> OrgIdentity:
        """The real one."""
        return self._org.identity()

    def schema(self) -> OrgSchema:
        """The real one."""
        return self._org.schema()

    def changes(self, fields: Mapping[str, Sequence[str]], since: Mapping[str, datetime | None]) -> Iterator[ChangedRows]:
        """What really changed."""
        return self._org.changes(fields, since)

    def retrieve(self, object: str, sf_ids: Sequence[str], fields: Sequence[str]) -> dict[str, OrgRow | None]:
        """Real records with our pretended writes laid over them."""
        real = [sf_id for sf_id in sf_ids if sf_id not in self._rows]
        found = dict(self._org.retrieve(object, real, fields)) if real else {}
        for sf_id, changed in self._overlay.items():
            row = found.get(sf_id)
            if row is not None:
                found[sf_id] = self._written(row, changed)
        found.update({sf_id: self._rows[sf_id] for sf_id in sf_ids if sf_id in self._rows})
        for sf_id in self._converted.keys() & found.keys():
            if (row := found[sf_id]) is not None:
                found[sf_id] = msgspec.structs.replace(row, is_converted=True, contact_id=self._converted[sf_id].contact_id)
        return found

    def find_by_external_id(self, object: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[OrgRow]]:
        """Real records; pretended ones are never in doubt."""
        return self._org.find_by_external_id(object, values, fields)

    def find_by_email(self, emails: Sequence[str], fields: Mapping[str, Sequence[str]]) -> list[OrgRow]:
        """Real records."""
        return self._org.find_by_email(emails, fields)

    def create(
        self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]], assignment: Assignment | None
    ) -> list[RowOutcome]:
        """Pretend to create; the ids exist in this rehearsal only."""
        outcomes = []
        for external_id, values in rows:
            sf_id = self._new_id(_PRETENDED)
            owner = assignment.owner_id if assignment and assignment.owner_id else _PRETENDED_OWNER
            self._rows[sf_id] = OrgRow(
                object, sf_id, dict(values), self._clock.now(), self.identity().user_id, owner, external_id=external_id
            )
            outcomes.append(RowOutcome(sf_id, is_created=True))
        return outcomes

    def update(self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]]) -> list[RowOutcome]:  # noqa: ARG002 - the port's shape
        """Pretend to update."""
        for sf_id, values in rows:
            if sf_id in self._rows:
                self._rows[sf_id] = self._written(self._rows[sf_id], values)
            else:
                self._overlay.setdefault(sf_id, {}).update(values)
        return [RowOutcome(sf_id) for sf_id, _ in rows]

    def delete(self, sf_ids: Sequence[str]) -> list[RowOutcome]:
        """Pretend to delete."""
        return [RowOutcome(sf_id) for sf_id in sf_ids]

    def convert(self, rows: Sequence[Conversion]) -> list[ConversionOutcome]:
        """Pretend to convert; like the org, refuse a lead that was converted before. One read: new contacts take what leads hold."""
        objects = self.schema().objects
        known = objects["Lead"].fields
        plain = (name for name, field in objects["Contact"].fields.items() if field.is_createable and field.type != "reference")
        shared = [name for name in plain if name in known]
        leads = self.retrieve("Lead", [row.lead_id for row in rows], [*shared, "Company"])
        outcomes = []
        for row in rows:
            lead = leads.get(row.lead_id)
            if lead is None or lead.is_converted or row.lead_id in self._converted:
                code = "ENTITY_IS_DELETED" if lead is None else "CANNOT_UPDATE_CONVERTED_LEAD"
                fault = OrgFault(code, "This lead cannot be converted any more.", recovery=Recovery.RERESOLVE)
                outcomes.append(ConversionOutcome(row.lead_id, fault=fault))
                continue
            account = row.account_id or self._made("Account", row, {"Name": lead.fields.get("Company")})
            held = {name: lead.fields.get(name) for name in shared}
            contact = row.contact_id or self._made("Contact", row, {**held, "AccountId": account})
            opportunity = ""
            if row.opportunity_name:
                opportunity = self._made("Opportunity", row, {"AccountId": account, "Name": row.opportunity_name})
            self.update("Lead", [(row.lead_id, {"Status": row.converted_status})])
            self._converted[row.lead_id] = ConversionOutcome(row.lead_id, account, contact, opportunity)
            outcomes.append(self._converted[row.lead_id])
        return outcomes

    def _made(self, object: str, row: Conversion, values: dict[str, Value]) -> str:
        """The id of a record that a conversion would make."""
        sf_id = self._new_id(_PRETENDED_BY_CONVERSION[object])
        owner = row.owner_id or _PRETENDED_OWNER
        self._rows[sf_id] = OrgRow(object, sf_id, values, self._clock.now(), self.identity().user_id, owner)
        return sf_id

    def _new_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count:09d}AAA"

    def owner_id(self, kind: str, name: str) -> str:
        """The real one."""
        return self._org.owner_id(kind, name)

    def active_users(self, sf_ids: Sequence[str]) -> dict[str, bool]:
        """The real ones; whoever a pretended lead would be assigned to is one of them."""
        real = [one for one in sf_ids if one != _PRETENDED_OWNER]
        return dict.fromkeys(sf_ids, True) | (self._org.active_users(real) if real else {})

    def queue_members(self, queue_id: str) -> list[str]:
        """The real ones."""
        return self._org.queue_members(queue_id)

    def _written(self, row: OrgRow, changed: Mapping[str, Value]) -> OrgRow:
        return msgspec.structs.replace(
            row, fields={**row.fields, **changed}, stamp=max(row.stamp, self._clock.now()), modified_by=self.identity().user_id
        )
