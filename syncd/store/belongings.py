"""What belongs to a person who is to be erased, as the store has it by keys and numbers; payloads are `syncd.store.traces`'s. Reads only."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from sqlalchemy import Connection, and_, or_, select, text

from syncd.errors import StoreError
from syncd.identity import lead_keys, org_keys
from syncd.model import OrgRow, RecordRef
from syncd.normalise.keys import email_key
from syncd.ports import Belongings
from syncd.store import tables as t
from syncd.store.bulk import among
from syncd.store.shared import LEAD, ref_of
from syncd.store.tombstones import PEOPLE

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_WORD = re.compile(r"[^\s\"<>()\[\]{},;:\\|=&?/]+")
"""Of characters that may stand in a mailbox. Looking for the @ in the pattern itself would take the square of a long text."""
_ESCAPES = re.compile(r"\\u([0-9a-fA-F]{4})|\\[nrt]")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BEFORE, _AFTER = "'`*.", "'`*.!…_~#-"
"""What may stand around a mailbox in a sentence. An apostrophe within one is its own: o'brien@ is not brien@."""
MAILBOX_KIND = "email"


def belongings_of(connection: Connection, person_id: str) -> Belongings:
    """What belongs to a person and to those who were merged into it, as the store has it now.

    Raises:
        StoreError: There is no such person.
    """
    people = _people(connection, person_id)
    ids, numbers = [one[0] for one in people], [one[1] for one in people]
    refs, mailboxes = _refs(connection, ids, numbers), _mailboxes(connection, ids, numbers)
    o = t.operation.c
    pending = or_(text(t.OPEN_STATES_SQL), o.needs_echo)
    operations = select(o.operation_id, o.state, o.run_id).where(and_(among(connection, o.person_number, numbers), pending))
    return Belongings(
        tuple(ids),
        tuple(numbers),
        tuple(sorted(mailboxes)),
        tuple(sorted(refs)),
        tuple(sorted(_in_org(connection, ids, numbers, mailboxes))),
        tuple(sorted(tuple(row) for row in connection.execute(operations))),
    )


def belongings_of_mailbox(connection: Connection, mailbox: str) -> Belongings:
    """What belongs to a mailbox that is nobody's: it is known only by what came of it and was set aside. Empty if it is somebody's now."""
    c = t.claim.c
    if connection.execute(select(c.value).where(and_(c.kind == MAILBOX_KIND, c.value == mailbox))).first():
        return Belongings((), ())
    return Belongings((), (), (mailbox,), (), tuple(sorted(_in_org(connection, (), (), {mailbox}))))


def _people(connection: Connection, person_id: str) -> list[tuple[str, int]]:
    """The person first, then everybody who redirects there, over several hops."""
    p = t.person.c
    found = {
        str(row[0]): int(row[1]) for row in connection.execute(select(p.person_id, p.number).where(p.person_id == person_id))
    }
    if not found:
        raise StoreError("There is no such person.", advice='"syncd lead find" shows who there is.')
    hop = list(found)
    while hop:
        merged = select(p.person_id, p.number).where(among(connection, p.redirect, hop)).order_by(p.number)
        new = {str(row[0]): int(row[1]) for row in connection.execute(merged) if row[0] not in found}
        found |= new
        hop = list(new)
    return list(found.items())


def _refs(connection: Connection, ids: Collection[str], numbers: Collection[int]) -> set[RecordRef]:
    """Their records, and those that were once linked to them and are nobody else's now."""
    found: set[RecordRef] = set()
    r, k = t.record.c, t.link.c
    for table in (t.record, t.touch):
        c = table.c
        statement = select(c.source, c.stream, c.key).where(among(connection, c.person_number, numbers))
        found |= {ref_of(row) for row in connection.execute(statement)}
    is_others = and_(r.source == k.source, r.stream == k.stream, r.key == k.key, r.person_number.is_not(None))
    others = select(r.person_number).where(and_(is_others, ~among(connection, r.person_number, numbers))).exists()
    linked = select(k.source, k.stream, k.key).where(and_(among(connection, k.person_id, ids), ~others)).distinct()
    return found | {ref_of(row) for row in connection.execute(linked)}


def _mailboxes(connection: Connection, ids: Collection[str], numbers: Collection[int]) -> set[str]:
    c, r = t.claim.c, t.record.c
    claimed = select(c.value).where(and_(c.kind == MAILBOX_KIND, among(connection, c.person_id, ids)))
    found = set(connection.execute(claimed).scalars())
    # A person whose mailbox is somebody else's claim (a question is open) has it in the record only.
    leads = select(r.source, r.stream, r.key, r.lead).where(among(connection, r.person_number, numbers))
    for row in connection.execute(leads):
        found |= {value for kind, value in lead_keys(ref_of(row), LEAD.decode(row.lead)).claims if kind == MAILBOX_KIND}
    found |= _mailboxes_in_org(connection, numbers)
    taken = select(c.value).where(
        and_(among(connection, c.value, found), c.kind == MAILBOX_KIND, ~among(connection, c.person_id, ids))
    )
    return found - set(connection.execute(taken).scalars()) - _mailboxes_apart(connection, ids)


