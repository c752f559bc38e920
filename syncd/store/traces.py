"""Finding everything that is kept of one person, before it is erased. Reads only; an erasure is rare, so tables may be read whole.

Payloads are walked in slices, so that no read transaction is long. A payload is somebody's if it names one of their mailboxes and no
other one: what names several is left for a person to look at, for it may be about somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, text

from syncd.errors import StoreError
from syncd.identity import lead_keys
from syncd.model import ERASURE_ASKED, WITHDRAWN, PersonState, RecordRef
from syncd.normalise.keys import email_key
from syncd.ports import Belongings, Traces
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, unpack
from syncd.store.shared import LEAD, ref_of

_SLICE = 2_000
_WORD = re.compile(r"[^\s\"'<>()\[\]{},;:\\|=&?/]+")
"""Of characters that may stand in a mailbox. Looking for the @ in the pattern itself would take the square of a long text."""
_ESCAPES = re.compile(r"\\[nrt]")
MAILBOX_KIND = "email"


def belongings_of(connection: Connection, person_id: str) -> Belongings:
    """What belongs to a person and to those who were merged into it, as the store has it now.

    Raises:
        StoreError: There is no such person.
    """
    people = _people(connection, person_id)
    ids, numbers = [one[0] for one in people], [one[1] for one in people]
    refs, mailboxes = _refs(connection, ids, numbers), _mailboxes(connection, ids, numbers)
    o = t.operation.c
    pending = or_(text(t.OPEN_STATES_SQL), o.needs_echo)
    operations = select(o.operation_id, o.state, o.run_id).where(and_(among(connection, o.person_number, numbers), pending))
    return Belongings(
        tuple(ids),
        tuple(numbers),
        tuple(sorted(mailboxes)),
        tuple(sorted(refs)),
        tuple(sorted(_in_org(connection, ids, numbers, mailboxes))),
        tuple(sorted(tuple(row) for row in connection.execute(operations))),
    )


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
        counts = _counts(connection, found)
        rivals = _rivals(connection, found)
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
    return Traces(found, state, waits, tuple(ended), tuple(records), *letters, rivals, whose.unsure, counts)


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


def mailboxes_in(raw: bytes) -> set[str]:
    """Every mailbox that a text names, in comparison form; empty where there is none."""
    if b"@" not in raw and b"\\u0040" not in raw and b"%40" not in raw:
        return set()
    said = _ESCAPES.sub(" ", raw.decode("utf-8", "replace")).replace("\\u0040", "@").replace("%40", "@")
    return {key for one in _WORD.findall(said) if one.count("@") == 1 and (key := email_key(one.strip(".")))}


def _people(connection: Connection, person_id: str) -> list[tuple[str, int]]:
    """The person first, then everybody who redirects there, over several hops."""
    p = t.person.c
    found = {
        str(row[0]): int(row[1]) for row in connection.execute(select(p.person_id, p.number).where(p.person_id == person_id))
    }
    if not found:
        raise StoreError("There is no such person.", advice='"syncd lead find" shows who there is.')
    hop = list(found)
    while hop:
        merged = select(p.person_id, p.number).where(among(connection, p.redirect, hop)).order_by(p.number)
        new = {str(row[0]): int(row[1]) for row in connection.execute(merged) if row[0] not in found}
        found |= new
        hop = list(new)
    return list(found.items())


def _refs(connection: Connection, ids: Collection[str], numbers: Collection[int]) -> set[RecordRef]:
    """Their records, and those that were once linked to them and are nobody else's now."""
    found: set[RecordRef] = set()
    r, k = t.record.c, t.link.c
    for table in (t.record, t.touch):
        c = table.c
        statement = select(c.source, c.stream, c.key).where(among(connection, c.person_number, numbers))
        found |= {ref_of(row) for row in connection.execute(statement)}
    is_others = and_(r.source == k.source, r.stream == k.stream, r.key == k.key, r.person_number.is_not(None))
    others = select(r.person_number).where(and_(is_others, ~among(connection, r.person_number, numbers))).exists()
    linked = select(k.source, k.stream, k.key).where(and_(among(connection, k.person_id, ids), ~others)).distinct()
    return found | {ref_of(row) for row in connection.execute(linked)}


def _mailboxes(connection: Connection, ids: Collection[str], numbers: Collection[int]) -> set[str]:
    c, r = t.claim.c, t.record.c
    claimed = select(c.value).where(and_(c.kind == MAILBOX_KIND, among(connection, c.person_id, ids)))
    found = set(connection.execute(claimed).scalars())
    # A person whose mailbox is somebody else's claim (a question is open) has it in the record only.
    leads = select(r.source, r.stream, r.key, r.lead).where(among(connection, r.person_number, numbers))
    for row in connection.execute(leads):
        found |= {value for kind, value in lead_keys(ref_of(row), LEAD.decode(row.lead)).claims if kind == MAILBOX_KIND}
    taken = select(c.value).where(
        and_(among(connection, c.value, found), c.kind == MAILBOX_KIND, ~among(connection, c.person_id, ids))
    )
    return found - set(connection.execute(taken).scalars())


def _in_org(
    connection: Connection, ids: Collection[str], numbers: Collection[int], mailboxes: Collection[str]
) -> set[tuple[str, str, bool]]:
    """Linked records; those of nobody with their external id or one of the mailboxes; and the contacts that their leads became."""
    o, b = t.org_record.c, t.block_key.c
    columns = select(o.object, o.sf_id, o.is_deleted, o.contact_id)
    rows = list(connection.execute(columns.where(among(connection, o.person_number, numbers))))
    by_mailbox = columns.join(t.block_key, and_(b.subject_kind == o.object, b.subject_id == o.sf_id)).where(
        and_(
            b.kind == MAILBOX_KIND,
            among(connection, b.value, mailboxes),
            o.object.in_(("Lead", "Contact")),
            o.person_number.is_(None),
        )
    )
    rows += connection.execute(by_mailbox)
    rows += connection.execute(columns.where(and_(among(connection, o.external_id, ids), o.person_number.is_(None))))
    # Nothing is found by a record that was deleted: what it holds has to be looked at.
    gone = columns.add_columns(o.fields).where(and_(o.is_deleted, o.person_number.is_(None), o.fields != "{}"))
    rows += [row for row in connection.execute(gone) if mailboxes_in(row.fields.encode()) & set(mailboxes)]
    contacts = [row.contact_id for row in rows if row.contact_id]
    is_free = and_(o.object == "Contact", among(connection, o.sf_id, contacts), o.person_number.is_(None))
    rows += connection.execute(columns.where(is_free))
    return {(row.object, row.sf_id, bool(row.is_deleted)) for row in rows}


def _rivals(connection: Connection, found: Belongings) -> tuple[str, ...]:
    """Other people of whom nobody has said yet who they are, with one of the mailboxes. Only they can have one without owning it."""
    p, r = t.person.c, t.record.c
    columns = select(p.person_id, r.source, r.stream, r.key, r.lead).join(t.person, p.number == r.person_number)
    rows = connection.execute(columns.where(and_(p.state == "review", ~among(connection, p.person_id, found.person_ids))))
    wanted = {(MAILBOX_KIND, one) for one in found.mailboxes}
    return tuple(sorted({row.person_id for row in rows if wanted & set(lead_keys(ref_of(row), LEAD.decode(row.lead)).claims)}))


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
