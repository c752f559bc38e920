"""Actions at sources by whole passes: each once, to nobody who has opted out, and never in the way of anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.model import Delivery, RunStatus
from syncd.sandbox import MailchimpServer
from tests.acting import ENROL, OPT_OUT, SEND, STANDARDS, TAG, TRIGGER, Acting, doing
from tests.hot import tasks
from tests.newsletter import mail
from tests.site import SITE
from tests.site import STOCK_MAPPING as WEB_MAPPING
from tests.world import MAPPING, World, row


@pytest.fixture
def make(make_world: Callable[..., World]) -> Callable[..., Acting]:
    def made(policy: str = STANDARDS, **options: Any) -> Acting:
        world = make_world(Acting, policy=policy, **options)
        assert isinstance(world, Acting)
        return world

    return made


def test_on_entering_nurture_everything_is_done_once(make: Callable[..., Acting]) -> None:
    """A subscriber: the tag, the journey, the message and the task; ten passes later nothing has come twice."""
    world = make()
    world.put(1)
    world.settle()
    world.run()
    world.nurture(1)
    summary = world.run()
    assert (summary.status, summary.operations["acted"]) == (RunStatus.OK, 4)
    assert [(kind, state) for kind, state, _ in world.states()] == [(one, "done") for one in ("enrol", "tag", "trigger", "send")]
    member = world.member(1)
    assert member is not None
    assert ([one["name"] for one in member["tags"]], world.entries(1)) == (["drip"], 1)
    assert [one["data"] for one in world.receiver.messages.values()] == [{"email": mail(1), "company": "[not provided]"}]
    assert len(tasks(world)) == 1
    for _ in range(10):
        world.clock.advance(3_600)
        world.run()
    assert (world.entries(1), world.receiver.calls, len(tasks(world)), len(world.actions())) == (1, 1, 1, 4)


def joined(world: Acting, *numbers: int, **changes: Any) -> Acting:
    """These people subscribed and are leads; a rep has just moved them to Nurture."""
    for number in numbers:
        world.put(number, **changes)
    world.settle()
    world.run()
    world.nurture(*numbers)
    return world


def scanned(world: Acting, *numbers: int, **changes: str) -> Acting:
    """These people were scanned at the booth, and are in Nurture."""
    world.drop([row(number, **changes) for number in numbers])
    world.run()
    world.nurture(*numbers)
    return world


def test_who_is_no_member_is_asked_to_confirm_by_one_mail(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(ENROL)), 1)
    for _ in range(3):
        world.run()
    member = world.member(1)
    assert member is not None
    assert (member["status"], member["merge_fields"]["FNAME"]) == ("pending", "Firstb")
    assert len(world.mailchimp.marketing.mails_to(mail(1), "confirmation")) == 1


def test_nobody_who_has_opted_out_is_enrolled_whatever_the_policy_says(make: Callable[..., Acting]) -> None:
    """One withdrew before; the other while the action waited for a paused source, in the org and a second ago."""
    world = make(doing(ENROL, TAG))
    scanned(world, 1, optout="yes")
    paused(world, "newsletter")
    scanned(world, 2)
    world.run()
    assert world.states() == [("enrol", "planned", ""), ("tag", "planned", "")]
    paused(world, "newsletter", is_paused=False)
    world.org.edit(world.lead(mail(2))["Id"], {"HasOptedOutOfEmail": True})
    summary = world.run()
    assert world.states() == [("enrol", "superseded", "opted_out"), ("tag", "superseded", "opted_out")]
    assert summary.notes["opted_out"] == 2
    world.org.edit(world.lead(mail(2))["Id"], {"HasOptedOutOfEmail": False})
    for _ in range(3):
        world.clock.advance(3_600)
        world.run()
    assert (world.member(1), world.member(2), len(world.actions())) == (None, None, 2)


def paused(world: Acting, name: str, *, is_paused: bool = True) -> None:
    house = world.open()
    try:
        house.set_paused([name], is_paused=is_paused)
    finally:
        house.close()


def test_actions_of_a_paused_source_wait_and_miss_nothing(make: Callable[..., Acting]) -> None:
    world = make(doing(ENROL, SEND))
    paused(world, "newsletter")
    scanned(world, 1)
    assert world.run().status is RunStatus.OK
    assert world.states() == [("enrol", "planned", ""), ("send", "done", "")]
    assert world.run().status is RunStatus.OK
    paused(world, "newsletter", is_paused=False)
    world.run()
    assert world.states() == [("enrol", "done", ""), ("send", "done", "")]


def test_a_sandbox_org_asks_no_source_unless_the_configuration_says_so(make: Callable[..., Acting]) -> None:
    world = make()
    world.org.set_up("Organization", Id=world.org.org_id, IsSandbox=True)
    scanned(world, 1)
    summary = world.run()
    assert (summary.notes["sandbox_org"], world.actions(), world.member(1), world.receiver.calls) == (1, [], None, 0)
    assert len(tasks(world)) == 1, "a task is no matter of a source"
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text + "allow_source_writes_from_sandbox: true\n")
    world.org.edit(world.lead(mail(1))["Id"], {"Status": "Parked"})
    world.run()
    world.nurture(1)
    world.run()
    assert (len(world.actions()), world.receiver.calls) == (4, 1)


def test_back_fills_and_what_was_before_start_from_set_nothing_off(make: Callable[..., Acting]) -> None:
    """Until somebody in the org moves the lead: that is news."""
    entry = 'id: drip\n    from: ["Open - Not Contacted", Parked]'
    world = make(doing(SEND, "task: {subject: Read}", rule=entry), options="start_from: now")
    world.put(1, at=world.clock.now() - timedelta(days=3))
    summary = world.run()
    assert (world.receiver.calls, tasks(world), summary.notes["not_news"] > 0) == (0, [], True)
    world.clock.advance(60)
    world.org.edit(world.lead(mail(1))["Id"], {"Status": "Parked", "OwnerId": world.org.users["rep1"]})
    world.clock.advance(60)
    world.run()
    assert (world.receiver.calls, len(tasks(world))) == (1, 1)


def test_what_waits_for_an_address_comes_when_the_address_comes(make: Callable[..., Acting]) -> None:
    world = make(doing(ENROL, SEND))
    world.drop([row(1, email="")])
    world.run()
    (lead,) = world.leads()
    world.org.edit(lead["Id"], {"Status": "Nurture"})
    world.clock.advance(60)
    summary = world.run()
    assert (summary.notes["no_email"], world.states()) == (1, [("enrol", "superseded", ""), ("send", "done", "")])
    world.run()
    world.org.edit(lead["Id"], {"Email": mail(1)})
    world.clock.advance(60)
    world.run()
    assert [one["email_address"] for one in world.people()] == [mail(1)]
    assert world.states()[-1] == ("enrol", "done", "")
    for _ in range(3):
        world.run()
    assert len(world.actions()) == 3


def test_an_enrolment_whose_answer_is_lost_is_looked_up_and_done(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(ENROL)), 1)
    world.mailchimp.faults.add("cut_after", method="PUT")
    assert world.run().status is RunStatus.OK
    assert world.states() == [("enrol", "done", "")]
    assert len(world.mailchimp.marketing.mails_to(mail(1))) == 1


def test_what_was_not_carried_out_is_sent_again_once_the_vendor_has_had_its_time(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(ENROL)), 1)
    world.mailchimp.faults.add("error", method="PUT")
    assert world.run().status is RunStatus.PARTIAL
    assert world.states() == [("enrol", "unknown", "")]
    world.run()
    assert world.states() == [("enrol", "unknown", "")], "two minutes are not over: the vendor may be at it"
    world.clock.advance(120)
    world.run()
    assert world.states() == [("enrol", "done", "")]
    assert len(world.mailchimp.marketing.mails_to(mail(1))) == 1


def test_a_journey_in_doubt_goes_to_review_and_is_never_begun_again(make: Callable[..., Acting]) -> None:
    world = joined(make(doing(TRIGGER)), 1)
    world.mailchimp.faults.add("cut_after", "/trigger$")
    for _ in range(5):
        world.run()
        world.clock.advance(150)
    assert (world.states(), world.entries(1)) == ([("trigger", "refused", "outcome_unknown")], 1)
    house = world.open()
    try:
        (review,) = house.store.reviews()
        assert (review.kind, review.source, house.store.dead_letters()) == ("action_unknown", "newsletter", [])
        assert '"trigger" (policy acts' in review.reason
        assert "Look there" in review.reason
        house.store.reject_review(review.review_id, world.clock.now())
    finally:
        house.close()
    assert world.run().status is RunStatus.OK
    assert world.entries(1) == 1


def test_a_message_in_doubt_is_sent_again_with_its_id(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(SEND)), 1)
    world.receiver.answers[:] = [0, 502, 204]
    for _ in range(3):
        world.run()
    assert (world.states(), world.receiver.calls, len(world.receiver.messages)) == ([("send", "done", "")], 3, 1)


def test_a_refusal_is_a_dead_letter_said_once_and_done_when_it_is_replayed(make: Callable[..., Acting]) -> None:
    world = joined(make(doing(TRIGGER.replace("step: 70", "step: 71"))), 1, 2)
    summary = world.run()
    assert (summary.status, world.states()) == (RunStatus.PARTIAL, [("trigger", "refused", "no_such_step")] * 2)
    assert world.run().status is RunStatus.OK
    world.mailchimp.marketing.add_journey(7, "L1", 71)
    house = world.open()
    try:
        letters = house.store.dead_letters(source="newsletter")
        assert [(one.kind, one.stage, one.reason) for one in letters] == [("operation", "act", "no_such_step")] * 2
        house.store.replay_dead_letters([letters[0].dead_letter_id], world.clock.now())
        house.store.drop_dead_letters([letters[1].dead_letter_id], world.clock.now())
    finally:
        house.close()
    for _ in range(3):
        world.run()
    assert sorted(world.entries(number) for number in (1, 2)) == [0, 1]


def test_a_source_that_is_down_holds_up_nothing_and_everything_comes_later(make: Callable[..., Acting]) -> None:
    """Three passes long; the leads, the tasks and the other source go on."""
    world = scanned(make(), 1)
    world.mailchimp.faults.add("cut_before", times=-1)
    for number in (2, 3, 4):
        world.drop([row(number)])
        assert world.run().status is RunStatus.PARTIAL
        assert world.lead(mail(number))["Status"] == "Open - Not Contacted"
    assert [state for _, state, _ in world.states()] == ["planned", "planned", "planned", "done"]
    assert (len(tasks(world)), world.receiver.calls) == (1, 1)
    world.mailchimp.faults.clear()
    summary = world.run()
    # The journey is for members who have confirmed.
    assert [(kind, state) for kind, state, _ in world.states()] == [
        ("enrol", "done"), ("tag", "done"), ("trigger", "refused"), ("send", "done"),
    ]  # fmt: skip
    assert (summary.operations["acted"], world.states()[2][2]) == (2, "not_confirmed")


def test_after_five_tries_it_is_set_aside(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(ENROL)), 1)
    world.mailchimp.faults.add("throttled", method="PUT", times=-1)
    for _ in range(6):
        world.run()
    assert world.states() == [("enrol", "refused", "throttled")]
    world.mailchimp.faults.clear()
    house = world.open()
    try:
        (letter,) = house.store.dead_letters()
        house.store.replay_dead_letters([letter.dead_letter_id], world.clock.now())
    finally:
        house.close()
    world.run()
    assert world.states()[-1] == ("enrol", "done", "")


def test_our_own_change_coming_back_is_no_touch_and_what_the_person_does_is_one(make: Callable[..., Acting]) -> None:
    """The rule revives on a touch of the newsletter: the tag that we put on is none, the member's own edit an hour later is."""
    world = joined(make(doing(ENROL, TAG)), 1)
    world.run()
    for _ in range(3):
        world.settle()
        pulled = world.run()
        assert world.lead(mail(1))["Status"] == "Nurture"
    assert pulled.status is RunStatus.OK
    # Not before the seven days in which syncd takes nothing back that it did itself.
    world.clock.advance(8 * 86_400)
    world.run()
    assert world.lead(mail(1))["Status"] == "Nurture"
    world.put(1, merge_fields={"COMPANY": "Their own"})
    world.settle()
    world.run()
    assert (world.lead(mail(1))["Status"], world.lead(mail(1))["Company"]) == ("Open - Not Contacted", "Their own")


