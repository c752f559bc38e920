"""Faults on demand: what real networks, orgs and vendors do to a client, switched on for chosen requests; each shapes its own bodies."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What goes wrong. Those of rows are the org's only."""

    UNAVAILABLE = "unavailable"  # 503, nothing done
    LIMIT = "limit"  # 403: REQUEST_LIMIT_EXCEEDED of the org, a bare one without JSON of Mailchimp
    THROTTLED = "throttled"  # 429: an HTML body of the org, a problem without headers of Mailchimp
    EXPIRED = "expired"  # 401: the org's token is dead; Mailchimp finds this one call's key invalid
    FORBIDDEN = "forbidden"  # 403 as a problem, of Mailchimp only: the key's user may not
    ERROR = "error"  # 500, nothing done
    CUT_BEFORE = "cut_before"  # connection cut before anything was done
    CUT_AFTER = "cut_after"  # done, but the answer is lost
    LATE = "late"  # the client gives up waiting; the work is done `seconds`, or `after` requests, afterwards
    CUT_BODY = "cut_body"  # done; the JSON ends in the middle, in a well-formed response with status 200
    CUT_STREAM = "cut_stream"  # done; the connection dies in the middle of the body
    HTML = "html"  # done; an HTML page with status 200
    HTML_503 = "html_503"  # nothing done; an HTML page with status 503
    EMPTY_PAGE = "empty_page"  # of Mailchimp only: no members in a page, the total true
    LATENCY = "latency"  # slow, otherwise well
    ROW_LOCK = "row_lock"  # UNABLE_TO_LOCK_ROW for rows whose text matches `rows`
    POISON = "poison"  # a row whose text matches `rows` fails the whole call with 500
    GOVERNOR = "governor"  # a row that matches `rows`, or more than `after` rows, make a trigger fail for every row of the call


_OF_ORGS = frozenset(Kind) - {Kind.FORBIDDEN, Kind.EMPTY_PAGE}


@dataclass
class Fault:
    """One fault: which requests, how often, how likely.

    Attributes:
        path: Regular expression on the path; `method` is exact, `""` any.
        skip: Matching requests to let through first. times: How many to hit; -1 for ever.
        probability: Chance for each match, by the seed.
        seconds: For LATENCY and LATE; Retry-After of UNAVAILABLE and THROTTLED; how long a server holds on to what it never answers.
        rows: Regular expression on a row's JSON, for ROW_LOCK, POISON and GOVERNOR.
        share: Share (0.0-1.0) of the matching rows that ROW_LOCK strikes, by the seed.
        after: Of LATE, requests until the work is done, whatever the clock says; of GOVERNOR, rows that still pass.
    """

    kind: Kind
    path: str = ""
    method: str = ""
    times: int = 1
    skip: int = 0
    probability: float = 1.0
    seconds: float = 0.0
    rows: str = ""
    share: float = 1.0
    after: int = 0


class FaultBox:
    """The faults of one model; safe for threads."""

    def __init__(self, seed: int = 0, kinds: frozenset[Kind] = _OF_ORGS) -> None:
        """No faults; `kinds` are those that the model can have."""
        self._kinds = kinds
        self._faults: list[Fault] = []
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.hits: dict[str, int] = {}

    def add(self, kind: Kind | str, path: str = "", **options: object) -> Fault:
        """Switch a fault on; see Fault for the options.

        Raises:
            ValueError: The model cannot have it: a test that waits for it would prove nothing.
        """
        fault = Fault(Kind(kind), path, **options)  # type: ignore[arg-type]
        if fault.kind not in self._kinds:
            raise ValueError(f"{kind} cannot strike here.")
        with self._lock:
            self._faults.append(fault)
        return fault

    def add_latency(self, seconds: float) -> Fault:
        """Make every request slow."""
        return self.add(Kind.LATENCY, times=-1, seconds=seconds)

    def strikes_row(self, fault: Fault, text: str) -> bool:
        """Whether a row, as JSON, is among those that a fault strikes."""
        if not re.search(fault.rows, text):
            return False
        if fault.share >= 1.0:
            return True
        with self._lock:
            return self._chance.random() < fault.share

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._faults.clear()

    def hit(self, method: str, path: str) -> list[Fault]:
        """The faults that strike this request; each strike counts."""
        struck: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                if fault.times == 0 or (fault.method and fault.method != method) or not re.search(fault.path, path):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.probability < 1.0 and self._chance.random() >= fault.probability:
                    continue
                fault.times -= 1
                self.hits[fault.kind] = self.hits.get(fault.kind, 0) + 1
                struck.append(fault)
        return struck
