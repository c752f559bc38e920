"""What the daemon asks of the house to decide what comes next. Part of the house that wiring builds; reads only, but for the notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec

from syncd.app.endings import SOON_DAYS, Ending
from syncd.app.lanes import ranges
from syncd.app.status import status
from syncd.clock import Clock
from syncd.config import Settings
from syncd.config.settings import ConfiguredSource
from syncd.connector import Connector, FetchingConnector, PullConnector, PushConnector, Session
from syncd.document import Problems
from syncd.errors import ConfigError
from syncd.mapping import Mapping as LeadMapping
from syncd.model import Lane
from syncd.policy import Policy
from syncd.ports import Journal, Store
from syncd.run.context import is_lost, note_lost
from syncd.run.hot import LANES
from syncd.run.ingest import notice_of
from syncd.run.rest import rests
from syncd.run.standards import MARKING, SETTLED
from syncd.salesforce import SLOW_FROM, SalesforceOrg
from syncd.schedule import DEFAULT_INTERVAL_SECONDS, Plan, next_time, why_wrong

_RUNNING_POLICY = "policy_running"
"""Setting: name and digest of the policy that is at work, and since when."""


def is_received(connector: Connector, options: Any) -> bool:
    """Whether a source is sent to, as it is configured."""
    return isinstance(connector, PushConnector) and connector.reception(options) is not None


class Works:
    """The daemon's half of a house; `syncd.wiring.House` gives it its parts."""

    settings: Settings
    clock: Clock

    @cached_property
    def store(self) -> Store:
        """Given by the house."""
        raise NotImplementedError

    @cached_property
    def journal(self) -> Journal:
        """Given by the house."""
        raise NotImplementedError

    @cached_property
    def salesforce(self) -> SalesforceOrg:
        """Given by the house."""
        raise NotImplementedError

    def connector_of(self, source: ConfiguredSource) -> tuple[Connector, Any, Session]:
        """Given by the house."""
        raise NotImplementedError

    def mapping(self, name: str) -> LeadMapping:
        """Given by the house."""
        raise NotImplementedError

    def policy(self) -> Policy:
        """Given by the house."""
        raise NotImplementedError

    def endings(self) -> dict[str, Ending]:
        """Given by the house."""
        raise NotImplementedError

    # ------------------------------------------------------------------ sources

    @cached_property
    def _connectors(self) -> dict[str, tuple[Connector, Any]]:
        return {name: self.connector_of(source)[:2] for name, source in self.settings.sources.items()}

    def pushed_sources(self) -> list[str]:
        """Sources that may send by themselves. Also those that do no more: what they have sent goes its way."""
        return [name for name, (connector, _) in self._connectors.items() if isinstance(connector, PushConnector)]

    def pulled_sources(self) -> list[str]:
        """Sources that are read; some of them send by themselves as well."""
        return [name for name, (connector, _) in self._connectors.items() if isinstance(connector, PullConnector)]

    def plans(self) -> dict[str, Plan]:
        """When each source is read that can be.

        Raises:
            ConfigError: A cron expression is none; all of them, with their places.
        """
        found = {}
        problems = Problems()
        for name in self.pulled_sources():
            common = self.settings.sources[name].common
            usual = float(getattr(self._connectors[name][0], "poll_interval_seconds", DEFAULT_INTERVAL_SECONDS))
            interval = common.poll_interval_seconds or usual
            found[name] = Plan(interval, common.cron or "", common.timezone, common.jitter_seconds)
            wrong = why_wrong(common.cron) if common.cron is not None else ""
            if wrong:
                node = self.settings.sources[name].node
                advice = 'Five fields: minute, hour, day, month, weekday; "*/5 * * * *" is every five minutes.'
                problems.add(node.get("cron") or node, f'"{common.cron}" is no cron expression: {wrong}.', advice)
        problems.raise_if_any()
        return found

    def status(self) -> dict[str, Any]:
        """`syncd.app.status` with what only the configuration knows: next times, deliveries before the inbox, calls of this day."""
        found = status(self.store, self.settings.sources)
        rows, plans, ends = self.store.schedules(), self.plans(), self.endings()
        backlog = self.journal.backlog() if self.pushed_sources() else {}
        for name, one in found["sources"].items():
            row = rows.get(name)
            is_planned = name in plans and row is not None and row.started_at is not None and not row.is_paused
            one["next_at"] = next_time(plans[name], row.started_at) if is_planned and row is not None and row.started_at else None
            one["received"] = backlog[name].count if name in backlog else 0
            one["notice"] = self.store.setting(notice_of(name)) or ""
            end = ends[name].at if name in ends else None
            one["credentials_end_at"] = end
            one["credentials_end_soon"] = end is not None and end - self.clock.now() <= timedelta(days=SOON_DAYS)
        day, _, count = (self.store.setting("budget_used") or "").partition(" ")
        found["policy"] = self._policy_at_work()
        found["api_calls"] = {"day": day, "ours": int(count or 0), "daily_share": self.settings.salesforce.api_budget.daily_share}
        return found

    def note_policy(self) -> None:
        """Remember which policy is at work, and since when. Writes the store when it is another one."""
        policy = self.policy()
        known = self._noted_policy()
        if known is None or (known["digest"], known["name"]) != (policy.digest, policy.name):
            noted = {"name": policy.name, "digest": policy.digest, "since_at": self.clock.now()}
            self.store.put_setting(_RUNNING_POLICY, msgspec.json.encode(noted).decode())

    def _noted_policy(self) -> dict[str, Any] | None:
        text = self.store.setting(_RUNNING_POLICY)
        return msgspec.json.decode(text) if text else None

    def _policy_at_work(self) -> dict[str, Any] | None:
        """The policy of the last pass, or of the daemon; None before the first. `on_disk` is the version of the file, "" if it is not right."""
        found = self._noted_policy()
        if found is None:
            return None
        try:
            policy: Policy | None = self.policy()
        except ConfigError:
            policy = None
        is_settled = self.store.setting(SETTLED) == found["digest"] if policy is None or policy.programs else True
        on_disk = "" if policy is None else policy.digest[:8]
        since_at = datetime.fromisoformat(found["since_at"])
        return {**found, "version": found["digest"][:8], "since_at": since_at, "on_disk": on_disk, "is_settled": is_settled}

    def first_fills(self) -> set[str]:
        """Sources that were never read to their end: that may take long, and others must not wait for it."""
        rows = self.store.schedules()
        return {name for name in self.pulled_sources() if name not in rows or rows[name].succeeded_at is None}

    def slow_sources(self) -> set[str]:
        """Sources that have something to be read in the slow lane."""
        return self.first_fills() | {one.source for one in ranges(self.store)}

    def is_stale(self, name: str) -> bool:
        """Whether records of a source wait for its changed mapping."""
        digest = self.mapping(self.settings.sources[name].mapping).digest
        if name not in self.pulled_sources() and self.store.take_inbox(1, [name], (), (Lane.BACKFILL, Lane.REMAP)):
            return True
        return self.store.stale_count(name, digest) > 0

    def has_hot(self, names: Sequence[str]) -> bool:
        """Whether something of these sources waits for the hot lane."""
        if not names:
            return False
        fetching = [name for name in names if isinstance(self._connectors[name][0], FetchingConnector)]
        if self.journal.take(1, names) or (fetching and self.store.take_wanted(self.clock.now(), 1, fetching)):
            return True
        pulled = self.pulled_sources()
        own, shared = [one for one in names if one not in pulled], [one for one in names if one in pulled]
        return bool(
            (own and self.store.take_inbox(1, own, (), LANES))
            or (shared and self.store.take_inbox(1, shared, (), (Lane.HOT, Lane.HOT)))
        )

    # ------------------------------------------------------------------ the org

    def is_mirrored(self) -> bool:
        """Whether the mirror was filled once; before that only one lane may fill it."""
        return all(self.store.mirror_cursor(name) is not None for name in ("Lead", "Contact"))

    def is_policy_waiting(self) -> bool:
        """Whether the policy has to look at somebody because time has passed, or at everybody because it was changed."""
        policy = self.policy()
        if not policy.programs:
            return False
        at = self.store.next_due()
        is_known = self.store.setting(SETTLED) == policy.digest and self.store.setting(MARKING) == f"{policy.digest} end"
        return not is_known or (at is not None and at <= self.clock.now())

    def has_actions(self) -> bool:
        """Whether an action waits for a source that nobody has paused, and that is not left alone for now."""
        rows, now = self.store.schedules(), self.clock.now()
        waiting = self.store.acting_sources()
        return any(not (name in rows and rows[name].is_paused) and not rests(self.store, name, now) for name in waiting)

    def is_org_lost(self) -> bool:
        """Whether the last pass could not reach the org."""
        return is_lost(self.store, "org")

    @property
    def is_strained(self) -> bool:
        """Whether the org's calls run short, so that everything that can wait should."""
        return self.salesforce.budget_pressure >= SLOW_FROM

    # ------------------------------------------------------------------ notes

    def lose(self, what: str) -> bool:
        """Remember that something is amiss; True only if that is news. Writes the store."""
        return note_lost(self.store, what, is_lost=True)

    def regain(self, what: str) -> bool:
        """Remember that it is well again; True only if it was not. Writes the store."""
        return note_lost(self.store, what, is_lost=False)
