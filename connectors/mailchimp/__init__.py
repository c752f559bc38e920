"""Mailchimp audiences by the Marketing API 3.0 (vendor's spec 3.0.55 to 3.0.91, read 2026-08).

Limits: 10 connections per user over all apps, else 429 or, from the edge, a bare 403; no rate headers; 120 s per call. Oddities:
`last_changed` has a grain of one second and imports give thousands of equal ones; whether bounds include is not documented; a
bound that cannot be read gives the whole audience; archived members are left out unless asked for; of tags a page holds 50. Webhooks
only name a member, who is then asked for.
What a status means is the mapping's business. See docs/connectors/mailchimp.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.mailchimp.actions import Actions
from connectors.mailchimp.api import PAGE_SIZE, Api, MemberGoneError, Ping, audiences, completed, text_of
from connectors.mailchimp.asked import mail_stops, problems_of
from connectors.mailchimp.events import FORM, Named, named_by, verdict_of
from connectors.mailchimp.members import row_of
from connectors.mailchimp.options import MailchimpOptions
from connectors.mailchimp.place import Place
from connectors.mailchimp.tail import Tail
from syncd.connector import (
    ActionOutcome,
    ActionState,
    Delivery,
    Health,
    HttpRequest,
    Limits,
    MailStop,
    OptOuts,
    Page,
    Reception,
    Record,
    Reject,
    Session,
    SourceAction,
    SourceActionKind,
    Unwanted,
    Verdict,
    Wanted,
)
from syncd.connector.tools import Horizon
from syncd.connector.walk import Listing, Part, Walk
from syncd.errors import ContractError, SourceUnavailableError, SyncdError


class Mailchimp:
    """The connector; has no state of its own."""

    name = "mailchimp"
    Options = MailchimpOptions
    settle_seconds = 30.0
    page_size_records = PAGE_SIZE
    repeats_safely = False
    limits = Limits(connections=4, read_timeout_seconds=120.0)
    """Ten connections per user are the limit over all apps of the account; the vendor ends a call after 120 s."""

    def check(self, session: Session, options: MailchimpOptions) -> Health:
        """Ping the account, then ask each chosen audience for one member as `pull` would."""
        api = Api(session, options.root, options.api_key)
        findings = []
        try:
            api.get("/ping", Ping)
            findings.append("The key is accepted.")
            known = {one.id: one for one in audiences(api)}
        except SyncdError as error:
            return Health(False, (*findings, str(error)))
        is_ok = True
        for list_id in options.audiences or list(known):
            try:
                page = api.members(list_id, {"count": "1"}, 1, 0).value
                findings.append(f"Audience {list_id} was read: {page.total_items} members, not counting archived ones.")
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
        if not is_ok or not known:
            names = ", ".join(sorted(known)) or "none"
            findings.append(f"Audiences of the account: {names}.")
        if self.reception(options) is not None:
            findings.append(
                "Webhooks are let in: Audience, Settings, Webhooks: all but campaigns, and not those made by the API."
            )
        return Health(is_ok, tuple(findings))

    def streams(self, options: MailchimpOptions) -> tuple[str, ...]:
        """One stream: members of all chosen audiences."""
        del options
        return ("members",)

    def cursor_at(self, options: MailchimpOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which every audience is read from `at` on; see the contract."""
        del options, stream
        return {"audiences": {}, "from": text_of(int(at.timestamp()))}

    def pull(
        self, session: Session, options: MailchimpOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield the members changed since the cursor, audience by audience; see the contract.

        An audience that fails does not stop the others: the first error is raised at the end. A refused key and a throttle,
        which concern the whole account, are raised at once.
        """
        del stream
        api, place = Api(session, options.root, options.api_key), Place(cursor)
        steps = place.steps(options.audiences, timedelta(hours=options.reconcile_hours), api, until)
        failed: dict[str, SyncdError] = {}
        notices: list[str] = []
        given = dict(cursor or {})
        is_last = False
        for number, (list_id, is_archive) in enumerate(steps, start=1):
            if list_id in failed:
                continue
            try:
                for part in self._parts(session, api, place, list_id, until, notices, is_archive=is_archive):
                    records, rejects = completed(api, list_id, part.rows)
                    place.advance(list_id, part, until, is_archive=is_archive)
                    is_last = part.is_end and number == len(steps) and not failed
                    if records or rejects or is_last:
                        given = place.cursor()
                        yield Page(tuple(records), given, tuple(rejects), is_last=is_last, notice=" ".join(notices))
                        notices.clear()
            except (SourceUnavailableError, ContractError) as error:
                failed[list_id] = error  # the others go on; of this one also the archive is left
        if failed:
            place.forget_list()
        if not is_last and (not failed or place.cursor() != given):
            yield Page((), place.cursor(), is_last=not failed, notice=" ".join(notices))
        for first in failed.values():
            raise first

    def fetch(self, session: Session, options: MailchimpOptions, wanted: Wanted) -> Record | Reject | Unwanted | None:
        """The member whom an event names, as `pull` gives it: by its contact_id, with all of its tags."""
        api, named = Api(session, options.root, options.api_key), msgspec.json.decode(wanted.payload, type=Named)
        try:
            row = row_of(api.member(named.list, named.hash), named.list)
        except MemberGoneError:
            return Unwanted("deleted") if named.is_deleted else None
        records, rejects = completed(api, named.list, [row])
        return records[0] if records else rejects[0]

    def reception(self, options: MailchimpOptions) -> Reception | None:
        """Forms, if there is something to let them in by; and the question whether anybody is there."""
        if options.webhook_secret is None and options.webhook_path_secret is None:
            return None
        return Reception(content_types=(FORM,), methods=("POST", "GET", "HEAD"))

    def verify(self, request: HttpRequest, options: MailchimpOptions, at: datetime) -> Verdict:
        """See `events`."""
        return verdict_of(request, options, at)

    def parse(self, delivery: Delivery, options: MailchimpOptions) -> tuple[Record | Reject | Wanted, ...]:
        """The member of an event, to be asked for: an event lacks tags, status and the contact_id."""
        del options
        return named_by(delivery)

    def check_action(self, options: MailchimpOptions, kind: SourceActionKind, action_options: Mapping[str, str]) -> Sequence[str]:
        """What is wrong with an action as a policy states it; see the contract."""
        return problems_of(kind, action_options, options.audiences)

    def mail_stops(self, options: MailchimpOptions, payload: bytes, scope: OptOuts) -> Sequence[MailStop]:
        """What ends the mail that comes of a member; see the contract."""
        return mail_stops(payload, options.audiences, scope)

    def act(self, session: Session, options: MailchimpOptions, action: SourceAction) -> ActionOutcome:
        """Carry out one action; see the contract and `actions`."""
        if problems_of(action.kind, action.options, options.audiences):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        return self._actions(session, options).act(action)

    def look_up(self, session: Session, options: MailchimpOptions, action: SourceAction) -> ActionOutcome:
        """What became of an action whose answer was lost; see the contract."""
        if problems_of(action.kind, action.options, options.audiences):
            return ActionOutcome(ActionState.UNKNOWN, "bad_options")
        return self._actions(session, options).look_up(action)

    @staticmethod
    def _actions(session: Session, options: MailchimpOptions) -> Actions:
        return Actions(session, Api(session, options.root, options.api_key), options.audiences)

    @staticmethod
    def _parts(
        session: Session, api: Api, place: Place, list_id: str, until: datetime, notices: list[str], *, is_archive: bool
    ) -> Iterator[Part]:
        """The new rows of one audience, or of its archive, in the window from its cursor to the vendor's now."""
        since = place.since(list_id, session.overlap_seconds, is_archive=is_archive)
        tail = Tail(None if is_archive else place.tail(list_id))
        is_quiet = since is not None and tail.since is not None and tail.since < since
        if is_quiet:
            since = tail.since
        horizon = Horizon("Mailchimp", session, until)
        end = int(horizon.end.timestamp())
        if since is not None and since >= end:
            return  # the window is empty: this machine's clock was set back, or the source is read again at once

        def narrowed(listing: Listing) -> int:
            horizon.see(listing)
            notice = horizon.told()
            if notice and not notices:
                notices.append(notice)
            return int(horizon.end.timestamp())

        size = min(session.page_size_records, PAGE_SIZE)
        name = f"The archive of audience {list_id}" if is_archive else f"Audience {list_id}"
        # An import's thousands in one second are not read again with each pull: their number says whether one was added.
        if is_quiet and since is not None and tail.count > size:
            listing = api.newest(list_id, since, end + 1)
            if tail.is_all_of(listing):
                yield Part([], min(end, narrowed(listing)), is_end=True)
                return
        is_first = is_quiet and tail.count <= size
        ask = api.asking(list_id, size, is_archive=is_archive)
        for part in Walk(name, ask, since, end, size, session.calls_at_once).parts(narrowed):
            tail.note(part.rows)
            if part.is_end and not is_archive:
                place.keep_tail(list_id, tail.state())
            yield part._replace(rows=tail.news_of(part.rows)) if is_first else part
            is_first = False


CONNECTOR = Mailchimp()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "Mailchimp", "MailchimpOptions"]
