"""Somebody asks to be forgotten: nothing of them is left, nobody brings them back, and everybody else is as before (G9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from syncd.app.erase import Eraser, Erasure
from syncd.app.leads import find_leads, show_lead
from syncd.errors import ClaimConflictError, ConfigError
from syncd.model import ERASURE_ASKED, Delivery, Lane, OperationState, Page, Record, Reject, RunStatus, Wanted
from syncd.ports import Traces
from syncd.run.context import Scope
from syncd.run.erased import without_answered
from tests.adforms import AdForms, Ads
from tests.crash import oracle
from tests.erasing import NEEDLES, PERSON, held_in
from tests.hot import bring
from tests.integration.test_opt_outs import Campaigns
from tests.site import Site
from tests.world import BOOTH, World, row

MAIL = PERSON["email"].lower()
OTHER = row(2)


def erase(world: World, who: str, *, keep: bool = False, wrap: Any = None) -> Erasure:
    """The command, in a process of its own."""
    world.clock.advance(5)
    with closing(world.open(wrap)) as house:
        return house.erase_lead(who, keep=keep)


def look(world: World, who: str, *, keep: bool = False) -> Erasure:
    with closing(world.open()) as house:
        return house.look_at_erasure(who, keep=keep)


def person_of(world: World, who: str) -> str:
    with closing(world.open()) as house:
        (found,) = find_leads(house.store, who)
        return found


def gone_from_org(world: World, mail: str = PERSON["email"]) -> str:
    """The admin has erased the lead in the org, recycle bin and all."""
    (lead,) = [one for one in world.leads() if str(one["Email"]).lower() == mail.lower()]
    world.org.delete(lead["Id"])
    world.org.purge(lead["Id"])
    return str(lead["Id"])


@pytest.fixture
def known(make_world: Callable[..., World]) -> World:
    """Somebody with two versions of one record, a refused write and a title of her own; and somebody else."""
    world = make_world()
    world.drop([PERSON, OTHER])
    world.run()
    world.drop([{**PERSON, "title": "Chief Wayfinder of old"}])
    world.run()
    return world


def test_nothing_of_her_is_left_in_the_files_or_rows(known: World) -> None:
    before = held_in(known)
    assert {"record.payload", "inbox.payload", "person.golden", "claim.value", "block_key.value", "org_record.fields"} <= before
    assert {"operation_document.document", "record.lead"} <= before
    person_id = person_of(known, MAIL)
    sf_id = gone_from_org(known)
    done = erase(known, MAIL)
    assert (done.is_done, done.person_id, done.in_salesforce, done.notes, done.unsure) == (True, person_id, (), (), 0)
    assert done.counts["records"] == 2
    assert held_in(known) == set()
    known.run()
    assert held_in(known) == set(), "the mirror brings nothing back"
    with closing(known.open()) as house:
        assert house.store.check() == []
        card = show_lead(house.store, person_id)
        assert (card.state, card.golden, card.records, card.org_records) == ("erased", {}, [], [])
        assert {(one["kind"], one["state"], one["sf_id"]) for one in card.operations} >= {("create", "done", sf_id)}
        assert all(not one["fields"] and not one["message"] for one in card.operations)
        assert find_leads(house.store, MAIL) == []
        assert len(find_leads(house.store, OTHER["email"])) == 1


def test_she_is_not_imported_again_by_anything(known: World) -> None:
    gone_from_org(known)
    erase(known, MAIL)
    known.drop([{**PERSON, "email": " QUILLA.xanthopoulos@ZYZZYVAS.example", "title": "Again"}, row(3)], name="later.csv")
    summary = known.run()
    assert (summary.sources["booth"].skipped, summary.sources["booth"].applied) == (1, 1)
    assert summary.notes["erased"] == 1
    assert [one["Email"] for one in known.leads()] == [OTHER["email"], row(3)["email"]]
    # The row of the inbox holds nothing; in the mapped CSV of the drop folder she is still, and that is the admin's to look through.
    assert held_in(known) == set()
    bring(known, [PERSON], Lane.HOT)
    assert known.run().notes["erased"] == 1
    bring(known, [PERSON], Lane.BACKFILL)
    assert known.run().notes["erased"] == 1
    known.write("mappings/csv.yaml", known.mapping.replace("Trade Show", "Fair"))
    assert "erased" not in known.run(force=True).notes, "her records are not there to be mapped anew"
    assert len(known.leads()) == 2
    assert held_in(known) == set()
    oracle.check(known, {OTHER["email"], row(3)["email"]})


def test_a_record_without_an_address_does_not_come_back_either(make_world: Callable[..., World]) -> None:
    """By its source's key alone."""
    world = make_world(sources=BOOTH.replace("mapping:", "key: [last, phone], mapping:"))
    world.drop([{**PERSON, "email": ""}], name="names.csv")
    world.run()
    (lead,) = world.leads()
    with closing(world.open()) as house:
        (person_id,) = find_leads(house.store, "Xanthopoulos")
        (record,) = house.store.person_views([person_id])[0].records
    world.org.delete(lead["Id"])
    world.org.purge(lead["Id"])
    named = look(world, f"{record.ref.source}:{record.ref.key}")
    assert named.person_id == look(world, f"{record.ref.source}:{record.ref.stream}:{record.ref.key}").person_id == person_id
    assert (named.counts["mailboxes"], named.counts["records"]) == (0, 1)
    erase(world, f"booth:{record.ref.key}")
    world.drop([{**PERSON, "email": "", "title": "Newer"}, row(5)], name="names.csv")
    summary = world.run()
    assert (summary.notes["erased"], summary.sources["booth"].applied) == (1, 1)
    assert [one["Email"] for one in world.leads()] == [row(5)["email"]]


