"""Google Ads accounts with lead forms: searchStream over two resources, quotas, webhooks (reference, sources.md 3).

Behaves as the API says: a literal is taken in the account's zone, leads are kept for 60 days and may be listed late, one question about
clicks is about one day, errors stand inside an array, and may come behind status 200 in the middle of a stream.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import route
from syncd.sandbox.vendors.conversions import GoogleConversions
from syncd.sandbox.vendors.google import GoogleVendor
from syncd.sandbox.visitors import Visitor

DEVELOPER_TOKEN = "sandbox-dev-token-7a61"  # noqa: S105 - public on purpose
WEBHOOK_KEY = "sandbox-google-key"
ADS_CUSTOMER = "1234567890"
ADS_MANAGER = "9876543210"
_SCOPE = "https://www.googleapis.com/auth/adwords"
_KEPT = timedelta(days=60)
_CLICKS_KEPT = timedelta(days=90)
_CHUNK = 25
_WORDS = {
    Kind.EXPIRED: ("authenticationError", "OAUTH_TOKEN_EXPIRED"),
    Kind.FORBIDDEN: ("authorizationError", "USER_PERMISSION_DENIED"),
    Kind.THROTTLED: ("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED"),
}
_BOUND = re.compile(r"submission_date_time (>=|<) '(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)'")


@dataclass
class _Lead:
    """One lead. `visible_at`: when the API begins to list it."""

    id: str
    at: datetime
    fields: dict[str, str]
    gclid: str = ""
    questions: dict[str, str] = field(default_factory=dict)
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


class SandboxGoogleAds(GoogleVendor):
    """Accounts under one manager.

    Attributes:
        zones: Offset from UTC of each account, in hours.
        delay_seconds: How long a fresh lead is not listed yet.
        direct: Accounts that the login reaches without the manager.
        exhausted: Account to (rateScope, seconds): what it is asked to wait; `*` for all.
        conversions: What was sent back, and the clicks that it may be about.
        breaks_off: Streams end in an error behind status 200.
    """

    name = "Google Ads"

    def __init__(self, **given: Any) -> None:
        """One account without leads."""
        super().__init__(**given)
        self.leads: dict[str, list[_Lead]] = {ADS_CUSTOMER: []}
        self.zones: dict[str, float] = {}
        self.clicks: dict[str, tuple[date, str]] = {}
        self.delay_seconds = 0.0
        self.direct: set[str] = set()
        self.exhausted: dict[str, tuple[str, float]] = {}
        self.breaks_off = False
        self.conversions = GoogleConversions()
        self.queries: list[tuple[str, str]] = []

    def source(self, url: str) -> dict[str, Any]:
        """Through the manager, with the key of webhooks."""
        account = {"developer_token": DEVELOPER_TOKEN, "customer_ids": [ADS_CUSTOMER], "login_customer_id": ADS_MANAGER}
        return {"type": "google_ads", **self.consent(url), **account, "google_key": WEBHOOK_KEY, "mapping": "google_ads"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """They send the form below an ad."""
        for number, one in enumerate(people):
            told = {"WORK_EMAIL": one.email, "FULL_NAME": f"{one.first} {one.last}", "COMPANY_NAME": one.company}
            told |= {"WORK_PHONE": one.phone} if one.phone else {}
            self.submit(told, at=one.at, gclid=f"Cj0KCQ-Sandbox-{number}", questions={"Team size?": "11-50"})

    # ------------------------------------------------------------------ people at work

    def submit(
        self,
        fields: dict[str, str],
        *,
        at: datetime | None = None,
        customer: str = ADS_CUSTOMER,
        gclid: str = "",
        questions: dict[str, str] | None = None,
        keyword: str = "",
    ) -> str:
        """Somebody sends a lead form; gives the id. With a `keyword` the click can be asked for."""
        with self.lock:
            held = self.leads.setdefault(customer, [])
            at = (at or self.now()).replace(microsecond=0)
            number = sum(len(one) for one in self.leads.values()) + 1
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            lead = _Lead(f"lead{self.seed}{number:06d}", at, dict(fields), gclid, dict(questions or {}), visible)
            held.append(lead)
            if gclid:
                self.conversions.clicks[gclid] = at - timedelta(minutes=1)
            if gclid and keyword:
                self.clicks[gclid] = (at.astimezone(self._zone(customer)).date(), keyword)
            return lead.id

    def submit_odd(self, at: datetime, customer: str = ADS_CUSTOMER) -> int:
        """Leads as no form should give them; gives how many."""
        odd: list[dict[str, Any]] = [
            {"gclid": None, "leadFormSubmissionFields": None, "customLeadFormSubmissionFields": None, "asset": None},
            {
                "leadFormSubmissionFields": [{"fieldType": "HOLOGRAM", "fieldValue": "x" * 10_000}, {"fieldType": None}, 7],
                "new": [1],
            },
            {"leadFormSubmissionFields": [{"fieldType": "EMAIL", "fieldValue": "ünïcode-\u202e-😀@example.com"}]},
            {"submissionDateTime": "2026-11-24 08:59:00", "customLeadFormSubmissionFields": [{"questionText": None}]},
            {"id": None},
        ]
        for number, more in enumerate(odd):
            self.leads[customer].append(_Lead(f"odd{number}", at + timedelta(seconds=number), {}, more=more))
        return len(odd)

    def webhook_body(self, number: int, customer: str = ADS_CUSTOMER, *, is_test: bool = False, key: str = WEBHOOK_KEY) -> bytes:
        """What is sent for lead `number` of an account."""
        one = self.leads[customer][number]
        told = [{"column_name": name.title(), "string_value": value, "column_id": name} for name, value in one.fields.items()]
        told += [
            {"column_name": text, "string_value": value, "column_id": f"question_{place}"}
            for place, (text, value) in enumerate(one.questions.items())
        ]
        body: dict[str, Any] = {
            "lead_id": one.id,
            "api_version": "1.0",
            "form_id": 40000000001,
            "campaign_id": 123456 if is_test else 77,
            "adgroup_id": 0 if is_test else 88,
            "creative_id": 0,
            "gcl_id": one.gclid,
            "google_key": key,
            "lead_submit_time": one.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "user_column_data": told[::-1],
        }
        return json.dumps({**body, "is_test": True} if is_test else body).encode()

    # ------------------------------------------------------------------ the API

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """An error inside an array."""
        group, word = _WORDS.get(kind, ("internalError", "INTERNAL_ERROR")) if kind else ("requestError", "RESOURCE_NOT_FOUND")
        return self._failure(status, group, word, message, delay="2s" if kind is Kind.THROTTLED else "")

    def _failure(
        self, status: int, group: str, word: str, message: str = "", *, scope: str = "DEVELOPER", delay: str = ""
    ) -> Response:
        one: dict[str, Any] = {"errorCode": {group: word}, "message": message or word}
        if delay:
            one["details"] = {"quotaErrorDetails": {"rateScope": scope, "rateName": "Number of operations", "retryDelay": delay}}
        shown = self.said(status, message).body["error"]
        shown["details"] = [{"@type": "type.googleapis.com/google.ads.GoogleAdsFailure", "errors": [one], "requestId": "r2"}]
        return Response(status, [{"error": shown}])

    @route("POST", "/*/customers/*/*:searchStream")
    def search_stream(self, request: Request, version: str, customer: str, service: str) -> Response:
        """All rows of a query, in chunks."""
        del service
        query = str((request.json() or {}).get("query"))
        self.queries.append((customer, query))
        refused = self._refused(request, version, customer)
        if refused is not None:
            return refused
        is_of_clicks = "FROM click_view" in query
        rows = self._click_rows(customer, query) if is_of_clicks else self._lead_rows(customer, query)
        if rows is None:
            return self._failure(400, "queryError", "BAD_ENUM_CONSTANT")
        rows = rows[:1] if query.endswith("LIMIT 1") else rows
        chunks: list[Any] = [
            {"results": rows[place : place + _CHUNK], "requestId": "r1"} for place in range(0, len(rows), _CHUNK)
        ]
        if self.breaks_off:
            chunks.append(self._failure(500, "internalError", "INTERNAL_ERROR").body[0])
        self.read_page("leads")
        return Response(200, chunks)

    @route("POST", "/*/customers/*:uploadClickConversions")
    def upload_conversions(self, request: Request, version: str, customer: str) -> Response:
        """Conversions by gclid."""
        return self._uploaded(request, version, customer, "conversions")

    @route("POST", "/*/customers/*:uploadConversionAdjustments")
    def upload_adjustments(self, request: Request, version: str, customer: str) -> Response:
        """Conversions that are taken back."""
        return self._uploaded(request, version, customer, "conversionAdjustments")

    def _uploaded(self, request: Request, version: str, customer: str, key: str) -> Response:
        refused = self._refused(request, version, customer.partition(":")[0])
        body: dict[str, Any] = request.json() or {}
        if refused is not None:
            return refused
        if body.get("partialFailure") is not True or not body.get(key):
            return self._failure(400, "requestError", "PARTIAL_FAILURE_MODE_REQUIRED")
        return self.conversions.answer(body, key, self.now())

    def _refused(self, request: Request, version: str, customer: str) -> Response | None:
        """Of a question to an account that is not let in."""
        if not self.may(request, _SCOPE):
            return self._failure(403, "authorizationError", "ACTION_NOT_PERMITTED")
        if request.headers.get("developer-token") != DEVELOPER_TOKEN:
            return self._failure(401, "authenticationError", "DEVELOPER_TOKEN_INVALID")
        if version not in ("v25", "v26"):
            return Response(404, b"<html>Not found</html>", {"Content-Type": "text/html"})
        if customer not in self.leads:
            return self._failure(401, "authenticationError", "CUSTOMER_NOT_FOUND")
        if customer not in self.direct and request.headers.get("login-customer-id") != ADS_MANAGER:
            return self._failure(403, "authorizationError", "USER_PERMISSION_DENIED", "User somebody@example.com has no access")
        wait = self.exhausted.get(customer) or self.exhausted.get("*")
        if wait is not None:
            scope, seconds = wait
            message = f"Too many requests. Retry in {seconds:.0f} seconds."
            return self._failure(429, "quotaError", "RESOURCE_EXHAUSTED", message, scope=scope, delay=f"{seconds:.0f}s")
        return None

    def _zone(self, customer: str) -> timezone:
        return timezone(timedelta(hours=self.zones.get(customer, 1.0)))

    def _lead_rows(self, customer: str, query: str) -> list[dict[str, Any]] | None:
        if "FROM lead_form_submission_data" not in query:
            return None
        zone, now = self._zone(customer), self.now()
        bounds = [(sign, datetime.fromisoformat(text).replace(tzinfo=zone)) for sign, text in _BOUND.findall(query)]
        held = [
            one for one in self.leads[customer] if one.at >= now - _KEPT and (one.visible_at is None or one.visible_at <= now)
        ]
        held = [one for one in held if all(one.at >= at if sign == ">=" else one.at < at for sign, at in bounds)]
        return [self._shown(one, zone) for one in sorted(held, key=lambda one: one.at)]

    def _click_rows(self, customer: str, query: str) -> list[dict[str, Any]] | None:
        days = re.findall(r"segments\.date = '(\d{4}-\d\d-\d\d)'", query)
        if len(days) != 1 or date.fromisoformat(days[0]) < (self.now() - _CLICKS_KEPT).date():
            return None
        wanted = re.search(r"gclid IN \(([^)]*)\)", query)
        only = set(re.findall(r"'([^']*)'", wanted[1])) if wanted else set(self.clicks)
        held = {one.gclid for one in self.leads[customer]} & only
        return [
            {
                "clickView": {"gclid": gclid, "keywordInfo": {"text": self.clicks[gclid][1]}},
                "campaign": {"id": "77", "name": "Spring"},
                "adGroup": {"id": "88", "name": "Engines"},
                "segments": {"date": days[0]},
            }
            for gclid in sorted(held)
            if gclid in self.clicks and self.clicks[gclid][0].isoformat() == days[0]
        ]

    def _shown(self, one: _Lead, zone: timezone) -> dict[str, Any]:
        local = one.at.astimezone(zone).isoformat(sep=" ")
        data: dict[str, Any] = {
            "resourceName": f"customers/1/leadFormSubmissionData/{one.id}",
            "id": one.id,
            "submissionDateTime": local,
            "asset": "customers/1/assets/40000000001",
            "leadFormSubmissionFields": [{"fieldType": name, "fieldValue": value} for name, value in one.fields.items()],
        }
        if one.gclid:
            data["gclid"] = one.gclid
        if one.questions:
            data["customLeadFormSubmissionFields"] = [
                {"questionText": text, "fieldValue": value} for text, value in one.questions.items()
            ]
        names = {"campaign": {"id": "77", "name": "Spring"}, "adGroup": {"id": "88", "name": "Engines"}}
        return {"leadFormSubmissionData": {**data, **one.more}, **names, "asset": {"id": "40000000001", "name": "Offer"}}

    # ------------------------------------------------------------------ beside

    def do_submit(self, fields: dict[str, str], gclid: str = "", customer: str = ADS_CUSTOMER) -> dict[str, Any]:
        """Control call `submit`."""
        return {"id": self.submit(fields, gclid=gclid, customer=customer)}

    def state(self) -> dict[str, Any]:
        """Leads by account."""
        return {"leads": {customer: len(held) for customer, held in self.leads.items()}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Leads, newest first."""
        rows = sorted(((one.at, customer, one) for customer, held in self.leads.items() for one in held), key=lambda row: row[0])
        return ("Account", "Submitted", "Form"), (
            (customer, at.isoformat(), "; ".join(one.fields.values())) for at, customer, one in reversed(rows)
        )


SANDBOX = SandboxGoogleAds
