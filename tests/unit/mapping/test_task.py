"""`task:` of a mapping: what it gives a record, and every mistake with its place (G10)."""

from __future__ import annotations

import msgspec
import pytest

from syncd.errors import ConfigError
from syncd.mapping import load_mapping, mapping_schema
from syncd.model import FieldSchema, Lead, LeadTask, ObjectSchema, OrgSchema

HEAD = "version: 1\nlead:\n  Email: {from: e, as: email}\n"

PROBLEMS = {
    "no mapping": ("task: Call back\n", 4, 7, "task is a mapping"),
    "unknown key": ("task: {subjct: Call, subject: Call}\n", 4, 8, 'Did you mean "subject"?'),
    "no subject": ("task: {due_in_days: 1}\n", 4, 7, "needs subject:"),
    "empty subject": ("task: {subject: ' '}\n", 4, 17, "task.subject is a text"),
    "subject too long": (f"task: {{subject: {'x' * 256}}}\n", 4, 17, "255 characters"),
    "subject without from": ("task: {subject: {as: upper}}\n", 4, 17, "task.subject is a text"),
    "subject overwrites": ("task: {subject: {from: s, overwrite: always}}\n", 4, 27, 'has no key "overwrite"'),
    "wrong path": ('task: {subject: {from: "a[b=c"}}\n', 4, 24, 'The path "a[b=c"'),
    "unknown transform": ("task: {subject: {from: s, as: upperr}}\n", 4, 31, 'Did you mean "upper"?'),
    "a task is no reason to reject": (
        "task: {subject: {from: s, translate: {a: b}, unknown: reject}}\n",
        4,
        55,
        "keep, no_value",
    ),
    "days as text": ("task: {subject: Call, due_in_days: soon}\n", 4, 36, "from 0 to 365"),
    "negative days": ("task: {subject: Call, due_in_days: -1}\n", 4, 36, "from 0 to 365"),
    "a leap year": ("task: {subject: Call, due_in_days: 366}\n", 4, 36, "from 0 to 365"),
    "yes is no number": ("task: {subject: Call, due_in_days: true}\n", 4, 36, "from 0 to 365"),
    "priority as number": ("task: {subject: Call, priority: 1}\n", 4, 33, "priority is a text"),
    "wrong condition": ("task: {subject: Call, when: 'recrod.x == 1'}\n", 4, 30, 'Did you mean "record.x"?'),
    "test of an unknown value": (
        "task: {subject: Call}\ntests:\n  - record: {e: x}\n    task: {subjekt: Call}\n",
        7,
        12,
        'Did you mean "subject"?',
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_mistake_is_told_with_its_place_and_advice(name: str) -> None:
    text, line, column, words = PROBLEMS[name]
    with pytest.raises(ConfigError) as refused:
        load_mapping(HEAD + text, "m.yaml", name="m")
    assert [(one.line, one.column) for one in refused.value.problems] == [(line, column)], refused.value
    assert words in str(refused.value)


def task_of(text: str, **record: object) -> LeadTask | None:
    return load_mapping(HEAD + text, "m.yaml", name="m").map_record({"e": "a@example.com", **record}).task


def test_a_mapping_without_task_asks_for_none() -> None:
    assert task_of("") is None
    assert task_of("task:\n") is None
    assert load_mapping(HEAD, "m.yaml", name="m").task_line == 0


def test_a_task_has_what_the_mapping_says_and_the_rest_by_default() -> None:
    assert task_of("task: {subject: Call back}\n") == LeadTask("Call back", line=4)
    full = "task: {subject: Call, due_in_days: 0, priority: High, status: Open, description: {from: [note, message]}}\n"
    assert task_of(full, message=" Please\ncall ") == LeadTask("Call", 0, "High", "Open", "Please\ncall", line=4)


def test_a_subject_is_read_like_a_line() -> None:
    text = "task: {subject: {from: [topic, form], translate: {demo: Wants a demo}, default: Call back}}\n"
    assert task_of(text, form="Demo ") == LeadTask("Wants a demo", line=4)
    assert task_of(text, topic="Prices\nplease") == LeadTask("Prices please", line=4)
    assert task_of(text) == LeadTask("Call back", line=4)
    assert task_of("task: {subject: {from: topic}}\n") == LeadTask("Follow up", line=4)


def test_what_is_too_long_is_cut_and_noted() -> None:
    mapping = load_mapping(HEAD + "task: {subject: {from: topic}}\n", "m.yaml", name="m")
    lead = mapping.map_record({"e": "a@example.com", "topic": "x" * 300})
    assert lead.task is not None
    assert len(lead.task.subject) == 255
    assert [(one.field, one.reason, one.is_fatal) for one in lead.problems] == [("task.subject", "cut_to_length", False)]


def test_a_condition_decides_and_an_unknown_is_no() -> None:
    text = "task: {subject: Call, when: 'record.budget > 10000 and lead.Email != \"b@example.com\"'}\n"
    assert task_of(text, budget=10_001) is not None
    assert task_of(text, budget=10_000) is None
    assert task_of(text) is None
    assert task_of(text, budget=20_000, e="b@example.com") is None


def test_a_skipped_or_refused_record_asks_for_none() -> None:
    text = "task: {subject: Call}\nskip_when: 'record.skip == \"yes\"'\n"
    assert task_of(text, skip="yes") is None
    assert task_of(text) is not None
    assert task_of(text, e="nonsense") is None, "nobody can be told from it"


def test_the_orgs_picklists_are_asked() -> None:
    fields = {
        "Priority": FieldSchema("Priority", "picklist", picklist=("High", "Normal")),
        "Status": FieldSchema("Status", "picklist"),
    }
    lead = ObjectSchema("Lead", {"Email": FieldSchema("Email", "email", length=80)})
    org = OrgSchema({"Lead": lead, "Task": ObjectSchema("Task", fields)})
    text = HEAD + "task: {subject: Call, priority: Hihg, status: Whatever}\n"
    with pytest.raises(ConfigError) as refused:
        load_mapping(text, "m.yaml", name="m", org=org)
    assert [(one.line, one.column) for one in refused.value.problems] == [(4, 33)]
    assert 'Did you mean "High"?' in str(refused.value)
    load_mapping(text, "m.yaml", name="m", org=OrgSchema({"Lead": lead}))


def test_a_task_is_part_of_what_a_mapping_means() -> None:
    digests = {
        load_mapping(HEAD + text, "m.yaml", name="m").digest
        for text in ("", "task: {subject: Call}\n", "task: {subject: Call, due_in_days: 1}\n")
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ("true", True), ("false", False), ("null", False), ("{subject: Call}", True), ("{subject: Cal}", False),
        ("{subject: Call, due_in_days: 1, priority: Normal, status: Not Started, description: ''}", True),
    ],
)  # fmt: skip
def test_a_test_of_the_file_may_expect_a_task(expected: str, holds: bool) -> None:
    text = f"task: {{subject: Call, due_in_days: 1}}\ntests:\n  - record: {{e: a@example.com}}\n    task: {expected}\n"
    problems = load_mapping(HEAD + text, "m.yaml", name="m").run_tests()
    assert ([one.line for one in problems] == []) is holds


def test_a_lead_of_an_older_version_decodes_and_a_new_one_without_task_looks_like_it() -> None:
    old = b'{"fields":{"Email":{"value":"a@example.com"}}}'
    lead = msgspec.json.decode(old, type=Lead)
    assert lead.task is None
    assert msgspec.json.encode(lead) == old
    asking = msgspec.structs.replace(lead, task=LeadTask("Call", 1))
    assert msgspec.json.decode(msgspec.json.encode(asking), type=Lead) == asking


def test_editors_are_told_of_every_key() -> None:
    schema = mapping_schema()
    assert set(schema["properties"]["task"]["properties"]) == {
        "subject",
        "due_in_days",
        "priority",
        "status",
        "description",
        "when",
    }
    assert "overwrite" not in schema["$defs"]["text"]["properties"]
