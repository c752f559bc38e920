"""Look-ups before a batch is resolved: owners of claims, holders of shared keys, tombstones. Reads only, set-based."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, and_, select

from syncd.model import Candidate
from syncd.ports import Key
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.engine import Database, chunks
from syncd.store.prepared import Prepared, given, listed
from syncd.store.shared import LEAD, follow_merge, org_rows, survivors
from syncd.store.standing import ACCOUNT
from syncd.store.tombstones import known_tombstones

_MAX_HOLDERS = 60

_CLAIMS = Prepared(
    lambda connection: select(t.claim.c.value, t.claim.c.person_id).where(
        and_(t.claim.c.kind == given("kind"), among(connection, t.claim.c.value, given("keys")))
    )
)
_HOLDERS = Prepared(
    lambda connection: (
        select(t.block_key.c.value, t.block_key.c.subject_kind, t.block_key.c.subject_id)
        .where(and_(t.block_key.c.kind == given("kind"), among(connection, t.block_key.c.value, given("keys"))))
        .order_by(t.block_key.c.subject_kind, t.block_key.c.subject_id)
    )
)


def _by_kind(keys: Iterable[Key]) -> dict[str, set[str]]:
    """The values of each kind: one search of the index for each, all values as one parameter."""
    found: dict[str, set[str]] = {}
    for kind, value in keys:
        found.setdefault(kind, set()).add(value)
    return found


class LookupStore:
    """Who answers to which key."""

    db: Database

    def claims(self, keys: Iterable[Key]) -> dict[Key, str]:
        """Owner by claim; a merged owner is followed to the survivor."""
        found: dict[Key, str] = {}
        with self.db.read() as connection:
            for kind, values in _by_kind(keys).items():
                rows = _CLAIMS.rows(connection, kind=kind, keys=listed(values))
                found.update({(kind, value): owner for value, owner in rows})
            redirects = survivors(connection, set(found.values()))
        return {key: redirects.get(owner, owner) for key, owner in found.items()}

    def candidates(self, keys: Iterable[Key]) -> dict[Key, tuple[Candidate, ...]]:
        """Who answers to shared keys: people, and living records of the org (merged ones are the survivor's)."""
        holders: dict[Key, list[tuple[str, str]]] = {}
        with self.db.read() as connection:
            for kind, values in _by_kind(keys).items():
                for value, subject_kind, subject_id in _HOLDERS.rows(connection, kind=kind, keys=listed(values)):
                    if subject_kind == ACCOUNT:
                        continue  # nobody is an account
                    known = holders.setdefault((kind, value), [])
                    if len(known) < _MAX_HOLDERS:
                        known.append((subject_kind, subject_id))
            if not holders:
                return {}
            subjects = {subject for found in holders.values() for subject in found}
            people = self._people(connection, {name for kind, name in subjects if kind == "person"})
            records = self._org_candidates(connection, {subject for subject in subjects if subject[0] != "person"})
        known_subjects: dict[tuple[str, str], Candidate] = {("person", name): one for name, one in people.items()} | records
        result: dict[Key, tuple[Candidate, ...]] = {}
        for key, found in holders.items():
            unique = {(one.kind, one.subject_id): one for subject in found if (one := known_subjects.get(subject)) is not None}
            if unique:
                result[key] = tuple(unique.values())
        return result

    def person_candidates(self, person_ids: Iterable[str]) -> dict[str, Candidate]:
        """People with the names and mailbox they go by."""
        with self.db.read() as connection:
            return self._people(connection, set(person_ids))

    def _people(self, connection: Connection, person_ids: set[str]) -> dict[str, Candidate]:
        if not person_ids:
            return {}
        redirects = survivors(connection, person_ids)
        wanted = sorted({redirects.get(one, one) for one in person_ids})
        names: dict[str, Candidate] = {}
        r = t.record.c
        for part in chunks(wanted):
            owned = select(t.person.c.person_id, r.lead).join_from(t.person, t.record, r.person_number == t.person.c.number)
            statement = owned.where(t.person.c.person_id.in_(part)).order_by(r.source_at, r.position)
            for row in connection.execute(statement):
                lead = LEAD.decode(row.lead)
                first, last, email = (str(lead.evidence(name) or "") for name in ("FirstName", "LastName", "Email"))
                before = names.get(row.person_id)
                if before is None or (first or last):
                    email = email or (before.email if before else "")
                    names[row.person_id] = Candidate("person", row.person_id, row.person_id, "", first, last, email)
        active = {
            row.person_id
            for part in chunks(wanted)
            for row in connection.execute(
                select(t.person.c.person_id).where(
                    and_(t.person.c.person_id.in_(part), t.person.c.state.in_(("active", "review")))
                )
            )
        }
        return {
            one: names.get(found, Candidate("person", found, found))
            for one in person_ids
            if (found := redirects.get(one, one)) in active
        }

    def _org_candidates(self, connection: Connection, subjects: set[tuple[str, str]]) -> dict[tuple[str, str], Candidate]:
        found: dict[tuple[str, str], Candidate] = {}
        rows = org_rows(connection, sorted(subjects))
        for subject, row in rows.items():
            living = follow_merge(connection, row)
            if living is None:
                continue
            fields = msgspec.json.decode(living.fields)
            found[subject] = Candidate(
                kind=living.object,
                subject_id=living.sf_id,
                person_id=living.person_id,
                person_key=living.external_id,
                first_name=str(fields.get("FirstName") or ""),
                last_name=str(fields.get("LastName") or ""),
                email=str(fields.get("Email") or ""),
                contact_id=living.contact_id if living.is_converted else "",
            )
        redirects = survivors(connection, {one.person_id for one in found.values() if one.person_id})
        return {
            subject: msgspec.structs.replace(one, person_id=redirects.get(one.person_id, one.person_id))
            for subject, one in found.items()
        }

    def tombstones(self, digests: Iterable[str]) -> set[str]:
        """Those of `digests` that belong to erased people; not even looked at while nobody was ever erased."""
        with self.db.read() as connection:
            return known_tombstones(connection, digests)
