"""`syncd check`: configuration, mappings, policy; with `--live` also the sources and the org. Part of the house that wiring builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from syncd.config import Settings
from syncd.config.settings import ConfiguredSource
from syncd.connector import Connector, Health, Session
from syncd.errors import ConfigError, ConfigProblem
from syncd.mapping import Mapping as LeadMapping
from syncd.model import OrgSchema
from syncd.policy import Finding, Policy, check_policy
from syncd.salesforce import FieldUse, SalesforceOrg, live_findings


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
        schema = self.salesforce.schema() if live else None
        return self.policy(), _of_policy(check_policy(self.policy(schema), schema))

    def check(self, *, live: bool) -> list[dict[str, str]]:
        """Findings on configuration, mappings and policy; with `live` also on sources and the org.

        Raises:
            ConfigError: Everything that is wrong with the files, at once.
        """
        problems: list[ConfigProblem] = []
        steps: list[Callable[[], Any]] = [lambda: self.check_mappings(()), self.policy]
        steps += [partial(self.connector_of, source) for source in self.settings.sources.values()]
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
        statuses = [policy.status_on_create] if policy.status_on_create else []
        found = live_findings(self.salesforce, uses, expected_org_id=expected, statuses=statuses, tasks=list(tasks))
        rows = [_finding(one.severity.value, one.subject, one.message, one.advice) for one in found]
        if not any(row["severity"] == "error" for row in rows):
            rows += self._check_against_org()
        return rows

    def _check_against_org(self) -> list[dict[str, str]]:
        """Mappings and policy once more, against the org's own fields and statuses."""
        schema = self.salesforce.schema()
        names = sorted({source.mapping for source in self.settings.sources.values()})
        steps: list[tuple[str, Callable[[], Any]]] = [(f"mapping {name}", partial(self.mapping, name, schema)) for name in names]
        steps.append(("policy", partial(self.policy, schema)))
        rows = []
        for subject, step in steps:
            try:
                step()
            except ConfigError as error:
                rows += [_finding("error", subject, str(problem)) for problem in error.problems]
        return rows


def _of_policy(found: Sequence[Finding]) -> list[dict[str, str]]:
    return [_finding(str(one.level), f"policy line {one.line}", one.message, one.advice) for one in found]


def _finding(severity: str, subject: str, message: str, advice: str = "") -> dict[str, str]:
    return {"severity": severity, "subject": subject, "message": message, "advice": advice}
