"""The subject of bench/extraction.py: Mailchimp's own `pull`, a few pages ahead of whoever takes them, as `syncd.run.feed` drives it.

Runs as a script in a process of its own, `python bench/lib/pulling.py JSON`, and prints its figures as JSON. With `store` every page
goes into the inbox there, its cursor with it; otherwise it is thrown away.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

from connectors.mailchimp import CONNECTOR, MailchimpOptions
from syncd.clock import SystemClock
from syncd.connector import Page, Secret, Session, limits_of
from syncd.http import Caller, make_session
from syncd.model import Lane
from syncd.run.feed import PAGES_AHEAD
from syncd.store import open_store

Pages = queue.Queue[Page | Exception | None]


def _session(options: MailchimpOptions, clock: SystemClock) -> Session:
    """What `wiring` lends."""
    limits = limits_of(CONNECTOR, options)
    way = make_session(read_timeout=limits.read_timeout_seconds, pool_size=limits.connections, pool_block=True)
    caller = Caller(way, clock, connections=limits.connections, calls_per_second=limits.calls_per_second)
    return Session(
        Path(), settle_seconds=0.0, page_size_records=CONNECTOR.page_size_records, calls_at_once=limits.connections, http=caller
    )


def _read(session: Session, options: MailchimpOptions, clock: SystemClock, pages: Pages) -> None:
    try:
        for page in CONNECTOR.pull(session, options, "members", None, clock.now()):
            pages.put(page)
    except Exception as error:  # noqa: BLE001 - handed to the main thread
        pages.put(error)
    pages.put(None)


def extract(job: dict[str, Any]) -> dict[str, float]:
    """Read everything; gives `members`, `seconds` and `cpu_seconds`. Raises what the pull raises."""
    clock = SystemClock()
    options = MailchimpOptions(api_key=Secret(job["api_key"], "bench"), base_url=job["root"], audiences=[job["audience"]])
    store = open_store(job["store"], clock=clock) if "store" in job else None
    start, cpu = time.perf_counter(), time.process_time()
    pages: Pages = queue.Queue(PAGES_AHEAD)
    threading.Thread(target=_read, args=(_session(options, clock), options, clock, pages), daemon=True).start()
    members = 0
    while (page := pages.get()) is not None:
        if isinstance(page, Exception):
            raise page
        members += len(page.records)
        if store is not None:
            store.put_page("bench", "newsletter", "members", page, Lane.BACKFILL, clock.now())
    spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    if store is not None:
        store.close()
    return {"members": members, **spent}


if __name__ == "__main__":
    print(json.dumps(extract(json.loads(sys.argv[1]))))
