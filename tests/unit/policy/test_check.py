"""What is wrong with a policy that reads well: each finding has its line, what is wrong, and what to do."""

from __future__ import annotations

import msgspec
import pytest

from syncd.errors import ConfigError
from syncd.model import FieldSchema, ObjectSchema, OrgSchema
from syncd.policy import Level, check_policy, load_policy, needs
from tests.unit.policy.mistakes import PROGRAM, STANDARDS
from tests.unit.policy.orgs import sandbox_schema

RECYCLE = "recycle:\n  - {id: path, from: Lost, after_days: 90, to: New}\n"
SOUND = PROGRAM + RECYCLE


def warnings_of(text: str, org: OrgSchema | None = None) -> list[tuple[int, str]]:
    """(line, message and advice) of every warning; a policy with errors does not load."""
    policy = load_policy(text, "p.yaml")
    return [(one.line, f"{one.message} {one.advice}") for one in check_policy(policy, org) if one.level is Level.WARNING]


def statuses(added: str, moves: str = "") -> str:
    """The sound policy with one more status in line 9 and more transitions."""
    text = SOUND.replace("      Converted:", f"      {added}\n      Converted:")
    return text.replace("      - {from: any,", f"{moves}      - {{from: any,")


def test_a_sound_policy_has_no_findings() -> None:
    assert warnings_of(SOUND) == []


