"""What reports read: leads over time, moves that syncd made, where leads stand, and how often rules fired.

Everything is walked in slices, each a short transaction; of the tables that only grow, rows outside the period are passed by in SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, cast, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB

from syncd.as_stored import operation_document
from syncd.model import Lane
from syncd.ports import LeadHistory, RuleCount, StandingLeads, StatusMove, StatusRow
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks
from syncd.store.standing import LEAD

_SLICE = 20_000
"""Rows that one statement looks at: some 50 ms of the slower engine, with everything that is joined to them."""

_MICROSECOND = timedelta(microseconds=1)


class _Made(msgspec.Struct, frozen=True, gc=False):
    """What is read of a mirrored lead."""

    created: str | None = msgspec.field(default=None, name="CreatedDate")


class _Completed(msgspec.Struct, frozen=True, gc=False):
    """What is read of a mirrored task."""

    at: str | None = msgspec.field(default=None, name="CompletedDateTime")


_MADE = msgspec.json.Decoder(_Made)
_COMPLETED = msgspec.json.Decoder(_Completed)


class ReportStore:
    """Reads of `syncd report`."""

    db: Database

    def lead_histories(self, since: datetime, until: datetime) -> Iterator[list[LeadHistory]]:
        """Every lead of which a status was first seen from `since` to before `until`, once, with all that is kept of it; in pages."""
        s, e = t.status_change.c, t.status_change.alias("earlier").c
        with self.db.read() as connection:
            last = int(connection.execute(select(func.max(s.number))).scalar() or 0)
        for start in range(0, last, _SLICE):
            seen = exists().where(and_(e.sf_id == s.sf_id, e.number < s.number, e.at >= since, e.at < until))
            here = and_(s.number > start, s.number <= start + _SLICE, s.at >= since, s.at < until)
            statement = select(s.sf_id).where(and_(here, ~seen)).order_by(s.number)
            with self.db.read() as connection:
                sf_ids = list(connection.execute(statement).scalars())
            for part in chunks(sf_ids):
                with self.db.read() as connection:
                    yield _histories(connection, part)

    def status_moves(self, since: datetime, until: datetime) -> Iterator[list[StatusMove]]:
        """Every move by syncd, and every deletion after retention, that the org took from `since` to before `until`; in pages, those of one in any order."""
        o = t.operation.c
        for after, bound in self._slices(o.operation_id, []):
            here = and_(o.operation_id > after, *([] if bound is None else [o.operation_id <= bound]))
            ended = and_(o.finished_at >= since, o.finished_at < until)
            with self.db.read() as connection:
                found = [_move(row) for row in connection.execute(_MOVES.where(and_(here, or_(_IS_MOVE, _IS_DELETION), ended)))]
            if found:
                yield found

    def standing_leads(self) -> list[StandingLeads]:
        """Where the leads of the mirror stand that are neither deleted nor converted, by status and source; sorted."""
        o, r = t.org_record.c, t.record.c
        status = func.coalesce(self._text_of(o.fields, "Status"), "").label("status")
        source = select(r.source).where(r.person_number == o.person_number).order_by(r.source_at, r.source).limit(1)
        named = func.coalesce(source.scalar_subquery(), "").label("source")
        sums: Counter[tuple[str, str]] = Counter()
        for after, bound in self._slices(o.sf_id, [o.object == LEAD]):
            here = and_(o.object == LEAD, o.sf_id > after, *([] if bound is None else [o.sf_id <= bound]))
            living = and_(here, o.is_deleted.is_(False), o.is_converted.is_(False))
            of_each = select(status, named).where(living).subquery()
            c = of_each.c
            with self.db.read() as connection:
                for *key, count in connection.execute(select(c.status, c.source, func.count()).group_by(c.status, c.source)):
                    sums[key[0], key[1]] += count
        return [StandingLeads(*key, count) for key, count in sorted(sums.items())]

    def rule_counts(self, since: datetime, until: datetime) -> list[RuleCount]:
        """How often each rule stands in the log from `since` to before `until`; sorted."""
        d = t.decision.c
        key = (d.rule_id, d.section, d.outcome)
        sums: Counter[tuple[str, str, str]] = Counter()
        begin = since
        while begin < until:
            here = and_(d.at >= begin, d.at < until)
            with self.db.read() as connection:
                bound = connection.execute(select(d.at).where(here).order_by(d.at).offset(_SLICE).limit(1)).scalar()
                end = until if bound is None else min(until, bound + _MICROSECOND)
                counted = select(*key, func.count()).where(and_(d.at >= begin, d.at < end)).group_by(*key)
                for rule_id, section, outcome, count in connection.execute(counted):
                    sums[rule_id, section, outcome] += count
            begin = end
        return [RuleCount(*one, count) for one, count in sorted(sums.items())]

    def _slices(self, key: ColumnElement[Any], where: Sequence[ColumnElement[bool]]) -> Iterator[tuple[str, str | None]]:
        """Ranges of a key, each of so many rows: what it begins after, and its last one (None: to the end)."""
        after = ""
        while True:
            statement = select(key).where(and_(key > after, *where)).order_by(key).offset(_SLICE - 1).limit(1)
            with self.db.read() as connection:
                bound = connection.execute(statement).scalar()
            yield after, bound
            if bound is None:
                return
            after = bound

    def _text_of(self, document: ColumnElement[Any], name: str) -> ColumnElement[Any]:
        """A text in a JSON document."""
        return func.json_extract(document, f"$.{name}") if self.db.is_sqlite else cast(document, JSONB).op("->>")(name)


_IS_MOVE = and_(t.operation.c.kind == "status", t.operation.c.state == "done", t.operation.c.finished_at.is_not(None))
_IS_DELETION = and_(t.operation.c.kind == "expire", t.operation.c.state == "done", t.operation.c.finished_at.is_not(None))
_MOVES = select(
    t.operation.c.sf_id,
    t.operation.c.person_number,
    t.operation.c.finished_at,
    t.operation.c.kind,
    t.operation_document.c.document,
).join_from(t.operation, t.operation_document, t.operation.c.operation_id == t.operation_document.c.operation_id)


def _move(row: Any) -> StatusMove:
    document = operation_document(row.document)
    rule = next((one.rule for one in document.provenance.values()), "")
    before, after = (str(fields.get("Status") or "") for fields in (document.before, document.fields))
    return StatusMove(row.sf_id, row.finished_at, rule, before if after else "", after, is_deletion=row.kind == "expire")


def _histories(connection: Connection, sf_ids: Sequence[str]) -> list[LeadHistory]:
    """A constant number of statements, each by an index."""
    o, s = t.org_record.c, t.status_change.c
    columns = select(o.sf_id, o.person_number, o.is_converted, o.fields).where(
        and_(o.object == LEAD, among(connection, o.sf_id, sf_ids))
    )
    leads = {row.sf_id: row for row in connection.execute(columns)}
    numbers = {row.person_number for row in leads.values() if row.person_number is not None}
    statuses: dict[str, list[StatusRow]] = {}
    statement = select(s.sf_id, s.at, s.status, s.modified_by).where(among(connection, s.sf_id, sf_ids)).order_by(s.at, s.number)
    for row in connection.execute(statement).all():
        statuses.setdefault(row[0], []).append(StatusRow(*row))
    first = _first_heard(connection, numbers)
    sources = _sources(connection, numbers)
    touches = _touches(connection, numbers)
    tasks = _tasks(connection, sf_ids)
    moves = _moves_of(connection, numbers)
    found = []
    for sf_id in sf_ids:
        lead = leads.get(sf_id)
        person = lead.person_number if lead is not None else None
        source, lane = sources.get(person, ("", None))
        mine = touches.get(person, [])
        found.append(
            LeadHistory(
                sf_id=sf_id,
                statuses=tuple(statuses.get(sf_id, ())),
                source=source,
                created_at=_instant(_MADE.decode(lead.fields).created) if lead is not None else None,
                is_converted=bool(lead is not None and lead.is_converted),
                first_at=first.get(person),
                is_news=_is_news(lane, [one for _, one in mine]),
                touches=tuple(at for at, news in mine if news < Lane.BACKFILL),
                tasks=tuple(sorted(tasks.get(sf_id, ()))),
                moves=tuple(one for one in moves.get(person, ()) if one.sf_id == sf_id),
            )
        )
    return found


def _is_news(lane: int | None, touches: Sequence[int]) -> bool:
    """Touches keep how they came; a record that was mapped anew does not, so it counts as news where there is no touch."""
    if lane is None or lane < Lane.BACKFILL:
        return True
    return any(one < Lane.BACKFILL for one in touches) if touches else lane == Lane.REMAP


def _first_heard(connection: Connection, numbers: Iterable[int]) -> dict[int | None, datetime]:
    p = t.person.c
    statement = select(p.number, p.created_at).where(among(connection, p.number, numbers))
    return {row.number: row.created_at for row in connection.execute(statement)}


def _sources(connection: Connection, numbers: Iterable[int]) -> dict[int | None, tuple[str, int]]:
    """Of each person the source of the oldest record, and the most urgent lane that any came in."""
    r = t.record.c
    statement = select(r.person_number, r.source, func.min(r.source_at), func.min(r.lane))
    found: dict[int | None, tuple[datetime, str, int]] = {}
    here = among(connection, r.person_number, numbers)
    for number, source, at, lane in connection.execute(statement.where(here).group_by(r.person_number, r.source)).all():
        known = found.get(number)
        oldest = (at, source) if known is None else min((at, source), known[:2])
        found[number] = (*oldest, lane if known is None else min(lane, known[2]))
    return {number: (source, lane) for number, (_, source, lane) in found.items()}


def _touches(connection: Connection, numbers: Iterable[int]) -> dict[int | None, list[tuple[datetime, int]]]:
    c = t.touch.c
    found: dict[int | None, list[tuple[datetime, int]]] = {}
    statement = select(c.person_number, c.at, c.lane).where(among(connection, c.person_number, numbers)).order_by(c.at)
    for number, at, lane in connection.execute(statement).all():
        found.setdefault(number, []).append((at, lane))
    return found


def _tasks(connection: Connection, sf_ids: Sequence[str]) -> dict[str, list[datetime]]:
    r = t.related.c
    # By an expression: else SQLite finds tasks by their kind, which is all of them, and not by whom they are about.
    closed = and_(r.object + "" == "Task", r.is_open.is_(False), r.is_deleted.is_(False))
    found: dict[str, list[datetime]] = {}
    here = and_(among(connection, r.who_id, sf_ids), text(t.WITH_WHO_SQL), closed)
    for who_id, fields in connection.execute(select(r.who_id, r.fields).where(here)).all():
        at = _instant(_COMPLETED.decode(fields).at)
        if at is not None:
            found.setdefault(who_id, []).append(at)
    return found


def _moves_of(connection: Connection, numbers: Iterable[int]) -> dict[int | None, list[StatusMove]]:
    found: dict[int | None, list[StatusMove]] = {}
    here = and_(among(connection, t.operation.c.person_number, numbers), _IS_MOVE)
    for row in connection.execute(_MOVES.where(here).order_by(t.operation.c.finished_at)).all():
        found.setdefault(row.person_number, []).append(_move(row))
    return found


def _instant(value: str | None) -> datetime | None:
    """An instant as the org writes it; None where it is none."""
    try:
        found = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found
