"""The org mirror: rows as the org returned them; base is moved by echoes only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, exists, select, update

from syncd.as_stored import dumps
from syncd.model import FIRST_LOOK, OPT_OUT_FIELD, Candidate, Lane, OptOutHold, OrgRecord, OrgRow
from syncd.ports import Key, Review
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks
from syncd.store.shared import hides_a_person, mark_dirty, org_rows, put_review
from syncd.store.standing import ACCOUNT, RELATED, USER, Change, account_of, mark_people_of, note_statuses, put_related, put_users
from syncd.store.tombstones import forget_keys_of, without_erased, without_erased_work

_MAX_HOPS = 8
_LATE = frozenset({"account_domain", "account_name", "contact_domain"})


def org_row_values(row: OrgRow) -> dict[str, Any]:
    """The columns of a mirror row that the org decides."""
    return {
        "fields": dumps(row.fields),
        "stamp": row.stamp,
        "modified_by": row.modified_by,
        "owner_id": row.owner_id,
        "external_id": row.external_id,
        "is_deleted": row.is_deleted,
        "merged_into": row.merged_into,
        "is_converted": row.is_converted,
        "contact_id": row.contact_id,
        "account_id": account_of(row),
    }


def opt_out_turn(row: OrgRow, known: Mapping[str, Any] | None) -> dict[str, Any]:
    """What to note where a record shows an opt-out of e-mail for the first time, or no longer; `known` are its fields before."""
    is_out = row.fields.get(OPT_OUT_FIELD) is True
    if is_out == (known is not None and known.get(OPT_OUT_FIELD) is True):
        return {}
    if not is_out:
        return {"opted_out_at": None, "opted_out_by": "", "opt_out_hold": ""}
    return {"opted_out_at": row.stamp, "opted_out_by": row.modified_by, "opt_out_hold": OptOutHold.NEW.value}


def _new_row(row: OrgRow, *, is_fill: bool = False) -> dict[str, Any]:
    """A row that was not there. In a fill nobody knows who opted it out, or when: its stamp is the latest that it can be."""
    noted = {"opted_out_at": None, "opted_out_by": "", "opt_out_hold": "", **opt_out_turn(row, None)}
    if is_fill and noted["opt_out_hold"]:
        noted["opted_out_by"] = FIRST_LOOK
    return {
        **org_row_values(row),
        **noted,
        "object": row.object,
        "sf_id": row.sf_id,
        "person_number": None,
        "base": "{}",
        "is_survivor": True,
        "deleted_by_us": False,
    }


def put_row(db: Database, connection: Connection, row: OrgRow, known: Any) -> bool:
    """Replace one mirror row by a higher or equal stamp; gives whether anything a plan could care about changed."""
    o = t.org_record.c
    here = and_(o.object == row.object, o.sf_id == row.sf_id)
    if known is None:
        known = connection.execute(select(t.org_record).where(here)).first()
    values = org_row_values(row)
    if known is None:
        db.add_missing(connection, t.org_record, [_new_row(row)], ("object", "sf_id"))
        return True
    if row.stamp < known.stamp:
        return False
    if known.modified_by != row.modified_by and not hides_a_person(known.modified_by, known.other_by, db.machines):
        values |= {"other_by": known.modified_by, "other_at": known.stamp}
    if known.is_deleted and not row.is_deleted:
        # Undeleted: a person wants it back, so it is no longer ours to keep away.
        values["deleted_by_us"] = False
    changed = any(
        values[name] != getattr(known, name) for name in ("is_deleted", "merged_into", "is_converted", "contact_id", "account_id")
    )
    before = msgspec.json.decode(known.fields)
    values |= opt_out_turn(row, before)
    changed = changed or before != row.fields
    if changed or row.stamp != known.stamp or values["modified_by"] != known.modified_by or values["owner_id"] != known.owner_id:
        connection.execute(update(t.org_record).where(here).values(**values))
    return changed


def _changes(fresh: Sequence[OrgRow], moved: Sequence[OrgRow], known: Mapping[tuple[str, str], Any]) -> Iterator[Change]:
    """Rows as they are and were, each once."""
    for row in {row.sf_id: row for row in fresh}.values():
        yield row, None, None, ""
    for row in {row.sf_id: row for row in moved}.values():
        old = known[row.object, row.sf_id]
        yield row, msgspec.json.decode(old.fields), old.stamp, old.modified_by


def _is_current(row: OrgRow, known: Mapping[tuple[str, str], Any]) -> bool:
    """Whether a row that was there is no older than what is known of it."""
    old = known.get((row.object, row.sf_id))
    return old is not None and row.stamp >= old.stamp


def _late_keys(keys: Sequence[Key]) -> list[Key]:
    """Those that a policy asks for only once it converts: rows that have not changed may lack them."""
    return [key for key in keys if key[0] in _LATE]


def _is_handed_over(old: Any, row: OrgRow) -> bool:
    """Whether a record of somebody we know went to another user: what waited for an owner can be done now."""
    return bool(old.person_id) and row.stamp >= old.stamp and row.owner_id != old.owner_id and row.owner_id.startswith("005")


def _owed(connection: Connection, person_ids: set[str]) -> set[str]:
    """Those of them with a record that came hot: their owner may be owed a task. Others are not planned for an owner's sake."""
    if not person_ids:
        return set()
    p, r = t.person.c, t.record.c
    hot = exists().where(and_(r.person_number == p.number, r.lane <= int(Lane.POLICY)))
    statement = select(p.person_id).where(and_(among(connection, p.person_id, sorted(person_ids)), hot))
    return {row.person_id for row in connection.execute(statement)}


