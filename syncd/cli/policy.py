"""`syncd policy`: the company's lead standards, checked and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from syncd.cli import publish, simulate
from syncd.cli.output import Output, show_decided, shown
from syncd.cli.shared import Json, globals_of, house

if TYPE_CHECKING:
    from syncd.policy import Explanation

Who = Annotated[str, typer.Argument(help="An e-mail, phone, Salesforce id, person id, or part of a name.", metavar="WHO")]
_BLOCKED = {
    "condition": "its condition does not hold",
    "status": "not asked in this status",
    "not_allowed": "syncd may not make this move",
    "rep_edit": "a person set the status, or edited the lead, and nothing newer speaks for the rule",
    "held": "a person put the lead on hold",
    "too_soon": "syncd left that status a few days ago",
    "waiting": "its time has not come",
    "done_before": "done already",
    "consent": "the person has not agreed to that",
    "earlier_rule": "another rule came first",
    "no_target": "this person has no record that it is about",
    "open_work": "there is an open task or a future event",
    "active": "somebody has been active lately",
}


def register(app: typer.Typer) -> None:
    """Add the `policy` commands to `app`."""
    policy = typer.Typer(no_args_is_help=True, help="The company's lead standards: check, explain, simulate, publish.")
    app.add_typer(policy, name="policy")

    @policy.command(
        help="""Check the policy: syntax, names, its own tests, unreachable statuses, rules that can never fire; with --live also
against the org's statuses, lead processes, fields and picklists, and the rights that conversions and opportunities need.

Examples:
  syncd policy check
  syncd policy check --live
"""
    )
    def check(
        context: typer.Context,
        live: Annotated[bool, typer.Option("--live", help="Ask the org too.")] = False,
        as_json: Json = False,
    ) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            policy, findings = opened.check_policy(live=live)
        is_wrong = any(one["severity"] == "error" for one in findings)
        if as_json:
            output.json({"ok": not is_wrong, "policy": policy.name, "digest": policy.digest, "findings": findings})
            return 1 if is_wrong else 0
        for one in findings:
            color = "red" if one["severity"] == "error" else "yellow"
            output.line(f"{one['severity']:>7}  {one['subject']}: {one['message']} {one['advice']}".rstrip(), color)
        if is_wrong:
            output.line("The org is not ready for the policy: mend what is marked as error.", "red")
            return 1
        name = f' "{policy.name}"' if policy.name else ""
        sums = f"{len(policy.programs)} programs, {len(policy.rules)} rules, {len(policy.tests)} tests"
        output.line(f"The policy{name} is right: {sums}. Version {policy.digest[:8]}.", "green")
        return 0

    @policy.command(
        help="""Why the policy decides as it does about one person, and what would change their status.

It looks at what the last pass knew of the org; values are never shown, only whether they are known.

Examples:
  syncd policy explain ada@example.com
  syncd policy explain 00Q5g00000AbCdEFGH --json
"""
    )
    def explain(context: typer.Context, who: Who, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.explain_policy(who)
        if as_json:
            output.json(msgspec.to_builtins(found))
        else:
            _show(output, found)

    publish.register(policy)
    simulate.register(policy)


def _show(output: Output, found: Explanation) -> None:
    output.line(f"Person {found.person_id}", "bold")
    if not found.program:
        output.line("No program of the policy applies.")
        return
    output.line(f"Program {found.program}; status {found.status or 'none (not an open lead)'}. {found.meaning}".rstrip())
    if found.next_action:
        output.line(f"Next: {found.next_action}")
    words = {True: "yes", False: "no", None: "not known"}
    output.table(
        "Criteria",
        ("criterion", "met", "because"),
        [(one.name, words[one.value], "; ".join(one.evidence)) for one in found.criteria],
    )
    output.line(f"Qualified: {words[found.is_qualified]}. Score: {found.score}.")
    output.table("Score", ("rule", "points"), [(one.rule_id, one.points) for one in found.points], numbers=("points",))
    rows = [
        (one.rule_id, str(one.section), one.outcome, _BLOCKED.get(one.blocked, one.blocked), one.to_status, one.line or None)
        for one in found.rules
    ]
    output.table("Rules", ("rule", "kind", "outcome", "because", "to", "line"), rows)
    for change in found.changes:
        output.line(f"{change.rule_id} would move them to {change.to_status}: {_BLOCKED.get(change.blocked, change.blocked)}.")
        for clause in change.missing:
            output.line(f"    {clause.text}: {clause.why}", "dim")
    show_decided(output, found.decided)
    if found.look_at is not None:
        output.line(f"Looked at again: {shown(found.look_at)}, or when something happens.")
