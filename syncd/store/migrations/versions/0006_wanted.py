"""Records that a source said are there, and that are still to be asked for.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.create_table(
        "wanted",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("stream", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("source_at", sa.BigInteger()),
        sa.Column("locator", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("said", sa.Integer(), nullable=False),
    )
    op.create_index("wanted_due", "wanted", ["source", "due_at"])


def downgrade() -> None:
    """Put everything back."""
    op.drop_table("wanted")
