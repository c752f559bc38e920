"""What a policy needs of the org besides Leads and Contacts: changes of status, activities, opportunities, users. Set-based."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, text, update

from syncd.as_stored import dumps
from syncd.model import TOLD_WON, OrgRow, Value
from syncd.store import tables as t
from syncd.store.bulk import ALL, Rows, among, insert_rows, micros, pairs
from syncd.store.engine import chunks

ACCOUNT, LEAD, USER = "Account", "Lead", "User"
RELATED = frozenset({"Task", "Event", "Opportunity"})
_INSTANTS = {
    "Task": ("CompletedDateTime", "ActivityDate", "CreatedDate"),
    "Event": ("StartDateTime", "ActivityDateTime", "ActivityDate"),
    "Opportunity": ("CloseDate",),
}
"""Fields that say when it is, was or closes; the first that has a value counts."""

Change = tuple[OrgRow, Mapping[str, Value] | None, datetime | None, str]
"""A row as it is now, and before: its fields, stamp and last editor (None: it was not there)."""


def account_of(row: OrgRow) -> str:
    """Id of a contact's account, or of the one that a lead was converted to; "" for none."""
    name = "AccountId" if row.object == "Contact" else "ConvertedAccountId"
    return str(row.fields.get(name) or "") if row.object in ("Contact", LEAD) else ""


def note_statuses(connection: Connection, changes: Iterable[Change]) -> None:
    """Remember statuses that are new, and what a lead's status was before where nothing is known of it yet."""
    moved: list[tuple[OrgRow, str, datetime, str]] = []
    rows: Rows = []
    for row, before, stamp, editor in changes:
        status = str(row.fields.get("Status") or "") if row.object == LEAD else ""
        known = str((before or {}).get("Status") or "")
        if not status or status == known:
            continue
        if known and stamp is not None:
            moved.append((row, known, stamp, editor))
        rows.append((row.sf_id, micros(row.stamp), status, row.modified_by))
    s = t.status_change.c
    seen: set[str] = set()
    for part in chunks([row.sf_id for row, *_ in moved]):
        seen |= set(connection.execute(select(s.sf_id).where(among(connection, s.sf_id, part)).distinct()).scalars())
    first: Rows = [(row.sf_id, micros(stamp), known, editor) for row, known, stamp, editor in moved if row.sf_id not in seen]
    insert_rows(connection, t.status_change, first + rows)


def put_related(connection: Connection, rows: Sequence[OrgRow]) -> int:
    """Store tasks, events and opportunities by a higher or equal stamp; gives how many changed.

    Whom they are or were about is planned again, and for whom a platform was told that they are won.
    """
    r = t.related.c
    wanted = {(row.object, row.sf_id): row for row in sorted(rows, key=lambda row: row.stamp)}
    known: dict[tuple[str, str], Any] = {}
    for part in chunks(sorted(wanted)):
        listed, match = pairs(connection, r.object, r.sf_id, part)
        found = connection.execute(select(t.related).select_from(listed.join(t.related, match)))
        known |= {(row.object, row.sf_id): row for row in found}
    changed: Rows = []
    parents: set[str] = set()
    accounts: set[str] = set()
    deals: set[str] = set()
    for key, row in wanted.items():
        values, old = _related_values(row), known.get(key)
        if old is not None and (row.stamp < old.stamp or values == _stored_values(old)):
            continue
        changed.append(values)
        deals |= {row.sf_id} if row.object == "Opportunity" else set()
        for who_id, account_id, contact_id in (values[2:5], *([(old.who_id, old.account_id, old.contact_id)] if old else [])):
            parents |= {who_id, contact_id}
            accounts |= {account_id} if row.object == "Opportunity" else set()
    count = len(changed)
    insert_rows(connection, t.related, changed, keys=("object", "sf_id"), replacing=ALL)
    mark_people_of(connection, parents, accounts)
    mark_told_of(connection, deals)
    return count


def _related_values(row: OrgRow) -> tuple[Any, ...]:
    fields = row.fields
    who_id, account_id, contact_id = (str(fields.get(name) or "") for name in ("WhoId", "AccountId", "ContactId"))
    is_open = row.object != "Event" and not row.is_deleted and fields.get("IsClosed") is not True
    at = next((found for name in _INSTANTS[row.object] if (found := moment_of(fields.get(name))) is not None), None)
    if row.object != "Opportunity":
        contact_id = ""
    key = (row.object, row.sf_id, "" if row.object == "Opportunity" else who_id, account_id, contact_id)
    return (*key, is_open, None if at is None else micros(at), dumps(fields), micros(row.stamp), row.is_deleted)


def _stored_values(row: Any) -> tuple[Any, ...]:
    key = (row.object, row.sf_id, row.who_id, row.account_id, row.contact_id, row.is_open)
    return (*key, None if row.at is None else micros(row.at), row.fields, micros(row.stamp), row.is_deleted)


def moment_of(value: Value) -> datetime | None:
    """An instant, or the begin of a day in UTC; None if it is neither."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def mark_people_of(connection: Connection, sf_ids: Iterable[str], account_ids: Iterable[str]) -> None:
    """Ask for those to be planned whose leads, contacts or accounts these are."""
    o = t.org_record.c
    is_found: tuple[tuple[ColumnElement[Any], Iterable[str], Any], ...] = (
        (o.sf_id, sf_ids, o.object.in_((LEAD, "Contact"))),
        (o.account_id, account_ids, text(t.OF_ACCOUNTS_SQL)),
    )
    for column, ids, where in is_found:
        for part in chunks(sorted(set(ids) - {""})):
            numbers = select(o.person_number).where(and_(where, among(connection, column, part), o.person_number.is_not(None)))
            connection.execute(update(t.person).where(t.person.c.number.in_(numbers)).values(**t.TO_PLAN))


def mark_told_of(connection: Connection, deal_ids: Iterable[str]) -> None:
    """Ask for those to be planned for whom a platform was told that these opportunities are won: they may be taken back."""
    p, d = t.person.c, t.due.c
    for part in chunks(sorted(deal_ids)):
        rules = among(connection, d.rule, [f"{TOLD_WON}:{one}" for one in part])
        told_for = select(d.person_id).where(and_(text(t.OF_RULES_SQL), rules))
        connection.execute(update(t.person).where(p.person_id.in_(told_for)).values(**t.TO_PLAN))


def put_users(connection: Connection, rows: Sequence[OrgRow]) -> int:
    """Store users by a higher or equal stamp; gives how many changed."""
    u = t.org_user.c
    wanted = {row.sf_id: row for row in sorted(rows, key=lambda row: row.stamp)}
    changed: Rows = []
    for part in chunks(sorted(wanted)):
        known = {row.sf_id: row for row in connection.execute(select(t.org_user).where(among(connection, u.sf_id, part)))}
        for sf_id in part:
            row, old = wanted[sf_id], known.get(sf_id)
            name, is_active = str(row.fields.get("Name") or ""), row.fields.get("IsActive") is True and not row.is_deleted
            if old is None or (row.stamp >= old.stamp and (name, is_active, row.stamp) != (old.name, old.is_active, old.stamp)):
                changed.append((sf_id, name, is_active, micros(row.stamp)))
    count = len(changed)
    insert_rows(connection, t.org_user, changed, keys=("sf_id",), replacing=ALL)
    return count
