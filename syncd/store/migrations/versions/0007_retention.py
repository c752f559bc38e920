"""Deletion after retention: exports and the leads in them, dates of rules by an index, and who changed a record before the last one.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_RULES = sa.text("rule <> ''")
_UNMARKED = sa.text("NOT is_marked")


def upgrade() -> None:
    """Only adds; the program before still runs on it."""
    op.add_column("org_record", sa.Column("other_by", sa.String(), nullable=False, server_default=""))
    op.add_column("org_record", sa.Column("other_at", sa.BigInteger()))
    op.create_index("due_rule", "due", ["rule", "due_at", "person_id"], sqlite_where=_OF_RULES, postgresql_where=_OF_RULES)
    op.create_table(
        "lead_export",
        sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("export_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("is_verified", sa.Boolean(), nullable=False),
    )
    op.create_index("lead_export_by_id", "lead_export", ["export_id"], unique=True)
    op.create_table(
        "exported_lead",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("export_id", "sf_id")),
        sa.Column("person_number", sa.BigInteger()),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("is_marked", sa.Boolean(), nullable=False),
    )
    op.create_index("exported_lead_of", "exported_lead", ["sf_id"])
    op.create_index(
        "exported_lead_unmarked",
        "exported_lead",
        ["export_id", "sf_id"],
        sqlite_where=_UNMARKED,
        postgresql_where=_UNMARKED,
    )


def downgrade() -> None:
    """Put everything back."""
    for name in ("exported_lead", "lead_export"):
        op.drop_table(name)
    op.drop_index("due_rule", "due")
    with op.batch_alter_table("org_record") as batch:
        batch.drop_column("other_at")
        batch.drop_column("other_by")
