"""One person under one policy, day by day: what it would have done since, its own deeds carried along. Pure."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from syncd.app.past import Known, Past
from syncd.app.tally import Counting
from syncd.expressions.moments import begin
from syncd.model import Value
from syncd.policy import Policy
from syncd.policy.compiled import ready
from syncd.policy.evaluate import evaluate_ready
from syncd.policy.model import ArchiveMeans, Facts, Section, StatusChange, Verdict

_TICK = timedelta(microseconds=1)
_MOST_AT_ONCE = 4
"""Verdicts on one day: a move, what comes on entering the status, and a conversion with what comes after."""


class Days:
    """The days of a replay in the policy's time zone; each is judged at its end, the last one at `now`."""

    def __init__(self, first: date, now: datetime, zone: str) -> None:
        """From `first` to the day of `now`."""
        where = ZoneInfo(zone)
        last = now.astimezone(where).date()
        count = (last - first).days + 1
        self.names = [(first + timedelta(days=n)).isoformat() for n in range(count)]
        self.begins = [begin(first, n, where) for n in range(count)]
        self.ends = [*(at - _TICK for at in self.begins[1:]), now]
        self.start = self.begins[0]

    def of(self, at: datetime) -> int:
        """The number of the day of an instant; -1 for one before the first, at most one after the last."""
        if at > self.ends[-1]:
            return len(self.names)
        return bisect_right(self.begins, at) - 1


class _Deeds:
    """What the replayed policy has done to one person so far."""

    def __init__(self) -> None:
        self.statuses: tuple[StatusChange, ...] = ()
        self.moved_at: datetime | None = None
        self.fields: dict[str, Value] = {}
        self.fired: dict[str, datetime] = {}
        self.waiting: dict[str, datetime] = {}
        self.is_converted = False
        self.opened = 0
        self.archived: dict[str, datetime] | None = None

    def on(self, known: Known) -> Facts:
        """The facts as they would be. A status that a person set since goes before ours."""
        facts, standing = known.facts, known.facts.standing
        if self.archived is not None:
            facts = msgspec.structs.replace(facts, archived=self.archived)
        if self.moved_at is not None and known.set_at > self.moved_at:
            self.moved_at, self.statuses = None, ()
        if self.fired or self.waiting or self.opened:
            facts = msgspec.structs.replace(
                facts,
                fired=facts.fired | self.fired,
                waiting=self.waiting,
                open_opportunities=facts.open_opportunities + self.opened,
            )
        if standing is None or not (self.moved_at is not None or self.fields or self.is_converted):
            return facts
        is_ours = standing.object == "Lead" and not standing.is_converted
        told = dict(self.fields)
        statuses = standing.statuses
        if self.moved_at is not None and is_ours:
            told["Status"], statuses = self.statuses[-1].status, self.statuses
        changed = msgspec.structs.replace(standing, fields=standing.fields | told, statuses=statuses)
        if self.is_converted and is_ours:
            fields = {name: value for name, value in changed.fields.items() if name != "Status"}
            changed = msgspec.structs.replace(changed, object="Contact", fields=fields, statuses=())
        names = {f"{group}.{name}" for group in ("lead", "org") for name in told}
        names |= {"status", "status_at", "days_in_status"} if "Status" in told or self.is_converted else set()
        return msgspec.structs.replace(facts, standing=changed, unknown=facts.unknown - names)

    def carry_out(self, facts: Facts, verdict: Verdict) -> None:
        """Remember what the verdict does. Owners stay as they are, and tasks are taken as done at once."""
        if verdict.to_status:
            before = facts.standing.statuses if facts.standing is not None else ()
            self.statuses = (*before, StatusChange(verdict.to_status, facts.now))
            self.moved_at = facts.now
        means: ArchiveMeans | None = verdict.means
        if verdict.rule_id and not verdict.converts:
            is_away = means is not None and not verdict.is_unarchived
            self.archived = {verdict.rule_id: facts.now} if is_away else {}
        if means is not None and means.flag:
            self.fields[means.flag] = not verdict.is_unarchived
        for one in verdict.asked:
            if one.outcome == "fired" and one.section is not Section.ILLEGAL:
                self.fired[one.rule_id] = facts.now
        self.waiting = {rule_id: end for rule_id, end in self.waiting.items() if rule_id not in verdict.stops} | verdict.starts
        self.is_converted = self.is_converted or bool(verdict.converts)
        self.opened += bool(verdict.opens)


def replay(policy: Policy, past: Past, days: Days, counting: Counting) -> None:
    """Judge one person on each day on which something happened or the policy wanted to look again."""
    tally, deeds, made = counting.tally, _Deeds(), ready(policy)
    tally.people += 1
    is_untold = was_moved = False
    agenda = sorted({days.of(at) for at in past.moments()}, reverse=True)
    day = max(days.of(past.first_at), 0)
    while day < len(days.names):
        look_at: datetime | None = None
        for _ in range(_MOST_AT_ONCE):
            known = past.at(days.ends[day], days.names[day])
            if known is None:
                is_untold = True
                break
            facts = deeds.on(known)
            verdict = evaluate_ready(made, facts, is_brief=True)
            has_moved = counting.note(facts, verdict)
            deeds.carry_out(facts, verdict)
            was_moved = was_moved or has_moved
            look_at = verdict.look_at
            if verdict.deletes:
                # The lead is gone; what would bring the person back is another lead's story.
                agenda, look_at = [], None
                break
            if not has_moved:
                break
        while agenda and agenda[-1] <= day:
            agenda.pop()
        soon = agenda[-1] if agenda else len(days.names)
        day = min(soon, max(days.of(look_at), day + 1)) if look_at is not None else soon
    counting.note_real_moves(past.real_moves())
    tally.untold += is_untold
    tally.moved_people += was_moved
