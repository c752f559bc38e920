"""One Facebook page with lead forms at Meta's Graph API (reference, sources.md 5).

Behaves as the API: newest leads first, cursors `after`, a `paging.next` that holds the token and says by its absence that the list
ends, errors as HTTP 400 with a code, a silent other version for one that is not known, leads gone after 90 days.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, bearer, route
from syncd.sandbox.vendors.conversions import PIXEL_ID, MetaEvents
from syncd.sandbox.visitors import Visitor

META_TOKEN = "EAAsandbox5a6d626f78"  # noqa: S105 - public on purpose
META_APP_SECRET = "sandbox-meta-app-secret"  # noqa: S105 - public on purpose
META_VERIFY_TOKEN = "sandbox-meta-verify"  # noqa: S105 - public on purpose
PAGE_ID = "104928374650"
CONTACT_FORM, OLD_FORM = "456789012345", "456789012399"
"""Ids of the forms of `populate`: an active and an archived one."""
_VERSIONS = ("v25.0", "v26.0")
_MAX_PAGE = 100
_RETENTION = timedelta(days=90)
_CODES = {Kind.EXPIRED: (400, 190), Kind.FORBIDDEN: (403, 200), Kind.THROTTLED: (400, 80_005), Kind.LIMIT: (400, 4),
          Kind.ERROR: (500, 1), Kind.UNAVAILABLE: (503, 2)}  # fmt: skip


@dataclass
class _Lead:
    """One lead. `visible_at`: when the API begins to have it."""

    id: str
    form_id: str
    at: datetime
    answers: dict[str, list[str]]
    boxes: dict[str, Any] = field(default_factory=dict)
    platform: str = "fb"
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


class SandboxMeta(MetaEvents):
    """The page.

    Attributes:
        leads: All there ever were, oldest first. statuses: Status by form.
        delay_seconds: How long a fresh lead is neither listed nor found.
        used_percent, regain_minutes: What the usage header says. throttles_at: From this on calls are refused.
        is_locked_out: The page's Leads Access Manager does not name the app: lists are empty.
        subscribed: What the page sends.
        goes_in_circles: `after` is not understood: the same page comes again.
    """

    name = "Meta"
    kinds = COMMON_KINDS | {Kind.LIMIT}

    def __init__(self, **given: Any) -> None:
        """A page without forms."""
        super().__init__(**given)
        self.statuses: dict[str, str] = {}
        self.leads: list[_Lead] = []
        self.delay_seconds = 0.0
        self.used_percent, self.regain_minutes, self.throttles_at = 1.0, 0, 100.0
        self.is_locked_out = False
        self.subscribed: list[str] = ["leadgen"]
        self.goes_in_circles = False

    def source(self, url: str) -> dict[str, Any]:
        """With the token, the page, and the secrets of webhooks."""
        given = {"base_url": url, "token": META_TOKEN, "app_secret": META_APP_SECRET, "verify_token": META_VERIFY_TOKEN}
        return {"type": "meta", **given, "pages": [PAGE_ID], "pixel_id": PIXEL_ID, "mapping": "meta"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """They fill in the lead form of an ad, some on Instagram, and some that of an old ad."""
        self.add_form(CONTACT_FORM)
        self.add_form(OLD_FORM, "ARCHIVED")
        for number, one in enumerate(people):
            told = {
                "email": one.email,
                "full_name": f"{one.first} {one.last}",
                "company_name": one.company,
                "country": one.country,
            }
            told |= {"phone_number": one.phone.replace(" ", "")} if one.phone else {}
            boxes = {} if one.agrees is None else {"marketing_opt_in": "1" if one.agrees else ""}
            form = OLD_FORM if number % 5 == 4 else CONTACT_FORM
            self.submit(form, told, at=one.at, boxes=boxes, platform="ig" if number % 3 else "fb")

    # ------------------------------------------------------------------ people at work

    def add_form(self, form_id: str, status: str = "ACTIVE") -> None:
        """A form; its questions are whatever its leads answer."""
        self.statuses.setdefault(form_id, status)

    def submit(
        self,
        form_id: str,
        answers: dict[str, Any],
        *,
        at: datetime | None = None,
        boxes: dict[str, Any] | None = None,
        platform: str = "fb",
    ) -> str:
        """Somebody fills in the form: a value or several by the question's key; gives the lead's id."""
        with self.lock:
            at = (at or self.now()).replace(microsecond=0)
            key = str(321_000_000_000 + len(self.leads))
            given = {name: list(value) if isinstance(value, list) else [value] for name, value in answers.items()}
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            self.leads.append(_Lead(key, form_id, at, given, dict(boxes or {}), platform, visible))
            return key

    def submit_test(self, form_id: str) -> str:
        """Somebody uses the Lead Ads Testing Tool."""
        return self.submit(form_id, {name: f"<test lead: dummy data for {name}>" for name in ("email", "full_name")})

    def submit_odd(self, form_id: str, at: datetime) -> int:
        """Leads as no form should give them; gives how many."""
        odd: list[dict[str, Any]] = [
            {"field_data": None, "custom_disclaimer_responses": None, "platform": None, "ad_id": None, "is_organic": None},
            {"field_data": [{"name": "email", "values": []}, {"name": None}], "unknown": {"new": [1, {"x": None}]}},
            {"field_data": [{"name": "email", "values": ["ünïcode-\u202e-😀@example.com"]}], "ad_name": "x" * 10_000},
            {"created_time": "2026-11-24T08:59:00", "field_data": [{"name": "email", "values": ["naive@example.com"]}]},
            {"created_time": 1_772_359_200, "field_data": "none"},
        ]
        for number, more in enumerate(odd):
            key = self.submit(form_id, {}, at=at + timedelta(seconds=number))
            next(one for one in self.leads if one.id == key).more = more
        return len(odd)

    def webhook_body(self, *numbers: int) -> bytes:
        """What is sent for leads by their place in `leads`: one entry each."""
        entries = []
        for number in numbers:
            one = self.leads[number]
            at = int(one.at.timestamp())
            value = {"leadgen_id": one.id, "form_id": one.form_id, "page_id": PAGE_ID, "created_time": at, "ad_id": "77"}
            entries.append({"id": PAGE_ID, "time": at + 1, "changes": [{"field": "leadgen", "value": value}]})
        return json.dumps({"object": "page", "entry": entries}).encode()

    @staticmethod
    def signature(body: bytes, secret: str = META_APP_SECRET) -> str:
        """The header `X-Hub-Signature-256` of a body."""
        return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By the token, and its proof by the app's secret."""
        proof = hmac.new(META_APP_SECRET.encode(), META_TOKEN.encode(), hashlib.sha256).hexdigest()
        return bearer(request) == META_TOKEN and request.query.get("appsecret_proof") == proof

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{error: {...}}`, mostly as 400 whatever it is."""
        status, code = _CODES.get(kind, (status, 100)) if kind else (400 if status == 404 else status, 100)
        error = {"message": f"(#{code}) {message}", "type": "OAuthException", "code": code, "fbtrace_id": "Sandbox"}
        return Response(status, {"error": error})

    @route("GET", "/*.0/*/leadgen_forms")
    def forms(self, request: Request, version: str, page_id: str) -> Response:
        """Forms of the page, archived ones too."""
        if page_id != PAGE_ID:
            return self.missing()
        return self._listed(request, version, f"{page_id}/leadgen_forms", [self._form(one) for one in sorted(self.statuses)])

    @route("GET", "/*.0/*/leads")
    def form_leads(self, request: Request, version: str, form_id: str) -> Response:
        """Leads of a form, newest first."""
        if form_id not in self.statuses:
            return self.missing()
        held = [one for one in self._kept(form_id) if all(_passes(one, bound) for bound in _bounds(request))]
        held.sort(key=lambda one: (one.at, one.id), reverse=True)
        self.read_page("leads")
        return self._listed(request, version, f"{form_id}/leads", [] if self.is_locked_out else [_shown(one) for one in held])

    @route("GET", "/*.0/*/subscribed_apps")
    def subscriptions(self, request: Request, version: str, page_id: str) -> Response:
        """What the page sends to the app."""
        del request, page_id
        return self._answered(version, {"data": [{"id": "1", "subscribed_fields": self.subscribed}] if self.subscribed else []})

    @route("GET", "/*.0/*")
    def lead(self, request: Request, version: str, lead_id: str) -> Response:
        """One lead."""
        found = next((one for form in self.statuses for one in self._kept(form) if one.id == lead_id), None)
        return self.missing() if found is None else self._answered(version, _asked(request, _shown(found)))

    def _kept(self, form_id: str) -> list[_Lead]:
        now = self.now()
        return [
            one
            for one in self.leads
            if one.form_id == form_id and (one.visible_at is None or one.visible_at <= now) and one.at > now - _RETENTION
        ]

    def _form(self, form_id: str) -> dict[str, Any]:
        count = sum(one.form_id == form_id for one in self.leads)
        return {
            "id": form_id,
            "name": f"Form {form_id}",
            "status": self.statuses[form_id],
            "leads_count": count,
            "expired_leads_count": sum(one.form_id == form_id and one.at <= self.now() - _RETENTION for one in self.leads),
        }

    def _listed(self, request: Request, version: str, path: str, found: list[dict[str, Any]]) -> Response:
        """A page of a list; a limit that is too large is silently cut."""
        size = min(int(request.query.get("limit", 25)), _MAX_PAGE)
        after = "" if self.goes_in_circles else _id_of(request.query.get("after", ""))
        start = next((number for number, one in enumerate(found, start=1) if one["id"] == after), 0)
        shown = [_asked(request, one) for one in found[start : start + size]]
        body: dict[str, Any] = {"data": shown}
        if shown:
            last = base64.urlsafe_b64encode(found[start + len(shown) - 1]["id"].encode()).decode()
            body["paging"] = {"cursors": {"before": "b", "after": last}}
            if start + size < len(found):
                body["paging"]["next"] = f"https://graph.facebook.com/{version}/{path}?access_token={META_TOKEN}&after={last}"
        return self._answered(version, body)

    def _answered(self, version: str, body: dict[str, Any]) -> Response:
        if self.used_percent >= self.throttles_at:
            return self.error(400, "There have been too many calls", Kind.THROTTLED)
        usage = {"type": "leadgen", "call_count": self.used_percent, "total_cputime": 1, "total_time": 1}
        usage["estimated_time_to_regain_access"] = self.regain_minutes
        headers = {
            "facebook-api-version": version if version in _VERSIONS else _VERSIONS[0],
            "X-Business-Use-Case-Usage": json.dumps({"123": [usage]}),
            "X-App-Usage": json.dumps({"call_count": 1, "total_cputime": 1, "total_time": 1}),
        }
        return Response(200, body, headers)

    # ------------------------------------------------------------------ beside

    def do_submit(self, form_id: str, answers: dict[str, Any], platform: str = "fb") -> dict[str, Any]:
        """Control call `submit`."""
        self.add_form(form_id)
        return {"id": self.submit(form_id, answers, platform=platform)}

    def do_test_lead(self, form_id: str) -> dict[str, Any]:
        """Control call `test_lead`."""
        self.add_form(form_id)
        return {"id": self.submit_test(form_id)}

    def state(self) -> dict[str, Any]:
        """Leads by form."""
        return {"leads": {form: sum(one.form_id == form for one in self.leads) for form in self.statuses}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Leads, newest first."""
        rows = sorted(self.leads, key=lambda one: one.at, reverse=True)
        return ("Form", "Platform", "Submitted", "Answers"), (
            (one.form_id, one.platform, _text(one.at), "; ".join(value for many in one.answers.values() for value in many))
            for one in rows
        )


def _shown(one: _Lead) -> dict[str, Any]:
    return {
        "id": one.id,
        "created_time": _text(one.at),
        "ad_id": "77",
        "ad_name": "Spring ad",
        "campaign_id": "88",
        "campaign_name": "Spring",
        "form_id": one.form_id,
        "field_data": [{"name": name, "values": values} for name, values in one.answers.items()],
        **(
            {"custom_disclaimer_responses": [{"checkbox_key": k, "is_checked": v} for k, v in one.boxes.items()]}
            if one.boxes
            else {}
        ),
        "is_organic": False,
        "platform": one.platform,
        **one.more,
    }


def _asked(request: Request, whole: dict[str, Any]) -> dict[str, Any]:
    """Only the fields that are asked for, and the id."""
    names = request.query.get("fields", "").split(",")
    return {name: value for name, value in whole.items() if name in {*names, "id", "unknown"}}


def _bounds(request: Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.query.get("filtering", "[]"))
    return found


def _passes(one: _Lead, bound: dict[str, Any]) -> bool:
    at = int(one.at.timestamp())
    assert bound["field"] == "time_created"  # noqa: S101 - another name is not understood, and silently ignored by nobody
    value = int(bound["value"])
    return at > value if bound["operator"] == "GREATER_THAN" else at < value


def _id_of(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


SANDBOX = SandboxMeta
