"""What the org is and has: identity, fields and statuses in one call, kept for an hour; owners by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from syncd.clock import Clock
from syncd.errors import AuthError, BudgetExhausted, ConfigError, ContractError, SalesforceUnavailableError
from syncd.model import ObjectSchema, OrgIdentity, OrgSchema
from syncd.salesforce.connection import Connection
from syncd.salesforce.describe import parse_describe, parse_statuses
from syncd.salesforce.ids import is_sf_id, quoted, select, to_18
from syncd.salesforce.queries import Part, composite, parse_page, query, query_path, records_of
from syncd.salesforce.settings import OrgSettings

OBJECTS = ("Lead", "Contact")
OPTIONAL_OBJECTS = ("Task",)
"""Wanted only where a mapping asks for tasks: an org may hide them from the integration user."""

_HIDDEN_STATUSES = (403, 404)

_LIFE_SECONDS = 3600.0
"""A describe changes when an admin changes a field or a right; reference salesforce.md 4.1 revalidates hourly."""

_RETRY_SECONDS = 60.0

_ORGANIZATION = "SELECT Id, IsSandbox, OrganizationType FROM Organization"
_STATUSES = "SELECT ApiName, MasterLabel, IsConverted, IsDefault, SortOrder FROM LeadStatus ORDER BY SortOrder"


class Catalogue:
    """Reads the org's describes; threads share the result."""

    def __init__(self, connection: Connection, settings: OrgSettings, clock: Clock) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._schema: OrgSchema | None = None
        self._identity: OrgIdentity | None = None
        self._read_at = 0.0
        self._owners: dict[tuple[str, str], str] = {}

    def identity(self) -> OrgIdentity:
        """Whose org this is; no call of its own once the schema is known."""
        self.schema()
        if self._identity is None:  # schema() sets it or raises
            raise ContractError("Salesforce did not say which organization this is.")
        return self._identity

    def schema(self) -> OrgSchema:
        """Lead, Contact, Task if it may be seen, and the lead statuses; one call an hour.

        Raises:
            AuthError: The integration user may not see Lead or Contact.
            SalesforceUnavailableError, BudgetExhausted, ContractError: As Connection.read.
        """
        with self._lock:
            known = self._schema
            if known is not None and self._clock.monotonic() - self._read_at < _LIFE_SECONDS:
                return known
            try:
                schema, is_sandbox = self._read()
            except (BudgetExhausted, SalesforceUnavailableError):
                if known is None:
                    raise
                # An hour old is good enough while the org cannot be asked: hot leads have a budget of their own.
                self._read_at = self._clock.monotonic() - _LIFE_SECONDS + _RETRY_SECONDS
                return known
            token = self._connection.token()
            self._identity = OrgIdentity(token.org_id, token.user_id, token.instance_url, is_sandbox)
            self._schema = schema
            self._read_at = self._clock.monotonic()
            return schema

    def known(self, object: str) -> ObjectSchema | None:
        """The fields of `object` if the schema was read before; never a call."""
        return self._schema.objects.get(object) if self._schema else None

    def external_id_of(self, object: str) -> str | None:
        """The external id field of `object`, None if it has none there; before the schema is read, Lead is taken to have it."""
        field = self._settings.external_id_field
        known = self.known(object)
        has_it = field in known.fields if known else object == "Lead"
        return field if has_it else None

    def _read(self) -> tuple[OrgSchema, bool]:
        paths = {f"describe{name}": f"sobjects/{name}/describe" for name in (*OBJECTS, *OPTIONAL_OBJECTS)}
        paths |= {"organization": query_path(_ORGANIZATION), "statuses": query_path(_STATUSES)}
        parts, _ = composite(self._connection, paths, tolerate=True)
        hidden = [f"describe{name}" for name in OPTIONAL_OBJECTS if parts[f"describe{name}"].status in _HIDDEN_STATUSES]
        wanted = {reference: path for reference, path in paths.items() if reference not in hidden}
        bodies = {reference: self._body(reference, path, parts[reference]) for reference, path in wanted.items()}
        names = [name for name in (*OBJECTS, *OPTIONAL_OBJECTS) if f"describe{name}" in bodies]
        objects = {name: parse_describe(name, bodies[f"describe{name}"]) for name in names}
        statuses = parse_statuses(self._records(bodies["statuses"]))
        organization = self._records(bodies["organization"])
        if len(organization) != 1 or not is_sf_id(organization[0].get("Id")):
            raise ContractError("Salesforce did not say which organization this is.")
        return OrgSchema(objects, statuses), organization[0].get("IsSandbox") is True

    def _body(self, reference: str, path: str, part: Part) -> Any:
        """The body of a part; one that was refused inside the composite call is asked for alone."""
        if part.is_ok:
            return part.body
        try:
            return self._connection.read(path, lambda answer: answer.body)
        except ContractError as error:
            what = reference.removeprefix("describe")
            raise AuthError(
                f"The integration user may not see {what}.",
                advice=f"Give its permission set read on {what} (objects and fields), and check salesforce.api_version.",
                detail=error.message,
            ) from error

    def _records(self, body: Any) -> list[Mapping[str, Any]]:
        page = parse_page(self._connection, body)
        return [one for one in records_of(self._connection, page) if isinstance(one, Mapping)]

    def owner_id(self, kind: str, name: str) -> str:
        """The id of a queue (`queue`, by DeveloperName or Name) or an active user (`user`, by Username or Name).

        Raises:
            ConfigError: There is none, there are several, or the user is inactive.
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        found = self._owners.get((kind, name))
        if found is None:
            found = self._find_owner(kind, name)
            self._owners[kind, name] = found
        return found

    def _find_owner(self, kind: str, name: str) -> str:
        literal = quoted(name)
        if kind == "queue":
            where = f"Type = 'Queue' AND (DeveloperName = {literal} OR Name = {literal})"
            soql = select(("Id", "Name", "DeveloperName"), "Group", where)
            exact = "DeveloperName"
        elif kind == "user":
            soql = select(("Id", "Name", "Username", "IsActive"), "User", f"Username = {literal} OR Name = {literal}")
            exact = "Username"
        else:
            raise ConfigError(f'An owner is a queue or a user, not "{kind}".')
        rows = [one for one in query(self._connection, soql) if isinstance(one, Mapping) and is_sf_id(one.get("Id"))]
        # The unique name goes before the display name, which several may share.
        named = [one for one in rows if str(one.get(exact) or "").casefold() == name.casefold()] or rows
        if not named:
            raise ConfigError(
                f'Salesforce has no {kind} "{name}".',
                advice=f"Check the name under Setup, {'Queues' if kind == 'queue' else 'Users'}.",
            )
        if len(named) > 1:
            raise ConfigError(
                f'Salesforce has {len(named)} {kind}s named "{name}".',
                advice=f"Give the {exact} instead.",
            )
        if kind == "user" and named[0].get("IsActive") is not True:
            raise ConfigError(
                f'The user "{name}" is inactive in Salesforce and cannot own leads.',
                advice="Name an active user or a queue.",
            )
        return to_18(str(named[0]["Id"]))
