"""Opt-outs that travel back, person by person: what is asked of whom, and what is not; and when a user's many are a storm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from syncd.model import (
    FIRST_LOOK,
    FieldValue,
    Lead,
    MailStop,
    Operation,
    OperationKind,
    OperationState,
    OptOutHold,
    OrgRecord,
    OrgRow,
    PersonRecord,
    PersonState,
    PersonView,
    RecordRef,
    Touch,
)
from syncd.plan import OptOutSettings, is_copy, storms, why_not_copied
from syncd.plan.opt_outs import Copies, copies
from syncd.ports import OptOutTurn

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
FIELD = "HasOptedOutOfEmail"
MEMBER = RecordRef("news", "members", "1")
STOPS = {MEMBER: (MailStop("ada@example.com", {"audience": "L1"}),)}
SETTINGS = OptOutSettings(frozenset({"news"}), STOPS, own_user_id="005own", secret=b"key")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def member(*, is_out: bool = False, consent: str = "subscribed", at: datetime = NOW) -> PersonRecord:
    fields = {FIELD: FieldValue(True)} if is_out else {}
    return PersonRecord(MEMBER, Lead(fields, Touch(consent=consent)), at, withdrawn_at=at if is_out else None)


def box(at: datetime = NOW, **changes: Any) -> OrgRecord:
    """Somebody ticked it in the org."""
    made = OrgRecord(
        OrgRow("Contact", "0031", {FIELD: True}, at), "p", opted_out_at=at, opted_out_by="005rep", opt_out_hold="calm"
    )
    return msgspec.structs.replace(made, **changes)


def view(*records: PersonRecord, org: OrgRecord | None = None, **changes: Any) -> PersonView:
    made = PersonView("p", PersonState.ACTIVE, records, (org,) if org is not None else ())
    return msgspec.structs.replace(made, **changes)


def planned(of: PersonView, settings: OptOutSettings = SETTINGS) -> Copies:
    return copies(of, settings, NOW + minutes(60), "r2")


def operation_of(found: Copies, **changes: Any) -> Operation:
    """As the outbox holds the one copy."""
    (write,) = found.writes
    made = Operation(
        "1", "p", f"source:{write.source}", "", OperationKind.ACTION, write.fields, {}, write.provenance,
        state=OperationState.DONE, source=write.source, own_id=write.action_id, run_id="r1",
        sent_at=NOW + minutes(1), finished_at=NOW + minutes(1),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_a_copy_is_an_action_without_a_rule() -> None:
    found = planned(view(member(), org=box()))
    assert found.is_guarded
    copy = operation_of(found)
    assert is_copy(copy)
    assert copy.fields == {
        "action": "opt_out", "number": 0, "decided_at": "2026-11-24T10:00:00+00:00", "email": "ada@example.com",
        "withdrawn_at": "2026-11-24T09:00:00+00:00", "option.audience": "L1",
    }  # fmt: skip
    assert {(one.rule, one.locator) for one in copy.provenance.values()} == {("consent", "Contact 0031")}


def test_nothing_is_copied_where_nobody_withdrew_the_member_has_left_or_no_mail_comes() -> None:
    assert planned(view(member())) == Copies()
    assert planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops={MEMBER: ()})) == Copies()
    assert planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, sources=frozenset())) == Copies()
    for state in (PersonState.ERASED, PersonState.MERGED):
        assert planned(view(member(), org=box(), state=state)) == Copies()
    assert planned(view(member(), org=box(row=OrgRow("Contact", "0031", {FIELD: True}, NOW, is_deleted=True)))) == Copies()


def test_who_has_left_one_of_the_lists_of_a_record_is_taken_off_the_others() -> None:
    """A contact is one record with many lists: our copy to the first of them must not make the second one seem done."""
    first, second = (MailStop("ada@example.com", {"audience": name}) for name in ("list-1", "list-2"))
    both = planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops={MEMBER: (first, second)}))
    assert [one.fields["option.audience"] for one in both.writes] == ["list-1", "list-2"]
    done = operation_of(Copies(both.writes[:1]))
    half = msgspec.structs.replace(SETTINGS, stops={MEMBER: (second,)})
    (write,) = planned(view(member(is_out=True, at=NOW + minutes(1)), org=box(), actions=(done,)), half).writes
    assert (write.fields["option.audience"], write.fields["withdrawn_at"]) == ("list-2", NOW.isoformat())
    (write,) = planned(view(member(is_out=True)), half).writes
    assert write.fields["option.audience"] == "list-2", "by the person's own word"


def test_a_list_that_somebody_joined_since_is_left_alone_and_the_others_are_not() -> None:
    stops = (
        MailStop("ada@example.com", {"audience": "list-1"}, NOW - minutes(1)),
        MailStop("ada@example.com", {"audience": "list-2"}, NOW + minutes(1)),
    )
    found = planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops={MEMBER: stops}))
    assert ([one.fields["option.audience"] for one in found.writes], found.word) == (["list-1"], "opted_in_again")


def test_who_is_in_review_is_copied_all_the_same() -> None:
    assert len(planned(view(member(), org=box(), state=PersonState.REVIEW)).writes) == 1


def test_records_that_nobody_has_looked_at_wait() -> None:
    assert planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops={})) == Copies(waits=True)


def test_a_sandbox_org_is_a_word() -> None:
    assert planned(view(member(), org=box()), msgspec.structs.replace(SETTINGS, may_act=False)) == Copies(word="sandbox_org")


@pytest.mark.parametrize(
    ("hold", "word"),
    [(OptOutHold.NEW, ""), (OptOutHold.HELD, "opt_out_storm"), (OptOutHold.KEPT, "opt_out_not_copied")],
)
def test_what_is_not_counted_or_held_does_not_travel(hold: OptOutHold, word: str) -> None:
    assert planned(view(member(), org=box(opt_out_hold=hold.value))) == Copies(word=word)


def test_a_contact_that_a_held_lead_became_does_not_travel_either_until_it_is_ticked_anew() -> None:
    """Salesforce takes the box along; whoever converts the lead has not opted anybody out."""

    def both(contact_at: datetime, hold: OptOutHold) -> Copies:
        converted = OrgRow("Lead", "00Q1", {FIELD: True}, NOW + minutes(30), is_converted=True, contact_id="0031")
        lead = box(row=converted, opt_out_hold=hold.value)
        return planned(view(member(), org_records=(lead, box(contact_at))))

    for hold in (OptOutHold.HELD, OptOutHold.KEPT, OptOutHold.NEW):
        assert both(NOW + minutes(31), hold).writes == ()
        assert len(both(NOW + minutes(50), hold).writes) == 1, "somebody has ticked it since"
        assert len(both(NOW - minutes(1), hold).writes) == 1, "it was before the lead's"
    assert len(both(NOW + minutes(31), OptOutHold.LET).writes) == 1


def test_what_a_person_has_let_go_is_not_counted_by_the_guard_again() -> None:
    found = planned(view(member(), org=box(opt_out_hold="let")))
    assert (len(found.writes), found.is_guarded) == (1, False)


def test_what_syncd_wrote_itself_is_no_second_withdrawal() -> None:
    """The source's record is the word, and the newest one is its own: the box was only ticked because of it."""
    said = PersonRecord(RecordRef("site", "rows", "1"), Lead({FIELD: FieldValue(True)}), NOW, withdrawn_at=NOW)
    ours = box(NOW + minutes(5), opted_out_by="005own", base={FIELD: True})
    (write,) = planned(view(member(), said, org=ours)).writes
    assert write.fields["withdrawn_at"] == NOW.isoformat()
    unknown = msgspec.structs.replace(ours, opted_out_by="")
    (write,) = planned(view(member(), said, org=unknown)).writes
    assert write.fields["withdrawn_at"] == NOW.isoformat(), "of a store that did not note who"
    (alone,) = planned(view(member(), org=ours)).writes
    assert alone.fields["withdrawn_at"] == (NOW + minutes(5)).isoformat()


