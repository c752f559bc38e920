"""Facts of some people for a policy: a dozen statements for all of them together, each by an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, case, func, null, select, text

from syncd.model import TOLD_WON, OrgRow, PersonView
from syncd.ports import StoredActivity, StoredFacts, StoredStatus, StoredTouch
from syncd.store import tables as t
from syncd.store.bulk import among, instant
from syncd.store.deals import deals_of
from syncd.store.decisions import LOOK_AGAIN
from syncd.store.prepared import Prepared, given, listed
from syncd.store.standing import ACCOUNT, LEAD, account_of
from syncd.store.views import LANES, org_row_of

_c, _s, _d, _e = t.touch.c, t.status_change.c, t.due.c, t.decision.c
_TOUCHES = Prepared(
    lambda connection: select(_c.person_number, _c.at, _c.document, _c.source, _c.lane).where(
        among(connection, _c.person_number, given("numbers"))
    )
)
_STATUSES = Prepared(
    lambda connection: (
        select(_s.sf_id, _s.at, _s.status, _s.modified_by)
        .where(among(connection, _s.sf_id, given("ids")))
        .order_by(_s.at, _s.number)
    )
)
_FIRED = Prepared(
    lambda connection: (
        select(_e.person_number, _e.rule_id, func.max(_e.at))
        .where(and_(among(connection, _e.person_number, given("numbers")), _e.outcome == "fired"))
        .group_by(_e.person_number, _e.rule_id)
    )
)
_OWNERS = Prepared(
    lambda connection: select(t.org_user.c.sf_id, t.org_user.c.is_active).where(
        among(connection, t.org_user.c.sf_id, given("ids"))
    )
)
_WAITING = Prepared(
    lambda connection: select(_d.person_id, _d.rule, _d.due_at).where(
        and_(among(connection, _d.person_id, given("ids")), _d.rule != LOOK_AGAIN)
    )
)


class Person(NamedTuple):
    """Whom facts are asked of."""

    number: int
    person_id: str
    created_at: datetime


class Standing(NamedTuple):
    """What of a record in the org leads on to other facts."""

    object: str
    sf_id: str
    owner_id: str
    contact_id: str
    account_id: str
    is_survivor: bool


class _Touch(msgspec.Struct, frozen=True, gc=False):
    channel: str = ""
    campaign: str = ""
    consent: str = ""


_NONE: frozenset[str] = frozenset()
_TOUCH = msgspec.json.Decoder(_Touch)


def standings_of(connection: Connection, people: Sequence[Person]) -> dict[str, list[Standing]]:
    """Living records in the org by person."""
    o = t.org_record.c
    by_number = {one.number: one.person_id for one in people}
    columns = (o.person_number, o.object, o.sf_id, o.owner_id, o.contact_id, o.account_id, o.is_survivor)
    here = and_(among(connection, o.person_number, by_number), o.is_deleted.is_(False))
    found: dict[str, list[Standing]] = {}
    for number, *record in connection.execute(select(*columns).where(here)).all():
        found.setdefault(by_number[number], []).append(Standing(*record))
    return found


def standings_in(views: Iterable[PersonView]) -> dict[str, list[Standing]]:
    """The same from views that were read already."""
    return {
        view.person_id: [
            Standing(row.object, row.sf_id, row.owner_id, row.contact_id, account_of(row), one.is_survivor)
            for one in view.org_records
            if not (row := one.row).is_deleted
        ]
        for view in views
        if view.org_records
    }


def facts_of(
    connection: Connection,
    people: Sequence[Person],
    standings: Mapping[str, list[Standing]],
    machine_users: frozenset[str],
    now: datetime,
) -> dict[str, StoredFacts]:
    """Facts by person id."""
    numbers = {one.number: one.person_id for one in people}
    records = [record for one in standings.values() for record in one]
    contact_ids = {one.contact_id for one in records if one.contact_id}
    sf_ids = {one.sf_id for one in records} | contact_ids
    # A converted lead leads on to its contact, which need not be known as the person's yet.
    of_contacts = _accounts_of_contacts(connection, contact_ids - {one.sf_id for one in records})
    accounts = {one: account_id for one, mine in standings.items() if (account_id := _account(mine, of_contacts))}
    touches = _touches(connection, numbers)
    statuses = _statuses(connection, {one.sf_id for one in records if one.object == LEAD}, machine_users)
    activities = _activities(connection, sf_ids, now)
    account_rows = _account_rows(connection, set(accounts.values()))
    by_account = opportunities_of(connection, t.related.c.account_id, set(accounts.values()))
    by_contact = opportunities_of(
        connection, t.related.c.contact_id, contact_ids | {r.sf_id for r in records if r.object != LEAD}
    )
    deals = deals_of(connection, contact_ids | {r.sf_id for r in records if r.object != LEAD})
    owners = _owners(connection, {one.owner_id for one in records})
    fired = _fired(connection, numbers)
    waiting = _waiting(connection, list(numbers.values()))
    found = {}
    for person in people:
        one = person.person_id
        mine = standings.get(one, ())
        ids = {r.sf_id: None for r in mine} | {r.contact_id: None for r in mine if r.contact_id}
        account_id = accounts.get(one, "")
        found[one] = StoredFacts(
            one,
            person.created_at,
            tuple(touches.get(person.number, ())),
            {sf_id: tuple(statuses[sf_id]) for sf_id in ids if sf_id in statuses},
            {sf_id: activities[sf_id] for sf_id in ids if sf_id in activities} if activities else {},
            account_rows.get(account_id),
            frozenset(by_account.get(account_id, ())) if by_account else _NONE,
            frozenset(opened for sf_id in ids for opened in by_contact.get(sf_id, ())) if by_contact else _NONE,
            {r.owner_id: owners[r.owner_id] for r in mine if r.owner_id in owners},
            fired.get(person.number, {}),
            waiting.get(one, {}),
            tuple(sorted((deal for sf_id in ids for deal in deals.get(sf_id, ())), key=lambda deal: deal.sf_id)) if deals else (),
        )
    return found


def _account(standings: Sequence[Standing], of_contacts: Mapping[str, str]) -> str:
    """The account of the contact, else of the converted lead; the one we write to goes first, then the first by id."""
    if not any(one.account_id or one.contact_id for one in standings):
        return ""
    found = sorted(
        (one.object == LEAD, not one.is_survivor, one.sf_id, account_id)
        for one in standings
        if (account_id := one.account_id or of_contacts.get(one.contact_id, ""))
    )
    return found[0][-1] if found else ""


def _accounts_of_contacts(connection: Connection, contact_ids: set[str]) -> dict[str, str]:
    if not contact_ids:
        return {}
    o = t.org_record.c
    here = and_(o.object == "Contact", among(connection, o.sf_id, contact_ids), o.is_deleted.is_(False))
    return {row.sf_id: row.account_id for row in connection.execute(select(o.sf_id, o.account_id).where(here))}


def _touches(connection: Connection, numbers: Iterable[int]) -> dict[int, list[StoredTouch]]:
    found: dict[int, list[StoredTouch]] = {}
    for number, at, document, source, lane in _TOUCHES.rows(connection, numbers=listed(numbers)):
        said = _TOUCH.decode(document)
        touch = StoredTouch(said.channel, instant(at), said.campaign, source, LANES[lane], said.consent)
        found.setdefault(number, []).append(touch)
    for mine in found.values():
        if len(mine) > 1:
            mine.sort(key=lambda one: (one.at, one.source, one.channel, one.campaign))
    return found


def _statuses(connection: Connection, lead_ids: set[str], machine_users: frozenset[str]) -> dict[str, list[StoredStatus]]:
    if not lead_ids:
        return {}
    found: dict[str, list[StoredStatus]] = {}
    for sf_id, at, status, editor in _STATUSES.rows(connection, ids=listed(lead_ids)):
        found.setdefault(sf_id, []).append(StoredStatus(status, instant(at), editor not in machine_users))
    return found


def _activities(connection: Connection, sf_ids: set[str], now: datetime) -> dict[str, StoredActivity]:
    if not sf_ids:
        return {}
    r = t.related.c
    is_open_task = and_(r.object == "Task", r.is_open)
    statement = select(
        r.who_id,
        func.sum(case((is_open_task, 1), else_=0)),
        func.min(case((and_(r.object == "Event", r.at > now), r.at), else_=null())),
        func.max(case((and_(r.is_open.is_(False), r.at <= now), r.at), else_=null())),
    ).where(and_(among(connection, r.who_id, sf_ids), text(t.WITH_WHO_SQL), r.is_deleted.is_(False)))
    return {
        who: StoredActivity(int(count), soon, last) for who, count, soon, last in connection.execute(statement.group_by(r.who_id))
    }


def _account_rows(connection: Connection, account_ids: set[str]) -> dict[str, OrgRow]:
    if not account_ids:
        return {}
    o = t.org_record.c
    here = and_(o.object == ACCOUNT, among(connection, o.sf_id, account_ids), o.is_deleted.is_(False))
    return {row.sf_id: org_row_of(row) for row in connection.execute(select(t.org_record).where(here))}


def opportunities_of(connection: Connection, parent: Any, parent_ids: set[str]) -> dict[str, list[str]]:
    """Ids of the open opportunities by what the column `parent` names."""
    if not parent_ids:
        return {}
    here = and_(among(connection, parent, parent_ids), text(t.OPEN_OPPORTUNITIES_SQL))
    found: dict[str, list[str]] = {}
    for parent_id, sf_id in connection.execute(select(parent, t.related.c.sf_id).where(here)).all():
        found.setdefault(parent_id, []).append(sf_id)
    return found


def _owners(connection: Connection, user_ids: set[str]) -> dict[str, bool]:
    return {sf_id: bool(is_active) for sf_id, is_active in _OWNERS.rows(connection, ids=listed(user_ids))} if user_ids else {}


def _fired(connection: Connection, numbers: Iterable[int]) -> dict[int, dict[str, datetime]]:
    found: dict[int, dict[str, datetime]] = {}
    for number, rule, at in _FIRED.rows(connection, numbers=listed(numbers)):
        found.setdefault(number, {})[rule] = instant(at)
    return found


def _waiting(connection: Connection, person_ids: Sequence[str]) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = {}
    for person_id, rule, at in _WAITING.rows(connection, ids=listed(person_ids)):
        if rule.startswith(TOLD_WON):
            continue  # no hold period: only the mirror asks for it
        found.setdefault(person_id, {})[rule] = instant(at)
    return found
