"""What is remembered of erased people, and keeps them from coming back: digests of mailboxes and records, ids of records in the org."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, delete, literal_column, select, text

from syncd.model import OrgRow
from syncd.ports import Key
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks
from syncd.store.prepared import Prepared

_ANY_TOMBSTONE = Prepared(lambda _: select(t.tombstone.c.digest).limit(literal_column("1")))
PEOPLE = ("Lead", "Contact")


def org_tombstone(name: str, sf_id: str) -> str:
    """How a record of the org is remembered: by its id, which is no personal data and in the org for everybody to see."""
    return f"{name}:{sf_id}"


def known_tombstones(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Those of `digests` that are remembered; they are not even made while nobody was ever erased."""
    if not _ANY_TOMBSTONE.rows(connection):
        return set()
    return {
        digest
        for part in chunks(sorted(set(digests)))
        for (digest,) in connection.execute(select(t.tombstone.c.digest).where(t.tombstone.c.digest.in_(part)))
    }


def put_tombstones(db: Database, connection: Connection, digests: Iterable[str], at: datetime) -> None:
    """Remember them for ever."""
    db.add_missing(connection, t.tombstone, [{"digest": one, "at": at} for one in sorted(set(digests))], ("digest",))


def kept_of_erased(connection: Connection) -> list[tuple[str, str]]:
    """(object, id) of the living records that are remembered. Reads the mirror whole."""
    o = t.org_record.c
    is_known = (o.object + ":" + o.sf_id).in_(select(t.tombstone.c.digest))
    found = select(o.object, o.sf_id).where(
        and_(o.object.in_(PEOPLE), o.person_number.is_(None), o.is_deleted.is_(False), is_known)
    )
    return sorted((row.object, row.sf_id) for row in connection.execute(found))


def forget_keys_of(connection: Connection, records: Iterable[tuple[str, str]]) -> None:
    """Make records of the org such as nobody is found by: (object, sf_id)."""
    b = t.block_key.c
    by_object: dict[str, list[str]] = {}
    for name, sf_id in records:
        by_object.setdefault(name, []).append(sf_id)
    for name, ids in sorted(by_object.items()):
        here = and_(b.subject_kind == name, among(connection, b.subject_id, ids), text(t.OF_ORG_RECORDS_SQL))
        connection.execute(delete(t.block_key).where(here))


def without_erased(
    db: Database, connection: Connection, rows: Sequence[OrgRow], key_sets: Mapping[str, Sequence[Key]], at: datetime
) -> tuple[Sequence[OrgRow], Mapping[str, Sequence[Key]]]:
    """Rows and keys as they may be stored: a record of somebody erased is found by nothing, and holds nothing once it is deleted.

    What it was converted to or merged into is remembered too, unless it is somebody's.
    """
    marked = known_tombstones(connection, (org_tombstone(row.object, row.sf_id) for row in rows))
    if not marked:
        return rows, key_sets
    heirs = _heirs(connection, [row for row in rows if org_tombstone(row.object, row.sf_id) in marked])
    put_tombstones(db, connection, (org_tombstone(*one) for one in heirs), at)
    forget_keys_of(connection, heirs)
    marked |= {org_tombstone(*one) for one in heirs}
    erased = {row.sf_id for row in rows if org_tombstone(row.object, row.sf_id) in marked}
    kept = [msgspec.structs.replace(row, fields={}) if row.sf_id in erased and row.is_deleted else row for row in rows]
    return kept, {sf_id: keys for sf_id, keys in key_sets.items() if sf_id not in erased}


def without_erased_work(connection: Connection, rows: Sequence[OrgRow]) -> list[OrgRow]:
    """Tasks, events and opportunities as they may be stored: of one that was deleted with a record of somebody erased nothing is kept."""

    def names(row: OrgRow) -> list[str]:
        who_id = str(row.fields.get("WhoId") or "") if row.is_deleted else ""
        return [org_tombstone(name, who_id) for name in PEOPLE] if who_id else []

    marked = known_tombstones(connection, (name for row in rows for name in names(row)))
    return [msgspec.structs.replace(row, fields={}) if marked and marked & set(names(row)) else row for row in rows]


def _heirs(connection: Connection, rows: Sequence[OrgRow]) -> list[tuple[str, str]]:
    """The contacts that leads were converted to and the records that others were merged into, where they are nobody's."""
    o = t.org_record.c
    wanted = {("Contact", row.contact_id) for row in rows if row.contact_id}
    wanted |= {(row.object, row.merged_into) for row in rows if row.merged_into}
    ids = [sf_id for _, sf_id in wanted]
    owned = select(o.object, o.sf_id).where(
        and_(among(connection, o.sf_id, ids), o.person_number.is_not(None), o.object.in_(PEOPLE))
    )
    return sorted(wanted - {(row.object, row.sf_id) for row in connection.execute(owned)})
