"""Conversions that are only pretended: what a dry run may know of them, and that the org is never asked to do one."""

from __future__ import annotations

import random

import pytest

from syncd.clock import FixedClock
from syncd.http import make_session
from syncd.model import Conversion, Operation, OperationKind
from syncd.run.rehearsal import RehearsalOrg, is_pretended, without_pretended
from syncd.salesforce import ClientCredentials, OrgSettings, SalesforceOrg
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg
from syncd.sandbox.adapter import SandboxAdapter
from tests.world import LOGIN_URL, START

FIELDS = ("LastName", "Email", "Status")
STATUS = "Closed - Converted"


@pytest.fixture
def sandbox() -> SandboxOrg:
    return SandboxOrg(seed=1, clock=FixedClock(START))


@pytest.fixture
def rehearsal(sandbox: SandboxOrg) -> RehearsalOrg:
    def sessions():
        session = make_session()
        session.mount("https://", SandboxAdapter(sandbox))
        return session

    clock = FixedClock(START)
    settings = OrgSettings(LOGIN_URL, ClientCredentials(CONSUMER_KEY, CONSUMER_SECRET))
    return RehearsalOrg(SalesforceOrg(settings, clock, sessions=sessions, chance=random.Random(7)), clock)


@pytest.fixture
def lead(sandbox: SandboxOrg) -> str:
    return sandbox.create("Lead", {"LastName": "Roe", "Company": "Acme", "Email": "roe@example.com"})


def test_a_pretended_conversion_makes_records_of_this_rehearsal_only(
    rehearsal: RehearsalOrg, sandbox: SandboxOrg, lead: str
) -> None:
    (outcome,) = rehearsal.convert([Conversion(lead, STATUS, opportunity_name="Acme - inbound")])
    made = (outcome.account_id, outcome.contact_id, outcome.opportunity_id)
    assert all(is_pretended(sf_id) for sf_id in made)
    assert len(set(made)) == 3
    row = sandbox.row(lead)
    assert row is not None
    assert not row["IsConverted"]
    assert len(sandbox.rows("Contact")) == 0


def test_the_lead_reads_as_converted_and_the_contact_has_its_values(rehearsal: RehearsalOrg, lead: str) -> None:
    (outcome,) = rehearsal.convert([Conversion(lead, STATUS)])
    assert outcome.opportunity_id == ""
    found = rehearsal.retrieve("Lead", [lead], FIELDS)[lead]
    assert found is not None
    assert (found.is_converted, found.contact_id, found.fields["Status"]) == (True, outcome.contact_id, STATUS)
    contact = rehearsal.retrieve("Contact", [outcome.contact_id], FIELDS)[outcome.contact_id]
    assert contact is not None
    assert (contact.fields["Email"], contact.fields["AccountId"]) == ("roe@example.com", outcome.account_id)


def test_records_that_are_joined_keep_their_ids(rehearsal: RehearsalOrg, lead: str) -> None:
    joined = Conversion(lead, STATUS, "001000000000001AAA", "003000000000001AAA")
    (outcome,) = rehearsal.convert([joined])
    assert (outcome.account_id, outcome.contact_id) == (joined.account_id, joined.contact_id)


def test_a_lead_that_was_created_in_this_rehearsal_is_converted_too(rehearsal: RehearsalOrg) -> None:
    (made,) = rehearsal.create("Lead", [("p1", {"LastName": "Doe", "Company": "Acme"})], None)
    (outcome,) = rehearsal.convert([Conversion(made.sf_id, STATUS)])
    found = rehearsal.retrieve("Lead", [made.sf_id], FIELDS)[made.sf_id]
    assert found is not None
    assert found.contact_id == outcome.contact_id


def test_a_lead_is_converted_once(rehearsal: RehearsalOrg, lead: str) -> None:
    first, second = rehearsal.convert([Conversion(lead, STATUS)]) + rehearsal.convert([Conversion(lead, STATUS)])
    assert first.fault is None
    assert second.fault is not None
    assert second.fault.code == "CANNOT_UPDATE_CONVERTED_LEAD"


def test_a_lead_that_is_gone_is_not_converted(rehearsal: RehearsalOrg) -> None:
    (outcome,) = rehearsal.convert([Conversion("00Q000000000999AAA", STATUS)])
    assert outcome.fault is not None
    assert outcome.fault.code == "ENTITY_IS_DELETED"


def test_ids_of_a_rehearsal_are_shown_to_nobody(rehearsal: RehearsalOrg, lead: str) -> None:
    (outcome,) = rehearsal.convert([Conversion(lead, STATUS)])
    fields = {"WhoId": outcome.contact_id, "Subject": "Call"}
    operation = Operation("o1", "p1", "Contact", outcome.contact_id, OperationKind.UPDATE, fields, {})
    shown = without_pretended(operation)
    assert (shown.sf_id, shown.fields) == ("", {"Subject": "Call"})


def test_who_is_active_is_asked_of_the_org(rehearsal: RehearsalOrg, sandbox: SandboxOrg) -> None:
    rep = sandbox.users["rep1"]
    assert rehearsal.active_users([rep, "005000000000999AAA"]) == {rep: True, "005000000000999AAA": False}
