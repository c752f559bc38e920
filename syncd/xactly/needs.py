"""What a template asks of the org, and whether the org has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from syncd.document import suggest
from syncd.errors import ConfigProblem
from syncd.model import ObjectSchema
from syncd.xactly.model import Assign, Items, Path, Template

_ALWAYS = {
    "Opportunity": ("OwnerId", "AccountId", "IsWon", "CloseDate"),
    "OpportunityLineItem": ("OpportunityId",),
    "OpportunitySplit": ("OpportunityId", "SplitOwnerId", "SplitTypeId"),
    "OpportunitySplitType": ("DeveloperName",),
    "OpportunityTeamMember": ("OpportunityId", "UserId"),
}
"""What syncd finds its way by. Source: Object Reference v62.0, the objects of these names."""
_CURRENCY = "CurrencyIsoCode"


def fields_needed(template: Template) -> dict[str, tuple[str, ...]]:
    """Object to the fields to read of it."""
    found: dict[str, dict[str, None]] = {"Opportunity": {}, "User": {template.employee_field: None}}
    if template.items is Items.LINE:
        found["OpportunityLineItem"] = {}
    if template.assign is Assign.SPLIT:
        found |= {"OpportunitySplit": {}, "OpportunitySplitType": {}}
    if template.assign is Assign.TEAM:
        found["OpportunityTeamMember"] = {}
    for path in _paths(template):
        found.setdefault(path.object, {})[path.field] = None
    return {name: tuple(dict.fromkeys((*_ALWAYS.get(name, ()), *fields))) for name, fields in found.items()}


def org_problems(template: Template, objects: Mapping[str, ObjectSchema]) -> list[ConfigProblem]:
    """Everything that the template asks for and the integration user does not see, each at its place."""
    found = []
    missing = [name for name in fields_needed(template) if name not in objects]
    for name in missing:
        advice = f"Give its permission set read on {name}, or leave it out of the template."
        if name.startswith("OpportunitySplit"):
            advice += " Without Opportunity Splits (Setup) there is no such object."
        found.append(ConfigProblem(template.file, 0, 0, f"The integration user may not see {name}.", advice))
    placed = {(path.object, path.field): path for path in _paths(template)}
    for name, fields in fields_needed(template).items():
        for field in fields if name in objects else ():
            if field not in objects[name].fields:
                path = placed.get((name, field), Path("Opportunity", field))
                found.append(_lacking(template, objects[name], field, path))
    return found


def _lacking(template: Template, schema: ObjectSchema, field: str, path: Path) -> ConfigProblem:
    message = f"{schema.name} has no field {field} that the integration user may see."
    if field == _CURRENCY:
        return ConfigProblem(
            template.file, path.line, path.column, message, "An org with one currency has none: write currency: {value: EUR}."
        )
    return ConfigProblem(template.file, path.line, path.column, message, suggest(field, schema.fields))


def _paths(template: Template) -> Iterator[Path]:
    yield from (template.order_code, template.amount, template.incentive_date)
    if isinstance(template.currency, Path):
        yield template.currency
    if template.split_percent is not None:
        yield template.split_percent
    for column in (*template.orders, *template.assignments):
        if column.path is not None:
            yield column.path
