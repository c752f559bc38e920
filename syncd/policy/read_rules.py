"""The sections of rules (`rules:` to `sla:`) to rules. Pure. What only one section knows is in `read_sections`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from syncd.document import Node
from syncd.policy.keys import RULE, SECTIONS
from syncd.policy.model import Enforcement, Program, Rule, Section, Target
from syncd.policy.read_actions import ActionReader
from syncd.policy.read_programs import ANY, MAX_STATUSES
from syncd.policy.read_sections import FOR_CONTACTS, SectionReader
from syncd.policy.reading import Reader

MAX_RULES = 400
"""Of all sections together."""

ORDER = tuple(one for one in Section if one not in (Section.ILLEGAL, Section.DELETE))
"""Sections that are keys of the file."""


class RuleReader:
    """Reads all sections.

    Attributes:
        places: Rule id to its node, so that later checks can point into it.
    """

    def __init__(
        self,
        reader: Reader,
        programs: tuple[Program, ...],
        criteria: tuple[str, ...],
        enforcement: Enforcement,
        sources: Mapping[str, str] | None,
    ) -> None:
        """Rules name statuses of `programs`, `criteria` and `sources`; `enforcement` is of those that say nothing."""
        self._reader = reader
        self._programs = programs
        self._enforcement = enforcement
        self._actions = ActionReader(reader, sources)
        self._sections = SectionReader(reader, criteria, self._status)
        self.places: dict[str, Node] = {}

    def read(self, root: Node) -> tuple[Rule, ...]:
        """Every rule without a problem, in the order in which they are asked."""
        found: list[Rule] = []
        count = 0
        for section in ORDER:
            deletions: list[Rule] = []
            nodes = self._reader.items(root, section.value, MAX_RULES)
            count += len(nodes)
            if count > MAX_RULES:
                self._reader.problems.add_key(root, section.value, f"The policy has more than {MAX_RULES} rules.")
                break
            if nodes and not self._programs and "programs" not in root:
                self._reader.problems.add_key(root, section.value, "Rules need programs:, which say what statuses there are.")
                break
            for node in nodes:
                before = len(self._reader.problems.found)
                rule = self._rule(section, node)
                if rule is not None and len(self._reader.problems.found) == before:
                    found.append(rule)
                    deletions += self._deletion(rule, node)
            found += deletions
        self._sections.check_openings(root, found)
        return tuple(found)

    def _rule(self, section: Section, node: Node) -> Rule | None:
        reader = self._reader
        what = f"A rule of {section.value}"
        if not reader.keys(node, (*RULE, *SECTIONS[section.value]), what):
            return None
        rule_id = reader.identifier(node, "id")
        self._take(rule_id, node.entries["id"], node)
        target = self._target(section, node)
        rule = Rule(
            rule_id=rule_id,
            section=section,
            program=self._program(node),
            target=target,
            when=reader.condition(node, "when"),
            reason=reader.text(node, "reason"),
            enforcement=Enforcement(
                reader.word(node, "enforcement", [one.value for one in Enforcement], self._enforcement.value)
            ),
            actions=self._actions.read(node, target),
            line=node.line,
        )
        rule = msgspec.structs.replace(rule, from_statuses=self._from(node, rule))
        return self._sections.complete(rule, node)

    def _take(self, rule_id: str, place: Node, node: Node) -> None:
        """Note whose id it is, and that somebody else has it."""
        if rule_id in self.places:
            self._reader.problems.add(place, f'The id "{rule_id}" stands in line {self.places[rule_id].line} already.')
        self.places.setdefault(rule_id, node)

    def _deletion(self, rule: Rule, node: Node) -> list[Rule]:
        """The rule that `delete:` of an archive rule makes; none without it, or with a mistake."""
        before = len(self._reader.problems.found)
        made = self._sections.deletion(rule, node)
        if made is None:
            return []
        part = node.entries["delete"]
        self._take(made.rule_id, part.get("id") or part, part)
        return [made] if len(self._reader.problems.found) == before else []

    def _program(self, node: Node) -> str:
        name = self._reader.text(node, "program")
        names = [one.name for one in self._programs]
        if name and not self._reader.known(name, node.entries["program"], names, f'There is no program "{name}".'):
            return ""
        return name

    def _target(self, section: Section, node: Node) -> Target:
        word = self._reader.word(node, "target", [Target.LEAD.value, Target.CONTACT.value], Target.LEAD.value)
        if word != Target.LEAD.value and section not in FOR_CONTACTS:
            listed = ", ".join(one.value for one in FOR_CONTACTS)
            self._reader.problems.add(
                node.entries["target"], f"Rules of {section.value} are about leads only.", f"For contacts: {listed}."
            )
        return Target(word)

    def _from(self, node: Node, rule: Rule) -> tuple[str, ...]:
        named = self._reader.texts(node, "from", MAX_STATUSES)
        if any(text == ANY for text, _ in named):
            return ()
        if named and rule.target is not Target.LEAD:
            self._reader.problems.add_key(node, "from", "A contact has no status, so from: never holds.", "Leave it out.")
        return tuple(dict.fromkeys(text for text, one in named if self._status(text, one, rule.program)))

    def _status(self, text: str, node: Node, program: str) -> bool:
        """Whether the program, or any if none is named, has the status; if not, that is noted."""
        programs = [one for one in self._programs if program in ("", one.name)]
        statuses = [name for one in programs for name in one.statuses]
        whose = f'The program "{program}"' if program else "No program" if len(programs) > 1 else "The program"
        has = "has a" if whose == "No program" else "has no"
        return not programs or self._reader.known(text, node, statuses, f'{whose} {has} status "{text}".')
