"""Advertising platforms under the suite of acting connectors: conversions by click, by lead and by address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.google_ads import CONNECTOR as GOOGLE_ADS
from connectors.linkedin import CONNECTOR as LINKEDIN
from connectors.meta import CONNECTOR as META
from syncd.clock import FixedClock
from syncd.connector import RETRACTED, ActionState, Secret, Session, SourceAction, SourceActionKind
from syncd.http import Caller, TokenCache, make_session
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.conversions import CONVERSION_ACTION, CONVERSION_RULE, PIXEL_ID
from syncd.sandbox.vendors.google_ads import SandboxGoogleAds
from syncd.sandbox.vendors.linkedin import ACCOUNT, LINKEDIN_TOKEN, SandboxLinkedIn
from syncd.sandbox.vendors.meta import SandboxMeta
from tests.contract.connectors.acting import ACTING_CASES as OTHERS
from tests.contract.connectors.acting import EMAIL, ActingCase, Line
from tests.contract.connectors.cases import NOW
from tests.contract.connectors.cases.google_ads import OPTIONS as GOOGLE
from tests.contract.connectors.cases.meta import OPTIONS as META_OPTIONS
from tests.contract.connectors.kit import Nowhere

CLICK = "Cj0KCQ-Sandbox-Click"


def told(name: str, *, at: timedelta = timedelta(hours=2), fields: dict[str, Any] | None = None, **options: str) -> SourceAction:
    """A conversion as the outbox stores it, told so long ago; with consent."""
    known = {"event": options["event"], "event_at": (NOW - at).isoformat(), "value": 1250.5, "currency": "EUR"}
    return SourceAction(
        f"act_{name}_1",
        SourceActionKind.CONVERSION,
        EMAIL,
        options,
        NOW - timedelta(seconds=90),
        known | (fields or {}),
        NOW - at,
    )


def session_to(model: Any, line: Line) -> Session:
    """A session whose writes go by the line, and whose logins do not."""
    clock, session = FixedClock(NOW), make_session()
    session.mount("https://", line)
    session.mount("https://login.test", SandboxAdapter(model))
    return Session(Path(), http=Caller(session, clock), tokens=TokenCache(clock, Nowhere()))


def google_ads() -> ActingCase:
    """An account with a click of a day ago, and a conversion of two days ago that was told."""
    model = SandboxGoogleAds(clock=FixedClock(NOW))
    model.conversions.clicks = {CLICK: NOW - timedelta(days=3)}
    line = Line(SandboxAdapter(model))
    session = session_to(model, line)
    options = {"event": "won", "consent": "box", "conversion_action": CONVERSION_ACTION}
    before = told("before", at=timedelta(days=2), fields={"gclid": CLICK}, **options)
    assert GOOGLE_ADS.act(session, GOOGLE_ADS.Options(**GOOGLE), before).state is ActionState.DONE
    line.writes.clear()
    taken_back = {"event": RETRACTED, "retracts": before.action_id, "event_at": (NOW - timedelta(hours=1)).isoformat()}
    return ActingCase(
        GOOGLE_ADS,
        GOOGLE,
        session,
        line,
        {"won": told("won", fields={"gclid": CLICK}, **options), "retracted": told("retracted", fields=taken_back, **options)},
        told("refused", fields={"gclid": "nobodys"}, **options),
        wrong(options, "conversion_action"),
        lambda: [(key, one.row, one.retracted_at) for key, one in sorted(model.conversions.told.items())],
        tuple(value.reveal() for value in GOOGLE.values() if isinstance(value, Secret)),
    )


def meta() -> ActingCase:
    """A dataset."""
    model = SandboxMeta(clock=FixedClock(NOW))
    line = Line(SandboxAdapter(model))
    options = {"event": "won", "consent": "box", "event_name": "Converted"}
    return ActingCase(
        META,
        {**META_OPTIONS, "pixel_id": PIXEL_ID},
        session_to(model, line),
        line,
        {"won": told("won", fields={"lead_id": "321000000007"}, **options)},
        told("refused", at=timedelta(days=8), fields={"lead_id": "321000000007"}, **options),
        [*wrong(options, "event_name"), (SourceActionKind.CONVERSION, {**options, "needs_consent": "false"})],
        lambda: model.events[:],
        tuple(value.reveal() for value in META_OPTIONS.values() if isinstance(value, Secret)),
    )


def linkedin() -> ActingCase:
    """An ad account with a conversion rule."""
    model = SandboxLinkedIn(clock=FixedClock(NOW))
    line = Line(SandboxAdapter(model))
    options = {"event": "won", "consent": "box", "conversion": CONVERSION_RULE}
    return ActingCase(
        LINKEDIN,
        {
            "base_url": "https://api.test/rest",
            "token_url": "https://login.test/oauth/v2/accessToken",
            "owners": [ACCOUNT],
            "access_token": Secret(LINKEDIN_TOKEN, "test"),
        },
        session_to(model, line),
        line,
        {"won": told("won", fields={"li_fat_id": "df5gf5-gh6t7"}, **options)},
        told("refused", at=timedelta(days=91), **options),
        [*wrong(options, "conversion"), (SourceActionKind.CONVERSION, {**options, "needs_consent": "false"})],
        lambda: model.events[:],
        (LINKEDIN_TOKEN,),
    )


def wrong(options: dict[str, str], own: str) -> list[tuple[SourceActionKind, dict[str, str]]]:
    """What no platform takes."""
    kind = SourceActionKind
    return [
        (kind.SEND, {"type": "lead.qualified"}),
        (kind.CONVERSION, {name: text for name, text in options.items() if name != own}),
        (kind.CONVERSION, {**options, own: "../x"}),
        (kind.CONVERSION, {**options, "event": "wonn"}),
        (kind.CONVERSION, {**options, "audience": "L1"}),
    ]


ACTING_CASES: dict[str, Callable[[], ActingCase]] = {**OTHERS, "google_ads": google_ads, "meta": meta, "linkedin": linkedin}
"""Every acting connector of the `connectors` package."""
