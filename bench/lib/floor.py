"""The floor of bench/mailchimp.py: four threads that copy members into leads, and nothing else.

No mapping, no identity, no ledger, no retry: each thread fetches a page, posts what it can in calls of 200, fetches the next.
Runs as a script in a process of its own, `python bench/lib/floor.py JSON` with the fields of `Job`, and prints its figures as JSON.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

PAGE_ROWS = 1_000
_BODY_ROWS = 200
_THREADS = 4
_TIMEOUT_SECONDS = 120
_FILLED = (("FNAME", "FirstName"), ("LNAME", "LastName"), ("COMPANY", "Company"), ("PHONE", "Phone"))
_SKIPPED = ("pending", "cleaned", "archived")


@dataclass(frozen=True)
class Job:
    """What to copy from where to where.

    Attributes:
        members: URL of the audience's members. fields: What of each page is wanted. since: Only members changed after it; `""`: all.
        org: URL of the org. ca_file: The authority that signed for it.
        consumer_key, consumer_secret: Of the org. api_key: Of Mailchimp.
    """

    members: str
    fields: str
    api_key: str
    org: str
    ca_file: str
    consumer_key: str
    consumer_secret: str
    since: str = ""


def listings(since: str) -> list[dict[str, str]]:
    """The queries that show every member, or every changed one; archived members are a list of their own."""
    order = {"sort_field": "last_changed", "sort_dir": "ASC"}
    return [{**order, "since_last_changed": since}] if since else [order, {**order, "status": "archived"}]


def queries(session: requests.Session, members: str, since: str) -> Iterator[dict[str, str]]:
    """The query of each page, by offset; asks for the totals first."""
    for listing in listings(since):
        only_total = {**listing, "fields": "total_items", "count": "1"}
        total = session.get(members, params=only_total, timeout=_TIMEOUT_SECONDS).json()["total_items"]
        for offset in range(0, total, PAGE_ROWS):
            yield {**listing, "count": str(PAGE_ROWS), "offset": str(offset)}


def mailchimp_session(api_key: str) -> requests.Session:
    """A plain session with the key."""
    session = requests.Session()
    session.trust_env = False
    session.auth = ("floor", api_key)
    return session


class _Copier:
    """The loop of one thread; the pages still to do are common to all."""

    def __init__(self, job: Job, pages: queue.SimpleQueue[dict[str, str]], token: str) -> None:
        self._job, self._pages = job, pages
        self._source, self._target = mailchimp_session(job.api_key), requests.Session()
        self._target.trust_env, self._target.verify = False, job.ca_file
        self._target.headers["Authorization"] = f"Bearer {token}"
        self._rows: list[dict[str, Any]] = []
        self.fetched = self.posted = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """Until no page is left."""
        try:
            while True:
                try:
                    page = self._pages.get_nowait()
                except queue.Empty:
                    break
                self._copy(page)
            self._post(least=1)
        except Exception as error:  # noqa: BLE001 - handed to the main thread
            self.error = error

    def _copy(self, page: dict[str, str]) -> None:
        answer = self._source.get(self._job.members, params={**page, "fields": self._job.fields}, timeout=_TIMEOUT_SECONDS)
        answer.raise_for_status()
        members = answer.json()["members"]
        self.fetched += len(members)
        self._rows += [_lead(one) for one in members if one["status"] not in _SKIPPED]
        self._post(least=_BODY_ROWS)

    def _post(self, least: int) -> None:
        while len(self._rows) >= least:
            body, self._rows = self._rows[:_BODY_ROWS], self._rows[_BODY_ROWS:]
            url = f"{self._job.org}/services/data/v62.0/composite/sobjects/Lead/Syncd_Id__c"
            answer = self._target.patch(url, json={"allOrNone": False, "records": body}, timeout=_TIMEOUT_SECONDS)
            answer.raise_for_status()
            self.posted += sum(one["success"] for one in answer.json())


def _lead(member: dict[str, Any]) -> dict[str, Any]:
    """The fields that the bundled mapping fills, as they came."""
    told = member["merge_fields"]
    filled: dict[str, Any] = {field: told[tag] for tag, field in _FILLED if told[tag]}
    if member["status"] == "unsubscribed":
        filled["HasOptedOutOfEmail"] = True
    fixed = {"attributes": {"type": "Lead"}, "Syncd_Id__c": member["contact_id"], "LeadSource": "Mailchimp"}
    return {"LastName": "[not provided]", "Company": "[not provided]", **filled, "Email": member["email_address"], **fixed}


def copy(job: Job) -> dict[str, float]:
    """Copy everything; gives `fetched`, `posted` and `seconds`.

    Raises:
        requests.RequestException: A call failed; the floor does not retry.
    """
    start = time.perf_counter()
    with requests.Session() as session:
        session.trust_env, session.verify = False, job.ca_file
        asked = {"grant_type": "client_credentials"}
        auth = (job.consumer_key, job.consumer_secret)
        url = f"{job.org}/services/oauth2/token"
        token = session.post(url, data=asked, auth=auth, timeout=_TIMEOUT_SECONDS).json()["access_token"]
    pages: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    for page in queries(mailchimp_session(job.api_key), job.members, job.since):
        pages.put(page)
    copiers = [_Copier(job, pages, token) for _ in range(_THREADS)]
    threads = [threading.Thread(target=one.run) for one in copiers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in copiers:
        if one.error is not None:
            raise one.error
    counts = {"fetched": sum(one.fetched for one in copiers), "posted": sum(one.posted for one in copiers)}
    return {**counts, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    print(json.dumps(copy(Job(**json.loads(sys.argv[1])))))
