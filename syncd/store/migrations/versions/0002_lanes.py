"""The lane by which a record came, and a way to find records that an older mapping made.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.add_column("record", sa.Column("lane", sa.Integer(), nullable=False, server_default="2"))
    op.create_index("record_mapping", "record", ["source", "mapping_digest"], unique=False)


def downgrade() -> None:
    """Take both away again."""
    op.drop_index("record_mapping", "record")
    with op.batch_alter_table("record") as batch:
        batch.drop_column("lane")
