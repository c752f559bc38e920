"""What a policy decided, and when it must look again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, text, tuple_, update

from syncd.as_stored import dumps
from syncd.model import TOLD_WON
from syncd.ports import DecisionRow, PersonPlan, PolicyDay, StatusRow
from syncd.store import tables as t
from syncd.store.bulk import ALL, Rows, among, insert_rows, micros
from syncd.store.engine import Database
from syncd.store.shared import survivors

LOOK_AGAIN = ""
_NOTED_SINCE = "statuses_noted_since"
_PAGE = 1_000
_DUE_PER_UNIT = 300
"""People per write unit: they fit into 20 ms (DESIGN 4)."""


def decision_rows(plans: Sequence[PersonPlan], run_id: str, at: datetime) -> Rows:
    """Decisions as stored; made before the transaction that adds them."""
    return [
        (
            plan.person_id,
            micros(one.at or at),
            run_id,
            one.policy,
            one.rule_id,
            one.section,
            one.outcome,
            one.from_status,
            one.to_status,
            dumps(one.document),
        )
        for plan in plans
        for one in plan.decisions
    ]


def due_rows(plans: Sequence[PersonPlan]) -> Rows:
    """Dates as stored."""
    return [(plan.person_id, rule, micros(at)) for plan in plans if plan.due for rule, at in plan.due.items()]


def put_decisions(connection: Connection, rows: Rows) -> None:
    """Add to the log."""
    insert_rows(connection, t.decision, rows)


def replace_due(connection: Connection, plans: Sequence[PersonPlan]) -> None:
    """The dates of plans that name some, or none, stand for all dates of these people."""
    people = [plan.person_id for plan in plans if plan.due is not None]
    if people:
        connection.execute(delete(t.due).where(among(connection, t.due.c.person_id, people)))
        insert_rows(connection, t.due, due_rows(plans), keys=("person_id", "rule"), replacing=ALL)


def move_due(connection: Connection, loser: str, survivor: str) -> None:
    """Two people are one: of each date the later counts, so that nothing that waits is done too early, but it looks at the earlier."""
    d = t.due.c
    here = d.person_id.in_((loser, survivor))
    dates: dict[str, datetime] = {}
    for rule, at in connection.execute(select(d.rule, d.due_at).where(here)):
        earlier, later = sorted((dates.get(rule, at), at))
        dates[rule] = earlier if rule == LOOK_AGAIN else later
    if dates:
        connection.execute(delete(t.due).where(here))
        rows: Rows = [(survivor, rule, micros(at)) for rule, at in dates.items()]
        insert_rows(connection, t.due, rows, keys=("person_id", "rule"), replacing=ALL)


class DecisionStore:
    """The log of decisions, dates, and marking people for a policy's sake."""

    db: Database

    def note_statuses(self, is_wanted: bool) -> None:
        """From now on remember changes of a lead's status, or no longer: for this handle on the store, until it is closed.

        Since when it was so without a break is kept for reports.
        """
        self.db.notes_statuses = is_wanted
        m = t.meta.c
        with self.db.read() as connection:
            known = connection.execute(select(m.value).where(m.name == _NOTED_SINCE)).scalar() or ""
        if bool(known) != is_wanted:
            said = self.db.clock.now().isoformat() if is_wanted else ""
            with self.db.write() as connection:
                self.db.upsert(connection, t.meta, [{"name": _NOTED_SINCE, "value": said}], ("name",))

    def statuses_noted_since(self) -> datetime | None:
        """From when on every change of status that was seen is remembered; None while they are not."""
        with self.db.read() as connection:
            known = connection.execute(select(t.meta.c.value).where(t.meta.c.name == _NOTED_SINCE)).scalar()
        return datetime.fromisoformat(known) if known else None

    # ------------------------------------------------------------------ dates

    def mark_due(self, now: datetime, limit: int) -> int:
        """Up to `limit` people whose date has come are planned again, those first who wait longest; gives how many.

        Their date is gone: the next plan sets another one. Ends of hold periods stay; a policy looks again when one is over.
        """
        d = t.due.c
        count = 0
        while count < limit:
            wanted = min(_DUE_PER_UNIT, limit - count)
            statement = select(d.person_id).where(and_(text(t.LOOK_AGAIN_SQL), d.due_at <= now)).order_by(d.due_at).limit(wanted)
            with self.db.write() as connection:
                people = list(connection.execute(statement).scalars())
                if people:
                    here = among(connection, t.person.c.person_id, people)
                    connection.execute(update(t.person).where(here).values(**t.TO_PLAN))
                    connection.execute(delete(t.due).where(and_(among(connection, d.person_id, people), text(t.LOOK_AGAIN_SQL))))
            count += len(people)
            if len(people) < wanted:
                break
        return count

    def next_due(self) -> datetime | None:
        """When the next date comes; None if there is none."""
        d = t.due.c
        statement = select(d.due_at).where(text(t.LOOK_AGAIN_SQL)).order_by(d.due_at).limit(1)
        with self.db.read() as connection:
            found: datetime | None = connection.execute(statement).scalar()
            return found

    def holds_wins(self, now: datetime) -> bool:
        """Whether anything that a platform was told of as won can still be taken back."""
        d = t.due.c
        statement = select(d.person_id).where(and_(text(t.OF_RULES_SQL), d.rule == TOLD_WON, d.due_at > now)).limit(1)
        with self.db.read() as connection:
            return connection.execute(statement).first() is not None

    def mark_everybody(self, after: str, limit: int) -> str:
        """Let the next `limit` people be planned again, because the policy is another one: from the beginning with "".

        Gives where to go on, "" at the end.
        """
        p = t.person.c
        numbers = select(p.number).where(p.number > int(after or 0)).order_by(p.number).limit(limit).subquery()
        with self.db.write() as connection:
            last = connection.execute(select(func.max(numbers.c.number))).scalar()
            if last is None:
                return ""
            here = and_(p.number > int(after or 0), p.number <= last, p.state.in_(("active", "review")), p.is_dirty.is_(False))
            connection.execute(update(t.person).where(here).values(**t.TO_PLAN))
        return str(last)

    # ------------------------------------------------------------------ the log

    def decisions_of(self, person_id: str) -> list[DecisionRow]:
        """What was decided about a person, oldest first; of somebody who was merged, what was decided about the survivor."""
        with self.db.read() as connection:
            person_id = survivors(connection, {person_id}).get(person_id, person_id)
            statement = t.of_people(t.decision).where(t.person.c.person_id == person_id).order_by(t.decision.c.number)
            return [_decision(row) for row in connection.execute(statement)]

    def decisions(
        self, since: datetime | None = None, until: datetime | None = None, rule_id: str | None = None
    ) -> Iterator[DecisionRow]:
        """Everything that was decided from `since` to before `until`, of one rule or of all, oldest first, in pages."""
        d = t.decision.c
        of_rule = [] if rule_id is None else [d.rule_id == rule_id]
        for row in self._log(t.with_person(t.decision), d.at, d.number, since, until, of_rule):
            yield _decision(row)

    def status_changes(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[StatusRow]:
        """Every status of a lead that was first seen in that time, in the order in which syncd learned of them."""
        s = t.status_change.c
        after = 0
        while True:
            # By number alone: there is no index on the time, which every lead of a first fill would pay for.
            page = select(t.status_change).where(s.number > after).order_by(s.number).limit(_PAGE)
            with self.db.read() as connection:
                rows = connection.execute(page).all()
            for row in rows:
                if (since is None or row.at >= since) and (until is None or row.at < until):
                    yield StatusRow(row.sf_id, row.at, row.status, row.modified_by)
            if len(rows) < _PAGE:
                return
            after = rows[-1].number

    def policy_days(self, since: datetime, until: datetime) -> list[PolicyDay]:
        """Sums of what is kept no longer, of days that begin from `since` to before `until`; to be added to what is still there."""
        d = t.policy_day.c
        statement = select(t.policy_day).where(and_(d.day >= since, d.day < until))
        with self.db.read() as connection:
            rows = connection.execute(statement.order_by(d.day, d.kind, d.status, d.rule_id, d.outcome))
            return [PolicyDay(*row) for row in rows]

    def forget_decisions(self, person_id: str) -> None:
        """Of somebody who is erased neither decisions nor dates stay."""
        with self.db.write() as connection:
            connection.execute(delete(t.decision).where(t.decision.c.person_number == t.number_of(person_id)))
            connection.execute(delete(t.due).where(t.due.c.person_id == person_id))

    def _log(
        self,
        statement: Any,
        at: ColumnElement[Any],
        number: ColumnElement[Any],
        since: datetime | None,
        until: datetime | None,
        more: Sequence[ColumnElement[bool]],
    ) -> Iterator[Any]:
        """Rows by time and number, a page in each short transaction."""
        where = [*more, *([] if since is None else [at >= since]), *([] if until is None else [at < until])]
        last: Any = None
        while True:
            further = [] if last is None else [tuple_(at, number) > tuple_(micros(last.at), last.number)]
            page = statement.where(and_(True, *where, *further)).order_by(at, number).limit(_PAGE)
            with self.db.read() as connection:
                rows = connection.execute(page).all()
            yield from rows
            if len(rows) < _PAGE:
                return
            last = rows[-1]


def _decision(row: Any) -> DecisionRow:
    return DecisionRow(
        rule_id=row.rule_id,
        section=row.section,
        outcome=row.outcome,
        policy=row.policy,
        from_status=row.from_status,
        to_status=row.to_status,
        document=msgspec.json.decode(row.document),
        person_id=row.person_id,
        at=row.at,
        run_id=row.run_id,
        number=row.number,
    )
