"""Bulk API 2.0 query jobs: create, poll, abort, results by locator (reference salesforce.md 7.5)."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

from syncd.sandbox import reading
from syncd.sandbox.call import Call, missing
from syncd.sandbox.ids import long_id
from syncd.sandbox.message import Response
from syncd.sandbox.soql import Query, QueryError, parse
from syncd.sandbox.values import CallRefusal, as_json

_POLLS_UNTIL_DONE = 1
_ROWS_A_PAGE = 50_000
_DELIMITERS = {"COMMA": ",", "TAB": "\t", "SEMICOLON": ";", "PIPE": "|", "CARET": "^", "BACKQUOTE": "`"}
_LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_COMPOUND = "Address"


def answer(call: Call, parts: list[str]) -> Response:
    """Answer `jobs/query[/ID[/results]]`.

    Raises:
        CallRefusal: No such job, resource or verb.
        QueryError: The statement is not understood.
    """
    if parts[1:2] != ["query"]:
        raise missing()
    jobs = call.org.bulk_jobs
    if len(parts) == 2:
        call.allow("GET", "HEAD", "POST")
        if call.method != "POST":
            return Response(
                200, {"done": True, "nextRecordsUrl": None, "records": [_shown(job, call.base) for job in jobs.values()]}
            )
        return _create(call)
    job = jobs.get(parts[2])
    if job is None:
        raise missing()
    if len(parts) == 4 and parts[3] == "results":
        call.allow("GET", "HEAD")
        return _results(call, job)
    if len(parts) > 3:
        raise missing()
    call.allow("GET", "HEAD", "PATCH", "DELETE")
    if call.method == "DELETE":
        del jobs[parts[2]]
        return Response(204)
    if call.method == "PATCH":
        if job["state"] == "JobComplete" or (call.request.json() or {}).get("state") != "Aborted":
            raise CallRefusal("INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job["state"] = "Aborted"
    elif job["state"] in ("UploadComplete", "InProgress"):
        job["polls"] += 1
        job["state"] = "JobComplete" if job["polls"] > _POLLS_UNTIL_DONE else "InProgress"
    return Response(200, _shown(job, call.base))


def _create(call: Call) -> Response:
    org, wanted = call.org, call.request.json()
    if not isinstance(wanted, dict) or wanted.get("operation") not in ("query", "queryAll"):
        raise CallRefusal("INVALIDJOB", "operation must be query or queryAll")
    parsed = parse(str(wanted.get("query", "")))
    _check_allowed(parsed)
    fields = reading.columns(org, parsed)
    org.numbers["750"] += 1
    job_id = long_id("750", org.numbers["750"])
    org.bulk_jobs[job_id] = {
        "id": job_id,
        "object": parsed.object,
        "operation": wanted["operation"],
        "state": "UploadComplete",
        "columnDelimiter": wanted.get("columnDelimiter", "COMMA"),
        "lineEnding": wanted.get("lineEnding", "LF"),
        "createdDate": as_json(org.clock.now()),
        "createdById": call.user,
        "fields": fields,
        "rows": org.select(parsed, with_deleted=wanted["operation"] == "queryAll"),
        "polls": 0,
    }
    return Response(200, _shown(org.bulk_jobs[job_id], call.base))


def _check_allowed(query: Query) -> None:
    if query.aggregates or query.groups or query.offset:
        raise QueryError("Bulk queries take no aggregates, no GROUP BY and no OFFSET", "FEATURENOTENABLED")
    if any(name.casefold() == _COMPOUND.casefold() for name in query.fields):
        raise QueryError("Selecting compound data not supported in Bulk Query", "FEATURENOTENABLED")


def _results(call: Call, job: dict[str, Any]) -> Response:
    if job["state"] != "JobComplete":
        raise CallRefusal("INVALIDJOBSTATE", f"Results are not available in state {job['state']}")
    try:
        start = int(call.request.query.get("locator") or 0)
        size = int(call.request.query.get("maxRecords") or _ROWS_A_PAGE)
    except ValueError:
        raise CallRefusal("INVALID_QUERY_LOCATOR", "invalid query locator") from None
    if not 0 <= start <= len(job["rows"]) or size < 1:
        raise CallRefusal("INVALID_QUERY_LOCATOR", "invalid query locator")
    part = job["rows"][start : start + size]
    text = io.StringIO(newline="")
    delimiter, ending = _DELIMITERS.get(job["columnDelimiter"], ","), _LINE_ENDINGS.get(job["lineEnding"], "\n")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(job["fields"])
    writer.writerows([_cell(row.get(name)) for name in job["fields"]] for row in part)
    end = start + len(part)
    headers = {
        "Content-Type": "text/csv",
        "Sforce-Locator": str(end) if end < len(job["rows"]) else "null",
        "Sforce-NumberOfRecords": str(len(part)),
    }
    return Response(200, text.getvalue().encode(), headers)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        # CSV has the short form of the offset, unlike JSON.
        return str(as_json(value)).replace("+0000", "Z")
    return "" if value is None else as_json(value)


def _shown(job: dict[str, Any], base: str) -> dict[str, Any]:
    hidden = ("fields", "rows", "polls")
    return {
        **{key: value for key, value in job.items() if key not in hidden},
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "jobType": "V2Query",
        "apiVersion": float(base.rsplit("v", 1)[1]),
        "numberRecordsProcessed": len(job["rows"]) if job["state"] == "JobComplete" else 0,
    }