WARNINGS = {
    "a status that nobody reaches": (statuses("Odd: {terminal: true}"), 9, 'No lead ever reaches "Odd"'),
    "a status that nobody leaves": (
        statuses("Stuck:", "      - {from: New, to: Stuck}\n").replace("from: any", "from: [New, Working]"),
        9,
        'Nobody ever leaves "Stuck". Add a transition out of it, or mark it terminal: true.',
    ),
    "unqualified leads hang": (PROGRAM, 8, 'Leads in "Lost" can hang'),
    "a path for some only": (PROGRAM + "recycle:\n  - {id: p, from: Lost, when: 'score > 3', after_days: 9, to: New}\n", 8, "can hang"),
    "a path that is only watched": (PROGRAM + "recycle:\n  - {id: p, from: Lost, enforcement: observe, after_days: 9, to: New}\n", 8, "can hang"),
    "a condition that never holds": (SOUND + "sla:\n  - {id: a, from: New, within_days: 1, when: 'lead.Title == \"x\" and false'}\n", 19, "never fires"),
    "a condition against itself": (SOUND + "sla:\n  - {id: a, from: New, within_days: 1, when: 'score > 5 and score < 3'}\n", 19, "never fires"),
    "an opportunity that nobody makes": (
        SOUND + STANDARDS + "opportunity:\n  - {id: o, when: 'score > 3', name: lead.Company, stage: X, close_in_days: 3}\n",
        26,
        "no convert rule names it",
    ),
    "rules that contradict each other": (
        SOUND + STANDARDS + "rules:\n  - {id: a, from: New, to: Working, when: 'score > 3'}\n  - {id: b, from: [New, Working], to: Qualified, when: 'score  > 3'}\n",
        27,
        'contradicts "a" (line 26)',
    ),
    "a deletion that asks for the status of before": (
        SOUND.replace("to: Lost, by: rep", "to: Lost") + "archive:\n  - {id: a, from: New, when: 'status == \"New\"', means: {status: Lost}, delete: {after_days: 90}}\n",
        19,
        "may never fire: its condition asks for the status",
    ),
    "from the end": (
        SOUND.replace("      - {from: any,", "      - {from: Converted, to: New}\n      - {from: any,") + "rules:\n  - {id: a, from: Converted, to: New}\n",
        20,
        "only revive leads out of those",
    ),
    "a score that nothing gives": (SOUND + "sla:\n  - {id: a, from: New, within_days: 1, when: 'score > 5'}\n", 19, "nothing gives points"),
    "everybody is qualified": (SOUND + "standards:\n  qualified: 'true or lead.Title == \"x\"'\n", 19, "everybody is qualified"),
    "nobody is qualified": (SOUND + "standards:\n  qualified: 'false'\n", 19, "nobody is qualified"),
    "qualified means nothing": (SOUND + "sla:\n  - {id: a, from: New, within_days: 1, when: qualified}\n", 19, "standards.qualified says nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_odd_is_told_with_its_line(name: str) -> None:
    text, line, words = WARNINGS[name]
    found = warnings_of(text)
    assert any(one[0] == line and words in one[1] for one in found), found


ROUND = SOUND.replace("      - {from: any,", "      - {from: Working, to: New}\n      - {from: any,") + "rules:\n"
LOOPS = {
    "two rules that always hold": ("  - {id: a, from: New, to: Working}\n  - {id: b, from: Working, to: New}\n", True),
    "by the clock": ("  - {id: a, from: New, to: Working, when: 'days_in_status >= 9'}\n  - {id: b, from: Working, to: New, when: 'days_in_status < 3'}\n", True),
    "two conditions of different things": ("  - {id: a, from: New, to: Working, when: 'lead.Rating == \"Hot\"'}\n  - {id: b, from: Working, to: New, when: 'lead.Title == \"x\"'}\n", True),
    "touching bounds": ("  - {id: a, from: New, to: Working, when: 'score >= 3'}\n  - {id: b, from: Working, to: New, when: 'score <= 3'}\n", True),
    "told apart by a number": ("  - {id: a, from: New, to: Working, when: 'score >= 3'}\n  - {id: b, from: Working, to: New, when: 'score < 3'}\n", False),
    "told apart by a word": ("  - {id: a, from: New, to: Working, when: 'lead.Rating == \"Hot\" and score > 1'}\n  - {id: b, from: Working, to: New, when: 'lead.Rating in [\"Cold\", \"Warm\"]'}\n", False),
    "told apart by not": ("  - {id: a, from: New, to: Working, when: 'any_touch(\"x\", 3)'}\n  - {id: b, from: Working, to: New, when: 'not any_touch(\"x\", 3)'}\n", False),
    "told apart by a criterion": ("  - {id: a, from: New, to: Working, when: criteria.need}\n  - {id: b, from: Working, to: New, when: 'criteria.need == false'}\n" + STANDARDS, False),
    "one of them only watches": ("  - {id: a, from: New, to: Working}\n  - {id: b, from: Working, to: New, enforcement: observe}\n", False),
    "through a third": ("  - {id: a, from: New, to: Working}\n  - {id: b, from: Working, to: Lost}\n", True),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_without_end_is_reported(name: str) -> None:
    """Moves of syncd that could go round for ever; those whose conditions never hold together are none."""
    rules, is_loop = LOOPS[name]
    found = [text for _, text in warnings_of(ROUND + rules) if "go round for ever" in text]
    assert bool(found) is is_loop, found
    assert all("min_days_in_status (7) only slows it" in text for text in found)


def test_a_full_graph_of_rules_is_searched_in_bounded_steps() -> None:
    """Sixty statuses, every move allowed and wanted: the loops are told, and the search ends."""
    names = [f"S{n}" for n in range(40)]
    head = "version: 1\nprograms:\n  p:\n    statuses:\n" + "".join(f"      {name}:\n" for name in names)
    moves = "    transitions:\n" + "".join(f"      - {{from: any, to: {name}}}\n" for name in names)
    rules = "rules:\n" + "".join(
        f"  - {{id: r{n}, to: {name}, when: 'lead.Title == \"{n}\" or score > {n}'}}\n" for n, name in enumerate(names)
    )
    assert any("go round for ever" in text for _, text in warnings_of(head + moves + rules))


@pytest.mark.parametrize(
    "when",
    [
        "3 > 5",
        "not (2 == 2.0)",
        "5 < 3 or false",
        "lead.Rating == 3 and 3 != lead.Rating",
        "criteria.need and not criteria.need",
        '"a" in ["b"]',
    ],
)
def test_a_condition_that_is_false_whatever_comes_is_found(when: str) -> None:
    text = (
        SOUND
        + STANDARDS
        + f"sla:\n  - {{id: a, from: New, within_days: 1, when: '{when.replace('lead.Rating', 'lead.NumberOfEmployees')}'}}\n"
    )
    assert any("always false" in words for _, words in warnings_of(text))


@pytest.mark.parametrize(
    "when", ["5 > 3 and score > 1", "score > 3 or false", '"a" == lead.Title', "not criteria.need or criteria.need"]
)
def test_a_condition_that_depends_on_somebody_is_left_alone(when: str) -> None:
    text = SOUND + STANDARDS + f"sla:\n  - {{id: a, from: New, within_days: 1, when: '{when}'}}\n"
    assert warnings_of(text) == []


# With an org.

CUSTOM = "version: 1\nprograms:\n  p:\n    statuses:\n      Open - Not Contacted: {entry: true}\n      Working - Contacted:\n      Closed - Converted: {terminal: true}\n      Closed - Not Converted: {terminal: true}\n    transitions:\n      - {from: any, to: [Working - Contacted, Closed - Converted, Closed - Not Converted]}\n"  # fmt: skip
CONVERTS = "standards: {qualified: 'lead.Rating == \"Hot\"'}\nconvert:\n  - {id: c, from: Working - Contacted, when: qualified, status: Closed - Converted, opportunity: o}\n"
OPENS = "opportunity:\n  - {id: o, when: 'lead.Rating == \"Hot\"', name: lead.Company, stage: Prospecting, close_in_days: 9}\n"
SLA = "sla:\n  - {id: s, from: Working - Contacted, within_days: 1, "

ERRORS = {
    "a status that the org lacks": (CUSTOM.replace("Working - Contacted", "Workng - Contacted"), 6, 'no lead status "Workng - Contacted". Did you mean "Working - Contacted"?'),
    "a converted status that is none": (CUSTOM + CONVERTS.replace("status: Closed - Converted", "status: Closed - Not Converted") + OPENS, 13, "no converted status"),
    "a converted entry": (CUSTOM.replace("Not Contacted: {entry: true}", "Not Contacted:").replace("Converted: {terminal: true}\n      Closed", "Converted: {terminal: true, entry: true}\n      Closed"), 7, "cannot be the entry"),
    "a rule to a converted status": (CUSTOM + "rules:\n  - {id: r, from: Working - Contacted, to: Closed - Converted}\n", 12, "only a conversion may set it"),
    "a record type": (CUSTOM.replace("    statuses:", "    record_type: Outbound\n    statuses:"), 3, 'no record type "Outbound". Did you mean "Inbound"?'),
    "a field that the org lacks": (CUSTOM + SLA + "when: 'lead.Budget__c > 3'}\n", 12, "lead.Budget__c"),
    "a field that is written": (CUSTOM + "fields: {reason: Reasn__c}\n", 11, 'no field "Reasn__c" on Lead'),
    "a field that nobody may write": (CUSTOM + "fields: {score: LastActivityDate}\n", 11, "cannot be written"),
    "a hold that is no day": (CUSTOM + "fields: {hold_until: Title}\n", 11, "of type date"),
    "a flag": (CUSTOM + SLA + "do: [{flag: {field: Hot__c}}]}\n", 12, 'no field "Hot__c" on Lead'),
    "a flag of a contact": (CUSTOM + "nurture:\n  - {id: s, target: contact, when: person.is_contact, do: [{flag: {field: Rating}}]}\n", 12, 'no field "Rating" on Contact'),
    "a field of a task": (CUSTOM + SLA + "do: [{task: {subject: x, fields: {Sbject: lead.Title}}}]}\n", 12, 'Did you mean "Subject"?'),
    "a priority": (CUSTOM + SLA + "do: [{task: {subject: x, priority: Urgent}}]}\n", 12, 'priority "Urgent"'),
    "a stage": (CUSTOM + CONVERTS + OPENS.replace("Prospecting", "Prospectng"), 15, 'Did you mean "Prospecting"?'),
    "a stage that is closed": (CUSTOM + CONVERTS + OPENS.replace("Prospecting", "Closed Won"), 15, '"Closed Won", which is closed'),
    "a field of an opportunity": (CUSTOM + CONVERTS + OPENS.replace("days: 9", "days: 9, fields: {Nme: lead.Title}"), 15, 'Did you mean "Name"?'),
    "a record type of an opportunity": (CUSTOM + CONVERTS + OPENS.replace("days: 9", "days: 9, record_type: Big"), 15, '"Big"'),
    "on_create of a converted status": (CUSTOM + "on_create: {status: Closed - Converted}\n", 11, "only a conversion may set it"),
    "on_create of a status that is not there": (CUSTOM + "on_create: {status: Open}\n", 11, 'no lead status "Open"'),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_the_org_lacks_is_refused(name: str) -> None:
    text, line, words = ERRORS[name]
    with pytest.raises(ConfigError) as refused:
        load_policy(text, "p.yaml", sandbox_schema())
    found = [(one.line, f"{one.message} {one.advice}") for one in refused.value.problems]
    assert any(one[0] == line and words in one[1] for one in found), found


@pytest.mark.parametrize(("top", "is_refused"), [("", True), ("currency: EUR\n", False)])
def test_an_amount_names_its_currency_where_the_org_has_several(top: str, is_refused: bool) -> None:
    text = CUSTOM + CONVERTS + OPENS.replace("days: 9", "days: 9, amount: lead.AnnualRevenue") + top
    org = msgspec.structs.replace(sandbox_schema(), is_multi_currency=True, currencies=("EUR", "USD"))
    found = ""
    try:
        load_policy(text, "p.yaml", org)
    except ConfigError as refused:
        found = str(refused)
    assert ("gives an amount, and the org has several currencies" in found) is is_refused


def test_a_policy_that_fits_the_org_is_loaded() -> None:
    assert (
        load_policy(CUSTOM + CONVERTS + OPENS, "p.yaml", sandbox_schema()).programs[0].statuses["Closed - Converted"].is_converted
    )


def test_a_status_that_is_deleted_overnight_is_found_in_a_loaded_policy() -> None:
    org = sandbox_schema()
    policy = load_policy(CUSTOM, "p.yaml", org)
    later = msgspec.structs.replace(
        org, lead_statuses={name: one for name, one in org.lead_statuses.items() if "Working" not in name}
    )
    assert [(one.line, one.level) for one in check_policy(policy, later)] == [(6, Level.ERROR)]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('status == "Workng - Contacted"', 'Did you mean "Working - Contacted"?'),
        ('lead.Rating in ["Hot", "Luke"]', '"lead.Rating" never has the value "Luke"'),
        ('"Luke" == lead.Rating', '"lead.Rating" never has the value "Luke"'),
    ],
)
def test_values_that_a_restricted_picklist_never_has_are_warned_of(condition: str, words: str) -> None:
    org = sandbox_schema()
    lead = dict(org.objects["Lead"].fields)
    lead["Rating"] = msgspec.structs.replace(lead["Rating"], is_restricted=True)
    org = msgspec.structs.replace(org, objects={**org.objects, "Lead": ObjectSchema("Lead", lead)})
    found = warnings_of(CUSTOM + SLA + f"when: '{condition}'}}\n", org)
    assert [line for line, text in found if words in text] == [12], found


def test_an_open_picklist_may_have_any_value() -> None:
    assert warnings_of(CUSTOM + SLA + "when: 'lead.LeadSource == \"Booth\"'}\n", sandbox_schema()) == []


MONEY = CUSTOM + SLA + "when: 'lead.AnnualRevenue > 5'}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (MONEY, 12, "the org has several currencies. Write currency:"),
        (MONEY + "currency: CHF\n", 13, "no active currency CHF"),
        (MONEY + "currency: EUR\n", 0, ""),
        (MONEY.replace("AnnualRevenue", "NumberOfEmployees"), 0, ""),
        (CUSTOM + "currency: EUR\n" + CONVERTS + OPENS.replace("days: 9", "days: 9, currency: CHF"), 16, "is in CHF"),
    ],
)
def test_money_names_its_currency_where_the_org_has_several(text: str, line: int, words: str) -> None:
    org = msgspec.structs.replace(sandbox_schema(), is_multi_currency=True, currencies=("EUR", "USD"))
    load_policy(text, "p.yaml", sandbox_schema())
    if not line:
        load_policy(text, "p.yaml", org)
        return
    with pytest.raises(ConfigError) as refused:
        load_policy(text, "p.yaml", org)
    assert [one.line for one in refused.value.problems] == [line]
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("missing", "lines"),
    [
        ("Event", SLA + "when: 'is_known(activity.next_event_at)'}\n"),
        ("Event", "archive:\n  - {id: a, inactive_days: 9, means: {status: Closed - Not Converted}}\n"),
        ("Task", SLA + "do: [{task: {subject: x}}]}\n"),
        ("Account", SLA + "when: 'account.Industry == \"x\"'}\n"),
        ("Account", CONVERTS + OPENS),
        ("Opportunity", "opportunity:\n  - {id: o, target: contact, when: 'lead.Title == \"x\"', name: lead.Company, stage: X, close_in_days: 9}\n"),
        ("User", SLA + "do: [{owner: {to: previous}}]}\n"),
    ],
)  # fmt: skip
def test_a_rule_that_needs_what_the_mirror_lacks_is_refused(missing: str, lines: str) -> None:
    org = sandbox_schema()
    org = msgspec.structs.replace(org, objects={name: one for name, one in org.objects.items() if name != missing})
    with pytest.raises(ConfigError, match=f"needs {missing}, which the integration user may not see"):
        load_policy(CUSTOM + lines, "p.yaml", org)


