"""`composite`: up to 25 subrequests in one call, with references between them (reference salesforce.md 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from syncd.sandbox.call import Call
from syncd.sandbox.message import Request, Response
from syncd.sandbox.values import CallRefusal

_SUBREQUESTS, _HEAVY_SUBREQUESTS = 25, 5
_HEAVY = re.compile(r"/v\d+\.0/(query|queryAll|composite/sobjects)\b")
_REFERENCE = re.compile(r"@\{([A-Za-z_]\w*)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."

CarryOut = Callable[[Request], Response]


class _UnresolvedError(Exception):
    """A reference points to something that is not in the answer."""


def answer(call: Call, carry_out: CarryOut) -> Response:
    """Answer a composite call; `carry_out` answers one subrequest.

    Raises:
        CallRefusal: The call is malformed or too large.
    """
    call.allow("POST")
    body = call.request.json()
    wanted = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(wanted, list) or not all(_is_subrequest(one) for one in wanted):
        raise CallRefusal("JSON_PARSER_ERROR", "compositeRequest must be a list of subrequests with method, url and referenceId")
    if len(wanted) > _SUBREQUESTS or sum(1 for one in wanted if _HEAVY.search(one["url"])) > _HEAVY_SUBREQUESTS:
        raise CallRefusal("INVALID_INPUT", "Limit of subrequests exceeded")
    if len({one["referenceId"] for one in wanted}) < len(wanted):
        raise CallRefusal("INVALID_INPUT", "referenceId must be unique within a composite request")
    known: dict[str, Response] = {}
    with call.org.all_or_none() as take_back:
        for one in wanted:
            known[one["referenceId"]] = _subrequest(call, one, known, carry_out)
        if body.get("allOrNone") is True and any(inner.status >= 300 for inner in known.values()):
            take_back()
            halted = [{"errorCode": "PROCESSING_HALTED", "message": _HALTED}]
            known = {name: inner if inner.status >= 300 else Response(400, halted) for name, inner in known.items()}
    shown = [
        {"body": inner.body, "httpHeaders": {}, "httpStatusCode": inner.status, "referenceId": name}
        for name, inner in known.items()
    ]
    return Response(200, {"compositeResponse": shown})


def _is_subrequest(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and all(isinstance(one.get(key), str) for key in ("method", "url", "referenceId"))
        and isinstance(one.get("httpHeaders", {}), dict)
        and one["url"].startswith("/services/data/")
    )


def _subrequest(call: Call, one: dict[str, Any], known: dict[str, Response], carry_out: CarryOut) -> Response:
    try:
        url = _filled(one["url"], known)
        body = _filled(one["body"], known) if one.get("body") is not None else None
    except _UnresolvedError as unresolved:
        message = f"Invalid reference specified. No value for {unresolved} found"
        return Response(400, [{"errorCode": "PROCESSING_HALTED", "message": message}])
    if "/ui-api/" in url:
        # Seen by one client in its org (unverified): the UI API takes no part in composites.
        return Response(400, [{"errorCode": "INVALID_BATCH_REQUEST", "message": "ui-api resources are not supported here"}])
    headers = {**call.request.headers, **{name: str(value) for name, value in one.get("httpHeaders", {}).items()}}
    payload = b"" if body is None else json.dumps(body).encode()
    return carry_out(Request.of(one["method"], url, {name.lower(): value for name, value in headers.items()}, payload))


def _filled(value: Any, known: dict[str, Response]) -> Any:
    """`value` with its references replaced, wherever they stand."""
    if isinstance(value, dict):
        return {key: _filled(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, known) for one in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda found: str(_looked_up(found, known)), value)


def _looked_up(found: re.Match[str], known: dict[str, Response]) -> Any:
    inner = known.get(found[1])
    if inner is None or inner.status >= 300:
        raise _UnresolvedError(found[0])
    value = inner.body
    for name, index in _STEP.findall(found[2]):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            raise _UnresolvedError(found[0]) from None
    if value is None or isinstance(value, dict | list):
        raise _UnresolvedError(found[0])
    return value
