"""Rows of the org as `OrgRow`: values in canonical form, system fields apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from syncd.errors import ContractError
from syncd.model import ObjectSchema, OrgRow, Value
from syncd.salesforce.ids import is_sf_id, to_18

_SYSTEM = ("Id", "SystemModstamp", "LastModifiedById", "OwnerId", "IsDeleted")
_SYSTEM_OF = {
    "Lead": ("MasterRecordId", "IsConverted", "ConvertedContactId"),
    "Contact": ("MasterRecordId",),
    "Account": ("MasterRecordId",),
}
_LACKED_BY = {"User": ("OwnerId", "IsDeleted")}
"""Users are deactivated, never deleted, and nobody owns them."""
_SCALARS = frozenset({str, int, float, bool})
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def selected_fields(object: str, fields: Sequence[str], external_id_field: str | None) -> list[str]:
    """What to ask for: the system fields that an OrgRow needs, the external id, then `fields`; each once, in order."""
    external = (external_id_field,) if external_id_field else ()
    system = (name for name in _SYSTEM if name not in _LACKED_BY.get(object, ()))
    return list(dict.fromkeys((*system, *_SYSTEM_OF.get(object, ()), *external, *fields)))


def row_reader(
    object: str, fields: Sequence[str], external_id_field: str | None, schema: ObjectSchema | None
) -> Callable[[Any], OrgRow]:
    """What turns records of a query or a retrieve into rows; all that can be known beforehand is worked out once.

    Args:
        object: Their object.
        fields: Data fields that were asked for; a field without a value may be absent.
        external_id_field: Where the external id stands, None if it was not asked for.
        schema: Tells instants from text of the same look; None: the look decides.

    The reader takes a record (field name to JSON value, `attributes` beside) and raises ContractError when Id or SystemModstamp
    is missing, or a data field holds a structure.
    """
    plain = frozenset(name for name in fields if schema is not None and _kind(name, schema) not in ("", "datetime"))

    def read(record: Any) -> OrgRow:
        if not isinstance(record, dict) or not is_sf_id(record.get("Id")):
            raise ContractError(f"Salesforce gave a {object} without an Id.")
        get = record.get
        stamp = _stamp(get("SystemModstamp") or "")
        if stamp is None:
            raise ContractError(f"Salesforce gave a {object} without a SystemModstamp.")
        values: dict[str, Value] = {}
        for name in fields:
            value = get(name)
            is_as_it_is = value is None or (name in plain and value.__class__ in _SCALARS)
            values[name] = value if is_as_it_is else _value(object, name, value, schema)
        return OrgRow(
            object=object,
            sf_id=to_18(record["Id"]),
            fields=values,
            stamp=stamp,
            modified_by=to_18(get("LastModifiedById") or ""),
            owner_id=to_18(get("OwnerId") or ""),
            external_id=str(get(external_id_field) or "") if external_id_field else "",
            is_deleted=get("IsDeleted") is True,
            merged_into=to_18(get("MasterRecordId") or ""),
            is_converted=get("IsConverted") is True,
            contact_id=to_18(get("ConvertedContactId") or ""),
        )

    return read


@lru_cache(maxsize=5_000)
def _stamp(text: str) -> datetime | None:
    """`parse_instant`, remembered: a batch is saved in one second."""
    return parse_instant(text)


def record_from_csv(cells: Mapping[str, str], schema: ObjectSchema | None) -> dict[str, Any]:
    """A row of a Bulk result as the REST API would have given it: empty cells are null, types by describe.

    Source: Bulk API 2.0, Valid CSV Record Rows: booleans `true`/`false`, numbers with a point.

    Raises:
        ContractError: A number is none.
    """
    record: dict[str, Any] = {}
    for name, text in cells.items():
        kind = _kind(name, schema)
        if kind == "boolean":
            record[name] = text.lower() == "true"
        elif text == "":
            record[name] = None
        elif kind in ("int", "double", "currency", "percent"):
            try:
                record[name] = int(text) if kind == "int" and "." not in text else float(text)
            except ValueError as error:
                raise ContractError(f"Salesforce gave something else than a number for {name}.") from error
        else:
            record[name] = text
    return record


def parse_instant(text: Any) -> datetime | None:
    """The aware UTC instant of `2026-01-31T09:30:00.000+0000` and the like, None if it is none."""
    found = _INSTANT.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return None
    try:
        return datetime.fromisoformat(found[1] + (found[2] or "") + found[3].replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        return None


def soql_instant(at: datetime) -> str:
    """An aware instant as a SOQL literal, `2026-01-31T09:30:00Z`; fractions are cut, so a bound never moves forward."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _kind(name: str, schema: ObjectSchema | None) -> str:
    if schema is not None and name in schema.fields:
        return schema.fields[name].type
    return "boolean" if name in ("IsDeleted", "IsConverted") else ""


def _value(object: str, name: str, value: Any, schema: ObjectSchema | None) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        raise ContractError(f"Salesforce gave a structure for {object}.{name}; compound fields cannot be read.")
    kind = _kind(name, schema)
    if kind == "datetime" or (not kind and value[10:11] == "T"):
        at = parse_instant(value)
        return soql_instant(at) if at is not None else value
    return value
