"""What the second process has made ready for people whom nobody knows: the same as if every record had gone the whole way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from syncd.errors import SalesforceUnavailableError
from syncd.model import RunStatus
from syncd.run import mapper
from syncd.run.context import LEADS_PER_COMMIT
from syncd.store import SqlStore
from tests.world import BOOTH, MAPPING, World, row

KEY = "5a" * 32
COUNT = 1_400
_CONTENTS = {
    "person": "SELECT person_id, state, golden, notes, is_dirty, redirect, marks FROM person",
    "claim": "SELECT kind, value, person_id FROM claim",
    "block_key": "SELECT kind, value, subject_kind, subject_id FROM block_key WHERE subject_kind = 'person'",
    "record": """SELECT source, stream, key, digest, payload, is_compressed, mapping, mapping_digest, lead, person_id, source_at, position,
        locator, lane, withdrawn_at FROM record LEFT JOIN person ON person.number = record.person_number""",
    "link": "SELECT source, stream, key, person_id, evidence FROM link",
    "touch": """SELECT person_id, source, stream, key, at, document, lane FROM touch
        JOIN person ON person.number = touch.person_number""",
    "operation": """SELECT person_id, object, kind, operation.state, source, attempt, code, operation_document.document FROM operation
        JOIN person ON person.number = operation.person_number JOIN operation_document USING (operation_id)""",
    "org_record": """SELECT object, person_id, fields, base, external_id, is_survivor FROM org_record
        LEFT JOIN person ON person.number = org_record.person_number""",
    "inbox": "SELECT source, stream, key, state, reason FROM inbox",
    "dead_letter": "SELECT kind, stage, reason, message, source, stream, key, locator, person_id FROM dead_letter",
    "review": "SELECT kind, person_id, reason FROM review",
}
_OF_ITS_OWN = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp"}


class Spy:
    """Counts the newcomers that reach the store."""

    def __init__(self) -> None:
        self.adopted: list[str] = []
        self.resolved = 0

    def wrap(self, port: Any, name: str) -> Any:
        return self._Store(port, self) if name == "store" else port

    class _Store:
        def __init__(self, port: Any, spy: Spy) -> None:
            self._port, self._spy = port, spy

        def __getattr__(self, name: str) -> Any:
            return getattr(self._port, name)

        def commit_resolved(self, run_id: str, rows: Any, at: Any, plans: Any = (), adopted: Any = ()) -> None:
            self._spy.resolved += len(rows)
            self._spy.adopted += [one.row.ref.key for one in adopted]
            self._port.commit_resolved(run_id, rows, at, plans, adopted)


def begin(world: World) -> World:
    """Have people of the same record get the same id in every world."""
    house = world.open()
    try:
        house.store.put_setting("person_key", KEY)
    finally:
        house.close()
    return world


def contents(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """What the store holds of people, without what is another one each time: ids of operations and of the org, numbers, runs."""
    house = world.open()
    try:
        assert isinstance(house.store, SqlStore)
        with house.store.db.read() as connection:
            found = {name: connection.execute(text(query)).all() for name, query in _CONTENTS.items()}
    finally:
        house.close()
    return {name: sorted((tuple(map(_plain, one)) for one in rows), key=repr) for name, rows in found.items()}


def _plain(value: Any) -> Any:
    """A document without what the org makes anew each time."""
    if isinstance(value, str) and value.startswith("{"):
        document = json.loads(value)
        return json.dumps({name: one for name, one in document.items() if name not in _OF_ITS_OWN})
    return value


def leads(world: World) -> list[str]:
    return sorted(
        repr(sorted((k, v) for k, v in one.items() if k not in _OF_ITS_OWN and "Date" not in k)) for one in world.leads()
    )


def crowd(seed: int) -> list[dict[str, str]]:
    """Rows as a long file has them: most are somebody new, and every trap is among them."""
    chance = random.Random(seed)
    rows = []
    for number in range(COUNT):
        one = row(
            number, title=chance.choice(["", "Head of Sales", "x" * 140]), city=chance.choice(["", "Köln", "New\u00a0York"])
        )
        trap = chance.randrange(12)
        if trap == 0:
            one["email"] = row(chance.randrange(COUNT))["email"]  # somebody else's mailbox
        elif trap == 1:
            one["phone"] = chance.choice(["+1 415 555 0101", f"+1 415 555 {number:04d}", "12", "call me"])
        elif trap == 2:
            one["email"] = chance.choice(["", "nonsense", "info@example.com", f"a{number}@ex ample.com"])
        elif trap == 3:
            one["optout"] = "yes"
        elif trap == 4:
            one["skip"] = "yes"
        elif trap == 5:
            one |= {"last": "", "first": ""}
        rows.append(one)
    return rows


@pytest.fixture
def run_both(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[World, World, Spy]]:
    """The same passes in two worlds, in one of them with newcomers made ready; the second one has to be like the first."""

    def run(do: Callable[[World, Spy], Any], **how: Any) -> tuple[World, World, Spy]:
        worlds, spies, said = [], [], []
        for worth in (10**9, 200):
            monkeypatch.setattr(mapper, "WORTH_A_PROCESS", worth)
            world, spy = begin(make_world(**how)), Spy()
            said.append(do(world, spy))
            worlds.append(world)
            spies.append(spy)
        assert not spies[0].adopted
        assert said[1] == said[0]
        assert leads(worlds[1]) == leads(worlds[0])
        whole, ready = (contents(world) for world in worlds)
        for name in _CONTENTS:
            assert ready[name] == whole[name], name
        return worlds[0], worlds[1], spies[1]

    return run


class Away:
    """An org that does not answer."""

    def wrap(self, port: Any, name: str) -> Any:
        return self if name == "org" else port

    @property
    def api_calls(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise SalesforceUnavailableError("The org does not answer.")

        return call


def run(world: World, spy: Spy) -> Any:
    """A pass over rows that wait already, so that its rounds are the same however fast files are read; gives its sums."""
    assert not world.run(wrap=Away().wrap).operations["created"]
    return counts(world.run(wrap=spy.wrap))


def counts(summary: Any) -> Any:
    """Sums of records and writes. Not those of plans: how often somebody is planned is a matter of time."""
    operations = {name: count for name, count in summary.operations.items() if name != "unchanged"}
    notes = {
        name: count
        for name, count in summary.notes.items()
        if name.startswith("value:") or name in ("skip_when", "erased", "held_by_guard")
    }
    return summary.status, summary.sources, operations, notes, sorted(summary.missed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_crowd_comes_out_the_same(seed: int, run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    def do(world: World, spy: Spy) -> Any:
        world.drop(crowd(seed))
        return run(world, spy)

    *_, spy = run_both(do)
    assert len(spy.adopted) > COUNT / 2
    assert spy.resolved > COUNT / 10


def test_who_is_known_to_the_store_or_the_org_is_no_newcomer(run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    """By the record itself, by mailbox, by phone and name, in the store or in the org."""
    known = {"store": range(300, 420), "org": range(500, 620)}

    def do(world: World, spy: Spy) -> Any:
        world.drop([row(n, phone=f"+1 415 556 {n:04d}") for n in known["store"]], "early.csv")
        for n in known["org"]:
            by_phone = {"Phone": f"+1 415 555 {n:04d}"} if n % 2 else {"Email": row(n)["email"]}
            last = row(n)["last"].title()
            world.org.create("Lead", {"LastName": last, "FirstName": row(n)["first"].title(), "Company": "Theirs", **by_phone})
        first = counts(world.run())
        world.drop(
            [row(n, phone=f"+1 415 55{6 if n in known['store'] else 5} {n:04d}", title="Countess") for n in range(COUNT)],
            "late.csv",
        )
        return first, run(world, spy)

    *_, spy = run_both(do)
    # The first batch is taken before there is a second process.
    assert len(spy.adopted) == COUNT - LEADS_PER_COMMIT - len(known["store"]) - len(known["org"])


def test_a_lead_of_a_lost_store_is_found_again(run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    """The org holds the lead of this very record under its external id, and nothing else tells: no second one is made."""

    def do(world: World, spy: Spy) -> Any:
        if not world.store_url.startswith("sqlite"):
            pytest.skip("this test loses a file")
        world.drop([row(n) for n in range(COUNT)])
        assert world.run().status is RunStatus.OK
        for lead in world.leads():
            world.org.edit(lead["Id"], {"Email": None, "LastName": "Changed"})
        (world.folder / "syncd.db").unlink()
        for rest in world.folder.glob("syncd.db-*"):
            rest.unlink()
        begin(world)
        return run(world, spy)

    _, world, spy = run_both(do)
    assert len(world.leads()) == COUNT
    assert not spy.adopted


def test_no_more_creates_than_the_guard_allows(run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    """The leads that are held back are counted once each, however often they were planned."""

    def do(world: World, spy: Spy) -> Any:
        world.drop([row(n) for n in range(COUNT)])
        sums = run(world, spy)
        assert sums[3]["held_by_guard"] == COUNT - 850
        return sums

    _, world, spy = run_both(do, extra_settings="guard: {max_creates_per_pass: 850}\n")
    assert len(world.leads()) == 850
    assert 0 < len(spy.adopted) <= 850


@pytest.mark.parametrize("what", ["old", "fixed owner"])
def test_whom_a_newcomer_is_assigned_to(run_both: Callable[..., tuple[World, World, Spy]], what: str) -> None:
    how = {
        "old": "start_from: 2026-12-01",
        "fixed owner": "assignment: {owner: {user: Rep3}}",
    }[what]

    def do(world: World, spy: Spy) -> Any:
        world.drop([row(n) for n in range(COUNT)])
        return run(world, spy)

    *_, spy = run_both(do, sources=BOOTH.replace("settle_seconds: 0", f"settle_seconds: 0, {how}"))
    assert spy.adopted


def test_a_lead_that_lacks_what_the_org_requires_is_set_aside(run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    def do(world: World, spy: Spy) -> Any:
        world.drop([row(n, company="" if n % 50 == 0 else "Somewhere") for n in range(COUNT)])
        return run(world, spy)

    mapping = MAPPING.replace(', default: "[not provided]"', "")
    _, world, spy = run_both(do, mapping=mapping)
    assert spy.adopted
    assert len(world.leads()) == COUNT - COUNT / 50


def test_who_was_erased_does_not_come_back(run_both: Callable[..., tuple[World, World, Spy]]) -> None:
    erased = range(700, 703)

    def do(world: World, spy: Spy) -> Any:
        world.drop([row(n) for n in erased], "early.csv")
        first = counts(world.run())
        house = world.open()
        try:
            for n in erased:
                house.erase_lead(row(n)["email"], keep=True)
        finally:
            house.close()
        world.drop([row(n) for n in range(COUNT)], "late.csv")
        return first, run(world, spy)

    _, world, spy = run_both(do)
    assert spy.adopted
    assert len(world.leads()) == COUNT


def test_a_policy_with_programs_is_asked_of_everybody(make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rules look at more than the record, so nobody is made ready."""
    programs = """\
name: acme
programs:
  inbound:
    statuses:
      "Open - Not Contacted": {entry: true}
      Working - Contacted: {}
    transitions:
      - {from: any, to: Working - Contacted}
"""
    monkeypatch.setattr(mapper, "WORTH_A_PROCESS", 200)
    world, spy = make_world(policy="version: 1\n" + programs), Spy()
    world.drop([row(n) for n in range(600)])
    assert world.run(wrap=spy.wrap).operations["created"] == 600
    assert not spy.adopted
