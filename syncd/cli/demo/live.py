"""The daemon's act: a web site sends leads while the newsletter's history is filled in; a forger and an impatient sender join.

What is sent is signed as a real sender would (Standard Webhooks 1.0.0), over real HTTP; ages are told by the org's own history.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from urllib.parse import urlencode

from syncd.cli.demo.stage import SITE_SECRET, Daemon, Stage, post, wait_until
from syncd.sandbox import AUDIENCE

_LATE_MEMBERS = 6_000
_LATE_SEED = 99
_TYPED_FORM = "application/x-www-form-urlencoded"
_PATIENCE_SECONDS = 5.0
_LIMIT_SECONDS = 90.0
_BEGUN, _STEP = 300, 300
"""New leads of the back-fill before the first request, and between two: so all are sent while it runs, on any machine."""
_NAMES = (
    ("Tabitha", "Babbitt"),
    ("Hertha", "Ayrton"),
    ("Mileva", "Maric"),
    ("Annie", "Easley"),
    ("Beulah", "Henry"),
    ("Melitta", "Bentz"),
    ("Wang", "Zhenyi"),
    ("Valerie", "Thomas"),
)


@dataclass
class Sent:
    """One request of the site: what it is, when it was answered and after how long, and when its lead was in the org (seconds)."""

    what: str
    email: str
    status: int = 0
    answered_at: float = 0.0
    answer_seconds: float = 0.0
    arrived_at: float | None = None
    backfilled: int = 0

    @property
    def age_seconds(self) -> float | None:
        """From the answer to the org; None if it never came."""
        return None if self.arrived_at is None else max(0.0, self.arrived_at - self.answered_at)


@dataclass
class Live:
    """What came of the act: requests in order, leads of the back-fill, and when the last of them came."""

    sent: list[Sent] = field(default_factory=list)
    backfilled: int = 0
    backfill_ended_at: float = 0.0
    exit_code: int | None = None


class LiveAct:
    """Plays it; `tick` is called all the while."""

    def __init__(self, stage: Stage, tick: Callable[[], None]) -> None:
        """Nothing was sent yet."""
        self._stage = stage
        self._tick = tick
        self._live = Live()
        self._leads_before = stage.lead_count()

    def play(self, known: str) -> Live:
        """Start the daemon, fill, send, and stop it; `known` is the address of somebody who is a lead already.

        Raises:
            ConfigError: The daemon did not come up, or did not get done; its log says why.
        """
        stage, live = self._stage, self._live
        now = stage.mailchimp.clock.now()
        stage.mailchimp.populate(AUDIENCE, _LATE_MEMBERS, start=now - timedelta(days=700), seconds=86_400 * 300, seed=_LATE_SEED)
        before = len(stage.org.audit)
        stage.org.faults.add_latency(0.05)
        daemon = Daemon(stage.folder, self._tick, _LIMIT_SECONDS)
        try:
            port = daemon.port()
            asked = stage.syncd("source", "backfill", "newsletter", "--from", f"{now - timedelta(days=800):%Y-%m-%d}", "--yes")
            asked.communicate()
            daemon.until(partial(self._has_filled, _BEGUN), "the back-fill has begun")
            for number, one in enumerate(_requests(known)):
                wait_until(partial(self._has_filled, _BEGUN + number * _STEP), daemon.process, self._tick, _PATIENCE_SECONDS)
                self._send(port, *one)
            self._wait_for_the_end(daemon)
        finally:
            live.exit_code = daemon.stop()
        stage.org.faults.clear()
        self._note_arrivals(before)
        return live

    def _has_filled(self, leads: int) -> bool:
        return self._stage.lead_count() - self._leads_before >= leads

    def _send(self, port: int, what: str, email: str, body: bytes, headers: dict[str, str]) -> None:
        began = time.time()  # noqa: TID251 - compared with the sandbox's own clock
        status = post(port, "site", body, headers)
        answered = time.time()  # noqa: TID251
        backfilled = self._stage.lead_count() - self._leads_before - len(self._live.sent)
        self._live.sent.append(Sent(what, email, status, answered, answered - began, backfilled=backfilled))

    def _wait_for_the_end(self, daemon: Daemon) -> None:
        """Until the range is read and nothing waits any more, in the journal, the inbox or the outbox."""
        from syncd.app.lanes import ranges
        from syncd.wiring import open_house

        with closing(open_house(self._stage.folder / "syncd.yaml")) as house:

            def is_done() -> bool:
                queues = house.store.queues()
                return not (ranges(house.store) or queues["waiting"] or queues["open_operations"] or house.journal.backlog())

            daemon.until(is_done, "everything has arrived")

    def _note_arrivals(self, before: int) -> None:
        """Ages by the org's history: the first write of each lead after it was sent."""
        stage, live = self._stage, self._live
        address = {str(row["Id"]): str(row.get("Email") or "").lower() for row in stage.org.rows("Lead")}
        # Of one that is sent twice the first counts.
        wanted = {one.email.lower(): one for one in reversed(live.sent) if one.status < 400}
        for entry in stage.org.audit[before:]:
            if entry.object != "Lead" or entry.user != stage.org.integration_user_id:
                continue
            at = entry.at.timestamp()
            one = wanted.get(address.get(entry.sf_id, ""))
            if one is None:
                live.backfilled += entry.action == "create"
                live.backfill_ended_at = max(live.backfill_ended_at, at if entry.action == "create" else 0.0)
            elif one.arrived_at is None:
                one.arrived_at = at


def _requests(known: str) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """What is sent: name of the case, address, body and headers."""
    for number, (first, last) in enumerate(_NAMES, start=1):
        email = f"{first}.{last}@example.org".lower()
        yield ("a new lead", email, *_signed(f"msg_{number}", email, first, last))
    first, last = _NAMES[0]
    email = f"{first}.{last}@example.org".lower()
    yield ("sent again by an impatient sender", email, *_signed("msg_1", email, first, last))
    yield ("somebody the org knows", known, *_signed("msg_known", known, "", "", phone="+49 30 5550199"))
    body, headers = _signed("msg_forged", "mallory@example.org", "Mallory", "Forger")
    yield "forged", "mallory@example.org", body.replace(b"Mallory", b"Malice"), headers
    form = {"first_name": "Ida", "last_name": "Rhodes", "email": "ida.rhodes@example.org", "company": "C-10", "website_2": ""}
    yield "a plain HTML form", form["email"], urlencode(form).encode(), {"Content-Type": _TYPED_FORM}


def _signed(name: str, email: str, first: str, last: str, **more: str) -> tuple[bytes, dict[str, str]]:
    """A lead as JSON, with the headers of Standard Webhooks."""
    person = {"email": email, "first_name": first, "last_name": last, "company": "Langley Research", **more}
    body = json.dumps({"type": "lead.created", "data": {key: value for key, value in person.items() if value}}).encode()
    stamp = str(int(time.time()))  # noqa: TID251
    key = base64.b64decode(SITE_SECRET.removeprefix("whsec_"))
    mark = base64.b64encode(hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    return body, {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{mark}",
    }
