"""Erasing a person, the same on both engines: nothing of theirs in any table, everything of everybody else as it was."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, event, insert, select, update

from syncd.clock import FixedClock
from syncd.errors import ClaimConflictError, StoreError
from syncd.model import (
    ERASURE_ASKED,
    Candidate,
    FieldValue,
    Hold,
    InboxOutcome,
    Lane,
    Lead,
    OperationState,
    OrgRow,
    Page,
    PersonState,
    Record,
    RecordRef,
    RunStatus,
    Touch,
    Wanted,
)
from syncd.ports import (
    ERASED,
    LOG_IN_USE,
    NOT_COMPACTED,
    TOO_LARGE,
    DeadLetter,
    DecisionRow,
    ExportedLead,
    Key,
    LeadExport,
    OperationResult,
    PersonPlan,
    ResolvedRecord,
    Review,
)
from syncd.store import SqlStore, engine, open_store, tables
from syncd.store.belongings import mailboxes_in
from tests.contract.planned import seen
from tests.contract.test_store import operation
from tests.erasing import held

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NEEDLE = "quillabeth"
MAIL = "quillabeth@zyzzyvas.example"
OLD_MAIL = "quillabeth.before@zyzzyvas.example"
OTHER_MAIL = "other@example.com"
PAYLOAD = msgspec.json.encode({"mail": MAIL.upper(), "name": "Quillabeth", "filler": "x" * 3_000})


def digest_of(key: Key) -> str:
    """Stands for a keyed hash."""
    return hashlib.sha256("|".join(key).encode()).hexdigest()


def lead(mail: str, name: str) -> Lead:
    return Lead(
        {"Email": FieldValue(mail), "LastName": FieldValue(name), "Phone": FieldValue("+14155552671")},
        Touch("event", campaign=name),
    )


def comes(store: SqlStore, person: str, mail: str, name: str, key: str, payload: bytes, **more: Any) -> None:
    """A record comes and is resolved to a new person."""
    store.put_page("run", "booth", "rows", Page((Record(key, payload, NOW, 0, f"{name} row"),), {}), Lane.INCREMENT, NOW)
    (row,) = store.take_inbox(10)
    found = {
        "person_id": person, "is_new_person": True, "lead": lead(mail, name), "digest": row.digest, "payload": payload,
        "source_at": NOW, "locator": row.locator, "dirty": True, "link_evidence": "new", "evidence": (("phone", f"+{name}"),),
    }  # fmt: skip
    whole: dict[str, Any] = {**found, "claims": (("email", mail),), **more}
    store.commit_resolved("run", [ResolvedRecord(row.sequence, row.ref, InboxOutcome.APPLIED, **whole)], NOW)


def lives(store: SqlStore, person: str, mail: str, name: str, number: int) -> None:
    """Everything that a store may keep of one person."""
    key = f"{name}-key"
    comes(
        store,
        person,
        mail,
        name,
        key,
        PAYLOAD.replace(MAIL.upper().encode(), mail.encode()).replace(b"Quillabeth", name.encode()),
    )
    sf_id = f"00Q{person}"
    planned = operation(number, person, sf_id=sf_id, fields={"LastName": name}, before={"LastName": f"{name} before"})
    failed = operation(number + 1, person, sf_id=f"{sf_id}x", fields={"Title": name})
    plan = PersonPlan(
        person, (planned, failed), notes={"Title": name}, decisions=(DecisionRow("r1", "archive", "fired", to_status="Open", document={"who": name}),),
        due={"": NOW, "r1": NOW},
    )  # fmt: skip
    store.commit_plans("run", seen(store, [plan]), NOW)
    store.mark_sent([planned.operation_id, failed.operation_id], NOW)
    echo = OrgRow("Lead", sf_id, {"LastName": name, "Email": mail, "Phone": name}, NOW, external_id=person)
    letter = DeadLetter("operation", "push", "REFUSED", f"{name} is refused", person_id=person, operation_id=failed.operation_id)
    store.commit_results(
        "run",
        [
            OperationResult(planned.operation_id, OperationState.DONE, sf_id, echo=echo, base={"LastName": name}),
            OperationResult(failed.operation_id, OperationState.REFUSED, code="REFUSED", message=f"{name}!", dead_letter=msgspec.structs.replace(letter, at=NOW)),
        ],
        NOW,
    )  # fmt: skip
    store.put_org_rows([echo], {sf_id: (("email", mail), ("phone", name))}, NOW)
    store.link_person(person, [("Lead", sf_id)], None, NOW)
    store.put_holds(person, [Hold("Title", name, "undo")], {})
    store.put_wanted("booth", "rows", [Wanted(key, name.encode(), NOW, name)], NOW)
    more = DeadLetter(
        "record", "map", "bad", name, "booth", "rows", f"{name}-other", name, f'{{"mail": "{mail}"}}'.encode(), at=NOW
    )
    own = msgspec.structs.replace(more, key=key, payload=name.encode())
    asked = DeadLetter(
        "record", "extract", ERASURE_ASKED, "asked", "booth", "other", f"withdrawn-{key}", "", name.encode(), at=NOW
    )
    store.put_dead_letters([more, own, asked])
    store.link_person(
        person, [], Review("merge", person, (Candidate("person", person, person, "", name, name, mail),), name, at=NOW), NOW
    )
    export = LeadExport(f"export-{person}", NOW, "org", "file", "sha", 1)
    store.put_export(export, [ExportedLead(sf_id, person, NOW, hashlib.sha256(name.encode()).hexdigest())])
    with store.db.write() as connection:
        values = {"left_id": person, "right_id": "somebody", "kind": "never", "at": NOW}
        connection.execute(insert(tables.constraint).values(**values))
        connection.execute(
            update(tables.person)
            .where(tables.person.c.person_id == person)
            .values(golden=f'{{"values": {{"LastName": "{name}"}}}}')
        )
    store.put_org_rows([OrgRow("Task", f"00T{person}", {"WhoId": sf_id, "Subject": name}, NOW)], {}, NOW)


def everything(
    store: SqlStore, but: tuple[str, ...] = ("tombstone", "policy_day", "run_source", "meta", "arrival")
) -> dict[str, list[str]]:
    """All rows of all tables as text."""
    found = {}
    with store.db.read() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name not in but:
                found[table.name] = sorted(str(tuple(row)) for row in connection.execute(select(table)))
    return found


def is_deleted_in_org(store: SqlStore, sf_id: str = "00Qp") -> None:
    (record,) = store.org_records([("Lead", sf_id)])
    store.put_org_rows([msgspec.structs.replace(record.row, is_deleted=True, stamp=NOW + timedelta(seconds=1))], {}, NOW)


def test_nothing_of_theirs_is_left_in_any_table_and_all_of_others_is(store: SqlStore, store_url: str) -> None:
    lives(store, "q", OTHER_MAIL, "other", 10)
    others = everything(store)
    lives(store, "p", MAIL, NEEDLE, 20)
    is_deleted_in_org(store)
    held_before = {place.partition(".")[0] for place in held(store_url, (NEEDLE,)) if not place.startswith("syncd.db")}
    assert held_before == {
        "inbox", "record", "person", "claim", "block_key", "touch", "decision", "org_record", "related", "operation",
        "operation_document", "dead_letter", "review", "hold", "wanted", "link",
    }  # fmt: skip
    traces = store.traces_of("p")
    assert (traces.state, traces.unsure, traces.rivals) == (PersonState.REVIEW, 0, ())
    assert traces.belongings.mailboxes == (MAIL,)
    assert traces.belongings.refs == (RecordRef("booth", "rows", f"{NEEDLE}-key"),)
    assert traces.belongings.org == (("Lead", "00Qp", True),)
    assert traces.counts == {
        "people": 1, "mailboxes": 1, "records": 1, "inbox": 1, "touches": 1, "operations": 2, "decisions": 1, "reviews": 1, "holds": 1,
        "dead_letters": 4, "pages": 0, "org_records": 1,
    }  # fmt: skip
    store.erase_person(traces, digest_of, "run", NOW)
    # The key of a letter that asked for it stays: it says which wish was fulfilled.
    assert {place for place in held(store_url, (NEEDLE,)) if not place.startswith("syncd.db")} == {"dead_letter.key"}
    with store.db.write() as connection:
        connection.execute(update(tables.dead_letter).where(tables.dead_letter.c.state == "dropped").values(key=""))
    assert store.scrub() == ()
    assert held(store_url, (NEEDLE,)) == set()
    after = everything(store)
    for name, rows in others.items():
        assert set(rows) <= set(after[name]), f"rows of others in {name} have changed"
    assert store.check() == []


def test_what_sums_need_stays(store: SqlStore) -> None:
    lives(store, "p", MAIL, NEEDLE, 20)
    is_deleted_in_org(store)
    with store.db.write() as connection:
        connection.execute(update(tables.operation).where(tables.operation.c.state == "done").values(needs_echo=True))
        connection.execute(update(tables.person).values(is_dirty=True))
    before = store.operation_counts("run")
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    assert store.operation_counts("run") == before
    assert store.operations_needing_echo(10) == []
    left = everything(store)
    assert (left["due"], left["person_constraint"], left["hold"], left["exported_lead"]) == (
        [], [], [], [f"('export-p', '00Qp', None, {NOW!r}, '', True)"],
    )  # fmt: skip
    with store.db.read() as connection:
        assert connection.execute(select(tables.person.c.is_dirty)).scalars().all() == [False]
    (done, refused) = store.operations_of("p")
    assert (done.state, done.sf_id, done.finished_at, done.message) == (OperationState.DONE, "00Qp", NOW, "")
    assert (refused.state, refused.code, refused.message) == (OperationState.REFUSED, "REFUSED", "")
    assert (done.fields, done.before, [why.rule for why in done.provenance.values()]) == ({}, {}, [ERASED])
    (day,) = store.policy_days(NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert (day.kind, day.rule_id, day.count) == ("decision", "r1", 1)
    (view,) = store.person_views(["p"])
    assert (view.state, view.records, view.org_records, view.notes, view.holds) == (PersonState.ERASED, (), (), {}, ())
    (letter,) = store.dead_letters("dropped")
    assert letter.reason == ERASURE_ASKED
    assert store.dead_letters() == []
    assert store.exported(["00Qp"])["00Qp"].person_id == ""
    assert store.traces_of("p").state is PersonState.ERASED


def test_tombstones_are_of_every_mailbox_and_record_and_plain_nowhere(store: SqlStore) -> None:
    comes(store, "p", OLD_MAIL, NEEDLE, "one", b'{"a": 1}')
    with store.db.write() as connection:
        connection.execute(insert(tables.claim).values(kind="email", value=MAIL, person_id="p"))
        connection.execute(insert(tables.claim).values(kind="other", value="x", person_id="p"))
    traces = store.traces_of("p")
    assert traces.belongings.mailboxes == (OLD_MAIL, MAIL)
    store.erase_person(traces, digest_of, "run", NOW)
    wanted = {digest_of(("email", MAIL)), digest_of(("email", OLD_MAIL)), digest_of(("record", "5:booth|4:rows|one"))}
    with store.db.read() as connection:
        assert set(connection.execute(select(tables.tombstone.c.digest)).scalars()) == wanted
    assert store.tombstones([*wanted, "other"]) == wanted
    assert store.claims([("email", MAIL), ("other", "x")]) == {}


def test_a_record_that_was_given_to_somebody_else_is_not_theirs(store: SqlStore) -> None:
    """The link of before says whose it was, the record whose it is."""
    comes(store, "p", MAIL, NEEDLE, "moved", b'{"a": 1}')
    comes(store, "q", OTHER_MAIL, "other", "stays", b'{"a": 2}')
    with store.db.write() as connection:
        r = tables.record.c
        connection.execute(update(tables.record).where(r.key == "moved").values(person_number=tables.number_of("q")))
        connection.execute(update(tables.touch).values(person_number=tables.number_of("q")))
    traces = store.traces_of("p")
    assert (traces.belongings.refs, traces.belongings.mailboxes) == ((), (MAIL,))
    store.erase_person(traces, digest_of, "run", NOW)
    assert len(store.person_views(["q"])[0].records) == 2


@pytest.mark.parametrize(
    ("payload", "is_theirs", "unsure"),
    [
        (b'{"mail": "Quillabeth@Zyzzyvas.example"}', True, 0),
        (b'{"mail": "Q <quillabeth@zyzzyvas.example>", "again": "quillabeth@zyzzyvas.example"}', True, 0),
        (b'{"mail": "quillabeth@zyzzyvas.example", "owner": "rep@acme.example"}', False, 1),
        (b'{"mail": "other@example.com"}', False, 0),
        (b'{"mail": "xquillabeth@zyzzyvas.example"}', False, 0),
        (b"\xff\xfe not text", False, 0),
    ],
)
def test_what_nobody_was_found_for_is_theirs_if_it_names_no_other_mailbox(
    store: SqlStore, payload: bytes, is_theirs: bool, unsure: int
) -> None:
    """In an ended version, a skipped record and a dead letter. What waits is the next pass's to judge."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    store.put_page("run", "booth", "rows", Page((Record("skipped", payload, NOW),), {}), Lane.INCREMENT, NOW)
    (row,) = store.take_inbox(10)
    skipped = ResolvedRecord(
        row.sequence, row.ref, InboxOutcome.SKIPPED, "skip_when", lead=Lead({}), digest=row.digest, payload=payload, source_at=NOW
    )
    store.commit_resolved("run", [skipped], NOW)
    store.put_dead_letters([DeadLetter("record", "map", "bad", "", "booth", "rows", "dead", payload=payload, at=NOW)])
    store.put_page("run", "booth", "rows", Page((Record("waits", payload, NOW),), {}), Lane.INCREMENT, NOW)
    traces = store.traces_of("p")
    assert traces.unsure == unsure * 3
    assert (len(traces.records), len(traces.dead_letters), len(traces.ended), traces.waiting) == (
        (1, 1, 2, {}) if is_theirs else (0, 0, 1, {})
    )
    store.erase_person(traces, digest_of, "run", NOW)
    assert len(store.dead_letters()) == (0 if is_theirs else 1)
    assert set(store.known_records([row.ref])) == (set() if is_theirs else {row.ref})
    assert [one.payload for one in store.take_inbox(10)] == [payload]