def test_the_plan_shows_actions_and_asks_no_source(make: Callable[..., Acting]) -> None:
    world = joined(make(), 1)
    calls = world.mailchimp.call_count
    planned = [one for one in world.plan() if one.object.startswith("source:")]
    assert [(one.object, one.fields["action"]) for one in planned] == [
        ("source:newsletter", "enrol"), ("source:newsletter", "tag"), ("source:newsletter", "trigger"), ("source:events", "send"),
    ]  # fmt: skip
    assert [one.method for one in world.mailchimp.calls[calls:] if one.method != "GET"] == []
    assert (world.receiver.calls, world.actions()) == (0, [])


def test_an_undo_says_that_actions_cannot_be_undone(make: Callable[..., Acting]) -> None:
    world = joined(make(doing(TAG, SEND)), 1)
    acted = world.run()
    house = world.open()
    try:
        undoing = house.undo(acted.run_id)
        assert [one.reason for one in undoing.plan.kept] == ["cannot_be_undone"] * 2
        undoing.carry_out()
    finally:
        house.close()
    assert (world.receiver.calls, [state for _, state, _ in world.states()]) == (1, ["done", "done"])


def test_a_changed_policy_that_would_mail_too_many_is_stopped_until_somebody_agrees(make: Callable[..., Acting]) -> None:
    world = make(STANDARDS[: STANDARDS.index("nurture:")])
    scanned(world, *range(30))
    world.run()
    world.write("mappings/policy.yaml", doing(ENROL))
    assert [world.run().status for _ in range(2)] == [RunStatus.STOPPED] * 2
    assert world.people() == []
    assert world.run(force=True).status is RunStatus.OK
    assert len(world.people("L1", "pending")) == 30
    world.run()
    assert len(world.mailchimp.marketing.mails) == 30


