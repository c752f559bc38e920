"""Opt-outs travel back by whole passes: to each list once, whoever made them, and never against somebody's newer word."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from syncd.app.desk import accept_review, reject_review
from syncd.errors import ConfigError
from syncd.model import OperationState, RunStatus
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.activecampaign import ACTIVECAMPAIGN_KEY, SandboxActiveCampaign
from syncd.wiring import House
from tests.acting import ENROL, Acting, doing
from tests.crash.machine import Reaper
from tests.integration.test_races import Meanwhile
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


def contact(world: Acting, number: int, **fields: Any) -> str:
    """A person of ours is a customer already."""
    first, last = row(number)["first"], row(number)["last"]
    return world.org.create("Contact", {"LastName": last, "FirstName": first, "Email": mail(number), **fields}, user="rep2")


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


def test_a_source_that_begins_to_take_them_is_told_of_people_who_are_not_in_the_org(make: Callable[..., Acting]) -> None:
    """Nothing of theirs is counted or changed on that day: the opted out are looked at because a source has begun."""
    world = make(news_mapping=WITH_EVIDENCE.replace("create: always", "create: never"), options="opt_outs: none")
    joined(world, 1)
    world.drop([{"email": mail(1), "optout": "yes", "skip": "yes"}])
    world.run()
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text.replace("opt_outs: none", "opt_outs: list"))
    world.run()
    assert (world.leads(), status(world, 1)) == ([], "unsubscribed")


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


def limit_to_three(world: Acting) -> None:
    """More than three by one user in an hour are a storm."""
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    if "guard:" not in text:
        world.write("syncd.yaml", text.replace("version: 1\n", "version: 1\nguard: {max_opt_outs_per_user_per_hour: 3}\n", 1))


def stormed(world: Acting, *numbers: int) -> Acting:
    """A user opts them all out within a minute; the limit is three."""
    limit_to_three(world)
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
        for _ in range(2):  # whoever is not sure that it was heard says it again
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


@pytest.mark.parametrize("is_let", [True, False])
def test_what_was_ticked_before_syncd_first_looked_waits_for_a_person_when_it_is_much(
    make: Callable[..., Acting], is_let: bool
) -> None:
    """Years apart and by several users: no storm of anybody, and not more than the guard lets pass."""
    world = make()
    limit_to_three(world)
    for number in range(30):
        world.put(number)
    for number in range(4):
        world.clock.advance(3 * 86_400)
        world.org.edit(contact(world, number), {"HasOptedOutOfEmail": True}, user=f"rep{number % 2 + 1}")
    for _ in range(3):
        world.settle()
        assert world.run().status is RunStatus.OK
    assert (patches(world), world.actions()) == (0, [])
    with house(world) as opened:
        (review,) = opened.store.reviews()
        assert (review.kind, opened.store.held_opt_outs(review.key)) == ("opt_out_storm", 4)
        assert "before syncd first looked" in review.reason
    # What happens from now on is no business of that question.
    opt_out(world, world.lead(mail(7))["Id"])
    world.run()
    assert [status(world, number) for number in (0, 1, 2, 3, 7)] == ["subscribed"] * 4 + ["unsubscribed"]
    command(world, "review", "accept" if is_let else "reject", review.review_id)
    for _ in range(3):
        world.settle()
        world.run()
    wanted = "unsubscribed" if is_let else "subscribed"
    assert ([status(world, number) for number in range(4)], patches(world)) == ([wanted] * 4, 5 if is_let else 1)


def test_a_few_that_were_ticked_before_go_at_once(make: Callable[..., Acting]) -> None:
    world = make()
    limit_to_three(world)
    for number in range(8):
        world.put(number)
    world.clock.advance(60)
    world.org.edit(contact(world, 1), {"HasOptedOutOfEmail": True})
    for _ in range(2):
        world.settle()
        world.run()
    assert (patches(world), status(world, 1)) == (1, "unsubscribed")


def test_where_no_source_takes_opt_outs_nobody_is_asked_until_one_does(make: Callable[..., Acting]) -> None:
    world = joined(make(options="opt_outs: none"), *range(4))
    stormed(world, *range(4))
    world.run()
    with house(world) as opened:
        assert opened.store.reviews() == []
    text = (world.folder / "syncd.yaml").read_text(encoding="utf-8")
    world.write("syncd.yaml", text.replace("opt_outs: none", "opt_outs: list"))
    world.run()
    with house(world) as opened:
        assert [one.kind for one in opened.store.reviews()] == ["opt_out_storm"]
    assert patches(world) == 0


def test_contacts_that_a_load_brings_with_the_box_ticked_are_a_storm_too(make: Callable[..., Acting]) -> None:
    world = joined(make(news_mapping=SHORT_MAPPING.replace("create: always", "create: never")), 9)
    limit_to_three(world)
    for number in range(4):
        world.put(number)
    world.clock.advance(60)
    for number in range(4):
        contact(world, number, HasOptedOutOfEmail=True)
    for _ in range(3):
        world.settle()
        world.run()
    assert (patches(world), world.people("L1", "unsubscribed")) == (0, [])
    with house(world) as opened:
        (review,) = opened.store.reviews()
        accept_review(opened.store, review.review_id, None, is_new=False, at=world.clock.now())
    world.run()
    assert patches(world) == 4


def test_what_a_source_says_goes_round_once(make: Callable[..., Acting]) -> None:
    """The booth says no, syncd ticks the box and unsubscribes the member, and both come back: nothing more is said of it."""
    world = joined(make(), 1)
    world.drop([row(1, optout="yes")])
    world.run()
    lead = world.lead(mail(1))
    assert (lead["HasOptedOutOfEmail"], lead["LastModifiedById"], status(world, 1)) == (
        True,
        world.org.integration_user_id,
        "unsubscribed",
    )
    writes = len(world.org.audit)
    for _ in range(4):
        world.settle()
        world.run()
    assert (patches(world), len(world.actions()), len(world.org.audit)) == (1, 1, writes)


def test_a_person_in_two_audiences_is_unsubscribed_from_each_once_though_one_fails(make: Callable[..., Acting]) -> None:
    world = make(audiences=("L1", "L2"), options="audiences: [L1, L2]")
    world.put(1, list_id="L2")
    joined(world, 1)
    opt_out(world, world.lead(mail(1))["Id"])
    world.mailchimp.faults.add("throttled", "/lists/L1/members/", method="PATCH", times=20)
    for _ in range(3):
        world.run()
        world.settle()
    world.mailchimp.faults.clear()
    world.clock.advance(7_200)
    for _ in range(3):
        world.run()
        world.settle()
    assert [status(world, 1, name) for name in ("L1", "L2")] == ["unsubscribed"] * 2
    done = [(one.fields["option.audience"], one.code) for one in world.actions() if one.state is OperationState.DONE]
    assert sorted(done) == [("L1", ""), ("L2", "")]


# ---------------------------------------------------------------- ActiveCampaign

CONTACTS = """\
version: 1
stream: contacts
create: always
lead:
  Email:      {from: email, as: email}
  LastName:   {from: lastName, as: name, default: "[not provided]"}
  Company:    {value: "[not provided]"}
  HasOptedOutOfEmail: {from: "lists[status=2].status", translate: {"2": true}, unknown: no_value}
