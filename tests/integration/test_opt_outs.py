"""Opt-outs travel back by whole passes: to each list once, whoever made them, and never against somebody's newer word."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from syncd.app.desk import accept_review, reject_review
from syncd.errors import ConfigError
from syncd.model import RunStatus
from syncd.wiring import House
from tests.acting import ENROL, Acting, doing
from tests.newsletter import SHORT_MAPPING, mail
from tests.world import POLICY, World, row

WITH_EVIDENCE = SHORT_MAPPING.replace(
    "touch: {channel: email}", 'touch: {channel: email, consent: {from: [status, timestamp_opt], as: join, separator: "; "}}'
)


@pytest.fixture
def make(make_world: Callable[..., World]) -> Callable[..., Acting]:
    def made(policy: str = POLICY, **options: Any) -> Acting:
        world = make_world(Acting, policy=policy, **{"news_mapping": WITH_EVIDENCE, **options})
        assert isinstance(world, Acting)
        return world

    return made


@contextmanager
def house(world: Acting) -> Iterator[House]:
    with closing(world.open()) as opened:
        yield opened


def contact(world: Acting, number: int) -> str:
    """A person of ours is a customer already."""
    first, last = row(number)["first"], row(number)["last"]
    return world.org.create("Contact", {"LastName": last, "FirstName": first, "Email": mail(number)}, user="rep2")


def joined(world: Acting, *numbers: int, list_id: str = "L1") -> Acting:
    """These people subscribe, and are known."""
    for number in numbers:
        world.put(number, list_id=list_id)
    world.settle()
    world.run()
    return world


def opt_out(world: Acting, sf_id: str, *, user: str = "rep1", is_out: bool = True) -> None:
    """A rep ticks the box, or takes the tick away, a little later."""
    world.clock.advance(60)
    world.org.edit(sf_id, {"HasOptedOutOfEmail": is_out}, user=user)
    world.clock.advance(60)


def status(world: Acting, number: int, list_id: str = "L1") -> str:
    return next(str(one["status"]) for one in world.people(list_id) if one["email_address"] == mail(number))


def patches(world: Acting) -> int:
    """How often a member was written."""
    return sum(one.method == "PATCH" for one in world.mailchimp.calls)


def set_paused(world: Acting, *, is_paused: bool) -> None:
    with house(world) as opened:
        opened.set_paused(["newsletter"], is_paused=is_paused)


def test_a_rep_opts_a_contact_out_and_the_member_is_unsubscribed_once(make: Callable[..., Acting]) -> None:
    """Five passes: our own change coming back sets nothing off, and nothing goes to and fro."""
    world = make()
    sf_id = contact(world, 1)
    joined(world, 1)
    opt_out(world, sf_id)
    assert world.run().operations["acted"] == 1
    assert (status(world, 1), patches(world)) == ("unsubscribed", 1)
    (copy,) = world.actions()
    assert {(why.rule, why.locator) for why in copy.provenance.values()} == {("consent", f"Contact {sf_id}")}
    writes = len(world.org.audit)
    for _ in range(5):
        world.settle()
        assert world.run().status is RunStatus.OK
    assert (patches(world), len(world.actions()), len(world.org.audit)) == (1, 1, writes)
    with house(world) as opened:
        assert (opened.store.reviews(), opened.store.dead_letters(), opened.store.check()) == ([], [], [])


def test_an_opt_out_at_another_source_travels_without_a_record_in_the_org(make: Callable[..., Acting]) -> None:
    """The mapping of the newsletter only adds to people who are known, and nobody is: not in the org."""
    world = make(news_mapping=WITH_EVIDENCE.replace("create: always", "create: never"))
    joined(world, 1)
    world.drop([{"email": mail(1), "optout": "yes", "skip": "yes"}])
    world.run()
    assert (world.leads(), status(world, 1)) == ([], "unsubscribed")
    (copy,) = world.actions()
    assert {why.source for why in copy.provenance.values()} == {"booth"}


def test_our_own_copy_is_no_touch(make: Callable[..., Acting]) -> None:
    """A rule that revives on news of the newsletter does not see it."""
    world = make(doing("task: {subject: Read what they do}"))
    joined(world, 1)
    world.nurture(1)
    opt_out(world, world.lead(mail(1))["Id"])
    for _ in range(3):
        world.run()
        world.settle()
    assert (world.lead(mail(1))["Status"], status(world, 1)) == ("Nurture", "unsubscribed")


def test_a_lost_answer_is_looked_up_and_nothing_is_sent_twice(make: Callable[..., Acting]) -> None:
    world = joined(make(), 1)
    opt_out(world, world.lead(mail(1))["Id"])
    world.mailchimp.faults.add("cut_after", method="PATCH")
    assert world.run().status is RunStatus.OK
    assert (world.states(), patches(world)) == ([("opt_out", "done", "")], 1)
    opt_out(world, joined(world, 2).lead(mail(2))["Id"])
    world.mailchimp.faults.add("error", method="PATCH")
    world.run()
    assert world.states()[-1] == ("opt_out", "unknown", ""), "the vendor may be at it"
    world.clock.advance(120)
    world.run()
    assert (world.states()[-1], status(world, 2)) == (("opt_out", "done", ""), "unsubscribed")


def test_a_paused_source_waits_and_takes_nothing_that_was_taken_back(make: Callable[..., Acting]) -> None:
    world = joined(make(), 1, 2)
    set_paused(world, is_paused=True)
    for number in (1, 2):
        opt_out(world, world.lead(mail(number))["Id"])
    assert world.run().status is RunStatus.OK
    assert world.states() == [("opt_out", "planned", "")] * 2
    world.org.edit(world.lead(mail(2))["Id"], {"HasOptedOutOfEmail": False})
    set_paused(world, is_paused=False)
    world.run()
    assert [status(world, number) for number in (1, 2)] == ["unsubscribed", "subscribed"]
    assert sorted(world.states()) == [("opt_out", "done", ""), ("opt_out", "superseded", "not_needed")]


def test_a_sandbox_org_asks_no_source_until_the_configuration_says_so(make: Callable[..., Acting]) -> None:
    world = make()
    world.org.set_up("Organization", Id=world.org.org_id, IsSandbox=True)
    joined(world, 1)
    opt_out(world, world.lead(mail(1))["Id"])
    assert world.run().notes["sandbox_org"] == 1
    assert (world.actions(), status(world, 1)) == ([], "subscribed")
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text.replace("version: 1\n", "version: 1\nallow_source_writes_from_sandbox: true\n", 1))
    world.run()
    assert status(world, 1) == "unsubscribed"


def test_a_list_is_its_records_lists_and_global_is_the_whole_account(make: Callable[..., Acting]) -> None:
    """The source reads the first audience only; the person is in both."""
    for scope, wanted in (("list", "subscribed"), ("global", "unsubscribed")):
        folder = {"audiences": ("L1", "L2"), "options": f"audiences: [L1], opt_outs: {scope}"}
        world = make(**folder)
        world.put(1, list_id="L2")
        joined(world, 1)
        opt_out(world, world.lead(mail(1))["Id"])
        for _ in range(3):
            world.run()
            world.settle()
        assert (status(world, 1), status(world, 1, "L2"), len(world.actions())) == ("unsubscribed", wanted, 1)


def test_where_opt_outs_are_none_nothing_travels_until_somebody_lets_it(make: Callable[..., Acting]) -> None:
    world = joined(make(options="opt_outs: none"), 1)
    opt_out(world, world.lead(mail(1))["Id"])
    for _ in range(2):
        world.run()
    assert (world.actions(), status(world, 1)) == ([], "subscribed")
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text.replace("opt_outs: none", "opt_outs: list"))
    world.run()
    assert status(world, 1) == "unsubscribed", "nobody has touched the lead since"


def test_who_opts_in_again_explicitly_stays_in_until_the_next_withdrawal(make: Callable[..., Acting]) -> None:
    world = joined(make(), 1)
    sf_id = world.lead(mail(1))["Id"]
    opt_out(world, sf_id)
    world.run()
    world.clock.advance(3_600)
    world.put(1, timestamp_opt=world.clock.now())
    world.settle()
    assert world.run().notes["opted_in_again"] == 1
    for _ in range(3):
        world.org.edit(sf_id, {"Title": f"Dr. {world.clock.now():%H%M%S}"})
        world.settle()
        world.run()
    assert (status(world, 1), patches(world), world.lead(mail(1))["HasOptedOutOfEmail"]) == ("subscribed", 1, True)
    opt_out(world, sf_id, is_out=False)
    world.run()
    opt_out(world, sf_id)
    world.run()
    assert (status(world, 1), patches(world)) == ("unsubscribed", 2)


def test_who_comes_back_without_a_word_is_left_alone_by_the_same_withdrawal(make: Callable[..., Acting]) -> None:
    """Somebody has imported the member as subscribed: once for each record and withdrawal."""
    world = joined(make(), 1)
    opt_out(world, world.lead(mail(1))["Id"])
    world.run()
    world.settle()
    world.run()
    world.put(1)
    for _ in range(3):
        world.settle()
        world.run()
    assert (patches(world), world.lead(mail(1))["HasOptedOutOfEmail"]) == (1, True)


def test_the_first_pass_over_an_old_org_is_shown_by_the_plan_and_stopped_by_the_guard(make: Callable[..., Acting]) -> None:
    """A version that copies nothing has run for years: thirty of forty people have opted out."""
    world = joined(make(options="opt_outs: none"), *range(40))
    for number in range(30):
        world.org.edit(world.lead(mail(number))["Id"], {"HasOptedOutOfEmail": True})
        world.clock.advance(600)
    world.run()
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text.replace(", opt_outs: none", ""))
    planned = [one for one in world.plan() if one.object == "source:newsletter"]
    assert (len(planned), {one.fields["action"] for one in planned}) == (30, {"opt_out"})
    assert [world.run().status for _ in range(2)] == [RunStatus.STOPPED] * 2
    assert patches(world) == 0
    assert world.run(force=True).operations["acted"] == 30
    assert [world.run().status for _ in range(2)] == [RunStatus.OK] * 2
    assert (patches(world), len(world.people("L1", "unsubscribed"))) == (30, 30)


def command(world: Acting, *words: str) -> str:
    """What the real program says."""
    done = subprocess.run(
        [sys.executable, "-m", "syncd", *words], cwd=world.folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def stormed(world: Acting, *numbers: int) -> Acting:
    """A user opts them all out within a minute; the limit is three."""
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    if "guard:" not in text:
        world.write("syncd.yaml", text.replace("version: 1\n", "version: 1\nguard: {max_opt_outs_per_user_per_hour: 3}\n", 1))
    world.clock.advance(60)
    for number in numbers:
        world.org.edit(world.lead(mail(number))["Id"], {"HasOptedOutOfEmail": True})
        world.clock.advance(1)
    return world


def test_a_storm_waits_for_a_person_and_enrols_nobody_meanwhile(
    make: Callable[..., Acting], capsys: pytest.CaptureFixture[str]
) -> None:
    world = joined(make(doing(ENROL)), *range(6))
    stormed(world, *range(4))
    world.nurture(*range(4))
    for _ in range(3):
        summary = world.run()
    assert (summary.status, world.actions()) == (RunStatus.OK, [])
    assert (world.people("L1", "unsubscribed"), patches(world)) == ([], 0)
    with house(world) as opened:
        (review,) = opened.store.reviews()
        assert (review.kind, review.key, opened.store.held_opt_outs(review.key)) == ("opt_out_storm", world.org.users["rep1"], 4)
        with pytest.raises(ConfigError, match="not about who"):
            accept_review(opened.store, review.review_id, None, is_new=True, at=world.clock.now())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"opt_outs_held"' in line]
    assert [(one["count"], one["sf_id"]) for one in lines] == [(4, review.key)], "said once"
    # Another rep's, and what was made at another time, goes.
    opt_out(world, world.lead(mail(4))["Id"], user="rep2")
    world.clock.advance(7_200)
    opt_out(world, world.lead(mail(5))["Id"])
    world.run()
    assert [status(world, number) for number in range(6)] == ["subscribed"] * 4 + ["unsubscribed"] * 2
    with house(world) as opened:
        accept_review(opened.store, review.review_id, None, is_new=False, at=world.clock.now())
    world.run()
    assert {status(world, number) for number in range(6)} == {"unsubscribed"}
    world.run()
    assert (patches(world), len(world.actions())) == (6, 6)


def test_a_rejected_storm_never_goes_and_leaves_the_org_as_it_is(make: Callable[..., Acting]) -> None:
    world = joined(make(), *range(5))
    stormed(world, *range(4))
    world.run()
    with house(world) as opened:
        (review,) = opened.store.reviews()
        reject_review(opened.store, review.review_id, world.clock.now())
    assert world.run().notes["opt_out_not_copied"] == 4
    for _ in range(3):
        world.settle()
        world.run()
    assert (patches(world), len(world.leads(HasOptedOutOfEmail=True)), world.actions()) == (0, 4, [])
    # Whoever is opted out once more, later and alone, is a new case.
    world.clock.advance(7_200)
    opt_out(world, world.lead(mail(1))["Id"], is_out=False)
    world.run()
    opt_out(world, world.lead(mail(1))["Id"])
    world.run()
    assert [status(world, number) for number in range(3)] == ["subscribed", "unsubscribed", "subscribed"]


def test_a_storm_that_grows_is_one_question_and_what_waits_at_a_paused_source_waits_on(make: Callable[..., Acting]) -> None:
    """Three were calm when they were planned; the fourth makes a storm of all."""
    world = joined(make(), *range(6))
    set_paused(world, is_paused=True)
    stormed(world, 0, 1, 2)
    world.run()
    assert world.states() == [("opt_out", "planned", "")] * 3
    stormed(world, 3)
    world.run()
    stormed(world, 4)
    set_paused(world, is_paused=False)
    world.run()
    assert patches(world) == 0
    with house(world) as opened:
        (review,) = opened.store.reviews()
    shown = command(world, "review", "show", review.review_id)
    assert "Opt-outs that wait: 5" in shown
    assert f"review accept {review.review_id}" in shown.replace("\n", " ")
    command(world, "review", "accept", review.review_id)
    world.run()
    assert [status(world, number) for number in range(6)] == ["unsubscribed"] * 5 + ["subscribed"]
    assert patches(world) == 5


def test_a_second_word_of_the_person_travels_though_the_storm_is_rejected(make: Callable[..., Acting]) -> None:
    """The box was ticked in a storm, and the person has said no at the booth as well."""
    world = joined(make(), *range(4))
    stormed(world, *range(4))
    world.run()
    world.drop([row(1, optout="yes")])
    world.run()
    assert [status(world, number) for number in range(4)] == ["subscribed", "unsubscribed", "subscribed", "subscribed"]


def test_people_who_are_merged_are_opted_out_once(make: Callable[..., Acting]) -> None:
    world = joined(make(), 1)
    opt_out(world, world.lead(mail(1))["Id"])
    world.run()
    world.drop([row(2)])
    world.run()
    with house(world) as opened:
        views = {view.records[0].ref.source: view.person_id for view, _ in opened.store.export_persons()}
        with opened.store.db.write() as connection:  # type: ignore[attr-defined]
            opened.store._merge_people(connection, views["newsletter"], views["booth"], world.clock.now())  # type: ignore[attr-defined]
    for _ in range(3):
        world.settle()
        world.run()
    assert (patches(world), len(world.actions())) == (1, 1)


def test_an_action_that_states_no_audience_of_the_source_is_refused_by_its_line(make: Callable[..., Acting]) -> None:
    """`scope: account` is a word of a policy as well."""
    world = make(
        doing("opt_out: {source: newsletter, scope: everything}", "opt_out: {source: newsletter, scope: account, audience: L1}")
    )
    with pytest.raises(ConfigError) as refused:
        world.run()
    assert [one.message.partition(": ")[2] for one in refused.value.problems] == [
        'scope "everything" of "opt_out": it is account, for every audience of the account, or left out.',
        '"opt_out" at Mailchimp takes audience or scope, not both.',
    ]
