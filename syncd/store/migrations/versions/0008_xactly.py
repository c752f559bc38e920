"""What was exported to Xactly: batches with their files, and each version of each line.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

_HEADS = sa.text("state IN ('standing', 'reversed')")


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.create_table(
        "xactly_batch",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("assignment_count", sa.Integer(), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("is_compressed", sa.Boolean(), nullable=False),
    )
    op.create_index("xactly_batch_number", "xactly_batch", ["period", "number"], unique=True)
    op.create_table(
        "xactly_row",
        sa.Column("deal", sa.String(), primary_key=True),
        sa.Column("part", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("is_reversal", sa.Boolean(), primary_key=True),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("order_code", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
    )
    op.create_index("xactly_row_head", "xactly_row", ["deal", "part"], unique=True, sqlite_where=_HEADS, postgresql_where=_HEADS)


def downgrade() -> None:
    """Put everything back."""
    op.drop_table("xactly_row")
    op.drop_table("xactly_batch")
