"""Whatever stands in policy.yaml: it is a Policy or a ConfigError with places, never another exception, and soon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.document import parse_document
from syncd.errors import ConfigError, ConfigProblem
from syncd.policy import Policy, check_policy, keys, load_policy, run_tests
from syncd.policy.model import ActionKind

FILES = sorted((Path(__file__).parents[2] / "mappings" / "policies").glob("*.yaml"))
TEXTS = [path.read_text(encoding="utf-8") for path in FILES]
DOCUMENTS = [parse_document(text, path.name).plain() for text, path in zip(TEXTS, FILES, strict=True)]
TABLES = (
    keys.TOP, keys.FIELDS, keys.CONSENT, keys.PROGRAM, keys.STATUS, keys.TRANSITION, keys.STANDARDS, keys.CRITERION, keys.SCORING,
    keys.RULE, *keys.SECTIONS.values(), keys.MEANS, *keys.ACTIONS.values(), keys.SOURCE_ACTION, keys.TEST, keys.GIVEN, keys.EXPECT,
)  # fmt: skip
WORDS = sorted({key.name for table in TABLES for key in table} | {kind.value for kind in ActionKind})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(WORDS),
    st.sampled_from(["any", "New", "qualified", "score > 3", "criteria.need", "days_in_status >= now", "lead.X__c == 1", "queue:A", "1" * 400]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), inner, max_size=5)),
    max_leaves=25,
)  # fmt: skip
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def judged(text: str) -> Policy | tuple[ConfigProblem, ...]:
    """The policy, or why there is none."""
    try:
        policy = load_policy(text, "p.yaml", sources={"newsletter": "mailchimp"})
    except ConfigError as error:
        return error.problems
    check_policy(policy)
    run_tests(policy)
    return policy


def is_well_told(text: str) -> bool:
    """Whether it is a policy, or is refused with sentences about places that are in the file."""
    found = judged(text)
    lines = len(text.splitlines()) + 1
    return isinstance(found, Policy) or (bool(found) and all(one.message and 0 <= one.line <= lines for one in found))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path of a document."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for step, one in steps for below in places(one, (*path, step)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The document with something else at `path`."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@QUICK
@given(st.data())
def test_a_right_policy_with_anything_in_any_place(data: st.DataObject) -> None:
    """JSON is YAML, so documents are written as that."""
    document = data.draw(st.sampled_from(DOCUMENTS))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        document = replaced(document, path, data.draw(VALUES))
    assert is_well_told(json.dumps(document))


@QUICK
@given(st.dictionaries(st.sampled_from(keys.names(keys.TOP)), VALUES, max_size=8))
def test_the_words_of_the_language_in_any_order(document: dict[str, Any]) -> None:
    assert is_well_told(json.dumps({"version": 1, **document}))


@QUICK
@given(st.sampled_from(TEXTS), st.integers(0, 20_000), st.integers(0, 400), st.text(max_size=6))
@example(TEXTS[0], 0, 0, "\ufeff")
@example(TEXTS[0], 0, 0, 'a: "\\ud800"\n')
def test_a_right_policy_with_a_piece_torn_out(text: str, at: int, length: int, put: str) -> None:
    at %= len(text)
    assert is_well_told(text[:at] + put + text[at + length :])


def test_aliases_that_multiply_end_in_a_refusal() -> None:
    """A few lines that would mean a document of millions of parts."""
    lines = ["version: 1", "a: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
    assert not isinstance(judged("\n".join(lines)), Policy)


def test_the_largest_files_end_soon() -> None:
    """Nothing but unknown keys, rules, problems or transitions up to the limit of characters."""
    program = "version: 1\nprograms:\n  p:\n    statuses: {A: , B: }\n"
    many_keys = "version: 1\n" + "".join(f"k{n}: 1\n" for n in range(20_000))
    many_rules = program + "rules:\n" + "".join(f"  - {{id: r{n}, form: A, too: B, wen: 'scor > {n}'}}\n" for n in range(4_000))
    many_wrong = program + "rules:\n" + "".join(f"  - {{id: r{n}, from: Aa, to: Bb, when: 'scor > {n}'}}\n" for n in range(390))
    many_moves = program + "    transitions:\n" + "      - {from: [A, B], to: [B, A]}\n" * 4_000
    for text in (many_keys, many_rules, many_wrong, many_moves):
        assert not isinstance(judged(text[:199_000].rpartition("\n")[0]), Policy)


def test_the_largest_right_policy_is_checked_soon() -> None:
    """As many rules as there may be, each move allowed, conditions of many parts that never exclude each other."""
    names = [f"S{n}" for n in range(60)]
    head = "version: 1\nprograms:\n  p:\n    statuses:\n" + "".join(f"      {name}:\n" for name in names)
    moves = "    transitions:\n" + "".join(f"      - {{from: any, to: {name}}}\n" for name in names)
    when = " and ".join(f"lead.F{n}__c > {{0}}" for n in range(18))
    rules = "rules:\n" + "".join(f"  - {{id: r{n}, to: S{n % 60}, when: '{when.replace('{0}', str(n))}'}}\n" for n in range(400))
    policy = judged(head + moves + rules)
    assert isinstance(policy, Policy)
    assert len(policy.rules) == 400
