"""The org's face as a function from request to response; `server.py` puts it behind HTTPS, `adapter.py` into a requests session.

REST here, SOAP in `soap.py`; faults, sessions and limits are the same for both, each refused in its own words.
"""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import unquote

from syncd.sandbox import batches, bulk, composite, envelope, oauth, picklists, queries, single, soap
from syncd.sandbox.call import Call, missing
from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.message import Request as Request
from syncd.sandbox.message import Response as Response
from syncd.sandbox.message import fault, refused
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.soql import QueryError
from syncd.sandbox.values import CallRefusal, Refusal

_HEAD_BYTES = 16_384
"""URI and headers together (reference salesforce.md 4.2)."""
_VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*|$)")
_VERSIONS = range(58, 69)
_HTML = {"Content-Type": "text/html"}


def handle(org: SandboxOrg, request: Request) -> Response:
    """Answer one request, faults included; what was left for later and is due is carried out before."""
    org.later.count_request(org.clock.now())
    kinds = {one.kind: one for one in org.faults.hit(request.method, request.path)}
    is_login = request.path.startswith("/services/oauth2/token")
    with org.lock:
        # Log-ins and the list of versions are no API calls.
        org.api_calls += not is_login
    try:
        response = _before(org, kinds, request, is_login=is_login)
    except CallRefusal as refusal:
        response = _fault(request, refusal.status, refusal.code, refusal.message)
    if response is None:
        response = oauth.token(org, request.headers, request.body) if is_login else _carry_out(org, request, kinds)
        _after(kinds, response)
    if Kind.LATENCY in kinds:
        response.delay_seconds = kinds[Kind.LATENCY].seconds
    if not (is_login or soap.is_mine(request.path)):
        response.headers.setdefault("Sforce-Limit-Info", f"api-usage={org.api_calls}/{org.daily_limit}")
    response.headers.setdefault("Date", org.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
    return response


def _before(org: SandboxOrg, kinds: dict[Kind, Fault], request: Request, *, is_login: bool) -> Response | None:
    """Faults that strike before anything is done, and calls that nobody may make."""
    for kind, one in kinds.items():
        struck = _strike(org, kind, one, request)
        if struck is not None:
            return struck
    if not (is_login or request.path.rstrip("/") == "/services/data"):
        if org.api_calls > org.daily_limit:
            return _fault(request, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if _token(request) not in org.tokens:
            return _fault(request, 401, "INVALID_SESSION_ID", "Session expired or invalid")
        if request.head_bytes > _HEAD_BYTES:
            return Response(414, b"<html>URI Too Long</html>", dict(_HTML))
        if Kind.LATE in kinds:
            return _postponed(org, request, kinds)
    return None


def _fault(request: Request, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """A refused call in the words of the API that was asked."""
    return (envelope.fault if soap.is_mine(request.path) else fault)(status, code, message, headers)


def _token(request: Request) -> str:
    """The session of a request.

    Raises:
        CallRefusal: A SOAP call that cannot be read.
    """
    return soap.session_of(request) if soap.is_mine(request.path) else oauth.bearer(request.headers)


def _strike(org: SandboxOrg, kind: Kind, one: Fault, request: Request) -> Response | None:
    retry = {"Retry-After": str(int(one.seconds))} if one.seconds else {}
    if kind is Kind.UNAVAILABLE:
        return _fault(request, 503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable", retry)
    if kind is Kind.LIMIT:
        return _fault(request, 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if kind is Kind.THROTTLED:
        return Response(429, b"<html>Too many requests</html>", {**_HTML, **retry})
    if kind is Kind.EXPIRED:
        org.tokens.discard(_token(request))
    if kind is Kind.ERROR:
        return _fault(request, 500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1-2")
    if kind is Kind.CUT_BEFORE:
        return Response(transport="cut")
    if kind is Kind.HTML_503:
        return Response(503, b"<html>Down for maintenance</html>", dict(_HTML))
    return None


def _postponed(org: SandboxOrg, request: Request, kinds: dict[Kind, Fault]) -> Response:
    """Take the request, never answer, and carry it out when the client has given up, whatever that does meanwhile."""
    late = kinds[Kind.LATE]
    due = None if late.after else org.clock.now() + timedelta(seconds=late.seconds)
    org.later.add(lambda: _carry_out(org, request, kinds), at=due, requests=late.after)
    return Response(transport="late", hold_seconds=late.seconds)


def _after(kinds: dict[Kind, Fault], response: Response) -> None:
    """Faults that strike when the work is done."""
    for kind, transport in ((Kind.CUT_AFTER, "cut"), (Kind.CUT_BODY, "half"), (Kind.CUT_STREAM, "torn")):
        if kind in kinds:
            response.transport = transport
            return
    if Kind.HTML in kinds:
        response.status, response.body = 200, b"<html><body>Please wait</body></html>"
        response.headers["Content-Type"] = "text/html"


def _carry_out(org: SandboxOrg, request: Request, kinds: dict[Kind, Fault]) -> Response:
    with org.lock:
        try:
            return _route(org, request, kinds)
        except CallRefusal as refusal:
            return _fault(request, refusal.status, refusal.code, refusal.message)
        except QueryError as wrong:
            return _fault(request, 400, wrong.code, str(wrong))
        except Refusal as refusal:
            return refused(refusal)


def _route(org: SandboxOrg, request: Request, kinds: dict[Kind, Fault]) -> Response:
    if request.path.rstrip("/") == "/services/data":
        versions = [{"label": "Sandbox", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in _VERSIONS]
        return Response(200, versions)
    if soap.is_mine(request.path):
        return soap.answer(Call(org, request, "", kinds), _VERSIONS)
    match = _VERSION.fullmatch(request.path)
    if match is None or int(match[1]) not in _VERSIONS:
        raise missing()
    call = Call(org, request, f"/services/data/v{match[1]}.0", kinds)
    parts = [unquote(part) for part in match[2].split("/") if part]
    first = parts[0] if parts else ""
    if first in ("query", "queryAll"):
        return queries.answer(call, parts)
    if first == "sobjects":
        return single.answer(call, parts)
    if first == "ui-api":
        return picklists.answer(call, parts)
    if first == "jobs":
        return bulk.answer(call, parts)
    if parts[:2] == ["composite", "sobjects"]:
        return batches.answer(call, parts)
    if parts == ["composite"]:
        # Subrequests are part of this one call: not counted, not bounded by the length of a URI.
        return composite.answer(call, lambda inner: _carry_out(org, inner, kinds))
    if parts == ["limits"]:
        return _limits(call)
    if not parts:
        return Response(
            200, {name: f"{call.base}/{name}" for name in ("composite", "jobs", "limits", "query", "sobjects", "ui-api")}
        )
    raise missing()


def _limits(call: Call) -> Response:
    call.allow("GET", "HEAD")
    org = call.org
    shown = {"DailyApiRequests": {"Max": org.daily_limit, "Remaining": max(org.daily_limit - org.api_calls, 0)}}
    shown["DailyBulkV2QueryJobs"] = {"Max": 10_000, "Remaining": max(10_000 - len(org.bulk_jobs), 0)}
    shown["DataStorageMB"] = {"Max": 5, "Remaining": 5}
    return Response(200, shown)
