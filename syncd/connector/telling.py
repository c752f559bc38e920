"""What the connectors of advertising platforms share: checking what a policy states of a conversion, and the hash of an address. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from syncd.document import suggest
from syncd.model import SourceAction, SourceActionKind

_OWN = ("event", "consent", "needs_consent", "currency")
_EVENTS = ("qualified", "converted", "won", "lost")


def conversion_problems(
    system: str,
    kind: SourceActionKind,
    given: Mapping[str, str],
    *,
    option: str,
    shape: re.Pattern[str],
    example: str,
    events: Iterable[str] = _EVENTS,
    needs_consent: bool = True,
) -> list[str]:
    """What is wrong with an action as a policy states it at `system`, in sentences.

    `option` is the one that is the platform's own, what the event is called there, with its `shape` and an `example`. `events` are those
    that it takes. `needs_consent`: nothing is told without consent, whatever the policy says.
    """
    if kind is not SourceActionKind.CONVERSION:
        return [f'{system} cannot "{kind}". It can: conversion.']
    legal = (*_OWN, option)
    found = [f'"{name}" is no option of "conversion". {suggest(name, legal)}' for name in sorted(set(given) - set(legal))]
    known = tuple(events)
    event = given.get("event", "")
    if event not in known:
        found.append(f'{system} is not told of "{event}". It can be told: {", ".join(known)}.')
    if option not in given:
        found.append(f'"conversion" needs {option}, such as {example}.')
    elif not shape.fullmatch(given[option]):
        found.append(f'{option} "{given[option]}" of "conversion": it is such as {example}.')
    if needs_consent and given.get("needs_consent") == "false":
        found.append(f"needs_consent cannot be false at {system}: it is told who somebody is.")
    return found


def hashed(address: str) -> str:
    """SHA-256 in hex of an address without any spaces, in small letters: the form in which Meta and LinkedIn compare them.

    Sources: Meta, Conversions API, "Customer Information Parameters" (`em`: trim, lower case, SHA-256); LinkedIn, "Conversions API"
    (`SHA256_EMAIL`: lower case, no spaces), both read 2026-11.
    """
    return hashlib.sha256("".join(address.split()).lower().encode()).hexdigest()


def address_hash(action: SourceAction) -> str:
    """The hash of the person's address; "" without proof that they agreed, whatever else was asked for."""
    return hashed(action.email) if action.email and action.consent_at is not None else ""


def happened_at(action: SourceAction) -> datetime:
    """When it happened."""
    return datetime.fromisoformat(str(action.fields["event_at"]))


def worth(action: SourceAction) -> tuple[float, str] | None:
    """The value and its currency; None without."""
    value, currency = action.fields.get("value"), action.fields.get("currency")
    return (float(value), str(currency)) if value is not None and currency else None


__all__ = ["address_hash", "conversion_problems", "happened_at", "hashed", "worth"]
