"""Joins everything: the only module that knows all adapters. Builds a house from syncd.yaml for a command or the daemon."""

from __future__ import annotations

import os
import random
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from syncd import log, metrics
from syncd.app.endings import Ending, endings
from syncd.app.lanes import PlannedRange, plan_range, stale_counts, start_range
from syncd.checks import Checks
from syncd.clock import Clock, SystemClock
from syncd.config import Settings, SourceSettings, load_settings, secret_options, show_settings, validate_options
from syncd.config.settings import ClientCredentialsSettings, ConfiguredSource
from syncd.connector import ActingConnector, Connector, Health, PullConnector, Session, limits_of
from syncd.document import suggest
from syncd.erasing import Erasures
from syncd.errors import ConfigError, ConfigProblem
from syncd.exporting import Exports
from syncd.http import Caller, TokenCache, make_session
from syncd.installed import connector_types, load_connector
from syncd.kept_token import KeptToken
from syncd.mapping import Mapping as LeadMapping
from syncd.mapping import load_mapping
from syncd.model import Assignment, OptOuts, OrgSchema
from syncd.passes import LEASE
from syncd.policies import Policies
from syncd.policy import Policy
from syncd.ports import Journal, Org, Store
from syncd.run.context import Actor, Company, Source
from syncd.run.ids import OperationIds
from syncd.salesforce import ClientCredentials, JwtBearer, OrgSettings, SalesforceOrg
from syncd.simulations import news_from
from syncd.store import open_journal, open_reader, open_store
from syncd.works import is_received

Wrap = Callable[[Any, str], Any]


def known_connectors() -> dict[str, Connector]:
    """Connectors by type."""
    return {name: load_connector(name) for name in connector_types()}


def open_house(
    config: Path,
    *,
    debug: bool = False,
    clock: Clock | None = None,
    sessions: Callable[[], Any] | None = None,
    make_id: Callable[[], str] | None = None,
    wrap: Wrap | None = None,
    source_sessions: Callable[[], Any] | None = None,
) -> House:
    """Read the configuration and make a house; nothing is opened before it is needed.

    Args:
        config: syncd.yaml.
        debug: Log every event.
        clock: For tests: time.
        sessions: For tests: the way to the org.
        make_id: For tests: operation ids.
        wrap: For tests: something between the stages and their ports.
        source_sessions: For tests: the way to the sources.

    Raises:
        ConfigError: Everything that is wrong with the configuration.
    """
    clock = clock or SystemClock()
    types = known_connectors()
    settings = load_settings(config, os.environ, types)
    level = "debug" if debug else settings.log.level
    log.configure(level, json=settings.log.as_json, stream=sys.stderr, clock=clock, counted=metrics.count_event)
    return House(settings, clock, types, sessions, make_id or OperationIds(SystemClock()), wrap, source_sessions)