def test_it_is_refused_while_the_org_has_her(known: World) -> None:
    """The mirror is not believed: the org is asked. What is in the recycle bin only is no living record."""
    (lead,) = [one for one in known.leads() if one["Email"] != OTHER["email"]]
    with pytest.raises(ConfigError, match=f"still in Salesforce: Lead {lead['Id']}") as refused:
        erase(known, MAIL)
    assert "--keep-in-salesforce" in str(refused.value)
    assert "recycle bin" in str(refused.value)
    seen = look(known, MAIL)
    assert (seen.is_done, seen.in_salesforce, "still in Salesforce" in seen.refusal) == (False, (f"Lead:{lead['Id']}",), True)
    assert held_in(known), "nothing was erased"
    known.org.delete(lead["Id"])
    assert erase(known, MAIL).is_done
    assert held_in(known) == set()
    known.run()
    assert held_in(known) == set(), "the mirror reads the deleted lead from the bin, and keeps nothing of it"
    assert known.leads() == known.leads(Email=OTHER["email"])


def test_what_stays_in_the_org_is_nobodys(known: World) -> None:
    """Found by nothing: neither the same address nor the phone and name lead to it, and it is planned for nobody."""
    (lead,) = [one for one in known.leads() if one["Email"] != OTHER["email"]]
    done = erase(known, MAIL, keep=True)
    assert (done.is_done, done.in_salesforce) == (True, (f"Lead:{lead['Id']}",))
    assert held_in(known, but=("org_record",)) <= {"syncd.db"}
    assert "org_record.fields" in held_in(known), "the mirror says what the org holds"
    known.org.edit(lead["Id"], {"Title": "Edited"})
    stranger = {**PERSON, "email": "", "title": "Somebody with her name and phone"}
    known.drop([stranger])
    summary = known.run()
    assert summary.operations["created"] == 1, "nobody was joined to it"
    assert summary.sources["booth"].review == 0
    with closing(known.open()) as house:
        (record,) = house.store.org_records([("Lead", lead["Id"])])
        assert (record.person_id, record.base, record.row.fields["Title"]) == ("", {}, "Edited")
        (person_id,) = find_leads(house.store, "Xanthopoulos")
        assert house.store.person_views([person_id])[0].org_records[0].row.sf_id != lead["Id"]
    row_ = known.org.row(lead["Id"])
    assert row_ is not None
    assert row_["Title"] == "Edited"


def test_what_stays_is_emptied_once_the_org_deletes_it(known: World) -> None:
    (lead,) = [one for one in known.leads() if one["Email"] != OTHER["email"]]
    erase(known, MAIL, keep=True)
    known.org.delete(lead["Id"])
    known.run()
    assert held_in(known, but=("org_record",)) <= {"syncd.db", "syncd.db-wal"}
    with closing(known.open()) as house:
        (record,) = house.store.org_records([("Lead", lead["Id"])])
        assert (record.row.is_deleted, record.row.fields) == (True, {})


