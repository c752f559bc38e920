"""`sobjects/...`: describes, single records by id and by external id, and what was updated or deleted (salesforce.md 5.1, 11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from syncd.sandbox.call import Call, missing, shown_fields
from syncd.sandbox.ids import canonical
from syncd.sandbox.message import Response
from syncd.sandbox.queries import show_row
from syncd.sandbox.schema import Object
from syncd.sandbox.table import Row, folded
from syncd.sandbox.values import CallRefusal, as_json, stored

_UPDATED_WINDOW, _DELETED_WINDOW = timedelta(days=30), timedelta(days=15)


def answer(call: Call, parts: list[str]) -> Response:
    """Answer `sobjects[/X[/describe|/updated|/deleted|/ID|/FIELD/VALUE]]`.

    Raises:
        CallRefusal: No such object, resource or verb.
        Refusal: The record is refused.
    """
    if len(parts) == 1:
        call.allow("GET", "HEAD")
        shown = [_summary(call, one) for one in call.org.objects.values()]
        return Response(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown})
    described = call.org.objects.get(parts[1])
    if described is None:
        raise missing()
    if len(parts) == 2:
        call.allow("GET", "HEAD", "POST")
        return _create(call, described) if call.method == "POST" else _recent(call, described)
    if len(parts) == 3:
        special = {"describe": _describe, "updated": _updated, "deleted": _deleted}.get(parts[2])
        return special(call, described) if special else _row(call, described, parts[2])
    if len(parts) == 4:
        return _by_external_id(call, described, parts[2], parts[3])
    raise missing()


def _summary(call: Call, described: Object) -> dict[str, Any]:
    whole = described.describe()
    del whole["fields"], whole["recordTypeInfos"], whole["childRelationships"]
    url = f"{call.base}/sobjects/{described.name}"
    return {**whole, "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"}}


def _recent(call: Call, described: Object) -> Response:
    return Response(200, {"objectDescribe": _summary(call, described), "recentItems": []})


def _describe(call: Call, described: Object) -> Response:
    """A describe, or 304 when it did not change since: the set of visible fields is its version."""
    call.allow("GET", "HEAD")
    org = call.org
    types = [
        {**row, "IsAvailable": row["Id"] not in org.closed_record_types, "IsDefault": row["Id"] in org.default_record_types}
        for row in org.table("RecordType").rows.values()
        if row["SobjectType"] == described.name
    ]
    body = described.describe(hidden=frozenset(org.hidden), record_types=types)
    changed_at = org.described_at(described.name, repr(body))
    since = call.request.headers.get("if-modified-since")
    headers = {"Last-Modified": format_datetime(changed_at, usegmt=True)}
    if since:
        try:
            if changed_at <= parsedate_to_datetime(since).replace(tzinfo=UTC):
                return Response(304, None, headers)
        except ValueError:
            pass  # not a date: the header is ignored, as HTTP asks for
    return Response(200, body, headers)


def _create(call: Call, described: Object) -> Response:
    values = call.values(call.request.json())
    _strike(call, values)
    sf_id = call.org.save(described.name, None, values, user=call.user, headers=call.headers)
    return Response(201, {"id": sf_id, "success": True, "errors": []})


def _row(call: Call, described: Object, sf_id: str) -> Response:
    call.allow("GET", "HEAD", "PATCH", "DELETE")
    org = call.org
    if canonical(sf_id) is None:
        raise missing("Provided external ID field does not exist or is not accessible")
    found = org.find(sf_id)
    if found is None or found[0] != described.name:
        raise missing()
    row = found[1]
    if call.method in ("GET", "HEAD"):
        if row["IsDeleted"]:
            raise missing()
        wanted = [one for one in call.request.query.get("fields", "").split(",") if one]
        return Response(200, show_row(described.name, row, shown_fields(org, described.name, wanted), call.base))
    if call.method == "DELETE":
        _strike(call, {"Id": row["Id"]})
        org.remove(row["Id"], user=call.user, headers=call.headers)
        return Response(204)
    values = call.values(call.request.json())
    _strike(call, {"Id": row["Id"], **values})
    org.save(described.name, row["Id"], values, user=call.user, headers=call.headers)
    return Response(204)


def _by_external_id(call: Call, described: Object, field_name: str, value: str) -> Response:
    call.allow("GET", "HEAD", "PATCH", "DELETE")
    org, name = call.org, described.name
    one = described.find(field_name)
    if one is None or one.name in org.hidden or not (one.external_id or one.id_lookup):
        raise missing(f"Provided external ID field does not exist or is not accessible: {field_name}")
    found = _holders(call, described, one.name, value)
    if len(found) > 1:
        return Response(300, [f"{call.base}/sobjects/{name}/{row['Id']}" for row in found])
    if call.method != "PATCH":
        if not found:
            raise missing()
        return _row(call, described, found[0]["Id"])
    values = call.values(call.request.json())
    if any(key.casefold() in (one.name.casefold(), "id") for key in values):
        raise CallRefusal("INVALID_FIELD", f"The {one.name} field should not be specified in the sobject data.")
    if not found and call.request.query.get("updateOnly") == "true":
        raise missing()
    _strike(call, {one.name: value, **values})
    key = {} if one.name == "Id" else {one.name: value}
    sf_id = org.save(name, found[0]["Id"] if found else None, {**values, **key}, user=call.user, headers=call.headers)
    return Response(200 if found else 201, {"id": sf_id, "success": True, "errors": [], "created": not found})


def _holders(call: Call, described: Object, field_name: str, value: str) -> list[Row]:
    """Living records with a value in a look-up field; trimmed as a save would trim it."""
    table = call.org.table(described.name)
    if field_name == "Id":
        wanted = canonical(value) or ""
        return [row for row in (table.rows.get(wanted),) if row is not None and not row["IsDeleted"]]
    kept = stored(described.fields[field_name], value)
    return [
        row
        for row in table.with_value(field_name, [folded(kept)])
        if not row["IsDeleted"] and row.get(field_name) is not None and folded(row[field_name]) == folded(kept)
    ]


def _strike(call: Call, row: dict[str, Any]) -> None:
    (refusal,) = call.strike_rows([row])
    if refusal is not None:
        raise refusal


def _window(call: Call, longest: timedelta, shortest: timedelta) -> tuple[datetime, datetime]:
    """`start` and `end` of a request, without seconds.

    Raises:
        CallRefusal: They are missing, no dates, too close or too far back.
    """
    try:
        start, end = (
            # A plus sign that was not escaped arrives as a space.
            datetime.fromisoformat(call.request.query[key].replace(" ", "+")).astimezone(UTC).replace(second=0, microsecond=0)
            for key in ("start", "end")
        )
    except (KeyError, ValueError):
        raise CallRefusal("INVALID_FIELD", "start and end must be ISO 8601 dates") from None
    if end - start <= shortest:
        raise CallRefusal("INVALID_REPLICATION_DATE", "startDate must be before endDate")
    if call.org.clock.now() - start > longest + timedelta(minutes=1):
        raise CallRefusal("INVALID_REPLICATION_DATE", f"startDate cannot be more than {longest.days} days ago")
    return start, end


def _updated(call: Call, described: Object) -> Response:
    call.allow("GET", "HEAD")
    start, end = _window(call, _UPDATED_WINDOW, timedelta(0))
    # The oldest running transaction bounds what can be known.
    covered = min(end, call.org.clock.now() - call.org.visibility_delay)
    rows = call.org.table(described.name).since(start)
    ids = [row["Id"] for row in rows if start <= row["SystemModstamp"] <= covered and not row["IsDeleted"]]
    return Response(200, {"ids": ids, "latestDateCovered": as_json(covered)})


def _deleted(call: Call, described: Object) -> Response:
    call.allow("GET", "HEAD")
    start, end = _window(call, _DELETED_WINDOW, timedelta(minutes=1))
    covered = min(end, call.org.clock.now() - call.org.visibility_delay)
    table = call.org.table(described.name)
    gone = [(row["SystemModstamp"], row["Id"]) for row in table.since(start) if row["IsDeleted"]]
    gone += [(at, sf_id) for sf_id, at in table.purged.items()]
    records = [{"id": sf_id, "deletedDate": as_json(at)} for at, sf_id in sorted(gone) if start <= at <= covered]
    earliest = call.org.clock.now() - _DELETED_WINDOW
    return Response(
        200, {"deletedRecords": records, "earliestDateAvailable": as_json(earliest), "latestDateCovered": as_json(covered)}
    )
