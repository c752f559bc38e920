"""One Zoom account: users, webinars, registrants and reports (reference, sources.md 8.1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, Tokens, Vendor, bearer, route
from syncd.sandbox.visitors import Visitor

ZOOM_ACCOUNT = "sandbox-account"
ZOOM_CLIENT = "sandbox-client"
ZOOM_CLIENT_SECRET = "sandbox-zoom-client-secret"  # noqa: S105 - public on purpose
ZOOM_SECRET = "sandbox-zoom-secret-token"  # noqa: S105 - public on purpose
WEBINAR = "98765432101"
"""Id of the webinar of `populate`; more than 32 bits hold."""
_MAX_PAGE = 300
_MOST_PER_DAY = 3
_HOUR = 3600.0


@dataclass
class _Webinar:
    uuid: str
    topic: str
    start: datetime
    minutes: int
    registrants: list[dict[str, Any]] = field(default_factory=list)
    joins: list[dict[str, Any]] = field(default_factory=list)


class SandboxZoom(Vendor):
    """The account.

    Attributes:
        report_delay: How long after its end a report is empty.
        goes_in_circles: The token of the next page is always the same.
        says_iso_date: Retry-After of a throttle is an ISO date, as for daily limits.
        approves: Who is registered by the API is approved at once; else they wait for the host.
        sent: When somebody was registered by the API, by webinar, address and day.
    """

    name = "Zoom"
    kinds = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, **given: Any) -> None:
        """One user without webinars."""
        super().__init__(**given)
        self.tokens = Tokens(self.clock, "zoom-token-")
        self.webinars: dict[str, _Webinar] = {}
        self.report_delay = timedelta(minutes=20)
        self.goes_in_circles = False
        self.says_iso_date = False
        self.approves = True
        self.sent: dict[tuple[str, str, str], list[datetime]] = {}

    def source(self, url: str) -> dict[str, Any]:
        """With the app, and the secret of events."""
        app = {"account_id": ZOOM_ACCOUNT, "client_id": ZOOM_CLIENT, "client_secret": ZOOM_CLIENT_SECRET}
        places = {"base_url": f"{url}/v2", "token_url": f"{url}/oauth/token"}
        return {"type": "zoom", **app, **places, "webhook_secret": ZOOM_SECRET, "mapping": "zoom"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """A webinar of yesterday: all registered, two of three came."""
        start = self.now() - timedelta(hours=30)
        self.add_webinar(WEBINAR, "How pumps save water", start)
        for number, one in enumerate(people):
            told = {
                "first_name": one.first,
                "last_name": one.last,
                "org": one.company,
                "job_title": one.title,
                "phone": one.phone,
            }
            who = self.register(WEBINAR, one.email, at=min(one.at, start - timedelta(minutes=5)), country=one.country, **told)
            if number % 3:
                self.attend(WEBINAR, who, minutes=20 + number)

    # ------------------------------------------------------------------ people at work

    def add_webinar(self, webinar_id: str, topic: str, start: datetime, minutes: int = 60, uuid: str = "") -> None:
        """A webinar, to come or over."""
        with self.lock:
            made = uuid or base64.b64encode(hashlib.blake2b(webinar_id.encode(), digest_size=12).digest()).decode()
            self.webinars[webinar_id] = _Webinar(made, topic, start, minutes)

    def register(self, webinar_id: str, email: str, *, at: datetime | None = None, status: str = "approved", **more: Any) -> str:
        """Somebody registers; gives the registrant's id."""
        with self.lock:
            held = self.webinars[webinar_id].registrants
            who = hashlib.blake2b(f"{self.seed}/{webinar_id}/{len(held)}".encode(), digest_size=9).hexdigest()
            told = {"first_name": "", "last_name": "", "org": "", "job_title": "", "phone": "", "custom_questions": [], **more}
            stamp = _text(at or self.now())
            ticket = f"https://zoom.example/w/{webinar_id}?tk={who}"
            held.append({"id": who, "email": email, **told, "status": status, "create_time": stamp, "join_url": ticket, **more})
            return who

    def set_status(self, webinar_id: str, who: str, status: str) -> None:
        """Approve, deny or cancel somebody."""
        with self.lock:
            next(one for one in self.webinars[webinar_id].registrants if one["id"] == who)["status"] = status

    def attend(self, webinar_id: str, who: str, *, minutes: int, email: str | None = None) -> None:
        """Somebody joins for a while; twice if called twice. `who` "": a guest."""
        with self.lock:
            held = self.webinars[webinar_id]
            known = next((one for one in held.registrants if one["id"] == who), None)
            joined = held.start + timedelta(minutes=len([one for one in held.joins if one["registrant_id"] == who]) * 30)
            held.joins.append(
                {
                    "id": f"p{len(held.joins)}",
                    "user_id": str(len(held.joins)),
                    "name": f"{known['first_name']} {known['last_name']}".strip() if known else "Guest",
                    "user_email": email if email is not None else (known["email"] if known else ""),
                    "join_time": _text(joined),
                    "leave_time": _text(joined + timedelta(minutes=minutes)),
                    "duration": minutes * 60,
                    "registrant_id": who,
                }
            )

    def event(self, webinar_id: str, who: str, word: str = "created") -> bytes:
        """The webhook of a registration."""
        held = self.webinars[webinar_id]
        registrant = next(one for one in held.registrants if one["id"] == who)
        told = {name: registrant[name] for name in ("id", "email", "first_name", "last_name", "join_url")}
        about = {"id": webinar_id, "uuid": held.uuid, "topic": held.topic, "registrant": told}
        stamp = int(datetime.fromisoformat(registrant["create_time"]).timestamp() * 1000)
        payload = {"account_id": ZOOM_ACCOUNT, "object": about}
        return json.dumps({"event": f"webinar.registration_{word}", "event_ts": stamp, "payload": payload}).encode()

    @staticmethod
    def signed(body: bytes, at: datetime, secret: str = ZOOM_SECRET) -> dict[str, str]:
        """The headers of an event."""
        stamp = str(int(at.timestamp()))
        proof = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"x-zm-request-timestamp": stamp, "x-zm-signature": f"v0={proof}"}

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By a token that has not ended."""
        return self.tokens.is_good(bearer(request))

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{code, message}`; a throttle says when to come again."""
        codes = {Kind.EXPIRED: 124, Kind.FORBIDDEN: 4711, Kind.THROTTLED: 429}
        headers = {}
        if kind is Kind.THROTTLED:
            headers = {"X-RateLimit-Category": "Heavy", "X-RateLimit-Type": "QPS"}
            if self.says_iso_date:
                headers |= {"X-RateLimit-Type": "Daily-limit", "Retry-After": _text(self.now() + timedelta(hours=2))}
        code = codes.get(kind, status) if kind else 3001
        return Response(status, {"code": code, "message": message}, headers)

    def emptied(self, body: Any) -> Any:
        """No items, though there are more."""
        if not isinstance(body, dict) or "total_records" not in body:
            return body
        return {name: [] if isinstance(one, list) else one for name, one in body.items()}

    @route("POST", "/oauth/token", is_open=True)
    def token(self, request: Request) -> Response:
        """Account credentials for a token of an hour."""
        given = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        basic = base64.b64encode(f"{ZOOM_CLIENT}:{ZOOM_CLIENT_SECRET}".encode()).decode()
        is_right = request.headers.get("authorization") == f"Basic {basic}" and given.get("account_id") == ZOOM_ACCOUNT
        if not is_right or given.get("grant_type") != "account_credentials":
            return Response(400, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
        self.tokens.end_all()
        return Response(200, {"access_token": self.tokens.issue(_HOUR), "token_type": "bearer", "expires_in": 3599})

    @route("GET", "/v2/users")
    def users(self, request: Request) -> Response:
        """Whoever can hold webinars."""
        return self._page(request, "users", [{"id": "user-1", "type": 2}])

    @route("GET", "/v2/users/*/webinars")
    def listed(self, request: Request, user: str) -> Response:
        """The webinars of a user."""
        del user
        return self._page(request, "webinars", [self._shown(one) for one in self.webinars])

    @route("GET", "/v2/webinars/*")
    def webinar(self, request: Request, webinar_id: str) -> Response:
        """One webinar."""
        del request
        return Response(200, self._shown(webinar_id)) if webinar_id in self.webinars else self._gone()

    @route("GET", "/v2/webinars/*/registrants")
    def registrants(self, request: Request, webinar_id: str) -> Response:
        """Those of one status, `approved` unless asked otherwise."""
        if webinar_id not in self.webinars:
            return self._gone()
        status = request.query.get("status", "approved")
        return self._page(
            request, "registrants", [one for one in self.webinars[webinar_id].registrants if one["status"] == status]
        )

    @route("POST", "/v2/webinars/*/registrants")
    def registered(self, request: Request, webinar_id: str) -> Response:
        """Registers somebody, three times a day at most; who is registered gets what they have."""
        if webinar_id not in self.webinars:
            return self._gone()
        held, given = self.webinars[webinar_id], request.json()
        email = str(given.get("email") or "") if isinstance(given, dict) else ""
        if "@" not in email or not given.get("first_name"):
            return Response(400, {"code": 300, "message": "Invalid user name."})
        if held.start + timedelta(minutes=held.minutes) < self.now():
            return Response(400, {"code": 3038, "message": "Webinar is over, you can not register now."})
        sent = self.sent.setdefault((webinar_id, email.lower(), self.now().date().isoformat()), [])
        if len(sent) >= _MOST_PER_DAY:
            return Response(429, {"code": 429, "message": f"Daily rate limit (3) for ({email}) this particular registrant."})
        sent.append(self.now())
        known = next((one for one in held.registrants if one["email"].lower() == email.lower()), None)
        if known is None:
            self.register(webinar_id, status="approved" if self.approves else "pending", **given)
            known = held.registrants[-1]
        return Response(201, {**self._shown(webinar_id), "registrant_id": known["id"], "join_url": known["join_url"]})

    @route("GET", "/v2/webinars/*/registrants/*")
    def registrant(self, request: Request, webinar_id: str, who: str) -> Response:
        """One registrant."""
        del request
        held = self.webinars[webinar_id].registrants if webinar_id in self.webinars else []
        found = next((one for one in held if one["id"] == who), None)
        return self._gone() if found is None else Response(200, found)

    @route("GET", "/v2/report/webinars/*/participants")
    def report(self, request: Request, place: str) -> Response:
        """Every join, when the report is ready."""
        held = self._over(place)
        if held is None:
            return self._gone()
        is_ready = self.now() >= held.start + timedelta(minutes=held.minutes) + self.report_delay
        return self._page(request, "participants", held.joins if is_ready else [])

    @route("GET", "/v2/past_webinars/*/absentees")
    def absentees(self, request: Request, place: str) -> Response:
        """Who registered and did not come."""
        held = self._over(place)
        if held is None:
            return self._gone()
        came = {one["registrant_id"] for one in held.joins}
        return self._page(
            request, "registrants", [one for one in held.registrants if one["id"] not in came and one["status"] == "approved"]
        )

    def _over(self, place: str) -> _Webinar | None:
        """A webinar by id or uuid, which may be encoded twice."""
        names = (place, unquote(place))
        return next((one for key, one in self.webinars.items() if key in names or one.uuid in names), None)

    def _gone(self) -> Response:
        return Response(404, {"code": 3001, "message": "Webinar does not exist."})

    def _shown(self, webinar_id: str) -> dict[str, Any]:
        one = self.webinars[webinar_id]
        told = {"topic": one.topic, "start_time": _text(one.start), "duration": one.minutes, "timezone": "Europe/Berlin"}
        return {"id": int(webinar_id), "uuid": one.uuid, **told}

    def _page(self, request: Request, name: str, items: Sequence[dict[str, Any]]) -> Response:
        size = int(request.query.get("page_size", 30))
        if not 1 <= size <= _MAX_PAGE:
            return Response(400, {"code": 300, "message": "page_size must be between 1 and 300"})
        token = request.query.get("next_page_token", "")
        start = int(token.removeprefix("t")) if token and not self.goes_in_circles else 0
        more = "t9" if self.goes_in_circles else f"t{start + size}" if start + size < len(items) else ""
        self.read_page(name)
        return Response(200, {"total_records": len(items), name: items[start : start + size], "next_page_token": more})

    # ------------------------------------------------------------------ beside

    def do_register(self, webinar_id: str, email: str, **more: Any) -> dict[str, Any]:
        """Control call `register`."""
        return {"id": self.register(webinar_id, email, **more)}

    def state(self) -> dict[str, Any]:
        """Registrants by webinar."""
        return {"registrants": {key: len(one.registrants) for key, one in self.webinars.items()}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Registrants."""
        return ("Webinar", "E-mail", "Name", "Status", "Registered"), (
            (one.topic, who["email"], f"{who['first_name']} {who['last_name']}", who["status"], who["create_time"])
            for one in self.webinars.values()
            for who in one.registrants
        )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


SANDBOX = SandboxZoom
