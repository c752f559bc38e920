"""Stored proof of an opt-in: what a mapping keeps of a record as evidence of consent. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from syncd.model import OPT_OUT_FIELD, PersonRecord, PersonView
from syncd.plan.own_echo import instants_in

_NO_OPT_IN = (
    "unsubscribed", "pending", "cleaned", "archived", "transactional", "withdrawn", "denied", "declined", "false", "no", "0",
)  # fmt: skip


def opted_in_at(view: PersonView, audience: str) -> datetime | None:
    """When the person last opted in to this very audience, or in these very words, by what is stored; None without proof.

    Proof is the evidence of consent that a mapping keeps of a record (`touch.consent`) if it names the audience's id as a word of its
    own and no part of it says otherwise. Evidence without the id may be a yes to something else. What was said otherwise at the
    same time or later, in any record, ends it.
    """
    if not audience or any(one.lead.opt_outs for one in view.records):
        return None
    found: list[datetime] = []
    otherwise: list[datetime] = []
    for record in view.records:
        said = record.lead.touch.consent
        if re.search(rf"(?<![\w-]){re.escape(audience)}(?![\w-])", said):
            heard = found if _says_yes(said) else otherwise
            heard.append(max(instants_in(said), default=record.source_at))
    last = max(found, default=None)
    return last if last is not None and all(one < last for one in otherwise) else None


def explicit_opt_in(record: PersonRecord) -> datetime | None:
    """When a record says that the person opted in, by evidence with its time or as an explicit value; None if it only does not say no."""
    stated = record.lead.fields.get(OPT_OUT_FIELD)
    if stated is not None and not stated.is_default and stated.value is False:
        return record.source_at
    said = record.lead.touch.consent
    return max(instants_in(said), default=None) if _says_yes(said) else None


def _says_yes(said: str) -> bool:
    return {part.strip().lower() for part in said.split(";")}.isdisjoint(_NO_OPT_IN)