def test_what_a_kept_lead_is_converted_to_is_nobodys_either(known: World) -> None:
    (lead,) = [one for one in known.leads() if one["Email"] != OTHER["email"]]
    erase(known, MAIL, keep=True)
    contact_id = known.org.convert(lead["Id"])
    known.run()
    known.drop([{**PERSON, "email": "", "title": "Stranger"}])
    assert known.run().operations["created"] == 1
    with closing(known.open()) as house:
        for target in (("Lead", lead["Id"]), ("Contact", contact_id)):
            (record,) = house.store.org_records([target])
            assert record.person_id == ""


def test_an_undo_leaves_what_is_kept_alone(known: World) -> None:
    """The ledger says that something was written, and no longer what."""
    with closing(known.open()) as house:
        first = house.store.runs(10)[-1].run_id
    erase(known, MAIL, keep=True)
    with closing(known.open()) as house:
        plan = house.undo(first, is_preview=True).plan
    assert [one.reason for one in plan.kept if one.reason == "person_erased"] == ["person_erased"]
    (other,) = known.leads(Email=OTHER["email"])
    assert [one.sf_id for one in plan.operations] == [other["Id"]]


def test_those_who_were_merged_into_her_are_erased_with_her(make_world: Callable[..., World]) -> None:
    """Their old ids lead to the news that she was erased."""
    world = make_world()
    second = {**PERSON, "email": "q.x@zyzzyvas.example", "first": "", "title": "Twin"}
    world.drop([PERSON])
    world.run()
    world.drop([second])
    world.run()
    with closing(world.open()) as house:
        (review,) = house.store.reviews()
        loser = review.person_id
        house.store.accept_review(review.review_id, review.candidates[0], world.clock.now())
    world.run()
    for lead in world.leads():
        world.org.delete(lead["Id"])
    needles = (*NEEDLES, "q.x@zyzzyvas.example")
    survivor = person_of(world, MAIL)
    done = erase(world, loser)
    assert (done.person_id, done.merged) == (survivor, (loser,))
    assert held_in(world, needles) == set()
    with closing(world.open()) as house:
        assert show_lead(house.store, loser).state == show_lead(house.store, survivor).state == "erased"
        assert find_leads(house.store, loser) == [loser]
    world.drop([second, row(9)])
    assert world.run().notes["erased"] == 1


def test_what_is_on_its_way_is_waited_for(known: World) -> None:
    """Sent, or without an answer: the next pass settles it. What is only planned goes with her."""
    world = known
    with closing(world.open()) as house:
        operation = house.store.operations_of(person_of(world, MAIL))[0]
        again = msgspec.structs.replace(
            operation,
            operation_id="zzz",
            state=OperationState.UNKNOWN,
            fields={"Title": "Third"},
            run_id="gone",
            sent_at=world.clock.now(),
        )
        house.store.put_operations([again])
    with pytest.raises(ConfigError, match="next pass"):
        erase(world, MAIL, keep=True)
    with closing(world.open()) as house:
        house.store.set_operation_states(["zzz"], OperationState.HELD, dirty=False, at=world.clock.now())
    assert erase(world, MAIL, keep=True).is_done
    with closing(world.open()) as house:
        states = {
            one.operation_id: one.state for one in house.store.operations_of(show_lead(house.store, again.person_id).person_id)
        }
        assert states["zzz"] is OperationState.SUPERSEDED
        assert house.store.operations([OperationState.HELD, OperationState.PLANNED], 10) == []


def test_deliveries_of_a_web_site_are_skipped_and_emptied(make_world: Callable[..., World]) -> None:
    world = make_world(Site)
    assert isinstance(world, Site)
    world.filled()
    world.send(PERSON["email"], first_name=PERSON["first"], last_name=PERSON["last"], company=PERSON["company"])
    world.heat()
    for lead in world.leads():
        world.org.delete(lead["Id"])
    world.send(PERSON["email"], last_name=PERSON["last"], company=PERSON["company"])
    assert "delivery.body" in held_in(world)
    erase(world, MAIL)
    summary = world.heat()
    assert (summary.notes["erased"], summary.sources["site"].skipped) == (1, 1)
    assert world.leads() == []
    assert held_in(world) <= {"syncd.db-intake", "syncd.db-intake-wal"}, "the journal's free pages, until it is written over"
    erase(world, person_id_of_erased(world))
    assert held_in(world) == set(), "once more, and the files are gone through again"


