"""`ui-api/object-info/X/picklist-values/RECORD_TYPE[/FIELD]`: what a record type offers, a lead process among it.

Source: User Interface API Developer Guide, "Get Values for a Picklist Field" (v41.0 and later) and "... for All Picklist Fields",
checked 2026-11-28; attributes of values are left null.
"""

from __future__ import annotations

from typing import Any

from syncd.sandbox.call import Call, missing
from syncd.sandbox.ids import canonical
from syncd.sandbox.message import Response
from syncd.sandbox.schema import MASTER_RECORD_TYPE, Field

PROCESSES = {"Lead": "Status", "Opportunity": "StageName"}
"""Objects to the field that a process of a record type narrows."""


def answer(call: Call, parts: list[str]) -> Response:
    """Answer a call for one field or all of them.

    Raises:
        CallRefusal: No such resource, object, record type or picklist.
    """
    call.allow("GET", "HEAD")
    described = call.org.objects.get(parts[2]) if len(parts) in (5, 6) else None
    if described is None or (parts[1], parts[3]) != ("object-info", "picklist-values"):
        raise missing()
    record_type = canonical(parts[4])
    row = call.org.table("RecordType").rows.get(record_type or "")
    if record_type != MASTER_RECORD_TYPE and (row is None or row["SobjectType"] != described.name):
        raise missing()
    url = f"{call.base}/{'/'.join(parts[:4])}/{record_type}"
    process = call.org.processes.get(str(record_type))
    shown = {
        one.name: _shown(one, process if PROCESSES.get(described.name) == one.name else None, f"{url}/{one.name}")
        for one in described.fields.values()
        if one.type == "picklist" and one.name not in call.org.hidden
    }
    if len(parts) == 5:
        return Response(200, {"picklistFieldValues": shown})
    if parts[5] not in shown:
        raise missing()
    return Response(200, shown[parts[5]])


def _shown(one: Field, process: list[str] | None, url: str) -> dict[str, Any]:
    """A process narrows what the field offers, and holds nothing that it no longer does."""
    values: list[dict[str, Any]] = [
        {"attributes": None, "label": value, "validFor": [], "value": value}
        for value in one.picklist
        if process is None or value in process
    ]
    default = next((value for value in values if value["value"] == one.default), None)
    return {"controllerValues": {}, "defaultValue": default, "url": url, "values": values}
