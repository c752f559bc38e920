"""Breaks of deletions after retention: without an export, of what somebody has touched, uncounted, or as if nobody had done it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PASSES = "tests/integration/test_retention.py"
RULES = "tests/unit/policy/test_deleting.py"
UNIT = "tests/unit/plan/test_deletions.py"
STORE = "tests/contract/test_store_exports.py"
DELETING = "syncd/run/deleting.py"
PLAN = "syncd/plan/deletions.py"

MUTANTS = [
    Mutant(
        "what is in the lead is not compared with the export",
        DELETING,
        "lead.digest == exported_digest(row, session.schema)",
        "lead.digest",
        (PASSES, "field_that_was_added"),
    ),
    Mutant(
        "an export counts for ever",
        PLAN,
        'return "" if exported.stamp == row.stamp else OUTDATED',
        'return ""',
        (PASSES, "org_itself_changed"),
    ),
    Mutant("deletions are not counted", PLAN, "is_guarded=True,", "is_guarded=False,", (PASSES, "guard_stops")),
    Mutant(
        "nobody looks again before a deletion",
        DELETING,
        "if not _is_due(one, views.get(one.person_id), verdicts.get(one.person_id)):",
        "if one.operation_id not in {other.operation_id for other in held}:",
        (PASSES, "while_the_guard_counts"),
    ),
    Mutant(
        "our own deletion is a person's",
        "syncd/store/echoes.py",
        '_GONE = ("delete", "expire")',
        '_GONE = ("delete",)',
        (STORE, "by_our_own_hand"),
    ),
    Mutant(
        "our own write hides a person's edit",
        "syncd/store/echoes.py",
        'record.update(other_by=record["modified_by"], other_at=record["stamp"])',
        "pass",
        (STORE, "before_the_last_one"),
    ),
    Mutant(
        "what a person has edited is deleted",
        "syncd/policy/deleting.py",
        "if edited_at is not None and edited_at > archived_at - _SKEW:",
        "if edited_at is None and archived_at is None:",
        (RULES, "unless_everything_holds"),
    ),
    Mutant(
        "what anybody has archived is deleted",
        "syncd/plan/facts.py",
        "for move in reversed(view.moves):",
        "for move in view.moves:",
        (UNIT, "last_move"),
    ),
    Mutant(
        "every newer record brings the lead back",
        "syncd/plan/planner.py",
        "self._decision.is_wanted_again if is_expired else",
        "is_newer if is_expired else",
        (PASSES, "same_records_and_a_profile"),
    ),
    Mutant(
        "an opt-out goes with the lead",
        "syncd/plan/planner.py",
        "for name, reason in kept_opt_outs(self._view).items():",
        "for name, reason in kept_opt_outs(self._view).items() if self._open else ():",
        (PASSES, "new_intent_brings"),
    ),
    Mutant(
        "half an export counts",
        "syncd/store/exports.py",
        "here = and_(among(connection, x.sf_id, part), e.is_verified)",
        "here = among(connection, x.sf_id, part)",
        (STORE, "half_an_export"),
    ),
    Mutant(
        "what was taken out of the recycle bin is deleted again",
        PLAN,
        'return "restored_by_person"',
        'return ""',
        (UNIT, "recycle_bin"),
    ),
]