def test_an_unreadable_page_is_emptied_and_stays_a_sign(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    page = f"broken {MAIL} and {OTHER_MAIL}".encode()
    store.put_dead_letters([DeadLetter("page", "extract", "unreadable_page", "no JSON", "booth", "rows", payload=page, at=NOW)])
    traces = store.traces_of("p")
    assert (len(traces.pages), traces.dead_letters, traces.counts["pages"]) == (1, (), 1)
    store.erase_person(traces, digest_of, "run", NOW)
    (letter,) = store.dead_letters()
    found = store.dead_letter(letter.dead_letter_id)
    assert found is not None
    assert (found.state, found.payload) == ("open", b"")


def test_somebody_whose_only_candidate_it_was_is_somebody_new(store: SqlStore) -> None:
    """Whoever has another candidate is still asked about, without a word of who is gone."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    gone = Candidate("person", "p", "p", "", NEEDLE, NEEDLE, MAIL)
    other = Candidate("Lead", "00Qother", "", "", "Other")
    their_lead, became = Candidate("Lead", "00Qp"), Candidate("Lead", "00Qx", contact_id="003p")
    rows = [OrgRow(name, sf_id, {"Email": MAIL}, NOW) for name, sf_id in (("Lead", "00Qp"), ("Contact", "003p"))]
    store.put_org_rows(rows, {}, NOW)
    store.link_person("p", [("Lead", "00Qp"), ("Contact", "003p")], None, NOW)
    for person, candidates in (
        ("alone", (gone,)),
        ("asked", (gone, other)),
        ("twice", (gone, their_lead, became)),
        ("apart", (other,)),
    ):
        comes(store, person, f"{person}@example.com", person, person, b'{"a": 3}', person_state=PersonState.REVIEW)
        store.link_person(person, [], Review("weak_match", person, candidates, "Why.", at=NOW), NOW)
    store.link_person("twice", [], Review("several_matches", "twice", (other,), "Why.", at=NOW), NOW)
    with store.db.write() as connection:
        connection.execute(update(tables.person).values(is_dirty=False))
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    states = {one: store.person_views([one])[0].state for one in ("alone", "asked", "twice", "apart")}
    review = PersonState.REVIEW
    assert states == {"alone": PersonState.ACTIVE, "asked": review, "twice": review, "apart": review}
    assert store.dirty_persons(10) == ["alone", "asked", "twice"]
    assert {(one.person_id, one.kind, one.candidates) for one in store.reviews()} == {
        ("asked", "weak_match", (other,)),
        ("twice", "several_matches", (other,)),
        ("apart", "weak_match", (other,)),
    }
    assert {(one.person_id, one.decision, one.candidates) for one in store.reviews("accepted")} == {
        ("alone", "new", ()),
        ("twice", "new", ()),
    }


def test_somebody_else_with_the_same_mailbox_is_named(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    comes(store, "q", MAIL, "other", "two", b'{"a": 2}', claims=(), person_state=PersonState.REVIEW)
    assert store.traces_of("p").rivals == ("q",)
    twin = store.traces_of("q")
    assert (twin.rivals, twin.belongings.mailboxes) == ((), ()), "the mailbox is claimed by somebody else"


def test_a_record_of_the_org_with_the_mailbox_counts_though_nobody_is_linked(store: SqlStore) -> None:
    """A lead that a question is open about, and the contact that one was converted to."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    rows = [
        OrgRow("Lead", "00Q1", {"Email": MAIL}, NOW, is_converted=True, contact_id="0031"),
        OrgRow("Contact", "0031", {"LastName": NEEDLE}, NOW),
        OrgRow("Lead", "00Q2", {"Email": OTHER_MAIL}, NOW),
    ]
    keys = {"00Q1": (("email", MAIL),), "0031": (("phone", "+1"),), "00Q2": (("email", OTHER_MAIL),)}
    store.put_org_rows(rows, keys, NOW)
    traces = store.traces_of("p")
    assert traces.belongings.living == (("Contact", "0031"), ("Lead", "00Q1"))
    store.erase_person(traces, digest_of, "run", NOW)
    later = [msgspec.structs.replace(row, stamp=NOW + timedelta(seconds=9)) for row in rows]
    store.put_org_rows(later, keys, NOW)
    assert set(store.candidates([("email", MAIL), ("phone", "+1"), ("email", OTHER_MAIL)])) == {("email", OTHER_MAIL)}


