"""From histories of leads to counts, for `syncd report kpi`. Pure; what the counts mean stands in `kpi_words`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from syncd.app.kpi_words import A_PERSON, ALL, NO_RULE, NO_SOURCE, STILL_THERE
from syncd.plan import named_rule
from syncd.policy import Policy, Section
from syncd.ports import LeadHistory, StatusMove

_SLACK = timedelta(minutes=10)
"""How far the org's clock and ours may be apart where a status is joined to the move that made it."""


class Stages(msgspec.Struct, frozen=True):
    """What a policy says of statuses and rules, as far as it is counted.

    Attributes:
        entry, unqualified, archived: Statuses that are so in any program, or that archive rules move to.
        revived_from, revived_to: Statuses that revive rules look at and move to.
        sections: Rule to its section, also of rules that the policy no longer has where the log knows it.
        machines: Users whose changes are no person's.
    """

    entry: frozenset[str]
    unqualified: frozenset[str]
    archived: frozenset[str]
    revived_from: frozenset[str]
    revived_to: frozenset[str]
    sections: Mapping[str, str]
    machines: frozenset[str]


def stages_of(policy: Policy, sections: Mapping[str, str], machines: frozenset[str]) -> Stages:
    """The same for one policy; `sections` are what the log says of rules."""
    statuses = [status for program in policy.programs for status in program.statuses.values()]
    idle = frozenset(one.name for one in statuses if (one.is_unqualified or one.is_terminal) and not one.is_converted)
    revive = [rule for rule in policy.rules if rule.section is Section.REVIVE]
    looked_at = (frozenset(rule.from_statuses) or idle for rule in revive)
    return Stages(
        entry=frozenset(one.name for one in statuses if one.is_entry),
        unqualified=frozenset(one.name for one in statuses if one.is_unqualified),
        archived=frozenset(rule.means.status for rule in policy.rules if rule.means is not None and rule.means.status),
        revived_from=frozenset().union(*looked_at),
        revived_to=frozenset(rule.to_status for rule in revive),
        sections={**sections, **{rule.rule_id: str(rule.section) for rule in policy.rules}},
        machines=machines,
    )


class Stay(msgspec.Struct, frozen=True, gc=False):
    """One stay of a lead in a status.

    `is_seen`: the entry itself was seen, not only that the lead stood there. `by`: the rule that moved it, A_PERSON or NO_RULE.
    """

    status: str
    at: datetime
    by: str
    is_seen: bool = True


def stays_of(history: LeadHistory, stages: Stages, begin: datetime) -> list[Stay]:
    """The stays of a lead, oldest first; `begin` is since when changes are noted: a lead that is older stood where it was first seen."""
    found: list[Stay] = []
    moves = list(history.moves)
    before: datetime | None = None
    for number, row in enumerate(history.statuses):
        is_seen = number > 0 or (history.created_at is not None and history.created_at >= begin)
        # The editor may have changed something else, before anybody saw the status that syncd had set.
        by = _moved_by(moves, row.status, before, row.at) or (NO_RULE if row.modified_by in stages.machines else A_PERSON)
        found.append(Stay(row.status, row.at, by, is_seen))
        before = row.at
    return found


def _moved_by(moves: list[StatusMove], status: str, before: datetime | None, at: datetime) -> str:
    """The rule by which syncd moved a lead there, "" if it did not. What was found, and what came earlier, is taken out of `moves`."""
    for number, move in enumerate(moves):
        is_since = before is None or move.at >= before - _SLACK
        if move.to_status == status and is_since and move.at <= at + _SLACK:
            del moves[: number + 1]
            return named_rule(move.rule) or NO_RULE
    return ""


