"""The company's policy with what is configured: read, checked, explained, published, counted. Part of the house that wiring builds."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from syncd.app.explain import explain_lead
from syncd.app.kpi import KpiReport, kpi
from syncd.app.publish import note_published, render
from syncd.app.stated_actions import action_problems
from syncd.config.settings import ConfiguredSource
from syncd.connector import Connector, Session
from syncd.errors import ConfigError
from syncd.model import OrgSchema
from syncd.passes import LEASE
from syncd.policy import Explanation, Policy, load_policy, run_tests
from syncd.ports import Store
from syncd.run.standards import OWN_USER
from syncd.simulations import Simulations


class Policies(Simulations):
    """The policy's part of a house; `syncd.wiring.House` gives it its parts."""

    _owner: str
    _policy: Policy | None
    _policy_text: tuple[str, Policy] | None

    @cached_property
    def store(self) -> Store:
        """Given by the house."""
        raise NotImplementedError

    def connector_of(self, source: ConfiguredSource) -> tuple[Connector, Any, Session]:
        """Given by the house."""
        raise NotImplementedError

    def policy(self, schema: OrgSchema | None = None) -> Policy:
        """The policy, checked.

        Raises:
            ConfigError: It is not there, or everything that is wrong with it.
        """
        if schema is None and self._policy is not None:
            return self._policy
        file = self.settings.policy
        text = self.policy_text(self.settings.folder / file, file)
        if schema is None and self._policy_text is not None and self._policy_text[0] == text:
            return self._policy_text[1]
        loaded = self.policy_of(text, file, schema)
        if schema is None:
            self._policy_text = text, loaded
        return loaded

    def _named_in(self, policy: Policy) -> dict[str, tuple[Connector, Any]]:
        """Sources at which rules act, as far as their options are right; what is wrong with those is said of the sources."""
        found = {}
        for name in sorted({one.source for rule in policy.rules for one in rule.actions if one.source}):
            with suppress(ConfigError):
                found[name] = self.connector_of(self.settings.sources[name])[:2]
        return found

    def policy_text(self, path: Path, file: str, advice: str = "Check policy: in syncd.yaml.") -> str:
        """What is in a policy's file.

        Raises:
            ConfigError: It cannot be read.
        """
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"The policy {file} cannot be read.", advice=advice) from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"The policy {file} cannot be read.", advice="Save it as UTF-8.") from error

    def policy_of(self, text: str, file: str, schema: OrgSchema | None = None) -> Policy:
        """A policy, checked.

        Raises:
            ConfigError: Everything that is wrong with it.
        """
        types = {name: source.type for name, source in self.settings.sources.items()}
        loaded = load_policy(text, file, schema, types)
        wrong = [*run_tests(loaded), *action_problems(loaded, self._named_in(loaded))]
        if wrong:
            raise ConfigError(wrong)
        return loaded

    def explain_policy(self, text: str) -> Explanation:
        """Why the policy decides as it does about the one person who answers to `text`.

        Raises:
            ConfigError: There is no such person, or more than one, or the policy has no programs.
        """
        now = self.clock.now()
        starts = {name: self._news_from(self.store, name, now) for name in self.settings.sources}
        return explain_lead(self.store, self.policy(), text, now=now, machine_users=self._machine_users(), starts=starts)

    def check_qualified(self, text: str, *, is_forced: bool) -> None:
        """Make sure that the policy calls the person qualified, if it says when somebody is, or that whoever asks insists.

        Raises:
            ConfigError: They are not qualified, or it is not known.
        """
        policy = self.policy()
        if is_forced or not policy.programs or policy.standards.qualified is None:
            return
        found = self.explain_policy(text)
        # Of somebody without an open lead there is another thing to say.
        if found.status and found.program and found.is_qualified is not True:
            raise ConfigError(
                "The policy does not call this person qualified, and only who is qualified is converted.",
                advice=f'"syncd policy explain {found.person_id}" tells why; --force converts all the same.',
            )

    def kpi(self, since: str, until: str) -> KpiReport:
        """How leads moved from one day to before another; see `syncd.app.kpi`.

        Raises:
            ConfigError: A day that is none, an empty period, or a policy that is wrong.
        """
        return kpi(self.store, self.policy(), since=since, until=until, now=self.clock.now(), machine_users=self._machine_users())

    def policy_page(self, name: str) -> str:
        """The standards as a page, as the name of its file asks for it; see `syncd.app.publish`.

        Raises:
            ConfigError: The policy is wrong or has no programs; no kind of page is called so.
        """
        policy = self.policy()
        return render(policy, self.clock.now().astimezone(ZoneInfo(policy.time_zone)).date(), name)

    def publish_policy(self, digest: str) -> None:
        """Remember that this version of the policy was published.

        Raises:
            ConfigError: Another version is at work.
            StoreError: Another syncd is at work on the store.
        """
        self.store.acquire_lease(LEASE, self._owner)
        note_published(self.store, self.policy(), digest)

    def _machine_users(self) -> set[str]:
        return {*self.settings.salesforce.machine_users, self.store.setting(OWN_USER) or ""}
