"""What the faces ask of people: finding, documents, exports. Reads only, in slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, or_, select

from syncd.as_stored import golden_document, golden_values
from syncd.identity import lead_keys
from syncd.model import PersonView, Value
from syncd.ports import Key
from syncd.store import tables as t
from syncd.store.engine import Database, chunks
from syncd.store.shared import LEAD, ref_of, survivors

_SLICE = 500


class SearchStore:
    """Finding and exporting people."""

    db: Database

    def person_views(self, person_ids: Sequence[str]) -> list[PersonView]:
        """Given by PeopleStore."""
        raise NotImplementedError

    def find_persons(self, keys: Sequence[Key], text_: str, limit: int, *, is_whole: bool = False) -> list[str]:
        """Ids of people by key, Salesforce id, own id, record key (alone, or behind its source), or part of a name or company.

        `is_whole`: no part will do, but the whole name (or one of its two fields), company or address.
        """
        found: dict[str, None] = {}
        with self.db.read() as connection:
            for kind, value in keys:
                c, b = t.claim.c, t.block_key.c
                found.update(
                    {
                        row.person_id: None
                        for row in connection.execute(select(c.person_id).where(and_(c.kind == kind, c.value == value)))
                    }
                )
                rows = connection.execute(
                    select(b.subject_id).where(and_(b.kind == kind, b.value == value, b.subject_kind == "person"))
                )
                found.update({row.subject_id: None for row in rows})
                o = t.org_record.c
                joined = (
                    select(t.person.c.person_id)
                    .join(t.org_record, o.person_number == t.person.c.number)
                    .join(t.block_key, and_(b.subject_kind == o.object, b.subject_id == o.sf_id))
                )
                rows = connection.execute(joined.where(and_(b.kind == kind, b.value == value)))
                found.update({row.person_id: None for row in rows})
            if not found and text_:
                found.update(self._find_by_text(connection, text_, limit, is_whole=is_whole))
            redirects = survivors(connection, set(found))
        # Whoever was erased leads on to nobody, but was somebody.
        return list(dict.fromkeys(redirects.get(one) or one for one in found))[:limit]

    @staticmethod
    def _find_by_text(connection: Connection, wanted: str, limit: int, *, is_whole: bool) -> dict[str, None]:
        p, o, r = t.person.c, t.org_record.c, t.record.c
        exact = select(p.person_id).where(p.person_id == wanted)
        is_it = or_(o.sf_id == wanted, o.sf_id.like(f"{wanted}%") if len(wanted) == 15 else o.sf_id == wanted)
        by_sf = select(p.person_id).join(t.org_record, o.person_number == p.number).where(is_it)
        by_key = select(p.person_id).join(t.record, r.person_number == p.number).where(r.key == wanted)
        for statement in (exact, by_sf, by_key, *_by_named_record(wanted)):
            rows = {row[0]: None for row in connection.execute(statement.limit(limit))}
            if rows:
                return rows
        if len(wanted) >= 8 and all(letter in "0123456789abcdef" for letter in wanted):
            rows = {
                row[0]: None for row in connection.execute(select(p.person_id).where(p.person_id.like(f"{wanted}%")).limit(limit))
            }
            if rows:
                return rows
        found: dict[str, None] = {}
        folded = wanted.casefold()
        for row in connection.execution_options(yield_per=_SLICE).execute(select(p.person_id, p.golden).order_by(p.person_id)):
            golden = golden_values(row.golden)
            parts = [_value(golden.get(name)) for name in ("FirstName", "LastName", "Company", "Email")]
            names = f"{parts[0]} {parts[1]}", f"{parts[1]} {parts[0]}", *parts
            if any(folded == name.casefold() if is_whole else folded in name.casefold() for name in names):
                found[row.person_id] = None
                if len(found) >= limit:
                    break
        return found

    def person_documents(self, person_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Per person: `golden`, `notes` and `keys` (kind, value)."""
        found: dict[str, dict[str, Any]] = {}
        with self.db.read() as connection:
            for part in chunks(list(person_ids)):
                for row in connection.execute(select(t.person).where(t.person.c.person_id.in_(part))):
                    found[row.person_id] = {
                        "golden": golden_document(row.golden),
                        "notes": msgspec.json.decode(row.notes),
                        "keys": [],
                    }
                r = t.record.c
                p = t.person.c
                owned = select(r.source, r.stream, r.key, r.lead, p.person_id).join(t.person, r.person_number == p.number)
                statement = owned.where(p.person_id.in_(part))
                for row in connection.execute(statement):
                    keys = lead_keys(ref_of(row), LEAD.decode(row.lead))
                    mine = found[row.person_id]["keys"]
                    mine.extend(key for key in (*keys.claims, *keys.evidence) if key not in mine)
        return found

    def export_persons(self) -> Iterator[tuple[PersonView, dict[str, Any]]]:
        """Everybody who was not merged or erased, by id, in slices (no long read transaction)."""
        after = ""
        while True:
            with self.db.read() as connection:
                statement = (
                    select(t.person.c.person_id)
                    .where(and_(t.person.c.person_id > after, t.person.c.state.in_(("active", "review"))))
                    .order_by(t.person.c.person_id)
                    .limit(_SLICE)
                )
                ids = [row.person_id for row in connection.execute(statement)]
            if not ids:
                return
            after = ids[-1]
            documents = self.person_documents(ids)
            for view in self.person_views(ids):
                yield view, documents.get(view.person_id, {})


def _by_named_record(wanted: str) -> list[Any]:
    """Whose record it is, where SOURCE:KEY or SOURCE:STREAM:KEY was asked for; a key may hold colons itself."""
    source, _, rest = wanted.partition(":")
    stream, _, key = rest.partition(":")
    if not rest:
        return []
    r = t.record.c
    found = select(t.person.c.person_id).join(t.record, r.person_number == t.person.c.number).where(r.source == source)
    return [found.where(r.key == rest), *([found.where(and_(r.stream == stream, r.key == key))] if key else [])]


def _value(value: Value) -> str:
    return "" if value is None else str(value)
