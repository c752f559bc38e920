"""What waits for a person: dead letters and reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, insert, or_, select, text, update

from syncd.errors import StoreError
from syncd.model import NOT_FETCHED, NOT_THERE, Candidate, Lane, Wanted
from syncd.ports import DeadLetter, Review
from syncd.store import tables as t
from syncd.store.decisions import move_due
from syncd.store.engine import Database, chunks, pack
from syncd.store.shared import close_open, mark_dirty, put_dead_letter, put_review, survivors
from syncd.store.wanted import put_wanted

_CANDIDATES = msgspec.json.Decoder(tuple[Candidate, ...])


class DeskStore:
    """Dead letters and reviews."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Any) -> None:
        raise NotImplementedError

    def _run_at_work(self, connection: Connection, source: str) -> str:
        raise NotImplementedError

    # ------------------------------------------------------------------ dead letters

    def dead_letters(self, state: str = "open", limit: int = 1000, source: str | None = None) -> list[DeadLetter]:
        """Dead letters in `state`, oldest first; payloads are left out of lists."""
        d = t.dead_letter.c
        statement = select(t.dead_letter).where(d.state == state).order_by(d.dead_letter_id).limit(limit)
        if source is not None:
            statement = statement.where(d.source == source)
        with self.db.read() as connection:
            return [_letter(row, with_payload=False) for row in connection.execute(statement)]

    def put_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Set things aside; what is open already is not set aside twice."""
        with self.db.write() as connection:
            for letter in letters:
                put_dead_letter(connection, letter)

    def close_page_letters(self, source: str) -> None:
        """A lost source was read again: its unreadable pages came once more, as what they should have been."""
        d = t.dead_letter.c
        here = and_(text("dead_letter.state = 'open'"), d.source == source, d.kind == "page")
        with self.db.write() as connection:
            connection.execute(update(t.dead_letter).where(here).values(state="replayed"))

    def dead_letter(self, dead_letter_id: str) -> DeadLetter | None:
        """One dead letter with its payload."""
        number = _number(dead_letter_id)
        with self.db.read() as connection:
            row = connection.execute(select(t.dead_letter).where(t.dead_letter.c.dead_letter_id == number)).first()
            return None if row is None else _letter(row, with_payload=True)

    def replay_dead_letters(self, dead_letter_ids: Sequence[str], at: datetime) -> int:
        """Records go back to the inbox, operations' people are planned again; gives how many were open.

        A reject of the extract stage is replayed if it holds a whole record all the same (a form that filled the trap for robots). One that was
        announced is asked for again. Others have none to replay, and come again with their file if they are still wrong.
        """
        count = 0
        with self.db.write() as connection:
            for row in self._open(connection, dead_letter_ids):
                if row.kind == "operation":
                    self._answer_operation(connection, row)
                elif row.stage == "extract" and row.reason in (NOT_THERE, NOT_FETCHED):
                    wanted = Wanted(row.key, bytes(row.payload), locator=row.locator)
                    put_wanted(self.db, connection, row.source, row.stream, [wanted], at)
                elif row.stage == "extract" and not _is_record(bytes(row.payload)):
                    continue
                else:
                    self._requeue(connection, row, at)
                count += 1
                self._close(connection, row.dead_letter_id, "replayed")
        return count

    def drop_dead_letters(self, dead_letter_ids: Sequence[str], at: datetime) -> int:
        """Close dead letters for good; gives how many were open."""
        del at
        with self.db.write() as connection:
            rows = self._open(connection, dead_letter_ids)
            for row in rows:
                self._close(connection, row.dead_letter_id, "dropped")
            return len(rows)

    @staticmethod
    def _open(connection: Connection, dead_letter_ids: Sequence[str]) -> list[Any]:
        numbers = [_number(one) for one in dead_letter_ids]
        d = t.dead_letter.c
        return [
            row
            for part in chunks(numbers)
            for row in connection.execute(select(t.dead_letter).where(and_(d.dead_letter_id.in_(part), d.state == "open")))
        ]

    @staticmethod
    def _close(connection: Connection, number: int, state: str) -> None:
        connection.execute(update(t.dead_letter).where(t.dead_letter.c.dead_letter_id == number).values(state=state))

    @staticmethod
    def _answer_operation(connection: Connection, row: Any) -> None:
        o = t.operation.c
        connection.execute(update(t.operation).where(o.operation_id == row.operation_id).values(is_answered=True))
        mark_dirty(connection, {row.person_id})

    def _requeue(self, connection: Connection, row: Any, at: datetime) -> None:
        # What began before knows nothing of it, and may be the one that ends it (G2).
        run_id = self._run_at_work(connection, row.source)
        if run_id:
            self._count(connection, run_id, row.source, {"pulled": 1})
        payload, is_compressed = pack(bytes(row.payload))
        # The instant of the version it came as: a replay must not overtake what came since (DESIGN 5.2).
        i = t.inbox.c
        came = connection.execute(
            select(i.source_at, i.position)
            .where(and_(i.source == row.source, i.stream == row.stream, i.key == row.key, i.digest == row.digest))
            .order_by(i.sequence.desc())
        ).first()
        connection.execute(
            insert(t.inbox).values(
                source=row.source,
                stream=row.stream,
                key=row.key,
                digest=row.digest,
                payload=payload,
                is_compressed=is_compressed,
                source_at=came.source_at if came else row.at,
                received_at=at,
                position=came.position if came else 0,
                locator=row.locator,
                lane=int(Lane.INCREMENT),
                state="waiting",
                reason="",
                run_id=run_id,
                is_replay=True,
            )
        )

    # ------------------------------------------------------------------ reviews

    def reviews(self, state: str = "open", limit: int = 1000) -> list[Review]:
        """Questions in `state`, oldest first."""
        r = t.review.c
        with self.db.read() as connection:
            return [
                _review(row)
                for row in connection.execute(select(t.review).where(r.state == state).order_by(r.review_id).limit(limit))
            ]

    def review(self, review_id: str) -> Review | None:
        """One question."""
        with self.db.read() as connection:
            row = connection.execute(select(t.review).where(t.review.c.review_id == _number(review_id))).first()
            return None if row is None else _review(row)

    def accept_review(self, review_id: str, candidate: Candidate | None, at: datetime) -> None:
        """Answer a question: the person is `candidate`, or (None) somebody new. Planned in the next pass."""
        with self.db.write() as connection:
            row = connection.execute(select(t.review).where(t.review.c.review_id == _number(review_id))).first()
            if row is None or row.state != "open":
                raise StoreError(f"Review {review_id} is not open.", advice='"syncd review list" shows the open ones.')
            if candidate is None:
                self._keep_apart(connection, row, at)
                decision = "new"
            else:
                self._join(connection, row.person_id, candidate, at)
                decision = candidate.subject_id
            self._decide(connection, row.review_id, "accepted", decision)

    def reject_review(self, review_id: str, at: datetime) -> None:
        """Close a question without an answer: the person stays stored and is not pushed."""
        del at
        with self.db.write() as connection:
            self._decide(connection, _number(review_id), "rejected", "")

    def close_reviews(self, person_id: str, kind: str, decision: str) -> None:
        """Close the open question of a kind about a person: it was answered in another way."""
        with self.db.write() as connection:
            close_open(connection, [person_id], kind, state="accepted", decision=decision)

    @staticmethod
    def _decide(connection: Connection, number: int, state: str, decision: str) -> None:
        connection.execute(update(t.review).where(t.review.c.review_id == number).values(state=state, decision=decision))

    def _keep_apart(self, connection: Connection, row: Any, at: datetime) -> None:
        others = [one.person_id or f"{one.kind}:{one.subject_id}" for one in _CANDIDATES.decode(row.candidates)]
        rows = [{"left_id": row.person_id, "right_id": other, "kind": "never", "at": at} for other in dict.fromkeys(others)]
        self.db.upsert(connection, t.constraint, rows, ("left_id", "right_id"))
        connection.execute(
            update(t.person)
            .where(and_(t.person.c.person_id == row.person_id, t.person.c.state == "review"))
            .values(state="active")
        )
        if row.kind == "on_deleted":
            # A person wants the lead again: what was deleted is no longer where this person stands in the org.
            o = t.org_record.c
            theirs = and_(o.person_number == t.number_of(row.person_id), o.is_deleted)
            connection.execute(update(t.org_record).where(theirs).values(person_number=None))
        mark_dirty(connection, {row.person_id})

    def _join(self, connection: Connection, person_id: str, candidate: Candidate, at: datetime) -> None:
        owner = candidate.person_id
        if not owner and candidate.kind != "person":
            o = t.org_record.c
            here = and_(o.object == candidate.kind, o.sf_id == candidate.subject_id)
            of_owner = select(t.person.c.person_id).join(t.org_record, o.person_number == t.person.c.number).where(here)
            owner = str(connection.execute(of_owner).scalar() or "")
            if not owner:
                connection.execute(update(t.org_record).where(here).values(person_number=t.number_of(person_id)))
                connection.execute(update(t.person).where(t.person.c.person_id == person_id).values(state="active"))
                mark_dirty(connection, {person_id})
                return
        owner = survivors(connection, {owner}).get(owner, owner)
        if owner and owner != person_id:
            self._merge_people(connection, person_id, owner, at)

    def _merge_people(self, connection: Connection, loser: str, survivor: str, at: datetime) -> None:
        """Everything of `loser` becomes the survivor's; its id redirects for ever, also for the keys that are found under it."""
        for table in (t.record, t.org_record, t.touch, t.decision):
            its = table.c.person_number == t.number_of(loser)
            connection.execute(update(table).where(its).values(person_number=t.number_of(survivor)))
        move_due(connection, loser, survivor)
        # A task belongs to its record, an action to the person, what a conversion still owes to its opportunity: with the survivor they
        # would come a second time, or never. And the survivor must know that a lead was deleted by us.
        o = t.operation.c
        is_kept = or_(o.kind.in_(("task", "action", "convert", "expire")), o.object == "Opportunity")
        its_own = and_(o.person_number == t.number_of(loser), is_kept)
        connection.execute(update(t.operation).where(its_own).values(person_number=t.number_of(survivor)))
        self._second_records_step_back(connection, survivor, at)
        connection.execute(
            update(t.person).where(t.person.c.person_id == loser).values(state="merged", redirect=survivor, is_dirty=False)
        )
        connection.execute(
            update(t.review)
            .where(and_(t.review.c.person_id == loser, text("review.state = 'open'")))
            .values(state="accepted", decision=survivor)
        )
        rows = [{"left_id": loser, "right_id": survivor, "kind": "same", "at": at}]
        self.db.upsert(connection, t.constraint, rows, ("left_id", "right_id"))
        mark_dirty(connection, {survivor})

    def _second_records_step_back(self, connection: Connection, survivor: str, at: datetime) -> None:
        """Of several living Leads the first by id is written from now on, the others are linked and left alone (G3)."""
        o = t.org_record.c
        statement = (
            select(o.sf_id)
            .where(and_(o.person_number == t.number_of(survivor), o.object == "Lead", o.is_deleted.is_(False)))
            .order_by(o.sf_id)
        )
        others = [row.sf_id for row in connection.execute(statement)][1:]
        if others:
            connection.execute(
                update(t.org_record).where(and_(o.object == "Lead", o.sf_id.in_(others))).values(is_survivor=False)
            )
            candidates = tuple(Candidate("Lead", sf_id, survivor) for sf_id in others)
            reason = (
                "One person has several leads in Salesforce: the first is written, the others are left alone. Merge them there."
            )
            put_review(self.db, connection, Review("merge", survivor, candidates, reason, at=at))


def _is_record(payload: bytes) -> bool:
    """Whether bytes are what a record's payload is: a JSON object."""
    try:
        return isinstance(msgspec.json.decode(payload), dict)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _number(name: str) -> int:
    return int(name) if name.isdecimal() and len(name) < 18 else -1


def _letter(row: Any, *, with_payload: bool) -> DeadLetter:
    return DeadLetter(
        kind=row.kind,
        stage=row.stage,
        reason=row.reason,
        message=row.message,
        source=row.source,
        stream=row.stream,
        key=row.key,
        locator=row.locator,
        payload=bytes(row.payload) if with_payload else b"",
        person_id=row.person_id,
        operation_id=row.operation_id,
        run_id=row.run_id,
        at=row.at,
        state=row.state,
        dead_letter_id=str(row.dead_letter_id),
    )


def _review(row: Any) -> Review:
    return Review(
        kind=row.kind,
        person_id=row.person_id,
        candidates=_CANDIDATES.decode(row.candidates),
        reason=row.reason,
        source=row.source,
        stream=row.stream,
        key=row.key,
        run_id=row.run_id,
        at=row.at,
        state=row.state,
        review_id=str(row.review_id),
        decision=row.decision,
    )
