"""The options of an action as a policy states them: which there are, what is wrong with them. Belongs to activecampaign. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from syncd.connector import MailStop, OptOuts, SourceActionKind
from syncd.connector.tools import UNREADABLE, instant
from syncd.document import suggest

ACCOUNT = "account"
"""Value of `scope`: every list that the contact is on. The API has no other way to end all mail (sources.md 2, "Writes")."""
MAILED = ("0", "1")
"""Statuses of a membership that bring mail, be it only the one that asks to confirm."""

AUDIENCE = re.compile(r"list-([0-9]{1,18})")
_NUMBER = re.compile(r"[0-9]{1,18}")
_KNOWN: Mapping[SourceActionKind, tuple[str, ...]] = {
    SourceActionKind.ENROL: ("audience", "status"),
    SourceActionKind.TAG: ("tag", "remove"),
    SourceActionKind.TRIGGER: ("audience", "automation"),
    SourceActionKind.OPT_OUT: ("audience", "scope"),
}
_REQUIRED = ("status", "tag", "automation")


class _Membership(msgspec.Struct):
    list: str | None = None
    status: str | None = None
    sdate: str | None = None


class _Contact(msgspec.Struct):
    """As much of a contact as says what mail it gets."""

    email: str | None = None
    deleted: str | None = None
    lists: list[_Membership] = []


_CONTACT = msgspec.json.Decoder(_Contact)


def problems_of(kind: SourceActionKind, options: Mapping[str, str], audiences: Sequence[str]) -> list[str]:
    """Everything that is wrong with the options of an action; `audiences` are those of the source, none for all."""
    known = _KNOWN.get(kind)
    if known is None:
        return [f'ActiveCampaign cannot "{kind}". It can: {", ".join(_KNOWN)}.']
    found = [
        f'"{name}" is no option of "{kind}" at ActiveCampaign. {suggest(name, known)}'
        for name in sorted(set(options) - set(known))
    ]
    found += [f'"{kind}" at ActiveCampaign needs {name}.' for name in _REQUIRED if name in known and name not in options]
    if "scope" in options and "scope" in known:
        if "audience" in options:
            found.append(f'"{kind}" at ActiveCampaign takes audience or scope, not both.')
    elif "audience" in known and "audience" not in options and len(audiences) != 1:
        found.append(f'"{kind}" at ActiveCampaign needs audience, unless the source names exactly one in audiences.')
    for name, value in options.items():
        wrong = _wrong(name, value, audiences) if name in known else ""
        if wrong:
            found.append(f'{name} "{value}" of "{kind}": {wrong}')
    return found


def list_of(options: Mapping[str, str], audiences: Sequence[str]) -> str:
    """The number of the list that an action means: its own, or the only one of the source."""
    return (options.get("audience") or audiences[0]).removeprefix("list-")


def is_for_account(options: Mapping[str, str]) -> bool:
    """Whether an action means every list that the contact is on."""
    return "scope" in options


def mail_stops(payload: bytes, audiences: Sequence[str], scope: OptOuts) -> list[MailStop]:
    """What ends the mail that comes of a contact as it was read: of each of its lists that the source may act on, or of all at once.

    A list that somebody has joined since they opted out is a newer yes to it. What has become of the contact since, the action sees
    before it writes.
    """
    try:
        contact = _CONTACT.decode(payload)
    except UNREADABLE:
        return []
    mailed = [one for one in contact.lists if one.list and one.status in MAILED]
    if scope is OptOuts.NONE or not contact.email or contact.deleted == "1" or not mailed:
        return []
    email = contact.email.strip().lower()
    if scope is OptOuts.GLOBAL:
        return [MailStop(email, {"scope": ACCOUNT}, max(filter(None, map(_joined_at, mailed)), default=None))]
    stops = [MailStop(email, {"audience": f"list-{one.list}"}, _joined_at(one)) for one in mailed]
    return [one for one in stops if not problems_of(SourceActionKind.OPT_OUT, one.options, audiences)]


def _joined_at(one: _Membership) -> datetime | None:
    """When somebody who is active on a list came to it; whoever has not confirmed has said nothing."""
    return instant(one.sdate) if one.status == "1" else None


def _wrong(name: str, value: str, audiences: Sequence[str]) -> str:
    if name == "audience":
        if not AUDIENCE.fullmatch(value):
            return "it is list- and the number of the list, such as list-7; the check of the source names them."
        return "" if not audiences or value in audiences else f"the source may not use this list. {suggest(value, audiences)}"
    if name == "scope":
        return "" if value == ACCOUNT else f"it is {ACCOUNT}, for every list that the contact is on, or left out."
    if name == "status":
        # Unlike Mailchimp's, no call of this API asks somebody to confirm.
        return "" if value == "subscribed" else "it can only be subscribed, which needs stored proof for this list."
    if name == "remove":
        return "" if value in ("yes", "no") else "it is yes or no."
    return "" if _NUMBER.fullmatch(value) else "it is the number in its address in ActiveCampaign."
