"""What only one section of rules knows: where it moves to, intent, archiving, conversion, opportunities, deadlines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from syncd.document import Node
from syncd.expressions import Kind
from syncd.expressions.tree import Compare, Literal, Logic, Term, Variable
from syncd.policy.keys import DELETE, MEANS
from syncd.policy.model import MIN_DELETE_DAYS, ArchiveMeans, Converting, Enforcement, Opening, Rule, Section, Target
from syncd.policy.read_actions import MAX_ACTION_FIELDS, read_currency, read_owner
from syncd.policy.reading import Reader, is_blank

FOR_CONTACTS = (Section.OPPORTUNITY, Section.NURTURE, Section.SLA)
"""Sections whose rules may be about contacts."""

MAX_ALIASES = 2_000
MAX_CHANNELS = 50
_MINUTES = {"within_minutes": 1, "within_hours": 60, "within_days": 24 * 60}
_MATCHES = ("domain", "alias", "name")


class SectionReader:
    """Completes rules whose common keys were read."""

    def __init__(self, reader: Reader, criteria: tuple[str, ...], has_status: Callable[[str, Node, str], bool]) -> None:
        """`has_status(status, node, program)` notes a status that is in no program."""
        self._reader = reader
        self._criteria = criteria
        self._has_status = has_status
        self._wanted: list[tuple[str, Node]] = []

    def complete(self, rule: Rule, node: Node) -> Rule:
        """The rule with what its section knows."""
        changes = {
            Section.STATUS: self._moves,
            Section.REVIVE: self._revive,
            Section.RECYCLE: self._recycle,
            Section.ARCHIVE: self._archive,
            Section.CONVERT: self._convert,
            Section.OPPORTUNITY: self._opportunity,
            Section.NURTURE: self._nurture,
            Section.SLA: self._sla,
        }[rule.section](rule, node)
        return msgspec.structs.replace(rule, **changes)

    def check_openings(self, root: Node, rules: Sequence[Rule]) -> None:
        """Note conversions that name an opportunity rule which does not exist or is about contacts."""
        items = root.get(Section.OPPORTUNITY.value)
        written = {str(one.entries["id"].scalar) for one in items.items if "id" in one} if items is not None else set()
        targets = {one.rule_id: one.target for one in rules if one.section is Section.OPPORTUNITY}
        for name, node in self._wanted:
            if (
                self._reader.known(name, node, written, f'There is no opportunity rule "{name}".')
                and targets.get(name) is Target.CONTACT
            ):
                self._reader.problems.add(
                    node, f'The opportunity rule "{name}" is about contacts, not about the lead that is converted.'
                )

    def _moves(self, rule: Rule, node: Node) -> dict[str, object]:
        to = self._reader.text(node, "to")
        if to and self._has_status(to, node.entries["to"], rule.program) and rule.from_statuses == (to,):
            self._reader.problems.add(node.entries["to"], f'The rule leads from "{to}" to itself.')
        return {"to_status": to, "overrides_rep": self._reader.flag(node, "overrides_rep")}

    def _revive(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        if is_blank(node.get("on")) and is_blank(node.get("on_criteria")):
            reader.problems.add(
                node, "A revive rule needs on: (channels) or on_criteria:.", "Only new intent brings somebody back."
            )
        criteria = reader.texts(node, "on_criteria")
        known = [text for text, one in criteria if reader.known(text, one, self._criteria, f'There is no criterion "{text}".')]
        return {
            **self._moves(rule, node),
            "intent": tuple(text for text, _ in reader.texts(node, "on", MAX_CHANNELS)),
            "intent_criteria": tuple(known),
            "owner": read_owner(reader, node, "owner", ("previous", "account")),
        }

    def _recycle(self, rule: Rule, node: Node) -> dict[str, object]:
        if ("to" in node) != ("after_days" in node):
            self._reader.problems.add(node, "to: and after_days: go together.", "Write both, or neither and do:.")
        elif "to" not in node and "do" not in node:
            self._reader.problems.add(
                node, "A recycle rule needs do:, or after_days: and to:.", "Else the lead hangs all the same."
            )
        return {**self._moves(rule, node), "after_days": self._reader.number(node, "after_days")}

    def _archive(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        days = {key: reader.number(node, key) or 0 for key in ("inactive_days", "hold_days", "unedited_days")}
        if is_blank(node.get("when")) and not days["inactive_days"]:
            reader.problems.add(node, "An archive rule needs when: or inactive_days:.", "Else everybody is archived.")
        means = node.entries["means"]
        return {**days, "overrides_rep": reader.flag(node, "overrides_rep"), **self._means(rule, means)}

    def _means(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        if not reader.keys(node, MEANS, "means"):
            return {}
        status = reader.text(node, "status")
        if status:
            self._has_status(status, node.entries["status"], rule.program)
        owner = read_owner(reader, node, "owner", ())
        means = ArchiveMeans(status, reader.field(node, "flag"), owner, reader.field(node, "previous_owner_field"))
        if not (means.status or means.flag or means.owner):
            reader.problems.add(node, "means needs status:, flag: or owner:.", "Else nothing is archived.")
        if means.previous_owner_field and not means.owner:
            reader.problems.add_key(node, "previous_owner_field", "previous_owner_field goes with owner: only.")
        return {"means": means, "to_status": status}

    def deletion(self, rule: Rule, node: Node) -> Rule | None:
        """What an archive rule says of deletion, as a rule of its own; None if it says nothing."""
        reader, part = self._reader, node.get("delete")
        if rule.section is not Section.ARCHIVE or part is None or is_blank(part) or not reader.keys(part, DELETE, "delete"):
            return None
        means = rule.means
        if means is not None and not (means.status or means.flag):
            advice = "Only then everybody can see that a lead is still archived."
            reader.problems.add(part, "delete needs means with status: or flag:.", advice)
        enforcement = reader.word(part, "enforcement", [one.value for one in Enforcement], rule.enforcement.value)
        if enforcement == Enforcement.ENFORCE and rule.enforcement is Enforcement.OBSERVE:
            reader.problems.add(
                part, "delete cannot be enforced while its rule is only observed.", "Observe both, or enforce both."
            )
        return Rule(
            rule_id=reader.identifier(part, "id") or f"{rule.rule_id[:53]}_delete",
            section=Section.DELETE,
            program=rule.program,
            when=rule.when if is_blank(part.get("when")) else reader.condition(part, "when"),
            reason=rule.reason,
            enforcement=Enforcement(enforcement),
            after_days=reader.number(part, "after_days", MIN_DELETE_DAYS),
            of_rule=rule.rule_id,
            line=part.line,
        )

    def _convert(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        if not rule.from_statuses:
            reader.problems.add(node.get("from") or node, "A convert rule needs from:.", "For example from: Qualified.")
        if "when" not in node or (rule.when is not None and not _needs(rule.when.term, "qualified")):
            message = "Nothing converts unless it is qualified: when: must ask for qualified."
            reader.problems.add(node.get("when") or node, message, "Write qualified, or qualified and ....")
        status = reader.text(node, "status")
        if status:
            self._has_status(status, node.entries["status"], rule.program)
        opening = reader.identifier(node, "opportunity")
        if opening:
            self._wanted.append((opening, node.entries["opportunity"]))
        aliases = {}
        for name, one in reader.entries(node, "aliases", MAX_ALIASES).items():
            aliases[name.strip().lower()] = reader.text_of(one, f'"{name[:60]}"')
        match = reader.texts(node, "match")
        found = [text for text, one in match if reader.known(text, one, _MATCHES, f'match has no "{text}".')]
        owner = read_owner(reader, node, "owner", ("account", "lead")) or "account"
        shared = frozenset(text.strip().lower() for text, _ in reader.texts(node, "shared_domains"))
        return {"converting": Converting(status, owner, tuple(found) or _MATCHES, aliases, opening, shared)}

    def _opportunity(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        if is_blank(node.get("when")):
            reader.problems.add(node, "An opportunity rule needs when: of its own.", "Say what very strong intent is.")
        elif rule.when is not None and _always(rule.when.term):
            reader.problems.add(node.entries["when"], "An opportunity rule needs criteria of its own, and this always holds.")
        name = reader.expression(node.entries["name"], "name", Kind.TEXT)
        amount = node.get("amount")
        opening = (
            None
            if name is None
            else Opening(
                name=name,
                stage=reader.text(node, "stage"),
                close_in_days=reader.number(node, "close_in_days") or 0,
                amount=None if is_blank(amount) or amount is None else reader.expression(amount, "amount", Kind.NUMBER),
                record_type=reader.text(node, "record_type"),
                currency=read_currency(reader, node),
                fields=reader.expressions(node, "fields", MAX_ACTION_FIELDS),
                one_open_per=reader.word(node, "one_open_per", ("account", "contact"), "account"),
            )
        )
        return {"opening": opening}

    def _nurture(self, rule: Rule, node: Node) -> dict[str, object]:
        del rule
        reader = self._reader
        if is_blank(node.get("do")):
            reader.problems.add(node, "A nurture rule needs do:.", "For example [{enrol: {source: newsletter, audience: L1}}].")
        if is_blank(node.get("from")) and is_blank(node.get("when")):
            reader.problems.add(node, "A nurture rule needs from: or when:.", "Else it is for everybody.")
        return {"again_after_days": reader.number(node, "again_after_days", 1)}

    def _sla(self, rule: Rule, node: Node) -> dict[str, object]:
        reader = self._reader
        named = [key for key in _MINUTES if key in node]
        if len(named) != 1:
            reader.problems.add(node, f"An sla rule has exactly one of {', '.join(_MINUTES)}.")
            return {}
        key = named[0]
        allowed = reader.number(node, key, 1, MAX_MINUTES // _MINUTES[key])
        clock = reader.word(node, "clock", ("status", "arrival"), "status")
        if clock == "status" and rule.target is not Target.LEAD:
            reader.problems.add(node, "A contact has no status, so its clock is arrival.", "Write clock: arrival.")
        return {"within_minutes": (allowed or 0) * _MINUTES[key], "clock": clock}


MAX_MINUTES = 365 * 24 * 60


def _needs(term: Term, name: str) -> bool:
    """Whether the condition can only hold where the variable is true."""
    match term:
        case Variable():
            return term.name == name
        case Logic(op="and"):
            return any(_needs(part, name) for part in term.parts)
        case Logic():
            return all(_needs(part, name) for part in term.parts)
        case Compare(ops=("==",), operands=(left, Literal(value=True))):
            return _needs(left, name)
        case _:
            return False


def _always(term: Term) -> bool:
    return isinstance(term, Literal) and term.value is True
