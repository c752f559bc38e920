"""Requests and responses of the sandbox, and the org's JSON errors; no socket, no model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from syncd.sandbox.values import CallRefusal, Refusal

_MISSING = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})


@dataclass
class Request:
    """One request; header names in lower case, `path` without the query. `head_bytes` is the size of URI and headers."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    head_bytes: int = 0

    @classmethod
    def of(cls, method: str, url: str, headers: dict[str, str], body: bytes) -> Request:
        """From a URL or a request target."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        size = len(parts.path) + len(parts.query) + sum(len(name) + len(value) + 4 for name, value in headers.items())
        lowered = {name.lower(): value for name, value in headers.items()}
        return cls(method.upper(), parts.path, query, lowered, body, size)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            CallRefusal: It is not.
        """
        try:
            return json.loads(self.body or b"null")
        except (ValueError, RecursionError):
            raise CallRefusal("JSON_PARSER_ERROR", "Unexpected character in the request body") from None


@dataclass
class Response:
    """One response.

    Attributes:
        transport: `""` all well; `cut` the connection breaks; `late` no answer ever comes; `half` the body ends in the middle
            but looks whole; `torn` the connection breaks in the middle of the body.
        delay_seconds: Before the answer. hold_seconds: How long a server holds a connection that it will not answer on.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    transport: str = ""
    delay_seconds: float = 0.0
    hold_seconds: float = 0.0

    @property
    def payload(self) -> bytes:
        """The body as bytes."""
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        try:
            return msgspec.json.encode(self.body)
        except (OverflowError, UnicodeEncodeError):
            # Half a surrogate pair, or a number beyond 64 bits.
            return json.dumps(self.body).encode()


def http_date(at: datetime) -> str:
    """An instant as headers tell it (RFC 1123)."""
    return format_datetime(at, usegmt=True)


def fault(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error for a whole call, in the org's shape."""
    return Response(status, [{"message": message, "errorCode": code}], dict(headers or {}))


def refused(refusal: Refusal) -> Response:
    """A refused record as the answer to a single-record call: codes decide, 404 for what is gone, else 400."""
    return Response(404 if refusal.code in _MISSING else 400, [error(refusal, "errorCode")])


def error(refusal: Refusal, key: str) -> dict[str, Any]:
    """A refused record as one error; `key` is `errorCode` in single calls and `statusCode` in collections."""
    return {key: refusal.code, "message": refusal.message, "fields": refusal.fields, **refusal.extra}