class Counts:
    """What is counted of histories and moves in one period."""

    def __init__(self, stages: Stages, since: datetime, until: datetime, noted: datetime) -> None:
        """Nothing is counted yet; `noted` is since when changes of status are."""
        self._stages = stages
        self._since, self._until, self._noted = since, until, noted
        self.arrived: Counter[tuple[str, ...]] = Counter()
        self.entered: Counter[tuple[str, ...]] = Counter()
        self.converted: Counter[tuple[str, ...]] = Counter()
        self.arrived_converted: Counter[tuple[str, ...]] = Counter()
        self.moved_on: Counter[tuple[str, ...]] = Counter()
        self.clocks: Counter[tuple[str, ...]] = Counter()
        self.minutes: dict[tuple[str, ...], list[float]] = {}
        self.unqualified: Counter[tuple[str, ...]] = Counter()
        self.unqualified_went: Counter[tuple[str, ...]] = Counter()
        self.archived: Counter[tuple[str, ...]] = Counter()
        self.revived: Counter[tuple[str, ...]] = Counter()
        self.deleted: Counter[tuple[str, ...]] = Counter()
        self.of_no_rule: Counter[str] = Counter()
        """Moves by rules of which nobody knows the section any more."""

    def _is_within(self, at: datetime) -> bool:
        return self._since <= at < self._until

    def add_move(self, move: StatusMove) -> None:
        """Count a move that syncd made in the period."""
        rule = named_rule(move.rule)
        if move.is_deletion:
            self.deleted[rule,] += 1
            return
        section = self._stages.sections.get(rule, "")
        if section == Section.ARCHIVE:
            self.archived[rule,] += 1
        elif section == Section.REVIVE:
            self.revived[rule,] += 1
        elif rule and move.to_status and not section and not rule.startswith("illegal_"):
            self.of_no_rule[rule] += 1

    def add(self, history: LeadHistory) -> None:
        """Count a lead."""
        stays = stays_of(history, self._stages, self._noted)
        if not stays:
            return
        source = history.source or NO_SOURCE
        last = stays[-1]
        is_converted = history.is_converted and last.is_seen and last.at < self._until
        if history.created_at is not None and self._is_within(history.created_at):
            self.arrived[source,] += 1
            self.arrived_converted[source,] += is_converted
        if is_converted and self._is_within(last.at):
            self.converted[source,] += 1
        for number, stay in enumerate(stays):
            if stay.is_seen and self._is_within(stay.at):
                self._add_stay(history, stays, number, source)

    def _add_stay(self, history: LeadHistory, stays: list[Stay], number: int, source: str) -> None:
        stages, stay = self._stages, stays[number]
        after = stays[number + 1] if number + 1 < len(stays) and stays[number + 1].at < self._until else None
        self.entered[stay.status, source] += 1
        self.moved_on[stay.status, after.status if after is not None else STILL_THERE] += 1
        if stay.status in stages.unqualified:
            self.unqualified[stay.status, stay.by] += 1
            to = after.status if after is not None else ""
            self.unqualified_went[stay.status, self._path(after), to] += 1
        is_persons = stay.by == A_PERSON and number > 0
        if is_persons and stay.status in stages.archived:
            self.archived[A_PERSON,] += 1
        if is_persons and stay.status in stages.revived_to and stays[number - 1].status in stages.revived_from:
            self.revived[A_PERSON,] += 1
        if stay.status in stages.entry and history.first_at is not None and (number > 0 or history.is_news):
            self._add_clock(history, stays, number, source)

    def _path(self, after: Stay | None) -> str:
        """How a lead left a status."""
        if after is None:
            return STILL_THERE
        section = self._stages.sections.get(after.by, "")
        return f"{section}: {after.by}" if section else after.by

    def _add_clock(self, history: LeadHistory, stays: list[Stay], number: int, source: str) -> None:
        stay, later = stays[number], stays[number + 1 :]
        start = arrival(history, stays, number)
        end = next((one.at for one in later if one.status in self._stages.entry), self._until)
        contacts = [one.at for one in later if one.by == A_PERSON and one.at > stay.at]
        contacts += [at for at in history.tasks if at >= start]
        contact = min((at for at in contacts if at < min(end, self._until)), default=None)
        for key in ((source,), (ALL,)):
            self.clocks[key] += 1
            known = self.minutes.setdefault(key, [])
            if contact is not None:
                known.append((contact - start).total_seconds() / 60)


def arrival(history: LeadHistory, stays: list[Stay], number: int) -> datetime:
    """When the clock of speed to lead starts for the stay of that number; see `kpi_words`."""
    entered = stays[number].at
    before = stays[number - 1].at if number else None
    heard = [at for at in history.touches if at <= entered and (before is None or at > before)]
    if before is None and history.first_at is not None and history.first_at <= entered:
        heard.append(history.first_at)
    return max(heard, default=entered)


def percentile(values: list[float], share: float) -> float | None:
    """The smallest value that so many of a hundred do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    rank = -(-len(values) * share // 100)
    return round(sorted(values)[max(int(rank), 1) - 1], 1)


__all__ = ["Counts", "Stages", "Stay", "arrival", "percentile", "stages_of", "stays_of"]
