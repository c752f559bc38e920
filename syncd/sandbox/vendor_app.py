"""A vendor behind HTTP as a function from request to response: logins, limits, faults; what all vendors have in common."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from syncd.clock import Clock
from syncd.sandbox.faults import Fault, FaultBox, Kind
from syncd.sandbox.later import Later
from syncd.sandbox.message import Request, Response

HTML = {"Content-Type": "text/html"}
BARE = {Kind.HTML_503: (503, b"<html><body>Down for maintenance</body></html>")}
"""What the edge in front of an API answers, which knows no JSON."""


@dataclass(frozen=True)
class Served:
    """One request that the API was asked."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)


class VendorModel(Protocol):
    """What the app needs of a model."""

    seed: int
    lock: Any
    faults: FaultBox
    later: Later
    connections: int
    calls: list[Served]
    open_now: int
    most_open: int

    @property
    def clock(self) -> Clock:
        """What delays pass on, and what `Date` tells."""
        ...


class VendorApp:
    """Serves one model; an `App`. What differs between vendors is in the methods without an underscore."""

    def __init__(self, model: Any) -> None:
        """Serve `model`, a VendorModel."""
        self._model: VendorModel = model
        self._counting = threading.Lock()

    # ------------------------------------------------------------------ for each vendor

    def is_of_api(self, request: Request) -> bool:
        """Whether a request is for the vendor's own API, and counts."""
        raise NotImplementedError

    def beside(self, request: Request) -> Response:
        """The answer to anything else: a page for people, control calls."""
        raise NotImplementedError

    def is_logged_in(self, request: Request) -> bool:
        """Whether it brings what it must."""
        raise NotImplementedError

    def login_refused(self, request: Request, number: int) -> Response | None:
        """The answer to one that does not, None where none is needed."""
        raise NotImplementedError

    def trouble(self, kind: Kind, number: int) -> Response | None:
        """What the vendor says when a fault strikes before anything is done; None for a kind that strikes otherwise."""
        raise NotImplementedError

    def is_over_limit(self) -> bool:
        """Whether this call is one too many, by what the vendor counts besides connections."""
        return False

    def carry_out(self, request: Request, kinds: Mapping[Kind, Fault], number: int) -> Response:
        """Do what was asked."""
        raise NotImplementedError

    def finish(self, response: Response, number: int) -> None:
        """Headers that every answer of the API has."""

    # ------------------------------------------------------------------ the same for all

    @property
    def clock(self) -> Clock:
        """The model's."""
        return self._model.clock

    @contextmanager
    def serving(self, request: Request) -> Iterator[Response]:
        """Answer; the request counts as open until what is inside is done."""
        model = self._model
        if not self.is_of_api(request):
            yield self.beside(request)
            return
        is_counted = self.is_logged_in(request)
        with self._counting:
            model.calls.append(Served(request.method, request.path, request.query))
            number = len(model.calls)
            model.open_now += is_counted
            is_crowded = bool(model.connections) and model.open_now > model.connections
            model.most_open = max(model.most_open, model.open_now)
            is_crowded |= is_counted and self.is_over_limit()
        try:
            yield self._answer(request, number, is_crowded=is_crowded)
        finally:
            with self._counting:
                model.open_now -= is_counted

    def settle(self) -> None:
        """Carry out what was left for later and is due."""
        self._model.later.settle(self.clock.now())

    def failed(self, error: Exception) -> Response:
        """The answer when the sandbox itself has a defect."""
        return Response(500, {"message": f"The sandbox itself failed: {type(error).__name__}"})

    def refused(self) -> Response:
        """The answer to a body that is too large or of unknown length."""
        return Response(413, {"message": "A body needs a Content-Length of at most 60 MB"})

    def _answer(self, request: Request, number: int, *, is_crowded: bool) -> Response:
        model = self._model
        model.later.count_request(self.clock.now())
        kinds = {fault.kind: fault for fault in model.faults.hit(request.method, request.path)}
        response = self._before(kinds, request, number, is_crowded=is_crowded)
        if response is None and Kind.LATE in kinds:
            response = self._postponed(kinds, request, number)
        if response is None:
            response = self.carry_out(request, kinds, number)
            _after(kinds, response)
        if Kind.LATENCY in kinds:
            response.delay_seconds = kinds[Kind.LATENCY].seconds
        if response.transport not in ("cut", "late") and response.headers.get("Content-Type") != "text/html":
            self.finish(response, number)
        return response

    def _before(self, kinds: Mapping[Kind, Fault], request: Request, number: int, *, is_crowded: bool) -> Response | None:
        """Faults that strike before anything is done, and calls that nobody may make."""
        for kind in kinds:
            found = self.trouble(kind, number)
            if found is not None:
                return found
            if kind in BARE:
                status, text = BARE[kind]
                return Response(status, text, dict(HTML))
            if kind is Kind.CUT_BEFORE:
                return Response(transport="cut")
        refused = self.login_refused(request, number)
        if refused is None and is_crowded:
            return self.trouble(Kind.THROTTLED, number)
        return refused

    def _postponed(self, kinds: Mapping[Kind, Fault], request: Request, number: int) -> Response:
        """Take the request, never answer, and carry it out when the client has given up."""
        fault = kinds[Kind.LATE]
        due = None if fault.after else self.clock.now() + timedelta(seconds=fault.seconds)
        self._model.later.add(lambda: self.carry_out(request, kinds, number), at=due, requests=fault.after)
        return Response(transport="late", hold_seconds=fault.seconds)


def _after(kinds: Mapping[Kind, Fault], response: Response) -> None:
    """Faults that strike when the work is done."""
    for kind, transport in ((Kind.CUT_AFTER, "cut"), (Kind.CUT_BODY, "half"), (Kind.CUT_STREAM, "torn")):
        if kind in kinds:
            response.transport = transport
            return
    if Kind.HTML in kinds:
        response.status, response.body, response.headers = 200, b"<html><body>Please wait</body></html>", dict(HTML)
