"""`syncd report kpi`: how leads moved in a period, by what the store remembers. Reads only; nothing is asked of the org."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from syncd.app import kpi_words as words
from syncd.app.kpi_leads import Counts, percentile, stages_of
from syncd.app.kpi_words import ALL, Figure, Meaning, Measure
from syncd.errors import ConfigError
from syncd.model import RunStatus
from syncd.policy import Enforcement, Policy, Section
from syncd.ports import PolicyDay, RuleCount, Store

_DAYS = 30
"""The period where none is named."""

_NO_PROGRAMS = "Cannot be told: the policy has no programs, so changes of status are not noted."
_NOT_NOTED = 'Cannot be told: no pass has noted changes of status yet. Run "syncd run --once".'


class KpiReport(msgspec.Struct, frozen=True):
    """All numbers of a period; `since` belongs to it, `until` does not."""

    policy: str
    digest: str
    time_zone: str
    since: datetime
    until: datetime
    noted_since: datetime | None
    measures: tuple[Measure, ...]


def kpi(store: Store, policy: Policy, *, since: str, until: str, now: datetime, machine_users: Iterable[str]) -> KpiReport:
    """Count what happened from the day `since` to before the day `until`, in the policy's time zone.

    Args:
        store: Read in slices, never in one long transaction.
        policy: Says what its statuses and rules are; of others that were in force only the log knows.
        since: A day; "" for 30 days before the end.
        until: A day; "" for now.
        now: Aware UTC.
        machine_users: Whose changes are no person's, our own user among them.

    Raises:
        ConfigError: A day that is none, or an empty period.
    """
    begin, end = period_of(since, until, now, ZoneInfo(policy.time_zone))
    noted = store.statuses_noted_since()
    if noted is not None:
        noted = noted.replace(microsecond=0)  # the org's instants are whole seconds
    standing = _standing(store, _places(policy))
    if not policy.programs or noted is None or noted >= end:
        note = _NO_PROGRAMS if not policy.programs else _NOT_NOTED if noted is None else _too_early(noted)
        rest = [Measure(one, begin, end, is_told=False, note=note) for one in words.MEANINGS if one is not words.STANDING]
    else:
        rest = _measures(store, policy, begin, end, noted, frozenset(machine_users))
    by_name = {one.meaning.name: one for one in (standing, *rest)}
    measures = tuple(by_name[one.name] for one in words.MEANINGS)
    return KpiReport(policy.name, policy.digest, policy.time_zone, begin, end, noted, measures)


def period_of(since: str, until: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The instants at which a period begins and ends, aware UTC.

    Raises:
        ConfigError: A day that is none, or an empty period.
    """
    end = now if not until else _begin(_day(until, "--until"), zone)
    begin = _begin(_day(since, "--since") if since else end.astimezone(zone).date() - timedelta(days=_DAYS), zone)
    if begin >= min(end, now):
        raise ConfigError(
            f"The period from {begin:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M} UTC is empty, or has not begun.",
            advice="--since is earlier than --until, which does not belong to the period itself.",
        )
    return begin, min(end, now)


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f'{option} "{text}" is no day.', advice="Write 2026-01-31.") from error


def _begin(day: date, zone: ZoneInfo) -> datetime:
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(f'The day "{day}" is beyond the calendar.', advice="Name a day that a lead can have.") from error


def _too_early(noted: datetime) -> str:
    return f"Cannot be told: changes of status are noted since {noted:%Y-%m-%d %H:%M} UTC, which is after the period."


def _standing(store: Store, places: Mapping[str, int]) -> Measure:
    if store.mirror_cursor("Lead") is None:
        return Measure(words.STANDING, None, None, is_told=False, note="Cannot be told: the leads of the org were not read yet.")
    # The cursor is the newest stamp of a lead, not when somebody last looked.
    ended = (one.finished_at for one in store.runs(50) if one.status in (RunStatus.OK, RunStatus.PARTIAL))
    at = max((one for one in ended if one is not None), default=store.mirror_cursor("Lead"))
    leads = sorted(store.standing_leads(), key=lambda one: (places.get(one.status, len(places)), one.status, one.source))
    figures = tuple(Figure((one.status or "(none)", one.source or words.NO_SOURCE), one.count) for one in leads)
    return Measure(words.STANDING, None, at, figures)


