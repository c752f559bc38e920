"""What a policy decides on and what it decided: statuses over time, activities, users, a log of decisions.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HAS_ACCOUNT = sa.text("account_id <> ''")
_HAS_WHO = sa.text("who_id <> ''")
_OPEN_OPPORTUNITIES = sa.text("object = 'Opportunity' AND is_open")
_LOOK_AGAIN = sa.text("rule = ''")


def upgrade() -> None:
    """Only adds, but for an index of dates that nothing has used; the program before still runs on it."""
    op.add_column("touch", sa.Column("lane", sa.Integer(), nullable=False, server_default="2"))
    op.add_column("org_record", sa.Column("account_id", sa.String(), nullable=False, server_default=""))
    op.create_index("org_record_account", "org_record", ["account_id"], sqlite_where=_HAS_ACCOUNT, postgresql_where=_HAS_ACCOUNT)
    op.drop_index("due_at", "due")
    op.create_index("due_look", "due", ["due_at"], sqlite_where=_LOOK_AGAIN, postgresql_where=_LOOK_AGAIN)
    _org_tables()
    _logs()


def _org_tables() -> None:
    op.create_table(
        "related",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("object", "sf_id")),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("who_id", "account_id", "contact_id")),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger()),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
    )
    op.create_index("related_who", "related", ["who_id"], sqlite_where=_HAS_WHO, postgresql_where=_HAS_WHO)
    for name in ("account", "contact"):
        op.create_index(
            f"related_{name}",
            "related",
            [f"{name}_id"],
            sqlite_where=_OPEN_OPPORTUNITIES,
            postgresql_where=_OPEN_OPPORTUNITIES,
        )
    op.create_table(
        "org_user",
        sa.Column("sf_id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
    )


def _logs() -> None:
    op.create_table(
        "status_change",
        sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("sf_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("status", "modified_by")),
    )
    op.create_index("status_change_lead", "status_change", ["sf_id"])
    op.create_table(
        "decision",
        sa.Column("number", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("person_number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("run_id", "policy", "rule_id", "section", "outcome", "from_status", "to_status")
        ),
        sa.Column("document", sa.Text(), nullable=False),
    )
    op.create_index("decision_person", "decision", ["person_number"])
    op.create_index("decision_at", "decision", ["at", "number"])
    op.create_index("decision_rule", "decision", ["rule_id", "at", "number"])
    op.create_table(
        "policy_day",
        sa.Column("day", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("kind", "status", "rule_id", "outcome")),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Put everything back."""
    for name in ("policy_day", "decision", "status_change", "org_user", "related"):
        op.drop_table(name)
    op.drop_index("due_look", "due")
    op.create_index("due_at", "due", ["due_at"])
    op.drop_index("org_record_account", "org_record")
    with op.batch_alter_table("org_record") as batch:
        batch.drop_column("account_id")
    with op.batch_alter_table("touch") as batch:
        batch.drop_column("lane")