def _mailboxes_in_org(connection: Connection, numbers: Collection[int]) -> set[str]:
    """Those that the org has of them and of nobody else whom we know: a rep may have written down a new one."""
    o, b = t.org_record.c, t.block_key.c
    linked = select(o.object, o.fields).where(and_(among(connection, o.person_number, numbers), o.object.in_(PEOPLE)))
    found = {key for row in connection.execute(linked) for key in _mailbox_of(row)}
    of_others = (
        select(b.value)
        .join(t.org_record, and_(b.subject_kind == o.object, b.subject_id == o.sf_id))
        .where(and_(b.kind == MAILBOX_KIND, among(connection, b.value, found), ~among(connection, o.person_number, numbers)))
    )
    return found - set(connection.execute(of_others).scalars())


def _mailbox_of(row: Any) -> set[str]:
    fields = msgspec.json.decode(row.fields)
    return {value for kind, value in org_keys(OrgRow(row.object, "", fields, _NO_TIME)) if kind == MAILBOX_KIND}


def _mailboxes_apart(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of whoever a person has said to be somebody else: a mailbox that two share keeps neither away."""
    o, p, r = t.org_record.c, t.person.c, t.record.c
    others = _apart(connection, ids)
    leads = select(r.source, r.stream, r.key, r.lead).join(t.person, p.number == r.person_number)
    rows = connection.execute(leads.where(among(connection, p.person_id, others)))
    found = {
        value for row in rows for kind, value in lead_keys(ref_of(row), LEAD.decode(row.lead)).claims if kind == MAILBOX_KIND
    }
    named = [tuple(one.split(":", 1)) for one in others if ":" in one]
    in_org = select(o.object, o.sf_id, o.fields).where(among(connection, o.sf_id, [sf_id for _, sf_id in named]))
    return found | {key for row in connection.execute(in_org) if (row.object, row.sf_id) in named for key in _mailbox_of(row)}


def _apart(connection: Connection, ids: Collection[str]) -> set[str]:
    """Ids of people, and `Object:sf_id`, that were said never to be the person."""
    w = t.constraint.c
    sides = ((w.left_id, w.right_id), (w.right_id, w.left_id))
    statements = [select(other).where(and_(w.kind == "never", among(connection, own, ids))) for own, other in sides]
    return {str(one) for statement in statements for one in connection.execute(statement).scalars()} - set(ids)


def _in_org(
    connection: Connection, ids: Collection[str], numbers: Collection[int], mailboxes: Collection[str]
) -> set[tuple[str, str, bool]]:
    """Linked records; those of nobody with their external id or one of the mailboxes; and the contacts that their leads became."""
    o, b = t.org_record.c, t.block_key.c
    columns = select(o.object, o.sf_id, o.is_deleted, o.contact_id)
    rows = list(connection.execute(columns.where(among(connection, o.person_number, numbers))))
    by_mailbox = columns.join(t.block_key, and_(b.subject_kind == o.object, b.subject_id == o.sf_id)).where(
        and_(
            b.kind == MAILBOX_KIND,
            among(connection, b.value, mailboxes),
            o.object.in_(("Lead", "Contact")),
            o.person_number.is_(None),
        )
    )
    rows += connection.execute(by_mailbox)
    rows += connection.execute(columns.where(and_(among(connection, o.external_id, ids), o.person_number.is_(None))))
    # Nothing is found by a record that was deleted: what it holds has to be looked at.
    gone = columns.add_columns(o.fields).where(and_(o.is_deleted, o.person_number.is_(None), o.fields != "{}"))
    rows += [row for row in connection.execute(gone) if mailboxes_in(row.fields.encode()) & set(mailboxes)]
    apart = _apart(connection, ids)
    rows = [row for row in rows if f"{row.object}:{row.sf_id}" not in apart]
    contacts = [row.contact_id for row in rows if row.contact_id]
    is_free = and_(o.object == "Contact", among(connection, o.sf_id, contacts), o.person_number.is_(None))
    rows += connection.execute(columns.where(is_free))
    return {(row.object, row.sf_id, bool(row.is_deleted)) for row in rows}


def mailboxes_in(raw: bytes) -> set[str]:
    """Every mailbox that a text names, in comparison form; empty where there is none."""
    if b"@" not in raw and b"\\u0040" not in raw and b"%40" not in raw:
        return set()
    said = _ESCAPES.sub(_spelt, raw.decode("utf-8", "replace"))
    said = _PERCENT.sub(lambda found: unquote(found[0]), said)
    words = (one.lstrip(_BEFORE).rstrip(_AFTER) for one in _WORD.findall(said) if one.count("@") == 1)
    return {key for one in words if (key := email_key(one))}


def _spelt(escape: re.Match[str]) -> str:
    """What an escape of JSON stands for; halves of a pair are part of no mailbox."""
    code = int(escape[1] or "20", 16)
    return " " if 0xD800 <= code < 0xE000 else chr(code)