@pytest.mark.parametrize("row", [{"external_id": "p"}, {"fields": {"Email": MAIL}, "is_deleted": True}])
def test_a_record_that_was_let_go_of_is_theirs_all_the_same(store: SqlStore, row: dict[str, Any]) -> None:
    """Its external id says so, or what is left of it."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    found = OrgRow(**({"object": "Lead", "sf_id": "00Q1", "fields": {"LastName": NEEDLE}, "stamp": NOW} | row))
    store.put_org_rows([found, OrgRow("Lead", "00Q2", {"Email": OTHER_MAIL}, NOW, is_deleted=True)], {}, NOW)
    with store.db.write() as connection:
        connection.execute(update(tables.org_record).values(person_number=None))
    traces = store.traces_of("p")
    assert traces.belongings.org == (("Lead", "00Q1", found.is_deleted),)
    store.erase_person(traces, digest_of, "run", NOW)
    again = msgspec.structs.replace(found, is_deleted=True, stamp=NOW + timedelta(seconds=1))
    store.put_org_rows([again], {}, NOW)
    (record,) = store.org_records([("Lead", "00Q1")])
    assert (record.person_id, record.row.fields) == ("", {})


def test_whoever_changes_while_it_is_looked_at_is_looked_at_again(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    traces = store.traces_of("p")
    store.commit_plans("run", seen(store, [PersonPlan("p", (operation(7, "p"),))]), NOW)
    with pytest.raises(ClaimConflictError):
        store.erase_person(traces, digest_of, "run", NOW)
    assert store.person_views(["p"])[0].state is PersonState.ACTIVE
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    assert store.operations([OperationState.PLANNED], 10) == []


class _Death(BaseException):
    """kill -9 within a transaction."""


def test_a_death_at_any_statement_leaves_everything(store: SqlStore) -> None:
    """One transaction: whichever statement it dies at, all is as it was; and every statement is needed to get through."""
    lives(store, "p", MAIL, NEEDLE, 20)
    is_deleted_in_org(store)
    before, traces = everything(store, ()), store.traces_of("p")
    left = 0

    def die(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        nonlocal left
        del connection, cursor, more
        left -= 1
        if left == 0:
            raise _Death(statement)

    event.listen(store.db.engine, "before_cursor_execute", die)
    died = 0
    for number in range(1, 200):
        left = number
        try:
            store.erase_person(traces, digest_of, "run", NOW)
            break
        except _Death:
            died, left = number, 0
            assert everything(store, ()) == before, f"statement {number}"
    event.remove(store.db.engine, "before_cursor_execute", die)
    assert died > 30
    assert store.traces_of("p").state is PersonState.ERASED


def test_a_record_is_remembered_by_what_is_left_of_it(store: SqlStore) -> None:
    """A touch, or a link, says that there was one; and a link to somebody else names it too."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    comes(store, "q", OTHER_MAIL, "other", "two", b'{"a": 2}')
    with store.db.write() as connection:
        k = tables.link.c
        connection.execute(delete(tables.record).where(tables.record.c.key == "one"))
        connection.execute(delete(tables.link).where(k.key == "one"))
        linked = {"source": "booth", "stream": "rows", "evidence": "email", "run_id": "run", "at": NOW}
        connection.execute(insert(tables.link).values(**linked, key="linked", person_id="p"))
        connection.execute(insert(tables.link).values(**linked, key="linked", person_id="somebody"))
    traces = store.traces_of("p")
    assert [one.key for one in traces.belongings.refs] == ["linked", "one"]
    store.erase_person(traces, digest_of, "run", NOW)
    with store.db.read() as connection:
        assert connection.execute(select(tables.link.c.key)).scalars().all() == ["two"]


