"""The options of an action as a policy states them: which there are, what is wrong with them. Belongs to mailchimp. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from syncd.connector import MailStop, OptOuts, SourceActionKind
from syncd.connector.tools import UNREADABLE
from syncd.document import suggest

ACCOUNT = "account"
"""Value of `scope`: every audience of the account, also those that the source does not read."""
MAILED = ("subscribed", "pending")
"""Statuses that bring mail, be it only the one that asks to confirm."""
_AUDIENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INTEREST = re.compile(r"[A-Za-z0-9]{1,40}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_MOST_TAG_CHARACTERS = 100


class _Member(msgspec.Struct):
    """As much of a member as says what mail it gets."""

    email_address: str | None = None
    status: str | None = None
    list_id: str | None = None


_MEMBER = msgspec.json.Decoder(_Member)
_KNOWN: Mapping[SourceActionKind, tuple[str, ...]] = {
    SourceActionKind.ENROL: ("audience", "status", "interests"),
    SourceActionKind.TAG: ("audience", "tag", "remove"),
    SourceActionKind.TRIGGER: ("audience", "journey", "step"),
    SourceActionKind.OPT_OUT: ("audience", "scope"),
}
_REQUIRED = ("tag", "journey", "step")
_STATUSES = ("pending", "subscribed")


def problems_of(kind: SourceActionKind, options: Mapping[str, str], audiences: Sequence[str]) -> list[str]:
    """Everything that is wrong with the options of an action; `audiences` are those of the source, none for all."""
    known = _KNOWN.get(kind)
    if known is None:
        return [f'Mailchimp cannot "{kind}". It can: {", ".join(_KNOWN)}.']
    found = [
        f'"{name}" is no option of "{kind}" at Mailchimp. {suggest(name, known)}' for name in sorted(set(options) - set(known))
    ]
    found += [f'"{kind}" at Mailchimp needs {name}.' for name in _REQUIRED if name in known and name not in options]
    if "scope" in options and "scope" in known:
        if "audience" in options:
            found.append(f'"{kind}" at Mailchimp takes audience or scope, not both.')
    elif "audience" not in options and len(audiences) != 1:
        found.append(f'"{kind}" at Mailchimp needs audience, unless the source names exactly one in audiences.')
    for name, value in options.items():
        wrong = _JUDGES[name](value, audiences) if name in known else ""
        if wrong:
            found.append(f'{name} "{value}" of "{kind}": {wrong}')
    return found


def audience_of(options: Mapping[str, str], audiences: Sequence[str]) -> str:
    """The audience that an action means: its own, or the only one of the source."""
    return options.get("audience") or audiences[0]


def is_for_account(options: Mapping[str, str]) -> bool:
    """Whether an action means every audience of the account in which the address is."""
    return "scope" in options


def mail_stops(payload: bytes, audiences: Sequence[str], scope: OptOuts) -> list[MailStop]:
    """What ends the mail that comes of a member as it was read: of its audience, or of the whole account.

    Nobody is written to by statuses other than these two. What has become of the member since, the action sees before it writes.
    """
    try:
        member = _MEMBER.decode(payload)
    except UNREADABLE:
        return []
    if scope is OptOuts.NONE or not member.email_address or member.status not in MAILED:
        return []
    email = member.email_address.strip().lower()
    if scope is OptOuts.GLOBAL:
        return [MailStop(email, {"scope": ACCOUNT})]
    options = {"audience": member.list_id or ""}
    return [] if problems_of(SourceActionKind.OPT_OUT, options, audiences) else [MailStop(email, options)]


def interests_of(options: Mapping[str, str]) -> dict[str, bool]:
    """Ids of the interests to switch on; none are ever switched off."""
    return {one.strip(): True for one in options.get("interests", "").split(",") if one.strip()}


def _audience(value: str, audiences: Sequence[str]) -> str:
    if not _AUDIENCE.fullmatch(value):
        return 'that is no id of an audience (Audience, Settings, "Audience ID").'
    if audiences and value not in audiences:
        return f"the source may not use this audience. {suggest(value, audiences)}"
    return ""


def _scope(value: str, audiences: Sequence[str]) -> str:
    del audiences
    return "" if value == ACCOUNT else f"it is {ACCOUNT}, for every audience of the account, or left out."


def _status(value: str, audiences: Sequence[str]) -> str:
    del audiences
    return "" if value in _STATUSES else f"it is pending or subscribed. {suggest(value, _STATUSES)}"


def _interests(value: str, audiences: Sequence[str]) -> str:
    del audiences
    ids = [one.strip() for one in value.split(",")]
    return "" if all(map(_INTEREST.fullmatch, ids)) else "it is a list of ids of interests, with commas between them."


def _tag(value: str, audiences: Sequence[str]) -> str:
    del audiences
    is_name = bool(value.strip()) and len(value) <= _MOST_TAG_CHARACTERS
    return "" if is_name else f"a tag is a name of at most {_MOST_TAG_CHARACTERS} characters."


def _remove(value: str, audiences: Sequence[str]) -> str:
    del audiences
    return "" if value in ("yes", "no") else "it is yes or no."


def _number(value: str, audiences: Sequence[str]) -> str:
    del audiences
    return "" if _NUMBER.fullmatch(value) else "it is the number in the address that Mailchimp shows for the step's API trigger."


_JUDGES: Mapping[str, Callable[[str, Sequence[str]], str]] = {
    "audience": _audience,
    "scope": _scope,
    "status": _status,
    "interests": _interests,
    "tag": _tag,
    "remove": _remove,
    "journey": _number,
    "step": _number,
}
