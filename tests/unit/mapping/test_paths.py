"""Where a path leads, and what is no path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.mapping import load_mapping
from syncd.mapping.paths import Joined, find, find_all, getter_of, path_of

RECORD: dict[str, Any] = {
    "merge_fields": {"FNAME": "Ada", "a.b": "dotted", "EMPTY": "", "NULL": None},
    "tags": [{"id": 7, "name": "webinar"}, {"id": 8, "name": " "}, {"id": 9, "name": "fair"}, "loose", None],
    "interests": {"9f1a": True, "77b2": False, "c3": True},
    "stats": {"opens": 3, "clicks": 0, "deep": {"x": 1}},
    "marketing_permissions": [
        {"text": "Email", "enabled": True},
        {"text": "Post", "enabled": False},
        {"text": "Phone", "enabled": True, "how": {"via": "app"}},
    ],
    "answers": [
        {"field": {"ref": "name"}, "text": "Ada"},
        {"field": {"ref": "email"}, "email": "ada@example.com"},
        {"field": {"ref": "score"}, "number": 7},
    ],
    "Budget [EUR]": 12,
    "Size[cm]": 3,
    "Tel.": "1",
    "E*": "star",
    "a[b=c]": "whole",
    "empty": [],
}


@pytest.mark.parametrize(
    ("text", "first", "every"),
    [
        ("merge_fields.FNAME", "Ada", ["Ada"]),
        ("merge_fields.NULL", None, []),
        ("tags.0.name", "webinar", ["webinar"]),
        ("tags.9.name", None, []),
        ("tags.*.name", "webinar", ["webinar", " ", "fair"]),
        ("tags.*.id", 7, [7, 8, 9]),
        ("tags.*", "loose", ["loose"]),
        ("tags[name=fair].id", 9, [9]),
        ("tags[id=8].name", None, [" "]),
        ("tags[id=99].name", None, []),
        ("interests.*", "9f1a", ["9f1a", "c3"]),
        ("interests.9f1a", True, [True]),
        ("stats.*", 3, [3, 0]),
        ("marketing_permissions[enabled=true].text", "Email", ["Email", "Phone"]),
        ("marketing_permissions[enabled=true][text=Phone].how.via", "app", ["app"]),
        ("marketing_permissions[how.via=app].text", "Phone", ["Phone"]),
        ("answers[field.ref=email].email", "ada@example.com", ["ada@example.com"]),
        ("answers[field.ref=score].number", 7, [7]),
        ("answers[ field.ref = score ].number", 7, [7]),
        ("answers[field=email].email", None, []),
        ("merge_fields[FNAME=Ada].FNAME", "Ada", ["Ada"]),
        ("Budget [EUR]", 12, [12]),
        ("Size[cm]", 3, [3]),
        ("Tel.", "1", ["1"]),
        ("E*", "star", ["star"]),
        ("a[b=c]", "whole", ["whole"]),
        ("nothing.*.x", None, []),
        ("nothing[a=b]", None, []),
        ("merge_fields.FNAME.*", None, []),
        ("merge_fields[FNAME=Ada].x", None, []),
        ("empty.*", None, []),
    ],
)
def test_a_path_leads_to_its_values(text: str, first: Any, every: list[Any]) -> None:
    path = path_of(text)
    assert find(RECORD, path) == first
    assert find_all(RECORD, path) == every


def test_a_key_that_is_called_like_a_wide_path_and_holds_nothing_is_nothing() -> None:
    record = {"a[b=true].c": None, "a": [{"b": True, "c": 1}]}
    paths = (path_of("a[b=true].c"), path_of("a"))
    assert find_all(record, paths[0]) == []
    assert getter_of(Joined(paths, "; "))(record) is None


@pytest.mark.parametrize(
    "text",
    [
        "marketing_permissions[enabled=true.text",
        "marketing_permissions[=true].text",
        "marketing_permissions[enabled=true]text",
        "marketing_permissions[enabled=true]..text",
        "marketing_permissions[enabled=true].",
        "marketing_permissions[a..b=true].text",
        "[enabled=true].text",
        "tags[0].name",
        "tags[name].id",
        "tags.*.",
        ".*",
        "tags[a=[b]].x",
    ],
)
@pytest.mark.parametrize("where", ["lead", "list", "region", "touch", "at", "consent"])
def test_what_begins_like_a_wide_path_and_is_none_is_told_with_its_place(text: str, where: str) -> None:
    lines = {
        "lead": f'  X__c: {{from: "{text}"}}\n',
        "list": f'  X__c: {{from: [a, "{text}"]}}\n',
        "region": f'  Phone: {{from: p, as: phone, region: {{from: "{text}"}}}}\n',
        "touch": f'  Email: {{from: e}}\ntouch: {{source_url: "{text}"}}\n',
        "at": f'  Email: {{from: e}}\ntouch: {{at: "{text}"}}\n',
        "consent": f'  Email: {{from: e}}\ntouch: {{consent: {{from: ["{text}"], as: join}}}}\n',
    }
    document = f"version: 1\nlead:\n{lines[where]}"
    with pytest.raises(ConfigError) as refused:
        load_mapping(document, "m.yaml", name="m")
    (problem,) = refused.value.problems
    line = document.splitlines().index(next(one for one in document.splitlines() if text in one)) + 1
    assert (problem.line, problem.column) == (line, document.splitlines()[line - 1].index(f'"{text}"') + 1)
    assert f'The path "{text}"' in problem.message


def mapped(lines: str, record: dict[str, Any]) -> dict[str, Any]:
    mapping = load_mapping(f"version: 1\nlead:\n  Email: {{from: e}}\n{lines}", "m.yaml", name="m")
    lead = mapping.map_record(record)
    return {name: one.value for name, one in lead.fields.items()} | {"consent": lead.touch.consent}


def test_an_ordinary_line_takes_the_first_and_join_takes_all() -> None:
    found = mapped(
        '  Title: {from: tags.*.name}\n  X__c: {from: [first, tags.*.name, interests.*], as: join, separator: ";"}\n',
        {**RECORD, "first": "one"},
    )
    assert found["Title"] == "webinar"
    assert found["X__c"] == "one;webinar;fair;9f1a;c3"


def test_evidence_of_consent_is_one_value_or_all_of_them_joined() -> None:
    single = mapped('touch: {consent: [nothing, "marketing_permissions[enabled=true].text"]}\n', RECORD)
    assert single["consent"] == "Email"
    every = (
        'touch: {consent: {from: [nothing, "marketing_permissions[enabled=true].text", tags.*.id], as: join, separator: " | "}}\n'
    )
    assert mapped(every, RECORD)["consent"] == "Email | Phone | 7 | 8 | 9"
    assert mapped(every, {})["consent"] == ""


def test_evidence_is_joined_or_not_transformed_at_all() -> None:
    with pytest.raises(ConfigError, match="as: join"):
        load_mapping("version: 1\nlead:\n  Email: {from: e}\ntouch: {consent: {from: a, as: upper}}\n", "m.yaml", name="m")
    with pytest.raises(ConfigError, match='has no key "sep"'):
        load_mapping("version: 1\nlead:\n  Email: {from: e}\ntouch: {consent: {from: a, sep: x}}\n", "m.yaml", name="m")


def test_the_examples_in_the_mailchimp_mapping_work_when_they_are_taken_out_of_their_comments() -> None:
    text = (Path(__file__).parents[3] / "mappings" / "mailchimp.yaml").read_text(encoding="utf-8")
    wanted = ("Mailchimp_Tags__c", "Wants_Events__c", "Mailchimp_Groups__c", "Mail_Permission__c")
    for name in wanted:
        assert f"  # {name}: " in text
        text = text.replace(f"  # {name}: ", f"  {name}: ")
    mapping = load_mapping(text, "mailchimp.yaml", name="mailchimp")
    assert mapping.run_tests() == []
    record = {**RECORD, "email_address": "ada@example.com", "interests": {"9f1a2b3c4d": True, "0": False}}
    fields = mapping.map_record(record).fields
    assert {name: fields[name].value for name in wanted} == {
        "Mailchimp_Tags__c": "webinar;fair",
        "Wants_Events__c": True,
        "Mailchimp_Groups__c": "9f1a2b3c4d",
        "Mail_Permission__c": True,
    }