def test_a_rule_that_is_taken_out_takes_what_waits_with_it(make: Callable[..., Acting]) -> None:
    world = make(doing(ENROL, SEND))
    paused(world, "newsletter")
    scanned(world, 1)
    world.run()
    world.write("mappings/policy.yaml", doing("task: {subject: Write to them}"))
    paused(world, "newsletter", is_paused=False)
    world.run()
    assert (world.states()[0], world.member(1)) == (("enrol", "superseded", "rule_gone"), None)


def test_who_is_subscribed_at_once_has_said_so_for_this_very_list(make: Callable[..., Acting]) -> None:
    """The scanner kept their words: one names the list, the other says yes to something else."""
    mapping = MAPPING.replace("touch: {channel: event}", "touch: {channel: event, consent: {from: street}}")
    enrol = ENROL.replace("audience: L1,", "audience: L1, status: subscribed,")
    world = make(doing(enrol), mapping=mapping)
    world.drop([row(1, street="Yes to L1"), row(2, street="Yes to the fair's news")])
    world.run()
    world.nurture(1, 2)
    world.run()
    assert [(world.member(number) or {}).get("status") for number in (1, 2)] == ["subscribed", "pending"]
    assert [len(world.mailchimp.marketing.mails_to(mail(number))) for number in (1, 2)] == [0, 1]


