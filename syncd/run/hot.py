"""The hot lane: what was sent to us goes to the org at once, a few leads at a time, between the chunks of everything slower (DESIGN 7).

From the journal to the inbox, then map, look the addresses up in the org itself, resolve, plan, push. A run stays open while leads
keep coming, so that a busy day is some hundred runs and not some ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from syncd import events
from syncd.errors import ClaimConflictError, GuardError, StoreError, SyncdError
from syncd.identity.keys import Key
from syncd.model import Lane, Lead, Operation, OperationState, RecordRef, RunStatus
from syncd.ports import InboxRow, Journal, ResolvedRecord, Store
from syncd.run.advance import log_outcomes
from syncd.run.context import LEADS_PER_COMMIT, OrgSession, PassContext, Source
from syncd.run.fetch import Fetcher
from syncd.run.mapper import Batch
from syncd.run.mirror import is_filled, open_org, people_fields, put_rows
from syncd.run.one_pass import RunRecord, Summary
from syncd.run.outage import ORG_LOST, lose_org, regain_org
from syncd.run.planning import MakeId, Planning
from syncd.run.push import Pusher
from syncd.run.receive import receive
from syncd.run.recover import settle_unknown
from syncd.run.resolving import Resolving
from syncd.run.send import Sender

LANES = (Lane.HOT, Lane.INCREMENT)
"""What waits of a source that sends by itself, but for its back-fills: dead letters that were replayed come as increments."""

_ECHO_SECONDS = 20.0
"""How long the read-back of a lead may wait for others to share its call, where nothing waits for it."""
_CONFLICT_ATTEMPTS = 8

Arrived = Callable[[str, float], None]
"""Called with a source and the seconds from the receipt of a lead to its being in the org."""


def waiting_of(store: Store, sources: Mapping[str, Source], names: Sequence[str], limit: int) -> list[InboxRow]:
    """What waits of these sources for the hot lane. Of one that is read as well, only what was sent: the rest is another lane's."""
    own = [name for name in names if sources[name].reader is None]
    shared = [name for name in names if sources[name].reader is not None]
    rows = store.take_inbox(limit, own, (), LANES) if own else []
    if shared:
        rows += store.take_inbox(limit, shared, (), (Lane.HOT, Lane.HOT))
    # Together in the order of arrival: a flood of the one kind must not keep the other waiting.
    return sorted(rows, key=lambda row: (row.lane, row.sequence))[:limit]


