"""How often a person was asked to be planned again, so that a plan of older facts does not clear a newer mark.

Revision ID: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.add_column("person", sa.Column("marks", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Put everything back."""
    op.drop_column("person", "marks")
