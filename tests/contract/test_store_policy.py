"""What a policy reads of the store, the same on both engines: the mirror beyond leads, statuses over time, facts of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, func, insert, select, update

from syncd.model import FieldValue, Lane, Lead, OperationKind, OperationState, OrgRow, Touch
from syncd.ports import DecisionRow, OperationResult, PersonPlan, StoredActivity, StoredFacts, StoredStatus, StoredTouch
from syncd.store import SqlStore, tables
from tests.contract.planned import seen
from tests.contract.test_store import operation, resolved

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MACHINE, REP = "005machine", "005rep"


def people(store: SqlStore, *names: str, **more: Any) -> None:
    """New people, each with a record, clean."""
    rows = [resolved(n, name, **more) for n, name in enumerate(names)]
    store.commit_resolved("run", rows, NOW, [PersonPlan(name) for name in names])


def put(store: SqlStore, *rows: OrgRow, **key_sets: Any) -> int:
    return store.put_org_rows(rows, key_sets, NOW)


def row(name: str, sf_id: str, at: datetime = NOW, **more: Any) -> OrgRow:
    """A record of the org; words in capitals are its fields."""
    fields = {key: value for key, value in more.items() if key[0].isupper()}
    return OrgRow(name, sf_id, fields, at, **{key: value for key, value in more.items() if not key[0].isupper()})


def facts(store: SqlStore, person: str = "p") -> StoredFacts:
    return store.person_facts([person], [MACHINE])[person]


def count(store: SqlStore, name: str) -> int:
    with store.db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar() or 0)


# ---------------------------------------------------------------- statuses over time


def statuses(store: SqlStore, sf_id: str = "00Q1") -> list[tuple[str, datetime, str]]:
    return [(one.status, one.at, one.modified_by) for one in store.status_changes() if one.sf_id == sf_id]


def test_statuses_are_noted_as_they_are_first_seen(store: SqlStore) -> None:
    store.note_statuses(True)
    put(store, row("Lead", "00Q1", Status="Open", modified_by=REP))
    put(store, row("Lead", "00Q1", NOW + DAY, Status="Open", Title="x", modified_by=MACHINE))
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, Status="Working", modified_by=MACHINE))
    put(store, row("Lead", "00Q1", NOW + DAY, Status="Stale", modified_by=REP))
    put(store, row("Contact", "003A", Status="x"), row("Lead", "00Q2", Title="no status"))
    assert statuses(store) == [("Open", NOW, REP), ("Working", NOW + 2 * DAY, MACHINE)]
    assert count(store, "status_change") == 2


def test_without_programs_no_status_is_noted(store: SqlStore) -> None:
    put(store, row("Lead", "00Q1", Status="Open"))
    put(store, row("Lead", "00Q1", NOW + DAY, Status="Working"))
    assert count(store, "status_change") == 0


def test_what_a_lead_was_before_is_noted_with_its_first_change(store: SqlStore) -> None:
    """A policy came later than the mirror: the first change says where it came from, the second does not say it again."""
    put(store, row("Lead", "00Q1", Status="Open", modified_by=REP))
    store.note_statuses(True)
    put(store, row("Lead", "00Q1", NOW + DAY, Status="Working", modified_by=MACHINE))
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, Status="Nurture", modified_by=MACHINE))
    assert [one[0] for one in statuses(store)] == ["Open", "Working", "Nurture"]
    assert statuses(store)[0] == ("Open", NOW, REP)


def test_an_echo_notes_the_status_once(store: SqlStore) -> None:
    store.note_statuses(True)
    people(store, "p")
    create = operation(1, "p", kind=OperationKind.CREATE, sf_id="", fields={"Status": "Open"}, before={})
    change = operation(2, "p", kind=OperationKind.STATUS, fields={"Status": "Working"})
    for one, status, at in ((create, "Open", NOW), (change, "Working", NOW + DAY)):
        store.put_operations([one])
        store.mark_sent([one.operation_id], at)
        echo = row("Lead", "00Q1", at, Status=status, modified_by=MACHINE)
        store.commit_results("run", [OperationResult(one.operation_id, OperationState.DONE, "00Q1", echo=echo)], at)
    put(store, row("Lead", "00Q1", NOW + 2 * DAY, Status="Working", modified_by=MACHINE))
    assert statuses(store) == [("Open", NOW, MACHINE), ("Working", NOW + DAY, MACHINE)]
    assert facts(store).statuses["00Q1"] == (StoredStatus("Open", NOW, False), StoredStatus("Working", NOW + DAY, False))


# ---------------------------------------------------------------- the mirror beyond leads


def test_a_related_row_is_replaced_by_a_higher_or_equal_stamp_only(store: SqlStore) -> None:
    people(store, "p")
    put(store, row("Contact", "003A", AccountId="001A", external_id="p"))
    assert put(store, row("Opportunity", "006A", AccountId="001A", CloseDate="2026-12-01")) == 1
    assert put(store, row("Opportunity", "006A", NOW - DAY, AccountId="001B", IsClosed=True)) == 0
    assert facts(store).account_opportunities == {"006A"}
    assert put(store, row("Opportunity", "006A", AccountId="001A", IsClosed=True)) == 1
    assert put(store, row("Opportunity", "006A", AccountId="001A", IsClosed=True)) == 0, "nothing changed"
    assert facts(store).account_opportunities == frozenset()
    assert count(store, "related") == 1
    assert count(store, "org_record") == 1, "an opportunity is nobody's record"


def test_people_are_planned_again_when_what_belongs_to_them_changes(store: SqlStore) -> None:
    people(store, "c", "l", "other")
    put(
        store,
        row("Contact", "003A", AccountId="001A", external_id="c"),
        row("Lead", "00Q1", external_id="l"),
        row("Lead", "00Q2", external_id="other"),
    )

    def then(*rows: OrgRow) -> list[str]:
        store.commit_plans("run", seen(store, [PersonPlan(one) for one in ("c", "l", "other")]), NOW)
        put(store, *rows)
        return store.dirty_persons(9)

    assert then(row("Task", "00T1", WhoId="00Q1")) == ["l"]
    assert then(row("Task", "00T1", WhoId="00Q1")) == []
    assert then(row("Task", "00T1", WhoId="003A")) == ["c", "l"], "whom it was about, and whom it is about now"
    assert then(row("Event", "00U1", WhoId="003A", AccountId="001A")) == ["c"]
    assert then(row("Opportunity", "006A", AccountId="001A")) == ["c"]
    assert then(row("Opportunity", "006B", ContactId="003A")) == ["c"]
    assert then(row("Account", "001A", Name="Acme")) == ["c"]
    assert then(row("Account", "001A", Name="Acme")) == []
    assert then(row("Account", "001B", Name="Other"), row("User", REP, Name="Rep", IsActive=True)) == []


def test_accounts_belong_to_nobody_and_are_found_by_their_keys(store: SqlStore) -> None:
    people(store, "p")
    keys = [("account_domain", "acme.com"), ("account_name", "acme")]
    put(store, row("Account", "001B", Name="Acme", external_id="p"), **{"001B": [*keys, ("phone", "+4930")]})
    put(store, row("Account", "001A", Name="Acme Inc"), **{"001A": keys[:1]})
    put(store, row("Account", "001C", Name="Acme", is_deleted=True), **{"001C": keys})
    found = store.accounts_by("account_domain", ["acme.com", "nobody.com"])
    assert {value: [one.sf_id for one in rows] for value, rows in found.items()} == {"acme.com": ["001A", "001B"]}
    assert store.accounts_by("account_name", ["acme"])["acme"][0].fields == {"Name": "Acme"}
    assert store.person_views(["p"])[0].org_records == ()
    assert store.candidates([("account_domain", "acme.com"), ("phone", "+4930")]) == {}
    assert store.stats()["org_records"] == 0
    put(store, row("Account", "001B", NOW + DAY, Name="Renamed"), **{"001B": [("account_name", "renamed")]})
    assert store.accounts_by("account_name", ["acme"]) == {}


def test_keys_that_a_policy_asks_for_later_come_with_rows_that_have_not_changed(store: SqlStore) -> None:
    """A row that is read once more gets them; one that is older than what is known brings nothing back."""
    put(store, row("Account", "001A", Name="Acme"))
    put(store, row("Contact", "003A", NOW + DAY, AccountId="001A", Email="new@acme.com"), **{"003A": [("email", "new@acme.com")]})
    assert store.accounts_of_domains(["acme.com"]) == {}
    domain = ("contact_domain", "acme.com")
    put(
        store,
        row("Contact", "003A", NOW, AccountId="001A", Email="old@acme.com"),
        **{"003A": [("email", "old@acme.com"), domain]},
    )
    assert store.accounts_of_domains(["acme.com"]) == {}
    assert store.candidates([("email", "old@acme.com")]) == {}
    put(store, row("Contact", "003A", NOW + DAY, AccountId="001A", Email="new@acme.com"), **{"003A": [domain]})
    assert [one.sf_id for one in store.accounts_of_domains(["acme.com", "x.com"])["acme.com"]] == ["001A"]
    assert [one.subject_id for one in store.candidates([("email", "new@acme.com")])[("email", "new@acme.com")]] == ["003A"]
    put(store, row("Contact", "003A", NOW + 2 * DAY, AccountId=None, Email="new@acme.com"), **{"003A": [domain]})
    assert store.accounts_of_domains(["acme.com"]) == {}


# ---------------------------------------------------------------- facts


def test_facts_of_a_lead(store: SqlStore) -> None:
    touch = Touch("form", at=(NOW - DAY).isoformat(), campaign="Fair")
    people(store, "p", lead=Lead({"LastName": FieldValue("x")}, touch=touch), lane=Lane.BACKFILL)
    put(store, row("Lead", "00Q1", external_id="p", owner_id=REP), row("User", REP, Name="Rep", IsActive=False))
    put(
        store,
        row("Task", "00T1", WhoId="00Q1", IsClosed=False, ActivityDate="2026-11-01"),
        row("Task", "00T2", WhoId="00Q1", IsClosed=True, CompletedDateTime="2026-11-20T08:00:00Z"),
        row("Task", "00T3", WhoId="00Q1", is_deleted=True),
        row("Task", "00T4", WhoId="00Q9"),
        row("Event", "00U1", WhoId="00Q1", StartDateTime="2026-11-25T08:00:00Z"),
        row("Event", "00U2", WhoId="00Q1", StartDateTime="2026-12-25T08:00:00Z"),
        row("Event", "00U3", WhoId="00Q1", ActivityDate="2026-11-22"),
    )
    found = facts(store)
    assert found.first_at == NOW
    assert found.touches == (StoredTouch("form", NOW - DAY, "Fair", "booth", Lane.BACKFILL),)
    event_at, last_at = datetime(2026, 11, 25, 8, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)
    assert found.activities == {"00Q1": StoredActivity(1, event_at, last_at)}
    assert found.owners == {REP: False}
    assert (found.account, found.statuses, found.fired, found.waiting) == (None, {}, {}, {})
    later = store.person_facts(["p"], [MACHINE], NOW + 2 * DAY)["p"].activities["00Q1"]
    assert (later.next_event_at, later.last_at) == (datetime(2026, 12, 25, 8, tzinfo=UTC), event_at)


def test_a_converted_lead_leads_on_to_its_contact_and_account(store: SqlStore) -> None:
    people(store, "p", "q")
    put(
        store,
        row("Lead", "00Q1", external_id="p", is_converted=True, contact_id="003A"),
        row("Contact", "003A", AccountId="001A"),
        row("Account", "001A", Industry="Steel"),
        row("Lead", "00Q2", external_id="q", is_converted=True, ConvertedAccountId="001A"),
        row("Task", "00T1", WhoId="003A"),
        row("Opportunity", "006A", AccountId="001A", ContactId="003A"),
        row("Opportunity", "006B", ContactId="003A", AccountId="001X"),
    )
    found = facts(store)
    assert found.account is not None
    assert found.account.fields == {"Industry": "Steel"}
    assert (found.account_opportunities, found.contact_opportunities) == ({"006A"}, {"006A", "006B"})
    assert found.activities["003A"].open_tasks == 1
    other = facts(store, "q")
    assert other.account == found.account
    assert other.contact_opportunities == frozenset()


def test_facts_cost_a_constant_number_of_statements(store: SqlStore) -> None:
    """And so many people are told apart."""
    names = [f"p{n:03d}" for n in range(40)]
    people(store, *names)
    for n, name in enumerate(names):
        put(store, row("Contact", f"003{n:03d}", external_id=name, owner_id=REP, AccountId=f"001{n % 3}"))
        put(store, row("Task", f"00T{n:03d}", WhoId=f"003{n:03d}"), row("Account", f"001{n % 3}", Name=f"A{n % 3}"))
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(store.db.engine, "before_cursor_execute", note)
    try:
        one = store.person_facts(names[:1], [])
        few = len(seen)
        seen.clear()
        found = store.person_facts([*names, "unknown"], [])
        assert few == len(seen) < 14
    finally:
        event.remove(store.db.engine, "before_cursor_execute", note)
    assert set(found) == set(names)
    assert found["p000"] == one["p000"]
    assert {name: one.account.fields["Name"] for name, one in found.items() if one.account} == {
        name: f"A{n % 3}" for n, name in enumerate(names)
    }
    assert {one.activities[sf_id].open_tasks for one in found.values() for sf_id in one.activities} == {1}


def test_everybody_streams_by_in_pages_and_parts(store: SqlStore) -> None:
    names = [f"p{n * 7919 % 1000:03d}" for n in range(1_000)]
    people(store, *names)
    put(store, *(row("Lead", f"00Q{name}", external_id=name, Status="Open") for name in names[:50]))
    with store.db.write() as connection:
        merged = tables.person.c.person_id == names[2]
        connection.execute(update(tables.person).where(merged).values(state="merged", redirect=names[1]))
    pages = list(store.facts_stream([MACHINE]))
    assert [len(page) for page in pages] == [500, 499]
    whole = [pair for page in pages for pair in page]
    assert {view.person_id for view, _ in whole} == set(names) - {names[2]}
    assert all(view.person_id == one.person_id for view, one in whole)
    some = [view.person_id for view, _ in whole[:40]]
    assert [view for view, _ in whole[:40]] == store.person_views(some)
    assert {one.person_id: one for _, one in whole[:40]} == store.person_facts(some, [MACHINE])
    parts = store.stream_parts(3)
    assert len(parts) == 3
    again = [pair for after, limit in parts for page in store.facts_stream([MACHINE], after, limit) for pair in page]
    assert again == whole


def test_an_empty_store_streams_nothing(store: SqlStore) -> None:
    assert store.stream_parts(2) == []
    assert list(store.facts_stream([])) == []


def test_a_scratch_copy_knows_the_policy_state(store: SqlStore) -> None:
    store.note_statuses(True)
    decided = DecisionRow("a", "rules", "fired", "nurture 1", "Open", "Working", {"reason": "r"})
    store.commit_resolved("run", [resolved(1, "p")], NOW, [PersonPlan("p", decisions=(decided,), due={"": NOW, "a": NOW + DAY})])
    put(store, row("Lead", "00Q1", external_id="p", Status="Open"), row("Task", "00T1", WhoId="00Q1"), row("User", REP, Name="x"))
    copy = store.copy_to_scratch()
    try:
        assert facts(copy) == facts(store)
        assert copy.decisions_of("p") == store.decisions_of("p") != []
        assert copy.next_due() == NOW
        put(copy, row("Lead", "00Q1", NOW + DAY, Status="Working"))
        assert (count(copy, "status_change"), count(store, "status_change")) == (2, 1)
        assert copy.check() == []
    finally:
        copy.close()


def test_check_finds_decisions_and_dates_of_nobody(store: SqlStore) -> None:
    with store.db.write() as connection:
        connection.execute(insert(tables.due).values(person_id="gone", rule="", due_at=NOW))
        empty = dict.fromkeys(("run_id", "policy", "rule_id", "section", "outcome", "from_status", "to_status"), "")
        connection.execute(insert(tables.decision).values(person_number=7, at=NOW, document="{}", **empty))
    assert store.check() == ["1 decisions belong to nobody.", "1 dates of policies belong to nobody."]


def test_users_are_replaced_by_a_higher_or_equal_stamp_only(store: SqlStore) -> None:
    people(store, "p")
    put(store, row("Lead", "00Q1", external_id="p", owner_id=REP), row("User", REP, Name="Rep", IsActive=True))
    assert put(store, row("User", REP, NOW - DAY, Name="Rep", IsActive=False)) == 0
    assert facts(store).owners == {REP: True}
    assert put(store, row("User", REP, Name="Rep", IsActive=False)) == 1
    assert facts(store).owners == {REP: False}


def test_a_lead_that_went_to_another_user_is_planned_again_while_a_policy_has_programs(store: SqlStore) -> None:
    people(store, "p", "q", lane=Lane.BACKFILL)
    for n, (name, is_noted, dirty) in enumerate((("p", False, []), ("q", True, ["q"]))):
        store.note_statuses(is_noted)
        put(store, row("Lead", f"00Q{n}", external_id=name, owner_id="005a"))
        store.commit_plans("run", seen(store, [PersonPlan(name)]), NOW)
        put(store, row("Lead", f"00Q{n}", NOW + DAY, external_id=name, owner_id="005b"))
        assert store.dirty_persons(9) == dirty


def test_an_opportunity_that_was_made_is_known_at_once(store: SqlStore) -> None:
    """It is nobody's record, but the next plan must not make a second one."""
    people(store, "p")
    put(store, row("Contact", "003A", AccountId="001A", external_id="p"))
    create = operation(1, "p", object="Opportunity", kind=OperationKind.CREATE, sf_id="", fields={"Name": "x"}, before={})
    store.put_operations([create])
    store.mark_sent([create.operation_id], NOW)
    echo = row("Opportunity", "006A", AccountId="001A", modified_by=MACHINE)
    done = OperationResult(create.operation_id, OperationState.DONE, "006A", echo=echo, base={"Name": "x"})
    store.commit_results("run", [done], NOW)
    assert facts(store).account_opportunities == {"006A"}
    assert [one.row.sf_id for one in store.person_views(["p"])[0].org_records] == ["003A"]
    assert store.operations_needing_echo(9) == []
