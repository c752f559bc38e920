"""Deliberate breaks of the guarantees: each must turn a named test red, or the test proves nothing (STYLE 7).

The tree is copied, a text is replaced, and the named tests run on the copy. The breaks of Mailchimp are in mailchimp.py,
those of receiving in intake.py, those of tasks in tasks.py, those of actions at sources in acting.py, those of what is
announced in two_ways.py, those of deletions in retention.py, those of the export to Xactly in xactly.py, those of opt-outs
that travel in opt_outs.py, those of what ad platforms are told in feedback.py, those of erasures in erasure.py, those of lost sources in
outages.py, those of newcomers in newcomers.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants import (
    acting,
    erasure,
    feedback,
    intake,
    mailchimp,
    newcomers,
    opt_outs,
    outages,
    retention,
    tasks,
    two_ways,
    xactly,
)
from tests.mutants.mutant import Mutant
from tests.mutants.stage import Stage

ROOT = Path(__file__).parents[2]
DELIVERY = "tests/integration/test_delivery.py"
BATCHES = "tests/integration/test_batches_under_way.py"
RACES = "tests/integration/test_races.py"
STORE = "tests/contract/test_store.py"
CONVERSIONS = "tests/integration/test_conversions.py"


MUTANTS = [
    Mutant(
        "a plan of older facts clears a newer mark",
        "syncd/store/tables.py",
        '"marks": person.c.marks + 1}',
        '"marks": person.c.marks}',
        ("tests/contract/test_store_lanes.py", "while_a_plan_is_made"),
    ),
    Mutant(
        "nobody takes along what a plan has seen",
        "syncd/plan/planner.py",
        "            marks=self._view.marks,\n",
        "",
        (CONVERSIONS, "mirror_learns"),
    ),
    Mutant(
        "a question that the policy asks no longer stays open",
        "syncd/plan/planner.py",
        'return ("conversion",) if is_over else ()',
        "return ()",
        (CONVERSIONS, "not_to_be_converted_any_more"),
    ),
    Mutant(
        "a question that was settled is never asked again",
        "syncd/store/people.py",
        "reopen(connection, [plan.person_id for plan in free if kind in plan.asked_again], kind)",
        "pass",
        (CONVERSIONS, "not_to_be_converted_any_more"),
    ),
    Mutant(
        "cursor saved before the data",
        "syncd/store/inbox.py",
        "if index == len(parts) - 1:",
        "if index == 0:",
        (STORE, "cursor_does_not_move"),
    ),
    Mutant(
        "base := seen",
        "syncd/store/mirror.py",
        "    values = org_row_values(row)\n    if known is None:",
        "    values = org_row_values(row) | {'base': dumps(row.fields)}\n    if known is None:",
        (DELIVERY, "reps_edit_survives"),
    ),
    Mutant(
        "stamp ignored", "syncd/store/mirror.py", "if row.stamp < known.stamp:", "if False:", (STORE, "higher_or_equal_stamp")
    ),
    Mutant(
        "records of one batch do not see each other",
        "syncd/identity/resolve.py",
        "        for key in resolution.claims:",
        "        for key in resolution.claims[:1]:",
        (DELIVERY, "two_scans"),
    ),
    Mutant(
        "records of batches under way do not see each other",
        "syncd/run/advance.py",
        "                last = count\n",
        "                last = 0\n",
        (BATCHES, "comes_in_two_batches"),
    ),
    Mutant(
        "batches that share a commit fall together",
        "syncd/run/storing.py",
        "            if len(taken) == 1:\n",
        "            if taken:\n",
        ("tests/unit/run/test_storing.py", "costs_the_others_nothing"),
    ),
    Mutant(
        "what is resolved anew counts twice",
        "syncd/run/advance.py",
        "            self._ctx.creates_sent -= advanced.creates\n",
        "",
        (BATCHES, "claims_were_taken"),
    ),
    Mutant(
        "claims not checked",
        "syncd/store/resolved.py",
        "if any(redirects.get(owner, owner) != wanted[key] for key, owner in found.items()):",
        "if False:",
        (STORE, "claim_belongs_to_one_person"),
    ),
    Mutant(
        "assignment on a repeated create",
        "syncd/run/newcomers.py",
        "if by_rule and (view.was_create_sent or is_old(view, starts)):",
        "if by_rule and is_old(view, starts):",
        (RACES, "repeated_create"),
    ),
    Mutant(
        "assignment on update",
        "syncd/salesforce/line.py",
        'NO_ASSIGNMENT = {"Sforce-Auto-Assign": "FALSE"}',
        'NO_ASSIGNMENT = {"Sforce-Auto-Assign": "TRUE"}',
        (DELIVERY, "assignment_runs_once"),
    ),
    Mutant(
        "a person's edit taken for our echo",
        "syncd/run/echo.py",
        "base[name] = held if is_machine or same(held, sent, field) else sent",
        "base[name] = held",
        (RACES, "between_the_write_and_its_echo"),
    ),
    Mutant(
        "the sent value taken for the echo",
        "syncd/run/echo.py",
        "base[name] = held if is_machine or same(held, sent, field) else sent",
        "base[name] = sent",
        (DELIVERY, "what_the_org_makes_of_a_value"),
    ),
    Mutant(
        "no look before the write",
        "syncd/run/push.py",
        "            self._reread(targets)\n            touched",
        "            touched",
        (RACES, "between_the_look_at_the_org_and_the_write"),
    ),
    Mutant(
        "no look before the create",
        "syncd/run/push.py",
        "settled = settle_late_matches(self._ctx, views, plans)",
        "settled: set[str] = set()",
        (RACES, "typed_in_while"),
    ),
    Mutant(
        "clearing is no edit",
        "syncd/plan/verdict.py",
        "    if not has_base:\n        if is_blank",
        "    if not has_base or is_blank(theirs, field):\n        if is_blank",
        (DELIVERY, "cleared_field_is_an_edit"),
    ),
    Mutant(
        "groups fall apart",
        "syncd/plan/fields.py",
        "    _keep_groups(verdicts, golden, record, schema)\n",
        "",
        (DELIVERY, "keeps_the_whole_address"),
    ),
    Mutant(
        "newest by arrival",
        "syncd/plan/survivorship.py",
        "(record.source_at, record.position, record.ref), reverse=True)",
        "(0, record.position, record.ref), reverse=True)",
        (DELIVERY, "back_fill_cannot_roll_back or reps_edit_survives"),
    ),
    Mutant(
        "consent waits for the fields",
        "syncd/plan/planner.py",
        'if ("Lead", target.row.sf_id) not in busy:',
        "if busy.clear() is None and self._operations.clear() is None:",
        (DELIVERY, "opt_out_goes_alone"),
    ),
    Mutant(
        "consent only where it is ours",
        "syncd/plan/consent.py",
        "for record in (*view.candidates, *view.org_records)",
        "for record in view.org_records",
        (DELIVERY, "several_matches"),
    ),
    Mutant(
        "skip_when swallows a withdrawal",
        "syncd/run/resolving.py",
        'elif lead.opt_outs and one.reason != "older_version":',
        "elif False:",
        (DELIVERY, "skipped_record_still"),
    ),
    Mutant(
        "one mailbox, one person, whatever the name",
        "syncd/identity/match.py",
        '    return any(names_agree(names.first, names.last, one.first_name, one.last_name) == "clash" for one in members)',
        "    return False",
        (DELIVERY, "two_names_on_one_mailbox"),
    ),
    Mutant(
        "colleagues merged by their switchboard",
        "syncd/identity/match.py",
        '        if not names.last or not one.last_name or names_agree("", names.last, "", one.last_name) != "agree":\n            continue',
        '        if names.last:\n            return "strong"',
        (DELIVERY, "switchboard"),
    ),
    Mutant(
        "the first of several matches taken",
        "syncd/identity/resolve.py",
        "    if len(groups) > 1:",
        "    if False:",
        (DELIVERY, "several_matches"),
    ),
    Mutant(
        "a deleted lead comes back",
        "syncd/plan/planner.py",
        'elif not is_newer or self._decision.on_deleted == "skip":',
        "elif False:",
        (DELIVERY, "person_deleted_stays or on_deleted_create"),
    ),
    Mutant(
        "a refused write repeats for ever",
        "syncd/plan/planner.py",
        "        return any(\n            one.target == operation.target",
        "        return False and any(\n            one.target == operation.target",
        (DELIVERY, "opt_out_goes_alone"),
    ),
    Mutant(
        "a missed page ends as ok",
        "syncd/run/one_pass.py",
        "is_short = ctx.unfinished or left_open",
        "is_short = left_open",
        (RACES, "source_that_cannot_be_read"),
    ),
    Mutant(
        "a lost source counts as read",
        "syncd/run/ingest.py",
        "        done.reached_end = False\n        done.error = str(error)",
        "        done.error = str(error)",
        (RACES, "source_that_cannot_be_read"),
    ),
    Mutant(
        "no guard",
        "syncd/plan/guard.py",
        "if guarded < GUARD_FLOOR or guarded <= max_changed_share * known:",
        "if True:",
        (DELIVERY, "guard_holds"),
    ),
    Mutant("any org will do", "syncd/run/mirror.py", "if bound != identity.org_id:", "if False:", (DELIVERY, "wrong_org")),
    Mutant(
        "two engines at once",
        "syncd/store/engine.py",
        "            raise _taken(name) from error",
        "            return",
        (STORE, "only_one_engine"),
    ),
    Mutant(
        "a bad row vanishes",
        "syncd/run/resolving.py",
        "self._dead_letter(one) if one.outcome is InboxOutcome.DEAD else None",
        "None",
        (DELIVERY, "bad_rows_are_dead"),
    ),
    Mutant(
        "dead letters without end",
        "syncd/store/inbox.py",
        "            if (reject.key, reject.reason, digest) in open_now:\n                continue\n",
        "",
        (STORE, "rejects_become_dead_letters_once"),
    ),
]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A copy of what the tests need, with what was compiled of it."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("syncd", "connectors", "mappings", "tests"):
        # Others compile meanwhile: what they have not finished may be gone a moment later.
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.pyc.*"))
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    made = Stage(copy)
    yield made
    made.close()


EVERY = [
    *MUTANTS, *mailchimp.MUTANTS, *intake.MUTANTS, *tasks.MUTANTS, *acting.MUTANTS, *two_ways.MUTANTS, *retention.MUTANTS, *xactly.MUTANTS,
    *opt_outs.MUTANTS, *feedback.MUTANTS, *erasure.MUTANTS, *outages.MUTANTS, *newcomers.MUTANTS,
]  # fmt: skip


@pytest.mark.parametrize("mutant", EVERY, ids=[one.name for one in EVERY])
def test_a_break_turns_its_test_red(mutant: Mutant, stage: Stage) -> None:
    """The break is where it is thought to be, and the named test sees it."""
    kept: dict[Path, str] = {}
    try:
        for name, old, new in ((mutant.file, mutant.old, mutant.new), *mutant.also):
            path = stage.tree / name
            text = path.read_text(encoding="utf-8")
            kept.setdefault(path, text)
            assert text.count(old) >= 1, f"the text to break is gone, bring the mutant up to date: {old}"
            stage.write(path, text.replace(old, new, 1))
        code, output = stage.run(*mutant.test)
        assert code == 1, f"the break survived (exit {code}):\n{output[-2000:]}"
    finally:
        for path, text in kept.items():
            stage.write(path, text)


def test_the_named_tests_are_green_without_a_break(stage: Stage) -> None:
    """Otherwise every mutant would die for nothing."""
    code, output = stage.run(STORE, "cursor_does_not_move or stamp")
    assert code == 0, output[-2000:]


def test_a_break_is_seen_that_follows_another_at_once(stage: Stage) -> None:
    """Of the same length, in the same second: what was compiled of the first must not stand for the second."""
    path = stage.tree / "tests" / "mutants" / "test_twice.py"
    for code in (0, 1, 0):
        stage.write(path, f"def test_it() -> None:\n    assert {code} == 0\n")
        assert stage.run(f"tests/mutants/{path.name}", "it")[0] == code
