"""`syncd check`: configuration, mappings, policy; with `--live` also the sources and the org. Part of the house that wiring builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from typing import Any

from syncd.config import Settings
from syncd.config.settings import ConfiguredSource
from syncd.connector import Connector, Health, Session
from syncd.errors import ConfigError, ConfigProblem
from syncd.mapping import Mapping as LeadMapping
from syncd.model import OrgSchema
from syncd.policy import Enforcement, Finding, Policy, Section, check_policy
from syncd.policy.model import Rule
from syncd.salesforce import DealUse, FieldUse, PolicyUse, SalesforceOrg, Severity, live_findings, policy_findings
from syncd.salesforce import Finding as OrgFinding
from syncd.xactly import Template


class Checks:
    """The checking half of a house; `syncd.wiring.House` gives it its parts."""

    settings: Settings

    @cached_property
    def salesforce(self) -> SalesforceOrg:
        """Given by the house."""
        raise NotImplementedError

    def mapping(self, name: str, schema: OrgSchema | None = None) -> LeadMapping:
        """Given by the house."""
        raise NotImplementedError

    def plans(self) -> Any:
        """Given by the house: schedules, which may be wrong."""
        raise NotImplementedError

    def policy(self, schema: OrgSchema | None = None) -> Policy:
        """Given by the house."""
        raise NotImplementedError

    def xactly_template(self) -> Template:
        """Given by the house."""
        raise NotImplementedError

    def check_xactly(self) -> None:
        """Given by the house: the template against the org, and the place for its files."""
        raise NotImplementedError

    def check_sources(self, names: Sequence[str]) -> dict[str, Health]:
        """Given by the house."""
        raise NotImplementedError

    def connector_of(self, source: ConfiguredSource) -> tuple[Connector, Any, Session]:
        """Given by the house."""
        raise NotImplementedError

    def check_mappings(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Load mappings (those the sources use, if none is named) and run their tests.

        Raises:
            ConfigError: Everything that is wrong with any of them.
        """
        wanted = list(names) or sorted({source.mapping for source in self.settings.sources.values()})
        problems: list[ConfigProblem] = []
        found = []
        for name in wanted:
            try:
                loaded = self.mapping(name)
            except ConfigError as error:
                problems.extend(error.problems)
            else:
                found.append({"mapping": name, "fields": len(loaded.fields), "tests": loaded.test_count})
        if problems:
            raise ConfigError(problems)
        return found

    def check_policy(self, *, live: bool) -> tuple[Policy, list[dict[str, str]]]:
        """The policy, checked, and what is worth a second look.

        Raises:
            ConfigError: Everything that is wrong with it.
        """
        if not live:
            return self.policy(), _of_policy(check_policy(self.policy()))
        schema = self.salesforce.schema()
        policy = self.policy(schema)
        found = policy_findings(self.salesforce, schema, _use_of(policy))
        rows = [*_of_policy(check_policy(policy, schema)), *_of_org(one for one in found if one.severity is not Severity.OK)]
        return self.policy(), rows

    def check(self, *, live: bool) -> list[dict[str, str]]:
        """Findings on configuration, mappings and policy; with `live` also on sources and the org.

        Raises:
            ConfigError: Everything that is wrong with the files, at once.
        """
        problems: list[ConfigProblem] = []
        steps: list[Callable[[], Any]] = [lambda: self.check_mappings(()), self.policy]
        steps += [partial(self.connector_of, source) for source in self.settings.sources.values()]
        if self.settings.xactly is not None:
            steps.append(self.xactly_template)
        for step in steps:
            try:
                step()
            except ConfigError as error:
                problems.extend(error.problems)
        if problems:
            raise ConfigError(problems)
        self.plans()
        findings = [
            *_of_policy(check_policy(self.policy())),
            _finding("ok", "syncd.yaml", f"{len(self.settings.sources)} sources, mappings and policy are right."),
        ]
        if live:
            for name, health in self.check_sources(()).items():
                findings.append(_finding("ok" if health.ok else "error", f"source {name}", " ".join(health.findings)))
            findings += self._check_org()
        return findings

    def _check_org(self) -> list[dict[str, str]]:
        uses: dict[str, FieldUse] = {}
        tasks: dict[str, None] = {}
        for source in self.settings.sources.values():
            loaded = self.mapping(source.mapping)
            if loaded.task_line:
                tasks[f"{loaded.file} line {loaded.task_line}"] = None
            for rule in loaded.rules.values():
                kind = {"text": "text"}.get(rule.kind, rule.kind)
                uses[rule.name] = FieldUse(
                    kind=kind,
                    values=rule.written_values if kind == "text" else (),
                    is_updated=rule.overwrite.value != "never",
                    place=f"{loaded.file} line {rule.line}",
                )
        policy = self.policy()
        expected = self.settings.salesforce.expected_org_id
        owners = dict.fromkeys([*self._assigned(), *_owners_of(policy)])
        found = live_findings(
            self.salesforce, uses, expected_org_id=expected, owners=owners, tasks=list(tasks), policy=_use_of(policy)
        )
        rows = _of_org(found)
        if not any(row["severity"] == "error" for row in rows):
            rows += self._check_against_org()
        return rows

    def _assigned(self) -> list[tuple[str, str]]:
        """The queues and users to whom sources assign new leads."""
        given = [source.common.assignment.owner for source in self.settings.sources.values()]
        return [pair for one in given if not isinstance(one, str) for pair in one.items()]

    def _check_against_org(self) -> list[dict[str, str]]:
        """Mappings and policy once more, against the org's own fields and statuses."""
        schema = self.salesforce.schema()
        names = sorted({source.mapping for source in self.settings.sources.values()})
        steps: list[tuple[str, Callable[[], Any]]] = [(f"mapping {name}", partial(self.mapping, name, schema)) for name in names]
        steps.append(("policy", partial(self.policy, schema)))
        if self.settings.xactly is not None:
            steps.append(("xactly", self.check_xactly))
        rows = []
        for subject, step in steps:
            try:
                step()
            except ConfigError as error:
                rows += [_finding("error", subject, str(problem)) for problem in error.problems]
        return rows