def _measures(
    store: Store, policy: Policy, begin: datetime, end: datetime, noted: datetime, machines: frozenset[str]
) -> list[Measure]:
    """Everything but where leads stand."""
    logged, days = store.rule_counts(begin, end), store.policy_days(begin, end)
    seen = max(begin, noted)
    counts = Counts(stages_of(policy, {one.rule_id: one.section for one in logged}, machines), seen, end, noted)
    for moves in store.status_moves(seen, end):
        for move in moves:
            counts.add_move(move)
    for histories in store.lead_histories(seen, end):
        for history in histories:
            counts.add(history)
    made = _Maker(begin, end, seen, _note_of_statuses(begin, seen, days), _note_of_moves(store, counts, seen), _places(policy))
    return [
        *made.funnel(counts),
        *made.speed(counts, knows_tasks=store.mirror_cursor("Task") is not None),
        *made.rules(policy, logged, days),
        *made.paths(policy, counts),
    ]


def _note_of_statuses(begin: datetime, seen: datetime, days: list[PolicyDay]) -> str:
    gone = sum(one.count for one in days if one.kind == "status_change")
    parts = []
    if seen > begin:
        parts.append(f"Changes of status are noted since {seen:%Y-%m-%d %H:%M} UTC.")
    if gone:
        parts.append(
            f"Too low: of {gone} changes of status in the period only the sums of their days are kept (store.retention_days)."
        )
    return " ".join(parts)


def _note_of_moves(store: Store, counts: Counts, seen: datetime) -> str:
    parts = []
    pruned = store.pruned_before()
    if pruned is not None and pruned > seen:
        parts.append(f"Too low: of what syncd wrote before {pruned:%Y-%m-%d} not everything is kept (store.retention_days).")
    if counts.of_no_rule:
        named = ", ".join(f"{rule} ({count})" for rule, count in sorted(counts.of_no_rule.items()))
        parts.append(f"Not counted: moves by rules that the policy no longer has: {named}.")
    return " ".join(parts)


