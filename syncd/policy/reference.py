"""The reference page of the policy, made from the code: `python -m syncd.policy.reference > docs/reference/policy.md`."""

from __future__ import annotations

import sys

from syncd.policy import keys, read_actions, read_programs, read_rules, read_tests, reading
from syncd.policy.keys import Key
from syncd.policy.model import WITH_LEAVE, ActionKind
from syncd.policy.read_sections import FOR_CONTACTS
from syncd.policy.variables import MEANINGS, SYSTEM

_HEAD = """\
# Policy reference

`mappings/policy.yaml`: your lead standards. Made from the code; do not edit.
`syncd check` checks it; with `--live` also against the statuses, fields and picklists of the org.
Three policies to start from lie in `mappings/policies/`.

A policy without `programs` sets the status of new leads and leaves everything else alone.
"""

_ORDER = """\
## In what order it is asked

One decision for each person and pass. It depends on what is known and on the clock, on nothing else, and never on the order in which touches arrived.

1. **Program**: the first whose `applies_to` holds. None: nothing happens.
2. **Score**, **criteria** in the order of the file, **qualified**.
3. **Hold**: while the day in the field `fields.hold_until` has not passed, every rule is `held`.
4. **Illegal**: the status is not in the program, or a rep made a move that is not allowed to reps: `illegal` says what happens.
5. **What moves the status**: `revive`, `rules`, `recycle` (after `after_days`), `archive`, each in the order of the file. The first that may wins.
   Contacts and converted leads have none of these.
6. **Convert**, if nothing moved the status, never on a placeholder company; with it the opportunity. Opportunities of contacts stand on their own.
7. **Delete**, if nothing moved or converts the lead: what an archive rule says in `delete:`.
8. **Actions**: `nurture`, and `do` of `recycle`, on the status that the org has already, once for each stay in it; `sla` when its time is over.
9. Rules with `enforcement: observe` say what they would have done. They move nothing and stop no other rule.

What stops a rule that moves a status:

- The program does not allow the transition to syncd.
- A person has set the present status, and the rule lacks `overrides_rep`, or nothing is newer than that: no touch, no news of a source, no day that the
  condition was waiting for.
- It would undo a change that syncd made less than `min_days_in_status` days ago.
- `archive`: an open task, a future event, a person's edit within `unedited_days`, a sign of life within `inactive_days`, a condition that has not held for
  `hold_days`.
- The status is `terminal` (only `revive` leads out of it).

Revive never listens to back-fills, opens, bounces and changes of a profile.
"""

_DELETION = """\
A lead is deleted only if all of this holds, at the moment of deletion too: this very rule of syncd archived it and it still is; nobody edited it since; the
condition holds; there is no open task and no future event; nobody holds it; nothing has happened for `after_days`; and a verified export holds it exactly
as it is (`syncd lead export --for-deletion FILE`). Deletions are held until the pass is counted, and the guard judges them.
See [Delete leads after retention](../how-to/admin/delete-leads-after-retention.md).
"""

