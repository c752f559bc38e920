"""A lead as Google tells it, polled or sent, in one shape. Pure. Belongs to google_ads.

`{"id", "submitted_at", "gclid", "form_id", "campaign_id", "ad_group_id", "fields": {COLUMN_ID: value}, "questions": {text: answer}}`;
what is not known is left out. Ids are texts: they have 64 bits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from syncd.connector import Delivery, Record, Reject, Verdict
from syncd.connector.tools import UNREADABLE, at_path, instant, is_one_of, key_of

_STANDARD = re.compile(r"[A-Z][A-Z0-9_]*")
_UNWANTED = re.compile(r"GOVERNMENT_ISSUED_ID|OVER_\d+_AGE")
"""Numbers of passports and the like, and ages: nobody's business here (reference, sources.md 11.3)."""


def lead_of(raw: msgspec.Raw, customer: str, received_at: datetime, *, with_names: bool) -> Record | Reject:
    """A row of the query; `with_names` keeps what a webhook does not tell."""
    row = _object(bytes(raw))
    data = row.get("leadFormSubmissionData") if row is not None else None
    locator = f"account {customer}"
    if not isinstance(data, dict) or row is None:
        return _reject("not_a_lead", "A row holds no lead.", bytes(raw), locator)
    columns = [(one.get("fieldType"), one.get("fieldValue")) for one in _members(data, "leadFormSubmissionFields")]
    questions = [(one.get("questionText"), one.get("fieldValue")) for one in _members(data, "customLeadFormSubmissionFields")]
    form = at_path(row, "asset.id") or str(data.get("asset") or "").rpartition("/")[2]
    lead = _shaped(
        data.get("id"),
        data.get("submissionDateTime"),
        data.get("gclid"),
        (form, at_path(row, "campaign.id"), at_path(row, "adGroup.id")),
        columns,
        questions,
    )
    if with_names:
        named = {"campaign_name": "campaign.name", "ad_group_name": "adGroup.name", "form_name": "asset.name"}
        lead |= {name: value for name, path in named.items() if isinstance(value := at_path(row, path), str) and value}
        # In the account's own zone: clicks are asked for by day.
        lead["submitted_on"] = str(data.get("submissionDateTime") or "")[:10]
    return _record(lead, bytes(raw), received_at, locator)


def sent_lead(delivery: Delivery) -> Record | Reject:
    """The lead of a webhook."""
    locator = "webhook"
    body = _object(delivery.body)
    if body is None:
        return _reject("no_lead", "The webhook holds no object.", delivery.body, locator, f"delivery-{delivery.sequence}")
    told = [(one.get("column_id"), one.get("string_value"), one.get("column_name")) for one in _members(body, "user_column_data")]
    columns = [(name, value) for name, value, _ in told if _is_standard(name)]
    questions = [(text or name, value) for name, value, text in told if not _is_standard(name)]
    ids = (body.get("form_id"), body.get("campaign_id"), body.get("adgroup_id"))
    lead = _shaped(body.get("lead_id"), body.get("lead_submit_time"), body.get("gcl_id"), ids, columns, questions)
    rest = msgspec.json.encode({name: value for name, value in body.items() if name != "google_key"})
    return _record(lead, rest, delivery.received_at, locator, delivery.received_at)


def verdict_of(body: bytes, keys: Sequence[str]) -> Verdict:
    """What is said of a webhook: its key is compared in constant time."""
    sent = _object(body)
    key = sent.get("google_key") if sent is not None else None
    if sent is None or not isinstance(key, str):
        return Verdict(refusal="missing_key", status=401)
    if not is_one_of(key, keys):
        return Verdict(refusal="bad_key", status=401)
    if sent.get("is_test") is True:
        # The button in the form's editor turns green on 200.
        return Verdict(refusal="test_lead", status=200)
    return Verdict(status=200, answer=b"{}", answer_type="application/json")


def _is_standard(column: Any) -> bool:
    """Whether a column is one of Google's hundred standard ones. A question of your own has an id that Google makes; which is not documented."""
    return isinstance(column, str) and _STANDARD.fullmatch(column) is not None


def _shaped(
    id: Any,
    at: Any,
    gclid: Any,
    ids: tuple[Any, Any, Any],
    columns: Iterable[tuple[Any, Any]],
    questions: Iterable[tuple[Any, Any]],
) -> dict[str, Any]:
    when = instant(at)
    text = when.astimezone(UTC).isoformat().replace("+00:00", "Z") if when is not None else at
    form, campaign, ad_group = (key_of(one).lstrip("0") for one in ids)
    known = {
        "id": key_of(id),
        "submitted_at": text,
        "gclid": gclid,
        "form_id": form,
        "campaign_id": campaign,
        "ad_group_id": ad_group,
    }
    lead: dict[str, Any] = {name: value for name, value in known.items() if isinstance(value, str) and value}
    lead["fields"] = {name: value for name, value in columns if isinstance(name, str) and name and not _UNWANTED.match(name)}
    asked = {name: value for name, value in questions if isinstance(name, str) and name}
    return {**lead, "questions": asked} if asked else lead


def _record(
    lead: dict[str, Any], raw: bytes, received_at: datetime, locator: str, otherwise_at: datetime | None = None
) -> Record | Reject:
    """As a record; its time is what Google says, and never in the future."""
    key = lead.get("id", "")
    if not key:
        return _reject("no_id", "A lead has no id.", raw, locator)
    at = instant(lead.get("submitted_at")) or otherwise_at
    payload = msgspec.json.encode(lead, order="sorted")
    return Record(key, payload, min(at, received_at) if at else None, 0, locator)


def _reject(reason: str, message: str, payload: bytes, locator: str, key: str = "") -> Reject:
    own = key or f"{reason}-{hashlib.blake2b(payload, digest_size=12).hexdigest()}"
    return Reject(own, reason, message, payload, locator)


def _members(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(text)
    except UNREADABLE:
        return None
    return found if isinstance(found, dict) else None
