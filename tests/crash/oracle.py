"""What must be true after any crash: looks at the org, its history and the ledger, never at the code's own word alone."""

from __future__ import annotations

from collections import Counter

from syncd.model import OperationState
from tests.world import World

OURS = "integration"


def check(world: World, expected: set[str], edits: dict[str, dict[str, object]] | None = None) -> None:
    """0 lost, 0 doubled, 0 edits overwritten, the sums right, nothing open.

    Args:
        world: After its last pass.
        expected: E-mails that must be living leads, once each.
        edits: Salesforce id -> field -> value that a person set and nobody may have changed.
    """
    mails = Counter(str(row["Email"]) for row in world.leads() if row.get("Email"))
    assert expected - set(mails) == set(), "lost"
    assert {mail: count for mail, count in mails.items() if mail in expected and count > 1} == {}, "doubled"
    people = Counter(str(row["Syncd_Id__c"]) for row in world.leads() if row.get("Syncd_Id__c"))
    assert [one for one, count in people.items() if count > 1] == [], "one person, two leads"
    rows = {row["Id"]: row for row in world.leads()}
    for sf_id, fields in (edits or {}).items():
        for name, value in fields.items():
            assert rows[sf_id].get(name) == value, f"a person's edit of {name} was overwritten"
    runs = Counter(world.org.assignment_runs.values()) if world.org.assignment_runs else Counter()
    assert all(count <= 1 for count in runs), "the assignment rule ran twice for one lead"
    _check_ledger(world)


def _check_ledger(world: World) -> None:
    house = world.open()
    try:
        store = house.store
        assert store.check() == []
        open_states = (OperationState.PLANNED, OperationState.HELD, OperationState.SENT, OperationState.UNKNOWN)
        assert store.operations(open_states, 10) == [], "an operation is still open"
        assert store.operations_needing_echo(10) == [], "an echo was never read"
        last = store.runs(1)[0]
        for counts in store.source_counts(last.run_id).values():
            ended = counts.applied + counts.unchanged + counts.skipped + counts.dead + counts.waiting
            assert counts.waiting_before + counts.pulled == ended, "the sums do not match"
            assert counts.waiting == 0
    finally:
        house.close()
