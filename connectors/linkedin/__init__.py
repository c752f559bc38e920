"""LinkedIn: leads of all four types (Lead Sync API, "Lead Forms" and "Webhooks", version 202607, read 2026-08).

Limits: daily quotas per app and member that are published nowhere and given anew at 00:00 UTC; 429 without headers. Oddities: a
version ends after a year and is answered 426; Rest.li wants a query of its own encoding; leads come in no documented order, by
start and count; answers carry the numbers of their questions only; times are milliseconds; leads are kept for 90 days, some types
365; test leads come along. What an answer means is the mapping's business. See docs/connectors/linkedin.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.linkedin.api import PAGE, Api, ForbiddenError, NotThereError, age_of, until_reset
from connectors.linkedin.conversions import TERMS, problems, tell
from connectors.linkedin.hook import announcements, verdict
from connectors.linkedin.leads import made, walk
from connectors.linkedin.options import LinkedInOptions, Spot
from syncd.connector import (
    ActionOutcome,
    ActionState,
    Delivery,
    Health,
    HttpRequest,
    Limits,
    Page,
    Reception,
    Record,
    Reject,
    Session,
    SourceAction,
    SourceActionKind,
    Verdict,
    Wanted,
)
from syncd.connector.tools import Horizon, instant
from syncd.errors import ContractError, RateLimitedError, SourceUnavailableError, SyncdError

_KEPT_FOR = timedelta(days=90)
"""What every type of lead is kept for at least."""


class LinkedIn:
    """The connector; has no state of its own."""

    name = "linkedin"
    Options = LinkedInOptions
    page_size_records = PAGE
    overlap_seconds = 3_600.0
    poll_interval_seconds = 900.0
    limits = Limits(connections=2, read_timeout_seconds=60.0)
    repeats_safely = False
    conversions = TERMS

    def check(self, session: Session, options: LinkedInOptions) -> Health:
        """Read a lead of each owner and type, as `pull` would."""
        api = Api(session, options)
        findings: list[str] = []
        is_ok, age = True, ""
        for spot in options.spots:
            try:
                reply = api.leads(spot, None, 0, 1)
                count = reply.value.paging.total
                counted = "" if count is None else f": there are {count}"
                findings.append(f"Leads of {spot.name} can be read{counted}.")
                age = age_of(options.api_version, reply.received_at)
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
                if not isinstance(error, ForbiddenError):
                    break
        if options.client_secret is not None:
            findings.append(
                "Webhooks are let in: POST /leadNotifications once for each owner and type, see the page of linkedin."
            )
        return Health(is_ok, (*findings, age) if age else tuple(findings))

    def streams(self, options: LinkedInOptions) -> tuple[str, ...]:
        """One stream: leads of every owner and type; each says its own."""
        del options
        return ("leads",)

    def cursor_at(self, options: LinkedInOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which everything is read from `at` on."""
        del options, stream
        return {"from": at.isoformat(), "read": {}}

    def pull(
        self, session: Session, options: LinkedInOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield the leads of a window, owner by owner and type by type; its end is the cursor once the walk is whole.

        What one owner or type refuses or fails to give does not stop the others.
        """
        del stream
        place: dict[str, Any] = {"from": None, "read": {}, **(cursor or {})}
        read = dict(place["read"])
        api, horizon = Api(session, options), Horizon("LinkedIn", session, until)
        notices = [age_of(options.api_version, until)]
        failed: list[SyncdError] = []
        for number, spot in enumerate(options.spots, start=1):
            since = instant(read.get(spot.name) or place["from"])
            window = _window(options, since, session.overlap_seconds, horizon.end)
            notices.append(_gap(spot, since, horizon.end))
            tests = 0
            try:
                for found, is_end in walk(api, spot, window, min(session.page_size_records, PAGE), horizon):
                    tests += found.count(None)
                    if is_end:
                        read[spot.name] = min(datetime.fromtimestamp(window[1] / 1000, UTC), horizon.end).isoformat()
                        notices.append(f"{tests} test leads of {spot.name} were left out." if tests else "")
                    records = tuple(one for one in found if isinstance(one, Record))
                    rejects = tuple(one for one in found if isinstance(one, Reject))
                    is_last = is_end and number == len(options.spots) and not failed
                    told = " ".join(filter(None, (horizon.told(), *notices)))
                    notices.clear()
                    yield Page(records, {**place, "read": dict(read)}, rejects, is_last=is_last, notice=told)
            except (SourceUnavailableError, ContractError, ForbiddenError) as error:
                failed.append(error)
            except RateLimitedError as error:
                raise until_reset(error, until) from None
        for first in failed:
            raise first

    def reception(self, options: LinkedInOptions) -> Reception | None:
        """Signed notifications and the challenge, if there is a secret to answer and check them with."""
        return None if options.client_secret is None else Reception(methods=("POST", "GET"))

    def verify(self, request: HttpRequest, options: LinkedInOptions, at: datetime) -> Verdict:
        """By the client secret. Neither tells a time: leads are known by their id, and duplicates are announced as normal."""
        del at
        return verdict(request, options)

    def parse(self, delivery: Delivery, options: LinkedInOptions) -> tuple[Wanted | Reject, ...]:
        """The lead that was created, or a reject for one that was withdrawn."""
        return announcements(delivery, options)

    def fetch(self, session: Session, options: LinkedInOptions, wanted: Wanted) -> Record | Reject | None:
        """The lead itself."""
        try:
            reply = Api(session, options).lead(wanted.key)
        except NotThereError:
            return None
        found = made(reply.value, reply.received_at)
        if found is None:
            return Reject(wanted.key, "test_lead", "A test lead of LinkedIn's is left out.", reply.body, wanted.locator)
        return found

    def check_action(self, options: LinkedInOptions, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """What is wrong with a conversion as a policy states it; see the contract."""
        del options
        return problems(kind, action_options)

    def act(self, session: Session, options: LinkedInOptions, action: SourceAction) -> ActionOutcome:
        """Tell one conversion; see the contract."""
        if self.check_action(options, action.kind, action.options):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return tell(Api(session, options), action)

    def look_up(self, session: Session, options: LinkedInOptions, action: SourceAction) -> ActionOutcome:
        """LinkedIn tells nothing of single events: nobody knows."""
        del session, options, action
        return ActionOutcome(ActionState.UNKNOWN, "events_are_not_told")


def _window(options: LinkedInOptions, since: datetime | None, overlap_seconds: float, end: datetime) -> tuple[int, int]:
    """Milliseconds to ask from and to; the bounds may exclude."""
    oldest = end - timedelta(days=options.history_days)
    begin = oldest if since is None else max(oldest, since - timedelta(seconds=overlap_seconds))
    return int(begin.timestamp() * 1000) - 1, max(int(end.timestamp() * 1000), int(begin.timestamp() * 1000))


def _gap(spot: Spot, since: datetime | None, end: datetime) -> str:
    """A sentence when it was not read for longer than LinkedIn keeps leads."""
    if since is None or end - since <= _KEPT_FOR:
        return ""
    return f"Leads of {spot.name} were not read for {(end - since).days} days; LinkedIn keeps them for 90, so some may be gone."


CONNECTOR = LinkedIn()
"""What `wiring` uses."""
