"""Opt-outs that travel back: since when a record has stated one, who made one in the org and when, and whether it is held.

Revision ID: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None

_UNJUDGED = sa.text("opt_out_hold = 'new'")
_OPTED_OUT = sa.text("opted_out_at IS NOT NULL")


_OUT = '%"HasOptedOutOfEmail":true%'
_NOTE_OURS = sa.text(
    "UPDATE org_record SET opted_out_at = stamp, opt_out_hold = 'calm' WHERE fields LIKE :out AND base LIKE :out"
)
_NOTE_OTHERS = sa.text(
    "UPDATE org_record SET opted_out_at = stamp, opted_out_by = 'first_look', opt_out_hold = 'new' "
    "WHERE fields LIKE :out AND base NOT LIKE :out"
)
_SAID = '%"HasOptedOutOfEmail":{"value":true%'


def upgrade() -> None:
    """Only adds; the program before still runs on it.

    What is opted out already has its last change as its instant, or each later change would be a new withdrawal. Who made it nobody knows:
    such opt-outs wait for a person if they are many, but for those that syncd has written itself.
    """
    op.add_column("record", sa.Column("withdrawn_at", sa.BigInteger()))
    op.add_column("org_record", sa.Column("opted_out_at", sa.BigInteger()))
    op.add_column("org_record", sa.Column("opted_out_by", sa.String(), nullable=False, server_default=""))
    op.add_column("org_record", sa.Column("opt_out_hold", sa.String(), nullable=False, server_default=""))
    op.create_index("org_record_unjudged", "org_record", ["opted_out_at"], sqlite_where=_UNJUDGED, postgresql_where=_UNJUDGED)
    op.create_index(
        "org_record_opted_out",
        "org_record",
        ["opted_out_by", "opted_out_at"],
        sqlite_where=_OPTED_OUT,
        postgresql_where=_OPTED_OUT,
    )
    op.execute(_NOTE_OURS.bindparams(out=_OUT))
    op.execute(_NOTE_OTHERS.bindparams(out=_OUT))
    op.execute(sa.text("UPDATE record SET withdrawn_at = source_at WHERE lead LIKE :said").bindparams(said=_SAID))


def downgrade() -> None:
    """Put everything back."""
    op.drop_index("org_record_opted_out", "org_record")
    op.drop_index("org_record_unjudged", "org_record")
    with op.batch_alter_table("org_record") as batch:
        for name in ("opt_out_hold", "opted_out_by", "opted_out_at"):
            batch.drop_column(name)
    with op.batch_alter_table("record") as batch:
        batch.drop_column("withdrawn_at")
