"""A policy is read into its structs; a bad one is refused as a whole, each problem with its line, column and advice (G10)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from syncd.document import parse_document
from syncd.errors import ConfigError
from syncd.expressions import Kind
from syncd.model import OrgSchema
from syncd.policy import keys, load_policy, policy_schema, run_tests
from syncd.policy.model import ActionKind, Enforcement, IllegalDo, Mover, Section, Target
from syncd.policy.read_rules import MAX_RULES
from syncd.policy.schema import SHAPES
from syncd.policy.variables import MEANINGS
from tests.unit.policy import mistakes
from tests.unit.policy.mistakes import PROGRAM, STANDARDS

SOURCES = {"newsletter": "mailchimp", "site": "webhook"}
MANY_RULES = "".join(f"  - {{id: r{n}, from: New, to: Working}}\n" for n in range(MAX_RULES + 1))
AFTER = dict.fromkeys(("TRANSITIONS", "STANDARDS_CASES", "RULES", "ACTIONS", "TESTS"), mistakes.PROGRAM)
CASES = [
    (f"{group}: {name}", AFTER.get(group, ""), case)
    for group in ("TOP", *AFTER)
    for name, case in getattr(mistakes, group).items()
]


def problems_of(text: str, org: OrgSchema | None = None) -> list[tuple[int, int, str]]:
    with pytest.raises(ConfigError) as refused:
        load_policy(text, "p.yaml", org, SOURCES)
    return [(one.line, one.column, f"{one.message} {one.advice}") for one in refused.value.problems]


@pytest.mark.parametrize(("before", "case"), [(before, case) for _, before, case in CASES], ids=[name for name, _, _ in CASES])
def test_a_mistake_is_told_with_its_place_and_advice(before: str, case: mistakes.Case) -> None:
    text, line, column, words = case
    lines = before.count("\n")
    found = problems_of(before + text)
    assert any((one[0] - lines, one[1]) == (line, column) and words in one[2] for one in found), found


def test_the_policy_that_mistakes_are_made_in_is_right() -> None:
    policy = load_policy(PROGRAM + STANDARDS, "p.yaml", sources=SOURCES)
    assert [one.name for one in policy.programs] == ["sales"]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = PROGRAM + "rules:\n  - {id: a, from: Nw, to: Wrking, when: 'scor > 3'}\nsla:\n  - {id: b}\ncurrency: x\n"
    found = problems_of(text)
    assert [one[:2] for one in found] == [(17, 19), (17, 27), (17, 42), (19, 5), (20, 11)]


def test_a_policy_of_too_many_rules_is_refused() -> None:
    assert problems_of(PROGRAM + "rules:\n" + MANY_RULES)[0][2].startswith("rules has 401 entries; at most 400")
    half = MANY_RULES.replace("id: r", "id: s").replace("to: Working", "within_days: 1")
    assert (
        f"more than {MAX_RULES} rules"
        in problems_of(
            PROGRAM
            + "rules:\n"
            + MANY_RULES.replace("  - {id: r0, from: New, to: Working}\n", "")
            + "sla:\n"
            + half.split("\n")[0]
            + "\n"
        )[0][2]
    )


@pytest.mark.parametrize(
    "text", ["[" * 5_000 + "]" * 5_000, "{all: [" * 300 + "qualified" + "]}" * 300, "{a: " * 3_000 + "}" * 3_000]
)
def test_a_file_nested_beyond_what_a_yaml_reader_can_take_is_refused(text: str) -> None:
    assert "nested too deeply" in problems_of(f"{PROGRAM}rules: {text}\n")[0][2]


def test_sources_that_nobody_knows_are_taken_on_trust() -> None:
    text = PROGRAM + "nurture:\n  - {id: a, from: Lost, do: [{enrol: {source: anything}}]}\n"
    assert load_policy(text, "p.yaml").rules[0].actions[0].source == "anything"
    assert 'no source "anything"' in problems_of(text)[0][2]


FULL = PROGRAM + """\
    illegal: {map: {Old: New}}
  others:
    applies_to: '"site" in person.sources'
    record_type: Inbound
    statuses: {New: {entry: true, meaning: m, next_action: n}}
name: full
time_zone: Europe/Berlin
currency: EUR
enforcement: observe
min_days_in_status: 3
on_create: {status: New}
on_deleted: review
fields: {reason: Reason__c, hold_until: Hold__c}
consent: {allow_clear: true, actions: {task: 'not lead.DoNotCall'}}
standards:
  criteria:
    need: {met: 'any_touch("demo", 30)', unmet: 'lead.Need__c == "no"'}
    budget: {met: 'criteria.need and lead.Budget__c > 5'}
  scoring:
    - {id: web, points: 15, touch: webinar, halves_after_days: 30, at_most: 45}
  qualified: criteria.need
