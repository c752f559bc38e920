"""Erasing a person: tombstones, and then everything that is theirs, in one transaction (docs/adr/0027-erasure.md).

What stays of the person is a row without anything in it, so that old ids lead somewhere; of their operations what sums need; and the
mirror of records that the org still has, which belong to nobody and are found by nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, or_, select, text, update

from syncd.as_stored import dumps, operation_text
from syncd.errors import ClaimConflictError
from syncd.identity import record_claim
from syncd.model import Candidate, PersonState, Provenance
from syncd.ports import ERASED, Belongings, Key, Traces
from syncd.store import tables as t
from syncd.store.belongings import MAILBOX_KIND, belongings_of, belongings_of_mailbox
from syncd.store.bulk import among
from syncd.store.engine import Database
from syncd.store.prune_policy import forget_decided
from syncd.store.shared import empty_inbox, mark_dirty
from syncd.store.tombstones import forget_keys_of, kept_of_erased, org_tombstone, put_tombstones
from syncd.store.traces import CANDIDATES, mailbox_of, traces_of, traces_of_mailbox

_WHO_IT_IS = ("several_matches", "clashing_names", "weak_match", "clashing_claims", "merge")
"""Kinds of questions that have no sense without a candidate."""
_SKELETON = operation_text({}, {}, {"": Provenance(rule=ERASED)}, None, is_guarded=False)
"""The document of an erased person's operation."""


class ErasureStore:
    """Erasing people."""

    db: Database

    def _count(self, connection: Connection, run_id: str, source: str, counts: Any) -> None:
        raise NotImplementedError

    def traces_of(self, person_id: str) -> Traces:
        """Everything that is kept of a person. Reads tables whole.

        Raises:
            StoreError: There is no such person.
        """
        return traces_of(self.db, person_id)

    def traces_of_mailbox(self, mailbox: str) -> Traces:
        """Everything that is kept of somebody who was never resolved: what names this mailbox, which must be nobody's."""
        return traces_of_mailbox(self.db, mailbox)

    def mailbox_of(self, is_it: Callable[[str], bool]) -> str:
        """A mailbox that something kept names, and nobody need answer to; "" if none is it. Reads tables whole."""
        return mailbox_of(self.db, is_it)

    def kept_of_erased(self) -> list[tuple[str, str]]:
        """(object, id) of records of erased people that the org still has, as far as the mirror knows."""
        with self.db.read() as connection:
            return kept_of_erased(connection)

    def erase_person(self, traces: Traces, digest_of: Callable[[Key], str], run_id: str, at: datetime) -> None:
        """Erase what `traces` has found, all of it or nothing. Records that waited are counted as skipped by the run.

        `digest_of` makes the keyed hash of a mailbox or of a record's claim.

        Raises:
            ClaimConflictError: Something was added meanwhile: look again.
        """
        found = traces.belongings
        with self.db.overwriting() as connection:
            if _belongings_again(connection, found) != found:
                raise ClaimConflictError("The person has changed meanwhile.", advice="Try again.")
            _bury(self.db, connection, found, digest_of, at)
            _erase_records(connection, traces)
            _erase_letters(connection, traces)
            _erase_person(self.db, connection, found)
            _erase_in_mirror(connection, found)
            _erase_operations(connection, found, at)
            _strike_candidate(connection, found)
            for source, sequences in sorted(traces.waiting.items()):
                self._count(connection, run_id, source, {"skipped": len(sequences)})
                here = among(connection, t.inbox.c.sequence, sequences)
                connection.execute(update(t.inbox).where(here).values(state="skipped", reason=ERASED, run_id=run_id))
            empty_inbox(connection, [*traces.ended, *(one for many in traces.waiting.values() for one in many)])

    def scrub(self) -> tuple[str, ...]:
        """Leave nothing in the files of what was ever deleted; gives what stood in the way, `syncd.ports.LOG_IN_USE` and so on."""
        return self.db.scrub()


def _belongings_again(connection: Connection, found: Belongings) -> Belongings:
    if not found.person_ids:
        return belongings_of_mailbox(connection, *found.mailboxes)
    return belongings_of(connection, found.person_ids[0])


def _bury(db: Database, connection: Connection, found: Belongings, digest_of: Callable[[Key], str], at: datetime) -> None:
    keys = [(MAILBOX_KIND, one) for one in found.mailboxes] + [record_claim(ref) for ref in found.refs]
    in_org = (org_tombstone(name, sf_id) for name, sf_id, _ in found.org)
    put_tombstones(db, connection, [*map(digest_of, keys), *in_org], at)


def _erase_records(connection: Connection, traces: Traces) -> None:
    """Records, announcements and links, by the record; what else hangs on the person follows."""
    found = traces.belongings
    for source, stream, keys in _by_stream([*found.refs, *traces.records]):
        for table in (t.record, t.wanted, t.link):
            c = table.c
            its = and_(c.source == source, c.stream == stream, among(connection, c.key, keys))
            connection.execute(delete(table).where(its))
    for numbered in (t.record, t.touch):
        connection.execute(delete(numbered).where(among(connection, numbered.c.person_number, found.numbers)))


def _by_stream(refs: Sequence[Sequence[str]]) -> list[tuple[str, str, list[str]]]:
    homes: dict[tuple[str, str], list[str]] = {}
    for source, stream, key in refs:
        homes.setdefault((source, stream), []).append(key)
    return [(source, stream, keys) for (source, stream), keys in sorted(homes.items())]


