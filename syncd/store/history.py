"""What the store knows of some people's past, for a replay: every status, task and event, and since when a record is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, and_, func, select, text

from syncd.model import PersonView
from syncd.ports import PastActivity, StatusRow, StoredHistory
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database
from syncd.store.facts import Person
from syncd.store.standing import moment_of

_PAGE = 20_000


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What of a task or event is read here."""

    CreatedDate: str | None = None
    CompletedDateTime: str | None = None


_SAID = msgspec.json.Decoder(_Said)


class Arrivals:
    """Records that came after an instant, and when. Read on the first question: links are kept in the order in which they were made."""

    def __init__(self, db: Database, since: datetime) -> None:
        """Of `db`; nothing is read yet."""
        self._db = db
        self.since = since
        self._found: dict[int, datetime] | None = None

    def __getitem__(self, ref: tuple[str, str, str]) -> datetime | None:
        """When a record was first joined to anybody; None if that was before, or if nobody says."""
        if self._found is None:
            self._found = self._read()
        return self._found.get(hash(tuple(ref)))

    def _read(self) -> dict[int, datetime]:
        """By hash: a million keys would take three times the room."""
        k = t.link.c
        found: dict[int, datetime] = {}
        known_before: list[int] = []
        after = 0
        while True:
            statement = (
                select(k.link_id, k.source, k.stream, k.key, k.at).where(k.link_id > after).order_by(k.link_id).limit(_PAGE)
            )
            with self._db.read() as connection:
                rows = connection.execute(statement).all()
            for number, *ref, at in rows:
                after = number
                place = hash(tuple(ref))
                if at <= self.since:
                    known_before.append(place)
                else:
                    found.setdefault(place, at)
            if len(rows) < _PAGE:
                break
        for place in known_before:
            found.pop(place, None)
        return found


def histories_of(
    connection: Connection, people: Sequence[Person], views: Sequence[PersonView], *, since: datetime, arrivals: Arrivals
) -> dict[str, StoredHistory]:
    """Histories by person id."""
    rows = [one.row for view in views for one in view.org_records]
    statuses = _statuses(connection, {row.sf_id for row in rows if row.object == "Lead"})
    activities = _activities(connection, {row.sf_id for row in rows} | {row.contact_id for row in rows if row.contact_id})
    fired = _fired(connection, people, since)
    found = {}
    for view in views:
        ids = {one for record in view.org_records for one in (record.row.sf_id, record.row.contact_id) if one}
        arrived = {record.ref: at for record in view.records if (at := arrivals[record.ref]) is not None}
        found[view.person_id] = StoredHistory(
            statuses={sf_id: tuple(statuses[sf_id]) for sf_id in ids if sf_id in statuses},
            activities={sf_id: tuple(activities[sf_id]) for sf_id in ids if sf_id in activities},
            arrived=arrived,
            fired=fired.get(view.person_id, {}),
        )
    return found


def _statuses(connection: Connection, lead_ids: set[str]) -> Mapping[str, list[StatusRow]]:
    s = t.status_change.c
    found: dict[str, list[StatusRow]] = {}
    if lead_ids:
        statement = select(s.sf_id, s.at, s.status, s.modified_by).where(among(connection, s.sf_id, lead_ids))
        for row in connection.execute(statement.order_by(s.at, s.number)).all():
            found.setdefault(row[0], []).append(StatusRow(*row))
    return found


def _activities(connection: Connection, sf_ids: set[str]) -> Mapping[str, list[PastActivity]]:
    r = t.related.c
    found: dict[str, list[PastActivity]] = {}
    if sf_ids:
        columns = (r.who_id, r.object, r.is_open, r.is_deleted, r.stamp, r.at, r.fields)
        here = and_(among(connection, r.who_id, sf_ids), text(t.WITH_WHO_SQL))
        for who_id, name, is_open, is_deleted, stamp, at, fields in connection.execute(select(*columns).where(here)).all():
            said = _SAID.decode(fields)
            created_at, done_at = moment_of(said.CreatedDate), moment_of(said.CompletedDateTime)
            one = PastActivity(name == "Task", is_open, is_deleted, stamp, created_at, at, done_at)
            found.setdefault(who_id, []).append(one)
    return found


def _fired(connection: Connection, people: Sequence[Person], before: datetime) -> Mapping[str, dict[str, datetime]]:
    d = t.decision.c
    ids = {one.number: one.person_id for one in people}
    here = and_(among(connection, d.person_number, ids), d.outcome == "fired", d.at <= before)
    statement = select(d.person_number, d.rule_id, func.max(d.at)).where(here).group_by(d.person_number, d.rule_id)
    found: dict[str, dict[str, datetime]] = {}
    for number, rule, at in connection.execute(statement).all():
        found.setdefault(ids[number], {})[rule] = at
    return found