sla:
  - {id: late, from: New, within_hours: 4, clock: arrival, do: [{owner: {to: "queue: Hot"}}]}
nurture:
  - {id: drip, from: Lost, do: [{enrol: {source: newsletter, audience: L1, interests: [a, b], fields: {F: lead.FirstName}}}], again_after_days: 9}
opportunity:
  - {id: strong, when: 'score > 3', name: 'lead.Company + "!"', stage: Prospecting, close_in_days: 60, amount: lead.Budget__c, fields: {LeadSource: lead.LeadSource}}
convert:
  - {id: ready, from: Qualified, when: 'qualified and score > 4', status: Converted, owner: "user:Ada", match: domain, aliases: {ACME de: Acme}, opportunity: strong}
archive:
  - {id: away, from: Working, when: 'lead.NumberOfEmployees < 3', inactive_days: 90, hold_days: 14, unedited_days: 30, overrides_rep: true, means: {status: Lost, flag: A__c, owner: "queue:Archive", previous_owner_field: P__c}}
recycle:
  - {id: later, from: Lost, after_days: 90, to: New, enforcement: enforce}
rules:
  - {id: good, from: [New, Working], to: Qualified, when: qualified, overrides_rep: true, reason: Good., program: sales}
revive:
  - {id: back, from: Lost, on: [form, reply], on_criteria: budget, to: New, owner: previous, do: [{task: {subject: Call, due_in_days: 0, priority: High, description: d, fields: {Description: lead.Title}}}, {flag: {field: Hot__c}}]}
