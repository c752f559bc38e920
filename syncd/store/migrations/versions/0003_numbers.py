"""People get numbers, and what grows with them refers to the numbers: indexes grow at their end. Documents leave the outbox.

Revision ID: 0003
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IS_OPEN = sa.text("state IN ('planned', 'held', 'sent', 'unknown')")
_IS_DIRTY = sa.text("is_dirty")
_NEEDS_ECHO = sa.text("needs_echo")
_NUMBER = "(SELECT number FROM person WHERE person.person_id = {table}.person_id)"
_ID = "(SELECT person_id FROM person WHERE person.number = {table}.person_number)"


def upgrade() -> None:
    """Copies five tables; a program of before cannot use the store any more (nothing was released yet)."""
    _drop_indexes()
    _copy(
        "person", [sa.Column("number", _SERIAL, primary_key=True, autoincrement=True), *_person()], order="created_at, person_id"
    )
    op.create_index("person_by_id", "person", ["person_id"], unique=True)
    _copy("record", [*_record(), sa.Column("person_number", sa.BigInteger())], {"person_number": _NUMBER})
    _copy("org_record", [*_org_record(), sa.Column("person_number", sa.BigInteger())], {"person_number": _NUMBER})
    owner = sa.Column("person_number", sa.BigInteger(), primary_key=True, autoincrement=False)
    _copy("touch", [owner, *_touch()], {"person_number": _NUMBER}, where=f"{_NUMBER.format(table='touch')} IS NOT NULL")
    op.create_table(
        "operation_document",
        sa.Column("operation_id", sa.String(), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
    )
    op.execute("INSERT INTO operation_document (operation_id, document) SELECT operation_id, document FROM operation")
    owner = sa.Column("person_number", sa.BigInteger(), nullable=False)
    owned = f"{_NUMBER.format(table='operation')} IS NOT NULL"
    _copy("operation", [owner, *_operation()], {"person_number": _NUMBER}, order="operation_id", where=owned)
    _indexes("person_number")


def downgrade() -> None:
    """Put everything back."""
    _drop_indexes()
    known = {"person_id": f"COALESCE({_ID}, '')"}
    _copy("record", [*_record(), _owner()], known)
    _copy("org_record", [*_org_record(), _owner()], known)
    _copy("touch", [*_touch(), _owner()], known)
    document = "(SELECT document FROM operation_document AS d WHERE d.operation_id = operation.operation_id)"
    columns = [_owner(), *_operation(), sa.Column("document", sa.Text(), nullable=False)]
    _copy("operation", columns, {"person_id": _ID, "document": document})
    op.drop_table("operation_document")
    op.drop_index("person_by_id", "person")
    key, *others = _person()
    _copy("person", [sa.Column(key.name, key.type, primary_key=True), *others])
    _indexes("person_id")


def _drop_indexes() -> None:
    for name, table in (
        ("person_dirty", "person"),
        ("record_person", "record"),
        ("record_mapping", "record"),
        ("org_record_person", "org_record"),
        ("operation_open", "operation"),
        ("operation_person", "operation"),
        ("operation_run", "operation"),
        ("operation_echo", "operation"),
    ):
        op.drop_index(name, table)


def _indexes(owner: str) -> None:
    op.create_index("person_dirty", "person", ["person_id"], sqlite_where=_IS_DIRTY, postgresql_where=_IS_DIRTY)
    op.create_index("record_person", "record", [owner])
    op.create_index("record_mapping", "record", ["source", "mapping_digest"])
    op.create_index("org_record_person", "org_record", [owner])
    op.create_index("operation_open", "operation", ["target"], unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN)
    op.create_index("operation_person", "operation", [owner])
    op.create_index("operation_run", "operation", ["run_id"])
    op.create_index("operation_echo", "operation", ["operation_id"], sqlite_where=_NEEDS_ECHO, postgresql_where=_NEEDS_ECHO)


def _copy(
    table: str, columns: list[sa.Column[Any]], made: Mapping[str, str] | None = None, *, order: str = "", where: str = ""
) -> None:
    """Make `table` anew with `columns` and what it holds; `made` gives SQL for columns that it did not have."""
    op.create_table(f"{table}_new", *columns)
    sources = {column.name: column.name for column in columns if column.name != "number"}
    sources |= {name: sql.format(table=table) for name, sql in (made or {}).items()}
    statement = f"INSERT INTO {table}_new ({', '.join(sources)}) SELECT {', '.join(sources.values())} FROM {table}"  # noqa: S608 - constants
    op.execute(statement + (f" WHERE {where}" if where else "") + (f" ORDER BY {order}" if order else ""))
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)


def _owner() -> sa.Column[Any]:
    return sa.Column("person_id", sa.String(), nullable=False)


def _person() -> list[sa.Column[Any]]:
    return [
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("golden", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("is_dirty", sa.Boolean(), nullable=False),
        sa.Column("redirect", sa.String()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    ]


def _record() -> list[sa.Column[Any]]:
    return [
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("source", "stream", "key")),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("is_compressed", sa.Boolean(), nullable=False),
        sa.Column("mapping", sa.String(), nullable=False),
        sa.Column("mapping_digest", sa.String(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("source_at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("locator", sa.String(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False, server_default="2"),
    ]


def _touch() -> list[sa.Column[Any]]:
    return [
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("source", "stream", "key")),
        sa.Column("at", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text(), nullable=False),
    ]


def _org_record() -> list[sa.Column[Any]]:
    return [
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("object", "sf_id")),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("modified_by", "owner_id", "external_id")),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.String(), nullable=False),
        sa.Column("is_converted", sa.Boolean(), nullable=False),
        sa.Column("contact_id", sa.String(), nullable=False),
        sa.Column("is_survivor", sa.Boolean(), nullable=False),
        sa.Column("deleted_by_us", sa.Boolean(), nullable=False),
    ]


def _operation() -> list[sa.Column[Any]]:
    return [
        sa.Column("operation_id", sa.String(), primary_key=True),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("object", "sf_id", "target", "kind", "state", "source", "run_id")
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("needs_echo", sa.Boolean(), nullable=False),
        sa.Column("is_answered", sa.Boolean(), nullable=False),
    ]
