"""The vendor's errors: `application/problem+json` with type, title, status, detail, instance and sometimes errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.message import Response

JSON_TYPE = "application/json; charset=utf-8"
_TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"


@dataclass
class Problem(Exception):  # noqa: N818 - the vendor's word
    """A call is refused; `errors` holds field and message for each wrong field."""

    status: int
    title: str
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, instance: str) -> Response:
        """As an answer; `instance` is the id of the request."""
        body: dict[str, Any] = {"type": _TYPE, "title": self.title, "status": self.status, "detail": self.detail}
        body["instance"] = instance
        if self.errors:
            body["errors"] = self.errors
        return Response(self.status, body, {"Content-Type": "application/problem+json; charset=utf-8", **self.headers})


def missing() -> Problem:
    """There is no such resource."""
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def not_allowed(*methods: str, detail: str = "") -> Problem:
    """A resource does not know this verb."""
    text = (
        detail
        or "The requested method and resource are not compatible. See the Allow header for this resource's available methods."
    )
    return Problem(405, "Method Not Allowed", text, headers={"Allow": ", ".join(methods)})


def invalid(detail: str) -> Problem:
    """Something about the call as a whole is wrong."""
    return Problem(400, "Invalid Resource", detail)


def invalid_fields(detail: str = "", /, **messages: str) -> Problem:
    """Parameters or fields of the body are wrong; a dot in a name is written as two underscores."""
    detail = detail or "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
    errors = [{"field": name.replace("__", "."), "message": message} for name, message in messages.items()]
    return Problem(400, "Invalid Resource", detail, errors)
