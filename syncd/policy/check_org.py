"""What a policy asks of the org and the org lacks: statuses, fields, picklist values, stages, record types, currency, objects. Pure.

A rule that needs something that syncd cannot see there is refused, never approximated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.document import suggest
from syncd.expressions import Expression
from syncd.expressions.tree import Compare, Literal, Term, Variable, children
from syncd.model import FieldSchema, OrgSchema
from syncd.policy.finding import Finding, Level
from syncd.policy.model import Action, ActionKind, Program, Rule, Target
from syncd.policy.needs import expressions_of, needs
from syncd.policy.policy import Policy


def org_findings(policy: Policy, org: OrgSchema) -> Iterator[Finding]:
    """Everything that the org lacks, in no order."""
    for program in policy.programs:
        yield from _program(program, org)
    yield from _fields(policy, org)
    for rule in policy.rules:
        yield from _rule(policy, rule, org)
    yield from _currency(policy, org)
    yield from _objects(policy, org)
    for _, expression in expressions_of(policy):
        yield from _picklists(expression, org)


def _program(program: Program, org: OrgSchema) -> Iterator[Finding]:
    types = org.record_types.get("Lead")
    if program.record_type and types is not None and program.record_type not in types:
        message = f'Lead has no record type "{program.record_type}".'
        yield Finding(program.line, Level.ERROR, message, suggest(program.record_type, types))
    for status in program.statuses.values():
        if status.name not in org.lead_statuses:
            message = f'Salesforce has no lead status "{status.name}".'
            yield Finding(status.line, Level.ERROR, message, suggest(status.name, org.lead_statuses))
    if not program.record_type:
        for name, is_converted in org.lead_statuses.items():
            if name not in program.statuses and name not in program.illegal_map and not is_converted:
                message = f'The org has a lead status "{name}" that the program "{program.name}" does not know.'
                yield Finding(program.line, Level.WARNING, message, "Leads in it are reported as illegal; add it, or map it.")


def _rule(policy: Policy, rule: Rule, org: OrgSchema) -> Iterator[Finding]:
    if rule.converting is not None:
        status = rule.converting.status
        if org.lead_statuses.get(status) is False:
            converted = [name for name, is_converted in org.lead_statuses.items() if is_converted]
            message = f'converts to "{status}", which is no converted status in Salesforce'
            yield _about(rule, message, f"Known: {', '.join(converted)}.", "status")
    if rule.opening is not None:
        yield from _opening(policy, rule, org)


def _opening(policy: Policy, rule: Rule, org: OrgSchema) -> Iterator[Finding]:
    opening, described = rule.opening, org.objects.get("Opportunity")
    if opening is None or described is None:
        return  # `_objects` says so
    stages = org.opportunity_stages
    if stages and opening.stage not in stages:
        yield _about(rule, f'has no active stage "{opening.stage}" in Salesforce', suggest(opening.stage, stages), "stage")
    elif stages and stages[opening.stage][0]:
        known = ", ".join(name for name, (is_closed, _) in stages.items() if not is_closed)
        yield _about(
            rule, f'makes opportunities in the stage "{opening.stage}", which is closed', f"Open ones: {known}.", "stage"
        )
    types = org.record_types.get("Opportunity")
    if opening.record_type and types is not None and opening.record_type not in types:
        message = f'names a record type that Opportunity does not have: "{opening.record_type}"'
        yield _about(rule, message, suggest(opening.record_type, types), "record_type")
    for name in opening.fields:
        yield from _writable(described.fields, "Opportunity", name, rule.line, rule.rule_id, "fields", is_new=True)
    if org.is_multi_currency and opening.currency and opening.currency not in org.currencies:
        yield _about(rule, f"is in {opening.currency}, which the org does not have", "", "currency")
    if org.is_multi_currency and opening.amount is not None and not (opening.currency or policy.currency):
        message = "gives an amount, and the org has several currencies"
        yield _about(rule, message, "Write currency: in the rule or at the top of the file.", "amount")


def _fields(policy: Policy, org: OrgSchema) -> Iterator[Finding]:
    """Fields that are written, of Lead, Contact and Task; what is only read was checked when the conditions were compiled."""
    lead, contact, task = (org.objects.get(name) for name in ("Lead", "Contact", "Task"))
    if lead is not None:
        for key in ("next_action", "reason", "policy", "score"):
            if name := getattr(policy.fields, key):
                yield from _writable(lead.fields, "Lead", name, policy.fields.line, "fields", key)
        hold = policy.fields.hold_until
        if hold and (hold not in lead.fields or lead.fields[hold].type not in ("date", "datetime")):
            message = f'Salesforce has no field "{hold}" of type date on Lead (fields.hold_until).'
            days = [name for name, one in lead.fields.items() if one.type == "date"]
            yield Finding(policy.fields.line, Level.ERROR, message, suggest(hold, days), "fields", "hold_until")
        for rule in policy.rules:
            means = rule.means
            for name in (means.flag, means.previous_owner_field) if means is not None else ():
                if name:
                    yield from _writable(lead.fields, "Lead", name, rule.line, rule.rule_id, "means")
    for rule in policy.rules:
        for action in rule.actions:
            name, described = ("Lead", lead) if rule.target is Target.LEAD else ("Contact", contact)
            if action.kind is ActionKind.FLAG and described is not None:
                yield from _writable(described.fields, name, action.options["field"], action.line, rule.rule_id, "do")
            if action.kind is ActionKind.TASK and task is not None:
                yield from _task(rule, action, task.fields)


def _task(rule: Rule, action: Action, fields: Mapping[str, FieldSchema]) -> Iterator[Finding]:
    for name in action.fields:
        yield from _writable(fields, "Task", name, action.line, rule.rule_id, "do", is_new=True)
    priority, known = action.options.get("priority", ""), fields["Priority"].picklist if "Priority" in fields else ()
    if priority and known and priority not in known:
        yield _about(
            rule, f'asks for a task of priority "{priority}", which the org does not have', suggest(priority, known), "do"
        )


def _writable(
    fields: Mapping[str, FieldSchema], owner: str, name: str, line: int, subject: str, key: str, *, is_new: bool = False
) -> Iterator[Finding]:
    field = fields.get(name)
    if field is None:
        yield Finding(line, Level.ERROR, f'Salesforce has no field "{name}" on {owner}.', suggest(name, fields), subject, key)
    elif not (field.is_createable if is_new else field.is_updateable):
        message = f"{owner}.{name} cannot be written by the integration user."
        yield Finding(line, Level.ERROR, message, "Give its permission set edit on the field, or name another.", subject, key)


def _currency(policy: Policy, org: OrgSchema) -> Iterator[Finding]:
    if not org.is_multi_currency:
        return
    if policy.currency:
        if policy.currency not in org.currencies:
            message = f"The org has no active currency {policy.currency}."
            yield Finding(1, Level.ERROR, message, suggest(policy.currency, org.currencies), "", "currency")
        return
    for _, expression in expressions_of(policy):
        for compared in _walk(expression.term):
            if isinstance(compared, Compare):
                money = [one for one in _walk(compared) if isinstance(one, Variable) and _type_of(one, org) == "currency"]
                if money:
                    message = f'"{money[0].name}" is an amount of money, and the org has several currencies.'
                    yield Finding(
                        money[0].place.line, Level.ERROR, message, "Write currency: at the top, for example currency: EUR."
                    )
                    break


def _objects(policy: Policy, org: OrgSchema) -> Iterator[Finding]:
    """Objects that rules need and syncd cannot see; one finding for each."""
    for name, (line, why) in needs(policy).objects.items():
        if name not in org.objects:
            message = f"{why} needs {name}, which the integration user may not see."
            yield Finding(line, Level.ERROR, message, f"Give its permission set read on {name}, or do without.")


def _picklists(expression: Expression, org: OrgSchema) -> Iterator[Finding]:
    """Values that a restricted picklist can never hold."""
    for term in _walk(expression.term):
        if not isinstance(term, Compare):
            continue
        for index, op in enumerate(term.ops):
            for one, other in (term.operands[index : index + 2], term.operands[index : index + 2][::-1]):
                if op in ("==", "!=", "in", "not in") and isinstance(one, Variable) and isinstance(other, Literal):
                    yield from _values(one, other, org)


def _values(variable: Variable, written: Literal, org: OrgSchema) -> Iterator[Finding]:
    values = written.value if isinstance(written.value, tuple) else (written.value,)
    if variable.name in ("status", "lead.Status", "org.Status"):
        known: tuple[str, ...] = tuple(org.lead_statuses)
    else:
        field = _field_of(variable, org)
        known = field.picklist if field is not None and field.is_restricted else ()
    for value in values if known else ():
        if isinstance(value, str) and value not in known:
            message = f'"{variable.name}" never has the value "{value}" in this org.'
            yield Finding(variable.place.line, Level.WARNING, message, suggest(value, known))


def _type_of(variable: Variable, org: OrgSchema) -> str:
    field = _field_of(variable, org)
    return "" if field is None else field.type


def _field_of(variable: Variable, org: OrgSchema) -> FieldSchema | None:
    group, name = str(variable.path[0]), str(variable.path[-1])
    objects = {"lead": ("Lead",), "org": ("Lead", "Contact"), "account": ("Account",)}.get(group, ())
    found = [org.objects[one].fields[name] for one in objects if one in org.objects and name in org.objects[one].fields]
    return found[0] if found and len(variable.path) == 2 else None


def _walk(term: Term) -> Iterator[Term]:
    yield term
    for child in children(term):
        yield from _walk(child)


def _about(rule: Rule, message: str, advice: str, key: str) -> Finding:
    return Finding(rule.line, Level.ERROR, f'The rule "{rule.rule_id}" {message}.', advice, rule.rule_id, key)
