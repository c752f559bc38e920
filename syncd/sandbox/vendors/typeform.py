"""One Typeform account: forms and their responses (reference, sources.md 7.1).

Behaves as its Responses API: newest first unless sorted, `since` and `until` inclusive to the second, `after` a response token that
cannot be combined with `sort`, pages of 25 unless asked for up to 1000.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, Vendor, bearer, route
from syncd.sandbox.visitors import Visitor

TYPEFORM_TOKEN = "tfp_sandbox_5a6d626f78"  # noqa: S105 - public on purpose
TYPEFORM_SECRET = "sandbox-typeform-secret"  # noqa: S105 - public on purpose
CONTACT_FORM = "c0nTaCt1"
"""Id of the form of `populate`."""
_MAX_PAGE = 1000


@dataclass
class _Given:
    """One response. `visible_at`: when the API begins to list it."""

    token: str
    submitted_at: datetime
    answers: list[dict[str, Any]]
    hidden: dict[str, str] = field(default_factory=dict)
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


class SandboxTypeform(Vendor):
    """The account.

    Attributes:
        delay_seconds: How long a fresh response is not listed yet.
        goes_in_circles: `after` is not understood: the same page comes again.
    """

    name = "Typeform"
    kinds = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, **given: Any) -> None:
        """An account without forms."""
        super().__init__(**given)
        self.forms: dict[str, list[_Given]] = {}
        self.delay_seconds = 0.0
        self.goes_in_circles = False

    def source(self, url: str) -> dict[str, Any]:
        """With the token, and the secret of webhooks."""
        given = {"base_url": url, "token": TYPEFORM_TOKEN, "webhook_secret": TYPEFORM_SECRET}
        return {"type": "typeform", **given, "mapping": "typeform"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """They fill in the contact form."""
        self.add_form(CONTACT_FORM)
        for one in people:
            told = {"email": one.email, "first_name": one.first, "last_name": one.last, "company": one.company}
            told |= {"phone": one.phone.replace(" ", "")} if one.phone else {}
            agreed = {} if one.agrees is None else {"consent": one.agrees}
            self.submit(CONTACT_FORM, {**told, **agreed}, at=one.at, hidden={"utm_source": "web", "utm_campaign": "contact"})

    # ------------------------------------------------------------------ people at work

    def add_form(self, form_id: str) -> None:
        """A form; its fields are whatever its responses answer."""
        self.forms.setdefault(form_id, [])

    def submit(
        self, form_id: str, answers: dict[str, Any], *, at: datetime | None = None, hidden: dict[str, str] | None = None
    ) -> str:
        """Somebody fills in the form: `answers` by the field's ref; gives the token. A bool is a consent box, a list several choices."""
        with self.lock:
            held = self.forms[form_id]
            at = (at or self.now()).replace(microsecond=0)
            number = sum(len(one) for one in self.forms.values())
            token = hashlib.blake2b(f"{self.seed}/{form_id}/{number}".encode(), digest_size=16).hexdigest()
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            held.append(_Given(token, at, [_answer(ref, value) for ref, value in answers.items()], dict(hidden or {}), visible))
            return token

    def submit_odd(self, form_id: str, at: datetime) -> int:
        """Responses as no form should give them; gives how many."""
        with self.lock:
            odd: list[dict[str, Any]] = [
                {"answers": None, "hidden": None, "calculated": None, "metadata": None},
                {"answers": [], "unknown": {"new": [1, {"x": None}]}, "hidden": {"utm_source": "x" * 10_000}},
                {"answers": [_answer("email", "ünïcode-\u202e-😀@example.com"), {"field": {"ref": "q"}, "type": "hologram"}]},
                {"submitted_at": "2026-11-24T08:59:00", "answers": [_answer("email", "naive@example.com")]},
            ]
            for number, more in enumerate(odd):
                self.forms[form_id].append(_Given(f"odd{number}", at + timedelta(seconds=number), [], more=more))
            return len(odd)

    def webhook_body(self, form_id: str, number: int) -> bytes:
        """What is sent for response `number` of a form."""
        one = self.forms[form_id][number]
        response = {**self._shown(one), "form_id": form_id, "definition": {"id": form_id, "fields": []}, "variables": []}
        response.pop("response_id")
        response.pop("metadata")
        event = {"event_id": f"E{number}", "event_type": "form_response", "form_response": response}
        return json.dumps(event).encode()

    @staticmethod
    def signature(body: bytes, secret: str = TYPEFORM_SECRET) -> str:
        """The header `Typeform-Signature` of a body."""
        return "sha256=" + base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By the personal token."""
        return bearer(request) == TYPEFORM_TOKEN

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{code, description}`."""
        codes = {Kind.EXPIRED: "AUTHENTICATION_FAILED", Kind.FORBIDDEN: "FORBIDDEN", Kind.THROTTLED: "TOO_MANY_REQUESTS"}
        return Response(status, {"code": codes.get(kind, "ERROR") if kind else "NOT_FOUND", "description": message})

    def emptied(self, body: Any) -> Any:
        """No items, though the count is not 0."""
        return {**body, "items": []} if isinstance(body, dict) and "items" in body else body

    @route("GET", "/me")
    def me(self, request: Request) -> Response:
        """Who the token belongs to."""
        del request
        return Response(200, {"alias": "Sandbox", "language": "en"})

    @route("GET", "/forms")
    def list_forms(self, request: Request) -> Response:
        """Pages of forms."""
        size, page = int(request.query.get("page_size", 10)), int(request.query.get("page", 1))
        ids = sorted(self.forms)
        items = [{"id": one, "title": one} for one in ids[(page - 1) * size : page * size]]
        return Response(200, {"total_items": len(ids), "page_count": -(-len(ids) // size), "items": items})

    @route("GET", "/forms/*/responses")
    def responses(self, request: Request, form_id: str) -> Response:
        """Responses of a form."""
        if form_id not in self.forms:
            return self.missing()
        query = request.query
        if "sort" in query and ("after" in query or "before" in query):
            return Response(400, {"code": "BAD_REQUEST", "description": "sort cannot be used with after or before"})
        size = int(query.get("page_size", 25))
        if not 1 <= size <= _MAX_PAGE:
            return Response(400, {"code": "BAD_REQUEST", "description": "page_size must be between 1 and 1000"})
        listed = [one for one in self.forms[form_id] if one.visible_at is None or one.visible_at <= self.now()]
        listed.sort(key=lambda one: (one.submitted_at, one.token))
        if "after" in query and not self.goes_in_circles:
            place = next((index for index, one in enumerate(listed) if one.token == query["after"]), None)
            if place is None:
                return Response(400, {"code": "BAD_REQUEST", "description": "unknown token"})
            listed = listed[place + 1 :]
        listed = [one for one in listed if _within(one.submitted_at, query)]
        if "after" not in query and query.get("sort") != "submitted_at,asc":
            listed.reverse()
        self.read_page("responses")
        items = [self._shown(one) for one in listed[:size]]
        return Response(200, {"total_items": len(listed), "page_count": -(-len(listed) // size), "items": items})

    def _shown(self, one: _Given) -> dict[str, Any]:
        landed = one.submitted_at - timedelta(seconds=90)
        return {
            "response_id": one.token,
            "token": one.token,
            "landed_at": _text(landed),
            "submitted_at": _text(one.submitted_at),
            "hidden": one.hidden,
            "metadata": {"referer": "https://example.com/form", "platform": "other"},
            "calculated": {"score": 0},
            "answers": one.answers,
            **one.more,
        }

    # ------------------------------------------------------------------ beside

    def do_submit(self, form_id: str, answers: dict[str, Any], hidden: dict[str, str] | None = None) -> dict[str, Any]:
        """Control call `submit`."""
        self.add_form(form_id)
        return {"token": self.submit(form_id, answers, hidden=hidden)}

    def state(self) -> dict[str, Any]:
        """Responses by form."""
        return {"responses": {form_id: len(held) for form_id, held in self.forms.items()}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Responses, newest first."""
        rows = [(form_id, one) for form_id, held in self.forms.items() for one in held]
        rows.sort(key=lambda row: row[1].submitted_at, reverse=True)
        return ("Form", "Submitted", "Answers"), (
            (
                form_id,
                _text(one.submitted_at),
                "; ".join(str(next(iter(list(answer.values())[2:]), "")) for answer in one.answers),
            )
            for form_id, one in rows
        )


def _answer(ref: str, value: Any) -> dict[str, Any]:
    """One answer; its type follows from the ref and the value."""
    if isinstance(value, bool):
        return {"field": {"id": f"f-{ref}", "ref": ref, "type": "legal"}, "type": "boolean", "boolean": value}
    if isinstance(value, list):
        return {
            "field": {"id": f"f-{ref}", "ref": ref, "type": "multiple_choice"},
            "type": "choices",
            "choices": {"labels": value},
        }
    kind = {"email": "email", "phone": "phone_number"}.get(ref, "number" if isinstance(value, int | float) else "text")
    names = {"text": "short_text"}
    return {"field": {"id": f"f-{ref}", "ref": ref, "type": names.get(kind, kind)}, "type": kind, kind: value}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _within(at: datetime, query: dict[str, str]) -> bool:
    bounds = {name: datetime.fromisoformat(query[name]) for name in ("since", "until") if name in query}
    bounds = {name: one if one.tzinfo else one.replace(tzinfo=UTC) for name, one in bounds.items()}
    return bounds.get("since", at) <= at <= bounds.get("until", at)


SANDBOX = SandboxTypeform
