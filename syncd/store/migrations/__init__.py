"""Alembic migrations, shipped in the wheel and run by the program itself; no ini file is needed.

Rules (STYLE 10): minor releases only add; the old program still runs on the new schema.
"""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection) -> None:
    """Run every revision that the store does not have yet, inside the caller's transaction."""
    scripts = ScriptDirectory(str(Path(__file__).parent))

    def steps(revision: object, context: object) -> object:
        del context
        return scripts._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001 - what alembic's own env.py calls

    context = MigrationContext.configure(connection, opts={"fn": steps, "transactional_ddl": True, "render_as_batch": True})
    with Operations.context(context):
        context.run_migrations()
