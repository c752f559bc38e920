"""What is wrong with a policy that reads well: statuses nobody reaches or leaves, rules that never fire, loops. Pure.

graph   statuses and who leads where     clauses   when two conditions cannot hold at once     check_org   what the org lacks
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from syncd.expressions import Expression
from syncd.model import OrgSchema
from syncd.policy.check_org import org_findings
from syncd.policy.clauses import constant
from syncd.policy.finding import Finding as Finding
from syncd.policy.finding import Level as Level
from syncd.policy.graph import loops, reached
from syncd.policy.model import MOVING, ActionKind, ConversionEvent, Enforcement, Mover, Program, Rule, Section, Target
from syncd.policy.policy import Policy

_TO_AND_FROM = (*MOVING, Section.CONVERT)


def check_policy(policy: Policy, org: OrgSchema | None = None) -> list[Finding]:
    """Everything that is wrong with the whole, by line; a loaded policy has no errors but those that `org` brings."""
    found: list[Finding] = []
    for program in policy.programs:
        found += _statuses(policy, program)
    for rule in policy.rules:
        found += _rule(policy, rule)
    found += _contradictions(policy)
    found += _loops(policy)
    found += _standards(policy)
    if org is not None:
        found += org_findings(policy, org)
    return sorted(found, key=lambda one: (one.line, one.level.value, one.message))


def rules_of(policy: Policy, program: Program) -> list[Rule]:
    """The rules about leads that may be asked in a program."""
    return [rule for rule in policy.rules if rule.program in ("", program.name) and rule.target is Target.LEAD]


def moved_to(rule: Rule) -> str:
    """The status that a rule leads to, "" for none."""
    return rule.converting.status if rule.converting is not None else rule.to_status


def _statuses(policy: Policy, program: Program) -> Iterator[Finding]:
    rules = rules_of(policy, program)
    entry = program.entry
    if entry is not None and entry.is_converted:
        yield Finding(
            entry.line,
            Level.ERROR,
            f'"{entry.name}" is a converted status and cannot be the entry.',
            "Only a conversion sets it.",
        )
    seen = set(program.statuses) if entry is None else reached(program, entry.name)
    left = {one.from_status for one in program.transitions}
    for status in program.statuses.values():
        if status.name not in seen:
            advice = "Add a transition that leads to it, or take it out."
            yield Finding(status.line, Level.WARNING, f'No lead ever reaches "{status.name}" from the entry status.', advice)
        if status.name not in left and not (status.is_terminal or status.is_unqualified or status.is_converted):
            advice = "Add a transition out of it, or mark it terminal: true."
            yield Finding(status.line, Level.WARNING, f'Nobody ever leaves "{status.name}".', advice)
        if status.is_unqualified and not any(_is_path(rule, status.name) for rule in rules):
            message = f'Leads in "{status.name}" can hang: no recycle or archive rule is for all of them.'
            yield Finding(status.line, Level.WARNING, message, "Add one for it without when:, and enforce it.")


def _is_path(rule: Rule, status: str) -> bool:
    is_for_all = rule.when is None or constant(rule.when) is True
    is_asked = rule.section in (Section.RECYCLE, Section.ARCHIVE) and rule.enforcement is Enforcement.ENFORCE
    return is_asked and is_for_all and (not rule.from_statuses or status in rule.from_statuses)


def _rule(policy: Policy, rule: Rule) -> Iterator[Finding]:
    if rule.when is not None and constant(rule.when) is False:
        yield _about(
            rule, Level.WARNING, "never fires: its condition is always false", "Correct when:, or take the rule out.", "when"
        )
    if rule.section in MOVING and rule.to_status and any(_is_converted(policy, rule)):
        message = f'moves to "{rule.to_status}", which is a converted status; only a conversion may set it'
        yield _about(rule, Level.ERROR, message, "Write a convert rule.", _to_key(rule))
    if rule.section in _TO_AND_FROM and moved_to(rule):
        yield from _moves(policy, rule)
    if rule.section is Section.OPPORTUNITY and rule.target is Target.LEAD:
        named = {one.converting.opportunity for one in policy.rules if one.converting is not None}
        if rule.rule_id not in named:
            message = "never fires: no convert rule names it in opportunity:"
            yield _about(rule, Level.WARNING, message, "Name it there, or write target: contact.")
    if rule.section is Section.DELETE and rule.when is not None and "status" in rule.when.names:
        message = "may never fire: its condition asks for the status, which is the archived one by then"
        yield _about(rule, Level.WARNING, message, "Write delete: {when: ...} with what must hold at deletion.")
    yield from _conversions(policy, rule)
    if rule.section is Section.CONVERT and policy.standards.qualified is None:
        yield _about(
            rule, Level.ERROR, "converts nobody: standards.qualified says nothing", "Write standards: {qualified: CONDITION}."
        )


def _conversions(policy: Policy, rule: Rule) -> Iterator[Finding]:
    """What is told of a contact is asked of a contact, and an amount is in some currency."""
    for action in rule.actions:
        event = action.options.get("event", "")
        if action.kind is not ActionKind.CONVERSION:
            continue
        if event != ConversionEvent.QUALIFIED and rule.target is not Target.CONTACT:
            message = f'tells "{event}" of nobody: whom it is about is no contact'
            yield _about(rule, Level.ERROR, message, "Write target: contact, in a rule of nurture:.")
        is_valued = event == ConversionEvent.WON or "value" in action.fields
        if is_valued and not (action.options.get("currency") or policy.currency):
            message = f'tells "{event}" with a value in no currency'
            yield _about(rule, Level.ERROR, message, "Write currency: in the action or at the top of the file.")


def _is_converted(policy: Policy, rule: Rule) -> Iterator[bool]:
    for program in policy.programs:
        if rule.program in ("", program.name) and rule.to_status in program.statuses:
            yield program.statuses[rule.to_status].is_converted


def _moves(policy: Policy, rule: Rule) -> Iterator[Finding]:
    """A move that the programs do not allow to syncd never comes: from each status that is named, or from none at all."""
    programs = [one for one in policy.programs if rule.program in ("", one.name)]
    to = moved_to(rule)
    stuck = [
        before
        for before in rule.from_statuses
        if before != to and not any(one.may_move(before, to, Mover.SYNCD) for one in programs)
    ]
    for before in stuck:
        message = f'never moves from "{before}" to "{to}": there is no such transition for syncd'
        advice = f'Add {{from: "{before}", to: "{to}", by: syncd}} to the transitions.'
        yield _about(rule, Level.ERROR, message, advice, _to_key(rule))
    if not rule.from_statuses and not any(
        move.to_status == to and move.by is not Mover.REP for one in programs for move in one.transitions
    ):
        message = f'never moves to "{to}": there is no transition to it for syncd'
        yield _about(rule, Level.ERROR, message, f'Add {{from: any, to: "{to}"}} to the transitions.', _to_key(rule))
    if rule.section is Section.REVIVE or not rule.from_statuses or stuck:
        return
    ends = [
        before
        for before in rule.from_statuses
        if all(one.statuses[before].is_terminal for one in programs if before in one.statuses)
    ]
    if len(ends) == len(rule.from_statuses):
        message = "never fires: every status in from: is terminal, and only revive leads out of those"
        yield _about(rule, Level.WARNING, message, "Write a revive rule, or take terminal: away.", "from")


def _to_key(rule: Rule) -> str:
    return {Section.ARCHIVE: "means", Section.CONVERT: "status"}.get(rule.section, "to")


def _contradictions(policy: Policy) -> Iterator[Finding]:
    """Rules of one section that ask the same of the same leads and lead to different statuses: the later one never comes."""
    seen: dict[tuple[Section, str], list[Rule]] = defaultdict(list)
    for rule in policy.rules:
        if rule.section not in MOVING or not rule.to_status or rule.enforcement is Enforcement.OBSERVE or rule.intent:
            continue
        same = seen[rule.section, _text(rule.when)]
        for other in same:
            shares = not rule.from_statuses or not other.from_statuses or set(rule.from_statuses) & set(other.from_statuses)
            is_together = "" in (rule.program, other.program) or rule.program == other.program
            is_alike = rule.after_days == other.after_days and rule.intent_criteria == other.intent_criteria
            if shares and is_together and is_alike and other.to_status != rule.to_status:
                message = f'contradicts "{other.rule_id}" (line {other.line}): the same leads on the same condition, but to "{other.to_status}"'
                yield _about(rule, Level.WARNING, message, "The first one wins. Take one out, or tell them apart in when:.")
                break
        same.append(rule)


def _text(condition: Expression | None) -> str:
    return "" if condition is None else " ".join(condition.text.split())


def _loops(policy: Policy) -> Iterator[Finding]:
    for program in policy.programs:
        asked = [
            rule
            for rule in rules_of(policy, program)
            if rule.section in (Section.STATUS, Section.RECYCLE) and rule.to_status and rule.enforcement is Enforcement.ENFORCE
        ]
        for loop in loops(program, asked):
            way = " to ".join(f'"{status}"' for status in (*loop.statuses, loop.statuses[0]))
            named = ", ".join(rule.rule_id for rule in loop.rules)
            message = f"Leads can go round for ever: {way} ({named})."
            advice = f"Tell the conditions apart. min_days_in_status ({policy.min_days_in_status}) only slows it."
            yield Finding(loop.rules[-1].line, Level.WARNING, message, advice, loop.rules[-1].rule_id, "when")


def _standards(policy: Policy) -> Iterator[Finding]:
    standards = policy.standards
    if standards.qualified is not None and constant(standards.qualified) is not None:
        line = standards.qualified.term.place.line
        whom = "everybody" if constant(standards.qualified) else "nobody"
        yield Finding(line, Level.WARNING, f"standards.qualified: {whom} is qualified, whoever they are.", "Ask for criteria.")
    for rule in policy.rules:
        names = rule.when.names if rule.when is not None else frozenset()
        if "score" in names and not standards.scoring:
            yield _about(
                rule, Level.WARNING, "asks for the score, and nothing gives points", "Write standards: {scoring: [...]}.", "when"
            )
        if "qualified" in names and standards.qualified is None and rule.section is not Section.CONVERT:
            yield _about(rule, Level.WARNING, "asks for qualified, and standards.qualified says nothing", "Write it.", "when")


def _about(rule: Rule, level: Level, message: str, advice: str, key: str = "") -> Finding:
    return Finding(rule.line, level, f'The rule "{rule.rule_id}" {message}.', advice, rule.rule_id, key)
