"""What done operations leave in the mirror: the echo's row, base, the person of a new record. Set-based, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, update

from syncd.as_stored import dumps
from syncd.model import OperationState, OptOutHold, OrgRow
from syncd.ports import OperationResult
from syncd.store import tables as t
from syncd.store.bulk import ALL, insert_rows, micros
from syncd.store.mirror import opt_out_turn, org_row_values
from syncd.store.shared import hides_a_person, org_rows
from syncd.store.standing import RELATED, Change, note_statuses, put_related

_COLUMNS = tuple("person_id" if column.name == "person_number" else column.name for column in t.org_record.columns)
_AS_STORED = itemgetter(*_COLUMNS)
_GONE = ("delete", "expire")
"""Kinds of writes after which the record is not there."""

Made = dict[str, tuple[dict[str, Any], str]]
"""What an echo and its base are as stored, by operation; made before the transaction, for nobody else writes during one."""


def made_of(results: Sequence[OperationResult]) -> Made:
    """The echoes among `results` as stored."""
    return {
        one.operation_id: ({} if one.echo is None else _values(one.echo), dumps(one.base) if one.base else "")
        for one in results
        if one.state is OperationState.DONE
    }


def _values(echo: OrgRow) -> dict[str, Any]:
    return {**org_row_values(echo), "stamp": micros(echo.stamp)}


def settle_records(
    connection: Connection,
    pairs: Sequence[tuple[Any, OperationResult]],
    made: Made,
    at: datetime,
    *,
    notes_statuses: bool = False,
    machines: frozenset[str] = frozenset(),
) -> None:
    """Bring the org records of done operations up to date: (operation row, its result) in order.

    An echo replaces the mirror's row by a higher or equal stamp; base takes the fields that the result names. A created record
    belongs to its person from here on, with or without an echo. Tasks and opportunities are nobody's record: they stand apart.
    """
    others = [one.echo for row, one in pairs if row.object in RELATED and one.echo is not None]
    if others:
        put_related(connection, others)
    pairs = [(row, one) for row, one in pairs if row.object not in RELATED]
    deleted = [(row.object, row.sf_id) for row, _ in pairs if row.kind in _GONE]
    # What has neither echo nor base yet changes nothing here: the operation itself keeps the record's id until it is read back.
    written = [
        (row, one, one.sf_id or row.sf_id)
        for row, one in pairs
        if row.kind not in _GONE and (one.sf_id or row.sf_id) and (one.echo is not None or one.base)
    ]
    known = org_rows(connection, sorted({(row.object, sf_id) for row, _, sf_id in written}))
    newest: dict[str, OrgRow] = {}
    records = {target: {name: getattr(row, name) for name in _COLUMNS} | _instants_of(row) for target, row in known.items()}
    for row, one, sf_id in written:
        target = (row.object, sf_id)
        record = records.get(target)
        if record is None:
            if one.echo is None and row.kind != "create":
                continue
            record = records[target] = _stub(row, sf_id)
        echo, base = made[one.operation_id]
        if one.echo is not None and (echo["stamp"] >= record["stamp"] or target not in known):
            is_hidden = hides_a_person(record["modified_by"], record["other_by"], machines)
            if target in known and record["modified_by"] != echo["modified_by"] and not is_hidden:
                record.update(other_by=record["modified_by"], other_at=record["stamp"])
            record.update(_turn_of(one, record["fields"], echo["stamp"]))
            record.update(echo)
            newest[sf_id] = one.echo
        if row.kind == "create" and not record["person_id"]:
            record["person_id"] = row.person_id
        if one.base:
            record["base"] = dumps(msgspec.json.decode(record["base"]) | one.base) if record["base"] != "{}" else base
    rows = [_AS_STORED(record) for record in records.values()]
    insert_rows(connection, t.org_record, rows, keys=("object", "sf_id"), replacing=ALL)
    if notes_statuses:
        note_statuses(connection, (_change(row, known.get((row.object, row.sf_id))) for row in newest.values()))
    o = t.org_record.c
    for name, sf_id in deleted:
        values = {"is_deleted": True, "deleted_by_us": True, "stamp": at}
        connection.execute(update(t.org_record).where(and_(o.object == name, o.sf_id == sf_id)).values(**values))


def _instants_of(row: Any) -> dict[str, int | None]:
    """The instants of a mirror row as stored."""
    return {"stamp": micros(row.stamp)} | {
        name: None if (at := getattr(row, name)) is None else micros(at) for name in ("other_at", "opted_out_at")
    }


def _turn_of(result: OperationResult, known: str, stamp: int) -> dict[str, Any]:
    """What to note of an opt-out that an echo shows. What syncd itself wrote is no storm: nobody need count it."""
    turn = {} if result.echo is None else opt_out_turn(result.echo, msgspec.json.decode(known))
    if turn.get("opted_out_at"):
        turn["opted_out_at"] = stamp
        turn["opt_out_hold"] = (OptOutHold.CALM if result.is_own_echo else OptOutHold.NEW).value
    return turn


def _change(row: OrgRow, old: Any) -> Change:
    return (row, None, None, "") if old is None else (row, msgspec.json.decode(old.fields), old.stamp, old.modified_by)


def _stub(row: Any, sf_id: str) -> dict[str, Any]:
    """A record that was created and not read back yet; anything the org says of it is newer."""
    return {
        "object": row.object,
        "sf_id": sf_id,
        "person_id": row.person_id if row.kind == "create" else "",
        "fields": "{}",
        "base": "{}",
        "stamp": micros(row.planned_at),
        "modified_by": "",
        "owner_id": "",
        "external_id": row.person_id if row.kind == "create" else "",
        "is_deleted": False,
        "merged_into": "",
        "is_converted": False,
        "contact_id": "",
        "is_survivor": True,
        "deleted_by_us": False,
        "account_id": "",
        "other_by": "",
        "other_at": None,
        "opted_out_at": None,
        "opted_out_by": "",
        "opt_out_hold": "",
    }
