"""Meta: lead ads on Facebook and Instagram (Graph API, Marketing API "Retrieving Leads" and "Webhooks for Leadgen", v26.0, read 2026-08).

Limits: calls per 24 hours = 4800 x leads of the page in the last 90 days, so a quiet page bears few; pages of up to 100. Oddities:
throttling is HTTP 400 with an `error.code`; `paging.next` holds the token and is never used; newest come first [M]; the filter is
called `time_created` and takes whole seconds, the field is `created_time`; a version that has ended is silently replaced by another;
leads are gone after 90 days [M]; test leads come on the live endpoint; a page's Leads Access Manager can empty a list silently.
See docs/connectors/meta.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.meta.conversions import TERMS, problems, tell
from connectors.meta.graph import FIELDS, PAGE, SLOW_PERCENT, SLOW_SECONDS, Graph, NotThereError, counted, emptied
from connectors.meta.hook import announcements, sending, verdict
from connectors.meta.leads import made, turned, walk
from connectors.meta.options import MetaOptions
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
from syncd.connector.tools import Edge, Horizon
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError


class Meta:
    """The connector; has no state of its own."""

    name = "meta"
    Options = MetaOptions
    page_size_records = PAGE
    overlap_seconds = 3_600.0
    poll_interval_seconds = 900.0
    limits = Limits(connections=2, calls_per_second=4.0, read_timeout_seconds=60.0)
    repeats_safely = False
    conversions = TERMS

    def check(self, session: Session, options: MetaOptions) -> Health:
        """Read the forms and one lead of each, as `pull` would; and whether the pages send."""
        graph = Graph(session, options)
        forms, failed = graph.forms()
        findings = [str(one) for one in failed]
        for form in forms:
            try:
                reply = graph.leads(form.id, {"fields": "id", "limit": "1"})
                findings.append(f"Form {form.id} can be read{counted(form)}.")
                if not reply.value.data and form.readable_count > 0:
                    failed.append(emptied(form))
                    findings[-1] = str(failed[-1])
            except SyncdError as error:
                failed.append(error)
                findings.append(str(error))
                if isinstance(error, AuthError | RateLimitedError):
                    break
        if not failed and not forms:
            findings.append("The pages have no lead forms.")
        return Health(not failed, (*findings, *graph.notices(), *(sending(graph, options) if not failed else ())))

    def streams(self, options: MetaOptions) -> tuple[str, ...]:
        """One stream: leads of all chosen forms."""
        del options
        return ("leads",)

    def cursor_at(self, options: MetaOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which every form is read from `at` on."""
        del options, stream
        return {"from": at.isoformat(), "forms": {}, "last": ""}

    def pull(
        self, session: Session, options: MetaOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield leads form by form, newest first: a form's cursor moves when its walk is whole. One that fails stops no other.

        Above 80 % of Meta's budget the forms that are left wait for the next run, which begins with them.
        """
        del stream
        place: dict[str, Any] = {"from": None, "forms": {}, "last": "", **(cursor or {})}
        edges = dict(place["forms"])
        graph = Graph(session, options)
        horizon = Horizon("Meta", session, until)
        known, failed = graph.forms()
        forms = turned(known, place["last"])
        for number, form in enumerate(forms, start=1):
            if number > 1 and graph.used_percent >= SLOW_PERCENT:
                notice = f"{graph.used_percent:.0f} % of Meta's budget is used; {len(forms) - number + 1} forms wait."
                yield Page((), {**place, "forms": dict(edges)}, recheck_seconds=SLOW_SECONDS, notice=notice)
                break
            edge = Edge(edges.get(form.id) or {"at": place["from"]})
            try:
                for found, is_end in walk(graph, session, form, edge, horizon):
                    if is_end:
                        edges[form.id], place["last"] = edge.state(), form.id
                    is_last = is_end and number == len(forms) and not failed
                    told = " ".join(filter(None, (horizon.told(), *graph.notices())))
                    records = tuple(one for one in found if isinstance(one, Record))
                    rejects = tuple(one for one in found if isinstance(one, Reject))
                    yield Page(records, {**place, "forms": dict(edges)}, rejects, is_last=is_last, notice=told)
            except (SourceUnavailableError, ContractError) as error:
                graph.scrub(error)
                failed.append(error)
        if not forms and not failed:
            yield Page((), dict(cursor or {}), is_last=True, notice="The pages have no lead forms.")
        for first in failed:
            raise first

    def reception(self, options: MetaOptions) -> Reception | None:
        """Signed webhooks and their handshake, if there is a secret to check them with."""
        return None if options.app_secret is None else Reception(methods=("POST", "GET"))

    def verify(self, request: HttpRequest, options: MetaOptions, at: datetime) -> Verdict:
        """`X-Hub-Signature-256: sha256=HEX` over the raw body; a GET is the handshake. Neither tells a time: leads are known by id."""
        del at
        return verdict(request, options)

    def parse(self, delivery: Delivery, options: MetaOptions) -> tuple[Wanted | Reject, ...]:
        """The leads that a delivery announces, of every entry and change; other pages and forms are none of ours."""
        return announcements(delivery, options)

    def fetch(self, session: Session, options: MetaOptions, wanted: Wanted) -> Record | Reject | None:
        """The lead itself; Meta may not have it for some seconds after it was announced."""
        try:
            reply = Graph(session, options).get(quote(wanted.key, safe=""), msgspec.Raw, {"fields": ",".join(FIELDS)})
        except NotThereError:
            return None
        found = made(reply.value, reply.received_at)
        if found is None:
            return Reject(wanted.key, "test_lead", "A lead of Meta's testing tool is left out.", reply.body, wanted.locator)
        return found

    def check_action(self, options: MetaOptions, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """What is wrong with a conversion as a policy states it; see the contract."""
        return problems(options, kind, action_options)

    def act(self, session: Session, options: MetaOptions, action: SourceAction) -> ActionOutcome:
        """Tell one conversion; see the contract."""
        if self.check_action(options, action.kind, action.options):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return tell(Graph(session, options), options, action)

    def look_up(self, session: Session, options: MetaOptions, action: SourceAction) -> ActionOutcome:
        """Meta tells nothing of single events: nobody knows."""
        del session, options, action
        return ActionOutcome(ActionState.UNKNOWN, "events_are_not_told")


CONNECTOR = Meta()
"""What `wiring` uses."""