def test_our_own_copy_coming_back_is_no_withdrawal_for_another_list() -> None:
    """The other list of the same account has opted out because we asked; its member said nothing, and comes back without a word."""
    copy = operation_of(planned(view(member(), org=box())))
    second = RecordRef("news", "members", "2")
    stops = {MEMBER: STOPS[MEMBER], second: (MailStop("ada@example.com", {"audience": "L2"}),)}
    echo = member(is_out=True, at=NOW + minutes(1))
    found = planned(
        view(echo, PersonRecord(second, Lead({}), NOW), actions=(copy,)), msgspec.structs.replace(SETTINGS, stops=stops)
    )
    assert found == Copies()


def test_the_same_withdrawal_is_copied_once_and_a_later_one_again() -> None:
    copy = operation_of(planned(view(member(), org=box())))
    assert planned(view(member(at=NOW + minutes(30)), org=box(), actions=(copy,))) == Copies()
    (again,) = planned(view(member(at=NOW + minutes(30)), org=box(NOW + minutes(40)), actions=(copy,))).writes
    assert again.action_id != copy.own_id


def test_a_refused_copy_waits_for_its_replay() -> None:
    refused = operation_of(planned(view(member(), org=box())), state=OperationState.REFUSED)
    before = view(member(), org=box(), actions=(refused,), refused_operations=(refused,))
    assert planned(before) == Copies()
    assert len(planned(msgspec.structs.replace(before, refused_operations=())).writes) == 1


