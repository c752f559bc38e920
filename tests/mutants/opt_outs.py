"""Breaks of opt-outs that travel back: not at all, twice, against a newer yes, or past the person who was asked."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PASSES = "tests/integration/test_opt_outs.py"
CRASH = "tests/crash/test_opt_out_crash_points.py"
STORE = "tests/contract/test_store_opt_outs.py"
ACTIVECAMPAIGN = "tests/unit/connectors/test_activecampaign_actions.py"
UNIT = "tests/unit/plan/test_opt_outs.py"
PROPERTY = "tests/property/test_consent.py"
PLAN = "syncd/plan/opt_outs.py"

MUTANTS = [
    Mutant(
        "a copy is made for each plan",
        PLAN,
        "if withdrawn_at >= newest.at or is_later:",
        "if False:",
        (PROPERTY, "a_copy_comes_once"),
        also=((PLAN, "if not again or is_owed(again, refused, run_id):", "if True:"),),
    ),
    Mutant(
        "a newer yes does not count",
        PLAN,
        "return given_at is not None and given_at > max([newest.at, *sent])",
        "return False",
        (UNIT, "newer_explicit_yes"),
    ),
    Mutant(
        "silence is a newer yes",
        "syncd/plan/proof.py",
        "return max(instants_in(said), default=None) if _says_yes(said) else None",
        "return max(instants_in(said), default=record.source_at) if _says_yes(said) else None",
        (UNIT, "silent_one_does_not"),
    ),
    Mutant(
        "what syncd wrote itself is a withdrawal",
        PLAN,
        "(ours if is_ours else found).append(made)",
        "found.append(made)",
        (UNIT, "no_second_withdrawal"),
    ),
    Mutant(
        "our own copy is a withdrawal",
        PLAN,
        "if not _is_own_copy(view.actions, one.ref.source, at):",
        "if True:",
        (UNIT, "our_own_copy"),
    ),
    Mutant(
        "a withdrawal is as new as its record",
        "syncd/store/resolved.py",
        "            records[index] = (*records[index][:-1], at)",
        "            pass",
        (STORE, "as_old_as_it_was"),
    ),
    Mutant(
        "copies pass the guard",
        "syncd/run/planning.py",
        "if operation.is_guarded and operation.kind is OperationKind.ACTION:",
        "if False:",
        (PASSES, "stopped_by_the_guard"),
    ),
    Mutant(
        "nobody counts the opt-outs of a user",
        "syncd/run/mirror.py",
        "    hold_storms(ctx, session)\n",
        "",
        (PASSES, "storm_waits"),
        also=(("syncd/run/acting.py", "            hold_storms(self._ctx, self._session)\n", ""),),
    ),
    Mutant(
        "what nobody has counted travels",
        PLAN,
        "elif is_ours or record.opt_out_hold != OptOutHold.NEW.value:",
        "else:",
        (UNIT, "not_counted_or_held"),
    ),
    Mutant(
        "a copy that waits is not looked at again",
        "syncd/run/acting.py",
        "            return why_not_copied(one, view, self._opt_outs.settings(), self._ctx.clock.now())\n",
        '            return ""\n',
        (PASSES, "taken_back or grows"),
    ),
    Mutant(
        "a rejected storm is let go",
        "syncd/store/opt_outs.py",
        '(OptOutHold.LET, "accepted") if is_let else (OptOutHold.KEPT, "rejected")',
        '(OptOutHold.LET, "accepted")',
        (PASSES, "rejected_storm"),
    ),
    Mutant(
        "nobody looks at the opted out of before",
        "syncd/run/one_pass.py",
        "    mark_opted_out(ctx)\n",
        "",
        (PASSES, "begins_to_take"),
    ),
    Mutant(
        "a sandbox org copies",
        "syncd/run/opt_outs.py",
        "self._may_act = may_act(ctx, session)",
        "self._may_act = True",
        (PASSES, "sandbox_org"),
    ),
    Mutant(
        "global is the source's own lists",
        "connectors/mailchimp/asked.py",
        "if scope is OptOuts.GLOBAL:",
        "if False:",
        (PASSES, "whole_account"),
    ),
    Mutant(
        "who has left one list has left them all",
        PLAN,
        "return [one for one in view.records if one.ref.source in sources]",
        "return [one for one in view.records if one.ref.source in sources and OPT_OUT_FIELD not in one.lead.opt_outs]",
        (PASSES, "one_list_first"),
    ),
    Mutant(
        "a list that was joined since is left",
        "connectors/activecampaign/asked.py",
        'return instant(one.sdate) if one.status == "1" else None',
        "return None",
        (PASSES, "leaves_a_list_of_one_vendor"),
    ),
    Mutant(
        "global is the source's own lists at ActiveCampaign",
        "connectors/activecampaign/asked.py",
        "if scope is OptOuts.GLOBAL:",
        "if False:",
        (PASSES, "scope_of_activecampaign"),
    ),
    Mutant(
        "who was asked to confirm stays on the list",
        "connectors/activecampaign/asked.py",
        'MAILED = ("0", "1")',
        'MAILED = ("1",)',
        (ACTIVECAMPAIGN, "ends_its_mail"),
    ),
    Mutant(
        "what was ticked before syncd looked is nobody's",
        "syncd/plan/storms.py",
        "found |= {user_id: theirs} if len(theirs) > limit else {}",
        "pass",
        (PASSES, "first_looked"),
    ),
    Mutant(
        "what was ticked before syncd looked is its last editor's",
        "syncd/store/mirror.py",
        'noted["opted_out_by"] = FIRST_LOOK',
        "pass",
        (PASSES, "first_looked"),
    ),
    Mutant(
        "a record that comes with the box ticked is calm",
        "syncd/store/mirror.py",
        '"opt_out_hold": OptOutHold.NEW.value}',
        '"opt_out_hold": (OptOutHold.CALM if known is None else OptOutHold.NEW).value}',
        (PASSES, "load_brings"),
    ),
    Mutant(
        "who is counted is not planned again",
        "syncd/store/opt_outs.py",
        "                if is_news:\n",
        "                if False:\n",
        (STORE, "counted_is_planned_again"),
    ),
    Mutant(
        "whose write it was is no matter to a storm",
        "syncd/run/echo.py",
        "    is_own = row.modified_by == session.identity.user_id\n",
        "    is_own = True\n",
        (PASSES, "ticks_the_box_before"),
    ),
    Mutant(
        "people who are new are asked about with a guess",
        "syncd/run/opt_outs.py",
        "        self._stops = {ref: stops for ref, stops in found.items() if not stops}",
        "        self._stops = {ref: () for ref in found}",
        (PASSES, "opted_out_before_they_came"),
    ),
    Mutant(
        "an answer that is given twice is an error",
        "syncd/store/opt_outs.py",
        "if row is not None and row.state == state:",
        "if False:",
        (STORE, "asked_about_once"),
    ),
    Mutant(
        "a held lead travels as the contact that it became",
        PLAN,
        "        elif _is_carried_over(record, view.org_records):\n            continue\n",
        "",
        (UNIT, "held_lead_became"),
    ),
    Mutant(
        "a store of before makes each change a withdrawal",
        "syncd/store/migrations/versions/0009_opt_outs.py",
        "    op.execute(_NOTE_OTHERS.bindparams(out=_OUT))\n",
        "",
        (STORE, "version_before"),
    ),
    Mutant(
        "what a process took along when it died is owed no more",
        PLAN,
        "if not again or is_owed(again, refused, run_id):",
        "if not again:",
        (CRASH, "sqlite"),
    ),
    Mutant(
        "an older no is beaten by a yes without leave",
        "syncd/plan/consent.py",
        "return not (allow_clear and one.given_at is not None",
        "return not (one.given_at is not None",
        (PROPERTY, "without_leave"),
    ),
    Mutant(
        "an older yes beats a newer no",
        "syncd/plan/consent.py",
        "one.given_at > one.withdrawn_at)",
        "True)",
        (PROPERTY, "with_leave"),
    ),
    Mutant(
        "what a rep has ticked is cleared",
        "syncd/plan/consent.py",
        "if theirs and ours_was_true and one.withdrawn_at is not None:",
        "if theirs and one.withdrawn_at is not None:",
        (PROPERTY, "no_source_clears"),
    ),
]
