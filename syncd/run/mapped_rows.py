"""Waiting records with what mapping made of them, on their way to being resolved."""

from __future__ import annotations

import msgspec

from syncd.identity import LeadKeys
from syncd.model import CONSENT_FIELDS, InboxOutcome, Lead
from syncd.ports import InboxRow
from syncd.run.context import Source


class MappedRow(msgspec.Struct, gc=False):
    """A row with what mapping made of it; `outcome` set when nothing more is to be resolved."""

    row: InboxRow
    source: Source
    lead: Lead | None = None
    keys: LeadKeys | None = None
    outcome: InboxOutcome = InboxOutcome.APPLIED
    reason: str = ""
    kept: bytes | None = None  # the payload of the version that stays in place of this one


def is_resolvable(one: MappedRow) -> bool:
    """Applied rows, and refused or skipped ones that withdraw consent (G6)."""
    return one.outcome is InboxOutcome.APPLIED or (one.lead is not None and bool(one.lead.opt_outs))


def consent_only(lead: Lead) -> Lead:
    """What is left of a skipped or dead record: its withdrawals of consent, and nothing that could make a Lead."""
    kept = {name: value for name, value in lead.fields.items() if name in CONSENT_FIELDS and value.value is True}
    return msgspec.structs.replace(lead, fields=kept, may_create=False)
