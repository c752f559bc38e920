"""Deletion after retention: which leads are due, which verified exports hold them, and whose plan an export changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, text, true, update

from syncd.ports import ExportedLead, LeadExport
from syncd.store import tables as t
from syncd.store.bulk import Rows, among, insert_rows, micros
from syncd.store.engine import Database, chunks
from syncd.store.standing import LEAD

_PAGE = 1_000
_PER_UNIT = 200
"""Leads per write unit: they fit into 20 ms (DESIGN 4)."""
_GIVEN_UP = timedelta(days=1)
"""An export without an end after this has died."""


class ExportStore:
    """Exports of leads, and who waits for one."""

    db: Database

    def put_export(self, export: LeadExport, leads: Sequence[ExportedLead]) -> None:
        """Remember a verified export: it counts with the last write, so that half of it never does.

        What else is in the store is left alone, so a command may do this beside the engine.
        """
        values = {"export_id": export.export_id, "at": export.at, "org_id": export.org_id, "file": export.file}
        values |= {"sha256": export.sha256, "count": export.count, "is_verified": False}
        e = t.lead_export.c
        dead = and_(e.is_verified.is_(False), e.at < export.at - _GIVEN_UP)
        with self.db.write() as connection:
            gone = select(e.export_id).where(dead)
            connection.execute(delete(t.exported_lead).where(t.exported_lead.c.export_id.in_(gone)))
            connection.execute(delete(t.lead_export).where(dead))
            connection.execute(insert(t.lead_export).values(**values))
        rows: Rows = [(export.export_id, one.sf_id, one.person_id, micros(one.stamp), one.digest, False) for one in leads]
        for start in range(0, len(rows), _PER_UNIT):
            with self.db.write() as connection:
                insert_rows(connection, t.exported_lead, rows[start : start + _PER_UNIT])
        with self.db.write() as connection:
            here = t.lead_export.c.export_id == export.export_id
            connection.execute(update(t.lead_export).where(here).values(is_verified=True))

    def exports(self, limit: int) -> list[LeadExport]:
        """The verified exports, the newest first."""
        e = t.lead_export.c
        columns = (e.export_id, e.at, e.org_id, e.file, e.sha256, e["count"])
        statement = select(*columns).where(e.is_verified).order_by(e.number.desc()).limit(limit)
        with self.db.read() as connection:
            return [LeadExport(*row) for row in connection.execute(statement)]

    def exported(self, sf_ids: Sequence[str]) -> dict[str, ExportedLead]:
        """Leads as the newest verified export holds them, by id; those that are in none are left out."""
        x, e, p = t.exported_lead.c, t.lead_export.c, t.person.c
        columns = (x.sf_id, func.coalesce(p.person_id, "").label("person_id"), x.stamp, x.digest, x.export_id)
        found: dict[str, ExportedLead] = {}
        with self.db.read() as connection:
            for part in chunks(sorted(set(sf_ids))):
                whole = select(*columns).join_from(t.exported_lead, t.lead_export, e.export_id == x.export_id)
                whole = whole.outerjoin(t.person, p.number == x.person_number)
                here = and_(among(connection, x.sf_id, part), e.is_verified)
                found |= {row.sf_id: ExportedLead(*row) for row in connection.execute(whole.where(here).order_by(e.number))}
        return found

    def forget_exported(self, sf_ids: Sequence[str]) -> None:
        """No export holds these leads any more as they are: they need a new one."""
        with self.db.write() as connection:
            connection.execute(delete(t.exported_lead).where(among(connection, t.exported_lead.c.sf_id, sf_ids)))

    def mark_exported(self) -> int:
        """People whose lead stands in a new export are planned again; gives how many. Called by the engine alone."""
        x, e = t.exported_lead.c, t.lead_export.c
        new = select(x.export_id, x.sf_id, x.person_number).join_from(t.exported_lead, t.lead_export, e.export_id == x.export_id)
        new = new.where(and_(text(t.UNMARKED_SQL), e.is_verified)).order_by(x.export_id, x.sf_id).limit(_PER_UNIT)
        count = 0
        while True:
            with self.db.read() as connection:
                rows = connection.execute(new).all()
            if not rows:
                return count
            with self.db.write() as connection:
                numbers = [row.person_number for row in rows if row.person_number is not None]
                connection.execute(update(t.person).where(among(connection, t.person.c.number, numbers)).values(**t.TO_PLAN))
                for export_id in {row.export_id for row in rows}:
                    ids = [row.sf_id for row in rows if row.export_id == export_id]
                    here = and_(x.export_id == export_id, among(connection, x.sf_id, ids))
                    connection.execute(update(t.exported_lead).where(here).values(is_marked=True))
            count += len(rows)
            if len(rows) < _PER_UNIT:
                return count

    def due_for_deletion(self, rules: Sequence[str], now: datetime) -> Iterator[list[str]]:
        """People whose lead one of these rules wants to delete now, those first who wait longest; in pages, by the dates alone."""
        d = t.due.c
        for rule in rules:
            further: ColumnElement[bool] = true()
            while True:
                here = and_(text(t.OF_RULES_SQL), d.rule == rule, d.due_at <= now, further)
                statement = select(d.due_at, d.person_id).where(here).order_by(d.due_at, d.person_id).limit(_PAGE)
                with self.db.read() as connection:
                    rows = connection.execute(statement).all()
                if rows:
                    yield [row.person_id for row in rows]
                if len(rows) < _PAGE:
                    break
                last = rows[-1]
                further = or_(d.due_at > last.due_at, and_(d.due_at == last.due_at, d.person_id > last.person_id))

    def waiting_for_export(self, rules: Sequence[str], now: datetime, limit: int) -> int:
        """How many of them no verified export holds as they are in the mirror; counted up to `limit`."""
        d, o, x, e, p = t.due.c, t.org_record.c, t.exported_lead.c, t.lead_export.c, t.person.c
        is_same = and_(x.sf_id == o.sf_id, x.stamp == o.stamp)
        held = exists().where(
            and_(o.person_number == p.number, o.object == LEAD, o.is_deleted.is_(False), is_same),
            and_(e.export_id == x.export_id, e.is_verified),
        )
        here = and_(text(t.OF_RULES_SQL), d.rule.in_(list(rules)), d.due_at <= now, ~held)
        found = select(d.person_id).join_from(t.due, t.person, p.person_id == d.person_id).where(here).limit(limit).subquery()
        with self.db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(found)).scalar() or 0)
