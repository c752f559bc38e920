"""The floor of bench/extraction.py: four threads that fetch every page of an audience by offset and count its rows.

Runs as a script in a process of its own, `python bench/lib/bare.py JSON`, and prints its figures as JSON. Nothing is checked, tried
again or kept: bytes are read to their end, and of the JSON only the number of rows is looked at.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any

import msgspec
from floor import mailchimp_session, queries

_THREADS = 4
_TIMEOUT_SECONDS = 120


class _Page(msgspec.Struct):
    members: list[msgspec.Raw]


class _Reader:
    """The loop of one thread; the pages still to do are common to all."""

    def __init__(self, job: dict[str, Any], members: str, pages: queue.SimpleQueue[dict[str, str]]) -> None:
        self._session, self._members, self._fields, self._pages = mailchimp_session(job["api_key"]), members, job["fields"], pages
        self.count = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """Until no page is left."""
        decoder = msgspec.json.Decoder(_Page)
        try:
            while True:
                try:
                    page = self._pages.get_nowait()
                except queue.Empty:
                    return
                answer = self._session.get(self._members, params={**page, "fields": self._fields}, timeout=_TIMEOUT_SECONDS)
                answer.raise_for_status()
                self.count += len(decoder.decode(answer.content).members)
        except Exception as error:  # noqa: BLE001 - handed to the main thread
            self.error = error


def read(job: dict[str, Any]) -> dict[str, float]:
    """Read everything; gives `members`, `seconds` and `cpu_seconds`.

    Raises:
        requests.RequestException: A call failed; the floor does not try again.
    """
    start, cpu = time.perf_counter(), time.process_time()
    members = f"{job['root']}/lists/{job['audience']}/members"
    pages: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    for page in queries(mailchimp_session(job["api_key"]), members, ""):
        pages.put(page)
    readers = [_Reader(job, members, pages) for _ in range(_THREADS)]
    threads = [threading.Thread(target=one.run) for one in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in readers:
        if one.error is not None:
            raise one.error
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    return {"members": sum(one.count for one in readers), **spent}


if __name__ == "__main__":
    print(json.dumps(read(json.loads(sys.argv[1]))))