def test_a_status_of_the_org_that_the_program_does_not_know_is_warned_of() -> None:
    org = sandbox_schema("Parked")
    assert [line for line, text in warnings_of(CUSTOM, org) if '"Parked"' in text] == [3]
    assert warnings_of(CUSTOM + "    illegal: {map: {Parked: Working - Contacted}}\n", org) == []


def test_kinds_come_from_the_org() -> None:
    """A number of the org is compared with numbers, and a field that Lead and Contact have in different kinds with anything."""
    org = sandbox_schema()
    lead = ObjectSchema(
        "Lead",
        {
            **org.objects["Lead"].fields,
            "Size__c": FieldSchema("Size__c", "double"),
            "Tags__c": FieldSchema("Tags__c", "multipicklist"),
        },
    )
    contact = ObjectSchema("Contact", {**org.objects["Contact"].fields, "Size__c": FieldSchema("Size__c", "string")})
    org = msgspec.structs.replace(org, objects={**org.objects, "Lead": lead, "Contact": contact})
    load_policy(
        CUSTOM + SLA + 'when: \'lead.Size__c > 3 and any_of(lead.Tags__c, "a") and org.Size__c == "L"\'}\n', "p.yaml", org
    )
    with pytest.raises(ConfigError, match="cannot compare"):
        load_policy(CUSTOM + SLA + "when: 'lead.Size__c == \"L\"'}\n", "p.yaml", org)


def test_what_the_mirror_must_hold_is_known() -> None:
    found = needs(
        load_policy(
            CUSTOM + "fields: {hold_until: Hold__c}\n" + CONVERTS + OPENS + SLA + "when: 'org.City == account.BillingCity'}\n",
            "p.yaml",
        )
    )
    assert found.fields == {
        "Lead": {"Rating", "Company", "City", "Hold__c"}, "Contact": {"Rating", "Company", "City", "Hold__c"}, "Account": {"BillingCity"},
    }  # fmt: skip
    assert set(found.objects) == {"Account", "Contact", "Opportunity"}
    assert needs(load_policy("version: 1\n", "p.yaml")).objects == {}
