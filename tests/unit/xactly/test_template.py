"""A template says everything that is wrong with it at once, each at its place; the one that ships is right."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.model import FieldSchema, ObjectSchema
from syncd.xactly import Assign, Items, fields_needed, load_template, org_problems
from tests.xactly import TEMPLATE

SHIPPED = Path(__file__).parents[3] / "mappings" / "exports" / "xactly.yaml"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_template(text, "x.yaml")
    return [str(one) for one in caught.value.problems]


def test_the_template_that_ships_has_the_references_headers() -> None:
    """Reference sources.md 10, without those of pipeline exports."""
    found = load_template(SHIPPED.read_text(encoding="utf-8"), "xactly.yaml")
    assert [one.header for one in found.orders] == (
        "batch_name batch_type period_name order_code item_code order_type incentive_date order_date amount currency quantity "
        "customer_name product_name geography source_system source_id related_order_code"
    ).split()
    assert [one.header for one in found.assignments] == ["order_code", "item_code", "employee_id", "role", "split_percent"]
    assert (found.items, found.assign, found.split_total, found.max_rows) == (Items.OPPORTUNITY, Assign.OWNER, 100, 20_000)
    assert (found.escapes_formulas, found.employee_field, found.start_on) == (False, "EmployeeNumber", date(2026, 1, 1))
    assert set(fields_needed(found)) == {"Opportunity", "Account", "User"}


def test_no_template_reaches_a_lead_or_a_contact() -> None:
    found = problems(TEMPLATE.replace("Account.Name", "Contact.Email"))
    assert found == ["x.yaml:13:25: orders.customer_name is a path such as Opportunity.Name. Known: Account, Opportunity, User."]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("version: 1", "version: 2"), "x.yaml:1:10: A template begins with version: 1."),
        (("start_on: 2026-01-01\n", ""), "start_on is a day such as 2026-01-01. Opportunities that close before"),
        (("2026-01-01", "2026-02-30"), "x.yaml:2:11: start_on is a day"),
        (("start_on", "itmes: line\nstart_on"), 'x.yaml:2:1: A template has no key "itmes". Did you mean "items"?'),
        (("start_on", "items: lines\nstart_on"), 'items is one of opportunity, line. Did you mean "line"?'),
        (("start_on", "assign: team\nstart_on"), "x.yaml:2:9: Salesforce has no share of a team member. Name the field"),
        (("start_on", "split_percent: Split.X\nstart_on"), "x.yaml:2:1: An owner gets all"),
        (("start_on", "assign: split\nsplit_percent: TeamMember.X\nstart_on"), '"TeamMember" is not known here'),
        (("start_on", "split_total: all\nstart_on"), "split_total is a number such as 100, or null"),
        (("start_on", "employee_id: Employee Number\nstart_on"), "employee_id is the name of a field of User."),
        (("Europe/Berlin", "Europe/Berln"), 'Did you mean "Europe/Berlin"?'),
        (("zone: Europe/Berlin", "zone: UTC, period_name: '%Q'"), "period_name is made of %Y"),
        (("{value: EUR}", "{value: euro}"), "currency is a path, or {value: EUR}"),
        (("calendar", "batch: {name: monthly}\ncalendar"), "batch.name has {period} in it"),
        (("calendar", "batch: {name: '{period}/x'}\ncalendar"), "It is part of file names"),
        (("calendar", "batch: {max_rows: 20001}\ncalendar"), "batch.max_rows is a number from 1 to 20000."),
        (("calendar", "codes: {reversal: '-R'}\ncalendar"), "codes.reversal is an ending such as -R{version}."),
        (("calendar", "codes: {reversal: '-{version}', again: '-{version}'}\ncalendar"), "two different endings"),
        (("calendar", "format: {escape_formulas: maybe}\ncalendar"), "escape_formulas is true or false."),
        (("calendar", "format: {line_end: cr}\ncalendar"), "line_end is one of crlf, lf."),
        (("  item_code: {is: item_code}\n", ""), "orders has no column for item_code. Add one"),
        (("{is: amount}", "{is: amout}"), 'syncd knows no "amout" here. Did you mean "amount"?'),
        (("{is: amount}", "{is: amount, from: Opportunity.Amount}"), "orders.amount has one of is, from and value."),
        (("{is: amount}", "{is: amount, default: '0'}"), "orders.amount: default goes with from."),
        (("{is: currency}", "currency"), "orders.currency is {is: WORD}, {from: PATH} or {value: TEXT}."),
        (("compare: false", "compare: no"), "orders.customer_name.compare is true or false."),
        (("compare: false", "as: money"), "as is one of text, date, amount."),
        (("Account.Name", "LineItem.Name"), '"LineItem" is not known here'),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(change: tuple[str, str], words: str) -> None:
    assert any(words in one for one in problems(TEMPLATE.replace(*change, 1))), problems(TEMPLATE.replace(*change, 1))


def test_everything_is_said_at_once_in_the_order_of_the_file() -> None:
    found = problems("items: lines\nbatch: 3\n")
    assert len(found) == 6
    assert [one.split(": ")[0] for one in found] == ["x.yaml:1:1"] * 4 + ["x.yaml:1:8", "x.yaml:2:8"]


def test_the_org_must_have_what_the_template_names() -> None:
    template = load_template(TEMPLATE.replace("{value: EUR}", "Opportunity.CurrencyIsoCode"), "x.yaml")

    def schema(name: str, *fields: str) -> ObjectSchema:
        return ObjectSchema(name, {one: FieldSchema(one, "string") for one in fields})

    opportunity = ("Id", "OwnerId", "AccountId", "IsWon", "CloseDate", "Amount", "CurrencyIsoCode")
    whole = {
        "Opportunity": schema("Opportunity", *opportunity),
        "Account": schema("Account", "Name"),
        "User": schema("User", "EmployeeNumber"),
    }
    assert org_problems(template, whole) == []
    whole["Opportunity"] = schema("Opportunity", *opportunity[:-1])
    del whole["User"]
    user, currency = (str(one) for one in org_problems(template, whole))
    assert user.startswith("x.yaml: The integration user may not see User. Give its permission set read on User")
    assert currency.startswith("x.yaml:3:11: Opportunity has no field CurrencyIsoCode that the integration user may see.")
    assert currency.endswith("An org with one currency has none: write currency: {value: EUR}.")
