"""A world with a vendor of both kinds: its ad forms can be read, and it says by itself that somebody has filled one in.

The vendor lives in process and shares the world's clock; what reads it is a whole connector with the real HTTP layer.
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from syncd import log, metrics
from syncd.clock import FixedClock
from syncd.config import load_settings
from syncd.connector import (
    Delivery,
    Health,
    HttpRequest,
    Options,
    Page,
    Reception,
    Record,
    Reject,
    Secret,
    Session,
    Verdict,
    Wanted,
)
from syncd.errors import ContractError
from syncd.http import make_session
from syncd.model import Lane
from syncd.run.context import Scope
from syncd.run.fetch import Fetcher
from syncd.run.one_pass import Summary
from syncd.wiring import House, known_connectors
from tests.world import BOOTH, World

SECRET = "s3cret-of-the-form"
SOURCE = "  {name}: {{type: adforms, base_url: https://{name}.test{secret}, mapping: ads}}\n"
MAPPING = """\
version: 1
stream: leads
create: always
lead:
  Email:       {from: email, as: email}
  LastName:    {from: last, as: name}
  Company:     {from: company, default: "[not provided]"}
  Title:       {from: title}
touch: {channel: paid}
overwrite: if_unchanged
"""
PATIENCE_SECONDS = 30.0
"""How long a test waits for a thread, on a busy machine."""


class AdVendor(BaseAdapter):
    """The vendor, mounted on a session. `calls` counts paths; `refuses` gives a status and headers instead of every answer."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock
        self.leads: dict[str, dict[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.refuses: tuple[int, dict[str, str]] | None = None
        self.hidden: Counter[str] = Counter()
        """Ids with how often they are not there yet."""
        self.gates: dict[str, threading.Event] = {}
        """Paths whose answers wait."""
        self.asked = threading.Event()
        """Set when somebody waits at a gate."""

    def fill(self, email: str, **more: str) -> str:
        """Somebody fills in the form; gives the id."""
        number = str(len(self.leads) + 1)
        self.leads[number] = {"id": number, "email": email, "last": "Byron", "company": "Engines", **more}
        self.change(number)
        return number

    def change(self, number: str, **changes: str) -> None:
        """Somebody corrects it."""
        self.leads[number] |= {"updated_at": self._clock.now().isoformat(), **changes}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer."""
        path, _, query = str(request.path_url).partition("?")
        self.calls[path] += 1
        status, headers, found = self._answer(path.rpartition("/")[2], query)
        gate = self.gates.get(path)
        if gate is not None:
            self.asked.set()
            assert gate.wait(PATIENCE_SECONDS), "nobody opened the gate"
        body = json.dumps(found).encode()
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.headers.update(headers)
        response.raw = HTTPResponse(body=io.BytesIO(body), status=status, preload_content=False)
        return response

    def _answer(self, name: str, query: str) -> tuple[int, dict[str, str], Any]:
        if self.refuses is not None:
            return *self.refuses, {"error": "refused"}
        if name == "leads":
            since = query.removeprefix("since=")
            return 200, {}, {"leads": [one for one in self.leads.values() if one["updated_at"] >= since]}
        if self.hidden[name] > 0:
            self.hidden[name] -= 1
            return 404, {}, {"error": "not found"}
        return (200, {}, self.leads[name]) if name in self.leads else (404, {}, {"error": "not found"})

    def close(self) -> None:
        """Nothing to close."""


class _Lead(msgspec.Struct):
    id: str
    updated_at: datetime


class _Leads(msgspec.Struct):
    leads: list[msgspec.Raw]


class AdFormsOptions(Options):
    """Options of `type: adforms`. Without a secret it is only polled."""

    base_url: str
    secret: Secret | None = None
    streams: tuple[str, ...] = ("leads",)


class _MissingError(ContractError):
    """There is no such lead, or not yet."""


class AdForms:
    """Polled, sent to, and asked for what was announced."""

    name = "adforms"
    Options = AdFormsOptions

    def check(self, session: Session, options: AdFormsOptions) -> Health:
        del session, options
        return Health(True)

    def streams(self, options: AdFormsOptions) -> tuple[str, ...]:
        return options.streams

    def pull(
        self, session: Session, options: AdFormsOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        del stream
        since = str((cursor or {}).get("since", ""))
        reply = session.http.get(f"{options.base_url}/leads", _Leads, query=f"since={since}")
        found = tuple(_record(bytes(one)) for one in reply.value.leads)
        yield Page(found, {"since": until.isoformat()}, is_last=True)

    def cursor_at(self, options: AdFormsOptions, stream: str, at: datetime) -> dict[str, Any]:
        del options, stream
        return {"since": at.isoformat()}

    def reception(self, options: AdFormsOptions) -> Reception | None:
        return None if options.secret is None else Reception(methods=("POST", "GET", "HEAD"))

    def verify(self, request: HttpRequest, options: AdFormsOptions, at: datetime) -> Verdict:
        del at
        assert options.secret is not None
        if request.method == "HEAD":
            return Verdict(status=200, is_stored=False)
        if options.secret.reveal() not in (request.tail, request.query.get("token")):
            return Verdict(refusal="bad_signature", status=401)
        if request.method == "GET":
            return Verdict(status=200, is_stored=False, answer=request.query.get("challenge", "").encode())
        if b'"challenge"' in request.body:
            return Verdict(status=200, is_stored=False, answer=request.body, answer_type="application/json")
        return Verdict(status=200)

    def stream_of(self, delivery: Delivery, options: AdFormsOptions) -> str:
        del options
        return str(msgspec.json.decode(delivery.body).get("stream", "leads"))

    def parse(self, delivery: Delivery, options: AdFormsOptions) -> tuple[Record | Reject | Wanted, ...]:
        del options
        said = msgspec.json.decode(delivery.body)
        if "lead" in said:
            return (_record(msgspec.json.encode(said["lead"])),)
        return (Wanted(said["id"], delivery.body, delivery.received_at, f"lead {said['id']}"),)

    def fetch(self, session: Session, options: AdFormsOptions, wanted: Wanted) -> Record | Reject | None:
        url = f"{options.base_url}/leads/{wanted.key}"
        try:
            return _record(session.http.get(url, msgspec.Raw, rows={404: _MissingError}).body)
        except _MissingError:
            return None


def _record(payload: bytes) -> Record:
    lead = msgspec.json.decode(payload, type=_Lead)
    return Record(lead.id, payload, lead.updated_at, locator=f"lead {lead.id}")


@dataclass
class Ads(World):
    """A world with `ads` (and, with `has_other`, one more vendor `other`) beside the drop folder."""

    has_other: bool = False
    vendors: dict[str, AdVendor] = field(default_factory=dict)
    connector: AdForms = field(default_factory=AdForms)
    text: io.StringIO = field(default_factory=io.StringIO)
    """What all processes have logged."""

    def __post_init__(self) -> None:
        """Open the vendors for business."""
        self.vendors = {name: AdVendor(self.clock) for name in (("ads", "other") if self.has_other else ("ads",))}
        self.sources = self._configured(f", secret: {SECRET}")
        super().__post_init__()
        self.write("mappings/ads.yaml", MAPPING)

    def _configured(self, secret: str) -> str:
        return BOOTH + "".join(SOURCE.format(name=name, secret=secret) for name in self.vendors)

    @property
    def vendor(self) -> AdVendor:
        """The vendor of `ads`."""
        return self.vendors["ads"]

    def only_pull(self) -> None:
        """Take the secret out of the configuration."""
        text = (self.folder / "syncd.yaml").read_text(encoding="utf-8")
        self.write("syncd.yaml", text.replace(self._configured(f", secret: {SECRET}"), self._configured("")))

    def open(self, wrap: Callable[[Any, str], Any] | None = None) -> House:
        """A fresh process that knows the connector."""

        def session_of(adapters: Mapping[str, BaseAdapter]) -> requests.Session:
            session = make_session()
            for prefix, adapter in adapters.items():
                session.mount(prefix, adapter)
            return session

        vendors = {f"https://{name}.test": vendor for name, vendor in self.vendors.items()}
        log.configure("info", json=True, stream=self.text, clock=self.clock, counted=metrics.count_event)
        types = {**known_connectors(), self.connector.name: self.connector}
        settings = load_settings(self.folder / "syncd.yaml", os.environ, types)
        return House(settings, self.clock, types, self.sessions, self.make_id, wrap, lambda: session_of(vendors))

    def announce(self, number: str, *, source: str = "ads", **more: Any) -> None:
        """The vendor says that there is a lead: stored and answered."""
        self.send(json.dumps({"id": number, **more}).encode(), source=source)

    def send(self, body: bytes, *, source: str = "ads") -> None:
        """Anything is sent to a source."""
        self.clock.advance(1)
        delivery = Delivery(source, self.clock.now(), body, content_type="application/json")
        with closing(self.open()) as house:
            house.journal.put([delivery])

    def heat(self, *, fetcher: Fetcher | None = None, wrap: Callable[[Any, str], Any] | None = None) -> Summary:
        """A process whose hot lane moves everything on that can be, and ends its run."""
        self.clock.advance(1)
        fetcher = fetcher or Fetcher()
        with closing(self.open(wrap)) as house:
            house.take_over()
            names = house.pushed_sources()
            run = house.hot_run(names, lambda source, seconds: None, fetcher)
            try:
                for _ in range(200):
                    if not run.step(names) and fetcher.is_idle and not house.has_hot(names):
                        return run.end()
                    fetcher.wait(PATIENCE_SECONDS)
                pytest.fail("the hot lane does not come to rest")
            except BaseException:
                run.abandon()
                raise

    def sweep(self) -> None:
        """What the live lane does beside, without reading any source: everything that is open."""
        with closing(self.open()) as house:
            house.take_over()
            house.run_lane(house.lane_context((), Lane.INCREMENT, Scope(reads_ranges=False, remaps=False)))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """What was logged, by how the event begins."""
        lines = [json.loads(line) for line in self.text.getvalue().splitlines()]
        return [one for one in lines if one["event"].startswith(event)]

    def wanted(self) -> dict[str, int]:
        """What is still to be asked for."""
        with closing(self.open()) as house:
            return house.store.wanted_counts()


CONNECTOR = AdForms()
"""As an entry point names it."""