def test_a_mailbox_that_is_nobodys_claim_is_remembered_too(store: SqlStore) -> None:
    """Of somebody about whom a question was open."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}', claims=())
    traces = store.traces_of("p")
    assert traces.belongings.mailboxes == (MAIL,)


def test_a_dead_letter_of_a_write_goes_though_it_names_nobody(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    store.put_operations([operation(7, "p", state=OperationState.REFUSED)])
    for number in ("000007", "000008"):
        store.put_dead_letters([DeadLetter("operation", "push", "REFUSED", NEEDLE, operation_id=number, at=NOW)])
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    assert [one.operation_id for one in store.dead_letters()] == ["000008"]


def test_what_a_kept_lead_becomes_is_found_by_nothing_unless_it_is_somebodys(store: SqlStore) -> None:
    """Whether it was there before the lead says so, comes with it, or comes later."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    comes(store, "q", OTHER_MAIL, "other", "two", b'{"a": 2}')
    leads = [OrgRow("Lead", f"00Q{n}", {"Email": MAIL}, NOW) for n in range(4)]
    store.put_org_rows(leads, {}, NOW)
    store.link_person("p", [("Lead", one.sf_id) for one in leads], None, NOW)
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    contacts = [OrgRow("Contact", f"003{n}", {"Phone": "+1"}, NOW) for n in range(4)]
    keys = {one.sf_id: (("phone", f"+{n}"),) for n, one in enumerate(contacts)}
    store.put_org_rows([contacts[0], contacts[3]], keys, NOW)
    store.link_person("q", [("Contact", "0033")], None, NOW)
    later = NOW + timedelta(seconds=1)
    became = [msgspec.structs.replace(one, is_converted=True, contact_id=f"003{n}", stamp=later) for n, one in enumerate(leads)]
    store.put_org_rows([*became, contacts[1]], keys, NOW)
    store.put_org_rows([contacts[2]], keys, NOW)
    found = store.candidates([("phone", f"+{n}") for n in range(4)])
    assert {key: [one.subject_id for one in subjects] for key, subjects in found.items()} == {("phone", "+3"): ["0033"]}


