"""One account of a tool that nobody thought of: a list of leads, paged in whichever style a test or a demo asks for.

Invented, but each habit is a real service's: windows that include their beginning, a list that is newest first unless it is sorted, pages
that shift while people edit, records that are listed late, tokens that are opaque, links that carry the whole query.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, Tokens, Vendor, bearer, route

REST_TOKEN = "rest_sandbox_4c65616473"  # noqa: S105 - public on purpose
REST_CLIENT_SECRET = "rest-sandbox-client-secret"  # noqa: S105 - public on purpose
REST_REFRESH_TOKEN = "rest-sandbox-refresh-token"  # noqa: S105 - public on purpose
STYLES = ("none", "page", "offset", "token", "link", "link_body")
_MAX_PAGE = 100
_TOKEN_SECONDS = 3600.0


@dataclass
class _Lead:
    """One lead. `visible_at`: when the API begins to list it."""

    id: str
    updated_at: datetime
    fields: dict[str, Any]
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


class SandboxRest(Vendor):
    """The account.

    Attributes:
        style: How the list comes in pages.
        delay_seconds: How long a fresh lead is not listed yet.
        goes_in_circles: Whatever says where to go on is not understood: the same page comes again.
        heeds_since: Whether it reads the bound of the window.
        root: What links begin with.
    """

    name = "Anything"
    kinds: ClassVar[frozenset[Kind]] = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, *, style: str = "page", **given: Any) -> None:
        """An account without leads."""
        super().__init__(**given)
        self.style = style
        self.leads: dict[str, _Lead] = {}
        self.tokens = Tokens(self.clock, "rest_access_")
        self.delay_seconds = 0.0
        self.goes_in_circles = False
        self.heeds_since = True
        self.root = "https://rest.test"

    # ------------------------------------------------------------------ people at work

    def put(self, email: str, *, at: datetime | None = None, **fields: Any) -> str:
        """Somebody becomes a lead, or is edited; gives the id."""
        with self.lock:
            known = next((one for one in self.leads.values() if one.fields.get("email") == email), None)
            at = (at or self.now()).replace(microsecond=0)
            if known is not None:
                known.updated_at = at
                known.fields |= fields
                return known.id
            lead_id = f"L{len(self.leads) + 1}"
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            self.leads[lead_id] = _Lead(lead_id, at, {"email": email, **fields}, visible)
            return lead_id

    def remove(self, lead_id: str) -> None:
        """Somebody deletes a lead; nothing tells."""
        with self.lock:
            del self.leads[lead_id]

    def put_odd(self, at: datetime) -> int:
        """Leads as no tool should give them; gives how many."""
        odd: list[dict[str, Any]] = [
            {"email": None, "first_name": None, "phone": None, "tags": None},
            {"unknown": {"new": [1, {"x": None}]}, "company": "x" * 10_000},
            {"email": "ünïcode-\u202e-😀@example.com", "first_name": "\u0000"},
            {"updated_at": at.replace(tzinfo=None).isoformat()},
            {"id": None},
        ]
        with self.lock:
            for number, more in enumerate(odd):
                lead = _Lead(f"odd{number}", at + timedelta(seconds=number), {"email": f"odd{number}@example.com"}, more=more)
                self.leads[lead.id] = lead
        return len(odd)

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By a fixed token, by one that was given out, by a key in a header, or by user and password."""
        basic = base64.b64encode(f"syncd:{REST_TOKEN}".encode()).decode()
        token = bearer(request)
        return (
            token == REST_TOKEN
            or self.tokens.is_good(token)
            or request.headers.get("x-api-key") == REST_TOKEN
            or request.headers.get("authorization") == f"Basic {basic}"
        )

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{error: {message}}`."""
        del kind
        return Response(status, {"error": {"message": message}})

    def emptied(self, body: Any) -> Any:
        """No items, though the count is not 0."""
        return {**body, "data": {"items": []}} if isinstance(body, dict) and "data" in body else body

    @route("POST", "/oauth/token", is_open=True)
    def token(self, request: Request) -> Response:
        """Access tokens for an hour."""
        form = Request.of("POST", f"/?{request.body.decode()}", {}, b"").query
        is_known = form.get("client_secret") == REST_CLIENT_SECRET
        is_fresh = form.get("grant_type") != "refresh_token" or form.get("refresh_token") == REST_REFRESH_TOKEN
        if not is_known or not is_fresh:
            return Response(400, {"error": "invalid_client"})
        return Response(200, {"access_token": self.tokens.issue(_TOKEN_SECONDS), "expires_in": int(_TOKEN_SECONDS)})

    @route("GET", "/v1/leads")
    def list_leads(self, request: Request) -> Response:
        """The list, in the style of the account."""
        return self._page(request.query, request)

    @route("POST", "/v1/leads/search")
    def search(self, request: Request) -> Response:
        """The same, asked for in a body: `{filter: {since}, page: {limit, after}}`."""
        body = request.json() or {}
        asked = {**body.get("filter", {}), **body.get("page", {})}
        names = {"since": "updated_since", "before": "updated_before", "after": "cursor"}
        return self._page({names.get(name, name): str(value) for name, value in asked.items() if value is not None}, request)

    def _page(self, query: dict[str, str], request: Request) -> Response:
        size = _MAX_PAGE if self.style == "none" else int(query.get("limit", 20))
        if not 1 <= size <= _MAX_PAGE:
            return self.error(400, "limit must be between 1 and 100")
        listed = self._listed(query)
        start = 0 if self.goes_in_circles else self._start(query, listed, size)
        shown = listed[start:] if self.style == "none" else listed[start : start + size]
        has_more = start + len(shown) < len(listed) or self.goes_in_circles
        self.read_page("leads")
        items = [_shown(one) for one in shown]
        after = _token_of(shown[-1]) if has_more and shown else None
        link = f"{self.root}{request.path}?{urlencode({**query, 'cursor': after})}" if after else None
        if self.style == "link":
            headers = {"Link": f'<{link}>; rel="next", <{self.root}{request.path}>; rel="first"'} if link else {}
            return Response(200, items, headers)
        meta = {"total": len(listed), "pages": -(-len(listed) // size), "has_more": has_more, "next_cursor": after, "next": link}
        return Response(200, {"data": {"items": items}, "meta": meta})

    def _listed(self, query: dict[str, str]) -> list[_Lead]:
        now = self.now()
        listed = [one for one in self.leads.values() if one.visible_at is None or one.visible_at <= now]
        if self.heeds_since and not self.goes_in_circles:
            listed = [one for one in listed if _is_within(one.updated_at, query)]
        return sorted(listed, key=_place, reverse=query.get("sort") != "updated_at")

    def _start(self, query: dict[str, str], listed: list[_Lead], size: int) -> int:
        if self.style == "page":
            return (int(query.get("page", 1)) - 1) * size
        if self.style == "offset":
            return int(query.get("offset", 0))
        after = query.get("cursor")
        if not after:
            return 0
        place = _place_of(after)
        is_rising = query.get("sort") == "updated_at"
        # Behind the place of the last one, also where that has left the list meanwhile.
        return sum((_place(one) <= place) if is_rising else (_place(one) >= place) for one in listed)

    # ------------------------------------------------------------------ beside

    def do_put(self, email: str, **fields: Any) -> dict[str, Any]:
        """Control call `put`."""
        return {"id": self.put(email, **fields)}

    def do_remove(self, id: str) -> dict[str, Any]:
        """Control call `remove`."""
        self.remove(id)
        return {}

    def state(self) -> dict[str, Any]:
        """How many leads there are, and how they are listed."""
        return {"leads": len(self.leads), "style": self.style}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Leads, newest first."""
        rows = sorted(self.leads.values(), key=_place, reverse=True)
        return ("Lead", "Changed", "E-mail"), ((one.id, _text(one.updated_at), one.fields.get("email", "")) for one in rows)


def _place(one: _Lead) -> tuple[datetime, str]:
    return one.updated_at, one.id


def _token_of(one: _Lead) -> str:
    return base64.urlsafe_b64encode(f"{one.updated_at.isoformat()} {one.id}".encode()).decode()


def _place_of(token: str) -> tuple[datetime, str]:
    at, _, lead_id = base64.urlsafe_b64decode(token).decode().partition(" ")
    return datetime.fromisoformat(at), lead_id


def _shown(one: _Lead) -> dict[str, Any]:
    return {"id": one.id, "updated_at": _text(one.updated_at), **one.fields, **one.more}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_within(at: datetime, query: dict[str, str]) -> bool:
    since, before = (_time(query.get(name)) for name in ("updated_since", "updated_before"))
    return (since is None or since <= at) and (before is None or at < before)


def _time(text: str | None) -> datetime | None:
    """ISO, a day, or Unix seconds."""
    if not text:
        return None
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
