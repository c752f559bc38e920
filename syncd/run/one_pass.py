"""One pass from start to summary: recover, look, pull, map, resolve, plan, push, judge, count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from syncd import events
from syncd.connector import PushConnector
from syncd.errors import GuardError, StoreError, SyncdError
from syncd.model import ORG_KINDS, OperationState, RunStatus, SourceCounts
from syncd.run.acting import act
from syncd.run.advance import Advance
from syncd.run.context import LEADS_PER_ROUND, OrgSession, PassContext, Scope
from syncd.run.deleting import tell_waiting
from syncd.run.echo import read_echoes
from syncd.run.fetch import Fetcher
from syncd.run.ingest import PATIENCE_SECONDS, Ingest
from syncd.run.mapper import Batches
from syncd.run.mirror import Look, is_filled, open_org
from syncd.run.opt_outs import mark_opted_out
from syncd.run.outage import ORG_LOST, lose_org, note_guard, note_well, regain_org
from syncd.run.planning import MakeId, Planning
from syncd.run.push import Pusher
from syncd.run.receive import receive
from syncd.run.recover import recover, settle_unknown
from syncd.run.remap import put_stale
from syncd.run.send import Sender
from syncd.run.standards import mark_people, settle_policy

_RELEASES = 6
"""What was written may lead to more: a status to a conversion, that to those of colleagues who join the new account."""

EXIT_CODES = {RunStatus.OK: 0, RunStatus.PARTIAL: 3, RunStatus.FAILED: 1, RunStatus.STOPPED: 4}


class Summary(msgspec.Struct):
    """What `syncd run --once --json` prints (DESIGN 3.2), and a little more for the terminal.

    `notes` counts reasons (`kept_persons_edit`, `value:invalid_phone`), `missed` are sentences on what was not reached, `stages`
    tells CPU seconds per stage over all threads.
    """

    run_id: str
    status: RunStatus
    sources: dict[str, SourceCounts]
    operations: dict[str, int]
    api_calls: int
    duration_seconds: float
    notes: dict[str, int] = {}
    missed: list[str] = []
    error: str = ""
    stages: dict[str, float] = {}

    @property
    def exit_code(self) -> int:
        """0 ok, 3 partial, 1 failed, 4 stopped by a guard."""
        return EXIT_CODES[self.status]


def run_pass(ctx: PassContext, make_id: MakeId) -> Summary:
    """Run one pass over `ctx.sources`; always ends with a stored summary unless the store itself fails.

    Raises:
        StoreError: Without state nothing is safe.
    """
    planning: Planning | None = None
    error = ""
    status = RunStatus.OK
    with ctx.company.joined(ctx.run_id):
        record = RunRecord(ctx)
        try:
            with ctx.turn:
                planning = _stages(ctx, make_id)
        except GuardError as guard:
            status, error = RunStatus.STOPPED, str(guard)
        except StoreError:
            raise
        except SyncdError as wrong:
            # Neither the org as a whole nor one record: the next pass tries anew, and whoever looks is told.
            status, error = RunStatus.FAILED, str(wrong)
            ctx.log.error(events.RUN_FAILED, error_type=type(wrong).__name__, code=wrong.code)
        return record.end(status, error, planning)


class RunRecord:
    """A run from its first line in the store and the log to its last."""

    def __init__(self, ctx: PassContext) -> None:
        """Begin it. Writes the store."""
        self._ctx = ctx
        self._names = sorted(ctx.sources)
        self._started = ctx.clock.monotonic()
        self._calls_before = ctx.org.api_calls
        ctx.store.start_run(ctx.run_id, ctx.clock.now(), self._names)
        # The daemon's passes come by the minute, and most bring nothing.
        self._is_of_daemon = ctx.scope != Scope()
        (ctx.log.debug if self._is_of_daemon else ctx.log.info)(events.RUN_STARTED, count=len(self._names))

    def end(self, status: RunStatus, error: str, planning: Planning | None) -> Summary:
        """End it; an ok is given only if nothing was missed. Writes the store."""
        ctx = self._ctx
        summary = _summary(ctx, self._names, status, error, planning)
        note_well(ctx, is_stopped=summary.status is RunStatus.STOPPED, has_written=bool(_written(summary)))
        summary.api_calls = ctx.org.api_calls - self._calls_before
        summary.duration_seconds = round(ctx.clock.monotonic() - self._started, 3)
        summary.stages = {stage: round(seconds, 4) for stage, seconds in ctx.watch.seconds.items()}
        ctx.store.finish_run(ctx.run_id, ctx.clock.now(), summary.status, msgspec.to_builtins(summary))
        moved = sum(one.pulled + one.waiting_before for one in summary.sources.values()) + sum(summary.operations.values())
        is_quiet = self._is_of_daemon and summary.status is RunStatus.OK and not moved
        (ctx.log.debug if is_quiet else ctx.log.info)(
            events.RUN_FINISHED,
            status=str(summary.status),
            duration_seconds=summary.duration_seconds,
            api_calls=summary.api_calls,
            pulled=sum(counts.pulled for counts in summary.sources.values()),
            applied=sum(counts.applied for counts in summary.sources.values()),
            unchanged=sum(counts.unchanged for counts in summary.sources.values()),
            skipped=sum(counts.skipped for counts in summary.sources.values()),
            dead=sum(counts.dead for counts in summary.sources.values()),
            waiting=sum(counts.waiting for counts in summary.sources.values()),
            review=sum(counts.review for counts in summary.sources.values()),
            **{name: count for name, count in summary.operations.items() if name != "unchanged"},
        )
        return summary


def _written(summary: Summary) -> int:
    """How many writes of a run the org has taken."""
    return sum(summary.operations.get(name, 0) for name in ("created", "updated", "converted", "archived", "deleted"))


def _stages(ctx: PassContext, make_id: MakeId) -> Planning | None:
    """The order of things. A lost org never stops pulling: what came is durable and waits."""
    recover(ctx)
    mark_people(ctx)
    mark_opted_out(ctx)
    pushed = [name for name, source in ctx.sources.items() if isinstance(source.connector, PushConnector)]
    while ctx.journal is not None and receive(ctx, ctx.journal, pushed):
        pass
    if ctx.journal is not None:
        Fetcher().finish(ctx, pushed)
    session = _connect(ctx)
    with Ingest(ctx, [ctx.sources[name] for name in sorted(ctx.sources)]) as ingest:
        planning = None
        if session is not None:
            planning = Planning(ctx, session, make_id)
            try:
                _work(ctx, session, planning, ingest)
            except ORG_LOST as error:
                lose_org(ctx, error)
        while not ingest.is_over:
            with ctx.turn.aside():
                ingest.step(None)
    return planning


def _connect(ctx: PassContext) -> OrgSession | None:
    """Open the org and settle what earlier writes left open; None when it cannot be reached (records wait)."""
    try:
        session = open_org(ctx)
        regain_org(ctx)
        settle_unknown(ctx, session, wait=False)
        read_echoes(ctx, session)
    except ORG_LOST as error:
        lose_org(ctx, error)
        return None
    return session


def _work(ctx: PassContext, session: OrgSession, planning: Planning, ingest: Ingest) -> None:
    """Rounds of 1,000 while pages come: store pages, look at the org, resolve, push; then what was held or left unknown.

    1,000 new leads cost eight calls at most (G5): the schema, one look, five creates and the echo.
    """
    with Sender(ctx, session) as sender:
        pusher = Pusher(ctx, session, planning, sender)
        _rounds(ctx, session, planning, ingest, sender, pusher)
        if ctx.is_stopping:
            # What is under way gets its outcome; everything else is as durable as it was.
            with ctx.turn.aside():
                sender.drain()
            ctx.miss("syncd was told to stop")
            return
        if not is_filled(ctx, session):
            ctx.miss("The first look at the org is not complete, so nothing was created")
            return
        pusher.push_until_clean()
        _follow_up(ctx, pusher)
        # What had no answer is settled before guarded operations are judged: they may belong to the same persons.
        if settle_unknown(ctx, session, wait=True) == 0:
            pusher.push_until_clean()
        for _ in range(_RELEASES):
            was_held = pusher.release_held()
            settle_unknown(ctx, session, wait=True)
            pusher.push_until_clean()
            if not _follow_up(ctx, pusher) and not was_held:
                break
        with ctx.turn.aside():
            sender.drain()
        read_echoes(ctx, session)
        settle_policy(ctx)
        tell_waiting(ctx, session)
        act(ctx, session)
    limit = ctx.settings.max_creates_per_pass
    if ctx.notes.get("held_by_guard"):
        note_guard(ctx, ctx.notes["held_by_guard"])
        raise GuardError(
            f"{ctx.notes['held_by_guard']} more leads would have been created than guard.max_creates_per_pass ({limit}) allows.",
            advice='Look at them with "syncd plan"; "syncd run --once --force" creates them.',
        )


def _follow_up(ctx: PassContext, pusher: Pusher) -> bool:
    """What a policy asks for once a status is entered, or a new lead is there, comes in the same pass; gives whether there was any."""
    if not ctx.policy.programs or ctx.pushing_stopped or not ctx.store.mark_due(ctx.clock.now(), LEADS_PER_ROUND * 20):
        return False
    pusher.push_until_clean()
    return True


def _rounds(ctx: PassContext, session: OrgSession, planning: Planning, ingest: Ingest, sender: Sender, pusher: Pusher) -> None:
    """Until nothing waits and nothing comes: while one round's writes are under way, the next one is stored and resolved."""
    waiting = sum(counts.waiting for name, counts in ctx.store.source_counts(ctx.run_id).items() if name in ctx.sources)
    terms = planning.terms_of_newcomers()
    with Look(ctx, session) as look, Batches(ctx, terms) as batches, Advance(ctx, batches, planning, sender) as advance:
        ingest.before_pause = partial(_leave_nothing, advance, sender)
        while not ctx.is_stopping:
            if ctx.turn.is_over:
                advance.settle()
                ctx.turn.breathe()
            waiting += _stock(ingest, LEADS_PER_ROUND - waiting, PATIENCE_SECONDS)
            if not waiting and not ingest.is_over:
                # The next page may take long: nobody waits for it.
                _leave_nothing(advance, sender)
                with ctx.turn.aside():
                    waiting += _stock(ingest, 1, None)
            with ctx.watch.stage("mirror"):
                look.refresh()
            if not is_filled(ctx, session):
                return
            moved = advance.round()
            waiting = max(waiting - moved, 0) if moved else 0
            if ctx.store.dirty_persons(1):
                # A plan made beside a batch that is being stored would not see its records, and end the wish to be planned.
                advance.settle()
                pusher.push_dirty()
            if not moved and ingest.is_over:
                waiting = put_stale(ctx) if ctx.scope.remaps else 0
                if not waiting:
                    return