def test_a_record_is_found_behind_its_source(store: SqlStore) -> None:
    """With its stream or without; a key may hold colons itself."""
    comes(store, "p", MAIL, NEEDLE, "urn:x:1", b'{"a": 1}')
    comes(store, "q", OTHER_MAIL, "other", "1", b'{"a": 2}')
    for wanted, found in (
        ("booth:urn:x:1", ["p"]), ("booth:rows:urn:x:1", ["p"]), ("booth:rows:1", ["q"]), ("booth:1", ["q"]), ("urn:x:1", ["p"]),
        ("booth:2", []), ("booth:other:1", []), ("other:1", []), ("booth:", []),
    ):  # fmt: skip
        assert store.find_persons([], wanted, 5) == found, wanted


def test_nobody_is_nobody(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="no such person"):
        store.traces_of("nobody")


def test_a_batch_that_was_resolved_before_is_resolved_again(store: SqlStore) -> None:
    """A hot lead in somebody's hands while its person is erased: nothing of the batch is stored."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    store.put_page("run", "booth", "rows", Page((Record("two", PAYLOAD, NOW),), {}), Lane.HOT, NOW)
    (row,) = store.take_inbox(10)
    late = ResolvedRecord(
        row.sequence,
        row.ref,
        InboxOutcome.APPLIED,
        person_id="p",
        lead=lead(MAIL, NEEDLE),
        payload=PAYLOAD,
        source_at=NOW,
        dirty=True,
    )
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    with pytest.raises(ClaimConflictError):
        store.commit_resolved("run", [late], NOW)
    assert store.known_records([row.ref]) == {}
    new = msgspec.structs.replace(late, is_new_person=True)
    with pytest.raises(ClaimConflictError):
        store.commit_resolved("run", [new], NOW)


def test_what_comes_of_somebody_erased_is_counted_and_emptied(store: SqlStore, store_url: str) -> None:
    store.put_page("run", "booth", "rows", Page((Record(MAIL, PAYLOAD, NOW, 0, MAIL),), {}), Lane.HOT, NOW)
    (row,) = store.take_inbox(10)
    store.commit_resolved("run", [ResolvedRecord(row.sequence, row.ref, InboxOutcome.SKIPPED, ERASED, payload=PAYLOAD)], NOW)
    assert (store.source_counts("run")["booth"].skipped, store.take_inbox(10)) == (1, [])
    assert {place for place in held(store_url, (NEEDLE,)) if not place.startswith("syncd.db-wal")} == set()


def test_a_merge_in_the_org_gives_a_kept_record_to_whom_it_says(store: SqlStore) -> None:
    """A person there has said who it is; it is still found by nothing."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    comes(store, "q", OTHER_MAIL, "other", "two", b'{"a": 2}')
    kept, lost = OrgRow("Lead", "00Q1", {"Email": MAIL}, NOW), OrgRow("Lead", "00Q2", {"Email": OTHER_MAIL}, NOW)
    store.put_org_rows([kept, lost], {"00Q1": (("email", MAIL),)}, NOW)
    store.link_person("p", [("Lead", "00Q1")], None, NOW)
    store.link_person("q", [("Lead", "00Q2")], None, NOW)
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    merged = msgspec.structs.replace(lost, is_deleted=True, merged_into="00Q1", stamp=NOW + timedelta(seconds=1))
    store.put_org_rows([merged], {}, NOW)
    (record,) = store.org_records([("Lead", "00Q1")])
    assert record.person_id == "q"


