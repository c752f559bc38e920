"""What the advertising platforms make of conversions that are sent back to them: parts of the models of google_ads, meta and linkedin.

Google knows clicks, conversion actions and order ids, and refuses single rows behind status 200. Meta and LinkedIn count every event
that they take, also one that comes twice: that they would tell it by its id is documented for other ways in than theirs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import Vendor, route

CONVERSION_ACTION = "customers/1234567890/conversionActions/987654321"
PIXEL_ID = "778899001122"
CONVERSION_RULE = "urn:lla:llaPartnerConversion:104012"
_CLICK_AGE, _CONVERSION_AGE, _ADJUSTABLE = timedelta(hours=6), timedelta(hours=24), timedelta(days=54)
_CLICK_LIFE = timedelta(days=90)
_META_AGE, _LINKEDIN_AGE = timedelta(days=7), timedelta(days=90)
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass
class GoogleConversion:
    """One that Google has taken. `retracted_at`: when it was taken back, None if it was not."""

    row: dict[str, Any]
    at: datetime
    retracted_at: datetime | None = None


@dataclass
class GoogleConversions:
    """Conversions of all accounts. `clicks`: gclid to when; `actions`: resource names; `told`: by action and order id."""

    clicks: dict[str, datetime] = field(default_factory=dict)
    actions: set[str] = field(default_factory=lambda: {CONVERSION_ACTION})
    told: dict[tuple[str, str], GoogleConversion] = field(default_factory=dict)

    def upload(self, row: dict[str, Any], now: datetime) -> str:
        """Take one; gives the word of an error, "" for none."""
        resource, order, clicked_at = row["conversionAction"], row.get("orderId", ""), self.clicks.get(row.get("gclid", ""))
        at = datetime.fromisoformat(row["conversionDateTime"])
        if resource not in self.actions:
            return "NO_CONVERSION_ACTION_FOUND"
        if clicked_at is None:
            return "EVENT_NOT_FOUND"
        if now - clicked_at < _CLICK_AGE:
            return "TOO_RECENT_EVENT"
        if now - clicked_at > _CLICK_LIFE:
            return "EXPIRED_EVENT"
        if at < clicked_at:
            return "CONVERSION_PRECEDES_EVENT"
        if (resource, order) in self.told:
            return "ORDER_ID_ALREADY_IN_USE"
        self.told[resource, order] = GoogleConversion(row, at)
        return ""

    def adjust(self, row: dict[str, Any], now: datetime) -> str:
        """Take one back; gives the word of an error, "" for none."""
        found = self.told.get((row["conversionAction"], row.get("orderId", "")))
        at = datetime.fromisoformat(row["adjustmentDateTime"])
        if found is None:
            return "CONVERSION_NOT_FOUND"
        if found.retracted_at is not None:
            return "CONVERSION_ALREADY_RETRACTED"
        if now - found.at < _CONVERSION_AGE:
            return "TOO_RECENT_CONVERSION"
        if now - found.at > _ADJUSTABLE:
            return "CONVERSION_EXPIRED"
        if at < found.at:
            return "ADJUSTMENT_PRECEDES_CONVERSION"
        found.retracted_at = at
        return ""

    def answer(self, body: dict[str, Any], key: str, now: datetime) -> Response:
        """What is said of the rows of one question: an error of its own for each that is refused, and an empty result."""
        kind = "conversionUploadError" if key == "conversions" else "conversionAdjustmentUploadError"
        take = self.upload if key == "conversions" else self.adjust
        results, errors = [], []
        for place, row in enumerate(body[key]):
            word = take(row, now)
            results.append({} if word else row)
            if word:
                where = {"fieldPathElements": [{"fieldName": key, "index": place}]}
                errors.append({"errorCode": {kind: word}, "message": f"Refused: {word}", "location": where})
        said: dict[str, Any] = {"results": results, "jobId": "42"}
        if errors:
            failure = {"@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure", "errors": errors}
            said["partialFailureError"] = {"code": 3, "message": errors[0]["message"], "details": [failure]}
        return Response(200, said)


class MetaEvents(Vendor):
    """The dataset of a CRM. `events` are those that were taken, in order."""

    def __init__(self, **given: Any) -> None:
        """Nothing was sent."""
        super().__init__(**given)
        self.events: list[dict[str, Any]] = []

    @route("POST", "/*.0/*/events")
    def take_events(self, request: Request, version: str, pixel_id: str) -> Response:
        """Some events: all or none."""
        del version
        if pixel_id != PIXEL_ID:
            return self.missing()
        sent: list[dict[str, Any]] = (request.json() or {}).get("data") or []
        for one in sent:
            user = one.get("user_data") or {}
            is_whole = one.get("event_name") and one.get("action_source") == "system_generated"
            is_known = isinstance(user.get("lead_id"), int) or all(_HASH.fullmatch(em) for em in user.get("em") or [""])
            age = self.now() - datetime.fromtimestamp(one.get("event_time") or 0, self.now().tzinfo)
            if not is_whole or not is_known or age > _META_AGE:
                return self.error(400, "Invalid parameter")
        self.events += sent
        return Response(200, {"events_received": len(sent), "messages": [], "fbtrace_id": "Sandbox"})


class LinkedInEvents(Vendor):
    """Conversion rules of an ad account. `events` are those that were taken, in order; `rules` are their URNs."""

    def __init__(self, **given: Any) -> None:
        """Nothing was sent."""
        super().__init__(**given)
        self.events: list[dict[str, Any]] = []
        self.rules = {CONVERSION_RULE}

    def refused(self, request: Request) -> Response | None:
        """What is wrong with the headers."""
        raise NotImplementedError

    @route("POST", "/rest/conversionEvents")
    def take_event(self, request: Request) -> Response:
        """One event."""
        refused = self.refused(request)
        if refused is not None:
            return refused
        one: dict[str, Any] = request.json() or {}
        ids = (one.get("user") or {}).get("userIds")
        if not isinstance(ids, list) or not ids:
            return self.error(422, "user.userIds: field is required")
        wrong = [row for row in ids if row["idType"] == "SHA256_EMAIL" and not _HASH.fullmatch(row["idValue"])]
        at = datetime.fromtimestamp((one.get("conversionHappenedAt") or 0) / 1000, self.now().tzinfo)
        if wrong or one.get("conversion") not in self.rules or self.now() - at > _LINKEDIN_AGE:
            return self.error(400, f"Invalid conversion event {json.dumps(one.get('conversion'))}")
        self.events.append(one)
        return Response(201, b"", {"x-restli-id": "1"})
