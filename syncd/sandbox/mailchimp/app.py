"""The account behind HTTP as a function from request to response: keys, the limit of connections, faults, routes."""

from __future__ import annotations

import base64
import binascii
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import unquote

from syncd.clock import Clock
from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.mailchimp import control, journeys, reading, writing
from syncd.sandbox.mailchimp.account import SandboxMailchimp, Served
from syncd.sandbox.mailchimp.call import Call
from syncd.sandbox.mailchimp.problem import JSON_TYPE, Problem, missing, not_allowed
from syncd.sandbox.message import Request, Response

_HTML = {"Content-Type": "text/html"}
_ROUTES: dict[str, dict[str, Callable[..., Response]]] = {
    "": {"GET": reading.account},
    "ping": {"GET": reading.ping},
    "lists": {"GET": reading.lists},
    "lists/*": {"GET": reading.one_list, "POST": writing.batch},
    "lists/*/members": {"GET": reading.members, "POST": writing.create},
    "lists/*/members/*": {"GET": reading.member, "PUT": writing.upsert, "PATCH": writing.edit, "DELETE": writing.archive},
    "lists/*/members/*/tags": {"GET": reading.tags, "POST": writing.tag},
    "lists/*/members/*/events": {"GET": journeys.events, "POST": journeys.report},
    "lists/*/members/*/actions/delete-permanent": {"POST": writing.erase},
    "customer-journeys/journeys/*/steps/*/actions/trigger": {"POST": journeys.trigger},
    "lists/*/merge-fields": {"GET": reading.merge_fields},
    "lists/*/interest-categories": {"GET": reading.categories},
    "lists/*/interest-categories/*": {"GET": reading.category},
    "lists/*/interest-categories/*/interests": {"GET": reading.interests},
}
"""Resources by path, `*` for an id."""


class MailchimpApp:
    """Serves one account; an `App`."""

    def __init__(self, mailchimp: SandboxMailchimp) -> None:
        """Serve `mailchimp`."""
        self.mailchimp = mailchimp
        self._counting = threading.Lock()

    @property
    def clock(self) -> Clock:
        """The account's."""
        return self.mailchimp.clock

    @contextmanager
    def serving(self, request: Request) -> Iterator[Response]:
        """Answer; the request counts as open until what is inside is done."""
        mailchimp = self.mailchimp
        if request.path != "/3.0" and not request.path.startswith("/3.0/"):
            yield control.handle(mailchimp, request)
            return
        has_key = _key(request) == mailchimp.api_key
        with self._counting:
            mailchimp.calls.append(Served(request.method, request.path, request.query))
            number = mailchimp.call_count
            mailchimp.open_now += has_key
            open_now = mailchimp.open_now
            mailchimp.most_open = max(mailchimp.most_open, open_now)
        try:
            yield self._answer(request, number, has_key=has_key, is_crowded=open_now > mailchimp.connections)
        finally:
            with self._counting:
                mailchimp.open_now -= has_key

    def settle(self) -> None:
        """Carry out what was left for later and is due."""
        self.mailchimp.later.settle(self.clock.now())

    def failed(self, error: Exception) -> Response:
        """The answer when the sandbox itself has a defect."""
        return Problem(500, "Internal Server Error", f"The sandbox itself failed: {type(error).__name__}").response("")

    def refused(self) -> Response:
        """The answer to a body that is too large or of unknown length."""
        return Problem(413, "Request Entity Too Large", "A body needs a Content-Length of at most 60 MB").response("")

    def _answer(self, request: Request, number: int, *, has_key: bool, is_crowded: bool) -> Response:
        mailchimp = self.mailchimp
        mailchimp.later.count_request(self.clock.now())
        kinds = {fault.kind: fault for fault in mailchimp.faults.hit(request.method, request.path)}
        instance = str(uuid.UUID(int=(mailchimp.seed << 64) + number, version=4))
        try:
            response = self._before(kinds, request, has_key=has_key, is_crowded=is_crowded)
        except Problem as problem:
            response = problem.response(instance)
        if response is None and Kind.LATE in kinds:
            response = self._postponed(kinds, request, instance)
        if response is None:
            response = self._carry_out(kinds, request, instance)
            _after(kinds, response)
        if Kind.LATENCY in kinds:
            response.delay_seconds = kinds[Kind.LATENCY].seconds
        if response.transport in ("cut", "late") or response.headers.get("Content-Type") == "text/html":
            return response
        response.headers.setdefault("Content-Type", JSON_TYPE)
        response.headers.setdefault("X-Request-Id", instance)
        return response

    def _before(self, kinds: Mapping[Kind, Fault], request: Request, *, has_key: bool, is_crowded: bool) -> Response | None:
        """Faults that strike before anything is done, and calls that nobody may make.

        Raises:
            Problem: The call is refused.
        """
        for kind in kinds:
            if kind in _PROBLEMS:
                raise _PROBLEMS[kind]
            if kind in _BARE:
                status, text = _BARE[kind]
                return Response(status, text, dict(_HTML))
            if kind is Kind.CUT_BEFORE:
                return Response(transport="cut")
        if "authorization" not in request.headers:
            raise Problem(401, "API Key Missing", "Your request did not include an API key.")
        if not has_key:
            raise _PROBLEMS[Kind.EXPIRED]
        if is_crowded:
            raise _PROBLEMS[Kind.THROTTLED]
        return None

    def _postponed(self, kinds: Mapping[Kind, Fault], request: Request, instance: str) -> Response:
        """Take the request, never answer, and carry it out when the client has given up."""
        fault = kinds[Kind.LATE]
        due = None if fault.after else self.clock.now() + timedelta(seconds=fault.seconds)
        self.mailchimp.later.add(lambda: self._carry_out(kinds, request, instance), at=due, requests=fault.after)
        return Response(transport="late", hold_seconds=fault.seconds)

    def _carry_out(self, kinds: Mapping[Kind, Fault], request: Request, instance: str) -> Response:
        mailchimp = self.mailchimp
        call = Call(mailchimp, request, kinds)
        with mailchimp.lock:
            try:
                response = _route(call)
            except Problem as problem:
                response = problem.response(instance)
        # Outside the lock and before the answer leaves: whoever edits now does it between two pages.
        if call.page is not None and mailchimp.page_served is not None:
            mailchimp.page_served(mailchimp, *call.page)
        return response


