"""From a verdict that converts, or makes an opportunity, to writes: or to a question, where nobody but a person can decide. Pure.

A withdrawal of consent goes to the contact that is joined first, alone; the conversion follows once it is there (G6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from syncd.model import CONSENT_FIELDS, OperationKind, OperationState, OrgRecord, OrgSchema, PersonView, Provenance, Value
from syncd.plan.conversions import Joined, Prospects, Question, conversion_fields, join, owner_of
from syncd.plan.once import rule_name
from syncd.plan.opportunities import OPPORTUNITY, new_opportunity, opening_fields
from syncd.plan.standards import ASKED, CONVERT, Carried, PolicyWrite, decision_of
from syncd.policy import Facts, Policy, Verdict
from syncd.policy.model import Converting
from syncd.ports import Review

OPT_OUT = "HasOptedOutOfEmail"
_NO_OWNER = "Nobody can be given what the conversion makes: neither the account, nor the lead, nor the rule names an active user."


class Convertible(msgspec.Struct, frozen=True):
    """One person's lead that may be converted, with everything that says how.

    Attributes:
        view, record: The person, and the lead.
        schema: The org's.
        prospects: What it may join.
        active: Ids of the active users who may be given something; never the integration user.
        named: `user:NAME` to its id.
        member: `queue:NAME` to the id of the member whose turn it is.
        run_id, at: Of the pass.
    """

    view: PersonView
    record: OrgRecord
    schema: OrgSchema
    prospects: Prospects
    active: frozenset[str]
    named: Mapping[str, str]
    member: Callable[[str], str]
    run_id: str
    at: datetime


def carry_conversion(policy: Policy, verdict: Verdict, facts: Facts, one: Convertible, carried: Carried) -> Carried:
    """`carried` with the conversion that the verdict wants."""
    rule = policy.rule(verdict.converts)
    if rule is None or rule.converting is None:
        return carried
    opening: dict[str, Value] = {}
    note = ""
    opens = policy.rule(verdict.opens)
    if opens is not None:
        opening, note = opening_fields(policy, opens, facts, one.schema)
    why = Provenance(line=rule.line, rule=rule_name(policy, rule.rule_id))
    if note:
        return _with_note(carried, note)
    per = opens.opening.one_open_per if opens is not None and opens.opening is not None else ""
    return convert(rule.converting, one, opening, per, why, carried)


def convert(
    converting: Converting,
    one: Convertible,
    opening: dict[str, Value],
    one_open_per: str,
    why: Provenance,
    carried: Carried,
    chosen: Joined | None = None,
) -> Carried:
    """`carried` with the conversion, what must go before it, or the question that stands in its way.

    `chosen` is what a person has decided that the lead joins.
    """
    lead = one.record.row
    if not one.schema.lead_statuses.get(converting.status):
        return _with_note(carried, "status_not_in_org")
    joined = chosen or join(converting, lead, one.prospects)
    if isinstance(joined, Question):
        return _asked(joined, one, carried)
    if not joined.account_id and one.prospects.founder not in ("", one.view.person_id):
        return msgspec.structs.replace(_with_note(carried, "waits_for_account"), waits=True)
    owner_id = owner_of(converting.owner, lead, joined, one.active, one.named, one.member)
    if not owner_id:
        return _asked(Question("no_owner", _NO_OWNER), one, carried)
    opt_outs = _opt_outs(one, joined)
    if opt_outs is None:
        return _with_note(carried, "opt_out_not_writable")
    if opt_outs and joined.contact is not None:
        return _consent_first(one, joined.contact.sf_id, opt_outs, why, carried)
    notes = dict(carried.notes)
    if opening and _is_busy(one.prospects, joined, one_open_per):
        notes[OPPORTUNITY] = "open_opportunity_exists"
        opening = {}
    fields = conversion_fields(converting.status, joined, owner_id, one.prospects.keys, opening)
    provenance = dict.fromkeys(fields, why)
    provenance["AccountId"] = msgspec.structs.replace(
        why, locator=f"account by {joined.evidence}" if joined.account_id else "a new account"
    )
    before = {name: lead.fields[name] for name in ("Status", "Company", "Email", *CONSENT_FIELDS) if name in lead.fields}
    write = PolicyWrite(OperationKind.CONVERT, "Lead", lead.sf_id, fields, before, provenance, is_guarded=True)
    return msgspec.structs.replace(carried, writes=(*carried.writes, write), notes=notes)


def carry_opportunity(
    policy: Policy, verdict: Verdict, facts: Facts, one: Convertible, carried: Carried, secret: bytes
) -> Carried:
    """`carried` with the opportunity of somebody who is a contact."""
    rule = policy.rule(verdict.opens)
    if rule is None:
        return carried
    fields, note = opening_fields(policy, rule, facts, one.schema)
    if note:
        return _with_note(carried, note, OPPORTUNITY)
    write = new_opportunity(policy, rule, fields, one.view, one.record, secret)
    decisions = (*carried.decisions, decision_of(policy, verdict, rule.rule_id))
    return msgspec.structs.replace(
        carried, writes=(*carried.writes, *((write,) if write is not None else ())), decisions=decisions
    )


def _is_busy(met: Prospects, joined: Joined, one_open_per: str) -> bool:
    """Whether a matching opportunity is open already."""
    contact_id = joined.contact.sf_id if joined.contact is not None else ""
    return contact_id in met.busy or (one_open_per != "contact" and joined.account_id in met.busy)


def _opt_outs(one: Convertible, joined: Joined) -> dict[str, Value] | None:
    """Withdrawals that the lead shows and the joined contact does not; None if mail cannot be stopped there.

    What sources say has reached the contact already. Where somebody has cleared what we had set there, that is the newer word.
    """
    if joined.contact is None:
        return {}
    contact = joined.contact
    base = next((known.base for known in one.view.org_records if known.row.sf_id == contact.sf_id), {})
    described = one.schema.objects["Contact"].fields
    found: dict[str, Value] = {}
    for name in CONSENT_FIELDS:
        if one.record.row.fields.get(name) is not True or contact.fields.get(name) is True or base.get(name) is True:
            continue
        if name in described and described[name].is_updateable:
            found[name] = True
        elif name == OPT_OUT:
            return None
    return found


def carry_opt_outs(view: PersonView, record: OrgRecord, schema: OrgSchema, own_user_id: str, carried: Carried) -> Carried:
    """`carried` with withdrawals that the converted lead shows and the contact that we made of it does not.

    Salesforce takes the checkbox along only where the org's field mapping says so. Once a person has edited the contact, theirs is the newer word.
    """
    row = record.row
    if row.object != "Contact" or row.modified_by != own_user_id:
        return carried
    ours = {one.sf_id for one in view.conversions if one.kind is OperationKind.CONVERT and one.state is OperationState.DONE}
    became = [one.row for one in view.org_records if one.row.sf_id in ours and one.row.contact_id == row.sf_id]
    described = schema.objects["Contact"].fields
    fields: dict[str, Value] = {
        name: True
        for name in CONSENT_FIELDS
        if any(lead.fields.get(name) is True for lead in became)
        and row.fields.get(name) is not True
        and name not in record.base
        and name in described
        and described[name].is_updateable
    }
    if not fields:
        return carried
    why = dict.fromkeys(fields, Provenance(rule="opt-out of the converted lead"))
    write = PolicyWrite(OperationKind.CONSENT, "Contact", row.sf_id, fields, dict.fromkeys(fields, False), why, is_guarded=True)
    return msgspec.structs.replace(carried, writes=(write, *carried.writes))


def _consent_first(one: Convertible, contact_id: str, opt_outs: dict[str, Value], why: Provenance, carried: Carried) -> Carried:
    target = f"Contact:{contact_id}"
    if any(refused.target == target and refused.kind is OperationKind.CONSENT for refused in one.view.refused_operations):
        return _with_note(carried, "opt_out_not_writable")
    provenance = dict.fromkeys(opt_outs, why)
    write = PolicyWrite(
        OperationKind.CONSENT, "Contact", contact_id, opt_outs, dict.fromkeys(opt_outs, False), provenance, is_guarded=True
    )
    return msgspec.structs.replace(carried, writes=(*carried.writes, write), waits=True)


def _with_note(carried: Carried, note: str, name: str = CONVERT) -> Carried:
    return msgspec.structs.replace(carried, notes={**carried.notes, name: note})


def _asked(question: Question, one: Convertible, carried: Carried) -> Carried:
    """The question, asked once: what was rejected is not asked again while it is the same."""
    note = f"{ASKED}{question.code}"
    review = None
    if one.view.notes.get(CONVERT) != note:
        review = Review("conversion", one.view.person_id, question.candidates, question.reason, run_id=one.run_id, at=one.at)
    return msgspec.structs.replace(_with_note(carried, note), review=review)


__all__ = ["Convertible", "carry_conversion", "carry_opportunity", "carry_opt_outs", "convert"]
