"""Passes: those that a command asks for, those of the daemon's lanes, rehearsals and undos. Part of the house that wiring builds."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from syncd import log
from syncd.app.convert import Converted, ConvertWish, LeadConversion
from syncd.app.exports import Exported, export_due
from syncd.app.undo import UndoPlan, carry_out, plan_undo
from syncd.config.settings import ConfiguredSource
from syncd.connector import OptOutConnector
from syncd.errors import ConfigError
from syncd.model import Lane, Operation, OperationState, OptOuts, RunStatus
from syncd.policy import Policy
from syncd.ports import Org, Store
from syncd.run.collector import calm_collector
from syncd.run.context import Actor, Company, OrgSession, PassContext, PassSettings, Progress, Scope, Source, no_progress
from syncd.run.fetch import Fetcher
from syncd.run.hot import LANES, Arrived, HotRun
from syncd.run.ingest import Ingest
from syncd.run.mirror import open_org, refresh_mirror
from syncd.run.one_pass import Summary, run_pass
from syncd.run.recover import recover
from syncd.run.rehearsal import RehearsalOrg, without_pretended
from syncd.run.upkeep import prune
from syncd.works import Works

LEASE = "engine"
_TIDY_SECONDS = 2.0
_M_ARENA_MAX = -8
"""The parameter's number in glibc's malloc.h."""


class Passes(Works):
    """The working half of a house; `syncd.wiring.House` gives it its parts."""

    company: Company
    _make_id: Callable[[], str]
    _wrap: Callable[[Any, str], Any]
    _owner: str

    @cached_property
    def org(self) -> Org:
        """Given by the house."""
        raise NotImplementedError

    def secret(self) -> bytes:
        """Given by the house."""
        raise NotImplementedError

    def policy(self) -> Policy:
        """Given by the house."""
        raise NotImplementedError

    def chosen(self, names: Sequence[str]) -> list[ConfiguredSource]:
        """Given by the house."""
        raise NotImplementedError

    def _sources(self, names: Sequence[str], *, live: bool) -> dict[str, Source]:
        """Given by the house."""
        raise NotImplementedError

    def _actors(self) -> dict[str, Actor]:
        """Given by the house."""
        raise NotImplementedError

    @cached_property
    def _orgs_by_lane(self) -> dict[Lane, Org]:
        return {}

    # ------------------------------------------------------------------ lanes of the daemon

    def org_in_lane(self, lane: Lane) -> Org:
        """The org as the stages of one lane see it, with that lane's share of the budget."""
        if lane not in self._orgs_by_lane:
            self._orgs_by_lane[lane] = self._wrap(self.salesforce.in_lane(lane), "org")
        return self._orgs_by_lane[lane]

    def lane_context(
        self, names: Sequence[str], lane: Lane, scope: Scope, *, force: bool = False, progress: Progress = no_progress
    ) -> PassContext:
        """What a pass of the daemon over some sources (none: only what is open) works with."""
        sources = self._sources(names, live=True)
        ctx = self._context(self.store, self.org_in_lane(lane), sources, force=force, progress=progress)
        ctx.lane, ctx.scope = lane, scope
        ctx.turn.lane = lane
        return ctx

    def run_lane(self, ctx: PassContext) -> Summary:
        """Run a pass of the daemon."""
        _fit_memory()
        summary = run_pass(ctx, self._make_id)
        self.keep_budget()
        return summary

    def hot_run(self, names: Sequence[str], arrived: Arrived, fetcher: Fetcher | None = None) -> HotRun:
        """Begin a run of the hot lane over sources that send by themselves; `fetcher` is the lane's, over all its runs."""
        ctx = self.lane_context(names, Lane.HOT, Scope(lanes=LANES))
        return HotRun(ctx, self.journal, self._make_id, arrived, fetcher or Fetcher())

    def take_over(self) -> None:
        """Become the one engine of the store, and settle what the process before left.

        Raises:
            StoreError: Another syncd is at work on it.
        """
        self.store.acquire_lease(LEASE, self._owner)
        self.note_policy()
        recover(self._context(self.store, self.org, {}, force=False, progress=no_progress))

    def new_run_id(self) -> str:
        """The id of a run that begins now."""
        return f"{self.clock.now():%Y%m%dT%H%M%S}-{self._make_id()[-6:]}"

    def _context(self, store: Store, org: Org, sources: Mapping[str, Source], *, force: bool, progress: Progress) -> PassContext:
        run_id = self.new_run_id()
        store.note_statuses(bool(self.policy().programs))
        given = self.settings
        settings = PassSettings(
            external_id_field=given.salesforce.external_id_field,
            expected_org_id=given.salesforce.expected_org_id,
            machine_users=frozenset(given.salesforce.machine_users),
            max_creates_per_pass=given.guard.max_creates_per_pass,
            max_changed_share=given.guard.max_changed_share,
            force=force,
            request_timeout_seconds=given.salesforce.request_timeout_seconds,
            may_act_from_sandbox=given.allow_source_writes_from_sandbox,
            max_opt_outs_per_user_per_hour=given.guard.max_opt_outs_per_user_per_hour,
        )
        actors = self._actors()
        return PassContext(
            run_id=run_id,
            store=store,
            org=org,
            clock=self.clock,
            sources=sources,
            policy=self.policy(),
            secret=self.secret(),
            log=log.get_log(run_id=run_id),
            settings=settings,
            mapped_fields=frozenset(name for one in given.sources.values() for name in self.mapping(one.mapping).fields),
            progress=progress,
            actors=actors if store is self.store else None,
            takers=_takers(actors),
            company=self.company,
        )

    def run(
        self, names: Sequence[str], *, dry_run: bool = False, force: bool = False, progress: Progress = no_progress
    ) -> tuple[Summary, list[Operation]]:
        """One pass; gives its summary and the operations it planned. With `dry_run` on a scratch copy, writing nothing.

        Raises:
            ConfigError, AuthError, StoreError: As the stages raise them; another syncd at work on the store is a StoreError.
        """
        _fit_memory()
        if dry_run:
            return self._rehearse(names, force=force, progress=progress)
        self.store.acquire_lease(LEASE, self._owner)
        self.note_policy()
        sources = self._sources(self.unpaused(names), live=True)
        ctx = self._context(self.store, self.org, sources, force=force, progress=progress)
        ctx.journal = self.journal if self.pushed_sources() else None
        summary = run_pass(ctx, self._make_id)
        self.keep_budget()
        self.prune(_TIDY_SECONDS)
        return summary, []

    def prune(self, budget_seconds: float) -> int:
        """Forget what is older than `store.retention_days`, as long as time allows; gives how many rows. Writes the store."""
        days = self.settings.store.retention_days
        return prune(self.store, self.clock, log.get_log(), retention_days=days, budget_seconds=budget_seconds)

    def unpaused(self, names: Sequence[str]) -> list[str]:
        """The sources of a pass: those that are named, or all that nobody has paused.

        Raises:
            ConfigError: One that is named is paused.
        """
        paused = {name for name, row in self.store.schedules().items() if row.is_paused}
        wrong = [name for name in names if name in paused]
        if wrong:
            raise ConfigError(f"The source {wrong[0]} is paused.", advice=f'"syncd source resume {wrong[0]}" lets it go on.')
        return [one.name for one in self.chosen(names) if one.name not in paused]

    def set_paused(self, names: Sequence[str], *, is_paused: bool) -> list[str]:
        """Pause sources or let them go on; gives those that were not so before. Writes the store.

        Raises:
            ConfigError: There is no such source.
        """
        now = self.clock.now()
        return [one.name for one in self.chosen(names) if self.store.set_paused(one.name, is_paused, now)]

    def _rehearse(self, names: Sequence[str], *, force: bool, progress: Progress) -> tuple[Summary, list[Operation]]:
        # The key behind person ids must exist before the copy: the pass after the plan has to make the same ids.
        self.secret()
        sources = self._sources(self.unpaused(names), live=True)
        scratch = self.store.copy_to_scratch()
        try:
            ctx = self._context(scratch, RehearsalOrg(self.salesforce, self.clock), sources, force=force, progress=progress)
            summary = run_pass(ctx, self._make_id)
            # The ids of leads that exist in the rehearsal only are nobody's business.
            planned = [one for one in scratch.operations_of_run(ctx.run_id) if one.state is not OperationState.SUPERSEDED]
            return summary, [without_pretended(one) for one in planned]
        finally:
            scratch.close()

    def keep_budget(self) -> None:
        """Remember how many calls of this day are used. Writes the store."""
        day, count = self.salesforce.budget_used
        self.store.put_setting("budget_used", f"{day.isoformat()} {count}")

    def pull(self, names: Sequence[str]) -> Summary:
        """Extract only: pages into the inbox, nothing to the org."""
        self.store.acquire_lease(LEASE, self._owner)
        sources = self._sources(self.unpaused(names), live=False)
        ctx = self._context(self.store, self.org, sources, force=False, progress=no_progress)
        started = self.clock.monotonic()
        self.store.start_run(ctx.run_id, self.clock.now(), sorted(ctx.sources))
        with Ingest(ctx, [ctx.sources[name] for name in sorted(ctx.sources)]) as ingest:
            while not ingest.is_over:
                ingest.step(None)
        counts = {name: found for name, found in self.store.source_counts(ctx.run_id).items() if name in ctx.sources}
        status = RunStatus.PARTIAL if ctx.unfinished or any(one.dead for one in counts.values()) else RunStatus.OK
        summary = Summary(ctx.run_id, status, counts, {}, 0, round(self.clock.monotonic() - started, 3), missed=ctx.unfinished)
        self.store.finish_run(ctx.run_id, self.clock.now(), status, msgspec.to_builtins(summary))
        return summary

    def undo(self, run_id: str, *, is_preview: bool = False) -> Undoing:
        """Prepare the undo of a run; a preview may be looked at beside a running daemon, and must not be carried out."""
        ctx, session = self._opened(is_preview=is_preview)
        return Undoing(ctx, session, plan_undo(ctx, session, run_id, self._make_id))

    def convert_lead(self, text: str, wish: ConvertWish) -> Converted:
        """Convert the lead of the one person who answers to `text`, because a person says so; a run of its own.

        Raises:
            ConfigError: It cannot be done, or a person must say more.
            StoreError: A daemon works on the store.
        """
        ctx, session = self._opened(is_preview=False)
        conversion = LeadConversion(ctx, session, text, wish, self._make_id)
        conversion.prepare()
        found: list[Converted] = []
        _as_run(ctx, lambda: found.append(conversion.carry_out()))
        self.keep_budget()
        return found[0]

    def export_for_deletion(self, path: Path) -> Exported:
        """Export the leads that are due for deletion; see `syncd.app.exports`. May be done beside a running daemon.

        Raises:
            ConfigError: There is nothing to export, or the file cannot be made.
        """
        sources = self._sources(list(self.settings.sources), live=False)
        ctx = self._context(self.store, self.org, sources, force=False, progress=no_progress)
        found = export_due(ctx, open_org(ctx), path)
        self.keep_budget()
        return found

    def _opened(self, *, is_preview: bool) -> tuple[PassContext, OrgSession]:
        """What an errand of a person works with, the org looked at; a preview takes nothing over."""
        if not is_preview:
            self.store.acquire_lease(LEASE, self._owner)
        ctx = self._context(
            self.store, self.org, self._sources(list(self.settings.sources), live=False), force=True, progress=no_progress
        )
        if not is_preview:
            recover(ctx)
        session = open_org(ctx)
        refresh_mirror(ctx, session)
        return ctx, session