touch: {channel: email, at: udate}
overwrite: if_unchanged
"""


@dataclass
class Campaigns(Acting):
    """With an ActiveCampaign account besides; `account_options` are more keys of its source."""

    account_options: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.campaigns = SandboxActiveCampaign(clock=self.clock)
        self.campaigns.per_second = 0.0
        self.write("mappings/activecampaign.yaml", CONTACTS)
        text = (self.folder / "syncd.yaml").read_text(encoding="utf-8")
        source = f'  campaigns: {{type: activecampaign, api_key: "{ACTIVECAMPAIGN_KEY}", base_url: "https://ac.test", mapping: activecampaign{self.account_options}}}\n'
        self.write("syncd.yaml", text + source)

    def source_sessions(self) -> Callable[[], Any]:
        made = super().source_sessions()

        def sessions() -> Any:
            session = made()
            session.mount("https://ac.test", SandboxAdapter(self.campaigns))
            return session

        return sessions

    def lists(self, number: int) -> dict[str, str]:
        """Status of each list that a person is on."""
        found = self.campaigns.find(mail(number))
        return {} if found is None else {key: one["status"] for key, one in found.lists.items()}

    def joins(self) -> int:
        """How often a membership was written."""
        return sum(one.method == "POST" and one.path.endswith("/contactLists") for one in self.campaigns.calls)

    def sign_up(self, number: int, *lists: str) -> None:
        who = self.campaigns.put(mail(number), lastName=row(number)["last"])
        for one in lists:
            self.campaigns.set_list(who, one, "1")


@pytest.fixture
def campaigns(make_world: Callable[..., World]) -> Callable[..., Campaigns]:
    def made(**options: Any) -> Campaigns:
        world = make_world(Campaigns, policy=POLICY, news_mapping=WITH_EVIDENCE, **options)
        assert isinstance(world, Campaigns)
        return world

    return made


def passes(world: Campaigns, count: int = 3) -> None:
    for _ in range(count):
        world.settle()
        world.run()


def test_a_rep_opts_out_and_a_contact_is_taken_off_each_list_once(campaigns: Callable[..., Campaigns]) -> None:
    world = campaigns()
    world.sign_up(1, "1", "2")
    joined(world, 1)
    opt_out(world, world.lead(mail(1))["Id"])
    passes(world, 5)
    assert (world.lists(1), world.joins(), status(world, 1), patches(world)) == ({"1": "2", "2": "2"}, 2, "unsubscribed", 1)
    assert world.states() == [("opt_out", "done", "")] * 3
    with house(world) as opened:
        assert (opened.store.reviews(), opened.store.dead_letters(), opened.store.check()) == ([], [], [])


def test_one_list_first_and_the_other_once_the_vendor_answers_again(campaigns: Callable[..., Campaigns]) -> None:
    """Between the two the contact comes back as one that has left a list: that must not make the other one seem done."""
    world = campaigns()
    world.sign_up(1, "1", "2")
    world.settle()
    world.run()
    opt_out(world, world.lead(mail(1))["Id"])
    world.campaigns.faults.add("throttled", "/contactLists$", method="POST", times=40, skip=1)
    passes(world)
    assert sorted(world.lists(1).values()) == ["1", "2"]
    world.campaigns.faults.clear()
    world.clock.advance(7_200)
    passes(world)
    assert (world.lists(1), world.joins() >= 2) == ({"1": "2", "2": "2"}, True)


@pytest.mark.parametrize(("scope", "others"), [("list", "1"), ("global", "2")])
def test_the_scope_of_activecampaign(campaigns: Callable[..., Campaigns], scope: str, others: str) -> None:
    world = campaigns(account_options=f", audiences: [list-1], opt_outs: {scope}")
    world.sign_up(1, "1", "2")
    world.settle()
    world.run()
    opt_out(world, world.lead(mail(1))["Id"])
    passes(world)
    assert world.lists(1) == {"1": "2", "2": others}


def test_who_leaves_a_list_of_one_vendor_leaves_the_other_vendors(campaigns: Callable[..., Campaigns]) -> None:
    """And never the way back: a list that somebody joins afterwards is theirs to join."""
    world = campaigns()
    world.sign_up(1, "1")
    joined(world, 1)
    world.clock.advance(60)
    world.mailchimp.unsubscribe("L1", mail(1))
    passes(world)
    assert (world.lists(1), world.lead(mail(1))["HasOptedOutOfEmail"]) == ({"1": "2"}, True)
    world.clock.advance(86_400)
    world.sign_up(1, "2")
    passes(world)
    assert (world.lists(1), world.joins()) == ({"1": "2", "2": "1"}, 1)


def test_whoever_opted_out_where_they_come_from_is_planned_once(make: Callable[..., Acting]) -> None:
    """There is no mail to end, and what syncd writes to the org itself is no storm: a first fill of many costs them no second look."""
    world = make()
    for number in range(1, 4):
        world.put(number, status="unsubscribed")
    world.put(4)
    world.settle()
    reaper = Reaper()
    assert world.run(wrap=reaper.wrap).operations["created"] == 4
    assert not reaper.passed["before:store.payloads"]
    assert not reaper.passed["before:store.commit_plans"]
    assert not reaper.passed["before:store.judge_opt_outs"]
    with house(world) as opened:
        assert opened.store.dirty_persons(10) == []
    assert [lead["HasOptedOutOfEmail"] for lead in world.leads()].count(True) == 3


def test_people_who_opted_out_before_they_came_are_asked_about_at_once(make: Callable[..., Acting]) -> None:
    """A file and the newsletter bring somebody in the same batch: the one opts out, the other still mails."""
    world = make()
    world.put(1)
    world.drop([{**row(1), "optout": "yes"}])
    world.settle()
    assert world.run().operations["acted"] == 1
    assert status(world, 1) == "unsubscribed"
    assert world.run().status is RunStatus.OK
    assert (patches(world), len(world.actions())) == (1, 1)


def test_a_rep_who_ticks_the_box_before_we_have_read_our_write_back_is_counted(make: Callable[..., Acting]) -> None:
    """What the echo shows is syncd's own only if nobody has touched the record since."""
    world = make()
    world.put(1)
    world.settle()
    rep = Meanwhile("org", "retrieve", lambda: opt_out(world, world.lead(mail(1))["Id"]), before=True)
    world.run(wrap=rep.wrap)
    assert rep.happened
    reaper = Reaper()
    world.run(wrap=reaper.wrap)
    assert reaper.passed["before:store.judge_opt_outs"] == 1
    assert status(world, 1) == "unsubscribed"
