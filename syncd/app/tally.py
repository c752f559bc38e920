"""What a simulation counts: moves, rules, actions, days, and what rested on values that nobody knows. No personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from syncd.policy import Policy
from syncd.policy.model import Asked, Facts, Section, Verdict, Wanted
from syncd.policy.reads import Names, Reads, Resting

SAMPLES = 5
"""People named for each rule."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Somebody a rule is about, and the day; `sf_id` is "" for who is not in the org."""

    person_id: str
    sf_id: str
    on: date


class RuleCount(msgspec.Struct):
    """What became of one rule.

    Attributes:
        fired: How often it would fire; `observed` the same under `enforcement: observe`.
        anyway: How often of these the policy in force does the same now.
        unsure: How often its answer rested on a value that cannot be told, whether it fired or not; `unsure_fired` of those that fired.
    """

    fired: int = 0
    observed: int = 0
    anyway: int = 0
    unsure: int = 0
    unsure_fired: int = 0
    samples: list[Sample] = []


class Tally(msgspec.Struct):
    """Sums over some people; those of several parts can be added up.

    Attributes:
        people: Looked at; `moved_people` of them would be moved, put away, brought back or converted at least once.
        evaluations, unsure: All, and those of which an answer rested on a value that cannot be told.
        untold: People who could not be judged on some day, because their record has been deleted, merged or converted since.
        moves: (from, to) to count; `moves_anyway` of these the policy in force makes now, `moves_lost` are made by that one only.
        real_moves: What syncd really did in that time.
        sums: `moves`, `converted`, `opportunities`, `archived`, `revived`, `deleted` (due for it), `holding` (hold periods begun); `sums_anyway` as above.
        actions: Kind to count.
        unknown: Variable to the evaluations that could not tell its value.
        days: (ISO day, section) to the moves and conversions of that day.
    """

    people: int = 0
    moved_people: int = 0
    evaluations: int = 0
    unsure: int = 0
    untold: int = 0
    moves: dict[tuple[str, str], int] = {}
    moves_anyway: dict[tuple[str, str], int] = {}
    moves_lost: dict[tuple[str, str], int] = {}
    real_moves: dict[tuple[str, str], int] = {}
    sums: dict[str, int] = {}
    sums_anyway: dict[str, int] = {}
    actions: dict[str, int] = {}
    actions_anyway: dict[str, int] = {}
    unknown: dict[str, int] = {}
    days: dict[tuple[str, str], int] = {}
    rules: dict[str, RuleCount] = {}

    def add(self, other: Tally) -> None:
        """Add the sums of other people, who come after these."""
        for name in ("people", "moved_people", "evaluations", "unsure", "untold"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in (
            "moves", "moves_anyway", "moves_lost", "real_moves", "sums", "sums_anyway", "actions", "actions_anyway", "unknown", "days",
        ):  # fmt: skip
            mine = getattr(self, name)
            for key, count in getattr(other, name).items():
                mine[key] = mine.get(key, 0) + count
        for rule_id, theirs in other.rules.items():
            mine = self.rules.setdefault(rule_id, RuleCount())
            for name in ("fired", "observed", "anyway", "unsure", "unsure_fired"):
                setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
            mine.samples = [*mine.samples, *theirs.samples][:SAMPLES]


class Counting:
    """Counts the verdicts of one policy."""

    def __init__(self, policy: Policy, reads: Reads) -> None:
        """Nothing is counted yet."""
        self.tally = Tally()
        self._reads = reads
        self._resting: dict[Names, Resting] = {}
        self._section = {rule.rule_id: rule.section for rule in policy.rules}

    def note(self, facts: Facts, verdict: Verdict, beside: Verdict | None = None) -> bool:
        """Count one verdict, and what of it `beside` (of the policy in force) has in common; gives whether it moves anybody."""
        tally = self.tally
        tally.evaluations += 1
        unsure = self._unsure(facts, verdict)
        moves = self._note_move(facts, verdict, beside)
        _count(tally.sums, "opportunities", bool(verdict.opens))
        _count(tally.sums_anyway, "opportunities", beside is not None and bool(verdict.opens and beside.opens))
        _count(tally.sums, "deleted", bool(verdict.deletes))
        _count(tally.sums_anyway, "deleted", beside is not None and bool(verdict.deletes and beside.deletes))
        _count(tally.sums, "holding", bool(verdict.starts))
        self._note_actions(verdict, beside)
        also: set[str] | None = None
        for one in verdict.asked:
            if one.outcome != "blocked" or one.rule_id in unsure:
                if also is None:
                    also = {other.rule_id for other in beside.asked if other.outcome == "fired"} if beside is not None else set()
                self._note_rule(one, facts, is_unsure=one.rule_id in unsure, is_anyway=one.rule_id in also)
        return moves

    def _note_rule(self, answer: Asked, facts: Facts, *, is_unsure: bool, is_anyway: bool) -> None:
        count = self.tally.rules.get(answer.rule_id)
        if count is None:
            count = self.tally.rules[answer.rule_id] = RuleCount(samples=[])
        count.unsure += is_unsure
        if answer.outcome == "blocked":
            return
        if answer.outcome == "fired":
            count.fired += 1
            count.anyway += is_anyway
            count.unsure_fired += is_unsure
        else:
            count.observed += 1
        if len(count.samples) < SAMPLES and all(one.person_id != facts.person_id for one in count.samples):
            sf_id = facts.standing.sf_id if facts.standing is not None else ""
            count.samples.append(Sample(facts.person_id, sf_id, date.fromisoformat(facts.day)))

    def note_real_moves(self, moves: Iterable[tuple[str, str]]) -> None:
        """Count what syncd really did."""
        for way in moves:
            _count(self.tally.real_moves, way)

    def _unsure(self, facts: Facts, verdict: Verdict) -> set[str]:
        unknown = facts.unknown
        if not unknown:
            return set()
        seen = self.tally.unknown
        for name in unknown:
            seen[name] = seen.get(name, 0) + 1
        resting = self._resting.get(unknown)
        if resting is None:
            resting = self._resting[unknown] = self._reads.resting(unknown)
        found = resting.of(verdict.asked)
        self.tally.unsure += bool(found)
        return found

    def _note_move(self, facts: Facts, verdict: Verdict, beside: Verdict | None) -> bool:
        """Count a move of the status, a flag that archives, or a conversion."""
        tally = self.tally
        if verdict.to_status:
            way = (verdict.from_status, verdict.to_status)
            _count(tally.moves, way)
            _count(tally.moves_anyway, way, beside is not None and beside.to_status == verdict.to_status)
        if beside is not None and beside.to_status and beside.to_status != verdict.to_status:
            _count(tally.moves_lost, (beside.from_status, beside.to_status))
        if not verdict.rule_id:
            return False
        names = _kinds(verdict, self._section.get(verdict.rule_id, Section.ILLEGAL))
        same = beside is not None and beside.rule_id != "" and (beside.to_status, bool(beside.converts), beside.means) == (
            verdict.to_status, bool(verdict.converts), verdict.means,
        )  # fmt: skip
        for name in names:
            _count(tally.sums, name)
            _count(tally.sums_anyway, name, same)
        section = Section.CONVERT if verdict.converts else self._section.get(verdict.rule_id, Section.ILLEGAL)
        _count(tally.days, (facts.day, section.value))
        return True

    def _note_actions(self, verdict: Verdict, beside: Verdict | None) -> None:
        if not verdict.actions:
            return
        if beside is verdict:  # the two policies are alike in all that they ask of this person
            for one in verdict.actions:
                _count(self.tally.actions, str(one.kind))
                _count(self.tally.actions_anyway, str(one.kind))
            return
        wanted = _deeds(verdict.actions)
        shared = wanted & _deeds(beside.actions) if beside is not None else Counter()
        for kind, *_ in wanted.elements():
            _count(self.tally.actions, kind)
        for kind, *_ in shared.elements():
            _count(self.tally.actions_anyway, kind)


def _kinds(verdict: Verdict, section: Section) -> Iterable[str]:
    if verdict.converts:
        return ("converted",)
    moved = ["moves"] if verdict.to_status else []
    return moved + {Section.ARCHIVE: ["archived"], Section.REVIVE: ["revived"]}.get(section, [])


def _deeds(actions: Iterable[Wanted]) -> Counter[tuple[str, ...]]:
    return Counter(
        (str(one.kind), one.source, *(f"{name}={value}" for name, value in sorted(one.options.items()))) for one in actions
    )


def _count(sums: dict[Any, int], key: object, by: int = 1) -> None:
    if by:
        sums[key] = sums.get(key, 0) + by
