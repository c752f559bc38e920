"""What can be told of a day in the past, and what is unknown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from syncd.app.horizon import Lacking
from syncd.model import OrgRow
from syncd.policy.model import Facts, Rule, Section
from syncd.ports import PastActivity
from tests.pasts import BOT, OWN, REP, Somebody, org_contact, org_lead, record
from tests.policies import CONVERTED, NOW, NURTURE, OPEN, QUALIFIED, WORKING, ago, full_policy, when

POLICY = full_policy()
START = ago(days=90)


def on(somebody: Somebody, days: float, **more: Any) -> Facts:
    """The facts so many days ago."""
    at = ago(days=days)
    known = somebody.past(POLICY, START, **more).at(at, at.date().isoformat())
    assert known is not None
    return known.facts


def test_now_everything_is_known_as_a_pass_knows_it() -> None:
    """What syncd fired and holds since the beginning is the replay's own affair."""
    somebody = Somebody(
        records=[record("a", ago(days=9), Title="Head", opted_out=True), record("b", ago(days=2), Country="DE")],
        rows=[org_lead(ago(days=1), ago(days=50), WORKING, REP, Budget__c=9)],
        touches=[("demo", ago(days=3)), ("form", ago(days=-1))],
        statuses=[(ago(days=50), OPEN, OWN), (ago(days=1), WORKING, REP)],
        activities=[
            PastActivity(True, True, False, ago(days=4), ago(days=4), ago(days=4)),
            PastActivity(True, False, False, ago(days=2), ago(days=5), ago(days=2), ago(days=2)),
            PastActivity(False, False, False, ago(days=2), ago(days=5), ago(days=-2)),
        ],
        opportunities=2,
    )
    known = somebody.past(POLICY).at(NOW, NOW.date().isoformat())
    assert known is not None
    assert msgspec.structs.replace(known.facts, day="") == msgspec.structs.replace(somebody.today(POLICY), day="")
    assert not known.facts.unknown


def test_fields_of_the_record_are_known_since_it_was_last_touched() -> None:
    row = org_lead(ago(days=10), ago(days=50), OPEN, Title="Head", Country="FR")
    somebody = Somebody(records=[record("a", ago(days=60), Title="Clerk")], rows=[row], statuses=[(ago(days=50), OPEN, OWN)])
    later, before = on(somebody, 9), on(somebody, 11)
    assert later.standing is not None
    assert later.standing.fields["Title"] == "Head"
    assert not {"lead.Title", "lead.Country", "person.edited_at"} & later.unknown
    assert before.standing is not None
    assert set(before.standing.fields) == {"Status", "CreatedDate"}
    assert {"lead.Title", "lead.Country", "lead.Budget__c", "person.edited_at"} <= before.unknown
    assert "status" not in before.unknown
    assert (before.standing.owner_id, before.standing.is_owner_active) == ("", None)


def test_before_the_lead_was_made_what_sources_said_is_all_there_is() -> None:
    row = org_lead(ago(days=10), ago(days=50), OPEN, Title="Head")
    found = on(Somebody(records=[record("a", ago(days=60), Title="Clerk")], rows=[row]), 55)
    assert found.standing is None
    assert found.golden == {"Title": "Clerk"}
    assert found.unknown == {"activity.open_opportunities"}


def test_a_status_is_known_by_the_changes_that_were_noted() -> None:
    row = org_lead(ago(days=10), ago(days=50), QUALIFIED)
    changes = [(ago(days=40), OPEN, OWN), (ago(days=30), WORKING, REP), (ago(days=10), QUALIFIED, REP)]
    somebody = Somebody(rows=[row], statuses=changes)
    assert [on(somebody, days).standing.status for days in (35, 20, 5)] == [OPEN, WORKING, QUALIFIED]
    first = on(somebody, 45)
    assert "status" in first.unknown, "nobody noted what it was then"
    assert first.standing is not None
    assert first.standing.status == ""
    working = on(somebody, 20).standing
    assert working is not None
    assert working.statuses[-1].by_person
    assert working.statuses[-1].at == ago(days=30)