class MirrorStore:
    """What is known of the org's records."""

    db: Database

    def setting(self, name: str) -> str | None:
        """A named fact; None if it was never put."""
        with self.db.read() as connection:
            found: str | None = connection.execute(select(t.meta.c.value).where(t.meta.c.name == name)).scalar()
            return found

    def put_setting(self, name: str, value: str) -> None:
        """Remember a named fact."""
        with self.db.write() as connection:
            self.db.upsert(connection, t.meta, [{"name": name, "value": value}], ("name",))

    def bind_org(self, org_id: str) -> str:
        """Tie the store to an org the first time; gives the org it belongs to."""
        with self.db.write() as connection:
            self.db.add_missing(connection, t.meta, [{"name": "org_id", "value": org_id}], ("name",))
            return str(connection.execute(select(t.meta.c.value).where(t.meta.c.name == "org_id")).scalar())

    def note_machines(self, user_ids: frozenset[str]) -> None:
        """Whose changes are no person's, our own user among them: for this handle on the store, until it is closed."""
        self.db.machines = user_ids

    def mirror_cursor(self, object: str) -> datetime | None:
        """The stamp up to which an object was read completely; None before the first fill."""
        found = self.setting(f"mirror:{object}")
        return None if found is None else datetime.fromisoformat(found)

    def set_mirror_cursor(self, object: str, stamp: datetime) -> None:
        """Everything of `object` up to `stamp` is in the mirror."""
        self.put_setting(f"mirror:{object}", stamp.astimezone(UTC).isoformat())

    def put_org_rows(
        self, rows: Sequence[OrgRow], key_sets: Mapping[str, Sequence[Key]], at: datetime, *, is_fill: bool = False
    ) -> int:
        """Store rows with the keys they are found by; people whose record changed are planned again. Gives how many changed.

        `is_fill`: they come because everything is read, not because they have changed.
        Tasks, events, opportunities and users have tables of their own. Accounts are stored as Leads and Contacts are, but belong to nobody.
        """
        others = [row for row in rows if row.object in RELATED or row.object == USER]
        if others:
            rows = [row for row in rows if row.object not in RELATED and row.object != USER]
        changed = 0
        dirty: set[str] = set()
        with self.db.write() as connection:
            if others:
                work = [row for row in others if row.object != USER]
                changed += put_related(connection, without_erased_work(connection, work))
                changed += put_users(connection, [row for row in others if row.object == USER])
            rows, key_sets = without_erased(self.db, connection, rows, key_sets, at)
            known: dict[tuple[str, str], Any] = {}
            for part in chunks([(row.object, row.sf_id) for row in rows]):
                known |= org_rows(connection, part)
            fresh = [row for row in rows if (row.object, row.sf_id) not in known]
            self._add(connection, fresh, is_fill=is_fill)
            changed += len(fresh)
            handed_over = {
                old.person_id for row in rows if (old := known.get((row.object, row.sf_id))) and _is_handed_over(old, row)
            }
            moved = [
                row
                for row in rows
                if (old := known.get((row.object, row.sf_id))) is not None and put_row(self.db, connection, row, old)
            ]
            changed += len(moved)
            dirty |= {person_id for row in moved if (person_id := known[row.object, row.sf_id].person_id)}
            if self.db.notes_statuses:
                dirty |= handed_over  # a policy may ask whose a lead is
            dirty |= _owed(connection, handed_over - dirty)
            forget_keys_of(connection, [(row.object, row.sf_id) for row in (*fresh, *moved)])
            self._index(connection, [*fresh, *moved], key_sets)
            late = {
                row.sf_id: keys for row in rows if _is_current(row, known) and (keys := _late_keys(key_sets.get(row.sf_id, ())))
            }
            if late:
                self._index(connection, [row for row in rows if row.sf_id in late], late)
            if self.db.notes_statuses:
                note_statuses(connection, _changes(fresh, moved, known))
            mark_people_of(connection, (), [row.sf_id for row in (*fresh, *moved) if row.object == ACCOUNT])
            for row in (*fresh, *moved):
                if row.object == ACCOUNT:
                    continue
                if row.is_deleted and row.merged_into:
                    dirty |= self._follow_merge(connection, row, at)
                elif row.external_id and not row.is_deleted:
                    dirty |= self._link_by_external_id(connection, row)
            mark_dirty(connection, dirty)
        return changed

    def _add(self, connection: Connection, rows: Sequence[OrgRow], *, is_fill: bool) -> None:
        new = {(row.object, row.sf_id): _new_row(row, is_fill=is_fill) for row in rows}
        self.db.add_missing(connection, t.org_record, list(new.values()), ("object", "sf_id"))

    def _index(self, connection: Connection, rows: Sequence[OrgRow], key_sets: Mapping[str, Sequence[Key]]) -> None:
        """Add the keys of these rows; deleted rows are kept findable only if a merge leads on from them."""
        keys = {
            (kind, value, row.object, row.sf_id): {
                "kind": kind,
                "value": value,
                "subject_kind": row.object,
                "subject_id": row.sf_id,
            }
            for row in rows
            for kind, value in key_sets.get(row.sf_id, ())
            if not row.is_deleted or row.merged_into
        }
        self.db.add_missing(connection, t.block_key, list(keys.values()), ("kind", "value", "subject_kind", "subject_id"))

    @staticmethod
    def _link_by_external_id(connection: Connection, row: OrgRow) -> set[str]:
        """A record stamped with a known person's id is that person's (an echo we missed, a restored backup)."""
        p = t.person.c
        known = connection.execute(select(p.person_id).where(and_(p.person_id == row.external_id, p.state != "erased"))).first()
        if known is None:
            return set()
        o = t.org_record.c
        done = connection.execute(
            update(t.org_record)
            .where(and_(o.object == row.object, o.sf_id == row.sf_id, o.person_number.is_(None)))
            .values(person_number=t.number_of(row.external_id))
        )
        return {row.external_id} if done.rowcount else set()

    def _follow_merge(self, connection: Connection, loser: OrgRow, at: datetime) -> set[str]:
        """Somebody merged records: the loser's person goes on with the survivor (MasterRecordId, several hops)."""
        o = t.org_record.c
        old = self._one(connection, loser.object, loser.sf_id)
        survivor = old
        for _ in range(_MAX_HOPS):
            if survivor is None or not (survivor.is_deleted and survivor.merged_into):
                break
            survivor = self._one(connection, loser.object, survivor.merged_into)
        if old is None or not old.person_id or survivor is None or survivor.is_deleted or survivor.sf_id == old.sf_id:
            return set()
        if survivor.person_id == old.person_id:
            return {old.person_id}
        if not survivor.person_id:
            # Base goes along where the survivor took our value over; anything else is a person's choice in the merge.
            theirs = msgspec.json.decode(survivor.fields)
            base = {name: value for name, value in msgspec.json.decode(old.base).items() if theirs.get(name) == value}
            connection.execute(
                update(t.org_record)
                .where(and_(o.object == survivor.object, o.sf_id == survivor.sf_id))
                .values(person_number=old.person_number, base=dumps(base))
            )
            return {old.person_id}
        candidates = (Candidate("person", survivor.person_id, survivor.person_id),)
        reason = "Two people of syncd were merged into one record in Salesforce."
        put_review(self.db, connection, Review("merge", old.person_id, candidates, reason, at=at))
        return {old.person_id, survivor.person_id}

    @staticmethod
    def _one(connection: Connection, name: str, sf_id: str) -> Any:
        o = t.org_record.c
        return connection.execute(t.with_person(t.org_record).where(and_(o.object == name, o.sf_id == sf_id))).first()

    def org_records(self, targets: Sequence[tuple[str, str]]) -> list[OrgRecord]:
        """Mirror records by (object, id); unknown ones are left out."""
        from syncd.store.views import org_record_of

        with self.db.read() as connection:
            return [org_record_of(row) for part in chunks(sorted(set(targets))) for row in org_rows(connection, part).values()]