"""  # fmt: skip


def test_everything_that_is_written_is_read() -> None:
    """One policy with every key; sections come out in the order in which they are asked, whatever their order in the file."""
    policy = load_policy(FULL, "p.yaml", sources=SOURCES)
    assert (policy.name, policy.time_zone, policy.currency, policy.min_days_in_status) == ("full", "Europe/Berlin", "EUR", 3)
    assert (policy.status_on_create, policy.on_deleted, policy.allow_clear, policy.enforcement) == (
        "New",
        "review",
        True,
        Enforcement.OBSERVE,
    )
    assert (policy.fields.reason, policy.fields.hold_until, policy.fields.score) == ("Reason__c", "Hold__c", "")
    assert set(policy.limits) == {ActionKind.TASK}
    sales, others = policy.programs
    assert (sales.illegal, sales.illegal_map, others.record_type) == (IllegalDo.MAP, {"Old": "New"}, "Inbound")
    assert (sales.entry and sales.entry.name, sales.statuses["Lost"].is_unqualified, sales.statuses["Qualified"].place) == (
        "New",
        True,
        2,
    )
    assert sales.statuses["Converted"].is_converted
    assert sales.may_move("New", "Working", Mover.SYNCD)
    assert sales.may_move("Qualified", "Lost", Mover.REP)
    assert not sales.may_move("Qualified", "Lost", Mover.SYNCD)
    assert [one.name for one in policy.standards.criteria] == ["need", "budget"]
    assert policy.standards.scoring[0].at_most == 45
    assert [(one.rule_id, one.section) for one in policy.rules] == [
        ("back", Section.REVIVE), ("good", Section.STATUS), ("later", Section.RECYCLE), ("away", Section.ARCHIVE),
        ("ready", Section.CONVERT), ("strong", Section.OPPORTUNITY), ("drip", Section.NURTURE), ("late", Section.SLA),
    ]  # fmt: skip
    back, good, later, away, ready, strong, drip, late = policy.rules
    assert (back.intent, back.intent_criteria, back.owner, back.to_status) == (("form", "reply"), ("budget",), "previous", "New")
    assert back.actions[0].options == {"subject": "Call", "priority": "High", "description": "d"}
    assert (back.actions[0].due_in_days, set(back.actions[0].fields)) == (0, {"Description"})
    assert back.actions[1].options == {"field": "Hot__c", "value": "true"}
    assert (good.from_statuses, good.overrides_rep, good.program, good.reason) == (("New", "Working"), True, "sales", "Good.")
    assert (later.after_days, later.enforcement, good.enforcement) == (90, Enforcement.ENFORCE, Enforcement.OBSERVE)
    assert (away.inactive_days, away.hold_days, away.unedited_days, away.to_status) == (90, 14, 30, "Lost")
    assert away.means is not None
    assert (away.means.flag, away.means.owner, away.means.previous_owner_field) == ("A__c", "queue:Archive", "P__c")
    assert ready.converting is not None
    assert (ready.converting.owner, ready.converting.match, ready.converting.aliases) == (
        "user:Ada",
        ("domain",),
        {"acme de": "Acme"},
    )
    assert ready.converting.opportunity == "strong"
    assert strong.opening is not None
    assert (strong.opening.close_in_days, strong.opening.name.kind, strong.target) == (60, Kind.TEXT, Target.LEAD)
    assert drip.actions[0].options == {"audience": "L1", "interests": "a,b"}
    assert (drip.actions[0].source, drip.again_after_days) == ("newsletter", 9)
    assert (late.within_minutes, late.clock, late.actions[0].options) == (240, "arrival", {"to": "queue:Hot"})


def test_transitions_from_any_are_from_every_other_status_and_add_up() -> None:
    program = load_policy(PROGRAM, "p.yaml").programs[0]
    assert {one.from_status for one in program.transitions if one.to_status == "Lost"} == {
        "New",
        "Working",
        "Qualified",
        "Converted",
    }
    assert {one.by for one in program.transitions if (one.from_status, one.to_status) == ("Working", "Lost")} == {Mover.BOTH}


OLD = "version: 1\non_create: {status: New}\non_deleted: create\n"


def test_a_policy_without_programs_is_what_it_was() -> None:
    """Also its digest, which stands in stored decisions."""
    policy = load_policy(OLD, "p.yaml")
    assert (policy.status_on_create, policy.on_deleted, policy.allow_clear, policy.programs, policy.rules) == (
        "New",
        "create",
        False,
        (),
        (),
    )
    assert policy.digest == "9f5490dfb89655ba"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("name: full", "name: other", False),
        ("version: 1", "version: 1 # a comment", False),
        ("meaning: m", "meaning: other words", False),
        ("next_action: n", "next_action: o", True),
        ("points: 15", "points: 16", True),
        ("min_days_in_status: 3", "min_days_in_status: 4", True),
        ("time_zone: Europe/Berlin", "time_zone: Europe/Paris", True),
        ("reason: Good.", "reason: Very good.", True),
        ("audience: L1", "audience: L2", True),
        ("on: [form, reply]", "on: [reply, form]", True),
        ("owner: previous", "owner: account", True),
        ("{task: 'not lead.DoNotCall'}", "{}", True),
    ],
)  # fmt: skip
def test_the_digest_changes_with_decisions_only(old: str, new: str, changes: bool) -> None:
    assert old in FULL
    before, after = load_policy(FULL, "p.yaml").digest, load_policy(FULL.replace(old, new, 1), "p.yaml").digest
    assert (before != after) is changes


def test_the_digest_knows_the_order_of_programs_and_not_that_of_sections() -> None:
    one, other = "  a: {statuses: {New: }}\n", "  b: {statuses: {Old: }}\n"
    head, tail = "version: 1\n", "enforcement: observe\n"
    first = load_policy(head + "programs:\n" + one + other + tail, "p.yaml").digest
    assert load_policy(head + "programs:\n" + other + one + tail, "p.yaml").digest != first
    assert load_policy(head + tail + "programs:\n" + one + other, "p.yaml").digest == first


def test_the_json_schema_knows_every_key_of_the_reference() -> None:
    schema = policy_schema()
    rule = schema["properties"]["archive"]["items"]
    assert {"id", "when", "inactive_days", "means"} <= set(rule["properties"])
    assert rule["required"] == ["id", "means"]
    assert schema["additionalProperties"] is rule["additionalProperties"] is False
    assert [set(one["properties"]) for one in schema["$defs"]["action"]["oneOf"]] == [{kind.value} for kind in ActionKind]


def obeys(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """Whether a document obeys what our schemas use of JSON Schema."""
    if "$ref" in schema:
        return obeys(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "oneOf" in schema:
        return sum(obeys(value, one, root) for one in schema["oneOf"]) == 1
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kinds = {
        "string": str,
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
        "integer": int,
        "number": (int, float),
    }
    named = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not any(isinstance(value, kinds[one]) and (one == "boolean" or not isinstance(value, bool)) for one in named):  # type: ignore[arg-type]
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) <= schema.get("maxLength", len(value))
    if isinstance(value, list):
        return all(obeys(one, schema.get("items", {"type": list(kinds)}), root) for one in value)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        parts = [(one, known.get(name, others)) for name, one in value.items()]
        return set(schema.get("required", ())) <= set(value) and all(
            one if isinstance(one, bool) else obeys(part, one, root) for part, one in parts
        )
    return not isinstance(value, int) or schema.get("minimum", value) <= value <= schema.get("maximum", value)


@pytest.mark.parametrize("name", ["policy", "policies/default", "policies/b2b_nurture", "policies/event_team"])
def test_the_policies_that_ship_obey_the_json_schema(name: str) -> None:
    text = (Path(__file__).parents[3] / "mappings" / f"{name}.yaml").read_text(encoding="utf-8")
    document, schema = parse_document(text, name).plain(), policy_schema()
    assert obeys(document, schema, schema)
    assert not obeys({**document, "rules": [{"id": "x"}]}, schema, schema)
    assert not obeys({**document, "on_deleted": "recreate"}, schema, schema)


def test_every_variable_is_on_the_page_and_has_a_value() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
    for name in MEANINGS:
        assert f"| `{name}` |" in page


def test_delete_of_an_archive_rule_is_a_rule_of_its_own() -> None:
    """Off unless it is written; it asks for what its rule asks for, unless it says otherwise, and watches while that rule does."""
    head = (
        PROGRAM
        + "archive:\n  - {id: away, program: sales, from: Working, when: 'lead.NumberOfEmployees < 3', means: {status: Lost}"
    )
    assert len(load_policy(head + "}\n", "p.yaml").rules) == 1
    away, gone = load_policy(head + ", delete: {after_days: 730}}\n", "p.yaml").rules
    assert (gone.rule_id, gone.section, gone.of_rule, gone.after_days) == ("away_delete", Section.DELETE, "away", 730)
    assert (gone.when, gone.program, gone.enforcement, gone.from_statuses) == (away.when, "sales", Enforcement.ENFORCE, ())
    other = ", enforcement: observe, delete: {after_days: 30, id: gone, when: 'not is_known(lead.Title)'}}\n"
    _, gone = load_policy(head + other, "p.yaml").rules
    assert (gone.rule_id, gone.enforcement, gone.when is not away.when) == ("gone", Enforcement.OBSERVE, True)


def test_a_policy_tests_its_deletions() -> None:
    """`archived_days_ago` says which rule archived the lead; a test that expects what does not come is a problem."""
    text = (
        PROGRAM.replace("      - {from: any, to: Lost, by: rep}", "      - {from: any, to: Lost}")
        + "archive:\n  - {id: away, from: Working, when: 'lead.NumberOfEmployees < 3', means: {status: Lost}, delete: {after_days: 90}}\n"
        + "tests:\n"
        + "  - name: goes after ninety days\n"
        + "    given: {status: Lost, days_in_status: 90, lead: {NumberOfEmployees: 2}, archived_days_ago: {away: DAYS}}\n"
        + "    expect: {deletes: WORD, fired: FIRED}\n"
    )
    right = text.replace("DAYS", "90").replace("WORD", "away_delete").replace("FIRED", "away_delete")
    assert run_tests(load_policy(right, "p.yaml")) == []
    wrong = text.replace("DAYS", "90").replace("WORD", '""').replace("FIRED", "away_delete")
    (problem,) = run_tests(load_policy(wrong, "p.yaml"))
    assert 'deletes is "away_delete", expected ""' in problem.message
    early = text.replace("DAYS", "89").replace("WORD", '""').replace(", fired: FIRED", ", blocked: {away_delete: waiting}")
    assert run_tests(load_policy(early.replace("days_in_status: 90", "days_in_status: 89"), "p.yaml")) == []


def test_a_conversion_may_ask_for_qualified_in_any_words_that_need_it() -> None:
    for when in ("qualified", "qualified == true", "score > 3 and (qualified or qualified and score > 9)"):
        text = PROGRAM + STANDARDS + f"convert:\n  - {{id: a, from: Qualified, when: '{when}', status: Converted}}\n"
        assert load_policy(text, "p.yaml").rules[0].converting is not None


def test_options_of_a_source_become_text_and_any_means_everywhere() -> None:
    text = (
        PROGRAM
        + "sla:\n  - {id: a, from: any, within_days: 1, do: [{trigger: {source: newsletter, journey: 12, again: true}}]}\n"
    )
    rule = load_policy(text, "p.yaml", sources=SOURCES).rules[0]
    assert (rule.from_statuses, rule.actions[0].options) == ((), {"journey": "12", "again": "true"})


def test_every_example_of_the_reference_is_yaml_of_its_shape() -> None:
    tables = [one for one in vars(keys).values() if isinstance(one, tuple) and one and isinstance(one[0], keys.Key)]
    tables += [*keys.SECTIONS.values(), *keys.ACTIONS.values()]
    schema = policy_schema()
    shown = [key for table in tables for key in table if key.example]
    assert len(shown) > 80
    for key in shown:
        value = parse_document(f"{key.name}: {key.example}\n", "example").plain()[key.name]
        assert obeys(value, SHAPES[key.shape], schema), key
