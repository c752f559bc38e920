"""Conversions sent back to LinkedIn: Conversions API. Belongs to linkedin.

"Conversions API" and "Deduplication" of the Marketing API, version 202607, read 2026-11. `POST /conversionEvents` for one event: the
rule's URN, `conversionHappenedAt` in milliseconds and at most 90 days ago, `conversionValue` with its amount as text, `user.userIds`
(there is always a list) with `SHA256_EMAIL` and `LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID` (the `li_fat_id` of the click), `eventId`;
201 is taken. The token has rw_conversions. Doubtful: that an `eventId` is told apart is documented between the Insight Tag and this API,
not between two calls of it: so an event whose answer is lost is not sent again. Nothing can be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from connectors.linkedin.api import Api
from syncd.connector import ActionOutcome, ActionState, ConversionTerms, SourceAction, SourceActionKind
from syncd.connector.telling import address_hash, conversion_problems, happened_at, worth
from syncd.errors import ContractError

TERMS = ConversionTerms(click_ids=("li_fat_id",), takes_email=True, max_age_days=90, max_click_age_days=90)
_NUMBER = re.compile(r"(?:urn:lla:llaPartnerConversion:)?(\d{1,20})")
_CREATED, _ENDED = 201, 426


def problems(kind: SourceActionKind, given: Mapping[str, str]) -> Sequence[str]:
    """What is wrong with a conversion as a policy states it."""
    return conversion_problems(
        "LinkedIn", kind, given, option="conversion", shape=_NUMBER, example="104012, the number of the rule"
    )


def tell(api: Api, action: SourceAction) -> ActionOutcome:
    """Tell one conversion."""
    ids = []
    digest = address_hash(action)
    if digest:
        ids.append({"idType": "SHA256_EMAIL", "idValue": digest})
    if action.fields.get("li_fat_id"):
        ids.append({"idType": "LINKEDIN_FIRST_PARTY_ADS_TRACKING_UUID", "idValue": str(action.fields["li_fat_id"])})
    if not ids:
        return ActionOutcome(ActionState.REFUSED, "no_identifier")
    number = _NUMBER.fullmatch(action.options["conversion"])
    event: dict[str, Any] = {
        "conversion": f"urn:lla:llaPartnerConversion:{number[1] if number else ''}",
        "conversionHappenedAt": round(happened_at(action).timestamp() * 1000),
        "user": {"userIds": ids},
        "eventId": action.action_id,
    }
    value = worth(action)
    if value is not None:
        event["conversionValue"] = {"currencyCode": value[1], "amount": f"{Decimal(str(value[0])):f}"}
    answer = api.send("conversionEvents", msgspec.json.encode(event))
    if answer is None:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if answer.status == _CREATED:
        return ActionOutcome(ActionState.DONE)
    if 200 <= answer.status < 300:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if answer.status == _ENDED:
        raise ContractError("LinkedIn no longer answers by this version.", advice="Raise api_version: in the source (YYYYMM).")
    return ActionOutcome(ActionState.REFUSED, f"status_{answer.status}", f"LinkedIn answered {answer.status}.")
