"""What is forgotten and what stays, the same on both engines: everything that waits, is open, or is still read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, func, insert, select

from syncd.clock import FixedClock
from syncd.errors import StoreError
from syncd.model import Candidate, InboxOutcome, Lane, OperationState, OrgRow, Page, PersonState, Record, RunStatus
from syncd.ports import Backfill, DeadLetter, OperationResult, PersonPlan, ResolvedRecord, Review
from syncd.store import SqlStore, open_store, tables
from syncd.store.runs import PRUNED_RUN
from tests.contract.planned import seen
from tests.contract.test_store import operation, resolved

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_AGO = NOW - 100 * DAY
BEFORE = NOW - 90 * DAY


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStore]:
    """A fresh store on either engine."""
    opened = open_store(store_url, clock=FixedClock(NOW))
    yield opened
    opened.close()


def count(store: SqlStore, name: str) -> int:
    with store.db.read() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar() or 0)


def prune(store: SqlStore, limit: int = 500) -> int:
    return sum(store.prune(BEFORE, limit))


def come(store: SqlStore, run: str, *keys: str, at: datetime = LONG_AGO, lane: Lane = Lane.INCREMENT) -> None:
    store.put_page(run, "booth", "rows", Page(tuple(Record(key, f"{key} {at}".encode(), at) for key in keys), {}), lane, at)


def end(
    store: SqlStore, run: str, outcome: InboxOutcome = InboxOutcome.SKIPPED, at: datetime = LONG_AGO, limit: int = 1_000
) -> None:
    rows = store.take_inbox(limit)
    store.commit_resolved(run, [ResolvedRecord(row.sequence, row.ref, outcome) for row in rows], at)


def a_run(store: SqlStore, run: str, *keys: str, at: datetime = LONG_AGO) -> None:
    """A whole run with records that were all skipped."""
    store.start_run(run, at, ["booth"])
    come(store, run, *keys, at=at)
    end(store, run, at=at)
    store.finish_run(run, at + timedelta(minutes=5), RunStatus.OK, {})


def wrote(store: SqlStore, number: int, person: str, state: OperationState, at: datetime, **more: Any) -> None:
    """One write from plan to end."""
    fields = more.pop("fields", {"Title": f"t{number}"})
    planned = operation(number, person, sf_id=f"00Q{person}", fields=fields)
    planned = msgspec.structs.replace(planned, planned_at=at)
    store.commit_plans("run", seen(store, [PersonPlan(person, (planned,))]), at)
    store.mark_sent([planned.operation_id], at)
    echo = OrgRow("Lead", planned.sf_id, dict(fields), at) if state is OperationState.DONE else None
    base = dict(fields) if echo else {}
    result = OperationResult(planned.operation_id, state, planned.sf_id, more.pop("code", ""), echo=echo, base=base, **more)
    store.commit_results("run", [result], at)


# ---------------------------------------------------------------- what came


@pytest.mark.parametrize("limit", [1, 7, 500])
def test_what_came_and_ended_long_ago_goes(store: SqlStore, limit: int) -> None:
    a_run(store, "old", *(f"a{n}" for n in range(20)))
    a_run(store, "new", *(f"b{n}" for n in range(5)), at=NOW - 80 * DAY)
    slices = list(store.prune(BEFORE, limit))
    assert max(slices) <= max(limit, 2), "arrivals are few, and go at once"
    assert count(store, "inbox") == 5
    assert set(store.prune(BEFORE, limit)) == {0}, "once is enough"


def test_what_waits_stays_however_old(store: SqlStore) -> None:
    """And goes when it has ended, also from behind what was pruned already."""
    store.start_run("r", LONG_AGO, ["booth"])
    come(store, "r", *(f"a{n}" for n in range(12)))
    end(store, "r", limit=4)
    come(store, "r", *(f"b{n}" for n in range(4)), lane=Lane.HOT)
    end(store, "r", limit=4)
    prune(store, 3)
    assert count(store, "inbox") == len(store.take_inbox(99)) == 8
    end(store, "r")
    prune(store, 3)
    assert count(store, "inbox") == 0


def test_the_version_that_an_open_dead_letter_came_as_stays(store: SqlStore) -> None:
    """Its time would be lost, and a replay overtake what came since (DESIGN 5.2)."""
    store.start_run("r", LONG_AGO, ["booth"])
    come(store, "r", "dead", "other")
    rows = store.take_inbox(9)
    letters = [
        DeadLetter("record", "map", "bad", "no", *row.ref, payload=row.payload, run_id="r", at=LONG_AGO + DAY) for row in rows
    ]
    store.commit_resolved(
        "r",
        [
            ResolvedRecord(row.sequence, row.ref, InboxOutcome.DEAD, dead_letter=one)
            for row, one in zip(rows, letters, strict=True)
        ],
        LONG_AGO,
    )
    first, second = store.dead_letters()
    store.drop_dead_letters([second.dead_letter_id], NOW)
    prune(store)
    assert count(store, "inbox") == 1
    assert [one.key for one in store.dead_letters()] == [first.key]
    assert count(store, "dead_letter") == 1, "the one that was dropped is gone"
    store.replay_dead_letters([first.dead_letter_id], NOW)
    assert [row.source_at for row in store.take_inbox(9)] == [LONG_AGO]


def test_pruning_while_a_range_is_read_once_more(store: SqlStore) -> None:
    partition = f"backfill:{LONG_AGO.isoformat()}..{BEFORE.isoformat()}"
    store.put_backfill(Backfill("booth", "rows", partition, {"at": 0}), NOW)
    store.start_run("r", NOW, ["booth"])
    page = Page(tuple(Record(f"k{n}", b"{}", LONG_AGO) for n in range(6)), {"at": 6}, partition=partition)
    store.put_page("r", "booth", "rows", page, Lane.BACKFILL, NOW)
    end(store, "r", limit=3, at=NOW)
    assert prune(store) == 0, "it came today, whatever its own time is"
    assert len(store.take_inbox(9)) == 3
    assert [one.cursor for one in store.backfills("booth", "rows")] == [{"at": 6}]


# ---------------------------------------------------------------- what was written


def test_writes_that_nothing_reads_go_and_the_view_stays_the_same(store: SqlStore) -> None:
    store.start_run("run", LONG_AGO, ["booth"])
    store.put_org_rows([OrgRow("Lead", f"00Q{one}", {}, LONG_AGO) for one in "abc"], {}, LONG_AGO)
    people = [resolved(n, one, org_links=(("Lead", f"00Q{one}"),)) for n, one in enumerate("abc")]
    store.commit_resolved("run", people, LONG_AGO)
    ids = itertools.count(1)
    for n in range(6):
        wrote(store, next(ids), "a", OperationState.DONE, LONG_AGO + n * DAY)
    wrote(store, next(ids), "b", OperationState.DONE, LONG_AGO)
    letter = DeadLetter("operation", "push", "RULE", "no", person_id="b", operation_id="000008", run_id="run", at=LONG_AGO)
    wrote(store, next(ids), "b", OperationState.REFUSED, LONG_AGO, code="RULE", dead_letter=letter)
    for _ in range(2):
        wrote(store, next(ids), "c", OperationState.FAILED, LONG_AGO, code="ROW_LOCK")
    before = store.person_views(["a", "b", "c"])
    assert [len(one.refused_operations) for one in before] == [0, 1, 0]
    assert [one.failures for one in before] == [0, 0, 2]
    assert prune(store, 2) == 5
    assert store.person_views(["a", "b", "c"]) == before
    assert [one.operation_id for one in store.operations_of("a")] == ["000006"]
    assert count(store, "operation") == count(store, "operation_document") == 5
    assert store.pruned_before() == BEFORE


def test_what_is_open_or_waits_for_its_echo_stays(store: SqlStore) -> None:
    store.start_run("run", LONG_AGO, ["booth"])
    store.commit_resolved("run", [resolved(n, one) for n, one in enumerate("abc")], LONG_AGO)
    for n, (person, state) in enumerate(zip("abc", ("planned", "unknown", "done"), strict=True)):
        planned = msgspec.structs.replace(operation(n, person, sf_id=f"00Q{person}"), planned_at=LONG_AGO)
        store.commit_plans("run", seen(store, [PersonPlan(person, (planned,))]), LONG_AGO)
        if state != "planned":
            store.mark_sent([planned.operation_id], LONG_AGO)
            store.commit_results("run", [OperationResult(planned.operation_id, OperationState(state), "00Qx")], LONG_AGO)
    assert prune(store) == 0
    assert len(store.operations((OperationState.PLANNED, OperationState.UNKNOWN), 9)) == 2
    assert len(store.operations_needing_echo(9)) == 1
    assert store.pruned_before() is None


def test_what_was_kept_goes_when_later_writes_of_its_person_are_old(store: SqlStore) -> None:
    """An old write is the last word on its field until another one is; both are judged when that one grows old."""
    store.start_run("run", LONG_AGO, ["booth"])
    store.put_org_rows([OrgRow("Lead", "00Qa", {}, LONG_AGO)], {}, LONG_AGO)
    store.commit_resolved("run", [resolved(1, "a", org_links=(("Lead", "00Qa"),))], LONG_AGO)
    wrote(store, 1, "a", OperationState.DONE, LONG_AGO)
    assert prune(store) == 0
    for n in (2, 3):
        wrote(store, n, "a", OperationState.DONE, NOW - 80 * DAY)
    assert prune(store) == 0
    assert sum(store.prune(NOW - 10 * DAY, 500)) == 2
    assert [one.operation_id for one in store.operations_of("a")] == ["000003"]


# ---------------------------------------------------------------- runs


def test_the_sums_of_forgotten_runs_stay(store: SqlStore) -> None:
    for n in range(5):
        a_run(store, f"old{n}", *(f"{n}.{k}" for k in range(n + 1)), at=LONG_AGO + n * timedelta(hours=1))
    a_run(store, "new", "z", at=NOW - DAY)
    store.start_run("dying", LONG_AGO, ["booth"])
    before = store.stats()["totals"]
    slices = list(store.prune(BEFORE, 2))
    assert slices[-3:] == [2, 2, 1]
    assert store.stats()["totals"] == before
    assert before["booth"]["skipped"] == 16
    assert {one.run_id for one in store.runs(99)} == {"new", "dying"}, "what has not ended is no past"
    assert store.run(PRUNED_RUN) is None
    assert store.source_counts(PRUNED_RUN) == {}
    assert store.run("old1") is None
    store.end_dead_runs(NOW)
    assert store.check() == []


def test_a_death_while_sums_are_rolled_up_changes_nothing(store: SqlStore) -> None:
    """One transaction: at whatever statement it breaks, the totals are the same."""
    a_run(store, "old1", "a", "b")
    a_run(store, "old2", "c")
    before = store.stats()["totals"]
    for dying in range(1, 6):
        seen = itertools.count(1)

        def fail(*arguments: Any, seen: Iterator[int] = seen, dying: int = dying) -> None:
            if arguments[2].lstrip().startswith(("DELETE", "INSERT")) and next(seen) == dying:
                raise StoreError("dead")

        list(store.prune(LONG_AGO - DAY, 500))
        event.listen(store.db.engine, "before_cursor_execute", fail)
        try:
            with pytest.raises(StoreError):
                store._prune_runs(BEFORE, 100)
        except pytest.fail.Exception:
            assert dying > 3, "it has three statements at least that write"
            break
        finally:
            event.remove(store.db.engine, "before_cursor_execute", fail)
        assert store.stats()["totals"] == before
        assert len(store.runs(9)) == 2
    assert store.stats()["totals"] == before
    assert store.runs(9) == []


def test_sums_are_not_checked_against_runs_that_are_gone(store: SqlStore) -> None:
    """Two runs shared the source, and one of them is old enough to be forgotten."""
    store.start_run("long", BEFORE - timedelta(hours=2), ["booth"])
    store.start_run("short", BEFORE - timedelta(hours=1), ["booth"])
    come(store, "short", "a", at=BEFORE - timedelta(hours=1))
    end(store, "long")
    store.finish_run("short", BEFORE - timedelta(minutes=30), RunStatus.OK, {})
    store.finish_run("long", BEFORE + timedelta(hours=1), RunStatus.OK, {})
    assert store.check() == []
    prune(store)
    assert [one.run_id for one in store.runs(9)] == ["long"]
    assert store.check() == []


# ---------------------------------------------------------------- the rest


def test_closed_questions_answered_requests_and_old_arrivals_go(store: SqlStore) -> None:
    store.start_run("r", LONG_AGO, ["booth"])
    candidate = Candidate("person", "p1", "p1")
    store.commit_resolved("r", [resolved(1, "p1")], LONG_AGO)
    for n in (2, 3):
        review = Review("clashing_names", f"p{n}", (candidate,), "two names", "booth", at=LONG_AGO)
        store.commit_resolved("r", [resolved(n, f"p{n}", person_state=PersonState.REVIEW, review=review)], LONG_AGO)
    store.accept_review(store.reviews()[0].review_id, None, LONG_AGO)
    asked, still_open = (store.put_request("run", {}, LONG_AGO) for _ in range(2))
    store.end_request(asked, True, {}, LONG_AGO)
    come(store, "r", "a", at=LONG_AGO)
    come(store, "r", "b", at=NOW - 59 * DAY)
    assert count(store, "arrival") == 2
    prune(store)
    assert [one.person_id for one in store.reviews()] == ["p3"]
    assert (count(store, "review"), count(store, "person_constraint")) == (1, 1), "a person's word stays"
    assert [one.request_id for one in store.open_requests()] == [still_open]
    assert store.request(asked) is None
    assert [hour for hour, _ in store.arrivals("booth", LONG_AGO)] == [(NOW - 59 * DAY).replace(minute=0)]


def test_a_question_that_was_settled_stays_and_is_asked_again_once(store: SqlStore) -> None:
    """One that was answered, and one that is open already, are not."""
    store.start_run("r", LONG_AGO, ["booth"])
    names = ["p1", "p2", "p3"]
    for n, name in enumerate(names):
        store.commit_resolved("r", [resolved(n, name)], LONG_AGO)

    def plans(**changes: Any) -> list[PersonPlan]:
        return seen(store, [PersonPlan(name, **changes) for name in names])

    def ask(*people: str) -> None:
        asked = [Review("conversion", name, (), "?", at=LONG_AGO) for name in people]
        store.commit_plans("r", [PersonPlan(one.person_id, review=one) for one in asked], LONG_AGO)

    ask(*names)
    store.close_reviews("p3", "conversion", "00Q1")
    store.commit_plans("r", plans(settled=("conversion", "other")), LONG_AGO)
    assert store.reviews() == []
    ask("p2")
    prune(store)
    assert [one.person_id for one in store.reviews()] == ["p2"]
    for _ in range(2):
        store.commit_plans("r", plans(asked_again=("conversion",)), NOW)
        assert sorted(one.person_id for one in store.reviews()) == ["p1", "p2"]
    assert {one.reason for one in store.reviews()} == {"?"}


def test_records_people_and_links_stay(store: SqlStore) -> None:
    store.start_run("r", LONG_AGO, ["booth"])
    store.commit_resolved("r", [resolved(n, f"p{n}", claims=(("email", f"p{n}@example.com"),)) for n in range(3)], LONG_AGO)
    kept = ("record", "person", "claim", "link")
    before = [count(store, name) for name in kept]
    prune(store)
    assert [count(store, name) for name in kept] == before == [3, 3, 3, 3]


def test_the_log_of_sqlite_can_be_emptied(store: SqlStore) -> None:
    a_run(store, "r", *(f"a{n}" for n in range(200)))
    assert store.checkpoint()
    if store.db.path is not None:
        assert store.db.path.with_name(f"{store.db.path.name}-wal").stat().st_size == 0
        with store.db.read() as reader:
            reader.execute(select(tables.run)).all()
            a_run(store, "r2", "b")
            assert not store.checkpoint(), "a reader is in the way, and nobody waits for it"
        assert store.checkpoint()
    with store.db.write() as connection:
        connection.execute(insert(tables.meta).values(name="x", value="y"))
