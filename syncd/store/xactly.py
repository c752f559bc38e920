"""What was exported to Xactly: batches with their files, and of each line every version and its reversal. Never pruned."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from syncd.errors import ClaimConflictError
from syncd.ports import XactlyBatch, XactlyRow
from syncd.store import tables as t
from syncd.store.bulk import among, insert_rows
from syncd.store.engine import Database, pack, unpack

_STANDING, _REVERSED, _REPLACED, _REVERSAL = "standing", "reversed", "replaced", "reversal"
_FILES = msgspec.json.Decoder(dict[str, str])


class XactlyStore:
    """The ledger of exports."""

    db: Database

    def put_xactly_batch(self, batch: XactlyBatch, rows: Sequence[XactlyRow]) -> None:
        """Store a batch with all that is in it; durable when it returns. A reversal comes before the version that follows it.

        Raises:
            ClaimConflictError: Another export has taken the name of the batch, or one of the rows, meanwhile. Nothing is stored then.
        """
        files, is_compressed = pack(msgspec.json.encode(batch.files))
        values = {
            "name": batch.name,
            "period": batch.period,
            "number": batch.number,
            "state": batch.state,
            "created_at": batch.created_at,
            "row_count": batch.rows,
            "assignment_count": batch.assignments,
            "files": files,
            "is_compressed": is_compressed,
        }
        with self.db.write() as connection:
            try:
                connection.execute(insert(t.xactly_batch).values(values))
                _turn(connection, [row for row in rows if row.is_reversal], _STANDING, _REVERSED)
                _turn(connection, [row for row in rows if not row.is_reversal and row.version > 1], _REVERSED, _REPLACED)
                insert_rows(connection, t.xactly_row, [_stored(batch.name, row) for row in rows])
            except (IntegrityError, sqlite3.IntegrityError) as error:
                raise ClaimConflictError(
                    "Another export to Xactly is under way.", advice="Nothing was exported by this one; run it again."
                ) from error

    def set_xactly_state(self, name: str, state: str) -> None:
        """How far the delivery of a batch has come."""
        with self.db.write() as connection:
            connection.execute(update(t.xactly_batch).where(t.xactly_batch.c.name == name).values(state=state))

    def xactly_batches(self) -> list[XactlyBatch]:
        """All batches in the order of their making, without their files."""
        c = t.xactly_batch.c
        columns = select(c.name, c.period, c.number, c.created_at, c.row_count, c.assignment_count, c.state)
        with self.db.read() as connection:
            return [XactlyBatch(*row) for row in connection.execute(columns.order_by(c.period, c.number))]

    def xactly_batch(self, name: str) -> XactlyBatch | None:
        """A batch with its files; None if there is none of that name."""
        with self.db.read() as connection:
            row = connection.execute(select(t.xactly_batch).where(t.xactly_batch.c.name == name)).first()
        if row is None:
            return None
        files = _FILES.decode(unpack(row.files, row.is_compressed))
        return XactlyBatch(
            row.name, row.period, row.number, row.created_at, row.row_count, row.assignment_count, row.state, files
        )

    def xactly_heads(self) -> list[XactlyRow]:
        """Of each line its latest version, without its document."""
        c = t.xactly_row.c
        columns = select(c.deal, c.part, c.version, c.order_code, c.digest, c.state)
        with self.db.read() as connection:
            found = connection.execute(columns.where(c.state.in_((_STANDING, _REVERSED))).order_by(c.deal, c.part))
            return [_head(row) for row in found]

    def xactly_documents(self, keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]:
        """The documents of versions by (deal, part, version); unknown ones are left out."""
        c = t.xactly_row.c
        wanted = set(keys)
        columns = select(c.deal, c.part, c.version, c.document)
        with self.db.read() as connection:
            here = and_(among(connection, c.deal, sorted({deal for deal, _, _ in wanted})), c.is_reversal.is_(False))
            found = {(row.deal, row.part, row.version): bytes(row.document) for row in connection.execute(columns.where(here))}
        return {key: document for key, document in found.items() if key in wanted}


def _turn(connection: Connection, rows: Sequence[XactlyRow], before: str, after: str) -> None:
    """The state of the versions that these rows end."""
    if rows:
        c = t.xactly_row.c
        here = and_(c.deal == bindparam("of_deal"), c.part == bindparam("of_part"), c.state == before)
        statement = update(t.xactly_row).where(here).values(state=after)
        connection.execute(statement, [{"of_deal": row.deal, "of_part": row.part} for row in rows])


def _stored(batch: str, row: XactlyRow) -> tuple[object, ...]:
    state = _REVERSAL if row.is_reversal else _STANDING
    return (row.deal, row.part, row.version, row.is_reversal, batch, row.order_code, row.digest, row.document, state)


def _head(row: Any) -> XactlyRow:
    return XactlyRow(row.deal, row.part, row.version, row.order_code, bytes(row.digest), is_standing=row.state == _STANDING)
