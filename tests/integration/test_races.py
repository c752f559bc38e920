"""What people do in the org in the middle of a pass: between looking and writing, and between writing and reading back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncd.model import RunStatus
from syncd.sandbox import Kind
from tests.world import World, row


class Meanwhile:
    """Stands before a port and lets something happen in the org around one of its methods, once."""

    def __init__(self, name: str, method: str, act: Callable[[], None], *, before: bool = False) -> None:
        """`act` runs after (or before) the first call of `method` on the port `name`."""
        self._name, self._method, self._act, self._before = name, method, act, before
        self.happened = False

    def wrap(self, port: Any, name: str) -> Any:
        """The port itself, or one that is watched."""
        return _Watched(port, self) if name == self._name else port

    def around(self, method: str, call: Callable[[], Any]) -> Any:
        """Make the call, and let it happen."""
        hit = method == self._method and not self.happened
        if hit and self._before:
            self.happened = True
            self._act()
        answer = call()
        if hit and not self._before:
            self.happened = True
            self._act()
        return answer


class _Watched:
    def __init__(self, port: Any, meanwhile: Meanwhile) -> None:
        self._port, self._meanwhile = port, meanwhile

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found
        return lambda *arguments, **options: self._meanwhile.around(name, lambda: found(*arguments, **options))


def test_an_edit_between_the_look_at_the_org_and_the_write_is_seen(world: World) -> None:
    """The record is read once more just before the write."""
    world.drop([row(1, title="Engineer")])
    world.run()
    sf_id = world.lead("person1@example.com")["Id"]
    world.drop([row(1, title="Manager", city="Bonn")])
    race = Meanwhile("store", "commit_resolved", lambda: world.org.edit(sf_id, {"Title": "set by a rep"}))
    world.run(wrap=race.wrap)
    assert race.happened
    lead = world.lead("person1@example.com")
    assert (lead["Title"], lead["City"]) == ("set by a rep", "Bonn")


def test_an_edit_between_the_write_and_its_echo_is_not_taken_for_our_own(world: World) -> None:
    """Reading back after a person's edit must not make the edit our base."""
    world.drop([row(1, title="Engineer")])
    world.run()
    sf_id = world.lead("person1@example.com")["Id"]
    world.drop([row(1, title="Manager")])
    race = Meanwhile("org", "update", lambda: world.org.edit(sf_id, {"Title": "set by a rep"}))
    world.run(wrap=race.wrap)
    assert race.happened
    world.drop([row(1, title="Director")])
    world.run()
    assert world.lead("person1@example.com")["Title"] == "set by a rep"


def test_a_lead_typed_in_while_the_pass_runs_is_found_before_the_create(world: World) -> None:
    """The process before us died after resolving; meanwhile a rep typed the lead in."""
    world.drop([row(1)])

    def die() -> None:
        raise KeyboardInterrupt

    race = Meanwhile("store", "commit_resolved", die)
    try:
        world.run(wrap=race.wrap)
    except KeyboardInterrupt:
        world.org.create("Lead", {"FirstName": "Firstb", "LastName": "Lastb", "Company": "C", "Email": "person1@example.com"})
    summary = world.run()
    assert summary.operations["created"] == 0
    assert len(world.leads()) == 1


def test_a_repeated_create_leaves_assignment_off(world: World) -> None:
    """Nobody knows whether the first try ran the rule, so the second must not (DESIGN 5.3)."""
    world.org.faults.add(Kind.CUT_BEFORE, "composite/sobjects/Lead/Syncd_Id__c", times=1)
    world.drop([row(1)])
    for _ in range(2):
        world.run()
    made = next(one for one in world.org.audit if one.action == "create" and one.object == "Lead")
    assert made.headers["Sforce-Auto-Assign"] == "FALSE"


def test_a_source_that_cannot_be_read_makes_the_pass_partial(world: World) -> None:
    """A folder that is gone is not an empty folder."""
    (world.folder / "drop").rmdir()
    summary = world.run()
    assert summary.status is not RunStatus.OK
    assert summary.exit_code != 0
    assert any("drop" in missed for missed in summary.missed)


def test_two_threads_with_one_new_person_make_one_person(world: World) -> None:
    """Whoever claims the mailbox first has the person; the other one's batch is resolved again."""
    other = world.open()

    def elsewhere() -> None:
        from syncd.model import FieldValue, InboxOutcome, Lead, RecordRef
        from syncd.ports import ResolvedRecord

        ref = RecordRef("elsewhere", "rows", "1")
        names = {"Email": "person1@example.com", "FirstName": "Firstb", "LastName": "Lastb"}
        lead = Lead({name: FieldValue(value) for name, value in names.items()})
        claims = (("record", "elsewhere"), ("email", "person1@example.com"))
        resolved = ResolvedRecord(
            0,
            ref,
            InboxOutcome.APPLIED,
            person_id="f" * 32,
            is_new_person=True,
            lead=lead,
            digest=b"0" * 16,
            claims=claims,
            dirty=True,
        )
        other.store.start_run("elsewhere", world.clock.now(), [])
        other.store.commit_resolved("elsewhere", [resolved], world.clock.now())

    world.drop([row(1)])
    race = Meanwhile("store", "candidates", elsewhere)
    world.run(wrap=race.wrap)
    other.close()
    assert race.happened
    assert len(world.leads()) == 1
    assert world.lead("person1@example.com")["Syncd_Id__c"] == "f" * 32


def test_a_lost_source_is_logged_once_when_lost_and_once_when_back(world: World, capsys: Any) -> None:
    """Silence while nothing changes (STYLE 6)."""
    (world.folder / "drop").rmdir()
    for _ in range(3):
        world.run()
    (world.folder / "drop").mkdir()
    for _ in range(2):
        world.run()
    log = capsys.readouterr().err
    assert (log.count("source_lost"), log.count("source_recovered")) == (1, 1)
