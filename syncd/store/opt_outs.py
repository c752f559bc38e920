"""Opt-outs of e-mail that travel back: who made them in the org, which of them wait for a person, and what the sources said of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, text, update

from syncd.errors import StoreError
from syncd.model import FIRST_LOOK, OptOutHold, RecordRef
from syncd.ports import OptOutTurn, Review
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks, unpack
from syncd.store.prepared import listed
from syncd.store.shared import mark_dirty, put_review
from syncd.store.waiting import PAYLOADS, by_stream

_IN_ORG = '%"HasOptedOutOfEmail":true%'
_IN_RECORD = '%"HasOptedOutOfEmail":{"value":true%'
_OPEN = (OptOutHold.NEW.value, OptOutHold.CALM.value)


class OptOutStore:
    """Opt-outs as the mirror saw them made."""

    db: Database

    def opt_out_turns(self, within: timedelta) -> list[OptOutTurn]:
        """Those that nobody has counted yet, with every other one since `within` before the first of them; none if there is nothing new.

        Of those that a fill has found, all that were let by uncounted: they have no hour.
        """
        o = t.org_record.c
        with self.db.read() as connection:
            first = connection.execute(select(func.min(o.opted_out_at)).where(text(t.UNJUDGED_SQL))).scalar()
            if first is None:
                return []
            # By the type of the column: a minimum is one too.
            columns = select(o.object, o.sf_id, o.opted_out_by, o.opted_out_at, o.opt_out_hold)
            recent = and_(o.opted_out_by != FIRST_LOOK, o.opted_out_at >= first - within)
            found = and_(o.opted_out_by == FIRST_LOOK, o.opt_out_hold.in_(_OPEN))
            statement = columns.where(and_(text(t.OPTED_OUT_SQL), or_(recent, found)))
            return [OptOutTurn(*row[:4], OptOutHold(row.opt_out_hold)) for row in connection.execute(statement)]

    def judge_opt_outs(
        self,
        calm: Sequence[tuple[str, str]],
        held: Sequence[tuple[str, str]],
        questions: Sequence[Review],
        own: Sequence[tuple[str, str]] = (),
    ) -> list[Review]:
        """Let some go and hold others, by (object, id), and ask about those; gives the questions that were not asked before.

        For what is our `own` nobody waited, so nobody is planned again.
        """
        with self.db.write() as connection:
            self._move(connection, own, (OptOutHold.NEW.value,), OptOutHold.CALM, is_news=False)
            self._move(connection, calm, (OptOutHold.NEW.value,), OptOutHold.CALM)
            self._move(connection, held, _OPEN, OptOutHold.HELD)
            # Somebody else may have counted the same, and had an answer already.
            return [one for one in questions if _held(connection, one.key) and put_review(self.db, connection, one)]

    @staticmethod
    def _move(
        connection: Connection,
        targets: Sequence[tuple[str, str]],
        states: Sequence[str],
        hold: OptOutHold,
        *,
        is_news: bool = True,
    ) -> None:
        """Move opt-outs that are in `states`; their people are planned again: they may have been between being seen and being counted."""
        o = t.org_record.c
        ids: dict[str, list[str]] = {}
        for name, sf_id in targets:
            ids.setdefault(name, []).append(sf_id)
        for name, theirs in ids.items():
            for part in chunks(theirs):
                # By one object each: of pairs SQLite would look through every record of the org.
                here = and_(o.object == name, among(connection, o.sf_id, part))
                moving = and_(here, o.opt_out_hold.in_(states))
                connection.execute(update(t.org_record).where(moving).values(opt_out_hold=hold.value))
                if is_news:
                    mark_dirty(connection, _people(connection, here))

    def answer_opt_outs(self, review_id: str, *, is_let: bool) -> int:
        """Let the copies go that a question is about, or never; gives how many opt-outs. Their people are planned again.

        The same answer once more changes nothing.

        Raises:
            StoreError: There is no such question, or it was answered otherwise.
        """
        r, o = t.review.c, t.org_record.c
        with self.db.write() as connection:
            number = int(review_id) if review_id.isdecimal() and len(review_id) < 18 else -1
            hold, state = (OptOutHold.LET, "accepted") if is_let else (OptOutHold.KEPT, "rejected")
            row = connection.execute(select(t.review).where(r.review_id == number)).first()
            if row is not None and row.state == state:
                return 0
            if row is None or row.state != "open":
                raise StoreError(f"Review {review_id} is not open.", advice='"syncd review list" shows the open ones.')
            here = and_(text(t.OPTED_OUT_SQL), o.opted_out_by == row.key, o.opt_out_hold == OptOutHold.HELD.value)
            mark_dirty(connection, _people(connection, here))
            done = connection.execute(update(t.org_record).where(here).values(opt_out_hold=hold.value))
            connection.execute(update(t.review).where(r.review_id == number).values(state=state, decision=hold.value))
            return int(done.rowcount)

    def held_opt_outs(self, user_id: str) -> int:
        """How many of a user's opt-outs wait for a person."""
        with self.db.read() as connection:
            return _held(connection, user_id)

    def mark_opted_out(self, after: str, limit: int) -> str:
        """Let the opted out among the next `limit` people be planned again; gives where to go on, "" at the end."""
        p, r, o = t.person.c, t.record.c, t.org_record.c
        numbers = select(p.number).where(p.number > int(after or 0)).order_by(p.number).limit(limit).subquery()
        with self.db.write() as connection:
            last = connection.execute(select(func.max(numbers.c.number))).scalar()
            if last is None:
                return ""
            in_org = exists().where(and_(o.person_number == p.number, o.fields.like(_IN_ORG)))
            in_record = exists().where(and_(r.person_number == p.number, r.lead.like(_IN_RECORD)))
            here = and_(p.number > int(after or 0), p.number <= last, p.is_dirty.is_(False), or_(in_org, in_record))
            alive = p.state.in_(("active", "review"))
            connection.execute(update(t.person).where(and_(here, alive)).values(**t.TO_PLAN))
        return str(last)

    def payloads(self, refs: Sequence[RecordRef]) -> dict[RecordRef, bytes]:
        """The latest versions of some records as they came."""
        with self.db.read() as connection:
            return {
                RecordRef(source, stream, key): unpack(payload, is_compressed)
                for (source, stream), keys in by_stream(set(refs)).items()
                for key, payload, is_compressed in PAYLOADS.rows(connection, source=source, stream=stream, keys=listed(keys))
            }


def _held(connection: Connection, user_id: str) -> int:
    o = t.org_record.c
    here = and_(text(t.OPTED_OUT_SQL), o.opted_out_by == user_id, o.opt_out_hold == OptOutHold.HELD.value)
    return int(connection.execute(select(func.count()).select_from(t.org_record).where(here)).scalar() or 0)


def _people(connection: Connection, here: Any) -> set[str]:
    """Whose records of the org these are."""
    numbers = select(t.org_record.c.person_number).where(and_(here, t.org_record.c.person_number.is_not(None)))
    found = [row.person_number for row in connection.execute(numbers)]
    owners = select(t.person.c.person_id).where(among(connection, t.person.c.number, found))
    return set(connection.execute(owners).scalars())