_PROBLEMS = {
    Kind.EXPIRED: Problem(
        401, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    ),
    Kind.FORBIDDEN: Problem(403, "Forbidden", "You are not permitted to access this resource."),
    Kind.THROTTLED: Problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
    Kind.ERROR: Problem(500, "Internal Server Error", "An unexpected internal error has occurred. Please contact Support."),
    Kind.UNAVAILABLE: Problem(503, "Service Unavailable", "The service is temporarily unavailable."),
}
_BARE = {
    Kind.LIMIT: (403, b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>Access Denied</BODY></HTML>"),
    Kind.HTML_503: (503, b"<html><body>Down for maintenance</body></html>"),
}
"""What the edge in front of the API answers, which knows no JSON."""


def _after(kinds: Mapping[Kind, Fault], response: Response) -> None:
    """Faults that strike when the work is done."""
    for kind, transport in ((Kind.CUT_AFTER, "cut"), (Kind.CUT_BODY, "half"), (Kind.CUT_STREAM, "torn")):
        if kind in kinds:
            response.transport = transport
            return
    if Kind.HTML in kinds:
        response.status, response.body, response.headers = 200, b"<html><body>Please wait</body></html>", dict(_HTML)


def _key(request: Request) -> str:
    """The key of a request: password of Basic, whatever the user's name, or the token of Bearer or OAuth; `""` for none."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() in ("bearer", "oauth"):
        return value.strip()
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _route(call: Call) -> Response:
    parts = [unquote(part) for part in call.request.path.removeprefix("/3.0").split("/") if part]
    for path, verbs in _ROUTES.items():
        names = path.split("/") if path else []
        if len(names) == len(parts) and all(name in ("*", part) for name, part in zip(names, parts, strict=True)):
            if call.request.method not in verbs:
                raise not_allowed(*verbs)
            return verbs[call.request.method](call, *(part for name, part in zip(names, parts, strict=True) if name == "*"))
    raise missing()
