"""The store as one: opening, migrating, leases, checks, scratch copies."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import and_, exists, func, insert, inspect, select, text

from syncd import __version__
from syncd.clock import Clock, SystemClock
from syncd.errors import StoreError
from syncd.store import tables as t
from syncd.store.actions import ActionStore
from syncd.store.daemon import DaemonStore
from syncd.store.decisions import DecisionStore
from syncd.store.desk import DeskStore
from syncd.store.engine import Database
from syncd.store.erasure import ErasureStore
from syncd.store.exports import ExportStore
from syncd.store.inbox import InboxStore
from syncd.store.lanes import LaneStore
from syncd.store.lookup import LookupStore
from syncd.store.mirror import MirrorStore
from syncd.store.opt_outs import OptOutStore
from syncd.store.outbox import OutboxStore
from syncd.store.people import PeopleStore
from syncd.store.policy import FactStore
from syncd.store.prune import PruneStore
from syncd.store.report import ReportStore
from syncd.store.resolved import ResolvedStore
from syncd.store.runs import RunStore
from syncd.store.search import SearchStore
from syncd.store.standing import ACCOUNT
from syncd.store.tables import SCHEMA_VERSION
from syncd.store.together import Together
from syncd.store.wanted import WantedStore
from syncd.store.xactly import XactlyStore

_COPY_ROWS = 1_000


class SqlStore(
    RunStore,
    InboxStore,
    LaneStore,
    LookupStore,
    ResolvedStore,
    PeopleStore,
    DecisionStore,
    ErasureStore,
    ExportStore,
    FactStore,
    ReportStore,
    SearchStore,
    OutboxStore,
    ActionStore,
    OptOutStore,
    MirrorStore,
    DeskStore,
    DaemonStore,
    WantedStore,
    PruneStore,
    XactlyStore,
):
    """`syncd.ports.Store` on SQLAlchemy Core; its rooms are the base classes. Safe for threads."""

    def __init__(self, url: str, clock: Clock, scratch: Path | None = None, *, is_read_only: bool = False) -> None:
        """Open `url`; `scratch` is a folder to remove on close."""
        self.db = Database(url, clock, is_read_only=is_read_only)
        self.together = Together(self.db)
        self._scratch = scratch

    def migrate(self) -> str:
        """Bring the schema up to this program's version; gives the version. Does nothing when it is there already.

        Raises:
            StoreError: The store was made by a newer syncd.
        """
        found = self._schema_version()
        if found is not None and found > SCHEMA_VERSION:
            raise StoreError(
                f"The store has schema {found}, but syncd {__version__} knows {SCHEMA_VERSION} at most.",
                advice="Use the newer syncd that wrote it, or restore a backup.",
            )
        if found != SCHEMA_VERSION:
            # Alembic is slow to import and needed once per release.
            from syncd.store.migrations import upgrade

            with self.db.write() as connection:
                upgrade(connection)
            self.put_setting("schema", SCHEMA_VERSION)
            self.put_setting("oldest_program", __version__)
        return SCHEMA_VERSION

    def demand_current(self) -> None:
        """Make sure that the schema is this program's, without changing it.

        Raises:
            StoreError: It is another one, or there is none.
        """
        found = self._schema_version()
        if found != SCHEMA_VERSION:
            what = "There is no store yet" if found is None else f"The store has schema {found}, not {SCHEMA_VERSION}"
            raise StoreError(f"{what}.", advice='"syncd run --once" makes it, or brings it up to this version.')

    def _schema_version(self) -> str | None:
        with self.db.read() as connection:
            if not inspect(connection).has_table("meta"):
                return None
        return self.setting("schema")

    def check(self) -> list[str]:
        """What is wrong with the store, in sentences; empty when it is sound."""
        found: list[str] = []
        with self.db.read() as connection:
            if self.db.is_sqlite:
                answer = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
                found.extend(f"SQLite: {line}" for line in answer if line != "ok")
            r = t.record.c
            orphans = connection.execute(
                select(func.count())
                .select_from(t.record)
                .where(and_(r.person_number.is_not(None), ~exists().where(t.person.c.number == r.person_number)))
            ).scalar()
            found.extend([f"{orphans} records belong to nobody."] if orphans else [])
            o = t.operation.c
            orphans = connection.execute(
                select(func.count()).select_from(t.operation).where(~exists().where(t.person.c.number == o.person_number))
            ).scalar()
            found.extend([f"{orphans} operations belong to nobody."] if orphans else [])
            p = t.person.c
            for table, name, owner in (
                (t.decision, "decisions belong", p.number == t.decision.c.person_number),
                (t.due, "dates of policies belong", p.person_id == t.due.c.person_id),
            ):
                orphans = connection.execute(select(func.count()).select_from(table).where(~exists().where(owner))).scalar()
                found.extend([f"{orphans} {name} to nobody."] if orphans else [])
            loose = connection.execute(
                select(func.count()).select_from(t.claim).where(~exists().where(t.person.c.person_id == t.claim.c.person_id))
            ).scalar()
            found.extend([f"{loose} claims belong to nobody."] if loose else [])
            found.extend(self._wrong_sums(connection))
        return found

    def stats(self) -> dict[str, Any]:
        """Counts for `status`: persons (with a record in the org), waiting per source, open dead letters, reviews, operations."""

        def count(connection: Any, table: Any, where: Any = None) -> int:
            statement = select(func.count()).select_from(table)
            return int(connection.execute(statement if where is None else statement.where(where)).scalar() or 0)

        with self.db.read() as connection:
            return {
                "persons": count(connection, t.person, t.person.c.state.in_(("active", "review"))),
                "records": count(connection, t.record),
                "org_records": count(connection, t.org_record, t.org_record.c.object != ACCOUNT),
                "waiting": self._waiting(connection),
                "dead_letters": count(connection, t.dead_letter, text("dead_letter.state = 'open'")),
                "reviews": count(connection, t.review, text("review.state = 'open'")),
                "totals": self._totals(connection),
                "open_operations": count(connection, t.operation, text(t.OPEN_STATES_SQL)),
            }

    # ------------------------------------------------------------------ one engine per store

    def acquire_lease(self, name: str, owner: str) -> None:
        """Become the one engine of this store, for the life of this process; again does nothing.

        Raises:
            StoreError: Another process is.
        """
        if not self.db.lock(name):
            return
        now = self.db.clock.now()
        try:
            with self.db.write() as connection:
                c = t.lease.c
                fence = int(connection.execute(select(c.fence).where(c.name == name)).scalar() or 0) + 1
                row = {"name": name, "owner": owner, "fence": fence, "at": now}
                self.db.upsert(connection, t.lease, [row], ("name",))
            self.end_dead_runs(now)
        except BaseException:
            self.db.unlock()
            raise
        self.db.fences[name] = fence

    def release_lease(self, name: str, owner: str) -> None:
        """Let another process be the engine."""
        del owner
        self.db.fences.pop(name, None)
        self.db.unlock()

    def close(self) -> None:
        """Close connections; a scratch copy is removed."""
        self.db.close()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def copy_to_scratch(self) -> SqlStore:
        """A private copy on SQLite with the same content, removed when closed: for plans and rehearsals."""
        folder = Path(tempfile.mkdtemp(prefix="syncd-scratch-"))
        path = folder / "scratch.db"
        if self.db.is_sqlite and self.db.path is not None:
            source = sqlite3.connect(self.db.path)
            target = sqlite3.connect(path)
            try:
                source.backup(target)
            finally:
                source.close()
                target.close()
        copy = SqlStore(f"sqlite:///{path}", self.db.clock, scratch=folder)
        copy.migrate()
        copy.note_statuses(self.db.notes_statuses)
        copy.note_machines(self.db.machines)
        if not self.db.is_sqlite:
            self._copy_rows(copy)
        return copy

    def _copy_rows(self, copy: SqlStore) -> None:
        for table in t.metadata.sorted_tables:
            with self.db.read() as source:
                rows = source.execution_options(yield_per=_COPY_ROWS).execute(select(table)).mappings()
                for part in rows.partitions(_COPY_ROWS):
                    with copy.db.write() as target:
                        if table is t.meta:
                            copy.db.upsert(target, table, [dict(row) for row in part], ("name",))
                        else:
                            target.execute(insert(table), [dict(row) for row in part])


def open_store(url: str, *, clock: Clock) -> SqlStore:
    """Open (and migrate) the store at `url`: `sqlite:///path` or `postgresql://user@host/name`.

    Raises:
        StoreError: It cannot be used; the message says why and what to do.
    """
    store = SqlStore(url, clock)
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store


def open_reader(url: str) -> SqlStore:
    """Open the store at `url` for reading alone, beside whoever works on it: the database refuses every write.

    Raises:
        StoreError: There is none, or it is not of this program's version.
    """
    store = SqlStore(url, SystemClock(), is_read_only=True)
    try:
        store.demand_current()
    except BaseException:
        store.close()
        raise
    return store


__all__ = ["SqlStore", "open_reader", "open_store"]
