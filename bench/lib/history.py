"""A store with a year of history for as many people as are asked for, written past the house's own ways: a minute for a million.

What it holds is what a company with programs would have: leads in every status, touches, changes of status by syncd and by reps,
tasks, some contacts with accounts. The same numbers give the same store.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from syncd.clock import FixedClock
from syncd.model import FieldValue, Lead, Touch
from syncd.store import open_store, tables
from syncd.store.bulk import micros

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
OWN_USER, REP, QUEUE = "005000000000000AAA", "005000000000001AAA", "00G000000000001AAA"
STATUSES = ("Open - Not Contacted", "Working - Contacted", "Qualified", "Nurture", "Unqualified", "Archived")
_CHANNELS = ("email", "form", "webinar_attended", "demo", "reply", "pricing")
_TITLES = ("Head of Sales", "VP Marketing", "Clerk", "Student", "Director", "Engineer", "Assistant")
_CHUNK = 5_000
_YEAR = 365 * 86_400
_TABLES = ("person", "record", "org_record", "touch", "status_change", "related", "due")

Rows = dict[str, list[tuple[Any, ...]]]


def build(path: Path, people: int) -> None:
    """Make a store of so many people at `path`; does nothing if there is one already."""
    if path.exists():
        return
    store = open_store(f"sqlite:///{path}", clock=FixedClock(NOW))
    for name in ("Lead", "Contact", "Account", "Task", "Event", "Opportunity", "User"):
        store.set_mirror_cursor(name, NOW)
    store.put_setting("own_user_id", OWN_USER)
    store.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    users = [(REP, "Rep", True, micros(NOW - timedelta(days=300)))]
    with _Transaction(connection):
        connection.executemany("INSERT INTO org_user VALUES (?, ?, ?, ?)", users)
    for first in range(0, people, _CHUNK):
        rows: Rows = {name: [] for name in _TABLES}
        for number in range(first + 1, min(first + _CHUNK, people) + 1):
            _person(random.Random(number), number, rows)  # noqa: S311 - a benchmark
        with _Transaction(connection):
            for name, some in rows.items():
                _insert(connection, name, some)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


class _Transaction:
    """A transaction of the bare driver."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, name: str, rows: list[tuple[Any, ...]]) -> None:
    columns = [one.name for one in tables.metadata.tables[name].columns if not (name == "status_change" and one.name == "number")]
    marks = ", ".join("?" for _ in columns)
    names = ", ".join(f'"{one}"' for one in columns)
    connection.executemany(f"INSERT INTO {name} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own names


def _person(rng: random.Random, number: int, rows: Rows) -> None:
    """One person: where they came from, and what became of them."""
    person_id = f"{number * 2654435761 % 2**64:016x}"
    came_at = NOW - timedelta(seconds=rng.randrange(86_400, _YEAR))
    rows["person"].append((number, person_id, "active", "{}", "{}", False, None, micros(came_at), 0))
    last_at = came_at
    for turn in range(1 if rng.random() < 0.9 else 2):
        last_at = came_at if turn == 0 else _between(rng, came_at)
        _record(rng, number, turn, last_at, rows)
    for turn in range(rng.choice((0, 0, 1, 1, 2, 4))):
        touch = Touch(rng.choice(_CHANNELS), at=(at := _between(rng, came_at)).isoformat(), campaign="Fair")
        rows["touch"].append((number, "site", "touches", f"{number}-{turn}", micros(at), _text(touch), 2))
    if rng.random() < 0.95:
        _lead(rng, number, person_id, came_at, rows)
    if rng.random() < 0.3:
        rows["due"].append((person_id, "", micros(NOW + timedelta(days=rng.randrange(1, 60)))))


def _record(rng: random.Random, number: int, turn: int, at: datetime, rows: Rows) -> None:
    values: dict[str, Any] = {
        "Email": f"person{number}@example.com", "FirstName": f"First{number}", "LastName": f"Last{number}",
        "Company": f"Company {number % 9_973}", "Title": rng.choice(_TITLES), "Country": rng.choice(("DE", "AT", "FR")),
        "NumberOfEmployees": rng.choice((2, 8, 40, 300)), "LeadSource": "Web",
    }  # fmt: skip
    lead = Lead({name: FieldValue(value, line=5) for name, value in values.items()}, touch=Touch("email", at=at.isoformat()))
    key = f"{number}-{turn}"
    rows["record"].append(
        (
            "newsletter",
            "members",
            key,
            b"d" * 16,
            b"{}",
            False,
            "mailchimp",
            "m",
            _text(lead),
            number,
            micros(at),
            0,
            key,
            2,
            None,
        )
    )
    rows["touch"].append((number, "newsletter", "members", key, micros(at), _text(lead.touch), 2))


def _lead(rng: random.Random, number: int, person_id: str, came_at: datetime, rows: Rows) -> None:
    """A lead with its statuses; every twentieth was converted."""
    sf_id = f"00Q{number:012d}AAA"
    created_at = came_at + timedelta(minutes=1)
    status, stamp, editor = STATUSES[0], created_at, OWN_USER
    rows["status_change"].append((sf_id, micros(stamp), status, editor))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        stamp = _between(rng, stamp)
        status, editor = rng.choice(STATUSES), rng.choice((OWN_USER, REP))
        rows["status_change"].append((sf_id, micros(stamp), status, editor))
    is_converted = number % 20 == 0
    contact_id, account_id = (f"003{number:012d}AAA", f"001{number % 9_973:012d}AAA") if is_converted else ("", "")
    fields = {
        "FirstName": f"First{number}", "LastName": f"Last{number}", "Email": f"person{number}@example.com", "Phone": None,
        "MobilePhone": None, "Company": f"Company {number % 9_973}", "Status": status, "HasOptedOutOfEmail": number % 33 == 0,
        "HasOptedOutOfFax": False, "DoNotCall": False, "Title": rng.choice(_TITLES), "Rating": rng.choice((None, "Hot", "Cold")),
        "AnnualRevenue": rng.choice((None, 50_000, 2_000_000)), "NumberOfEmployees": rng.choice((2, 8, 40, 300)),
        "OwnerId": REP, "CreatedDate": created_at.isoformat(), "Syncd_Hold_Until__c": None, "Syncd_Archived__c": False,
    }  # fmt: skip
    if is_converted:
        fields["ConvertedAccountId"] = account_id
    rows["org_record"].append(_row("Lead", sf_id, number, fields, stamp, editor, person_id, contact_id, account_id))
    if is_converted:
        held = {
            "FirstName": f"First{number}",
            "LastName": f"Last{number}",
            "AccountId": account_id,
            "CreatedDate": stamp.isoformat(),
        }
        rows["org_record"].append(_row("Contact", contact_id, number, held, stamp, REP, "", "", account_id))
    if rng.random() < 0.1:
        opened_at = _between(rng, created_at)
        is_open = rng.random() < 0.3
        done_at = None if is_open else _between(rng, opened_at)
        task = {"WhoId": sf_id, "CreatedDate": opened_at.isoformat(), "CompletedDateTime": done_at and done_at.isoformat()}
        at = micros(done_at or opened_at)
        rows["related"].append(("Task", f"00T{number:012d}AAA", sf_id, "", "", is_open, at, _text(task), at, False))


def _row(
    name: str, sf_id: str, number: int, fields: dict[str, Any], stamp: datetime, editor: str, external_id: str, contact_id: str,
    account_id: str,
) -> tuple[Any, ...]:  # fmt: skip
    is_converted = bool(contact_id)
    return (
        name, sf_id, number, _text(fields), "{}", micros(stamp), editor, REP, external_id, False, "", is_converted, contact_id, True,
        False, account_id, "", None, *((micros(stamp), REP, "calm") if fields.get("HasOptedOutOfEmail") else (None, "", "")),
    )  # fmt: skip


def _between(rng: random.Random, start: datetime) -> datetime:
    """An instant from `start` to now."""
    return start + timedelta(seconds=rng.random() * (NOW - start).total_seconds())


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def bare_rows(path: Path) -> Iterator[int]:
    """The floor: the same tables read from front to back by the bare driver, nothing made of the rows; gives how many each has."""
    connection = sqlite3.connect(path)
    for name in _TABLES[:-1]:
        count = 0
        for _ in connection.execute(f"SELECT * FROM {name}"):  # noqa: S608 - our own names
            count += 1
        yield count
    connection.close()