def person_id_of_erased(world: World) -> str:
    with closing(world.open()) as house:
        (run, *_) = [one.run_id for one in house.store.runs(10) if house.store.operations_of_run(one.run_id)]
        return house.store.operations_of_run(run)[0].person_id


def test_a_wish_of_a_source_is_closed_and_not_repeated(make_world: Callable[..., World]) -> None:
    """Its dead letter names the record; the source goes on to say so."""
    world = make_world(Campaigns)
    assert isinstance(world, Campaigns)
    who = world.campaigns.put(PERSON["email"], lastName=PERSON["last"])
    world.sign_up(4, "1")
    world.settle()
    world.run()
    world.campaigns.erase(who)
    world.settle()
    world.run()
    with closing(world.open()) as house:
        (letter,) = house.store.dead_letters()
        assert (letter.reason, f'"syncd lead erase SOURCE:{who} --yes"' in letter.message) == (ERASURE_ASKED, True)
    gone_from_org(world)
    done = erase(world, f"campaigns:{who}")
    assert (done.counts["records"], done.dead_letters) == (1, (int(letter.dead_letter_id),))
    world.campaigns.erase(who)
    unknown = world.campaigns.put("somebody@example.com", lastName="Else")
    world.campaigns.erase(unknown)
    world.settle()
    world.run()
    with closing(world.open()) as house:
        assert [one.key for one in house.store.dead_letters()] == [unknown], "of somebody who never came it is still a wish"
        assert [one.dead_letter_id for one in house.store.dead_letters("dropped")] == [letter.dead_letter_id]
        assert house.store.check() == []
    assert held_in(world) == set()


def test_wishes_are_told_apart_by_the_record(known: World) -> None:
    """With or without the word before the key; another stream's are another record's."""
    with closing(known.open()) as house:
        (ref, *_) = [one.ref for one in house.store.person_views([person_of(known, MAIL)])[0].records]
    erase(known, MAIL, keep=True)
    asked = [Reject(key, ERASURE_ASKED, "", b"") for key in (ref.key, f"withdrawn-{ref.key}", "other", "withdrawn-other")]
    page = Page((), {}, (*asked, Reject(ref.key, "ragged_row", "", b"")))
    with closing(known.open()) as house:
        ctx = house.lane_context((), Lane.INCREMENT, Scope())
        left = without_answered(ctx, ref.source, ref.stream, page).rejects
        assert [(one.key, one.reason) for one in left] == [
            ("other", ERASURE_ASKED),
            ("withdrawn-other", ERASURE_ASKED),
            (ref.key, "ragged_row"),
        ]
        assert without_answered(ctx, ref.source, "elsewhere", page) == page


class Withdrawing(AdForms):
    """Says of some leads that they are withdrawn: when it is sent to, or when it is asked."""

    def parse(self, delivery: Delivery, options: Any) -> tuple[Any, ...]:
        said = json.loads(delivery.body)
        if said.get("withdrawn") == "at once":
            return (Reject(f"withdrawn-{said['id']}", ERASURE_ASKED, "", delivery.body),)
        return super().parse(delivery, options)

    def fetch(self, session: Any, options: Any, wanted: Wanted) -> Any:
        if json.loads(wanted.payload).get("withdrawn"):
            return Reject(wanted.key, ERASURE_ASKED, "", wanted.payload)
        return super().fetch(session, options, wanted)


@pytest.mark.parametrize("how", ["at once", "when asked"])
def test_a_wish_that_is_sent_again_is_not_set_aside_again(make_world: Callable[..., World], how: str) -> None:
    world = make_world(Ads, connector=Withdrawing())
    assert isinstance(world, Ads)
    number = world.vendor.fill(PERSON["email"])
    world.run()
    world.announce(number, withdrawn=how)
    world.heat()
    with closing(world.open()) as house:
        assert [one.reason for one in house.store.dead_letters()] == [ERASURE_ASKED]
    gone_from_org(world)
    erase(world, f"ads:{number}")
    world.announce(number, withdrawn=how)
    world.announce("77", withdrawn=how)
    world.heat()
    with closing(world.open()) as house:
        assert [one.key.removeprefix("withdrawn-") for one in house.store.dead_letters()] == ["77"]
        assert len(house.store.dead_letters("dropped")) == 1
        assert house.store.check() == []
    assert len(world.logged("record_dead_lettered")) == 2


