"""The lane by which a record came, a way to find records that an older mapping made, and fewer indexes on random ids.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

_OF_ORG_RECORDS = sa.text("subject_kind <> 'person'")


def upgrade() -> None:
    """Adds a column with a default and changes indexes, so that the program before still runs on it."""
    op.add_column("record", sa.Column("lane", sa.Integer(), nullable=False, server_default="2"))
    op.create_index("record_mapping", "record", ["source", "mapping_digest"], unique=False)
    op.create_index(
        "block_key_org",
        "block_key",
        ["subject_kind", "subject_id"],
        unique=False,
        sqlite_where=_OF_ORG_RECORDS,
        postgresql_where=_OF_ORG_RECORDS,
    )
    op.drop_index("block_key_subject", "block_key")
    op.drop_index("link_person", "link")
    op.drop_index("touch_person", "touch")
    op.drop_index("claim_person", "claim")
    # operation_open holds the same rows.
    op.drop_index("operation_state", "operation")


def downgrade() -> None:
    """Put everything back."""
    is_open = sa.text("state IN ('planned', 'held', 'sent', 'unknown')")
    op.create_index("operation_state", "operation", ["state"], unique=False, sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("claim_person", "claim", ["person_id"], unique=False)
    op.create_index("touch_person", "touch", ["person_id"], unique=False)
    op.create_index("link_person", "link", ["person_id"], unique=False)
    op.create_index("block_key_subject", "block_key", ["subject_kind", "subject_id"], unique=False)
    op.drop_index("block_key_org", "block_key")
    op.drop_index("record_mapping", "record")
    with op.batch_alter_table("record") as batch:
        batch.drop_column("lane")
