"""The options of an action as a policy states them: which there are, what is wrong with them. Belongs to activecampaign. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from syncd.connector import SourceActionKind
from syncd.document import suggest

AUDIENCE = re.compile(r"list-([0-9]{1,18})")
_NUMBER = re.compile(r"[0-9]{1,18}")
_KNOWN: Mapping[SourceActionKind, tuple[str, ...]] = {
    SourceActionKind.ENROL: ("audience", "status"),
    SourceActionKind.TAG: ("tag", "remove"),
    SourceActionKind.TRIGGER: ("audience", "automation"),
    SourceActionKind.OPT_OUT: ("audience",),
}
_REQUIRED = ("status", "tag", "automation")


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
    if "audience" in known and "audience" not in options and len(audiences) != 1:
        found.append(f'"{kind}" at ActiveCampaign needs audience, unless the source names exactly one in audiences.')
    for name, value in options.items():
        wrong = _wrong(name, value, audiences) if name in known else ""
        if wrong:
            found.append(f'{name} "{value}" of "{kind}": {wrong}')
    return found


def list_of(options: Mapping[str, str], audiences: Sequence[str]) -> str:
    """The number of the list that an action means: its own, or the only one of the source."""
    return (options.get("audience") or audiences[0]).removeprefix("list-")


def _wrong(name: str, value: str, audiences: Sequence[str]) -> str:
    if name == "audience":
        if not AUDIENCE.fullmatch(value):
            return "it is list- and the number of the list, such as list-7; the check of the source names them."
        return "" if not audiences or value in audiences else f"the source may not use this list. {suggest(value, audiences)}"
    if name == "status":
        # Unlike Mailchimp's, no call of this API asks somebody to confirm.
        return "" if value == "subscribed" else "it can only be subscribed, which needs stored proof for this list."
    if name == "remove":
        return "" if value in ("yes", "no") else "it is yes or no."
    return "" if _NUMBER.fullmatch(value) else "it is the number in its address in ActiveCampaign."
