"""What a daemon remembers: when each source was last read, what came in by the hour, and answers to requests.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.create_table(
        "schedule",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("succeeded_at", sa.BigInteger()),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
    )
    op.create_table(
        "arrival",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("hour", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.add_column("request", sa.Column("answer", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("request", sa.Column("ended_at", sa.BigInteger()))
    is_open = sa.text("state IN ('open', 'taken')")
    op.create_index("request_open", "request", ["request_id"], unique=False, sqlite_where=is_open, postgresql_where=is_open)


def downgrade() -> None:
    """Put everything back."""
    op.drop_index("request_open", "request")
    with op.batch_alter_table("request") as batch:
        batch.drop_column("ended_at")
        batch.drop_column("answer")
    op.drop_table("arrival")
    op.drop_table("schedule")