def _erase_letters(connection: Connection, traces: Traces) -> None:
    """Dead letters go; those that asked for this are closed, and pages are left open as the sign that a source is not well."""
    number = t.dead_letter.c.dead_letter_id
    connection.execute(delete(t.dead_letter).where(among(connection, number, traces.dead_letters)))
    nothing: dict[str, Any] = {"payload": b"", "digest": b""}
    connection.execute(update(t.dead_letter).where(among(connection, number, traces.pages)).values(**nothing))
    asked = update(t.dead_letter).where(among(connection, number, traces.asked))
    connection.execute(asked.values(**nothing, state="dropped"))


def _erase_person(db: Database, connection: Connection, found: Belongings) -> None:
    """Keys, dates, questions and words about the person; and the person, but for an empty row under each id."""
    ids, numbers = found.person_ids, found.numbers
    forget_decided(db, connection, numbers)
    for column in (t.claim.c.person_id, t.link.c.person_id, t.due.c.person_id, t.hold.c.person_id, t.review.c.person_id):
        connection.execute(delete(column.table).where(among(connection, column, ids)))
    b, w = t.block_key.c, t.constraint.c
    connection.execute(delete(t.block_key).where(and_(b.subject_kind == "person", among(connection, b.subject_id, ids))))
    named = or_(among(connection, w.left_id, ids), among(connection, w.right_id, ids))
    connection.execute(delete(t.constraint).where(named))
    x = t.exported_lead.c
    exported = or_(among(connection, x.person_number, numbers), among(connection, x.sf_id, [one[1] for one in found.org]))
    connection.execute(update(t.exported_lead).where(exported).values(person_number=None, digest="", is_marked=True))
    empty = {"state": PersonState.ERASED.value, "golden": "{}", "notes": "{}", "is_dirty": False, "redirect": ""}
    connection.execute(update(t.person).where(among(connection, t.person.c.number, numbers)).values(**empty))


def _erase_in_mirror(connection: Connection, found: Belongings) -> None:
    """Records of the org are nobody's from now on; of those that are deleted nothing is kept but that there was one."""
    o, r = t.org_record.c, t.related.c
    forget_keys_of(connection, ((name, sf_id) for name, sf_id, _ in found.org))
    ids = [sf_id for _, sf_id, _ in found.org]
    here = among(connection, o.sf_id, ids)
    connection.execute(update(t.org_record).where(here).values(person_number=None, base="{}"))
    stub = {"fields": "{}", "opted_out_at": None, "opted_out_by": "", "opt_out_hold": ""}
    connection.execute(update(t.org_record).where(and_(here, o.is_deleted)).values(**stub))
    gone = [sf_id for _, sf_id, is_deleted in found.org if is_deleted]
    connection.execute(delete(t.related).where(and_(among(connection, r.who_id, gone), text(t.WITH_WHO_SQL))))


def _erase_operations(connection: Connection, found: Belongings, at: datetime) -> None:
    """That something was written stays, and when; what was written goes. What was only planned is not sent any more."""
    o, d = t.operation.c, t.operation_document.c
    theirs = among(connection, o.person_number, found.numbers)
    planned = and_(theirs, o.state.in_(("planned", "held")), text(t.OPEN_STATES_SQL))
    connection.execute(update(t.operation).where(planned).values(state="superseded", finished_at=at))
    connection.execute(update(t.operation).where(theirs).values(message="", needs_echo=False))
    ids = select(o.operation_id).where(theirs)
    connection.execute(update(t.operation_document).where(d.operation_id.in_(ids)).values(document=_SKELETON))


def _strike_candidate(connection: Connection, found: Belongings) -> None:
    """The person is nobody's candidate any more. Whose only candidate it was is somebody new, and is planned again."""
    r, ids, in_org = t.review.c, set(found.person_ids), {(name, sf_id) for name, sf_id, _ in found.org}
    freed: set[str] = set()
    for row in connection.execute(
        select(r.review_id, r.kind, r.person_id, r.state, r.candidates).where(r.candidates != "[]")
    ).all():
        named = CANDIDATES.decode(row.candidates)
        kept = tuple(one for one in named if not _is_of(one, ids, in_org))
        if len(kept) == len(named):
            continue
        values: dict[str, Any] = {"candidates": dumps(kept)}
        if row.state == "open":
            freed.add(row.person_id)
            if not kept and row.kind in _WHO_IT_IS:
                values |= {"state": "accepted", "decision": "new"}
        connection.execute(update(t.review).where(r.review_id == row.review_id).values(**values))
    _let_go(connection, freed)


def _is_of(one: Candidate, ids: Collection[str], in_org: Collection[tuple[str, str]]) -> bool:
    is_record = (one.kind, one.subject_id) in in_org or ("Contact", one.contact_id) in in_org
    return one.person_id in ids or one.subject_id in ids or is_record


def _let_go(connection: Connection, person_ids: Collection[str]) -> None:
    """People about whom no question is open wait for nobody."""
    p, r = t.person.c, t.review.c
    asked = select(r.person_id).where(and_(text("review.state = 'open'"), r.kind.in_(_WHO_IT_IS)))
    here = and_(among(connection, p.person_id, person_ids), p.state == "review", ~p.person_id.in_(asked))
    connection.execute(update(t.person).where(here).values(state="active"))
    mark_dirty(connection, set(person_ids))
