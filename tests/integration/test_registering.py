"""Registrations for a webinar by whole passes: of nobody but who asked for it, once, and our own coming back is no touch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.http import make_session
from syncd.model import PersonView, RunStatus
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.zoom import WEBINAR, ZOOM_ACCOUNT, ZOOM_CLIENT, ZOOM_CLIENT_SECRET, SandboxZoom
from tests.acting import doing
from tests.newsletter import mail
from tests.world import BOOTH, MAPPING, World, row

ZOOM = f"""\
  webinars:
    {{type: zoom, account_id: {ZOOM_ACCOUNT}, client_id: {ZOOM_CLIENT}, client_secret: "{ZOOM_CLIENT_SECRET}", mapping: zoom,
     base_url: "https://zoom.test/v2", token_url: "https://zoom.test/oauth/token"}}
"""
ZOOM_MAPPING = (Path(__file__).parents[2] / "mappings" / "zoom.yaml").read_text(encoding="utf-8").partition("tests:")[0]
REGISTER = f'register: {{source: webinars, webinar: "{WEBINAR}", fields: {{first_name: lead.FirstName, org: lead.Company, "What do you do?": lead.Title}}}}'
REVIVING = "on: [event, email]"
STANDARDS_OF_REGISTRATIONS = doing(REGISTER).replace(REVIVING, "on: [registration, webinar]")
ASKED = {"street": f"webinar {WEBINAR}"}
EVIDENCE = "touch: {channel: event, consent: {from: street}}"


@dataclass
class Webinars(World):
    """A booth whose scanner keeps what people say, and a Zoom account with a webinar in a week."""

    policy: str = STANDARDS_OF_REGISTRATIONS
    mapping: str = MAPPING.replace("touch: {channel: event}", EVIDENCE)
    sources: str = BOOTH + ZOOM

    def __post_init__(self) -> None:
        """Open everything."""
        super().__post_init__()
        self.write("mappings/zoom.yaml", ZOOM_MAPPING)
        self.zoom = SandboxZoom(clock=self.clock)
        self.zoom.add_webinar(WEBINAR, "Pumps", self.clock.now() + timedelta(days=30))
        for name in ("Nurture", "Parked"):
            self.org.admin.add_status(name)

    def source_sessions(self) -> Callable[[], Any]:
        """The way to Zoom."""

        def sessions() -> Any:
            session = make_session()
            session.mount("https://", SandboxAdapter(self.zoom))
            return session

        return sessions

    def scanned(self, *people: dict[str, str]) -> None:
        """These were scanned at the booth; a rep moves them to Nurture a little later."""
        self.drop(people)
        self.run()
        self.nurture(*(one["email"] for one in people))

    def nurture(self, *emails: str) -> None:
        """A rep moves leads to Nurture."""
        self.clock.advance(60)
        for email in emails:
            self.org.edit(self.lead(email)["Id"], {"Status": "Nurture"})
        self.clock.advance(60)

    def registered(self) -> list[tuple[str, str]]:
        """Address and status of everybody in Zoom's lists."""
        return [(one["email"], one["status"]) for one in self.zoom.webinars[WEBINAR].registrants]

    def posts(self) -> int:
        """How many registrations Zoom was sent."""
        return sum(len(one) for one in self.zoom.sent.values())

    def view(self, email: str) -> PersonView:
        """The person with this address in the org."""
        wanted = self.lead(email)["Id"]
        with closing(self.open()) as house:
            return next(view for view, _ in house.store.export_persons() if wanted in {one.row.sf_id for one in view.org_records})

    def states(self, email: str) -> list[tuple[str, str]]:
        """State and code of each action of a person."""
        return [(str(one.state), one.code) for one in self.view(email).actions]


@pytest.fixture
def make(make_world: Callable[..., World]) -> Callable[..., Webinars]:
    def made(**options: Any) -> Webinars:
        world = make_world(Webinars, **options)
        assert isinstance(world, Webinars)
        return world

    return made


def test_who_asked_is_registered_once_and_our_own_registration_is_no_touch(make: Callable[..., Webinars]) -> None:
    """The rule revives on a registration: ours is none, also when it is read from Zoom; what syncd knows goes along."""
    world = make()
    world.scanned(row(1, title="Engineer", **ASKED))
    assert world.run().status is RunStatus.OK
    (one,) = world.zoom.webinars[WEBINAR].registrants
    assert {name: one[name] for name in ("email", "first_name", "org", "status")} == {
        "email": mail(1),
        "first_name": "Firstb",
        "org": "Company 1",
        "status": "approved",
    }
    assert one["custom_questions"] == [{"title": "What do you do?", "value": "Engineer"}]
    assert world.states(mail(1)) == [("done", "")]
    for _ in range(10):
        world.clock.advance(86_400)
        assert world.run().status is RunStatus.OK
        assert world.lead(mail(1))["Status"] == "Nurture"
    assert {one.ref.source for one in world.view(mail(1)).records} == {"booth", "webinars"}
    assert (world.registered(), world.posts()) == ([(mail(1), "approved")], 1)


def test_who_registers_by_themself_is_a_touch(make: Callable[..., Webinars]) -> None:
    world = make()
    world.scanned(row(1))
    world.run()
    world.clock.advance(8 * 86_400)
    world.zoom.register(WEBINAR, mail(1))
    world.clock.advance(600)
    world.run()
    assert world.lead(mail(1))["Status"] == "Open - Not Contacted"
    assert world.posts() == 0


