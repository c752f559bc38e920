"""Finding everything that is kept of one person, before it is erased. Reads only; an erasure is rare, so tables may be read whole.

Payloads are walked in slices, so that no read transaction is long. A payload is somebody's if it names one of their mailboxes and no
other one: what names several is left for a person to look at, for it may be about somebody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, text

from syncd.identity import lead_keys
from syncd.model import ERASURE_ASKED, WITHDRAWN, Candidate, PersonState, RecordRef
from syncd.ports import Belongings, Traces
from syncd.store import tables as t
from syncd.store.belongings import MAILBOX_KIND, belongings_of, belongings_of_mailbox, mailboxes_in
from syncd.store.bulk import among
from syncd.store.engine import Database, unpack
from syncd.store.shared import LEAD, ref_of
from syncd.store.tombstones import PEOPLE

_SLICE = 2_000
CANDIDATES = msgspec.json.Decoder(tuple[Candidate, ...])
"""Candidates as the review table holds them."""


def traces_of(db: Database, person_id: str) -> Traces:
    """Everything that is kept of a person.

    Raises:
        StoreError: There is no such person.
    """
    with db.read() as connection:
        found = belongings_of(connection, person_id)
        state = PersonState(str(connection.execute(select(t.person.c.state).where(t.person.c.person_id == person_id)).scalar()))
        if state is PersonState.ERASED:
            return Traces(found, state)
    return _traces(db, found, state)


def traces_of_mailbox(db: Database, mailbox: str) -> Traces:
    """Everything that is kept of whoever has a mailbox that nobody in the store answers to."""
    with db.read() as connection:
        found = belongings_of_mailbox(connection, mailbox)
    return _traces(db, found, PersonState.ACTIVE)


def mailbox_of(db: Database, is_it: Callable[[str], bool]) -> str:
    """The mailbox that something kept names, or a record of the org that is nobody's; "" if there is none."""
    b, o = t.block_key.c, t.org_record.c
    with db.read() as connection:
        in_org = select(b.value).where(and_(b.kind == MAILBOX_KIND, b.subject_kind.in_(PEOPLE)))
        gone = select(o.fields).where(and_(o.is_deleted, o.person_number.is_(None), o.fields != "{}"))
        found = {str(one) for one in connection.execute(in_org).scalars()}
        found |= {key for fields in connection.execute(gone).scalars() for key in mailboxes_in(fields.encode())}
    packed = ((row.payload, row.is_compressed) for rows in (_walk(db, t.inbox, "sequence"), _of_nobody(db)) for row in rows)
    plain = ((row.payload, False) for row in _walk(db, t.dead_letter, "dead_letter_id"))
    named = (one for payload, is_packed in chain(packed, plain) for one in mailboxes_in(unpack(bytes(payload), is_packed)))
    return next((one for one in chain(found, named) if is_it(one)), "")


def _traces(db: Database, found: Belongings, state: PersonState) -> Traces:
    with db.read() as connection:
        counts = _counts(connection, found)
        rivals = _rivals(connection, found)
        is_owed = _is_owed(connection, found)
        asked = _asked(connection, found)
        theirs = _their_letters(connection, found) - asked
    whose = _Whose(found)
    waiting: dict[str, list[int]] = {}
    ended: list[int] = []
    for row in _walk(db, t.inbox, "sequence"):
        is_theirs = whose.is_of(row.source, row.stream, row.key)
        if row.state == "waiting":
            # What waits and only names the mailbox is for the next pass to judge: it maps it, and empties it if it is theirs.
            waiting.setdefault(row.source, []).extend([row.sequence] if is_theirs else [])
            is_owed = is_owed or is_theirs or whose.is_named_in(row.payload, row.is_compressed)
        elif is_theirs or whose.owns(row.payload, row.is_compressed):
            ended.append(row.sequence)
    pages = []
    for row in _walk(db, t.dead_letter, "dead_letter_id"):
        if row.dead_letter_id in asked or row.dead_letter_id in theirs:
            continue
        if row.kind == "page":
            pages.extend([row.dead_letter_id] if whose.is_named_in(row.payload, is_compressed=False) else [])
        elif whose.owns(row.payload, is_compressed=False):
            theirs.add(row.dead_letter_id)
    records = [ref_of(row) for row in _of_nobody(db) if whose.owns(row.payload, row.is_compressed)]
    waits = {source: tuple(numbers) for source, numbers in waiting.items() if numbers}
    counts |= {
        "records": counts["records"] + len(records),
        "inbox": len(ended) + sum(map(len, waits.values())),
        "dead_letters": len(theirs) + len(asked),
        "pages": len(pages),
    }
    letters = tuple(sorted(theirs)), tuple(pages), tuple(sorted(asked))
    return Traces(found, state, waits, tuple(ended), tuple(records), *letters, rivals, whose.unsure, counts, is_owed)


class _Whose:
    """Tells whose a payload is, and counts those of which it cannot tell."""

    def __init__(self, found: Belongings) -> None:
        self._refs = frozenset(found.refs)
        self._mailboxes = frozenset(found.mailboxes)
        self.unsure = 0

    def is_of(self, source: str, stream: str, key: str) -> bool:
        """Whether it is a version of one of their records."""
        return RecordRef(source, stream, key) in self._refs

    def owns(self, payload: bytes, is_compressed: bool) -> bool:
        """Whether it names one of their mailboxes and nobody else's."""
        named = self._named(payload, is_compressed)
        if not named & self._mailboxes:
            return False
        if named <= self._mailboxes:
            return True
        self.unsure += 1
        return False

    def is_named_in(self, payload: bytes, is_compressed: bool) -> bool:
        """Whether it names one of their mailboxes, whoever else's it names."""
        return bool(self._named(payload, is_compressed) & self._mailboxes)

    def _named(self, payload: bytes, is_compressed: bool) -> set[str]:
        raw = unpack(bytes(payload), is_compressed) if self._mailboxes else b""
        return mailboxes_in(raw)


