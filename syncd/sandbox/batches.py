"""`composite/sobjects`: collections of up to 200 records in one call (reference salesforce.md 5.2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from syncd.sandbox.call import Call, missing, shown_fields
from syncd.sandbox.ids import canonical
from syncd.sandbox.message import Response, error
from syncd.sandbox.queries import show_row
from syncd.sandbox.saving import Duties
from syncd.sandbox.schema import Field, Object
from syncd.sandbox.table import folded
from syncd.sandbox.values import CallRefusal, Refusal, check_shape, stored

_ROWS, _RETRIEVED_IDS, _RUNS = 200, 2_000, 10

_NO_FIELDS = frozenset({"attributes", "Id", "id"})

Record = dict[str, Any]


def answer(call: Call, parts: list[str]) -> Response:
    """Answer `composite/sobjects[/X[/FIELD]]`; HTTP 200 says nothing about the records.

    Raises:
        CallRefusal: The whole call is refused; nothing is written.
    """
    if len(parts) == 2:
        call.allow("POST", "PATCH", "DELETE")
        if call.method == "DELETE":
            ids = [one for one in call.request.query.get("ids", "").split(",") if one]
            _check_count(len(ids))
            all_or_none = call.request.query.get("allOrNone", "").lower() == "true"
            return _each(call, [{"Id": one} for one in ids], lambda row: _delete(call, row["Id"]), all_or_none=all_or_none)
        records, all_or_none = _records(call)
        _check_types(call, records)
        return _each(call, records, _create(call) if call.method == "POST" else _update(call), all_or_none=all_or_none)
    described = call.org.objects.get(parts[2])
    if described is None:
        raise missing()
    if len(parts) == 3:
        call.allow("GET", "HEAD", "POST")
        return _retrieve(call, described)
    if len(parts) == 4:
        call.allow("PATCH")
        return _upsert(call, described, parts[3])
    raise missing()


def _records(call: Call) -> tuple[list[Record], bool]:
    body = call.request.json()
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(
        isinstance(one, dict) and isinstance(one.get("attributes"), dict | None) for one in records
    ):
        raise CallRefusal("JSON_PARSER_ERROR", "records must be a list of objects")
    _check_count(len(records))
    return records, body.get("allOrNone") is True


def _check_count(count: int) -> None:
    if count > _ROWS:
        message = f"record limit reached. cannot submit more than {_ROWS} records into this call"
        raise CallRefusal("EXCEEDED_ID_LIMIT", message)


def _type_of(record: Record) -> str:
    found = (record.get("attributes") or {}).get("type")
    return found if isinstance(found, str) else ""


def _check_types(call: Call, records: list[Record]) -> None:
    """Types are known and come in at most 10 runs; names and JSON types are read before anything is written."""
    if sum(1 for _ in itertools.groupby(records, _type_of)) > _RUNS:
        raise CallRefusal("INVALID_INPUT", f"more than {_RUNS} chunks of records of one type; sort the records by type")
    for one in records:
        name = _type_of(one)
        if not name:
            raise CallRefusal("INVALID_INPUT", "Must send the sObject type in attributes.type of each record")
        if name not in call.org.objects:
            raise CallRefusal("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        _check_values(call, call.org.objects[name], one)


def _check_values(call: Call, described: Object, record: Record) -> None:
    check_shape(described, record, call.org.hidden, beside=_NO_FIELDS)


def _without_id(values: Record) -> Record:
    return {key: value for key, value in values.items() if key not in ("Id", "id")}


def _each(call: Call, records: list[Record], act: Callable[[Record], Record], *, all_or_none: bool) -> Response:
    """Each record by itself, in order; with allOrNone one refusal takes everything back."""
    struck = call.strike_rows(records)
    answers: list[Record] = []
    with call.org.all_or_none() as take_back:
        for record, refusal in zip(records, struck, strict=True):
            try:
                if refusal is not None:
                    raise refusal
                answers.append(act(record))
            except Refusal as told:
                answers.append({"success": False, "errors": [error(told, "statusCode")]})
        if all_or_none and not all(one["success"] for one in answers):
            take_back()
            halted = Refusal("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid")
            rolled_back = {"success": False, "errors": [error(halted, "statusCode")]}
            answers = [rolled_back if one["success"] else one for one in answers]
    return Response(200, answers)


def _done(sf_id: str, **more: Any) -> Record:
    return {"id": sf_id, "success": True, "errors": [], **more}


def _saver(call: Call) -> Callable[[str, str | None, Record], str]:
    """A function that saves records of a checked call, by object, id and values; what holds for all of them is looked up once."""
    headers = call.headers
    duties: dict[str, Duties] = {}

    def save(name: str, sf_id: str | None, values: Record) -> str:
        if name not in duties:
            duties[name] = Duties(call.org.objects[name])
        return call.org.save(name, sf_id, values, user=call.user, headers=headers, is_checked=True, duties=duties[name])

    return save


def _create(call: Call) -> Callable[[Record], Record]:
    save = _saver(call)

    def act(record: Record) -> Record:
        if "Id" in record or "id" in record:
            raise Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"])
        return _done(save(_type_of(record), None, call.values(record)))

    return act


def _update(call: Call) -> Callable[[Record], Record]:
    save, seen = _saver(call), set()

    def act(record: Record) -> Record:
        asked = record.get("Id") or record.get("id")
        if not asked:
            raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
        sf_id = canonical(str(asked))
        if sf_id is None:
            raise Refusal("MALFORMED_ID", "malformed id", ["Id"])
        if sf_id in seen:
            raise Refusal("DUPLICATE_VALUE", "duplicate id in list", ["Id"])
        seen.add(sf_id)
        name = _type_of(record)
        if sf_id not in call.org.table(name).rows:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return _done(save(name, sf_id, _without_id(call.values(record))))

    return act


def _delete(call: Call, sf_id: str) -> Record:
    call.org.remove(sf_id, user=call.user, headers=call.headers)
    return _done(canonical(sf_id) or sf_id)


def _upsert(call: Call, described: Object, field_name: str) -> Response:
    key = described.find(field_name)
    if key is None or key.name in call.org.hidden or not key.external_id:
        raise missing(f"Provided external ID field does not exist or is not accessible: {field_name}")
    records, all_or_none = _records(call)
    for one in records:
        if _type_of(one) not in ("", described.name):
            raise CallRefusal("INVALID_INPUT", f"all records of an upsert must be of type {described.name}")
        if "Id" in one or "id" in one:
            raise CallRefusal("INVALID_FIELD", "Id should not be specified in an upsert by external id")
        _check_values(call, described, one)
    return _each(call, records, _upsert_one(call, described, key), all_or_none=all_or_none)


def _upsert_one(call: Call, described: Object, key: Field) -> Callable[[Record], Record]:
    save, table = _saver(call), call.org.table(described.name)
    seen: set[str] = set()

    def act(record: Record) -> Record:
        values = call.values(record)
        value = stored(key, values.get(key.name))
        if value is None:
            raise Refusal("MISSING_ARGUMENT", f"{key.name} not specified")
        folded_value = folded(value)
        if folded_value in seen:
            raise Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [key.name])
        seen.add(folded_value)
        held = table.with_value(key.name, [folded_value])
        old = [row["Id"] for row in held if not row["IsDeleted"] and row.get(key.name) and folded(row[key.name]) == folded_value]
        if len(old) > 1:
            raise Refusal("DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found for external id field: {old}")
        target = old[0] if old else None
        sf_id = save(described.name, target, values)
        return _done(sf_id, created=not old)

    return act


def _retrieve(call: Call, described: Object) -> Response:
    """Records by id, in order; null where there is none."""
    if call.method == "POST":
        body = call.request.json()
        body = body if isinstance(body, dict) else {}
        ids, fields = body.get("ids"), body.get("fields")
    else:
        ids, fields = (call.request.query.get(key, "").split(",") for key in ("ids", "fields"))
    if not isinstance(ids, list) or not isinstance(fields, list) or not fields:
        raise CallRefusal("JSON_PARSER_ERROR", "ids and fields must be lists")
    if len(ids) > _RETRIEVED_IDS:
        raise CallRefusal("EXCEEDED_ID_LIMIT", f"cannot retrieve more than {_RETRIEVED_IDS} records")
    names = shown_fields(call.org, described.name, [str(one) for one in fields])
    found = [call.org.find(str(one)) for one in ids]
    return Response(
        200,
        [
            None if one is None or one[0] != described.name or one[1]["IsDeleted"] else show_row(one[0], one[1], names, call.base)
            for one in found
        ],
    )