@pytest.mark.parametrize(
    "said",
    [
        "",
        "please write to me",
        "webinar 987654321012",
        f"webinar {WEBINAR}; no",
        "webinar of pumps",
    ],
)
def test_without_proof_nobody_is_registered_and_the_reason_is_told(make: Callable[..., Webinars], said: str) -> None:
    world = make()
    world.scanned(row(1, street=said))
    summary = world.run()
    assert (summary.status, summary.notes["no_proof"]) == (RunStatus.OK, 1)
    assert world.view(mail(1)).notes["action:drip"] == "no_proof"
    assert (world.registered(), world.states(mail(1)), world.posts()) == ([], [], 0)


def test_proof_that_comes_later_counts(make: Callable[..., Webinars]) -> None:
    world = make()
    world.scanned(row(1))
    world.run()
    assert world.posts() == 0
    world.drop([row(1, **ASKED)])
    world.run()
    world.run()
    assert world.registered() == [(mail(1), "approved")]


def test_the_words_that_count_may_be_the_rules_own(make: Callable[..., Webinars]) -> None:
    world = make(policy=doing(REGISTER.replace(f'"{WEBINAR}"', WEBINAR).replace("fields:", "asked: pumps-form, fields:")))
    world.scanned(row(1, street="pumps-form"), row(2, **ASKED))
    world.run()
    assert world.registered() == [(mail(1), "approved")]


def test_an_address_that_did_not_ask_is_not_registered(make: Callable[..., Webinars]) -> None:
    """They asked with one address, and a rep has put another one into the lead."""
    world = make()
    world.drop([row(1, **ASKED)])
    world.run()
    world.clock.advance(60)
    world.org.edit(world.lead(mail(1))["Id"], {"Email": "work@example.com"})
    world.nurture("work@example.com")
    world.run()
    assert (world.registered(), world.view("work@example.com").notes["action:drip"]) == ([], "no_proof")


def test_who_has_opted_out_is_not_registered(make: Callable[..., Webinars]) -> None:
    world = make()
    world.scanned(row(1, optout="yes", **ASKED))
    world.run()
    assert (world.registered(), world.posts()) == ([], 0)


@pytest.mark.parametrize("status", ["cancelled", "denied"])
def test_who_was_registered_and_is_no_longer_is_never_registered_again(make: Callable[..., Webinars], status: str) -> None:
    """By syncd or by themself; on entering Nurture once more, too."""
    world = make()
    who = world.zoom.register(WEBINAR, mail(2))
    world.clock.advance(600)
    world.scanned(row(1, **ASKED), row(2, **ASKED))
    world.run()
    assert world.view(mail(2)).notes["action:drip"] == "known_there"
    (ours,) = [one["id"] for one in world.zoom.webinars[WEBINAR].registrants if one["email"] == mail(1)]
    for one in (who, ours):
        world.zoom.set_status(WEBINAR, one, status)
    for there in ("Open - Not Contacted", "Nurture"):
        for email in (mail(1), mail(2)):
            world.clock.advance(86_400)
            world.org.edit(world.lead(email)["Id"], {"Status": there})
        world.clock.advance(60)
        world.run()
        world.run()
    assert world.posts() == 1
    assert sorted(world.registered()) == [(mail(1), status), (mail(2), status)]
    assert world.view(mail(1)).notes["action:drip"] == "registered_before"


def test_a_registration_whose_answer_is_lost_is_seen_in_the_list(make: Callable[..., Webinars]) -> None:
    world = make()
    world.scanned(row(1, **ASKED))
    world.zoom.faults.add("cut_after", "/registrants$", method="POST")
    world.run()
    assert (world.states(mail(1)), world.posts()) == ([("done", "")], 1)


def test_a_registration_that_nobody_sees_goes_to_review_and_is_never_sent_again(make: Callable[..., Webinars]) -> None:
    world = make()
    world.scanned(row(1, **ASKED))
    world.zoom.faults.add("cut_before", "/registrants$", method="POST")
    world.run()
    assert world.states(mail(1)) == [("unknown", "")]
    world.clock.advance(600)
    world.run()
    assert world.states(mail(1)) == [("refused", "outcome_unknown")]
    for there in ("Open - Not Contacted", "Nurture"):
        world.clock.advance(86_400)
        world.org.edit(world.lead(mail(1))["Id"], {"Status": there})
        world.clock.advance(60)
        world.run()
    assert world.posts() == 0
    with closing(world.open()) as house:
        (review,) = house.store.reviews()
    assert review.kind == "action_unknown"


def test_proof_that_is_gone_when_zoom_is_asked_counts(make: Callable[..., Webinars]) -> None:
    """While the source was paused they took it back at the booth."""
    world = make()
    with closing(world.open()) as house:
        house.set_paused(["webinars"], is_paused=True)
    world.scanned(row(1, **ASKED))
    world.run()
    assert world.states(mail(1)) == [("planned", "")]
    world.drop([row(1, street=f"webinar {WEBINAR}; no")])
    with closing(world.open()) as house:
        house.set_paused(["webinars"], is_paused=False)
    world.run()
    assert (world.states(mail(1)), world.posts()) == ([("superseded", "no_proof")], 0)


def test_the_policy_is_refused_where_a_source_cannot_register(make: Callable[..., Webinars]) -> None:
    actions = ("register: {source: booth, webinar: 1}", "enrol: {source: webinars}", "register: {source: webinars, webinars: x}")
    world = make(policy=doing(*actions))
    with pytest.raises(ConfigError) as refused:
        world.run()
    assert [one.message.partition(": ")[2] for one in refused.value.problems] == [
        'the source "booth" (csv_drop) takes no actions.',
        'Zoom cannot "enrol". It can: register.',
        '"webinars" is no option of "register" at Zoom. Did you mean "webinar"?',
        '"register" at Zoom needs webinar: the number of the webinar.',
    ]
