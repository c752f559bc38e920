"""Breaks of what advertising platforms are told: of who did not agree, twice, never, or too late; a win that stands though the deal is lost."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FEEDBACK = "syncd/plan/feedback.py"
TOLD = "syncd/plan/told.py"
RUN = "syncd/run/acting.py"
ERRAND = "syncd/run/errand.py"
TELLING = "syncd/connector/telling.py"
TESTS = "tests/integration/test_feedback.py"
SENT = "tests/unit/connectors/test_telling.py"

REVIEWED = "tests/integration/test_feedback_review.py"

MUTANTS = [
    Mutant(
        "a platform is told without consent",
        FEEDBACK,
        '        if proof is None and one.options.get("needs_consent") != "false":\n            return "no_consent"\n',
        "",
        (TESTS, "without_the_stated_consent"),
        also=((FEEDBACK, 'is None:\n            return "no_consent"', 'is None:\n            return ""'),),
    ),
    Mutant(
        "nobody asks for consent again before a platform is told",
        FEEDBACK,
        'is None:\n            return "no_consent"',
        'is None:\n            return ""',
        (TESTS, "consent_that_is_gone"),
    ),
    Mutant(
        "a platform is told of who opted out while it waited",
        FEEDBACK,
        '        if has_opted_out(self._view):\n            return "opted_out"\n        if one.fields',
        "        if one.fields",
        (TESTS, "also_while_it_waits"),
    ),
    Mutant(
        "a newer word against it ends no consent",
        "syncd/plan/proof.py",
        "return last if last is not None and all(one < last for one in otherwise) else None",
        "return last",
        ("tests/unit/plan/test_proof.py", "newer_word"),
    ),
    Mutant(
        "an address goes out without proof",
        TELLING,
        "if action.email and action.consent_at is not None",
        "if action.email",
        (SENT, "no_hash or did_not_agree"),
    ),
    Mutant(
        "an address is hashed as it was typed",
        TELLING,
        '"".join(address.split()).lower()',
        "address",
        (SENT, "small_letters"),
    ),
    Mutant(
        "what was told is told again",
        FEEDBACK,
        "if key in found or (tries and not self._was_dropped(tries)):",
        "if key in found:",
        (TESTS, "whole_way"),
    ),
    Mutant(
        "a win stands though the deal is lost",
        FEEDBACK,
        "for key, told in reversals(self._tries, self._won, self._terms, self._view.person_id, secret, now):",
        "for key, told in ():",
        (TESTS, "loss_takes_the_win_back"),
    ),
    Mutant(
        "a win stands whose answer was lost",
        TOLD,
        "(was_given_up and ANSWER_LOST in (one.code, one.message))",
        "False",
        (TESTS, "win_in_doubt"),
    ),
    Mutant(
        "a deal that is lost before it left is told",
        FEEDBACK,
        'return "" if wanted is None or self._deals.get(deal_id) is wanted else "not_so_now"',
        'return ""',
        (TESTS, "lost_before_it_left"),
    ),
    Mutant(
        "nobody is planned again for a deal that left them",
        "syncd/store/standing.py",
        "    mark_told_of(connection, deals)\n",
        "",
        (REVIEWED, "deal_has_left_the_contact"),
    ),
    Mutant(
        "of a deal that left nobody asks how it is",
        "syncd/run/standards.py",
        "ids for view in views if view.actions and",
        "ids for view in views if not view.actions and",
        (REVIEWED, "deal_has_left_the_contact"),
    ),
    Mutant(
        "a deal that is won again is taken back all the same",
        FEEDBACK,
        'return "not_so_now" if deal is not None and deal.state is DealState.WON else ""',
        'return ""',
        (REVIEWED, "won_again_before"),
    ),
    Mutant(
        "wins that no rule tells are watched no more",
        "syncd/run/mirror.py",
        "if ctx.policy.programs and ctx.store.holds_wins(ctx.clock.now())",
        "if False",
        (REVIEWED, "nothing_is_told_any_more"),
    ),
    Mutant(
        "wins are watched for ever",
        "syncd/store/decisions.py",
        "d.rule == TOLD_WON, d.due_at > now",
        "d.rule == TOLD_WON",
        (REVIEWED, "and_no_longer"),
    ),
    Mutant(
        "two take a deal back under one id",
        TOLD,
        "key[2] and key[1] != RETRACTED",
        "key[2]",
        (REVIEWED, "two_were_told_of"),
    ),
    Mutant(
        "of somebody who left the org nothing is taken back",
        RUN,
        "(record is None and not is_reversal)",
        "record is None",
        (REVIEWED, "person_has_left_the_org"),
    ),
    Mutant(
        "Google is told too early",
        RUN,
        "if is_early(one, self._ctx.clock.now()):",
        "if False:",
        (TESTS, "whole_way"),
    ),
    Mutant(
        "an old click is sent",
        FEEDBACK,
        "        if is_too_late:\n            known_as = {}\n",
        "",
        (TESTS, "too_old_for_google"),
    ),
    Mutant(
        "what waited too long is sent",
        FEEDBACK,
        "if not_after is not None and now > not_after:",
        "if False:",
        (TESTS, "takes_it_no_longer"),
    ),
    Mutant(
        "another name of a rule loses what waited",
        FEEDBACK,
        '_DROPPED = ("rule_gone", "source_gone")',
        '_DROPPED = ("source_gone",)',
        (TESTS, "another_name"),
    ),
    Mutant(
        "a deal has an id for each contact",
        TOLD,
        '("" if is_shared else person_id, *key)',
        "(person_id, *key)",
        (TESTS, "another_contact"),
    ),
    Mutant(
        "an event in doubt is sent to Meta again",
        "connectors/meta/__init__.py",
        "repeats_safely = False",
        "repeats_safely = True",
        (TESTS, "a_person_is_asked"),
    ),
    Mutant(
        "a refusal of Google's counts as told",
        "connectors/google_ads/conversions.py",
        '    failure = said.get("partialFailureError")\n',
        "    failure = None\n",
        (TESTS, "refusal_is_a_dead_letter"),
    ),
    Mutant(
        "how a deal ended is guessed",
        "syncd/store/deals.py",
        "if not said.IsClosed or said.IsWon is not None or is_deleted:",
        "if True:",
        ("tests/contract/test_store_deals.py", "nobody_knows"),
    ),
]
