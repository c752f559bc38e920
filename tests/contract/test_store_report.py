"""What reports read of the store, the same on both engines: leads over time, moves, where leads stand, how often rules fired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from syncd.clock import FixedClock
from syncd.model import FieldValue, Lane, Lead, OperationKind, OperationState, Provenance, RecordRef, Touch
from syncd.ports import LeadHistory, PersonPlan, RuleCount, StandingLeads, StatusMove, StatusRow
from syncd.store import SqlStore, open_store, report
from tests.contract.test_store import operation, resolved
from tests.contract.test_store_decisions import decided, plan
from tests.contract.test_store_policy import people, put, row

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MACHINE, REP = "005machine", "005rep"
EVER = (NOW - 999 * DAY, NOW + 999 * DAY)
RULE = "policy nurture 1a2b3c4d: cools_off"


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store on either engine with one run begun; changes of status are noted."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    opened.start_run("run", NOW, ["booth"])
    opened.note_statuses(True)
    yield opened
    opened.close()


def histories(store: SqlStore, since: datetime = EVER[0], until: datetime = EVER[1]) -> list[LeadHistory]:
    return [one for page in store.lead_histories(since, until) for one in page]


def moves(store: SqlStore, since: datetime = EVER[0], until: datetime = EVER[1]) -> list[StatusMove]:
    return [one for page in store.status_moves(since, until) for one in page]


def moved(store: SqlStore, number: int, person: str, at: datetime, **more: Any) -> None:
    """A move of a status that ended in a state."""
    state = more.pop("state", OperationState.DONE)
    fields = more.pop("fields", {"Status": "Nurture"})
    why = dict.fromkeys(fields, Provenance(rule=more.pop("rule", RULE)))
    made = operation(
        number, person, kind=more.pop("kind", OperationKind.STATUS), fields=fields, before={"Status": "Open"}, provenance=why,
        state=state, finished_at=at, **more,
    )  # fmt: skip
    store.put_operations([made])


def touched(number: int, person: str, lane: Lane, at: datetime | None, **more: Any) -> Any:
    touch = Touch("form", at=at.isoformat()) if at is not None else Touch("")
    return resolved(number, person, lead=Lead({"LastName": FieldValue("x")}, touch=touch), lane=lane, **more)


# ---------------------------------------------------------------- since when


def test_since_when_statuses_are_noted_is_kept_and_begins_anew_after_a_break(store: SqlStore) -> None:
    assert isinstance(store.db.clock, FixedClock)
    assert store.statuses_noted_since() == NOW
    store.db.clock.advance(60)
    store.note_statuses(True)
    assert store.statuses_noted_since() == NOW
    store.note_statuses(False)
    assert store.statuses_noted_since() is None
    store.note_statuses(True)
    assert store.statuses_noted_since() == NOW + timedelta(seconds=60)


# ---------------------------------------------------------------- leads over time


def test_a_lead_comes_with_everything_that_is_known_of_it(store: SqlStore) -> None:
    """The source of the oldest record, touches and completed tasks in their order, and what syncd moved; of others nothing."""
    store.commit_resolved("run", [touched(1, "p", Lane.INCREMENT, NOW - DAY)], NOW, [PersonPlan("p")])
    older = {"is_new_person": False, "source_at": NOW - 9 * DAY, "ref": RecordRef("site", "rows", "k")}
    store.commit_resolved("run", [touched(2, "p", Lane.BACKFILL, NOW - 2 * DAY, **older), touched(3, "q", Lane.HOT, NOW)], NOW)
    put(
        store,
        row("Lead", "00Q1", NOW, Status="Open", CreatedDate="2026-11-24T08:59:00.000+0000", external_id="p", modified_by=MACHINE),
        row("Lead", "00Q2", NOW, Status="Open", external_id="q"),
    )
    put(
        store,
        row("Lead", "00Q1", NOW + DAY, Status="Done", CreatedDate="2026-11-24T08:59:00.000+0000", external_id="p", modified_by=REP,
            is_converted=True),
        row("Task", "00T1", WhoId="00Q1", IsClosed=True, CompletedDateTime="2026-11-24T12:00:00Z"),
        row("Task", "00T2", WhoId="00Q1", IsClosed=True, CompletedDateTime="2026-11-24T11:00:00Z"),
        row("Task", "00T3", WhoId="00Q1", IsClosed=True, ActivityDate="2026-11-24"),
        row("Task", "00T4", WhoId="00Q1", IsClosed=False),
        row("Task", "00T5", WhoId="00Q1", IsClosed=True, CompletedDateTime="2026-11-24T10:00:00Z", is_deleted=True),
        row("Event", "00U1", WhoId="00Q1", StartDateTime="2026-11-24T10:00:00Z"),
    )  # fmt: skip
    moved(store, 1, "p", NOW + HOUR)
    moved(store, 2, "q", NOW + HOUR, sf_id="00Q2")
    first, second = histories(store)
    assert first == LeadHistory(
        sf_id="00Q1",
        statuses=(StatusRow("00Q1", NOW, "Open", MACHINE), StatusRow("00Q1", NOW + DAY, "Done", REP)),
        source="site",
        created_at=NOW - timedelta(minutes=1),
        is_converted=True,
        first_at=NOW,
        touches=(NOW - DAY,),
        tasks=(NOW + 2 * HOUR, NOW + 3 * HOUR),
        moves=(StatusMove("00Q1", NOW + HOUR, RULE, "Open", "Nurture"),),
    )
    assert (second.sf_id, second.source, [one.sf_id for one in second.moves]) == ("00Q2", "booth", ["00Q2"])


def test_a_lead_of_nobody_has_its_statuses_only(store: SqlStore) -> None:
    put(store, row("Lead", "00Q1", Status="Open", modified_by=REP))
    assert histories(store) == [LeadHistory("00Q1", (StatusRow("00Q1", NOW, "Open", REP),))]


@pytest.mark.parametrize(
    ("lane", "has_touch", "is_news"),
    [(Lane.HOT, True, True), (Lane.BACKFILL, True, False), (Lane.BACKFILL, False, False), (Lane.INCREMENT, False, True),
     (Lane.REMAP, False, True)],
)  # fmt: skip
def test_who_is_known_by_back_fills_only_is_no_news(store: SqlStore, lane: Lane, has_touch: bool, is_news: bool) -> None:
    store.commit_resolved("run", [touched(1, "p", lane, NOW if has_touch else None)], NOW, [PersonPlan("p")])
    put(store, row("Lead", "00Q1", Status="Open", external_id="p"))
    (found,) = histories(store)
    assert (found.is_news, found.touches) == (is_news, (NOW,) if has_touch and is_news else ())


def test_leads_of_a_period_come_once_with_their_whole_history(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also over the ends of slices; the end does not belong to the period."""
    monkeypatch.setattr(report, "_SLICE", 7)
    for n in range(30):
        put(store, row("Lead", f"00Q{n:02d}", NOW - 10 * DAY, Status="Open"))
    for day in range(1, 9):
        put(store, *(row("Lead", f"00Q{n:02d}", NOW + day * DAY, Status=f"S{day}") for n in range(30) if n % 9 >= day))
    found = histories(store, NOW + 2 * DAY, NOW + 4 * DAY)
    assert [one.sf_id for one in found] == sorted({one.sf_id for one in found})
    assert {one.sf_id for one in found} == {f"00Q{n:02d}" for n in range(30) if n % 9 >= 2}
    by_id = {one.sf_id: [status.status for status in one.statuses] for one in found}
    assert by_id["00Q08"] == ["Open", *(f"S{day}" for day in range(1, 9))]
    assert by_id["00Q11"] == ["Open", "S1", "S2"]
    assert histories(store, NOW + 8 * DAY, NOW + 8 * DAY) == []
    assert len(histories(store)) == 30
    assert {one.sf_id for one in histories(store, NOW + 8 * DAY, NOW + 9 * DAY)} == {"00Q08", "00Q17", "00Q26"}