def _use_of(policy: Policy) -> PolicyUse:
    """What a live check must look at for the policy's sake."""
    processes: dict[str, dict[str, None]] = {}
    for program in policy.programs:
        processes.setdefault(program.record_type, {}).update(dict.fromkeys(program.statuses))
    converting = [rule for rule in policy.rules if rule.converting is not None]
    opening = [rule for rule in policy.rules if rule.opening is not None]
    owners = [rule.converting.owner for rule in converting if rule.converting is not None]
    return PolicyUse(
        statuses=(policy.status_on_create,) if policy.status_on_create else (),
        processes={name: tuple(statuses) for name, statuses in processes.items()},
        conversions=tuple(_place(policy, rule) for rule in converting),
        converted=tuple(rule.converting.status for rule in converting if rule.converting is not None),
        queues=tuple(one.removeprefix("queue:") for one in owners if one.startswith("queue:")),
        deals=tuple(_deal_of(policy, rule) for rule in opening),
        deletions=tuple(
            _place(policy, rule)
            for rule in policy.rules
            if rule.section is Section.DELETE and rule.enforcement is Enforcement.ENFORCE
        ),
        is_observed=all(rule.enforcement is Enforcement.OBSERVE for rule in (*converting, *opening)),
    )


def _deal_of(policy: Policy, rule: Rule) -> DealUse:
    opening = rule.opening
    if opening is None:
        raise ValueError(rule.rule_id)
    more = {"Amount": opening.amount is not None, "CurrencyIsoCode": bool(opening.currency)}
    fields = (*(name for name, is_there in more.items() if is_there), *opening.fields)
    return DealUse(_place(policy, rule), opening.record_type, fields)


def _owners_of(policy: Policy) -> list[tuple[str, str]]:
    """The queues and users to whom rules give leads and contacts; queues of conversions are looked at by their members."""
    named = [name for rule in policy.rules for name in (rule.owner, *(one.options.get("to", "") for one in rule.actions))]
    named += [rule.means.owner for rule in policy.rules if rule.means is not None]
    named += [one.owner for rule in policy.rules if (one := rule.converting) is not None and one.owner.startswith("user:")]
    return [(kind, name) for kind, _, name in (one.partition(":") for one in named) if name]


def _place(policy: Policy, rule: Rule) -> str:
    return f"{policy.file} line {rule.line}"


def _of_org(found: Iterable[OrgFinding]) -> list[dict[str, str]]:
    return [_finding(one.severity.value, one.subject, one.message, one.advice) for one in found]


def _of_policy(found: Sequence[Finding]) -> list[dict[str, str]]:
    return [_finding(str(one.level), f"policy line {one.line}", one.message, one.advice) for one in found]


def _finding(severity: str, subject: str, message: str, advice: str = "") -> dict[str, str]:
    return {"severity": severity, "subject": subject, "message": message, "advice": advice}
