"""policy.yaml to a Policy, with every problem at once. Pure: text in, value or ConfigError out.

keys            the words of the file          reading         words, numbers, conditions
variables       what conditions may name       read_programs, read_rules, read_sections, read_actions, read_tests   the sections
check           what is wrong with the whole   policy          what comes out
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from syncd.document import Node, Problems, parse_document, suggest, walk
from syncd.errors import ConfigError, ConfigProblem
from syncd.expressions import Expression
from syncd.model import OrgSchema
from syncd.normalise.moments import is_zone
from syncd.policy.check import Finding, Level, check_policy
from syncd.policy.keys import CONSENT, FIELDS, TOP, names
from syncd.policy.model import ActionKind, Enforcement, PolicyFields
from syncd.policy.policy import Policy as Policy
from syncd.policy.read_actions import read_currency
from syncd.policy.read_programs import names_of_criteria, read_programs, read_standards
from syncd.policy.read_rules import RuleReader
from syncd.policy.read_tests import read_tests
from syncd.policy.reading import MAX_NUMBER, MAX_POLICY_CHARACTERS, Reader, is_blank
from syncd.policy.variables import Variables

_ON_DELETED = ("skip", "review", "create")
_VERSION = 1
"""Part of the digest: counts up when the same file comes to mean something else."""


def load_policy(text: str, file: str, org: OrgSchema | None = None, sources: Mapping[str, str] | None = None) -> Policy:
    """Read and check a policy; its tests are read here and run by `run_tests`.

    Args:
        text: The whole file, at most 200,000 characters.
        file: Name to show in messages.
        org: Check against its statuses, fields and picklists too; without it Lead and Contact are the stock ones.
        sources: Name of each configured source, with its type; None where nobody knows.

    Raises:
        ConfigError: All problems with file, line, column and a close match.
    """
    if len(text) > MAX_POLICY_CHARACTERS:
        raise ConfigError([ConfigProblem(file, 0, 0, f"The policy has more than {MAX_POLICY_CHARACTERS:,} characters.")])
    root = parse_document(text, file)
    problems = Problems()
    for node in walk(root):
        if isinstance(node.scalar, int) and abs(node.scalar) > MAX_NUMBER:
            problems.add(node, "The number is too large.")
    problems.raise_if_any()
    criteria = names_of_criteria(root)
    reader = Reader(problems, Variables(text, org, criteria))
    return _Loader(reader, root, criteria, org, sources).load()


class _Loader:
    def __init__(
        self, reader: Reader, root: Node, criteria: tuple[str, ...], org: OrgSchema | None, sources: Mapping[str, str] | None
    ) -> None:
        self._reader = reader
        self._problems = reader.problems
        self._root = root
        self._criteria = criteria
        self._org = org
        self._sources = sources

    def load(self) -> Policy:
        root, reader, problems = self._root, self._reader, self._problems
        reader.words(root, names(TOP), "A policy")
        version = root.get("version")
        if version is None or version.scalar != 1 or isinstance(version.scalar, bool):
            problems.add(version or root, "A policy begins with version: 1.")
        before = len(problems.found)
        programs = read_programs(reader, root)
        is_sound = len(problems.found) == before
        enforcement = Enforcement(reader.word(root, "enforcement", [one.value for one in Enforcement], Enforcement.ENFORCE.value))
        rules = RuleReader(reader, programs, self._criteria, enforcement, self._sources)
        allow_clear, limits = self._consent()
        policy = Policy(
            status_on_create=self._status(),
            on_deleted=reader.word(root, "on_deleted", _ON_DELETED, "skip"),
            allow_clear=allow_clear,
            name=reader.text(root, "name"),
            file=root.file,
            time_zone=self._zone(),
            currency=read_currency(reader, root),
            enforcement=enforcement,
            min_days_in_status=self._min_days(),
            fields=self._fields(),
            limits=limits,
            programs=programs,
            standards=read_standards(reader, root),
            rules=rules.read(root),
        )
        policy = _with_converted(policy, self._org)
        tests = read_tests(reader, root, policy, rules.places, self._criteria)
        self._check(policy, rules.places, is_sound=is_sound)
        problems.raise_if_any()
        return replace(policy, digest=_digest(policy, root), tests=tests)

    def _check(self, policy: Policy, places: Mapping[str, Node], *, is_sound: bool) -> None:
        """What is wrong with the whole; only said of programs that were read without a problem."""
        if not is_sound:
            return
        for finding in check_policy(policy, self._org):
            if finding.level is Level.ERROR:
                line, column = self._place(finding, places)
                self._problems.found.append(ConfigProblem(policy.file, line, column, finding.message, finding.advice))

    def _place(self, finding: Finding, places: Mapping[str, Node]) -> tuple[int, int]:
        """Where a finding is to be shown: at the key of its rule or of the file, else at the beginning of its line."""
        node = places.get(finding.subject)
        if node is None and finding.key:
            node = self._root.get(finding.subject) if finding.subject else self._root
        if node is None:
            return finding.line, 1
        found = node.at([finding.key]) if finding.key else node
        return found.line, found.column

    def _status(self) -> str:
        part = self._root.get("on_create")
        if part is None or is_blank(part) or not self._reader.words(part, ("status",), "on_create"):
            return ""
        status, org = self._reader.text(part, "status"), self._org
        if not status or org is None:
            return status
        node = part.entries["status"]
        if status not in org.lead_statuses:
            self._problems.add(node, f'Salesforce has no lead status "{status}".', suggest(status, org.lead_statuses))
        elif org.lead_statuses[status]:
            self._problems.add(node, f'"{status}" is a converted status; only a conversion may set it.')
        return status

    def _zone(self) -> str:
        name = self._reader.text(self._root, "time_zone")
        if name and not is_zone(name):
            self._problems.add(
                self._root.entries["time_zone"], f'There is no time zone "{name}".', "Write a name such as Europe/Berlin."
            )
        return name or "UTC"

    def _min_days(self) -> int:
        found = self._reader.number(self._root, "min_days_in_status")
        return 7 if found is None else found

    def _fields(self) -> PolicyFields:
        node = self._root.get("fields")
        if node is None or is_blank(node) or not self._reader.words(node, names(FIELDS), "fields"):
            return PolicyFields()
        return PolicyFields(**{name: self._reader.field(node, name) for name in names(FIELDS)}, line=self._root.keys["fields"][0])

    def _consent(self) -> tuple[bool, dict[ActionKind, Expression]]:
        node = self._root.get("consent")
        if node is None or is_blank(node) or not self._reader.words(node, names(CONSENT), "consent"):
            return False, {}
        limits: dict[ActionKind, Expression] = {}
        kinds = [kind.value for kind in ActionKind]
        actions = node.get("actions")
        if actions is not None and not is_blank(actions) and self._reader.words(actions, tuple(kinds), "consent.actions"):
            for word in actions.entries:
                found = self._reader.condition(actions, word)
                if word in kinds and found is not None:
                    limits[ActionKind(word)] = found
        return self._reader.flag(node, "allow_clear"), limits


def _with_converted(policy: Policy, org: OrgSchema | None) -> Policy:
    """The policy whose statuses know whether they are converted ones: the org says so, or a convert rule sets them."""
    converted = {rule.converting.status for rule in policy.rules if rule.converting is not None}
    converted |= {name for name, is_converted in (org.lead_statuses if org else {}).items() if is_converted}
    programs = []
    for program in policy.programs:
        statuses = {name: replace(one, is_converted=name in converted) for name, one in program.statuses.items()}
        programs.append(replace(program, statuses=statuses))
    return replace(policy, programs=tuple(programs))


def _digest(policy: Policy, root: Node) -> str:
    """What changes decisions: everything but the name, tests, meanings, comments and layout. Order counts where it does in the file."""
    if "programs" not in root:
        meaning = repr((policy.status_on_create, policy.on_deleted, policy.allow_clear))  # as before there were programs
        return hashlib.blake2b(meaning.encode(), digest_size=8).hexdigest()
    document = {key: one for key, one in root.plain().items() if key not in ("name", "tests")}
    text = json.dumps([_VERSION, _ordered(document)], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _ordered(value: Any, key: str = "") -> Any:
    """The document with mappings whose order counts as lists, and without meanings."""
    if isinstance(value, list):
        return [_ordered(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = [(name, _ordered(one, name)) for name, one in value.items() if name != "meaning" or isinstance(one, dict)]
    return kept if key in ("programs", "statuses", "criteria") else dict(kept)