class HotRun:
    """One run of the hot lane; used by one thread. Ends when its thread says so, or when the org is lost."""

    def __init__(self, ctx: PassContext, journal: Journal, make_id: MakeId, arrived: Arrived, fetcher: Fetcher) -> None:
        """Begin a run over `ctx.sources`, which all send by themselves. Writes the store."""
        self._ctx = ctx
        self._journal = journal
        self._make_id = make_id
        self._arrived = arrived
        self._joined = ctx.company.joined(ctx.run_id)
        self._joined.__enter__()
        self._record = RunRecord(ctx)
        self._fetcher = fetcher
        self._session: OrgSession | None = None
        self._planning: Planning | None = None
        self._sender: Sender | None = None
        self._pusher: Pusher | None = None
        self._error = ""
        self._status = RunStatus.OK
        self._owed: set[str] = set()
        self._came: dict[str, tuple[str, datetime]] = {}
        self._unread: set[str] = set()
        self._echoed_at = ctx.clock.monotonic()
        self.began_at = ctx.clock.monotonic()
        self.busy_at = self.began_at
        """When it last had something to do."""

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be sent in this run any more: begin another one after a while."""
        return bool(self._ctx.pushing_stopped or self._error)

    def step(self, names: Sequence[str]) -> bool:
        """Move what waits of the sources `names` on, up to a batch; gives whether there may be more.

        Raises:
            StoreError: Without state nothing is safe.
        """
        with self._ctx.turn:
            moved = receive(self._ctx, self._journal, names) + self._fetcher.step(self._ctx, names)
            rows = waiting_of(self._ctx.store, self._ctx.sources, names, LEADS_PER_COMMIT)
            if moved or rows or not self._fetcher.is_idle:
                self.busy_at = self._ctx.clock.monotonic()
            try:
                if rows and self._is_ready():
                    self._advance(rows)
                    return True
                self._read_echoes(at_once=False)
            except GuardError as guard:
                self._status, self._error = RunStatus.STOPPED, str(guard)
            except ORG_LOST as error:
                lose_org(self._ctx, error)
            except StoreError:
                raise
            except SyncdError as wrong:
                self._status, self._error = RunStatus.FAILED, str(wrong)
                self._ctx.log.error(events.RUN_FAILED, error_type=type(wrong).__name__, code=wrong.code)
        return False

    def end(self) -> Summary:
        """Finish what is under way and end the run. Writes the store."""
        try:
            if self._sender is not None:
                if not self.is_lost:
                    with self._ctx.turn:
                        self._read_echoes(at_once=True)
                self._sender.__exit__(None, None, None)
            return self._record.end(self._status, self._error, self._planning)
        finally:
            self._joined.__exit__(None, None, None)

    def abandon(self) -> None:
        """Leave the run as it is, as a crash would: nothing more is written, its threads end."""
        try:
            if self._sender is not None:
                self._sender.__exit__(None, None, None)
        finally:
            self._joined.__exit__(None, None, None)

    # ------------------------------------------------------------------ inbox to org

    def _is_ready(self) -> bool:
        """Whether the org is open and its mirror filled; before that nothing may be created (DESIGN 4)."""
        ctx = self._ctx
        if self._session is None:
            session = open_org(ctx)
            if not is_filled(ctx, session):
                return False
            regain_org(ctx)
            settle_unknown(ctx, session, wait=False)
            self._session = session
            self._planning = Planning(ctx, session, self._make_id)
            self._sender = Sender(ctx, session, calls_in_flight=1, on_done=self._note_done)
            self._pusher = Pusher(ctx, session, self._planning, self._sender)
        return True

    def _advance(self, rows: Sequence[InboxRow]) -> None:
        """Resolve, store, plan and push one batch."""
        assert self._planning is not None  # noqa: S101 - `_is_ready` has made them
        assert self._sender is not None  # noqa: S101
        assert self._pusher is not None  # noqa: S101
        resolved, creates = self._commit(rows, self._planning)
        log_outcomes(self._ctx, resolved)
        came = {row.sequence: row for row in rows}
        for one in resolved:
            if one.person_id:
                row = came[one.sequence]
                self._came.setdefault(one.person_id, (row.ref.source, row.received_at))
        self._owed |= {one.person_id for one in resolved if one.person_id}
        known = self._owed - {one.person_id for one in creates}
        if not self._unread.isdisjoint(known):
            # Somebody comes again whose last write was not read back yet: until then nothing is planned for them.
            self._read_echoes(at_once=True)
        with self._ctx.turn.aside():
            self._sender.send(creates)
        self._pusher.among = sorted(self._owed)
        self._pusher.push_dirty()
        if self._planning.standards is not None or self._is_awaited(resolved):
            # A policy moves a status once nothing else is to be written: whoever comes back is called first.
            self._read_echoes(at_once=True)
            if self._planning.standards is not None:
                # New leads are there now: rules look at them in the same step.
                self._ctx.store.mark_due(self._ctx.clock.now(), LEADS_PER_COMMIT)
            self._pusher.push_until_clean()
        self._pusher.release_held()
        with self._ctx.turn.aside():
            self._sender.wait()
        self._read_echoes(at_once=False)
        self._owed = set(self._ctx.store.dirty_persons(len(self._owed) + 1, among=sorted(self._owed)))
        # Whoever is left without a write had nothing to be written.
        self._came = {one: came for one, came in self._came.items() if one in self._owed}

    def _commit(self, rows: Sequence[InboxRow], planning: Planning) -> tuple[list[ResolvedRecord], list[Operation]]:
        """Store who the rows are about, with the plans of new people; gives what became of each row, and creates to send."""
        creates = self._ctx.creates_sent
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            self._ctx.creates_sent = creates
            resolving = Resolving(self._ctx, Batch(list(rows)), self._nobody_else, self._look_up)
            resolved = resolving.resolve()
            plans = resolving.plan_new(planning, resolved)
            try:
                self._ctx.store.commit_resolved(self._ctx.run_id, resolved, self._ctx.clock.now(), plans)
            except ClaimConflictError:
                # A person merged two people meanwhile: they are known by now.
                if attempt == _CONFLICT_ATTEMPTS:
                    raise
                continue
            planning.note(plans)
            break
        return resolved, [one for plan in plans for one in plan.operations if one.state is OperationState.PLANNED]

    @staticmethod
    def _nobody_else(refs: AbstractSet[RecordRef], keys: AbstractSet[Key]) -> None:
        """Whoever gave us the turn has stored everything it had resolved."""

    def _look_up(self, leads: Sequence[Lead]) -> None:
        """Ask the org for these addresses before anything is decided: the mirror may be seconds, or minutes, old."""
        emails = {str(lead.fields["Email"].value) for lead in leads if "Email" in lead.fields and lead.fields["Email"].value}
        if emails and self._session is not None:
            put_rows(self._ctx, self._session.org.find_by_email(sorted(emails), people_fields(self._session)))

    @staticmethod
    def _is_awaited(resolved: Sequence[ResolvedRecord]) -> bool:
        """Whether something is to follow that needs the record as the org made it: a task, for which its owner must be known."""
        return any(one.lead is not None and one.lead.task is not None for one in resolved)

    def _read_echoes(self, *, at_once: bool) -> None:
        now = self._ctx.clock.monotonic()
        if self._sender is not None and (at_once or now - self._echoed_at >= _ECHO_SECONDS):
            with self._ctx.turn.aside():
                self._sender.drain()
            self._echoed_at = now
            self._unread.clear()

    def _note_done(self, done: Sequence[Operation]) -> None:
        """Tell the age of leads that are in the org now."""
        now = self._ctx.clock.now()
        self._unread |= {one.person_id for one in done}
        for one in done:
            found = self._came.pop(one.person_id, None)
            if found is not None:
                self._arrived(found[0], max(0.0, (now - found[1]).total_seconds()))