def test_an_opt_out_by_rule_reaches_the_list_and_comes_back_as_one(make: Callable[..., Acting]) -> None:
    world = joined(make(doing(OPT_OUT)), 1)
    world.run()
    world.settle()
    world.run()
    assert ((world.member(1) or {}).get("status"), world.lead(mail(1))["HasOptedOutOfEmail"]) == ("unsubscribed", True)
    assert world.lead(mail(1))["Status"] == "Nurture"


def test_a_customer_who_is_a_contact_is_acted_on_too(make: Callable[..., Acting]) -> None:
    rule = "id: fans\n    target: contact\n    when: 'any_touch(\"email\", 30)'"
    world = make(doing(TAG, "task: {subject: Thank them}", rule=rule))
    contact = world.org.create("Contact", {"LastName": "Lastb", "FirstName": "Firstb", "Email": mail(1)}, user="rep2")
    world.put(1)
    world.settle()
    for _ in range(3):
        world.run()
    assert world.states() == [("tag", "done", "")]
    assert [(one["WhoId"], one["OwnerId"], one["Subject"]) for one in tasks(world)] == [
        (contact, world.org.users["rep2"], "Thank them")
    ]


def test_what_a_source_cannot_do_is_refused_with_its_line(make: Callable[..., Acting]) -> None:
    world = make(
        doing("tag: {source: newsletter, audience: L1, tagg: drip}", "send: {source: booth, type: a.b}", "send: {source: events}")
    )
    with pytest.raises(ConfigError) as refused:
        world.run()
    first = doing("").splitlines().index("nurture:") + 5
    assert [(one.line, one.message.partition(": ")[2]) for one in refused.value.problems] == [
        (first, '"tagg" is no option of "tag" at Mailchimp. Did you mean "tag"?'),
        (first, '"tag" at Mailchimp needs tag.'),
        (first + 1, 'the source "booth" (csv_drop) takes no actions.'),
        (first + 2, '"send" needs type, such as lead.qualified.'),
    ]
    assert refused.value.problems[2].advice == "Name one that does: events, newsletter."


