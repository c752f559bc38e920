"""Whether somebody may be registered for an event at a source: only who asked for it, and never a second time. Pure.

Who asked: a record of that person which bears the very address that would be registered keeps evidence (`touch.consent`) that names the
event (`asked:` of the rule, else `webinar:`); of several the newest counts, which may say no. A record of the source that registers is no
such evidence: it may be our own doing.

Never a second time: whoever was registered and is so no longer has cancelled, or was turned down by the host. It counts as known that they
were when the source has brought a registration of theirs, whose key begins with the event's id, or when syncd has asked it before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from syncd.model import Operation, PersonView, Value
from syncd.plan.proof import opted_in_at
from syncd.policy import ActionKind

NO_PROOF, KNOWN_THERE, REGISTERED_BEFORE = "no_proof", "known_there", "registered_before"


def is_registration(fields: Mapping[str, Value]) -> bool:
    """Whether an action with these fields registers somebody."""
    return fields.get("action") == ActionKind.REGISTER


def asked_at(view: PersonView, source: str, email: str, options: Mapping[str, str]) -> datetime | None:
    """When the person asked for it, by what is stored; None without proof."""
    asked = options.get("asked") or options.get("webinar", "")
    named = re.compile(rf"(?<![\w-]){re.escape(asked)}(?![\w-])")
    own = [
        one
        for one in view.records
        if one.ref.source != source
        and email
        and str(one.lead.evidence("Email") or "").lower() == email.lower()
        and named.search(one.lead.touch.consent)
    ]
    # Whoever has said no since is not registered.
    newest = sorted(own, key=lambda one: (one.source_at, one.position))[-1:]
    return opted_in_at(msgspec.structs.replace(view, records=tuple(newest)), asked)


def why_not_registered(view: PersonView, source: str, email: str, options: Mapping[str, str], action_id: str) -> str:
    """Why the person is not registered, as a constant word; "" if they may be. `action_id` is that of the action itself."""
    webinar = options.get("webinar", "")
    if any(one.own_id != action_id and _was_asked(one, source, webinar) for one in view.actions):
        return REGISTERED_BEFORE
    if any(one.ref.source == source and one.ref.key.startswith(f"{webinar}/") for one in view.records):
        return KNOWN_THERE
    return "" if asked_at(view, source, email, options) is not None else NO_PROOF


def _was_asked(one: Operation, source: str, webinar: str) -> bool:
    """Whether an earlier action went out to the source for the same, whatever came of it."""
    is_same = is_registration(one.fields) and one.source == source and one.fields.get("option.webinar") == webinar
    return is_same and one.sent_at is not None
