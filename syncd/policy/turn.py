"""One evaluation under way: what was asked so far, and when the answer may change. Lives for one call of `evaluate`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from syncd.expressions.moments import step_moments
from syncd.policy.compiled import Condition, ReadyPolicy, ReadyProgram
from syncd.policy.model import Asked, Facts, Target
from syncd.policy.score import halving_moments
from syncd.policy.values import Values, newest_touch
from syncd.policy.ways import Ways

NEVER = datetime.max.replace(tzinfo=UTC)
"""The end of a clock whose beginning nobody knows, or that lies beyond the calendar."""


def later(at: datetime, *, days: int = 0, minutes: int = 0) -> datetime:
    """The instant so much later, `NEVER` at the latest."""
    try:
        return at + timedelta(days=days, minutes=minutes)
    except OverflowError:
        return NEVER


def target_of(facts: Facts) -> Target | None:
    """What the person is for rules: LEAD with an open lead, CONTACT with a contact or a converted lead, None without either."""
    standing = facts.standing
    if standing is None:
        return None
    return Target.LEAD if standing.object == "Lead" and not standing.is_converted else Target.CONTACT


class Turn:
    """The person and the policy of one evaluation.

    Attributes:
        target: As `target_of` has it.
        status, status_at: Of an open lead; "" and None for others.
        ways: What is asked of the person.
        asked: The answers so far.
        starts, stops: As in the verdict.
    """

    __slots__ = (
        "_bits", "_cache", "_halvings", "_later", "_reads_score", "asked", "facts", "policy", "program", "starts", "status",
        "status_at", "stops", "target", "values", "ways",
    )  # fmt: skip

    def __init__(self, policy: ReadyPolicy, facts: Facts, values: Values) -> None:
        self.policy = policy
        self.facts = facts
        self.values = values
        self.target = target_of(facts)
        is_lead = self.target is Target.LEAD
        self.status: str = (values["status"] or "") if is_lead else ""
        self.status_at: datetime | None = values["status_at"] if is_lead else None
        self.program: ReadyProgram
        self.ways: Ways
        self.asked: list[Asked] = []
        self.starts: dict[str, datetime] = {}
        self.stops: list[str] = []
        self._bits = 0
        self._reads_score = False
        self._later: list[datetime] = []
        self._cache: dict[int, list[datetime]] = {}
        self._halvings: list[datetime] | None = None

    def holds(self, condition: Condition | None) -> bool:
        """Whether the condition holds, none at all included; that it was asked is remembered for the next look."""
        if condition is None:
            return True
        self._bits |= condition.all
        if condition.reads_score:
            self._reads_score = True
        return condition.run(self.values) is True

    def note(self, condition: Condition) -> None:
        """Remember that an answer depends on the condition."""
        self._bits |= condition.all
        if condition.reads_score:
            self._reads_score = True

    def wait_for(self, at: datetime) -> None:
        """Remember an instant at which the answer may change; those that are past change nothing any more."""
        if self.facts.now < at < NEVER:
            self._later.append(at)

    def evidence_at(self, condition: Condition | None, others: Iterable[datetime]) -> datetime | None:
        """When the newest of what speaks for a rule came: a touch, news, the clock of its condition, or `others`; None for nothing."""
        facts = self.facts
        found = list(others)
        newest = newest_touch(facts)
        found += [at for at in (newest.at if newest is not None else None, facts.news_at) if at is not None]
        found += [touch.at for touch in facts.touches] if newest is not None and newest.at > facts.now else []
        if condition is not None:
            for number in _numbers(condition.all):
                found += self._moments(number)
            if condition.reads_score:
                found += self._all_halvings()
        for at in found:
            self.wait_for(at)
        return max((at for at in found if at <= facts.now), default=None)

    def look_at(self) -> datetime | None:
        """The earliest instant after now at which anything that was asked may change."""
        now = self.facts.now
        found = self._later
        for number in _numbers(self._bits):
            for at in self._moments(number):
                if at > now:
                    found.append(at)
        if self._reads_score:
            found += [at for at in self._all_halvings() if at > now]
        return min(found, default=None)

    def _moments(self, number: int) -> list[datetime]:
        found = self._cache.get(number)
        if found is None:
            self._cache[number] = found = step_moments(self.policy.clocked[number : number + 1], self.values, self.policy.zone)
        return found

    def _all_halvings(self) -> list[datetime]:
        if self._halvings is None:
            self._halvings = list(halving_moments(self.policy, self.facts))
        return self._halvings


def _numbers(bits: int) -> Iterable[int]:
    """The numbers of the bits that are set."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