def test_a_word_against_mail_said_a_second_ago_counts(make: Callable[..., Acting]) -> None:
    """The rep ticks the box after the pass has looked at the org, just before the source is asked."""
    world = scanned(make(doing(ENROL, SEND)), 1)

    def ticks(port: Any, name: str) -> Any:
        return Ticking(port, world) if name == "store" else port

    world.run(wrap=ticks)
    assert world.states() == [("enrol", "superseded", "opted_out"), ("send", "done", "")]
    assert world.people() == []


class Ticking:
    """A store beside which a rep opts the person out, between the plan and the action."""

    def __init__(self, port: Any, world: Acting) -> None:
        self._port = port
        self._world = world

    def __getattr__(self, name: str) -> Any:
        if name == "acting_sources":
            self._world.org.edit(self._world.lead(mail(1))["Id"], {"HasOptedOutOfEmail": True})
        return getattr(self._port, name)


def test_what_follows_an_action_in_doubt_waits_so_that_a_tag_never_overtakes_its_enrolment(make: Callable[..., Acting]) -> None:
    world = scanned(make(doing(ENROL, TAG, SEND)), 1)
    world.mailchimp.faults.add("error", method="PUT")
    world.run()
    assert world.states() == [("enrol", "unknown", ""), ("tag", "planned", ""), ("send", "done", "")]
    world.clock.advance(120)
    world.run()
    assert [state for _, state, _ in world.states()] == ["done"] * 3
    assert [one["name"] for one in (world.member(1) or {})["tags"]] == ["drip"]


def test_a_hot_lead_is_not_held_up_by_what_it_sets_off(make: Callable[..., Acting]) -> None:
    """The step that brings it plans the message, and asks no source; the next pass sends it."""
    world = make(doing(SEND, rule='id: hello\n    from: "Open - Not Contacted"'))
    world.write("mappings/webhook.yaml", WEB_MAPPING)
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text + SITE)
    world.run()
    deliver(world, "ada@example.com")
    with closing(world.open()) as house:
        house.take_over()
        run = house.hot_run(["site"], lambda source, seconds: None)
        while run.step(["site"]) or house.has_hot(["site"]):
            pass
        run.end()
    assert (world.lead("ada@example.com")["Status"], world.states()) == ("Open - Not Contacted", [("send", "planned", "")])
    assert world.receiver.calls == 0
    world.run()
    assert (world.receiver.calls, world.states()) == (1, [("send", "done", "")])


def deliver(world: Acting, email: str) -> None:
    """A form is sent to the site's hook, and stored."""
    body = json.dumps({"type": "lead.created", "data": {"email": email, "last_name": "Byron", "company": "Engines"}}).encode()
    now = world.clock.now()
    with closing(world.open()) as house:
        house.journal.put([Delivery("site", now, body, "msg_1", now, "application/json")])


def test_over_real_sockets_a_subscriber_is_tagged_and_sent_on_the_journey(make: Callable[..., Acting]) -> None:
    """The account behind a server on this machine, read and asked by the program's own HTTP."""
    world = make(doing(TAG, TRIGGER))
    with MailchimpServer(world.mailchimp) as server:
        text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
        world.write("syncd.yaml", text.replace("https://mailchimp.test", server.url))
        joined(world, 1)
        assert world.run().operations["acted"] == 2
        world.run()
        assert server.crashes == []
    assert (world.entries(1), [one["name"] for one in (world.member(1) or {})["tags"]]) == (1, ["drip"])
