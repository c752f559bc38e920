"""The account behind HTTP as a function from request to response: keys, the limit of connections, faults, routes."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.mailchimp import control, journeys, reading, writing
from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.mailchimp.call import Call
from syncd.sandbox.mailchimp.problem import JSON_TYPE, Problem, missing, not_allowed
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor_app import HTML, VendorApp

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


class MailchimpApp(VendorApp):
    """Serves one account."""

    def __init__(self, mailchimp: SandboxMailchimp) -> None:
        """Serve `mailchimp`."""
        super().__init__(mailchimp)
        self.mailchimp = mailchimp

    def is_of_api(self, request: Request) -> bool:
        """Everything below `/3.0`."""
        return request.path == "/3.0" or request.path.startswith("/3.0/")

    def beside(self, request: Request) -> Response:
        """A page for people, and control calls."""
        return control.handle(self.mailchimp, request)

    def is_logged_in(self, request: Request) -> bool:
        """By the key."""
        return _key(request) == self.mailchimp.api_key

    def login_refused(self, request: Request, number: int) -> Response | None:
        """401 as a problem."""
        if "authorization" not in request.headers:
            missing_key = Problem(401, "API Key Missing", "Your request did not include an API key.")
            return missing_key.response(self._instance(number))
        return None if self.is_logged_in(request) else self.trouble(Kind.EXPIRED, number)

    def trouble(self, kind: Kind, number: int) -> Response | None:
        """Problems of the API, and a bare 403 of the edge."""
        if kind is Kind.LIMIT:
            return Response(403, b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>Access Denied</BODY></HTML>", dict(HTML))
        return _PROBLEMS[kind].response(self._instance(number)) if kind in _PROBLEMS else None

    def carry_out(self, request: Request, kinds: Mapping[Kind, Fault], number: int) -> Response:
        """Find the resource and let it answer."""
        mailchimp = self.mailchimp
        call = Call(mailchimp, request, kinds)
        with mailchimp.lock:
            try:
                response = _route(call)
            except Problem as problem:
                response = problem.response(self._instance(number))
        # Outside the lock and before the answer leaves: whoever edits now does it between two pages.
        if call.page is not None and mailchimp.page_served is not None:
            mailchimp.page_served(mailchimp, *call.page)
        return response

    def finish(self, response: Response, number: int) -> None:
        """The type, and the id of the request."""
        response.headers.setdefault("Content-Type", JSON_TYPE)
        response.headers.setdefault("X-Request-Id", self._instance(number))

    def failed(self, error: Exception) -> Response:
        """The answer when the sandbox itself has a defect."""
        return Problem(500, "Internal Server Error", f"The sandbox itself failed: {type(error).__name__}").response("")

    def refused(self) -> Response:
        """The answer to a body that is too large or of unknown length."""
        return Problem(413, "Request Entity Too Large", "A body needs a Content-Length of at most 60 MB").response("")

    def _instance(self, number: int) -> str:
        return str(uuid.UUID(int=(self.mailchimp.seed << 64) + number, version=4))


_PROBLEMS = {
    Kind.EXPIRED: Problem(
        401, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    ),
    Kind.FORBIDDEN: Problem(403, "Forbidden", "You are not permitted to access this resource."),
    Kind.THROTTLED: Problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
    Kind.ERROR: Problem(500, "Internal Server Error", "An unexpected internal error has occurred. Please contact Support."),
    Kind.UNAVAILABLE: Problem(503, "Service Unavailable", "The service is temporarily unavailable."),
}


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
