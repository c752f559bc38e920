"""`syncd policy simulate` with what is configured: which file, whose edits, what the mirror holds. Part of the house that wiring builds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from syncd.app.horizon import Lacking
from syncd.app.simulate import Job, Progress, Written, first_day, simulate
from syncd.app.tally import Tally
from syncd.clock import Clock
from syncd.config import Settings
from syncd.mapping import Mapping as LeadMapping
from syncd.policy import Finding, Policy, check_policy, needs
from syncd.policy.reads import reads_of
from syncd.ports import Store
from syncd.run.mirror import wanted_fields
from syncd.run.standards import OWN_USER

_VARIABLES = {
    "Task": ("activity.open_tasks", "activity.last_at"),
    "Event": ("activity.next_event_at", "activity.last_at"),
    "Opportunity": ("activity.open_opportunities",),
    "User": ("owner.is_active",),
}
"""What cannot be told without an object in the mirror; of Account everything under `account`."""


class Simulated(msgspec.Struct, frozen=True):
    """A simulation with what it was made of.

    Attributes:
        findings: Warnings of the check.
        unmirrored: Fields (`Lead.Rating`) and objects that the mirror does not hold for the policy in force.
        kept_since: Before this instant some of the history is kept no longer; None while all of it is.
    """

    policy: Policy
    in_force: Policy
    now: datetime
    since: date | None
    tally: Tally
    findings: tuple[Finding, ...]
    unmirrored: tuple[str, ...]
    max_changed_share: float
    kept_since: datetime | None


class Simulations:
    """The simulating part of a house; `syncd.wiring.House` gives it its parts."""

    settings: Settings
    clock: Clock

    def mapping(self, name: str) -> LeadMapping:
        """Given by the house."""
        raise NotImplementedError

    def policy(self) -> Policy:
        """Given by the house."""
        raise NotImplementedError

    def policy_of(self, text: str, file: str) -> Policy:
        """Given by the house."""
        raise NotImplementedError

    def policy_text(self, path: Path, file: str, advice: str = "") -> str:
        """Given by the house."""
        raise NotImplementedError

    def reader(self) -> Callable[[], Store]:
        """Given by the house: opens the store for reading alone, in any process."""
        raise NotImplementedError

    def simulate_policy(self, path: Path, since: str | None, progress: Progress | None = None) -> Simulated:
        """What the policy in `path` would do, or would have done since a day. Writes nothing and asks nothing of the org.

        Raises:
            ConfigError: One of the two policies is wrong, or `since` is no day that has begun.
            StoreError: The store cannot be read.
        """
        text = self.policy_text(path, str(path), "Name an existing file after --with.")
        changed = self.policy_of(text, str(path))
        in_force, file = self.policy(), self.settings.policy
        now = self.clock.now()
        first = first_day(since, now, changed.time_zone) if since is not None else None
        open_store = self.reader()
        reader = open_store()
        try:
            own = reader.setting(OWN_USER) or ""
            starts = {name: self._news_from(reader, name, now) for name in self.settings.sources}
            lacking, unmirrored = self._lacking(reader, changed, in_force)
            kept_since = reader.pruned_before()
        finally:
            reader.close()
        machines = frozenset({*self.settings.salesforce.machine_users, own} - {""})
        sources = {name: one.type for name, one in self.settings.sources.items()}
        job = Job(
            open_store=open_store,
            policy=Written(str(path), text, sources),
            in_force=Written(file, self.policy_text(self.settings.folder / file, file), sources),
            since=first,
            now=now,
            machines=machines,
            own=frozenset({own}) if own else machines,
            starts=starts,
            lacking=lacking,
        )
        tally = simulate(job, progress)
        return Simulated(
            policy=changed,
            in_force=in_force,
            now=now,
            since=first,
            tally=tally,
            findings=tuple(check_policy(changed)),
            unmirrored=unmirrored,
            max_changed_share=self.settings.guard.max_changed_share,
            kept_since=kept_since,
        )

    def _news_from(self, reader: Store, name: str, now: datetime) -> datetime | None:
        """As the passes have it; a source that no pass has met yet begins now, which is not written down here."""
        given = self.settings.sources[name].common.start_from
        return news_from(given, reader.setting(f"start_from:{name}"), now)

    def _lacking(self, reader: Store, changed: Policy, in_force: Policy) -> tuple[Lacking, tuple[str, ...]]:
        """Variables that the mirror cannot tell for the changed policy, and the fields and objects they are about."""
        if not changed.programs:
            return Lacking(), ()
        mapped = {name for one in self.settings.sources.values() for name in self.mapping(one.mapping).fields}
        wanted, has = wanted_fields(mapped, changed), wanted_fields(mapped, in_force)
        read = reads_of(changed).names
        objects = {name for name in needs(changed).objects if name not in has or reader.mirror_cursor(name) is None}
        about: dict[str, set[str]] = {"Lead": set(), "Contact": set(), "": set()}
        named = sorted(objects)
        for name, group in (("Lead", "lead"), ("Contact", "lead"), ("Account", "account")):
            for field in sorted(set(wanted.get(name, ())) - set(has.get(name, ()))):
                variables = {f"{group}.{field}", f"org.{field}"} & read
                if variables and name not in objects:
                    about[name if name in about else ""] |= variables
                    named.append(f"{name}.{field}")
        about[""] |= {one for name in objects for one in _VARIABLES.get(name, ())}
        about[""] |= {one for one in read if one.startswith("account.") and "Account" in objects}
        if not in_force.programs:  # then nobody notes statuses, nor reads when a lead was made
            about["Lead"] |= {"status_at", "days_in_status"}
        return Lacking(*(frozenset(some & read) for some in about.values())), tuple(named)


def news_from(given: str, noted: str | None, now: datetime) -> datetime | None:
    """From when on a source's records are news (DESIGN 3.3 `start_from`); None for all of them. `noted`: when "now" was."""
    if given == "all":
        return None
    if given != "now":
        return datetime.fromisoformat(given).replace(tzinfo=UTC)
    return datetime.fromisoformat(noted) if noted is not None else now
