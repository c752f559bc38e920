"""Google Ads: leads of lead form assets, asked for and sent to (API v22-v26 and Lead Form Webhook 1.0, read 2026-08).

Documents: "Search & SearchStream", "LeadFormSubmissionData", "ClickView"; of the webhook "Implementation" and "Testing".
Limits: operations per day and developer token (Explorer 2,880, Basic 15,000), one searchStream is one, whatever its size; no headers
say so, the delay stands in the body and may be 11 hours. Oddities: leads are kept for about 60 days; a time in a query is taken in the
account's zone, so that windows are wider and leads are known by their id; rows only appear, sometimes hours late; errors come inside an
array, also behind status 200; the webhook is verified by a key inside its body. That a webhook's `lead_id` is the API's `id` is
documented nowhere: where it is not, e-mail and phone join the two. See docs/connectors/google_ads.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator

from connectors.google_ads.api import AccountLimitedError, AccountRefusedError, Api
from connectors.google_ads.conversions import TERMS, problems, tell
from connectors.google_ads.leads import lead_of, sent_lead, verdict_of
from connectors.google_ads.place import Edge, lost, slices
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
    Secret,
    Session,
    SourceAction,
    SourceActionKind,
    Verdict,
)
from syncd.connector.google import GoogleOptions
from syncd.connector.tools import BaseUrl, Horizon, Secrets, revealed
from syncd.errors import ContractError, SourceUnavailableError, SyncdError

_PAGE = 1_000


class GoogleAdsOptions(GoogleOptions):
    """Options of `type: google_ads`."""

    developer_token: Secret = Field(
        description="Developer token of the manager account: Google Ads, Admin, API Center.",
        examples=[{"env": "GOOGLE_ADS_DEVELOPER_TOKEN"}],
    )
    customer_ids: list[Annotated[str, Field(coerce_numbers_to_str=True)]] = Field(
        min_length=1, description="Accounts whose leads are read; digits, dashes do not count.", examples=[["1234567890"]]
    )
    login_customer_id: str | None = Field(
        default=None,
        coerce_numbers_to_str=True,
        description="The manager account through which the login reaches them; none if it has access of its own.",
        examples=["9876543210"],
    )
    google_key: Secrets | None = Field(
        default=None,
        description="The key of the webhooks in your lead forms; a list of two while it is changed. Without it nothing is let in.",
        examples=[{"env": "GOOGLE_ADS_WEBHOOK_KEY"}],
    )
    click_details: bool = Field(
        default=False,
        description="Add names of campaign and form, and of the click its campaign, ad group and keyword, to leads that are polled.",
    )
    api_version: int = Field(default=26, ge=20, description="Version of the API; each is switched off after about a year.")
    retention_days: int = Field(
        default=60, ge=1, le=90, description="How long Google keeps leads; what is older is not asked for."
    )
    base_url: BaseUrl = Field(default="https://googleads.googleapis.com", description="Root of the API, without the version.")

    @field_validator("customer_ids", "login_customer_id")
    @classmethod
    def _digits(cls, value: list[str] | str | None) -> list[str] | str | None:
        if value is None:
            return None
        found = [one.replace("-", "") for one in ([value] if isinstance(value, str) else value)]
        for one in found:
            if not re.fullmatch(r"[0-9]{6,12}", one):
                raise ValueError(f'"{one}" is no id of an account (ten digits, such as 123-456-7890)')
        return found[0] if isinstance(value, str) else list(dict.fromkeys(found))


class GoogleAds:
    """The connector; has no state of its own."""

    name = "google_ads"
    Options = GoogleAdsOptions
    page_size_records = _PAGE
    poll_interval_seconds = 600.0
    """A poll costs an operation per account; a webhook brings leads within seconds."""
    overlap_seconds = 21_600.0
    """Leads may be listed hours late."""
    limits = Limits(connections=2, read_timeout_seconds=180.0)
    repeats_safely = True
    conversions = TERMS

    def check(self, session: Session, options: GoogleAdsOptions) -> Health:
        """Ask each account for one lead, as `pull` would, and for one click where those are wanted."""
        api, findings, is_ok = Api(session, options), list[str](), True
        for customer in options.customer_ids:
            try:
                reply = api.ask(customer, api.one_lead())
                findings.append(f"The leads of account {customer} may be read.")
                if options.click_details:
                    api.ask(customer, api.one_click((reply.at or reply.received_at).date() - timedelta(days=1)))
                    findings.append(f"The clicks of account {customer} may be read.")
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
        if options.google_key is not None:
            findings.append(
                "Webhooks are let in: lead form, Export leads, Other data integration options, with the key of google_key."
            )
        return Health(is_ok, tuple(findings))

    def streams(self, options: GoogleAdsOptions) -> tuple[str, ...]:
        """One stream: leads of all accounts."""
        del options
        return ("leads",)

    def cursor_at(self, options: GoogleAdsOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which every account is read from `at` on, as far as Google has it still."""
        del options, stream
        return {"from": at.isoformat(), "customers": {}, "waits": {}}

    def pull(
        self, session: Session, options: GoogleAdsOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield leads in order of submission, account by account; one that fails does not stop the others.

        An account that is to be left alone for longer is, and only it: its wish stands in the cursor. Where that is all of them, the
        source as a whole is left alone.
        """
        del stream
        given: dict[str, Any] = {"from": None, "customers": {}, "waits": {}, **(cursor or {})}
        waits = {customer: wait for customer, wait in given["waits"].items() if customer in options.customer_ids}
        place = {**given, "customers": dict(given["customers"]), "waits": waits}
        api, horizon = Api(session, options), Horizon("Google Ads", session, until)
        failed: list[SyncdError] = []
        limited: list[AccountLimitedError] = []
        said = _Said(horizon)
        for customer in options.customer_ids:
            if _is_left_alone(place["waits"].get(customer), until):
                continue
            place["waits"].pop(customer, None)
            try:
                for records, rejects in self._walk(api, session, options, customer, place, horizon, said):
                    yield Page(records, _copy(place), rejects, notice=said.told())
            except AccountLimitedError as error:
                limited.append(error)
                place["waits"][customer] = [until.timestamp(), error.retry_after_seconds]
            except (SourceUnavailableError, ContractError, AccountRefusedError) as error:
                failed.append(error)
        if limited and len(limited) == len(options.customer_ids):
            raise min(limited, key=lambda one: one.retry_after_seconds or 0.0)
        waiting = ", ".join(sorted(place["waits"]))
        if waiting:
            said.add(f"Google Ads asks to leave alone for a while: account {waiting}.", is_short=True)
        if not failed or waiting:
            yield Page((), _copy(place), is_last=not failed and not said.is_short, notice=said.told())
        for first in failed:
            raise first

    def reception(self, options: GoogleAdsOptions) -> Reception | None:
        """Webhooks, if there is a key to check them with."""
        return None if options.google_key is None else Reception(max_bytes=200_000)

    def verify(self, request: HttpRequest, options: GoogleAdsOptions, at: datetime) -> Verdict:
        """By `google_key` in the body. Refused: `missing_key`, `bad_key`; a test lead (`test_lead`) is answered well, counted, not kept."""
        del at
        return verdict_of(request.body, revealed(options.google_key))

    def parse(self, delivery: Delivery, options: GoogleAdsOptions) -> tuple[Record | Reject, ...]:
        """The lead of a webhook, in the shape of one that is polled without `click_details`."""
        del options
        return (sent_lead(delivery),)

    def check_action(self, options: GoogleAdsOptions, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """What is wrong with a conversion as a policy states it; see the contract."""
        del options
        return problems(kind, action_options)

    def act(self, session: Session, options: GoogleAdsOptions, action: SourceAction) -> ActionOutcome:
        """Tell one conversion; see the contract."""
        if self.check_action(options, action.kind, action.options):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return tell(Api(session, options), action)

    def look_up(self, session: Session, options: GoogleAdsOptions, action: SourceAction) -> ActionOutcome:
        """Nothing is told of what was uploaded: it is sent again, and Google knows it by its order id."""
        del session, options, action
        return ActionOutcome(ActionState.UNKNOWN, "send_again")

    def _walk(
        self,
        api: Api,
        session: Session,
        options: GoogleAdsOptions,
        customer: str,
        place: dict[str, Any],
        horizon: Horizon,
        said: _Said,
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...]]]:
        """New leads of an account; its part of `place` is brought forward with each, and what is to be said goes to `said`."""
        edge = Edge(place["customers"].get(customer), place["from"])
        kept = timedelta(days=options.retention_days)
        wanted, is_first = edge.wanted_at, True
        for low, end in slices(edge.begin(session.overlap_seconds, horizon.end - kept), horizon.end):
            reply = api.ask(customer, api.leads(low, end))
            horizon.see(reply)
            if is_first:
                old = lost(wanted, (reply.at or reply.received_at) - kept, customer, options.retention_days)
                said.add(old, is_short=wanted is not None)
                is_first = False
            high = min(end, horizon.end)
            made = [lead_of(raw, customer, reply.received_at, with_names=options.click_details) for raw in api.rows(reply)]
            fresh = edge.news(made, low, high)
            size = max(1, min(session.page_size_records, _PAGE))
            for first in range(0, len(fresh), size):
                page = fresh[first : first + size]
                records = tuple(one for one in page if isinstance(one, Record))
                if options.click_details:
                    records, missed = api.with_clicks(customer, records)
                    said.add(missed)
                edge.give(page, high)
                place["customers"][customer] = edge.state()
                yield records, tuple(one for one in page if isinstance(one, Reject))
            edge.pass_over(high, session.overlap_seconds)
            place["customers"][customer] = edge.state()


def _copy(place: Mapping[str, Any]) -> dict[str, Any]:
    return {**place, "customers": dict(place["customers"]), "waits": dict(place["waits"])}


class _Said:
    """What is to be said of a pull, each sentence once; `is_short`: something was not read, so that it does not count as complete."""

    def __init__(self, horizon: Horizon) -> None:
        self._horizon = horizon
        self._notices: dict[str, None] = {}
        self.is_short = False

    def add(self, notice: str, *, is_short: bool = False) -> None:
        """Say it with the next page; `""` is nothing."""
        if notice:
            self._notices[notice] = None
            self.is_short |= is_short

    def told(self) -> str:
        """What was not told yet."""
        notices, self._notices = self._notices, {}
        return " ".join(filter(None, (*notices, self._horizon.told())))


def _is_left_alone(wait: list[float] | None, until: datetime) -> bool:
    """Whether an account's wish still holds. The `until` of a back-fill stands still: it asks anew each time."""
    return wait is not None and wait[0] < until.timestamp() < wait[0] + wait[1]


CONNECTOR = GoogleAds()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "GoogleAds", "GoogleAdsOptions"]
