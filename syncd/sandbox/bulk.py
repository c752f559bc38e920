"""Bulk API 2.0 query jobs: create, poll, results by locator (reference salesforce.md 7.5)."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.soql import parse
from syncd.sandbox.values import CallRefusal, as_json

_POLLS_UNTIL_DONE = 1


def answer(
    org: SandboxOrg, method: str, parts: list[str], query: dict[str, str], body: bytes, base: str
) -> tuple[int, Any, dict[str, str]]:
    """Answer `jobs/query...`: (status, body, headers).

    Raises:
        CallRefusal: No such job or resource.
    """
    jobs: dict[str, dict[str, Any]] = org.__dict__.setdefault("bulk_jobs", {})
    if parts[1:2] != ["query"]:
        raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
    if len(parts) == 2 and method == "POST":
        wanted = json.loads(body)
        parsed = parse(wanted["query"])
        rows = org.select(parsed, with_deleted=wanted.get("operation") == "queryAll")
        job_id = f"7505g{len(jobs):010d}AAA"
        jobs[job_id] = {
            "id": job_id,
            "object": parsed.object,
            "operation": wanted["operation"],
            "fields": parsed.fields,
            "rows": rows,
            "polls": 0,
        }
        return 200, _shown(jobs[job_id], "UploadComplete", base), {}
    job = jobs.get(parts[2]) if len(parts) > 2 else None
    if job is None:
        raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
    if len(parts) == 3 and method == "DELETE":
        del jobs[parts[2]]
        return 204, None, {}
    if len(parts) == 3:
        job["polls"] += 1
        return 200, _shown(job, "JobComplete" if job["polls"] > _POLLS_UNTIL_DONE else "InProgress", base), {}
    start = int(query.get("locator") or 0)
    size = int(query.get("maxRecords") or 50_000)
    part = job["rows"][start : start + size]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(job["fields"])
    writer.writerows([_cell(row.get(name)) for name in job["fields"]] for row in part)
    end = start + len(part)
    headers = {
        "Content-Type": "text/csv",
        "Sforce-Locator": str(end) if end < len(job["rows"]) else "null",
        "Sforce-NumberOfRecords": str(len(part)),
    }
    return 200, text.getvalue().encode(), headers


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return as_json(value)


def _shown(job: dict[str, Any], state: str, base: str) -> dict[str, Any]:
    return {
        "id": job["id"],
        "operation": job["operation"],
        "object": job["object"],
        "state": state,
        "numberRecordsProcessed": len(job["rows"]),
        "apiVersion": float(base.rsplit("v", 1)[1]),
    }
