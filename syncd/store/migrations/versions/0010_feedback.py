"""Opportunities, closed ones too, are found by their primary contact.

Revision ID: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

_DEALS = sa.text("object = 'Opportunity' AND contact_id <> ''")


def upgrade() -> None:
    """Only adds, so that the program before still runs on it."""
    op.create_index("related_deal", "related", ["contact_id"], sqlite_where=_DEALS, postgresql_where=_DEALS)


def downgrade() -> None:
    """Put everything back."""
    op.drop_index("related_deal", "related")