def _rivals(connection: Connection, found: Belongings) -> tuple[str, ...]:
    """Others with one of the mailboxes of whom nobody has said yet who they are: people, and records of the org (`Object:sf_id`)."""
    p, r = t.person.c, t.record.c
    columns = select(p.person_id, r.source, r.stream, r.key, r.lead).join(t.person, p.number == r.person_number)
    rows = connection.execute(columns.where(and_(p.state == "review", ~among(connection, p.person_id, found.person_ids))))
    wanted = {(MAILBOX_KIND, one) for one in found.mailboxes}
    people = {row.person_id for row in rows if wanted & set(lead_keys(ref_of(row), LEAD.decode(row.lead)).claims)}
    return (*sorted(people), *sorted(_asked_about(connection, found)))


def _asked_about(connection: Connection, found: Belongings) -> set[str]:
    """Living records of the org that may be the person or somebody else: an open question says so."""
    w, living = t.review.c, set(found.living)
    asked = select(w.candidates).where(and_(text("review.state = 'open'"), among(connection, w.person_id, found.person_ids)))
    named = {one for document in connection.execute(asked).scalars() for one in CANDIDATES.decode(document)}
    return {f"{one.kind}:{one.subject_id}" for one in named if not one.person_id and (one.kind, one.subject_id) in living}


def _is_owed(connection: Connection, found: Belongings) -> bool:
    """Whether an opt-out of theirs may not be in the org yet: what was withdrawn is still to be planned, or to be sent."""
    p, r, o = t.person.c, t.record.c, t.operation.c
    is_to_plan = select(r.key).join(t.person, p.number == r.person_number)
    is_to_plan = is_to_plan.where(and_(among(connection, p.number, found.numbers), p.is_dirty, r.withdrawn_at.is_not(None)))
    is_open = and_(among(connection, o.person_number, found.numbers), o.kind == "consent", text(t.OPEN_STATES_SQL))
    return any(connection.execute(one.limit(1)).first() for one in (is_to_plan, select(o.operation_id).where(is_open)))


def _asked(connection: Connection, found: Belongings) -> set[int]:
    """Dead letters by which a source asks for this erasure, whatever stream they came by."""
    d = t.dead_letter.c
    keys = {(ref.source, key) for ref in found.refs for key in (ref.key, WITHDRAWN + ref.key)}
    rows = connection.execute(select(d.dead_letter_id, d.source, d.key).where(and_(d.reason == ERASURE_ASKED, d.state == "open")))
    return {row.dead_letter_id for row in rows if (row.source, row.key) in keys}


def _their_letters(connection: Connection, found: Belongings) -> set[int]:
    """Dead letters of the person, of their records and of their operations."""
    d, o = t.dead_letter.c, t.operation.c
    operations = select(o.operation_id).where(among(connection, o.person_number, found.numbers))
    of_person = or_(among(connection, d.person_id, found.person_ids), and_(d.operation_id != "", d.operation_id.in_(operations)))
    of_records = among(connection, d.key, {ref.key for ref in found.refs})
    columns = select(d.dead_letter_id, d.source, d.stream, d.key, of_person.label("is_of_person"))
    rows = connection.execute(columns.where(or_(of_person, of_records)))
    return {row.dead_letter_id for row in rows if row.is_of_person or ref_of(row) in found.refs}


def _counts(connection: Connection, found: Belongings) -> dict[str, int]:
    """How much there is of what is found by person alone."""
    ids, numbers = found.person_ids, found.numbers

    def count(table: Table, where: ColumnElement[bool]) -> int:
        return int(connection.execute(select(func.count()).select_from(table).where(where)).scalar() or 0)

    return {
        "people": len(ids),
        "mailboxes": len(found.mailboxes),
        "records": count(t.record, among(connection, t.record.c.person_number, numbers)),
        "touches": count(t.touch, among(connection, t.touch.c.person_number, numbers)),
        "operations": count(t.operation, among(connection, t.operation.c.person_number, numbers)),
        "decisions": count(t.decision, among(connection, t.decision.c.person_number, numbers)),
        "reviews": count(t.review, among(connection, t.review.c.person_id, ids)),
        "holds": count(t.hold, among(connection, t.hold.c.person_id, ids)),
        "org_records": len(found.org),
    }


def _of_nobody(db: Database) -> Iterator[Any]:
    """Records that were only ever skipped."""
    r, after = t.record.c, ("", "", "")
    while True:
        further = or_(
            r.source > after[0],
            and_(r.source == after[0], or_(r.stream > after[1], and_(r.stream == after[1], r.key > after[2]))),
        )
        columns = select(r.source, r.stream, r.key, r.payload, r.is_compressed)
        page = columns.where(and_(r.person_number.is_(None), further)).order_by(r.source, r.stream, r.key).limit(_SLICE)
        with db.read() as connection:
            rows: Sequence[Any] = connection.execute(page).all()
        yield from rows
        if len(rows) < _SLICE:
            return
        after = rows[-1][:3]


def _walk(db: Database, table: Table, key: str) -> Iterator[Any]:
    """Every row of a table by its number, a slice in each read transaction."""
    after = 0
    while True:
        with db.read() as connection:
            rows = connection.execute(select(table).where(table.c[key] > after).order_by(table.c[key]).limit(_SLICE)).all()
        yield from rows
        if len(rows) < _SLICE:
            return
        after = getattr(rows[-1], key)
