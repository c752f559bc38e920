"""LinkedIn's Lead Sync: an ad account and a company page with leads of all four types (reference, sources.md 4).

Behaves as the API: one query per owner and type, paging by start and count in no order of time, versions that end with 426, answers
that carry the numbers of their questions only, test leads among the others, 429 without headers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import COMMON_KINDS, Tokens, bearer, route
from syncd.sandbox.vendors.conversions import LinkedInEvents
from syncd.sandbox.visitors import Visitor

LINKEDIN_TOKEN = "AQsandbox5a6d626f78"  # noqa: S105 - public on purpose
LINKEDIN_CLIENT_ID = "86sandboxclient"
LINKEDIN_SECRET = "sandbox-linkedin-secret"  # noqa: S105 - public on purpose
LINKEDIN_REFRESH = "AQRsandbox-refresh-"
ACCOUNT, ORGANIZATION = "sponsoredAccount:508123456", "organization:5509810"
_OLDEST_VERSION = "202511"
_MAX_PAGE = 100
_RETENTION = timedelta(days=90)
_QUESTIONS = {
    "email": (1, "WORK_EMAIL", "Work email"),
    "first": (2, "FIRST_NAME", "First name"),
    "last": (3, "LAST_NAME", "Last name"),
    "company": (4, "COMPANY_NAME", "Company name"),
    "phone": (5, "PHONE_NUMBER", "Phone number"),
    "title": (6, "JOB_TITLE", "Job title"),
    "country": (7, "COUNTRY", "Country/Region"),
    "size": (8, None, "Team size"),
}
_SIZES = ("1-10", "11-50", "51 and more")
_CONSENT = "I agree to receive the newsletter."


@dataclass
class _Lead:
    """One lead. `visible_at`: when the API begins to have it."""

    id: str
    owner: str
    lead_type: str
    at: datetime
    answers: dict[str, str]
    agrees: bool | None = None
    is_test: bool = False
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


class SandboxLinkedIn(LinkedInEvents):
    """The account and the page.

    Attributes:
        leads: All there are, oldest first.
        tokens: Access tokens that were given out for a refresh token. refresh: The refresh token that is good now.
        rotates: Each exchange gives a new refresh token and ends the one before.
        closed: Lead types that this member has no role for.
        delay_seconds: How long a fresh lead is neither listed nor found.
        tells_total: Pages say how many there are.
        goes_in_circles: `start` is not understood: the same page comes again.
    """

    name = "LinkedIn"
    kinds = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, **given: Any) -> None:
        """Without leads."""
        super().__init__(**given)
        self.leads: list[_Lead] = []
        self.tokens = Tokens(self.clock, "AQXsandbox-access-")
        self.refresh, self.rotates = f"{LINKEDIN_REFRESH}1", False
        self.closed: set[str] = set()
        self.delay_seconds = 0.0
        self.tells_total = True
        self.goes_in_circles = False
        self._count = 0

    def source(self, url: str) -> dict[str, Any]:
        """By a refresh token; the secret is that of webhooks, too."""
        login = {"client_id": LINKEDIN_CLIENT_ID, "client_secret": LINKEDIN_SECRET, "refresh_token": self.refresh}
        given = {"base_url": f"{url}/rest", "token_url": f"{url}/oauth/v2/accessToken", "owners": [ACCOUNT, ORGANIZATION]}
        return {"type": "linkedin", **given, **login, "mapping": "linkedin"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """Most come by an ad, the others by an event, the page and a product."""
        types = ("SPONSORED", "SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT")
        for number, one in enumerate(people):
            told = {"email": one.email, "first": one.first, "last": one.last, "company": one.company, "title": one.title}
            told |= {"phone": one.phone} if one.phone else {}
            self.submit(told | {"country": one.country}, lead_type=types[number % 5], at=one.at, agrees=one.agrees)

    # ------------------------------------------------------------------ people at work

    def submit(
        self,
        answers: dict[str, str],
        *,
        lead_type: str = "SPONSORED",
        at: datetime | None = None,
        agrees: bool | None = None,
        is_test: bool = False,
    ) -> str:
        """A member sends a form; gives the lead's id."""
        with self.lock:
            self._count += 1
            key = f"lead-{self._count}"
            owner = ACCOUNT if lead_type == "SPONSORED" else ORGANIZATION
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            self.leads.append(_Lead(key, owner, lead_type, at or self.now(), dict(answers), agrees, is_test, visible))
            return key

    def withdraw(self, key: str) -> None:
        """The member takes it back: it is gone."""
        with self.lock:
            self.leads = [one for one in self.leads if one.id != key]

    def submit_odd(self, at: datetime) -> int:
        """Leads as no form should give them; gives how many."""
        odd: list[dict[str, Any]] = [
            {"formResponse": None, "form": None, "associatedEntity": None, "leadMetadataInfo": None, "testLead": None},
            {
                "formResponse": {"answers": [{"questionId": 99, "answerDetails": {"hologram": {}}}]},
                "unknown": {"new": [1, {"x": None}]},
            },
            {
                "formResponse": {"answers": "none", "consentResponses": [7]},
                "form": {"content": {"questions": [None]}, "hiddenFields": {}},
            },
            {"form": {"name": "x" * 10_000 + "ünïcode-\u202e-😀@example.com", "creationLocale": {"language": None}}},
            {"submittedAt": "2026-11-24T08:59:00"},
        ]
        for number, more in enumerate(odd):
            self.submit({}, at=at + timedelta(seconds=number))
            self.leads[-1].more = more
        return len(odd)

    def webhook_body(self, number: int, action: str = "CREATED") -> bytes:
        """What is sent for a lead by its place in `leads`."""
        one = self.leads[number]
        kind = one.owner.split(":")[0]
        told = {
            "type": "LEAD_ACTION",
            "leadAction": action,
            "leadGenFormResponse": f"urn:li:leadGenFormResponse:{one.id}",
            "leadGenForm": "urn:li:leadGenForm:3162",
            "owner": {kind: f"urn:li:{one.owner}"},
            "leadType": one.lead_type,
            "occurredAt": _ms(one.at),
        }
        return json.dumps(told).encode()

    @staticmethod
    def signature(body: bytes, secret: str = LINKEDIN_SECRET) -> str:
        """The header `X-LI-Signature` of a body."""
        return hmac.new(secret.encode(), b"hmacsha256=" + body, hashlib.sha256).hexdigest()

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By an access token."""
        return bearer(request) == LINKEDIN_TOKEN or self.tokens.is_good(bearer(request))

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """`{status, message, serviceErrorCode}`; a throttle says nothing more."""
        if kind is Kind.THROTTLED:
            said = "Resource level throttle limit for calls to this resource is reached."
            return Response(429, {"status": 429, "message": said})
        codes = {Kind.EXPIRED: 65_600, Kind.FORBIDDEN: 100}
        return Response(status, {"status": status, "message": message, "serviceErrorCode": codes.get(kind, 0) if kind else 0})

    def emptied(self, body: Any) -> Any:
        """No elements, though the total is not 0."""
        return {**body, "elements": []} if isinstance(body, dict) and "elements" in body else body

    @route("POST", "/oauth/v2/accessToken", is_open=True)
    def access_token(self, request: Request) -> Response:
        """An access token for 60 days."""
        given = {name: values[-1] for name, values in parse_qs(request.body.decode()).items()}
        known = {"grant_type": "refresh_token", "client_id": LINKEDIN_CLIENT_ID, "client_secret": LINKEDIN_SECRET}
        if {**known, "refresh_token": self.refresh} != given:
            return Response(400, {"error": "invalid_request", "error_description": "The provided token is not valid"})
        if self.rotates:
            self.refresh = f"{LINKEDIN_REFRESH}{int(self.refresh.removeprefix(LINKEDIN_REFRESH)) + 1}"
        days = 86_400
        made = {"access_token": self.tokens.issue(60 * days), "expires_in": 60 * days}
        return Response(200, {**made, "refresh_token": self.refresh, "refresh_token_expires_in": 300 * days})

    @route("GET", "/rest/leadFormResponses")
    def lead_responses(self, request: Request) -> Response:
        """Leads of an owner and a type, in no order of time."""
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = request.query
        owner = re.fullmatch(r"\((\w+):urn:li:(\w+:\d+)\)", query.get("owner", ""))
        lead_type = re.fullmatch(r"\(leadType:(\w+)\)", query.get("leadType", ""))
        bounds = re.fullmatch(r"\(start:(\d+),end:(\d+)\)", query.get("submittedAtTimeRange", f"(start:0,end:{10**14})"))
        if query.get("q") != "owner" or owner is None or lead_type is None or bounds is None:
            return self.error(400, "Syntax exception in path or query")
        if lead_type[1] in self.closed:
            return self.error(403, "Not enough permissions", Kind.FORBIDDEN)
        low, high = int(bounds[1]), int(bounds[2])
        held = [one for one in self._kept() if one.owner == owner[2] and one.lead_type == lead_type[1]]
        held = sorted((one for one in held if low < _ms(one.at) < high), key=lambda one: place_of(one.id))
        count = min(int(query.get("count", 10)), _MAX_PAGE)
        start = 0 if self.goes_in_circles else int(query.get("start", 0))
        self.read_page("leads")
        paging = {"start": start, "count": count, "links": [], **({"total": len(held)} if self.tells_total else {})}
        return Response(200, {"paging": paging, "elements": [_shown(one) for one in held[start : start + count]]})

    @route("GET", "/rest/leadFormResponses/*")
    def lead_response(self, request: Request, key: str) -> Response:
        """One lead."""
        refused = self.refused(request)
        found = next((one for one in self._kept() if one.id == key), None)
        return refused or (self.missing() if found is None else Response(200, _shown(found)))

    def refused(self, request: Request) -> Response | None:
        """Of a version that has ended, or without Rest.li's own."""
        version = request.headers.get("linkedin-version", "")
        if version < _OLDEST_VERSION:
            said = f"Requested version {version} is not active"
            return Response(426, {"status": 426, "code": "NONEXISTENT_VERSION", "message": said})
        if request.headers.get("x-restli-protocol-version") != "2.0.0":
            return self.error(400, "Invalid query parameters")
        return None

    def _kept(self) -> list[_Lead]:
        now = self.now()
        return [one for one in self.leads if (one.visible_at is None or one.visible_at <= now) and one.at > now - _RETENTION]

    # ------------------------------------------------------------------ beside

    def do_submit(self, answers: dict[str, str], lead_type: str = "SPONSORED", agrees: bool | None = None) -> dict[str, Any]:
        """Control call `submit`."""
        return {"id": self.submit(answers, lead_type=lead_type, agrees=agrees)}

    def do_withdraw(self, key: str) -> None:
        """Control call `withdraw`."""
        self.withdraw(key)

    def do_end_tokens(self) -> None:
        """Control call `end_tokens`."""
        self.tokens.end_all()

    def state(self) -> dict[str, Any]:
        """Leads by type, and tokens given out."""
        types = sorted({one.lead_type for one in self.leads})
        return {
            "leads": {kind: sum(one.lead_type == kind for one in self.leads) for kind in types},
            "tokens": self.tokens.count,
        }

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Leads, newest first."""
        rows = sorted(self.leads, key=lambda one: one.at, reverse=True)
        return ("Type", "Submitted", "Answers"), (
            (one.lead_type, one.at.astimezone(UTC).isoformat(timespec="seconds"), "; ".join(one.answers.values())) for one in rows
        )


def place_of(key: str) -> bytes:
    """Where a lead stands in a list: anywhere, but always there."""
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def _shown(one: _Lead) -> dict[str, Any]:
    kind = one.owner.split(":")[0]
    size = one.answers.get("size", "")
    answers = [
        {"questionId": _QUESTIONS[name][0], "answerDetails": {"textQuestionAnswer": {"answer": value}}}
        for name, value in one.answers.items()
        if name != "size"
    ]
    if size in _SIZES:
        details = {"multipleChoiceAnswer": {"options": [_SIZES.index(size)]}}
        answers.append({"questionId": _QUESTIONS["size"][0], "answerDetails": details})
    consents = [] if one.agrees is None else [{"consentId": 7, "accepted": one.agrees}]
    is_ad = one.lead_type == "SPONSORED"
    campaign = {"sponsoredLeadMetadataInfo": {"campaign": {"id": "urn:li:sponsoredCampaign:8", "name": "Spring"}}}
    return {
        "id": one.id,
        "leadType": one.lead_type,
        "owner": {kind: f"urn:li:{one.owner}"},
        "submittedAt": _ms(one.at),
        "testLead": one.is_test,
        "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
        **({"leadMetadata": {"sponsoredLeadMetadata": {"campaign": "urn:li:sponsoredCampaign:8"}}} if is_ad else {}),
        **({"leadMetadataInfo": campaign} if is_ad else {"associatedEntity": {"event": "urn:li:event:5"}}),
        "formResponse": {"answers": answers, "consentResponses": consents},
        "form": _FORM,
        **one.more,
    }


def _question(name: str) -> dict[str, Any]:
    number, predefined, label = _QUESTIONS[name]
    details: dict[str, Any] = {"textQuestionDetails": {"maxResponseLength": 300}}
    if name == "size":
        options = [{"id": place, "text": {"localized": {"en_US": text}}} for place, text in enumerate(_SIZES)]
        details = {"multipleChoiceQuestionDetails": {"options": options}}
    asked = {"questionId": number, "name": label, "question": {"localized": {"en_US": label}}, "questionDetails": details}
    return {**asked, **({"predefinedField": predefined} if predefined else {})}


_FORM = {
    "id": 3162,
    "name": "Demo",
    "creationLocale": {"language": "en", "country": "US"},
    "hiddenFields": [{"name": "utm_campaign", "value": "spring"}],
    "content": {
        "questions": [_question(name) for name in _QUESTIONS],
        "legalInfo": {"consents": [{"id": 7, "checkRequired": False, "consent": {"localized": {"en_US": _CONSENT}}}]},
    },
}


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


SANDBOX = SandboxLinkedIn
