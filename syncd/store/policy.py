"""What a policy reads: facts of some people in a constant number of statements, and of everybody in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, func, select

from syncd.model import Deal, OrgRow, PersonView
from syncd.ports import StoredFacts, StoredHistory
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.deals import deals_by_id
from syncd.store.engine import Database, chunks
from syncd.store.facts import Person, facts_of, opportunities_of, standings_in, standings_of
from syncd.store.history import Arrivals, histories_of
from syncd.store.standing import ACCOUNT
from syncd.store.views import PersonRow, org_row_of, views_of_rows

_PAGE = 500
_MAX_HOLDERS = 60


class FactStore:
    """Facts for policies."""

    db: Database
    _arrivals: Arrivals | None = None

    def person_facts(
        self, person_ids: Sequence[str], machine_users: Iterable[str], now: datetime | None = None
    ) -> dict[str, StoredFacts]:
        """Facts by person; unknown ids are left out. Activities are told apart by `now`, the clock's if it is not given."""
        p = t.person.c
        machines = frozenset(machine_users)
        found: dict[str, StoredFacts] = {}
        with self.db.read() as connection:
            for part in chunks(list(person_ids)):
                statement = select(p.number, p.person_id, p.created_at).where(among(connection, p.person_id, part))
                people = [Person(*row) for row in connection.execute(statement)]
                standings = standings_of(connection, people)
                found |= facts_of(connection, people, standings, machines, now or self.db.clock.now())
        return found

    def deals(self, sf_ids: Iterable[str]) -> dict[str, Deal]:
        """Opportunities by their ids, whoever is their contact, deleted ones too; unknown ids are left out."""
        with self.db.read() as connection:
            return deals_by_id(connection, sf_ids)

    def facts_stream(
        self, machine_users: Iterable[str], after: str = "", limit: int | None = None, now: datetime | None = None
    ) -> Iterator[list[tuple[PersonView, StoredFacts]]]:
        """Views and facts of everybody who was not merged or erased, a page in each short transaction.

        In the order in which people came, so that every table is read from its beginning to its end and no page of it twice:
        `after` is the last person that was seen, `limit` how many are looked at.
        """
        pages = self._pages(frozenset(machine_users), after, limit, now or self.db.clock.now(), _nothing)
        return ([(view, facts) for view, facts, _ in page] for page in pages)

    def history_stream(
        self,
        machine_users: Iterable[str],
        since: datetime,
        after: str = "",
        limit: int | None = None,
        now: datetime | None = None,
    ) -> Iterator[list[tuple[PersonView, StoredFacts, StoredHistory]]]:
        """The same with what is known of the time from `since` on, for one replay: what arrived when is read once and kept."""
        if self._arrivals is None or self._arrivals.since != since:
            self._arrivals = Arrivals(self.db, since)
        more = partial(histories_of, since=since, arrivals=self._arrivals)
        return self._pages(frozenset(machine_users), after, limit, now or self.db.clock.now(), more)

    def _pages(
        self, machines: frozenset[str], after: str, limit: int | None, at: datetime, more: Callable[..., Mapping[str, Any]]
    ) -> Iterator[list[tuple[PersonView, StoredFacts, Any]]]:
        """Pages of views, facts and what `more` gives of these people, by their ids."""
        p = t.person.c
        with self.db.read() as connection:
            number = 0 if not after else connection.execute(select(p.number).where(p.person_id == after)).scalar_one()
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            statement = select(p.number, p.person_id, p.created_at, p.state, p.notes, p.marks).where(p.number > number)
            with self.db.read() as connection:
                rows = connection.execute(statement.order_by(p.number).limit(size)).all()
                if not rows:
                    return
                living = [row for row in rows if row.state in ("active", "review")]
                people = [Person(row.number, row.person_id, row.created_at) for row in living]
                views = views_of_rows(
                    connection, [PersonRow(row.number, row.person_id, row.state, row.notes, row.marks) for row in living]
                )
                facts = facts_of(connection, people, standings_in(views), machines, at)
                others = more(connection, people, views)
            number = rows[-1].number
            left = None if left is None else left - len(rows)
            yield [(view, facts[view.person_id], others.get(view.person_id)) for view in views]

    def stream_parts(self, count: int) -> list[tuple[str, int]]:
        """`after` and `limit` of up to `count` streams that together see everybody, for as many processes."""
        p = t.person.c
        with self.db.read() as connection:
            total = int(connection.execute(select(func.count()).select_from(t.person)).scalar() or 0)
            size = -(-total // count) if total else 0
            parts: list[tuple[str, int]] = []
            for start in range(0, total, size or 1):
                before = select(p.person_id).order_by(p.number).offset(start - 1).limit(1)
                parts.append((str(connection.execute(before).scalar()) if start else "", size))
        return parts

    def accounts_by(self, kind: str, values: Iterable[str]) -> dict[str, tuple[OrgRow, ...]]:
        """Living accounts by the keys they were stored with (`account_domain`, `account_name`), in the order of their ids."""
        b, o = t.block_key.c, t.org_record.c
        found: dict[str, list[OrgRow]] = {}
        owned = and_(o.object == b.subject_kind, o.sf_id == b.subject_id)
        with self.db.read() as connection:
            for part in chunks(sorted(set(values))):
                here = and_(b.kind == kind, among(connection, b.value, part), b.subject_kind == ACCOUNT)
                statement = select(b.value, t.org_record).join_from(t.block_key, t.org_record, owned).where(here)
                for row in connection.execute(statement.where(o.is_deleted.is_(False)).order_by(b.value, o.sf_id)):
                    known = found.setdefault(row.value, [])
                    if len(known) < _MAX_HOLDERS:
                        known.append(org_row_of(row))
        return {value: tuple(rows) for value, rows in found.items()}

    def accounts_of_domains(self, domains: Iterable[str]) -> dict[str, tuple[OrgRow, ...]]:
        """Living accounts by the domains (`contact_domain`) of their living contacts' mailboxes, in the order of their ids."""
        b, account = t.block_key.c, t.org_record.alias("account")
        contact = t.org_record.alias("contact")
        found: dict[str, list[OrgRow]] = {}
        its_contact = and_(contact.c.object == b.subject_kind, contact.c.sf_id == b.subject_id)
        with self.db.read() as connection:
            for part in chunks(sorted(set(domains))):
                pairs = (
                    select(b.value, contact.c.account_id)
                    .join_from(t.block_key, contact, its_contact)
                    .where(and_(b.kind == "contact_domain", among(connection, b.value, part), b.subject_kind == "Contact"))
                    .where(and_(contact.c.is_deleted.is_(False), contact.c.account_id != ""))
                    .distinct()
                    .subquery()
                )
                its_account = and_(account.c.object == ACCOUNT, account.c.sf_id == pairs.c.account_id)
                statement = select(pairs.c.value, account).join_from(pairs, account, its_account)
                for row in connection.execute(
                    statement.where(account.c.is_deleted.is_(False)).order_by(pairs.c.value, account.c.sf_id)
                ):
                    known = found.setdefault(row.value, [])
                    if len(known) < _MAX_HOLDERS:
                        known.append(org_row_of(row))
        return {value: tuple(rows) for value, rows in found.items()}

    def with_open_opportunities(self, sf_ids: Iterable[str]) -> frozenset[str]:
        """Those accounts and contacts, by their ids, that have an open opportunity."""
        ids = set(sf_ids)
        r = t.related.c
        with self.db.read() as connection:
            found = [opportunities_of(connection, column, ids) for column in (r.account_id, r.contact_id)]
        return frozenset(one for known in found for one in known)


def _nothing(connection: Connection, people: Sequence[Person], views: Sequence[PersonView]) -> dict[str, Any]:
    """More of nobody."""
    del connection, people, views
    return {}
