"""Conversions sent back to Meta: Conversions API for leads of a CRM. Belongs to meta.

"Conversions API: Payload Specification" of the Conversion Leads integration (updated 2026-06), "Server Event Parameters" and "Handling
Duplicate Pixel and Conversions API Events", Graph API v26.0, all read 2026-11. A person is known by the id of their lead ad (plain), and
by the SHA-256 of their address. `action_source` is `system_generated`, `custom_data.event_source` is `crm`; an event older than 7 days is
refused. "FAQs" of the same integration: the stage is to be reached within 28 days of the lead. Doubtful: that `event_id` with `event_name` is told apart within 48 hours is documented between the browser and the server,
not between two calls of a server: so an event whose answer is lost is not sent again. Nothing can be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.meta.graph import Graph
from connectors.meta.options import MetaOptions
from syncd.connector import ActionOutcome, ActionState, ConversionTerms, SourceAction, SourceActionKind
from syncd.connector.telling import address_hash, conversion_problems, happened_at, worth
from syncd.connector.tools import UNREADABLE

TERMS = ConversionTerms(knows_leads=True, takes_email=True, max_age_days=7, max_click_age_days=28)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _-]{0,49}")
_LEAD_ID = re.compile(r"\d{1,20}")


class _Received(msgspec.Struct):
    events_received: int = 0


def problems(options: MetaOptions, kind: SourceActionKind, given: Mapping[str, str]) -> Sequence[str]:
    """What is wrong with a conversion as a policy states it."""
    found = conversion_problems("Meta", kind, given, option="event_name", shape=_NAME, example="Sales Opportunity")
    if not found and options.pixel_id is None:
        found.append("A conversion needs pixel_id in the source: Events Manager, the dataset, Settings.")
    return found


def tell(graph: Graph, options: MetaOptions, action: SourceAction) -> ActionOutcome:
    """Tell one conversion."""
    user: dict[str, Any] = {}
    lead_id = str(action.fields.get("lead_id") or "")
    if _LEAD_ID.fullmatch(lead_id):
        user["lead_id"] = int(lead_id)
    digest = address_hash(action)
    if digest:
        user["em"] = [digest]
    if not user:
        return ActionOutcome(ActionState.REFUSED, "no_identifier")
    custom: dict[str, Any] = {"event_source": "crm", "lead_event_source": "Salesforce"}
    value = worth(action)
    if value is not None:
        custom |= {"value": value[0], "currency": value[1]}
    event = {
        "event_name": action.options["event_name"],
        "event_time": int(happened_at(action).timestamp()),
        "event_id": action.action_id,
        "action_source": "system_generated",
        "user_data": user,
        "custom_data": custom,
    }
    answer = graph.post(f"{options.pixel_id}/events", msgspec.json.encode({"data": [event]}))
    if answer is None:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if not 200 <= answer.status < 300:
        return ActionOutcome(ActionState.REFUSED, "invalid_event", "Meta refused the event; see the dataset's Diagnostics.")
    try:
        received = msgspec.json.decode(answer.body, type=_Received).events_received
    except UNREADABLE:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    return ActionOutcome(ActionState.DONE) if received else ActionOutcome(ActionState.UNKNOWN, "answer_lost")