def test_a_newer_explicit_yes_stays_and_an_older_or_silent_one_does_not() -> None:
    copy = operation_of(planned(view(member(), org=box())))
    yes = member(consent=f"subscribed; {(NOW + minutes(30)).isoformat()}", at=NOW + minutes(30))
    assert planned(view(yes, org=box(), actions=(copy,))) == Copies(word="opted_in_again")
    assert planned(view(yes, org=box())) == Copies(word="opted_in_again"), "said after the box was ticked"
    older = member(consent=f"subscribed; {(NOW - minutes(30)).isoformat()}")
    assert len(planned(view(older, org=box())).writes) == 1
    assert len(planned(view(member(at=NOW + minutes(30)), org=box())).writes) == 1
    pending = member(consent=f"pending; {(NOW + minutes(30)).isoformat()}")
    assert len(planned(view(pending, org=box())).writes) == 1, "whoever is asked to confirm has not"


def test_leave_to_clear_lets_a_newer_yes_beat_the_records_that_say_no() -> None:
    said = PersonRecord(RecordRef("site", "rows", "1"), Lead({FIELD: FieldValue(True)}), NOW, withdrawn_at=NOW)
    yes = PersonRecord(RecordRef("site", "rows", "2"), Lead({FIELD: FieldValue(False)}), NOW + minutes(1))
    assert len(planned(view(member(), said, yes)).writes) == 1
    assert planned(view(member(), said, yes), msgspec.structs.replace(SETTINGS, allow_clear=True)) == Copies()


def test_the_last_look_ends_what_is_no_longer_right() -> None:
    waiting = operation_of(planned(view(member(), org=box())), state=OperationState.PLANNED, sent_at=None, finished_at=None)

    def why(of: PersonView, settings: OptOutSettings = SETTINGS) -> str:
        return why_not_copied(waiting, msgspec.structs.replace(of, actions=(waiting,)), settings, NOW)

    assert why(view(member(), org=box())) == ""
    assert why(view(member(), org=box(NOW + minutes(9)))) == "", "a later withdrawal asks for the same"
    left = msgspec.structs.replace(SETTINGS, stops={MEMBER: ()})
    assert why(view(member(is_out=True), org=box()), left) == "not_needed"
    assert why(view(member())) == "not_needed"
    assert why(view(member(), org=box(opt_out_hold="held"))) == "opt_out_storm"
    assert why(view(member(), org=box(), state=PersonState.ERASED)) == "person_gone"
    assert why(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops={})) == "waits"
    moved = {MEMBER: (MailStop("ada@new.example", {"audience": "L1"}),)}
    assert why(view(member(), org=box()), msgspec.structs.replace(SETTINGS, stops=moved)) == "not_needed"


# ---------------------------------------------------------------- storms


def turns(*at: float, user_id: str = "005rep", hold: OptOutHold = OptOutHold.NEW) -> list[OptOutTurn]:
    return [OptOutTurn("Lead", f"00Q{user_id}{one}{hold}", user_id, NOW + minutes(one), hold) for one in at]


def test_a_storm_is_more_than_the_limit_within_an_hour_by_one_user() -> None:
    assert storms(turns(0, 20, 40), 3, "005own") == {}
    assert storms(turns(0, 20, 40, 60), 3, "005own") == {}, "an hour is over"
    (found,) = storms(turns(0, 20, 40, 59), 3, "005own").values()
    assert len(found) == 4
    assert storms([*turns(0, 1), *turns(0, 1, user_id="005other")], 3, "005own") == {}
    assert storms(turns(0, 1, 2, 3, user_id="005own"), 3, "005own") == {}, "sources said so, not a user"


def test_only_those_of_the_storm_are_held_each_once() -> None:
    found = storms(turns(-300, 0, 10, 20, 30, 50, 65, 300), 3, "005own")["005rep"]
    assert [one.at for one in found] == [NOW + minutes(one) for one in (0, 10, 20, 30, 50, 65)]


def test_what_was_decided_counts_no_more_and_what_is_held_still_does() -> None:
    assert storms([*turns(0, 1, 2, hold=OptOutHold.LET), *turns(3)], 3, "005own") == {}
    assert len(storms([*turns(0, 1, 2, hold=OptOutHold.HELD), *turns(3)], 3, "005own")["005rep"]) == 4


def test_what_was_there_at_a_fill_is_held_however_old_it_is_and_however_it_comes() -> None:
    """Nobody knows who made these, or when; a few go at once."""
    years = (-900_000, -600_000, -300_000, 0)
    assert storms(turns(*years[:3], user_id=FIRST_LOOK), 3, "005own") == {}
    assert len(storms(turns(*years, user_id=FIRST_LOOK), 3, "005own")[FIRST_LOOK]) == 4
    little = [*turns(*years[:3], user_id=FIRST_LOOK, hold=OptOutHold.CALM), *turns(0, user_id=FIRST_LOOK)]
    assert len(storms(little, 3, "005own")[FIRST_LOOK]) == 4
    assert storms(turns(0, 1, 2, 3, user_id=""), 3, "005own") == {}, "written by syncd before anybody noted who"