def _takers(actors: Mapping[str, Actor]) -> dict[str, Actor]:
    """Those that opt-outs travel to."""
    able = {name: one for name, one in actors.items() if isinstance(one.connector, OptOutConnector)}
    return {name: one for name, one in able.items() if one.opt_outs is not OptOuts.NONE}


class Undoing:
    """A prepared undo: look at `plan`, then `carry_out`."""

    def __init__(self, ctx: PassContext, session: OrgSession, plan: UndoPlan) -> None:
        """Made by `House.undo`."""
        self._ctx = ctx
        self._session = session
        self.plan = plan

    def carry_out(self) -> dict[str, int]:
        """Do it; gives operations by state. The undo is a run of its own."""
        return _as_run(self._ctx, lambda: carry_out(self._ctx, self._session, self.plan))


def _as_run(ctx: PassContext, work: Callable[[], object]) -> dict[str, int]:
    """Do an errand of a person as a run of its own; gives its operations by state. Writes the store."""
    store, clock = ctx.store, ctx.clock
    store.start_run(ctx.run_id, clock.now(), [])
    try:
        work()
    finally:
        states = [one.state for one in store.operations_of_run(ctx.run_id)]
        result = {str(state): states.count(state) for state in sorted(set(states))}
        status = RunStatus.OK if set(result) <= {"done"} else RunStatus.PARTIAL
        summary = Summary(ctx.run_id, status, {}, dict(store.operation_counts(ctx.run_id)), ctx.org.api_calls, 0.0)
        store.finish_run(ctx.run_id, clock.now(), status, msgspec.to_builtins(summary))
    return result


@cache
def _fit_memory() -> None:
    """Set the interpreter up for passes; once in a process.

    glibc gives each thread a heap of its own, and what one thread has freed is of no use to another: with two for all of them a
    first fill of 60,000 takes 226 MB (PSS), without 245 to 263 (bench/mailchimp.py). Other C libraries have no such setting.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
    calm_collector()