def test_a_status_that_changed_unnoticed_is_unknown_until_the_row_showed_it() -> None:
    """Nobody noted statuses for a while: the present one was entered at some time before the stamp."""
    row = org_lead(ago(days=10), ago(days=50), NURTURE)
    somebody = Somebody(rows=[row], statuses=[(ago(days=40), OPEN, OWN)])
    assert "status" in on(somebody, 20).unknown
    found = on(somebody, 9)
    assert found.standing is not None
    assert found.standing.status == NURTURE
    assert "status" not in found.unknown


def test_what_syncd_moved_since_the_start_is_left_out_until_a_person_moves() -> None:
    row = org_lead(ago(days=20), ago(days=200), QUALIFIED, REP)
    changes = [
        (ago(days=200), OPEN, OWN),
        (ago(days=60), WORKING, OWN),
        (ago(days=40), NURTURE, BOT),
        (ago(days=20), QUALIFIED, REP),
    ]
    somebody = Somebody(rows=[row], statuses=changes)
    past = somebody.past(POLICY, START)
    assert [on(somebody, days).standing.status for days in (100, 50, 30, 10)] == [OPEN, OPEN, NURTURE, QUALIFIED]
    assert list(past.real_moves()) == [(OPEN, WORKING)]
    early = somebody.past(POLICY, ago(days=50)).at(ago(days=45), "2026-04-05")
    assert early is not None
    assert early.facts.standing is not None
    assert early.facts.standing.status == WORKING, "before the start it is history"


def test_what_sources_say_is_unknown_while_a_record_was_there_in_another_version() -> None:
    records = [record("a", ago(days=60), Title="Clerk"), record("b", ago(days=10), Country="DE")]
    blurred = on(Somebody(records=records), 20)
    assert blurred.golden == {}
    assert {"lead.Title", "lead.Country", "person.sources", "person.has_opted_out"} <= blurred.unknown
    assert on(Somebody(records=records), 9).golden == {"Title": "Clerk", "Country": "DE"}
    later = on(Somebody(records=records, arrived={"b": ago(days=10)}), 20)
    assert later.golden == {"Title": "Clerk"}, "the other one had not come yet"
    assert not {"lead.Title", "person.sources", "person.has_opted_out"} & later.unknown


def test_nobody_is_mailed_of_whom_it_cannot_be_told_whether_they_had_opted_out() -> None:
    row = org_lead(ago(days=10), ago(days=50), OPEN)
    assert on(Somebody(rows=[row]), 20).has_opted_out
    assert "person.has_opted_out" in on(Somebody(rows=[row]), 20).unknown
    assert not on(Somebody(rows=[row]), 9).has_opted_out
    said = on(Somebody(rows=[row], records=[record("a", ago(days=30), opted_out=True)]), 20)
    assert said.has_opted_out
    assert "person.has_opted_out" not in said.unknown


def test_a_touch_and_a_task_count_by_their_time() -> None:
    task = PastActivity(True, False, False, ago(days=5), ago(days=30), ago(days=5), ago(days=5))
    odd = PastActivity(True, False, False, ago(days=5), ago(days=30), ago(days=5))
    row = org_lead(ago(days=40), ago(days=50), OPEN)
    somebody = Somebody(rows=[row], touches=[("demo", ago(days=8)), ("form", ago(days=3))], activities=[task])
    assert [len(on(somebody, days).touches) for days in (9, 5, 1)] == [0, 1, 2]
    assert [on(somebody, days).open_tasks for days in (31, 20, 1)] == [0, 1, 0]
    assert on(somebody, 1).last_activity_at == ago(days=5)
    assert "activity.open_tasks" in on(Somebody(rows=[row], activities=[odd]), 20).unknown, "nobody says when it was done"
    deleted = msgspec.structs.replace(task, is_deleted=True)
    assert "activity.open_tasks" in on(Somebody(rows=[row], activities=[deleted]), 20).unknown
    assert on(Somebody(rows=[row], activities=[deleted]), 1).open_tasks == 0


