"""What several rooms of the store do alike: following merges, asking for plans, setting things aside. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, exists, func, insert, select, text, update

from syncd.as_stored import dumps
from syncd.model import Lead, RecordRef
from syncd.ports import DeadLetter, Review
from syncd.store import tables as t
from syncd.store.bulk import among, pairs
from syncd.store.engine import Database
from syncd.store.inbox import digest_of
from syncd.store.prepared import Prepared, given, listed

_MAX_HOPS = 8
LEAD = msgspec.json.Decoder(Lead)
"""Leads as the record table holds them."""
_REDIRECTS = Prepared(
    lambda connection: select(t.person.c.person_id, t.person.c.redirect).where(
        and_(among(connection, t.person.c.person_id, given("people")), t.person.c.redirect.is_not(None))
    )
)


def survivors(connection: Connection, person_ids: set[str]) -> dict[str, str]:
    """Merged person id to its survivor, several hops; only those that were merged."""
    found: dict[str, str] = {}
    open_ids = set(person_ids)
    for _ in range(_MAX_HOPS):
        if not open_ids:
            break
        hops = dict(map(tuple, _REDIRECTS.rows(connection, people=listed(open_ids))))
        found.update(hops)
        open_ids = set(hops.values()) - set(found)
    return {one: _last_hop(found, survivor) for one, survivor in found.items()}


def _last_hop(hops: dict[str, str], one: str) -> str:
    while one in hops:
        one = hops[one]
    return one


def org_rows(connection: Connection, targets: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """Mirror rows by (object, id)."""
    if not targets:
        return {}
    o = t.org_record.c
    listed, match = pairs(connection, o.object, o.sf_id, targets)
    owner = t.person.c.number == o.person_number
    person_id = func.coalesce(t.person.c.person_id, "").label("person_id")
    statement = select(t.org_record, person_id).select_from(listed.join(t.org_record, match).outerjoin(t.person, owner))
    return {(row.object, row.sf_id): row for row in connection.execute(statement)}


def follow_merge(connection: Connection, row: Any) -> Any | None:
    """The living record that a mirror row was merged into, itself if it lives, None if nothing is left."""
    for _ in range(_MAX_HOPS):
        if not row.is_deleted:
            return row
        if not row.merged_into:
            return None
        row = org_rows(connection, [(row.object, row.merged_into)]).get((row.object, row.merged_into))
        if row is None:
            return None
    return None


def mark_dirty(connection: Connection, person_ids: set[str]) -> None:
    """Ask for these people to be planned."""
    if person_ids:
        here = among(connection, t.person.c.person_id, sorted(person_ids))
        connection.execute(update(t.person).where(here).values(**t.TO_PLAN))


def empty_inbox(connection: Connection, sequences: Collection[int]) -> None:
    """Keep nothing of these rows of the inbox but that they came, and how they ended."""
    if sequences:
        nothing = {"key": "", "digest": b"", "payload": b"", "is_compressed": False, "locator": ""}
        connection.execute(update(t.inbox).where(among(connection, t.inbox.c.sequence, sequences)).values(**nothing))


def put_dead_letter(connection: Connection, letter: DeadLetter) -> None:
    """Set something aside, unless the very same thing is open already."""
    c = t.dead_letter.c
    digest = digest_of(letter.payload)
    same = and_(
        text("dead_letter.state = 'open'"),
        c.source == letter.source,
        c.stream == letter.stream,
        c.key == letter.key,
        c.reason == letter.reason,
        c.digest == digest,
        c.operation_id == letter.operation_id,
    )
    if connection.execute(select(c.dead_letter_id).where(same)).first() is None:
        names = (
            "kind",
            "stage",
            "reason",
            "message",
            "source",
            "stream",
            "key",
            "locator",
            "payload",
            "person_id",
            "operation_id",
            "run_id",
            "at",
        )
        values = {name: getattr(letter, name) for name in names}
        connection.execute(insert(t.dead_letter).values(**values, digest=digest, state="open"))


def put_review(db: Database, connection: Connection, review: Review) -> bool:
    """Open a question, unless one of that kind is open for the person; gives whether it is new."""
    statement = db.insert(t.review).values(
        kind=review.kind,
        person_id=review.person_id,
        candidates=dumps(review.candidates),
        reason=review.reason,
        source=review.source,
        stream=review.stream,
        key=review.key,
        run_id=review.run_id,
        at=review.at or db.clock.now(),
        state="open",
        decision="",
    )
    kept = statement.on_conflict_do_nothing(index_elements=["person_id", "kind"], index_where=text("state = 'open'"))
    return connection.execute(kept.returning(t.review.c.review_id)).first() is not None


def close_open(connection: Connection, person_ids: Iterable[str], kind: str, *, state: str, decision: str = "") -> None:
    """Close the open questions of a kind about people: each was answered in another way, or stands no longer (`settled`)."""
    r = t.review.c
    here = and_(among(connection, r.person_id, person_ids), r.kind == kind, text("review.state = 'open'"))
    connection.execute(update(t.review).where(here).values(state=state, decision=decision))


def reopen(connection: Connection, person_ids: Iterable[str], kind: str) -> None:
    """Ask the last question of a kind about people again: of those where it was settled and none is open."""
    r, other = t.review.c, t.review.alias()
    theirs = among(connection, r.person_id, person_ids)
    last = select(func.max(r.review_id)).where(and_(theirs, r.kind == kind)).group_by(r.person_id)
    is_open = exists().where(and_(other.c.person_id == r.person_id, other.c.kind == kind, other.c.state == "open"))
    here = and_(r.review_id.in_(last), r.state == "settled", ~is_open)
    connection.execute(update(t.review).where(here).values(state="open"))


def instant_of(value: str | None) -> datetime | None:
    """An aware instant from ISO text, None if it is none."""
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else None


def ref_of(row: Any) -> RecordRef:
    """The identity of a record row."""
    return RecordRef(row.source, row.stream, row.key)


def hides_a_person(modified_by: str, other_by: str, machines: frozenset[str]) -> bool:
    """Whether to remember `modified_by`, a machine, would make us forget a person who was there before it."""
    return modified_by in machines and other_by != "" and other_by not in machines
