"""Breaks of newcomers: made ready as if nobody knew them, and taken though somebody does."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TESTS = "tests/integration/test_newcomers.py"
PROPERTY = "tests/property/test_newcomers.py"
RESOLVING = "syncd/run/resolving.py"
READY = "syncd/run/newcomers.py"
PREPARED = "syncd/store/resolved.py"

MUTANTS = [
    Mutant("who is known is taken for new", RESOLVING, "facts.knows(_keys_of(one)) or ", "", (TESTS, "known_to_the_store")),
    Mutant(
        "the org's own word for a lost store is not heard",
        RESOLVING,
        ' or ("external_id", _ready(one).person_id) in facts.candidates',
        "",
        (TESTS, "lost_store"),
    ),
    Mutant(
        "two records of a batch with one mailbox are two people",
        RESOLVING,
        "any(keys[key] > 1 for key in _keys_of(one)) or ",
        "",
        (TESTS, "a_crowd"),
    ),
    Mutant("who was erased is new again", RESOLVING, "not known_digests.isdisjoint(one.digests)", "False", (TESTS, "was_erased")),
    Mutant(
        "newcomers do not ask the guard",
        "syncd/run/advance.py",
        "is_planned and self._planning.has_room_for(len(taken.rows))",
        "is_planned",
        (TESTS, "guard_allows"),
    ),
    Mutant(
        "newcomers do not count for the guard",
        "syncd/run/advance.py",
        "        ctx.creates_sent += sum(one.operation is not None for one in resolving.adopted)\n",
        "",
        (TESTS, "guard_allows"),
    ),
    Mutant(
        "a policy with programs is not asked",
        "syncd/run/planning.py",
        "return self._terms if self.standards is None else None",
        "return self._terms",
        (TESTS, "policy_with_programs"),
    ),
    Mutant(
        "old leads are handed out", READY, "unassigned_if_old(one, view, terms.starts) for", "one for", (TESTS, "assigned_to")
    ),
    Mutant("an opt-out that should travel stays", READY, " or mailable(view, terms.takers)", "", (PROPERTY, "whole_way")),
    Mutant("what is skipped is created", READY, " or lead.skipped", "", (PROPERTY, "whole_way")),
    Mutant("a dead letter is forgotten", READY, "return plan == plain and is_create", "return is_create", (TESTS, "set_aside")),
    Mutant(
        "nobody notes since when somebody has opted out",
        PREPARED,
        "source_at if ready.withdraws else None",
        "None",
        (TESTS, "a_crowd"),
    ),
    Mutant(
        "a newcomer's mailbox is nobody's",
        PREPARED,
        "            self.claims += [(kind, value, person_id) for kind, value in one.claims if kind != RECORD_CLAIM]\n",
        "",
        (TESTS, "a_crowd"),
    ),
]