def test_an_event_may_have_been_moved_before_its_stamp() -> None:
    event = PastActivity(False, False, False, ago(days=5), ago(days=30), ago(days=-3))
    row = org_lead(ago(days=40), ago(days=50), OPEN)
    policy = full_policy(rules=(*POLICY.rules,))
    somebody = Somebody(rows=[row], activities=[event])
    past = somebody.past(policy, START)
    assert "activity.next_event_at" in past.at(ago(days=20), "2026-04-30").facts.unknown  # type: ignore[union-attr]
    assert on(somebody, 4).next_event_at == ago(days=-3)


def test_a_converted_lead_was_open_before_its_last_change_of_status() -> None:
    rows = [
        org_lead(ago(days=1), ago(days=50), "Closed - Converted", REP, is_converted=True, contact_id="003000000000001AAA"),
        org_contact(ago(days=1), ago(days=20)),
    ]
    changes = [(ago(days=50), OPEN, OWN), (ago(days=20), "Closed - Converted", REP)]
    somebody = Somebody(rows=rows, statuses=changes)
    before, after = on(somebody, 30).standing, on(somebody, 10).standing
    assert before is not None
    assert (before.object, before.status, before.is_converted) == ("Lead", OPEN, False)
    assert after is not None
    assert after.object == "Contact"
    assert Somebody(rows=rows).past(POLICY, START).at(ago(days=10), "2026-05-10") is None, "nobody noted when"


def test_of_a_record_that_was_deleted_since_nothing_can_be_told() -> None:
    row = org_lead(ago(days=10), ago(days=50), OPEN, is_deleted=True)
    past = Somebody(rows=[row]).past(POLICY, START)
    assert past.at(ago(days=20), "2026-04-30") is None
    gone, unborn = past.at(ago(days=5), "2026-05-15"), past.at(ago(days=60), "2026-03-21")
    assert gone is not None
    assert gone.facts.standing is None
    assert unborn is not None
    assert unborn.facts.standing is None


@pytest.mark.parametrize("days", [20, 0])
def test_what_the_mirror_lacks_is_unknown_at_any_time_of_who_is_in_the_org(days: int) -> None:
    lacking = Lacking(frozenset({"lead.Rating"}), frozenset(), frozenset({"account.Industry"}))
    here = on(Somebody(rows=[org_lead(ago(days=30), ago(days=50), OPEN)]), days, lacking=lacking)
    assert {"lead.Rating", "account.Industry"} <= here.unknown
    nowhere = on(Somebody(records=[record("a", ago(days=30), Rating="Hot")]), days, lacking=lacking)
    assert "lead.Rating" not in nowhere.unknown
    assert nowhere.golden == {"Rating": "Hot"}


def test_an_account_is_known_since_its_stamp_while_the_record_that_leads_there_is() -> None:
    policy = full_policy(rules=(Rule("x", Section.STATUS, to_status=WORKING, when=when('account.Industry == "Steel"')),))
    account = OrgRow("Account", "001A", {"Industry": "Steel"}, ago(days=10))
    past = Somebody(rows=[org_lead(ago(days=20), ago(days=50), OPEN)], account=account).past(policy, START)
    found = [past.at(ago(days=days), "2026-05-01") for days in (30, 15, 5)]
    assert [one.facts.account for one in found if one is not None] == [{}, {}, {"Industry": "Steel"}]
    assert ["account.Industry" in one.facts.unknown for one in found if one is not None] == [True, True, False]


@pytest.mark.parametrize(("account_id", "is_known"), [("001A", True), (None, False)])
def test_a_contacts_account_is_known_though_a_lead_was_converted_later(account_id: str | None, is_known: bool) -> None:
    """Where the contact has none, today's account may be the lead's."""
    policy = full_policy(rules=(Rule("x", Section.STATUS, to_status=WORKING, when=when('account.Industry == "Steel"')),))
    account = OrgRow("Account", "001A", {"Industry": "Steel"}, ago(days=40))
    contact = org_contact(ago(days=45), ago(days=50), AccountId=account_id)
    lead = org_lead(ago(days=1), ago(days=2), CONVERTED, is_converted=True)
    found = Somebody(rows=[contact, lead], account=account).past(policy, START).at(ago(days=20), "2026-04-30")
    assert found is not None
    assert (found.facts.account == {"Industry": "Steel"}, "account.Industry" in found.facts.unknown) == (is_known, not is_known)