class _Maker:
    """Makes measures of counts."""

    def __init__(
        self, begin: datetime, end: datetime, seen: datetime, of_statuses: str, of_moves: str, places: Mapping[str, int]
    ) -> None:
        self._places = places
        self._begin, self._end, self._seen = begin, end, seen
        self._of_statuses, self._of_moves = of_statuses, of_moves

    def _measure(self, meaning: Meaning, figures: Iterable[Figure], note: str = "") -> Measure:
        said = " ".join(one for one in (self._of_statuses, note) if one)
        return Measure(meaning, self._seen, self._end, tuple(figures), note=said)

    def _sorted(self, found: Mapping[Any, float], shown: Callable[[float], float] = lambda value: value) -> list[Figure]:
        """Statuses as the policy has them, everything else by its name."""

        def place(key: tuple[str, ...]) -> list[tuple[int, str]]:
            return [(self._places.get(label, len(self._places)), label) for label in key]

        return [Figure(tuple(key), shown(found[key])) for key in sorted(found, key=place)]

    def funnel(self, counts: Counts) -> list[Measure]:
        shares = {key: 100 * counts.arrived_converted[key] / count for key, count in counts.arrived.items()}
        left = {status: 0 for status, _ in counts.moved_on}
        for (status, _), count in counts.moved_on.items():
            left[status] += count
        rates = {key: 100 * count / left[key[0]] for key, count in counts.moved_on.items()}
        return [
            self._measure(words.ARRIVED, self._sorted(counts.arrived)),
            self._measure(words.ENTERED, self._sorted(counts.entered)),
            self._measure(words.CONVERTED, self._sorted(counts.converted)),
            self._measure(words.ARRIVED_CONVERTED, self._sorted(shares, _percent)),
            self._measure(words.MOVED_ON, self._sorted(counts.moved_on)),
            self._measure(words.CONVERSION_RATE, self._sorted(rates, _percent)),
        ]

    def speed(self, counts: Counts, *, knows_tasks: bool) -> list[Measure]:
        keys = sorted(counts.clocks, key=lambda key: (key != (ALL,), key))
        few = "" if knows_tasks else "Tasks are not counted: no rule of the policy needs them, so they are not read from the org."
        return [
            self._measure(words.CLOCKS, (Figure(key, counts.clocks[key]) for key in keys)),
            self._measure(words.CONTACTED, (Figure(key, len(counts.minutes[key])) for key in keys), few),
            self._measure(words.SPEED_P50, (Figure(key, percentile(counts.minutes[key], 50)) for key in keys), few),
            self._measure(words.SPEED_P95, (Figure(key, percentile(counts.minutes[key], 95)) for key in keys), few),
        ]

    def rules(self, policy: Policy, logged: list[RuleCount], days: list[PolicyDay]) -> list[Measure]:
        return [
            self._of_rules(words.SLA_BREACHES, policy, Section.SLA, logged, days),
            self._of_rules(words.RECYCLED, policy, Section.RECYCLE, logged, days),
        ]

    def _of_rules(
        self, meaning: Meaning, policy: Policy, section: Section, logged: list[RuleCount], days: list[PolicyDay]
    ) -> Measure:
        """What the log says of the rules of a section; a rule that only watches leaves nothing there."""
        sums = {one.rule_id: one.count for one in logged if one.section == section and one.outcome == "fired"}
        rules = {one.rule_id: one for one in policy.rules if one.section is section and one.actions}
        old = {one.rule_id: 0 for one in days}
        for one in days:
            if one.kind == "decision" and one.outcome == "fired" and (one.rule_id in rules or one.rule_id in sums):
                old[one.rule_id] += one.count
        watching = {name for name, rule in rules.items() if rule.enforcement is Enforcement.OBSERVE and not sums.get(name)}
        figures = [
            Figure((name,), None if name in watching else sums.get(name, 0) + old.get(name, 0))
            for name in sorted({*sums, *rules})
        ]
        parts = [one for one in (_of_watching((name,) for name in watching),) if one]
        if sum(old.values()):
            parts.append(
                f"{sum(old.values())} of them are known by sums of days (UTC) only; days on the edge count if they begin within."
            )
        if not figures:
            parts.append(f"The policy has no such rule in its section {section}.")
        return Measure(meaning, self._begin, self._end, tuple(figures), note=" ".join(parts))

    def paths(self, policy: Policy, counts: Counts) -> list[Measure]:
        is_marked = any(status.is_unqualified for program in policy.programs for status in program.statuses.values())
        unmarked = "" if is_marked else "The policy marks no status as unqualified."
        return [
            self._measure(words.UNQUALIFIED, self._sorted(counts.unqualified), f"{self._of_moves} {unmarked}".strip()),
            self._measure(words.UNQUALIFIED_WENT, self._sorted(counts.unqualified_went), self._of_moves),
            self._moved(words.ARCHIVED, policy, Section.ARCHIVE, counts.archived),
            self._moved(words.REVIVED, policy, Section.REVIVE, counts.revived),
            self._moved(words.DELETED, policy, Section.DELETE, counts.deleted),
        ]

    def _moved(self, meaning: Meaning, policy: Policy, section: Section, found: Mapping[tuple[str, ...], int]) -> Measure:
        """Moves of a section; its rules that did nothing are told from those that only watch."""
        rules = {(rule.rule_id,): rule for rule in policy.rules if rule.section is section}
        watching = {key for key, rule in rules.items() if rule.enforcement is Enforcement.OBSERVE and not found.get(key)}
        figures = [Figure(key, None if key in watching else found.get(key, 0)) for key in sorted({*found, *rules})]
        return self._measure(meaning, figures, " ".join(one for one in (self._of_moves, _of_watching(watching)) if one))


def _of_watching(rules: Iterable[tuple[str, ...]]) -> str:
    named = ", ".join(name for name, *_ in sorted(rules))
    return f"Cannot be told of rules that only watch: {named}." if named else ""


def _places(policy: Policy) -> dict[str, int]:
    """Statuses in the order of the file."""
    names = dict.fromkeys(status for program in policy.programs for status in program.statuses)
    return {name: place for place, name in enumerate(names)}


def _percent(value: float) -> float:
    return round(value, 1)


__all__ = ["KpiReport", "kpi", "period_of"]