def _leave_nothing(advance: Advance, sender: Sender) -> None:
    """Have everything stored, and what is new on its way to the org: now the pass may wait."""
    advance.finish()
    sender.flush()


def _stock(ingest: Ingest, wanted: int, patience_seconds: float | None) -> int:
    """Store pages until `wanted` more records wait, or none comes in time (None: wait); gives how many do."""
    stored = 0
    while stored < wanted and not ingest.is_over:
        found = ingest.step(patience_seconds)
        if found is None:
            break
        stored += found
    return stored


def _summary(ctx: PassContext, names: Sequence[str], status: RunStatus, error: str, planning: Planning | None) -> Summary:
    counts = {name: found for name, found in ctx.store.source_counts(ctx.run_id).items() if name in names or found.pulled}
    operations = dict(ctx.store.operation_counts(ctx.run_id))
    if planning is not None:
        operations["unchanged"] = planning.unchanged
    if status is RunStatus.OK:
        status = _judge(ctx, counts, operations)
    return Summary(
        ctx.run_id, status, counts, operations, 0, 0.0, notes=dict(ctx.notes), missed=list(ctx.unfinished), error=error
    )


def _judge(ctx: PassContext, counts: Mapping[str, SourceCounts], operations: Mapping[str, Any]) -> RunStatus:
    """Give ok only if nothing was missed, refused, set aside or left waiting (G1)."""
    store, others, is_unknown = ctx.store, ctx.others(), OperationState.UNKNOWN
    open_states = (is_unknown, OperationState.SENT, OperationState.PLANNED, OperationState.HELD)
    # An action that waits says so itself: a source that somebody has paused is nothing missed.
    left_open = store.operations(open_states, 1, other_than=others, kinds=ORG_KINDS) or store.operations((is_unknown,), 1)
    is_short = ctx.unfinished or left_open or operations.get("refused") or operations.get("failed")
    if is_short or any(one.dead or one.waiting for one in counts.values()):
        nothing_moved = ctx.pushing_stopped and not any(one.pulled or one.applied for one in counts.values())
        return RunStatus.FAILED if nothing_moved and not any(operations.values()) else RunStatus.PARTIAL
    return RunStatus.OK
