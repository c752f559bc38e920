"""Bulk API 2.0 query jobs, for first fills (reference salesforce.md 7.5). Nothing is kept: a lost job is started anew."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from syncd.clock import Clock
from syncd.errors import ContractError, SalesforceUnavailableError
from syncd.salesforce.connection import Answer, Connection
from syncd.salesforce.faults import BusyError

_MAX_RECORDS = 50_000
"""Always named: one giant answer can stall without a sign."""
_ROWS_PER_SLICE = 2_000
_FIRST_POLL_SECONDS = 2.0
_LONGEST_POLL_SECONDS = 30.0
_JOB_SECONDS = 4 * 3600.0


class _ResultPage(NamedTuple):
    text: str
    row_count: int
    locator: str | None


def bulk_rows(connection: Connection, clock: Clock, soql: str) -> Iterator[list[dict[str, str]]]:
    """Yield the rows of a query job (deleted ones too), up to 2,000 at a time, as column name to text.

    Raises:
        SalesforceUnavailableError: The job failed, was aborted or did not end within 4 hours.
        ContractError: A page cannot be read, or the sums do not match: such a page is never the end.
        AuthError, BudgetExhausted: As Connection.read.
    """
    # Starting a job twice costs a job, not data: it is repeated like a read.
    job_id = connection.read("jobs/query", _job_id, method="POST", body={"operation": "queryAll", "query": soql})
    expected = _wait(connection, clock, job_id)
    count = 0
    locator: str | None = ""
    while locator is not None:
        path = f"jobs/query/{job_id}/results?maxRecords={_MAX_RECORDS}"
        if locator:
            path += f"&locator={quote(locator, safe='')}"
        page = connection.read(path, _parse_results, raw=True)
        if page.locator == locator:
            raise ContractError("Salesforce named the same result page of a query job twice.")
        count += page.row_count
        locator = page.locator
        yield from _slices(page.text)
    if expected is not None and count != expected:
        raise ContractError(f"Salesforce announced {expected} rows of a query job and gave {count}.")


def _job_id(answer: Answer) -> str:
    job_id = answer.body.get("id") if isinstance(answer.body, Mapping) else None
    if not isinstance(job_id, str) or not job_id.isalnum():
        raise ContractError("Salesforce started a query job without an id.")
    return job_id


def _wait(connection: Connection, clock: Clock, job_id: str) -> int | None:
    """Wait for the end of the job; how many rows it has, None if it does not say."""
    started = clock.monotonic()
    pause = _FIRST_POLL_SECONDS
    while True:
        job: Any = connection.read(f"jobs/query/{job_id}", lambda answer: answer.body)
        state = job.get("state") if isinstance(job, Mapping) else None
        if state == "JobComplete":
            rows = job.get("numberRecordsProcessed")
            return rows if isinstance(rows, int) else None
        if state in ("Failed", "Aborted"):
            raise SalesforceUnavailableError(
                f"The query job {job_id} ended as {state}.",
                advice="It is started anew with the next pass; see Bulk Data Load Jobs in Setup if this repeats.",
                detail=str(job.get("errorMessage") or ""),
            )
        if state not in ("Open", "UploadComplete", "InProgress"):
            raise ContractError(f"Salesforce gave the query job {job_id} a state that is not documented.")
        if clock.monotonic() - started > _JOB_SECONDS:
            raise SalesforceUnavailableError(f"The query job {job_id} did not end within 4 hours.")
        clock.sleep(pause)
        pause = min(pause * 2, _LONGEST_POLL_SECONDS)


def _parse_results(answer: Answer) -> _ResultPage:
    """One result page: bytes of UTF-8, cells may hold line ends."""
    if "html" in answer.headers.get("Content-Type", "").lower():
        raise BusyError("Salesforce answered a query job with a web page.", retry_after_seconds=None)
    locator = answer.headers.get("Sforce-Locator")
    if locator is None:
        raise ContractError("Salesforce gave a result page without Sforce-Locator.")
    try:
        text = answer.body.decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        head = next(lines, [])
        lengths = [len(line) for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ContractError("Salesforce gave a result page that is not CSV in UTF-8.") from error
    if "Id" not in head or any(length != len(head) for length in lengths):
        raise ContractError("Salesforce gave a result page with ragged rows or without Id.")
    stated = answer.headers.get("Sforce-NumberOfRecords", "")
    if stated.isdigit() and int(stated) != len(lengths):
        raise ContractError(f"Salesforce announced {stated} rows on a result page and gave {len(lengths)}.")
    return _ResultPage(text, len(lengths), None if locator in ("null", "") else locator)


def _slices(text: str) -> Iterator[list[dict[str, str]]]:
    """The rows of a checked page, few at a time: 50,000 of them as dicts would take some 100 MB."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    while part := list(itertools.islice(rows, _ROWS_PER_SLICE)):
        yield part
