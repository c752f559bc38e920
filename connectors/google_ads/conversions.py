"""Conversions sent back to Google Ads: by gclid, each known by its order id, and taken back by it. Belongs to google_ads.

Google Ads API, `ConversionUploadService`, `ConversionAdjustmentUploadService` and their errors (protos of googleapis/googleapis, v22 of
2026, and the reference of v26; read 2026-11). "An order id can only be used for one conversion per conversion action", so that a
conversion may be sent twice. Refusals come behind status 200, as `partialFailureError`. Not before 6 h after the click, nor a reversal
before 24 h after the conversion; no reversal after 54 days. Doubtful, and said on the page: whether an upload that is repeated is
always answered ORDER_ID_ALREADY_IN_USE (`_ALREADY` holds what may be said instead), and whether a developer token of 2026 may still
upload at all: Google points new ones to its Data Manager API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.google_ads.api import Api
from syncd.connector import ActionOutcome, ActionState, ConversionTerms, SourceAction, SourceActionKind
from syncd.connector.telling import conversion_problems, happened_at, worth
from syncd.connector.tools import UNREADABLE, at_path
from syncd.errors import ContractError

_HOUR = 3_600.0
TERMS = ConversionTerms(
    click_ids=("gclid",),
    max_age_days=90,
    max_click_age_days=90,
    after_click_seconds=7 * _HOUR,
    retracts=True,
    retract_after_seconds=25 * _HOUR,
    retract_within_days=53,
)
_ACTION = re.compile(r"customers/(\d{6,12})/conversionActions/\d{1,20}")
_ALREADY = frozenset({"ORDER_ID_ALREADY_IN_USE", "CLICK_CONVERSION_ALREADY_EXISTS", "CONVERSION_ALREADY_RETRACTED"})
_WORD = re.compile(r"[A-Z][A-Z0-9_]{2,100}")
_RETRACTS = "retracts"


def problems(kind: SourceActionKind, given: Mapping[str, str]) -> Sequence[str]:
    """What is wrong with a conversion as a policy states it. A lost opportunity is none: what was told as won is taken back by itself."""
    return conversion_problems(
        "Google Ads",
        kind,
        given,
        option="conversion_action",
        shape=_ACTION,
        example="customers/1234567890/conversionActions/987654321",
        events=("qualified", "converted", "won"),
        needs_consent=False,
    )


def tell(api: Api, action: SourceAction) -> ActionOutcome:
    """Tell one conversion, or take one back."""
    resource = action.options["conversion_action"]
    named = _ACTION.fullmatch(resource)
    customer = named[1] if named else ""
    if _RETRACTS in action.fields:
        method, body = "uploadConversionAdjustments", {"conversionAdjustments": [_adjustment(action, resource)]}
    elif action.fields.get("gclid"):
        method, body = "uploadClickConversions", {"conversions": [_conversion(action, resource)]}
    else:
        return ActionOutcome(ActionState.REFUSED, "no_gclid")
    answer = api.upload(customer, method, msgspec.json.encode({**body, "partialFailure": True}))
    if answer is None:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if answer.status != 200:
        # The question as a whole was refused, whatever it was about: nothing was carried out.
        raise ContractError(
            f"Google Ads does not take uploads for account {customer} (status {answer.status}).",
            advice="Check api_version and conversion_action; the developer token may not be allowed to upload conversions.",
            page=answer.body,
        )
    return _outcome(answer.body, may_be_missing=bool(action.fields.get("is_in_doubt")))


def _outcome(body: bytes, *, may_be_missing: bool) -> ActionOutcome:
    """What an answer says of the only row of a question; `may_be_missing`: whether what is taken back ever arrived nobody knows."""
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    failure = said.get("partialFailureError")
    if not failure:
        # An answer without a result and without an error tells nothing.
        return ActionOutcome(ActionState.DONE) if said.get("results") else ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    code = at_path(failure, "details.0.errors.0.errorCode")
    word = str(next(iter(code.values()), "")) if isinstance(code, dict) else ""
    if word in _ALREADY:
        return ActionOutcome(ActionState.UNCHANGED, "already_told")
    if may_be_missing and word == "CONVERSION_NOT_FOUND":
        return ActionOutcome(ActionState.UNCHANGED, "never_arrived")
    return ActionOutcome(ActionState.REFUSED, word.lower() if _WORD.fullmatch(word) else "refused")


def _conversion(action: SourceAction, resource: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gclid": str(action.fields["gclid"]),
        "conversionAction": resource,
        "conversionDateTime": _text(happened_at(action)),
        "orderId": action.action_id,
    }
    value = worth(action)
    if value is not None:
        found |= {"conversionValue": value[0], "currencyCode": value[1]}
    if action.consent_at is not None:
        found["consent"] = {"adUserData": "GRANTED"}
    return found


def _adjustment(action: SourceAction, resource: str) -> dict[str, Any]:
    return {
        "conversionAction": resource,
        "adjustmentType": "RETRACTION",
        "adjustmentDateTime": _text(happened_at(action)),
        "orderId": str(action.fields[_RETRACTS]),
    }


def _text(at: datetime) -> str:
    """`2026-11-24 09:00:00+00:00`."""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