_CLOCK = """\
## Conditions and the clock

[Expressions](expressions.md) are the language of conditions. syncd looks at a person again when the clock alone may change something, so a condition may
read the clock only in ways of which it can tell the day:

- `days_since(x)` or `days_in_status`, compared with a written number;
- `any_touch("demo", 30)` and `count_touches("demo", 30)` with written days;
- an instant or a day, compared with `now` or `today`, plus or minus a written number.

Anything else that reads the clock is refused. What only gives a value (`name`, `amount`, `fields`) may read it freely.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## Keys of the file", "", *_table(keys.TOP)]
    lines += ["## fields", "", *_table(keys.FIELDS)]
    lines += ["## consent", "", *_table(keys.CONSENT)]
    lines += ["## A program", "", *_table(keys.PROGRAM), "### A status", "", *_table(keys.STATUS)]
    lines += ["### A transition", "", *_table(keys.TRANSITION), "A converted status is set by a conversion only.", ""]
    lines += ["## standards", "", *_table(keys.STANDARDS), "### A criterion", "", *_table(keys.CRITERION)]
    lines += ["### A scoring rule", "", *_table(keys.SCORING)]
    contacts = ", ".join(f"`{one.value}`" for one in FOR_CONTACTS)
    lines += ["## Rules", "", "Every rule of every section has these keys:", "", *_table(keys.RULE)]
    lines += [f"Rules of {contacts} may have `target: contact`: they go on for somebody who was converted.", ""]
    for section, known in keys.SECTIONS.items():
        lines += [f"### {section}", "", *_table(known)]
        if section == "archive":
            lines += [
                "`means`:",
                "",
                *_table(keys.MEANS),
                "`delete`, off unless it is written:",
                "",
                *_table(keys.DELETE),
                _DELETION,
            ]
    lines += _actions()
    lines += [_ORDER, *_variables(), _CLOCK, *_tests(), *_limits()]
    return "\n".join(lines)


def _table(known: tuple[Key, ...]) -> list[str]:
    lines = ["| key | meaning | default | example |", "| --- | --- | --- | --- |"]
    for key in known:
        example = f"`{key.name}: {key.example}`".replace("|", "\\|") if key.example else ""
        lines.append(f"| `{key.name}` | {key.meaning} | {key.default} | {example} |")
    return [*lines, ""]


def _actions() -> list[str]:
    lines = ["## Actions", "", "`do: [{task: {subject: Call back today, due_in_days: 0}}]`, each with one key:", ""]
    for kind, known in keys.ACTIONS.items():
        lines += [f"### {kind}", "", *_table(known)]
    others = [kind.value for kind in ActionKind if kind.value not in keys.ACTIONS and kind is not ActionKind.CONVERSION]
    lines += [
        f"### {', '.join(others)}",
        "",
        "What a source is asked to do; what else they take is on the page of its connector.",
        "",
    ]
    lines += _table(keys.SOURCE_ACTION)
    lines += [
        "### conversion",
        "",
        "Tells an advertising platform what became of a person who came by it; what else it takes is on the page of the connector.",
        "",
        *_table(keys.CONVERSION),
    ]
    barred = ", ".join(f"`{kind.value}`" for kind in WITH_LEAVE)
    lines += [f"{barred} never reach somebody who has opted out, whatever the policy says.", ""]
    return [*lines, "`register` reaches only who has asked for it by a record of their own, and nobody twice.", ""]


def _variables() -> list[str]:
    lines = ["## Variables", "", "| variable | kind | meaning |", "| --- | --- | --- |"]
    lines.append(
        "| `lead.FIELD` | as in Salesforce | a field of Lead: the org's value where it has one, else what the sources say |"
    )
    lines.append("| `org.FIELD` | as in Salesforce | the field of the record in the org (Lead or Contact), and nothing else |")
    lines.append("| `account.FIELD` | as in Salesforce | a field of the account |")
    lines += [f"| `{name}` | {kind.value} | {meaning} |" for name, (kind, meaning) in MEANINGS.items()]
    lines.append("| `criteria.NAME` | true or false | a criterion; empty while it is unknown |")
    listed = ", ".join(f"`{name}`" for name in SYSTEM)
    return [
        *lines,
        "",
        "`score`, `criteria` and `qualified` cannot be used in `applies_to` and `scoring`; a criterion may use the score and the criteria above it;",
        "`standards.qualified` may use the score and all criteria.",
        f"Without an org the fields are those of every org, {listed}, and any that ends in `__c`.",
        "",
    ]


def _tests() -> list[str]:
    lines = ["## Tests", "", *_table(keys.TEST), "### given", "", *_table(keys.GIVEN), "### expect", ""]
    lines += ["What is not named is not looked at.", "", *_table(keys.EXPECT)]
    lines += ["Why a rule did nothing:", "", "| word | means |", "| --- | --- |"]
    return [*lines, *(f"| `{word}` | {meaning} |" for word, meaning in keys.BLOCKED.items()), ""]


def _limits() -> list[str]:
    return [
        "## Limits",
        "",
        f"A file has at most {reading.MAX_POLICY_CHARACTERS:,} characters, {read_programs.MAX_PROGRAMS} programs of {read_programs.MAX_STATUSES} statuses,",
        f"{read_programs.MAX_CRITERIA} criteria, {read_programs.MAX_SCORE_RULES} scoring rules, {read_rules.MAX_RULES} rules and {read_tests.MAX_TESTS} tests;",
        f"a rule at most {read_actions.MAX_ACTIONS} actions. Days go up to {reading.MAX_DAYS:,}. Reasons, subjects and next actions have at most",
        f"{reading.MAX_TEXT_CHARACTERS} characters, meanings and descriptions {reading.MAX_LONG_TEXT_CHARACTERS:,}.",
        "",
    ]


if __name__ == "__main__":
    sys.stdout.write(page())