def test_histories_cost_a_constant_number_of_statements(store: SqlStore) -> None:
    people(store, *(f"p{n:03d}" for n in range(120)))
    put(store, row("Lead", "00Q000", Status="Open", external_id="p000"))
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(store.db.engine, "before_cursor_execute", note)
    try:
        assert len(histories(store)) == 1
        few = len(seen)
        put(store, *(row("Lead", f"00Q{n:03d}", Status="Open", external_id=f"p{n:03d}") for n in range(1, 120)))
        seen.clear()
        assert len(histories(store)) == 120
        assert few == len(seen) < 14
    finally:
        event.remove(store.db.engine, "before_cursor_execute", note)


# ---------------------------------------------------------------- moves


def test_moves_are_those_that_the_org_took_in_the_period(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_SLICE", 2)
    people(store, "p")
    for n in range(5):
        moved(store, n, "p", NOW + n * HOUR)
    moved(store, 5, "p", NOW, state=OperationState.REFUSED)
    moved(store, 6, "p", NOW, kind=OperationKind.UPDATE)
    moved(store, 7, "p", NOW + 2 * HOUR, fields={"Syncd_Archived__c": True}, rule="policy nurture 1: away")
    assert len(moves(store)) == 6
    assert moves(store, NOW + 2 * HOUR, NOW + 4 * HOUR) == [
        StatusMove("00Q1", NOW + 2 * HOUR, RULE, "Open", "Nurture"),
        StatusMove("00Q1", NOW + 3 * HOUR, RULE, "Open", "Nurture"),
        StatusMove("00Q1", NOW + 2 * HOUR, "policy nurture 1: away"),
    ]
    assert moves(store, NOW + 5 * HOUR, NOW + 9 * HOUR) == []


# ---------------------------------------------------------------- where leads stand


def test_leads_stand_by_status_and_by_the_source_of_the_oldest_record(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_SLICE", 3)
    people(store, "p", "q")
    older = {"is_new_person": False, "source_at": NOW - DAY, "ref": RecordRef("site", "rows", "k")}
    store.commit_resolved("run", [resolved(3, "q", **older)], NOW)
    for n in range(10):
        put(store, row("Lead", f"00Q{n}", Status="Open" if n % 2 else "Nurture", external_id="p" if n < 5 else "q"))
    put(
        store,
        row("Lead", "00QA", Status="Open"),
        row("Lead", "00QB"),
        row("Lead", "00QC", Status="Open", is_deleted=True),
        row("Lead", "00QD", Status="Open", is_converted=True),
        row("Contact", "003A", Status="Open"),
    )
    assert store.standing_leads() == [
        StandingLeads("", "", 1),
        StandingLeads("Nurture", "booth", 3),
        StandingLeads("Nurture", "site", 2),
        StandingLeads("Open", "", 1),
        StandingLeads("Open", "booth", 2),
        StandingLeads("Open", "site", 3),
    ]


def test_an_empty_store_has_nothing_to_report(store: SqlStore) -> None:
    assert (store.standing_leads(), histories(store), moves(store), store.rule_counts(*EVER)) == ([], [], [], [])


# ---------------------------------------------------------------- rules


def test_rules_are_counted_by_what_became_of_them(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the ends of slices nothing is lost and nothing counted twice, also where many were decided at one instant."""
    monkeypatch.setattr(report, "_SLICE", 4)
    people(store, "p")
    plan(store, "p", *(decided("a", at=NOW + (n // 6) * HOUR) for n in range(24)))
    plan(store, "p", *(decided("b", "observed", at=NOW + n * HOUR) for n in range(3)))
    assert store.rule_counts(*EVER) == [RuleCount("a", "rules", "fired", 24), RuleCount("b", "rules", "observed", 3)]
    assert store.rule_counts(NOW + HOUR, NOW + 3 * HOUR) == [
        RuleCount("a", "rules", "fired", 12),
        RuleCount("b", "rules", "observed", 2),
    ]
    assert store.rule_counts(NOW + 4 * HOUR, EVER[1]) == []
