"""Whatever is known of somebody: nothing is deleted but what syncd archived, nobody has touched since, and whose time has come."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.policy import evaluate
from syncd.policy.alike import Beside
from syncd.policy.compiled import ready
from syncd.policy.evaluate import evaluate_ready
from syncd.policy.model import ArchiveMeans, Rule, Section
from tests.policies import ARCHIVED, NOW, OPEN, ago, at, facts, lead, small_policy, touch, when

DAYS = 90
MEANS = {
    "status": ArchiveMeans(ARCHIVED),
    "flag": ArchiveMeans(flag="Old__c"),
    "both": ArchiveMeans(ARCHIVED, "Old__c", "queue:Archive"),
}
BACK = Rule("back", Section.REVIVE, from_statuses=(ARCHIVED,), to_status=OPEN, intent=("demo",), overrides_rep=True)

PARTS = (
    "moved", "status", "by person", "title", "flag", "hold", "edited", "converted", "archived", "touch", "task", "event", "activity",
)  # fmt: skip
spans = st.sampled_from((0, 1, 30, 89, 90, 91, 100, 200))
instants = st.builds(lambda days, minutes: ago(days=days, minutes=minutes), spans, st.sampled_from((-5, 0, 5)))


@st.composite
def known(draw):
    """An archived lead whose time has come, but for up to three things that may be otherwise; and the means of the policy."""
    other = draw(st.sets(st.sampled_from(PARTS), max_size=3))

    def part(name, usual, *more):
        return (
            draw(st.one_of(st.sampled_from(more), instants) if more == (None,) else st.sampled_from(more))
            if name in other
            else usual
        )

    moved = draw(instants) if "moved" in other else ago(days=150)
    fields = {
        "Title": part("title", "Nobody", "Boss"),
        "Old__c": part("flag", True, False),
        "Syncd_Hold_Until__c": part("hold", None, "2026-05-20", "2026-05-19"),
    }
    change = (part("status", ARCHIVED, OPEN), moved, part("by person", False, True))
    standing = lead(change[0], (OPEN, ago(days=201)), change, fields=fields, edited_at=part("edited", None, None))
    standing = msgspec.structs.replace(standing, is_converted=part("converted", False, True))
    touched = part("touch", None, None)
    found = facts(
        standing,
        archived=part("archived", {"shut": moved}, {}, {"other": moved}),
        touches=() if touched is None else (touch(draw(st.sampled_from(("demo", "open"))), touched),),
        open_tasks=part("task", 0, 1),
        next_event_at=part("event", None, None),
        last_activity_at=part("activity", None, None),
    )
    return found, draw(st.sampled_from(sorted(MEANS)))


def policy(kind):
    condition = when('lead.Title == "Nobody"')
    shut = Rule("shut", Section.ARCHIVE, from_statuses=(OPEN,), when=condition, means=MEANS[kind])
    gone = Rule("gone", Section.DELETE, when=condition, after_days=DAYS, of_rule="shut")
    return small_policy(BACK, shut, gone)


@settings(max_examples=300)
@given(known())
def test_what_is_deleted_has_been_left_alone_for_long_enough(one):
    found, kind = one
    verdict, means, standing = evaluate(policy(kind), found), MEANS[kind], found.standing
    if not verdict.deletes:
        return
    silent_since = NOW - timedelta(days=DAYS)
    archived_at = found.archived["shut"]
    assert archived_at <= silent_since
    assert not standing.is_converted
    assert means.status in ("", standing.status)
    assert not means.flag or standing.fields[means.flag] is True
    assert standing.fields["Title"] == "Nobody"
    assert standing.edited_at is None or standing.edited_at <= archived_at
    assert not (means.status and standing.statuses[-1].by_person)
    assert found.open_tasks == 0
    assert found.next_event_at is None or found.next_event_at <= NOW
    assert all(seen <= silent_since for seen in (*(one.at for one in found.touches), found.last_activity_at) if seen is not None)
    assert standing.fields["Syncd_Hold_Until__c"] != "2026-05-20"
    assert (verdict.rule_id, verdict.converts) == ("", "")


@settings(max_examples=300)
@given(known())
def test_the_date_that_is_kept_is_the_first_on_which_it_is_deleted(one):
    """If nothing happens until then: not a moment before, and it is looked at by then."""
    found, kind = one
    # What a source with a fast clock has told already, and calls them back, happens until then.
    assume(not any(seen.at > found.now and seen.channel in BACK.intent for seen in found.touches))
    made = policy(kind)
    verdict = evaluate(made, found)
    if "gone" not in verdict.keeps:
        assert verdict.deletes == ""
        return
    due_at = verdict.keeps["gone"]
    assert (verdict.deletes == "gone") is (due_at <= found.now)
    if due_at > found.now:
        assert verdict.look_at is not None
        assert verdict.look_at <= due_at
        assert evaluate(made, at(found, due_at - timedelta(microseconds=1))).deletes == ""
        assert evaluate(made, at(found, due_at)).deletes == "gone"


@settings(max_examples=300)
@given(known(), st.sampled_from([DAYS, DAYS + 40]))
def test_the_short_ways_delete_as_the_long_one(one, other_days):
    """What is out of place need not be asked, in full and in brief; a policy that keeps leads for longer is asked anew."""
    found, kind = one
    made = policy(kind)
    whole = evaluate_ready(ready(made), found, is_whole=True)
    assert msgspec.json.encode(evaluate(made, found)) == msgspec.json.encode(whole)
    brief = evaluate_ready(ready(made), found, is_brief=True)
    assert (brief.deletes, brief.keeps, brief.look_at, brief.rule_id) == (
        whole.deletes,
        whole.keeps,
        whole.look_at,
        whole.rule_id,
    )
    other = msgspec.structs.replace(
        made,
        rules=tuple(
            msgspec.structs.replace(rule, after_days=other_days) if rule.rule_id == "gone" else rule for rule in made.rules
        ),
    )
    beside = Beside(made, other).verdict(evaluate_ready(ready(made), found, is_brief=True, looks=False), found)
    assert beside.deletes == evaluate(other, found).deletes
