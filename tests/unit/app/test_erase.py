"""Why somebody cannot be erased now. Pure."""

from __future__ import annotations

import pytest

from syncd.app.erase import NOTES, Erasure, explain, look, why_not
from syncd.model import PersonState
from syncd.ports import LOG_IN_USE, NOT_COMPACTED, TOO_LARGE, Belongings, Traces

LEAD = ("Lead", "00Q1", False)


def traces(
    *,
    operations: tuple[tuple[str, str, str], ...] = (),
    org: tuple[tuple[str, str, bool], ...] = (),
    rivals: tuple[str, ...] = (),
) -> Traces:
    found = Belongings(("p", "old"), (1, 2), operations=operations, org=org)
    return Traces(found, PersonState.ACTIVE, rivals=rivals, counts={"people": 2}, dead_letters=(3,), asked=(1,))


@pytest.mark.parametrize(
    ("operations", "is_busy"),
    [
        ((("1", "sent", "r"),), True),
        ((("1", "unknown", "r"),), True),
        ((("1", "planned", "r"),), False),
        ((("1", "held", "r"), ("2", "done", "r")), False),
        ((("1", "planned", "now"),), True),
        ((("1", "done", "now"),), True),
    ],
)
def test_what_is_on_its_way_or_in_somebodys_hands_is_waited_for(
    operations: tuple[tuple[str, str, str], ...], is_busy: bool
) -> None:
    """A run under way may be sending what it has planned, or reading back what it has written."""
    problem = why_not(traces(operations=operations), {"now"}, keep=True)
    assert (problem is not None) == is_busy
    assert problem is None or "next pass" in str(problem)


def test_rivals_and_living_records_are_named() -> None:
    refused = why_not(traces(rivals=("q",)), (), keep=True)
    assert refused is not None
    assert ("q." in str(refused), "review list" in str(refused)) == (True, True)
    org = (LEAD, ("Contact", "0031", False), ("Lead", "00Q2", True))
    living = why_not(traces(org=org), (), keep=False)
    assert living is not None
    assert "still in Salesforce: Lead 00Q1, Contact 0031." in str(living)
    assert why_not(traces(org=org), (), keep=True) is None
    assert why_not(traces(org=org[2:]), (), keep=False) is None


def test_a_look_names_ids_and_how_much() -> None:
    found = look(traces(org=(LEAD,)))
    assert (found.person_id, found.merged, found.is_done, found.counts) == ("p", ("old",), False, {"people": 2})
    assert (found.in_salesforce, found.dead_letters) == (("Lead:00Q1",), (1, 3))
    assert ("00Q1" in found.refusal, "--keep-in-salesforce" in found.advice) == (True, True)
    assert look(traces(org=(LEAD,)), keep=True).refusal == ""
    assert look(Traces(Belongings(("p",), (1,)), PersonState.ERASED)) == Erasure("p", is_done=True)


def test_every_note_is_explained() -> None:
    assert explain([LOG_IN_USE, TOO_LARGE, NOT_COMPACTED]) == list(NOTES.values())
