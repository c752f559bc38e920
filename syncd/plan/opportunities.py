"""Opportunities: their fields as a rule states them, those of contacts, and what is set on one that came with a conversion. Pure.

The outbox is the memory: one that was planned and never reached the org stands there and is planned again. Each has an external id
of its own, made of person and rule, so that none is made twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, timedelta

from syncd.model import OPEN_STATES, Operation, OperationKind, OperationState, OrgRecord, OrgSchema, PersonView, Provenance, Value
from syncd.plan.conversions import opening_of
from syncd.plan.fields import fitting
from syncd.plan.once import is_owed, rule_name, rule_of
from syncd.plan.standards import PolicyWrite
from syncd.policy import Facts, Policy, values_of
from syncd.policy.model import Rule
from syncd.policy.values import canonical

OPPORTUNITY = "Opportunity"
MAX_NAME = 120
"""Object Reference: Opportunity.Name."""


def opening_fields(policy: Policy, rule: Rule, facts: Facts, schema: OrgSchema) -> tuple[dict[str, Value], str]:
    """The fields of the opportunity that `rule` makes of somebody; or none, and a word for what the org lacks."""
    opening, described = rule.opening, schema.objects.get(OPPORTUNITY)
    if opening is None or described is None:
        return {}, "opportunity_not_visible"
    if opening.stage not in schema.opportunity_stages:
        return {}, "stage_not_in_org"
    values = values_of(policy, facts)
    name = str(opening.name(values) or "").strip() or str(values["lead"].get("Company") or "").strip() or rule.rule_id
    fields: dict[str, Value] = {
        "Name": name[:MAX_NAME].rstrip(),
        "StageName": opening.stage,
        "CloseDate": (date.fromisoformat(facts.day) + timedelta(days=opening.close_in_days)).isoformat(),
    }
    if opening.record_type:
        record_type = schema.record_types.get(OPPORTUNITY, {}).get(opening.record_type)
        if record_type is None:
            return {}, "record_type_not_in_org"
        fields["RecordTypeId"] = record_type
    if opening.amount is not None:
        fields["Amount"] = canonical(opening.amount(values))
    currency = opening.currency or policy.currency
    if schema.is_multi_currency and currency:
        if currency not in schema.currencies:
            return {}, "currency_not_in_org"
        fields["CurrencyIsoCode"] = currency
    fields |= {name: canonical(one(values)) for name, one in opening.fields.items()}
    found: dict[str, Value] = {}
    for name, value in fields.items():
        field = described.fields.get(name)
        kept, note = fitting(value, field)
        if field is None or not field.is_createable or note == "not_in_picklist":
            return {}, note or "opportunity_field_not_writable"
        if kept is not None:
            found[name] = kept
    return found, ""


def opportunity_id(person_id: str, rule_id: str, record_id: str, secret: bytes) -> str:
    """The external id of the opportunity that a rule makes of a person's record: a keyed hash, the same however often it is decided."""
    return hashlib.blake2b(
        f"{person_id}\0{rule_id}\0{record_id}".encode(), key=secret[:64], digest_size=16, person=b"syncd-opp"
    ).hexdigest()


def new_opportunity(
    policy: Policy, rule: Rule, fields: Mapping[str, Value], view: PersonView, record: OrgRecord, secret: bytes
) -> PolicyWrite | None:
    """The opportunity of somebody who is a contact, with the contact's role; None if it was made, or is under way, already."""
    own_id = opportunity_id(view.person_id, rule.rule_id, record.row.sf_id, secret)
    if any(one.external_id == own_id for one in view.conversions if one.kind is OperationKind.OPPORTUNITY):
        return None
    linked: dict[str, Value] = {"ContactId": record.row.sf_id}
    if record.row.fields.get("AccountId"):
        linked["AccountId"] = record.row.fields["AccountId"]
    written = {**fields, **linked}
    why = dict.fromkeys(written, Provenance(line=rule.line, rule=rule_name(policy, rule.rule_id)))
    return PolicyWrite(OperationKind.OPPORTUNITY, OPPORTUNITY, "", written, {}, why, own_id=own_id)


def owed_opportunities(
    policy: Policy, view: PersonView, untouched: frozenset[str], external_id_field: str | None, secret: bytes, run_id: str
) -> list[PolicyWrite]:
    """What was planned and never reached the org, and what is to be set on an opportunity that a conversion has made.

    Args:
        policy: A rule that it has no longer is owed nothing.
        view: The person.
        untouched: Ids of opportunities that nobody but syncd has changed.
        external_id_field: Of Opportunity, None if it has none.
        secret: Behind the external ids.
        run_id: What failed in this run is left for the next one.
    """
    found = []
    refused = {one.operation_id for one in view.refused_operations}
    made: dict[str, list[Operation]] = {}
    for one in view.conversions:
        if one.kind is OperationKind.OPPORTUNITY:
            made.setdefault(one.external_id, []).append(one)
    for own_id, tries in made.items():
        last = tries[-1]
        if is_owed(tries, refused, run_id) and policy.rule(rule_of(last.provenance)) is not None:
            attempt = sum(1 for one in tries if one.code)
            found.append(
                PolicyWrite(last.kind, OPPORTUNITY, "", last.fields, {}, last.provenance, own_id=own_id, attempt=attempt)
            )
    return found + _owed_settings(view, untouched, external_id_field, secret, run_id)


def set_on(view: PersonView) -> dict[str, Operation]:
    """Id of each opportunity that a conversion of ours has made to the conversion that says what it must hold."""
    converted = {one.row.sf_id: one.row for one in view.org_records if one.row.object == "Lead" and one.row.is_converted}
    return {
        sf_id: one
        for one in view.conversions
        if one.kind is OperationKind.CONVERT and one.state is OperationState.DONE and one.sf_id in converted and opening_of(one)
        if (sf_id := str(converted[one.sf_id].fields.get("ConvertedOpportunityId") or ""))
    }


def _owed_settings(
    view: PersonView, untouched: frozenset[str], external_id_field: str | None, secret: bytes, run_id: str
) -> list[PolicyWrite]:
    found = []
    refused = {one.operation_id for one in view.refused_operations}
    for sf_id, conversion in set_on(view).items():
        tries = [one for one in view.conversions if one.object == OPPORTUNITY and one.sf_id == sf_id]
        if sf_id not in untouched or (tries and not is_owed(tries, refused, run_id)):
            continue
        fields = {name: value for name, value in opening_of(conversion).items() if name != "Name"}
        why = next(iter(conversion.provenance.values()))
        if external_id_field is not None:
            fields[external_id_field] = opportunity_id(view.person_id, "convert", conversion.sf_id, secret)
        attempt = sum(1 for one in tries if one.code)
        provenance = dict.fromkeys(fields, why)
        found.append(PolicyWrite(OperationKind.UPDATE, OPPORTUNITY, sf_id, fields, {}, provenance, attempt=attempt))
    return found


def is_unset(view: PersonView, sf_id: str) -> bool:
    """Whether values are still to be set on an opportunity, as far as the outbox tells."""
    tries = [one for one in view.conversions if one.object == OPPORTUNITY and one.sf_id == sf_id]
    return not any(one.state is OperationState.DONE or one.state in OPEN_STATES for one in tries)


__all__ = ["OPPORTUNITY", "is_unset", "new_opportunity", "opening_fields", "opportunity_id", "owed_opportunities", "set_on"]
