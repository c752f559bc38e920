"""What the org is and has: identity, fields, statuses and stages in one call, kept for an hour."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from syncd.clock import Clock
from syncd.errors import AuthError, BudgetExhausted, ContractError, SalesforceUnavailableError
from syncd.model import ObjectSchema, OrgIdentity, OrgSchema
from syncd.salesforce.connection import Connection
from syncd.salesforce.describe import (
    parse_closed_record_types,
    parse_currencies,
    parse_default_record_type,
    parse_default_status,
    parse_describe,
    parse_record_types,
    parse_stages,
    parse_statuses,
)
from syncd.salesforce.ids import is_sf_id, select
from syncd.salesforce.queries import Part, composite, parse_page, query, query_path, records_of
from syncd.salesforce.settings import OrgSettings

OBJECTS = ("Lead", "Contact")
OPTIONAL_OBJECTS = ("Task", "Account", "Opportunity", "Event", "User", "Campaign")
"""Wanted only where a mapping or a policy asks for them: an org may hide them from the integration user."""

_HIDDEN_STATUSES = (403, 404)

_LIFE_SECONDS = 3600.0
"""A describe changes when an admin changes a field or a right; reference salesforce.md 4.1 revalidates hourly."""

_RETRY_SECONDS = 60.0

_ORGANIZATION = "SELECT Id, IsSandbox, OrganizationType FROM Organization"
_STATUSES = "SELECT ApiName, MasterLabel, IsConverted, IsDefault, SortOrder FROM LeadStatus ORDER BY SortOrder"
_STAGES = "SELECT ApiName, MasterLabel, IsActive, IsClosed, IsWon, SortOrder FROM OpportunityStage ORDER BY SortOrder"
"""Refused where the integration user may not see opportunities: then there are none."""


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

    def identity(self) -> OrgIdentity:
        """Whose org this is; no call of its own once the schema is known."""
        self.schema()
        if self._identity is None:  # schema() sets it or raises
            raise ContractError("Salesforce did not say which organization this is.")
        return self._identity

    def schema(self) -> OrgSchema:
        """Lead and Contact, what else may be seen of OPTIONAL_OBJECTS, lead statuses and stages; one call an hour.

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

    def check_visible(self, object: str) -> None:
        """Raise ContractError if the schema was read before and lacks `object`; never a call."""
        if self._schema is not None and object not in self._schema.objects:
            raise ContractError(
                f"The integration user may not see {object}.",
                advice=f"Give its permission set read on {object} (object and fields).",
            )

    def external_id_of(self, object: str) -> str | None:
        """The external id field of `object`, None if it has none there; before the schema is read, Lead is taken to have it."""
        field = self._settings.external_id_field
        known = self.known(object)
        has_it = field in known.fields if known else object == "Lead"
        return field if has_it else None

    def _read(self) -> tuple[OrgSchema, bool]:
        paths = {f"describe{name}": f"sobjects/{name}/describe" for name in (*OBJECTS, *OPTIONAL_OBJECTS)}
        paths |= {"organization": query_path(_ORGANIZATION), "statuses": query_path(_STATUSES), "stages": query_path(_STAGES)}
        parts, _ = composite(self._connection, paths, tolerate=True)
        bodies = {name: self._body(name, paths[f"describe{name}"], parts[f"describe{name}"]) for name in OBJECTS}
        for name in OPTIONAL_OBJECTS:
            body = self._optional(paths[f"describe{name}"], parts[f"describe{name}"])
            if body is not None:
                bodies[name] = body
        objects = {name: parse_describe(name, body) for name, body in bodies.items()}
        statuses = self._records(self._body("statuses", paths["statuses"], parts["statuses"]))
        organization = self._records(self._body("organization", paths["organization"], parts["organization"]))
        if len(organization) != 1 or not is_sf_id(organization[0].get("Id")):
            raise ContractError("Salesforce did not say which organization this is.")
        is_multi_currency, currencies = parse_currencies(objects)
        schema = OrgSchema(
            objects,
            parse_statuses(statuses),
            default_status=parse_default_status(statuses),
            opportunity_stages=parse_stages(self._records(parts["stages"].body)) if parts["stages"].is_ok else {},
            record_types={name: parse_record_types(body) for name, body in bodies.items()},
            closed_record_types={name: parse_closed_record_types(body) for name, body in bodies.items()},
            default_record_types={name: one for name, body in bodies.items() if (one := parse_default_record_type(body))},
            is_multi_currency=is_multi_currency,
            currencies=currencies,
        )
        return schema, organization[0].get("IsSandbox") is True

    def _optional(self, path: str, part: Part) -> Any:
        """The describe of an object that may be hidden; None if it is."""
        if part.is_ok or part.status in _HIDDEN_STATUSES:
            return part.body if part.is_ok else None
        try:
            return self._connection.read(path, lambda answer: answer.body)
        except (ContractError, AuthError):
            # The call before went through, so this is about the object.
            return None

    def _body(self, what: str, path: str, part: Part) -> Any:
        """The body of a part; one that was refused inside the composite call is asked for alone."""
        if part.is_ok:
            return part.body
        try:
            return self._connection.read(path, lambda answer: answer.body)
        except ContractError as error:
            raise AuthError(
                f"The integration user may not see {what}.",
                advice=f"Give its permission set read on {what} (objects and fields), and check salesforce.api_version.",
                detail=error.message,
            ) from error

    def _records(self, body: Any) -> list[Mapping[str, Any]]:
        page = parse_page(self._connection, body)
        return [one for one in records_of(self._connection, page) if isinstance(one, Mapping)]

    def statuses_of_record_type(self, record_type_id: str) -> tuple[str, ...] | None:
        """The lead statuses of a record type's lead process, None where it cannot be told. One call.

        Source: User Interface API Developer Guide, Get Values for a Picklist Field (41.0): `{"values": [{"value": ...}]}`.

        Raises:
            SalesforceUnavailableError, BudgetExhausted: As Connection.read.
        """
        if not is_sf_id(record_type_id):
            return None
        try:
            body = self._connection.read(
                f"ui-api/object-info/Lead/picklist-values/{record_type_id}/Status", lambda answer: answer.body
            )
        except (ContractError, AuthError):
            # The user interface API has rights and switches of its own, and knows not all objects.
            return None
        listed = body.get("values") if isinstance(body, Mapping) else None
        if not isinstance(listed, list):
            return None
        return tuple(one["value"] for one in listed if isinstance(one, Mapping) and isinstance(one.get("value"), str))

    def may(self, permission: str) -> bool | None:
        """Whether the integration user has a permission such as `PermissionsConvertLeads`, None where it cannot be told. One call.

        Source: Object Reference, UserPermissionAccess (API 41.0): one row, about the user who asks.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted: As Connection.read.
        """
        try:
            rows = query(self._connection, select((permission,), "UserPermissionAccess"))
        except ContractError:
            return None
        found = rows[0].get(permission) if len(rows) == 1 and isinstance(rows[0], Mapping) else None
        return found if isinstance(found, bool) else None
