"""Breaks of actions at sources: mailed against somebody's word, done twice, set off by ourselves, or by what is no news."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

ACTING = "tests/integration/test_acting.py"
ESCALATION = "tests/integration/test_escalation.py"
STORE = "tests/contract/test_store_actions.py"
PROPERTY = "tests/property/test_acting.py"
RUN = "syncd/run/acting.py"
ERRAND = "syncd/run/errand.py"

MUTANTS = [
    Mutant(
        "nobody looks for an opt-out before the action is sent",
        RUN,
        'if one.fields["action"] in FOR_MAILING and has_opted_out(view):',
        "if False:",
        (ACTING, "nobody_who_has_opted_out"),
    ),
    Mutant(
        "the org is not asked for an opt-out before the action is sent",
        RUN,
        "            self._look(views)\n",
        "",
        (ACTING, "said_a_second_ago"),
    ),
    Mutant(
        "what is in doubt is sent again",
        ERRAND,
        "            self._ask(one)\n",
        '            self._again(one, "x")\n',
        (ACTING, "journey_in_doubt"),
    ),
    Mutant(
        "the vendor gets no time",
        ERRAND,
        "is_over = one.sent_at is None or",
        "is_over = True or",
        (ACTING, "had_its_time"),
    ),
    Mutant(
        "a tag overtakes its enrolment",
        ERRAND,
        "if one.person_id not in self._stuck:",
        "if one.person_id:",
        (ACTING, "never_overtakes"),
    ),
    Mutant(
        "our own change is a touch",
        "syncd/plan/own_echo.py",
        "return not any(instant > self.sent_at for instant in instants_in(consent))",
        "return False",
        (ACTING, "our_own_change"),
    ),
    Mutant(
        "a sandbox org is like any other",
        "syncd/run/standards.py",
        "return ctx.settings.may_act_from_sandbox or not session.identity.is_sandbox",
        "return True",
        (ACTING, "sandbox_org"),
    ),
    Mutant(
        "back-fills set things off",
        "syncd/run/standards.py",
        "is_old=is_old(view, self._starts) and not is_led_by_person(facts)",
        "is_old=False",
        (ACTING, "back_fills"),
    ),
    Mutant(
        "a changed policy mails at once",
        "syncd/run/planning.py",
        "state=OperationState.HELD) if is_unsettled else operation",
        "state=OperationState.HELD) if False else operation",
        (ACTING, "mail_too_many"),
    ),
    Mutant(
        "an action is made again on each plan",
        "syncd/plan/source_actions.py",
        "if not is_waiting and action_id not in self._tries:",
        "if True:",
        (PROPERTY, "comes_once"),
    ),
    Mutant(
        "the owner is taken from a rep again and again",
        "syncd/plan/field_actions.py",
        "elif _was_written(one, name, view, record) or same(value, theirs, field):",
        "elif False:",
        (ESCALATION, "in_one_write"),
    ),
    Mutant(
        "an action under way holds its person",
        "syncd/store/people.py",
        'o.kind != "action")',
        'o.kind != "-")',
        (STORE, "holds_up_nobody"),
    ),
]
