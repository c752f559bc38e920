"""`SalesforceOrg`: everything syncd asks of one org, as `syncd.ports.Org` wants it."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from syncd.clock import Clock
from syncd.errors import ContractError
from syncd.http import Session, make_session
from syncd.model import Assignment, Conversion, ConversionOutcome, Lane, OrgIdentity, OrgRow, OrgSchema, RowOutcome, Value
from syncd.ports import ChangedRows
from syncd.salesforce.budget import Budget
from syncd.salesforce.catalogue import Catalogue
from syncd.salesforce.collections import CollectionWriter
from syncd.salesforce.connection import Answer, Connection
from syncd.salesforce.conversion import Converter
from syncd.salesforce.deals import DealReader
from syncd.salesforce.ids import chunks_of_literals, is_sf_id, quoted, select, to_18
from syncd.salesforce.mirror import MirrorReader
from syncd.salesforce.owners import Owners
from syncd.salesforce.queries import query, query_many, query_path
from syncd.salesforce.rows import row_reader, selected_fields
from syncd.salesforce.settings import OrgSettings
from syncd.salesforce.tokens import TokenProvider

_IDS_PER_RETRIEVE = 2_000
_URL_BYTES = 12_000
"""For statements in a GET: URI and headers may have 16,384 bytes (reference salesforce.md 4.2)."""
_STATEMENT_CHARACTERS = 60_000
"""For statements in a body: SOQL may have 100,000 characters."""


class SalesforceOrg:
    """One org. Safe to use from several threads: each has its own connections, all share token, budget and schema."""

    def __init__(
        self,
        settings: OrgSettings,
        clock: Clock,
        *,
        budget_used: tuple[date, int] | None = None,
        sessions: Callable[[], Session] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """Nothing is sent before the first call.

        Args:
            settings: The org and how to log in.
            clock: Time, and the sleeping between tries.
            budget_used: `budget_used` of the process before.
            sessions: Makes a session per thread; the default speaks https only and trusts `settings.ca_file` too.
            chance: Jitter; seed it in tests.

        Raises:
            ConfigError: `settings.ca_file` cannot be read.
        """
        sessions = sessions or _sessions(settings)
        chance = chance or random.Random()  # noqa: S311 - jitter
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._lane: Lane | None = None
        self._budget = Budget(settings.daily_share, settings.hot_reserve, budget_used)
        tokens = TokenProvider(settings, sessions(), clock)
        self._connection = Connection(settings, tokens, self._budget, clock, sessions, chance)
        self._catalogue = Catalogue(self._connection, settings, clock)
        self._owners = Owners(self._connection)
        self._writer = CollectionWriter(self._connection, clock, chance)
        self._converter = Converter(self._connection, settings.client, clock, chance)

    @property
    def api_calls(self) -> int:
        """Calls sent by this process, or by its lane, repeated and refused ones included; log-ins are none."""
        return self._budget.total if self._lane is None else self._budget.total_of(self._lane)

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """(used, allowed) calls of the whole org in 24 h as last heard, None before the first answer."""
        return self._budget.org_usage

    @property
    def budget_used(self) -> tuple[date, int]:
        """The UTC day and our calls on it: store it, and give it to the next process."""
        return self._budget.used

    @property
    def budget_pressure(self) -> float:
        """How much of what increments may use of the org's calls is used; see Budget.pressure."""
        return self._budget.pressure

    def in_lane(self, lane: Lane) -> SalesforceOrg:
        """The same org for a lane with its own share of the budget; token, schema and each thread's connection are shared."""
        other = copy.copy(self)
        other._lane = lane  # noqa: SLF001 - a copy of itself
        other._connection = self._connection.in_lane(lane)  # noqa: SLF001
        other._writer = CollectionWriter(other._connection, self._clock, self._chance)  # noqa: SLF001
        other._converter = Converter(other._connection, self._settings.client, self._clock, self._chance)  # noqa: SLF001
        return other

    @property
    def settings(self) -> OrgSettings:
        """How this org is reached; secrets are not in its repr."""
        return self._settings

    def close(self) -> None:
        """Close this thread's connections."""
        self._connection.close()

    def identity(self) -> OrgIdentity:
        """Whose org this is; shares its call with `schema`."""
        return self._catalogue.identity()

    def schema(self) -> OrgSchema:
        """Objects, lead statuses and stages as the integration user sees them (see OrgSchema); one call, kept for an hour.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted: As in ports.Org.
            ContractError: An answer has another shape than documented.
        """
        return self._catalogue.schema()

    def changes(self, fields: Mapping[str, Sequence[str]], since: Mapping[str, datetime | None]) -> Iterator[ChangedRows]:
        """Yield what changed, deleted and merged rows included; see MirrorReader.pages."""
        return MirrorReader(self._connection, self._catalogue, self._clock, fields).pages(since)

    def deals(self) -> DealReader:
        """A reader of opportunities and what hangs on them, as they are now."""
        return DealReader(self._connection, self._clock)

    def retrieve(self, object: str, sf_ids: Sequence[str], fields: Sequence[str]) -> dict[str, OrgRow | None]:
        """The records as they are now, by the ids given; None for those that are gone or hidden. One call per 2,000.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted: As in ports.Org.
            ContractError: The answer does not fit the question.
        """
        self._catalogue.check_visible(object)
        found: dict[str, OrgRow | None] = {}
        wanted = [sf_id for sf_id in dict.fromkeys(sf_ids) if is_sf_id(sf_id)]
        for start in range(0, len(wanted), _IDS_PER_RETRIEVE):
            part = wanted[start : start + _IDS_PER_RETRIEVE]
            rows = self._retrieve_part(object, part, fields)
            found.update(zip(part, rows, strict=True))
        return {sf_id: found.get(sf_id) for sf_id in sf_ids}

    def _retrieve_part(self, object: str, sf_ids: Sequence[str], fields: Sequence[str]) -> list[OrgRow | None]:
        external = self._catalogue.external_id_of(object)
        known = self._catalogue.known(object)
        body = {"ids": list(sf_ids), "fields": selected_fields(object, fields, external)}
        read = row_reader(object, fields, external, known)

        def parse(answer: Answer) -> list[OrgRow | None]:
            records: Any = answer.body
            if not isinstance(records, list) or len(records) != len(sf_ids):
                raise ContractError("Salesforce answered a retrieve with another number of records than was asked for.")
            rows = [None if one is None else read(one) for one in records]
            if any(row is not None and row.sf_id != to_18(sf_id) for row, sf_id in zip(rows, sf_ids, strict=True)):
                raise ContractError("Salesforce answered a retrieve in another order than was asked for.")
            return rows

        return self._connection.read(f"composite/sobjects/{object}", parse, method="POST", body=body)

    def find_by_external_id(self, object: str, values: Sequence[str], fields: Sequence[str]) -> dict[str, list[OrgRow]]:
        """Records by external id value, without deleted ones; an empty list for a value nobody has.

        A short list is one GET; a longer one goes in the body, up to 5 statements a call.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As `retrieve`.
        """
        found: dict[str, list[OrgRow]] = {value: [] for value in values}
        external = self._catalogue.external_id_of(object)
        if external is None or not values:
            return found
        wanted = [value for value in found if value]
        head = select(selected_fields(object, fields, external), object, f"{external} IN ()")
        url_length = len(query_path(head))
        chunks = chunks_of_literals(wanted, url_length, _URL_BYTES, encoded=True)
        if len(chunks) > 1:
            chunks = chunks_of_literals(wanted, len(head), _STATEMENT_CHARACTERS, encoded=False)
        statements = [f"{head[:-1]}{','.join(quoted(value) for value in chunk)})" for chunk in chunks]
        is_short = len(statements) == 1 and len(query_path(statements[0])) <= _URL_BYTES
        records = query(self._connection, statements[0]) if is_short else query_many(self._connection, statements)
        # Equality of text ignores case in the org unless the field is case-sensitive.
        by_folded = {value.casefold(): value for value in wanted}
        known = self._catalogue.known(object)
        read = row_reader(object, fields, external, known)
        for record in records:
            row = read(record)
            key = row.external_id if row.external_id in found else by_folded.get(row.external_id.casefold())
            if key is None:
                raise ContractError(f"Salesforce gave a {object} that was not asked for.")
            found[key].append(row)
        return found

    def find_by_email(self, emails: Sequence[str], fields: Mapping[str, Sequence[str]]) -> list[OrgRow]:
        """Records of the objects in `fields` (name to data fields) with one of these addresses, as they are now; usually one call.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As `retrieve`.
        """
        readers = {}
        statements = []
        for name, wanted in fields.items():
            external, known = self._catalogue.external_id_of(name), self._catalogue.known(name)
            readers[name] = row_reader(name, wanted, external, known)
            head = select(selected_fields(name, wanted, external), name, "Email IN ()")
            chunks = chunks_of_literals(
                list(dict.fromkeys(filter(None, emails))), len(head), _STATEMENT_CHARACTERS, encoded=False
            )
            statements += [f"{head[:-1]}{','.join(quoted(email) for email in chunk)})" for chunk in chunks]
        found = []
        for record in query_many(self._connection, statements):
            kind = record.get("attributes", {}).get("type") if isinstance(record, Mapping) else None
            if kind not in readers:
                raise ContractError("Salesforce gave a record of an object that was not asked for.")
            found.append(readers[kind](record))
        return found

    def create(
        self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]], assignment: Assignment | None
    ) -> list[RowOutcome]:
        """Create by external id (at most 200 rows): (external id value, fields); see CollectionWriter.create.

        Raises:
            UnknownOutcomeError: An answer was lost: look all rows up before anything is repeated.
            SalesforceUnavailableError, AuthError, BudgetExhausted: Nothing was written.
        """
        return self._writer.create(object, rows, self._settings.external_id_field, assignment)

    def update(self, object: str, rows: Sequence[tuple[str, Mapping[str, Value]]]) -> list[RowOutcome]:
        """Update by id (at most 200 rows), assignment rules off; None clears. Raises as `create`."""
        return self._writer.update(object, rows)

    def convert(self, rows: Sequence[Conversion]) -> list[ConversionOutcome]:
        """Convert leads (at most 100) in one SOAP call, duplicate rules on; see Converter.convert. Raises as `create`."""
        return self._converter.convert(rows)

    def delete(self, sf_ids: Sequence[str]) -> list[RowOutcome]:
        """Delete by id (at most 200), into the recycle bin. Raises as `create`."""
        return self._writer.delete(sf_ids)

    def owner_id(self, kind: str, name: str) -> str:
        """The id of a `queue` or an active `user`, one call for each name per process; see Owners.owner_id.

        Raises:
            ConfigError: There is none, there are several, or the user is inactive.
        """
        return self._owners.owner_id(kind, name)

    def active_users(self, sf_ids: Sequence[str]) -> dict[str, bool]:
        """Whether each is an active user, by the ids given; False for queues and for what is gone. One call per 200.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As `retrieve`.
        """
        return self._owners.active_users(sf_ids)

    def queue_members(self, queue_id: str) -> list[str]:
        """Ids of the active users who are members of a queue, sorted; see Owners.queue_members. Raises as `retrieve`."""
        return self._owners.queue_members(queue_id)

    def statuses_of_record_type(self, record_type_id: str) -> tuple[str, ...] | None:
        """The statuses of a record type's lead process, None where it cannot be told; one call, for `syncd check --live`."""
        return self._catalogue.statuses_of_record_type(record_type_id)

    def may(self, permission: str) -> bool | None:
        """Whether the integration user has a permission, None where it cannot be told; one call, for `syncd check --live`."""
        return self._catalogue.may(permission)


def _sessions(settings: OrgSettings) -> Callable[[], Session]:
    def make() -> Session:
        return make_session(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            ca_file=settings.ca_file,
            https_only=True,
        )

    return make