def test_work_that_the_org_deletes_with_a_record_keeps_nothing(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    row = OrgRow("Lead", "00Q1", {"Email": MAIL}, NOW)
    store.put_org_rows([row], {}, NOW)
    store.link_person("p", [("Lead", "00Q1")], None, NOW)
    store.erase_person(store.traces_of("p"), digest_of, "run", NOW)
    task = OrgRow("Task", "00T1", {"WhoId": "00Q1", "Subject": NEEDLE}, NOW)
    gone = msgspec.structs.replace(task, is_deleted=True, stamp=NOW + timedelta(seconds=1))
    store.put_org_rows([task, msgspec.structs.replace(task, sf_id="00T2", fields={"WhoId": "00Q9", "Subject": "x"})], {}, NOW)
    store.put_org_rows([gone], {}, NOW)
    with store.db.read() as connection:
        found = {row.sf_id: row.fields for row in connection.execute(select(tables.related))}
    assert found == {"00T1": "{}", "00T2": '{"WhoId":"00Q9","Subject":"x"}'}


def test_nothing_is_asked_while_nobody_was_ever_erased(store: SqlStore) -> None:
    """One look at an empty table, and no digest is made."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        del connection, cursor, more
        asked.extend([statement] if "tombstone" in statement else [])

    def digests() -> Iterator[str]:
        raise AssertionError("a digest was made")
        yield ""

    event.listen(store.db.engine, "before_cursor_execute", note)
    assert store.tombstones(digests()) == set()
    store.put_org_rows([OrgRow("Lead", "00Q1", {"Email": MAIL}, NOW)], {}, NOW)
    event.remove(store.db.engine, "before_cursor_execute", note)
    assert len(asked) == 2


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[SqlStore]:
    """A SQLite store that leaves what it deletes in its free pages; some builds of SQLite never do."""
    opened = open_store(f"sqlite:///{tmp_path / 'syncd.db'}", clock=FixedClock(NOW))
    assert isinstance(opened, SqlStore)
    opened.start_run("run", NOW, ["booth"])
    with opened.db.write() as connection:
        connection.connection.driver_connection.execute("PRAGMA secure_delete = 0")
    yield opened
    opened.close()


def test_what_was_deleted_before_lies_about_no_more(careless: SqlStore, tmp_path: Path) -> None:
    """Versions of before are in free pages, which only a new file has not."""
    url = f"sqlite:///{tmp_path / 'syncd.db'}"
    for _ in range(3):
        careless.put_setting("old", NEEDLE * 2_000)
        careless.put_setting("old", "")
    careless.checkpoint()
    assert held(url, (NEEDLE,)) == {"syncd.db"}
    comes(careless, "p", MAIL, "other", "one", b'{"a": 1}')
    careless.erase_person(careless.traces_of("p"), digest_of, "run", NOW)
    careless.checkpoint()
    assert held(url, (NEEDLE,)) == {"syncd.db"}, "an erasure alone does not reach it"
    assert careless.scrub() == ()
    assert held(url, (NEEDLE,)) == set()


def test_what_an_erasure_deletes_is_overwritten_also_in_a_file_that_is_too_large(
    careless: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_MOST_COMPACTED_BYTES", 10)
    url = f"sqlite:///{tmp_path / 'syncd.db'}"
    comes(careless, "p", MAIL, NEEDLE, "one", PAYLOAD)
    careless.erase_person(careless.traces_of("p"), digest_of, "run", NOW)
    plain = f'{{"mail": "{MAIL}", "note": "{NEEDLE * 100}"}}'.encode()
    careless.put_page("run", "booth", "rows", Page((Record("two", plain, NOW, 0, MAIL),), {}), Lane.HOT, NOW)
    rows = careless.take_inbox(50)
    gone = [ResolvedRecord(row.sequence, row.ref, InboxOutcome.SKIPPED, ERASED, payload=plain) for row in rows]
    careless.commit_resolved("run", gone, NOW)
    assert careless.scrub() == (TOO_LARGE,)
    assert held(url, (NEEDLE,)) == set()
    driver: Any = careless.db._write_connection().connection.driver_connection
    assert driver.execute("PRAGMA secure_delete").fetchone() == (0,), "only meanwhile: every pass would pay for it"


def test_files_are_written_anew_unless_something_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the log, a file that is too large, a disk without room: it says so, and nothing fails."""
    path = tmp_path / "syncd.db"
    with closing(open_store(f"sqlite:///{path}", clock=FixedClock(NOW))) as store:
        assert isinstance(store, SqlStore)
        assert store.scrub() == ()
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM meta").fetchone()
            store.put_setting("a", "b")
            assert store.scrub() == (LOG_IN_USE,)
            reader.execute("COMMIT")
            reader.execute("BEGIN IMMEDIATE")
            store.db._writer.connection.driver_connection.execute("PRAGMA busy_timeout = 1")
            assert NOT_COMPACTED in store.scrub()
            reader.execute("COMMIT")
        monkeypatch.setattr(engine, "_MOST_COMPACTED_BYTES", 10)
        assert store.scrub() == (TOO_LARGE,)


def test_a_run_that_skips_what_waited_has_right_sums(store: SqlStore) -> None:
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    store.put_page(
        "run", "booth", "rows", Page((Record("one", PAYLOAD, NOW), Record("two", b"{}", NOW)), {}), Lane.INCREMENT, NOW
    )
    store.finish_run("run", NOW, RunStatus.OK, {})
    traces = store.traces_of("p")
    assert [len(one) for one in traces.waiting.values()] == [1]
    later = NOW + timedelta(minutes=1)
    store.start_run("erasure", later, ["booth"])
    store.erase_person(traces, digest_of, "erasure", later)
    store.finish_run("erasure", later, RunStatus.OK, {})
    counts = store.source_counts("erasure")["booth"]
    assert (counts.waiting_before, counts.skipped, counts.waiting) == (2, 1, 1)
    with store.db.read() as connection:
        i = tables.inbox.c
        ended = select(i.run_id, i.reason, i.key, i.payload).where(i.state == "skipped")
        assert [(*row[:3], bytes(row[3])) for row in connection.execute(ended)] == [("erasure", ERASED, "", b"")]
    assert [one.ref.key for one in store.take_inbox(10)] == ["two"]
    assert store.check() == []


def test_a_version_that_a_pass_had_taken_already_is_counted_once(store: SqlStore) -> None:
    """Long passes map ahead: what they took and the erasure ended meanwhile is skipped by them, too, and ended by one of the two (G2)."""
    comes(store, "p", MAIL, NEEDLE, "one", b'{"a": 1}')
    store.finish_run("run", NOW, RunStatus.OK, {})
    store.put_page("run", "booth", "rows", Page((Record("one", PAYLOAD, NOW), Record("two", PAYLOAD, NOW)), {}), Lane.HOT, NOW)
    later = NOW + timedelta(minutes=1)
    store.start_run("pass", later, ["booth"])
    taken = store.take_inbox(10)
    meanwhile = later + timedelta(seconds=1)
    store.start_run("erasure", meanwhile, ["booth"])
    store.erase_person(store.traces_of("p"), digest_of, "erasure", meanwhile)
    store.finish_run("erasure", meanwhile, RunStatus.OK, {})
    gone = [ResolvedRecord(row.sequence, row.ref, InboxOutcome.SKIPPED, ERASED, payload=row.payload) for row in taken]
    store.commit_resolved("pass", gone, later)
    store.finish_run("pass", later + timedelta(seconds=2), RunStatus.OK, {})
    skipped = {run: store.source_counts(run)["booth"].skipped for run in ("erasure", "pass")}
    assert skipped == {"erasure": 1, "pass": 1}
    assert store.check() == []


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"a@b.example, C@D.example;<e@f.example>", {"a@b.example", "c@d.example", "e@f.example"}),
        (b'{"x": "line\\nada@b.example."}', {"ada@b.example"}),
        (b"mail=ada%40b.example&x=1", {"ada@b.example"}),
        (b'{"x": "ada\\u0040b.example"}', {"ada@b.example"}),
        (b"nothing here", set()),
        (b"y" * 300_000 + b" ada@b.example", {"ada@b.example"}),
        (b"@ a@ @b", set()),
        (b'{"x": "o\'ada@b.example"}', {"o'ada@b.example"}),
        (b"'ada@b.example', write to *ada@b.example*!", {"ada@b.example"}),
        (b'{"x": "m\\u00fcller@b.example"}', {"m\xfcller@b.example"}),
        (b'{"x": "ada@m\\u00fcller.example \\ud83d\\ude00"}', {"ada@xn--mller-kva.example"}),
        (b'{"x": "ada\\u002Bnews@b.example"}', {"ada+news@b.example"}),
        (b"mail=ada%2Bnews%40b.example&name=50%25", {"ada+news@b.example"}),
    ],
)
def test_mailboxes_in_a_text(raw: bytes, found: set[str]) -> None:
    assert mailboxes_in(raw) == found