class House(Policies, Erasures, Exports, Checks):
    """One configured syncd in this process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        types: Mapping[str, Connector],
        sessions: Callable[[], Any] | None,
        make_id: Callable[[], str],
        wrap: Wrap | None,
        source_sessions: Callable[[], Any] | None = None,
    ) -> None:
        """Made by `open_house`."""
        self.settings = settings
        self.clock = clock
        self._types = types
        self._sessions = sessions
        self._source_sessions = source_sessions
        self._callers: dict[str, Caller] = {}
        self._tokens: dict[str, TokenCache] = {}
        self._make_id = make_id
        self._wrap = wrap or (lambda port, name: port)  # noqa: ARG005 - the shape of a wrap
        self._owner = f"pid-{os.getpid()}"
        self._mappings: dict[str, LeadMapping] = {}
        self._policy: Policy | None = None
        self._policy_text: tuple[str, Policy] | None = None
        self._is_frozen = False
        self.company = Company(clock)

    # ------------------------------------------------------------------ parts, opened when needed

    @cached_property
    def store(self) -> Store:
        """The store, migrated."""
        opened = open_store(self.settings.store_url, clock=self.clock)
        return self._wrap(opened, "store")  # type: ignore[no-any-return]

    @cached_property
    def journal(self) -> Journal:
        """What was sent to us and is not in the inbox yet."""
        return self._wrap(open_journal(self.settings.store_url, clock=self.clock), "journal")  # type: ignore[no-any-return]

    @cached_property
    def salesforce(self) -> SalesforceOrg:
        """The org; nothing is sent before the first call."""
        given = self.settings.salesforce
        auth: ClientCredentials | JwtBearer
        if isinstance(given.auth, ClientCredentialsSettings):
            auth = ClientCredentials(given.auth.consumer_key.reveal(), given.auth.consumer_secret.reveal())
        else:
            auth = JwtBearer(given.auth.username, given.auth.consumer_key.reveal(), given.auth.private_key.reveal())
        settings = OrgSettings(
            login_url=given.login_url,
            auth=auth,
            api_version=given.api_version,
            ca_file=str(self.settings.folder / given.ca_file) if given.ca_file else None,
            external_id_field=given.external_id_field,
            daily_share=given.api_budget.daily_share,
            hot_reserve=given.api_budget.hot_reserve,
            write_timeout_seconds=given.request_timeout_seconds,
        )
        used = self._budget_used()
        return SalesforceOrg(settings, self.clock, budget_used=used, sessions=self._sessions, chance=random.Random())  # noqa: S311 - jitter

    @cached_property
    def org(self) -> Org:
        """The org as the stages see it."""
        return self._wrap(self.salesforce, "org")  # type: ignore[no-any-return]

    def _budget_used(self) -> tuple[Any, int] | None:
        found = self.store.setting("budget_used")
        if found is None:
            return None
        day, _, count = found.partition(" ")
        return datetime.fromisoformat(day).date(), int(count)

    def mapping(self, name: str, schema: OrgSchema | None = None) -> LeadMapping:
        """A mapping by name, checked and its tests run.

        Raises:
            ConfigError: It is not there, or everything that is wrong with it.
        """
        if schema is None and self._is_frozen and name in self._mappings:
            return self._mappings[name]
        folder = self.settings.folder / self.settings.mappings_dir
        path = folder / f"{name}.yaml"
        text = _text_of(path, folder, name)
        known = self._mappings.get(name)
        if schema is None and known is not None and known.text == text:
            return known
        loaded = load_mapping(text, f"{self.settings.mappings_dir}/{name}.yaml", name=name, org=schema)
        problems = loaded.run_tests()
        if problems:
            raise ConfigError(problems)
        if schema is None:
            self._mappings[name] = loaded
        return loaded

    def freeze(self) -> None:
        """Keep mappings and policy as they are now, whatever becomes of their files: the daemon reloads all of them or none."""
        for source in self.settings.sources.values():
            self.mapping(source.mapping)
        self._policy = self.policy()
        self._is_frozen = True

    def reader(self) -> Callable[[], Store]:
        """Opens the store for reading alone, in any process."""
        return partial(open_reader, self.settings.store_url)

    def secret(self) -> bytes:
        """The key behind person ids: configured, or made once and kept in the store."""
        given = self.settings.person_key
        if given is not None:
            return given.reveal().encode()
        found = self.store.setting("person_key")
        if found is None:
            self.store.put_setting("person_key", secrets.token_hex(32))
            found = self.store.setting("person_key")
        return bytes.fromhex(str(found))

    # ------------------------------------------------------------------ sources

    def chosen(self, names: Sequence[str]) -> list[ConfiguredSource]:
        """The sources of these names, all of them for none.

        Raises:
            ConfigError: There is no source of a name.
        """
        unknown = [name for name in names if name not in self.settings.sources]
        if unknown:
            raise ConfigError(
                [ConfigProblem("", 0, 0, f'There is no source "{one}".', suggest(one, self.settings.sources)) for one in unknown]
            )
        return [source for name, source in self.settings.sources.items() if not names or name in names]

    def connector_of(self, source: ConfiguredSource) -> tuple[Connector, Any, Session]:
        """A source's connector with its typed options and session.

        Raises:
            ConfigError: Everything that is wrong with the options.
        """
        connector = self._types[source.type]
        allow_literal = self.settings.allow_literal_secrets
        options = validate_options(source, connector.Options, os.environ, self.settings.folder, allow_literal=allow_literal)
        settle, overlap = source.common.settle_seconds, source.common.overlap_seconds
        session = Session(
            self.settings.folder,
            settle_seconds=getattr(connector, "settle_seconds", 30.0) if settle is None else settle,
            page_size_records=getattr(connector, "page_size_records", 500),
            overlap_seconds=getattr(connector, "overlap_seconds", 300.0) if overlap is None else overlap,
            calls_at_once=limits_of(connector, options).connections,
            http=self._caller(source, connector, options),
            tokens=self._tokens_of(source, options),
        )
        return connector, options, session

    def _caller(self, source: ConfiguredSource, connector: Connector, options: Any) -> Caller:
        """A source's way to its vendor; one for the life of the process, so that its limits hold for everything in it."""
        if source.name not in self._callers:
            limits = limits_of(connector, options)
            ca_file = str(self.settings.folder / source.common.ca_file) if source.common.ca_file else None
            session = (
                self._source_sessions()
                if self._source_sessions is not None
                else make_session(
                    read_timeout=limits.read_timeout_seconds, ca_file=ca_file, pool_size=limits.connections, pool_block=True
                )
            )
            self._callers[source.name] = Caller(
                session, self.clock, connections=limits.connections, calls_per_second=limits.calls_per_second
            )
        return self._callers[source.name]

    def _tokens_of(self, source: ConfiguredSource, options: Any) -> TokenCache:
        """A source's access tokens; one cache for the life of the process, as for its calls."""
        if source.name not in self._tokens:
            self._tokens[source.name] = TokenCache(self.clock, self._kept_token(source.name, options))
        return self._tokens[source.name]

    def _kept_token(self, name: str, options: Any) -> KeptToken:
        return KeptToken(lambda: self.store, name, self.clock, getattr(options, "refresh_token", None))

    def endings(self) -> dict[str, Ending]:
        """What logs syncd in and comes to its end, by source; see `syncd.app.endings`."""
        kept = {name: self._kept_token(name, options).expires_at for name, (_, options) in self._connectors.items()}
        return endings(self.settings, kept)

    def _start_of(self, name: str, common: SourceSettings) -> datetime | None:
        """From when on a source's records are news (DESIGN 3.3 `start_from`); None for all of them."""
        key = f"start_from:{name}"
        noted = self.store.setting(key) if common.start_from == "now" else None
        if common.start_from == "now" and noted is None:
            self.store.put_setting(key, self.clock.now().isoformat())
            noted = self.store.setting(key)
        return news_from(common.start_from, noted, self.clock.now())

    def _assignment_of(self, common: SourceSettings, *, live: bool) -> Assignment:
        owner = common.assignment.owner
        if isinstance(owner, str) or not live:
            return Assignment()
        ((kind, name),) = owner.items()
        return Assignment(use_rule=False, owner_id=self.salesforce.owner_id(kind, name))

    def _sources(self, names: Sequence[str], *, live: bool) -> dict[str, Source]:
        made = {}
        for source in self.chosen(names) if names else ():
            connector, options, session = self.connector_of(source)
            made[source.name] = Source(
                name=source.name,
                connector=connector,
                options=options,
                session=session,
                mapping=self.mapping(source.mapping),
                start_from=self._start_of(source.name, source.common),
                assignment=self._assignment_of(source.common, live=live),
            )
        return made

    def _actors(self) -> dict[str, Actor]:
        paused = {name for name, row in self.store.schedules().items() if row.is_paused}
        made = {}
        for name, source in self.settings.sources.items():
            found = self._types[source.type]
            if isinstance(found, ActingConnector):
                _, options, session = self.connector_of(source)
                waits = limits_of(found, options).read_timeout_seconds
                made[name] = Actor(name, found, options, session, waits, name in paused, OptOuts(source.common.opt_outs))
        return made

    def check_sources(self, names: Sequence[str]) -> dict[str, Health]:
        """Rehearse the real call of each source."""
        found = {}
        for source in self.chosen(names):
            connector, options, session = self.connector_of(source)
            found[source.name] = connector.check(session, options)
            if is_received(connector, options):
                found[source.name] = self._with_address(source.name, found[source.name])
        return found

    def _with_address(self, name: str, health: Health) -> Health:
        given = self.settings.http
        where = f'Receives POST /hooks/{name} at http://{given.host}:{given.port} while "syncd run" runs'
        return Health(health.ok, (f"{where}; give the sender the public https address of your proxy.", *health.findings))

    def plan_backfill(self, name: str, stream: str, from_at: datetime, until_at: datetime | None) -> PlannedRange:
        """Judge a wish to read a range of a source once more; see `plan_range`.

        Raises:
            ConfigError: No such source, stream or range.
        """
        connector, options, _ = self.connector_of(self.chosen([name])[0])
        if not isinstance(connector, PullConnector):
            raise ConfigError(
                f"{name} is sent to; there is nothing to read once more.", advice="Ask the sender to send it again."
            )
        now = self.clock.now()
        return plan_range(self.store, name, connector, options, stream=stream, from_at=from_at, until_at=until_at, now=now)

    def start_backfill(self, planned: PlannedRange) -> None:
        """Have a range read with the next pass.

        Raises:
            StoreError: Another syncd is at work on the store.
        """
        self.store.acquire_lease(LEASE, self._owner)
        start_range(self.store, planned, self.clock.now())

    def stale_records(self) -> dict[str, int | None]:
        """How many records of each source wait to be mapped anew; None where the mapping cannot be used."""
        digests = {name: self._digest_of(source.mapping) for name, source in self.settings.sources.items()}
        return stale_counts(self.store, digests)

    def _digest_of(self, mapping: str) -> str | None:
        try:
            return self.mapping(mapping).digest
        except ConfigError:
            return None

    def shown_settings(self) -> list[tuple[str, Any, str]]:
        """Every setting with its value (secrets as ***) and where it came from."""
        secrets = {name: secret_options(connector.Options) for name, connector in self._types.items()}
        return show_settings(self.settings, os.environ, secrets)

    def close(self) -> None:
        """Close what was opened."""
        if "store" in self.__dict__:
            self.store.close()
        if "journal" in self.__dict__:
            self.journal.close()
        if "salesforce" in self.__dict__:
            self.salesforce.close()
        for caller in self._callers.values():
            caller.close()


def _text_of(path: Path, folder: Path, name: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        known = [one.stem for one in folder.glob("*.yaml")]
        raise ConfigError(f'There is no mapping "{name}" in {folder.name}/.', advice=suggest(name, known)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The mapping {folder.name}/{name}.yaml cannot be read.", advice="Check its rights and that it is UTF-8."
        ) from error
