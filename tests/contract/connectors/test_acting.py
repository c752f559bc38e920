"""What every acting connector must do (syncd.connector.ActingConnector): done once or told, never twice, nothing given away."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from syncd.connector import (
    NOT_CARRIED_OUT,
    ActingConnector,
    ActionOutcome,
    ActionState,
    OptOutConnector,
    OptOuts,
    SourceAction,
)
from syncd.errors import AuthError, RateLimitedError, SourceUnavailableError, SyncdError
from syncd.http.caller import ATTEMPTS
from syncd.wiring import known_connectors
from tests.contract.connectors.acting import EMAIL, LINK, ActingCase
from tests.contract.connectors.telling import ACTING_CASES

ACTIONS = [(name, one) for name, make in ACTING_CASES.items() for one in make().actions]
WRITES = [
    *((*one, 0) for one in ACTIONS),
    ("mailchimp", "trigger", 1),
    ("activecampaign", "enrol", 1),
    ("activecampaign", "trigger", 1),
]
"""Connector, action, and which of its writes is struck."""
PREPARING = {("mailchimp", "trigger", 0), ("activecampaign", "enrol", 0), ("activecampaign", "trigger", 0)}
"""Writes that come before the action itself, and may be repeated."""
ONCE = {("mailchimp", "trigger"), ("activecampaign", "trigger"), ("zoom", "register"), ("meta", "won"), ("linkedin", "won")}
"""Actions of which nobody can say that they were not carried out."""
HASH = hashlib.md5(EMAIL.encode(), usedforsecurity=False).hexdigest()
SETTLED = (ActionState.DONE, ActionState.UNCHANGED)


@pytest.fixture(params=sorted(ACTING_CASES))
def case(request: pytest.FixtureRequest) -> ActingCase:
    """Each acting connector."""
    make: Callable[[], ActingCase] = ACTING_CASES[request.param]
    return make()


def act(case: ActingCase, one: SourceAction) -> ActionOutcome:
    return case.connector.act(case.session, case.connector.Options(**case.options), one)


def look_up(case: ActingCase, one: SourceAction) -> ActionOutcome:
    return case.connector.look_up(case.session, case.connector.Options(**case.options), one)


def may_repeat(case: ActingCase, outcome: ActionOutcome) -> bool:
    """What the outbox asks before it acts once more."""
    return outcome.code == NOT_CARRIED_OUT or (outcome.state is ActionState.UNKNOWN and case.connector.repeats_safely)


def effects_of_one(name: str, which: str) -> Any:
    """What an undisturbed action does."""
    case = ACTING_CASES[name]()
    assert act(case, case.actions[which]).state is ActionState.DONE
    return case.effects()


def test_no_acting_connector_escapes_the_suite() -> None:
    found = {name for name, one in known_connectors().items() if isinstance(one, ActingConnector)}
    assert found == set(ACTING_CASES)


def test_options_are_checked_offline_and_problems_are_sentences(case: ActingCase) -> None:
    options = case.connector.Options(**case.options)
    for one in case.actions.values():
        assert case.connector.check_action(options, one.kind, one.options) == []
    for kind, given in case.wrong:
        problems = case.connector.check_action(options, kind, given)
        assert problems, (kind, given)
        assert all(re.search(r"[.?]$", one) for one in problems), problems
    assert case.line.writes == []


def test_a_wrong_action_is_refused_without_a_word_to_the_system(case: ActingCase) -> None:
    before = case.effects()
    for kind, given in case.wrong:
        one = SourceAction("act_1", kind, EMAIL, given, next(iter(case.actions.values())).decided_at)
        assert act(case, one) == ActionOutcome(ActionState.REFUSED, "bad_options")
    assert (case.effects(), case.line.writes) == (before, [])


@pytest.mark.parametrize(("name", "which"), ACTIONS)
def test_an_action_is_done_and_can_be_seen(name: str, which: str) -> None:
    case = ACTING_CASES[name]()
    before = case.effects()
    assert act(case, case.actions[which]).state is ActionState.DONE
    assert case.effects() != before
    assert look_up(case, case.actions[which]).state in (ActionState.DONE, ActionState.UNKNOWN)


@pytest.mark.parametrize(("name", "which"), ACTIONS)
def test_a_look_up_writes_nothing(name: str, which: str) -> None:
    case = ACTING_CASES[name]()
    before = case.effects()
    found = look_up(case, case.actions[which])
    assert found.state is ActionState.UNKNOWN or found.code == NOT_CARRIED_OUT
    assert (case.effects(), case.line.writes) == (before, [])


def test_what_the_system_refuses_is_final_and_has_a_constant_word(case: ActingCase) -> None:
    before = case.effects()
    outcome = act(case, case.refused)
    assert outcome.state is ActionState.REFUSED
    assert re.fullmatch(r"[a-z0-9_]+", outcome.code)
    assert outcome.code != NOT_CARRIED_OUT
    assert case.effects() == before


@pytest.mark.parametrize("trouble", ["lost", "vanished", "error", "page"])
@pytest.mark.parametrize(("name", "which", "place"), WRITES)
def test_an_answer_that_is_lost_is_looked_up_and_nothing_is_done_twice(name: str, which: str, place: int, trouble: str) -> None:
    case = ACTING_CASES[name]()
    one = case.actions[which]
    case.line.troubles = [""] * place + [trouble]
    try:
        outcome = act(case, one)
    except SourceUnavailableError:  # nothing of the action itself was carried out: it may simply be tried again
        assert (name, which, place) in PREPARING
        outcome = act(case, one)
    else:
        assert outcome.state is ActionState.UNKNOWN or (trouble, name) == ("page", "webhook_out")
        assert len(case.line.writes) == place + (trouble != "vanished")
    if outcome.state is ActionState.UNKNOWN:
        found = look_up(case, one)
        if trouble != "vanished":
            assert found.code != NOT_CARRIED_OUT
        outcome = act(case, one) if may_repeat(case, found) else found
    if outcome.state is ActionState.UNKNOWN:  # nobody can tell: for a person to look at, and done at most once
        assert (name, which) in ONCE
        assert len(case.line.writes) <= place + 1
        return
    assert outcome.state in SETTLED
    assert case.effects() == effects_of_one(name, which)


@pytest.mark.parametrize(("name", "which", "place"), WRITES)
def test_what_surely_never_left_is_tried_again_by_itself(name: str, which: str, place: int) -> None:
    case = ACTING_CASES[name]()
    case.line.troubles = [""] * place + ["unsent", "throttled"]
    assert act(case, case.actions[which]).state is ActionState.DONE
    assert case.effects() == effects_of_one(name, which)


@pytest.mark.parametrize(
    ("trouble", "kind"), [("unsent", SourceUnavailableError), ("throttled", RateLimitedError), ("denied", AuthError)]
)
def test_trouble_that_lasts_is_an_error_and_nothing_was_done(case: ActingCase, trouble: str, kind: type[SyncdError]) -> None:
    before = case.effects()
    for one in case.actions.values():
        case.line.troubles = [trouble] * ATTEMPTS
        with pytest.raises(kind):
            act(case, one)
    assert (case.effects(), case.line.writes) == (before, [])


@pytest.mark.parametrize("trouble", ["", "lost", "unsent", "throttled", "denied", "error", "page"])
def test_no_error_outcome_or_repr_gives_anything_away(case: ActingCase, trouble: str) -> None:
    """Outcomes and actions are logged by repr at most; their messages are stored, never logged."""
    options = case.connector.Options(**case.options)
    shown = f"{options} {options!r} {options.model_dump_json(fallback=str)} {case.session!r}"
    for one in (*case.actions.values(), case.refused):
        case.line.troubles = [trouble] * ATTEMPTS
        try:
            shown += f" {one!r} {act(case, one)!r}"
        except SyncdError as error:
            shown += " ".join(f"{part} {part!r}" for part in (error, error.__cause__, error.__context__, error.detail))
    for hidden in (*case.secrets, *(secret[:14] for secret in case.secrets), LINK, "@", "ada.lovelace", HASH):
        assert hidden not in shown


def test_what_cannot_be_read_brings_no_mail_and_is_no_reason_to_fail(case: ActingCase) -> None:
    """Of connectors to which opt-outs travel: payloads come from a store that may be years old."""
    if not isinstance(case.connector, OptOutConnector):
        return
    options = case.connector.Options(**case.options)
    for payload in (
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"email_address": null, "status": 7}',
        b'{"email": "a@example.com", "lists": [7]}',
        b"\xff\xfe",
    ):
        for scope in OptOuts:
            assert list(case.connector.mail_stops(options, payload, scope)) == []
    assert case.line.writes == []