class Busy:
    """A store to which something is added while an erasure looks at it, so many times."""

    def __init__(self, store: Any, times: int) -> None:
        self._store, self._left = store, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def traces_of(self, person_id: str) -> Traces:
        found: Traces = self._store.traces_of(person_id)
        if self._left:
            self._left -= 1
            (operation, *_) = self._store.operations_of(person_id)
            held = msgspec.structs.replace(
                operation, operation_id=f"late{self._left}", state=OperationState.HELD, object=f"X{self._left}"
            )
            self._store.put_operations([held])
        return found


@pytest.mark.parametrize(("times", "is_done"), [(2, True), (3, False)])
def test_what_is_added_meanwhile_is_looked_at_again_and_not_for_ever(known: World, times: int, is_done: bool) -> None:
    with closing(known.open()) as house:
        person_id = person_of(known, MAIL)
        eraser = Eraser(Busy(house.store, times), house.journal, house.secret(), "run")  # type: ignore[arg-type]
        try:
            done = eraser.carry_out(person_id, (), known.clock.now(), keep=True).is_done
        except ClaimConflictError:
            done = False
        assert done is is_done


def test_what_waits_in_the_inbox_is_skipped_at_once_and_counted(known: World) -> None:
    """In a run of its own, so that the sums match."""
    gone_from_org(known)
    with closing(known.open()) as house:
        (ref, *_) = [one.ref for one in house.store.person_views([person_of(known, MAIL)])[0].records]
    with closing(known.open()) as house:
        at = known.clock.now()
        house.store.start_run("intake", at, ["booth"])
        payload = json.dumps({**PERSON, "title": "Waiting"}).encode()
        house.store.put_page(
            "intake", ref.source, ref.stream, Page((Record(ref.key, payload, at),), {}, partition="hooks"), Lane.HOT, at
        )
        house.store.finish_run("intake", at, RunStatus.OK, {})
    erase(known, MAIL)
    assert held_in(known) == set()
    with closing(known.open()) as house:
        assert house.store.check() == []
        run = house.store.runs(1)[0]
        counts = house.store.source_counts(run.run_id)["booth"]
        assert (counts.waiting_before, counts.skipped, counts.waiting) == (1, 1, 0)


def test_a_dead_letter_that_stays_is_skipped_when_it_is_replayed(known: World) -> None:
    """It names somebody else, too, so it is not hers for certain; mapped at last, it is."""
    known.write(
        "mappings/csv.yaml",
        known.mapping.replace('translate: {"yes": true}, unknown: no_value', 'translate: {"yes": true}, unknown: reject'),
    )
    known.drop([{**PERSON, "title": "asked by jo@booth.example", "optout": "perhaps"}], name="odd.csv")
    assert known.run().sources["booth"].dead == 1
    known.write("mappings/csv.yaml", known.mapping)
    gone_from_org(known)
    done = erase(known, MAIL)
    assert (done.unsure > 0, done.dead_letters) == (True, ())
    with closing(known.open()) as house:
        (letter,) = house.store.dead_letters()
        assert house.store.replay_dead_letters([letter.dead_letter_id], known.clock.now()) == 1
    assert known.run().notes["erased"] == 1
    assert known.leads() == known.leads(Email=OTHER["email"])
    with closing(known.open()) as house:
        assert find_leads(house.store, MAIL) == []
        assert house.store.check() == []
    # What was counted as unsure stays until it expires, and nothing else.
    assert held_in(known, but=("dead_letter", "inbox")) <= {"syncd.db", "syncd.db-wal"}


def test_the_log_says_who_by_id_alone(known: World, capsys: pytest.CaptureFixture[str]) -> None:
    gone_from_org(known)
    person_id = person_of(known, MAIL)
    capsys.readouterr()
    erase(known, MAIL)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (line,) = [one for one in lines if one["event"] == "person_erased"]
    assert line["person_id"] == person_id
    assert set(line) <= {"event", "person_id", "at", "timestamp", "level"}
    assert not any(needle in json.dumps(lines).lower() for needle in NEEDLES)
