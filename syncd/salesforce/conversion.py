"""Converting up to 100 leads in one SOAP call, with the answer of each (reference salesforce.md 9.3).

A conversion cannot be taken back and has no idempotency key, but the org refuses to convert a lead twice. So what met a lock is sent again
here, and an answer that does not come, or that explains nothing, is an unknown outcome: the caller re-reads IsConverted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from syncd.clock import Clock
from syncd.errors import UnknownOutcomeError
from syncd.model import Conversion, ConversionOutcome, OrgFault, Recovery
from syncd.salesforce.collections import repeated
from syncd.salesforce.connection import Answer, Connection
from syncd.salesforce.faults import CallRefusedError, is_known
from syncd.salesforce.ids import is_sf_id, to_18
from syncd.salesforce.line import Soap, lost_answer
from syncd.salesforce.soap import convert_envelope, fits_xml, read_convert_answer
from syncd.salesforce.writes import write_rows

LEADS_PER_CALL = 100
"""SOAP API Developer Guide, convertLead()."""

_UNEXPLAINED = frozenset({"UNKNOWN_EXCEPTION", "INTERNAL_ERROR", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG"})
"""As the fault of a whole call: the org broke off, and some leads may be converted."""

Result = Mapping[str, Any]
"""One result as read_convert_answer gives it."""


class Converter:
    """Converts through one connection."""

    def __init__(self, connection: Connection, client: str, clock: Clock, chance: random.Random) -> None:
        """Nothing is sent yet; `client` is the name in the org's event logs."""
        self._connection = connection
        self._client = client
        self._clock = clock
        self._chance = chance

    def convert(self, rows: Sequence[Conversion]) -> list[ConversionOutcome]:
        """Convert `rows`, at most 100; one outcome each, in order.

        Rows that could not be sent, or would refuse the others, have a fault without a call. A lead that the answer does not name has
        the fault NOT_ANSWERED (recovery `unknown`).

        Raises:
            ValueError: More than 100 rows.
            UnknownOutcomeError: No answer, or none that can be used: re-read IsConverted of all of them.
            SalesforceUnavailableError, AuthError, BudgetExhausted: Nothing was converted.
        """
        if len(rows) > LEADS_PER_CALL:
            raise ValueError(f"A conversion takes at most {LEADS_PER_CALL} leads, not {len(rows)}.")
        refused = _unsendable(rows) | repeated((to_18(row.lead_id) for row in rows), "DUPLICATE_VALUE")
        made: dict[int, Result] = {}

        def call(indexes: Sequence[int]) -> Answer:
            found = self._call([rows[index] for index in indexes])
            made.update(zip(indexes, found, strict=True))
            return Answer([{"id": one["leadId"], "success": one["success"], "errors": one["errors"]} for one in found], {})

        outcomes = write_rows(call, refused, [()] * len(rows), self._clock, self._chance)
        return [
            ConversionOutcome(row.lead_id, fault=outcome.fault) if outcome.fault else _converted(row, made[index])
            for index, (row, outcome) in enumerate(zip(rows, outcomes, strict=True))
        ]

    def _call(self, rows: Sequence[Conversion]) -> list[Result]:
        """One call: a result for each row, in the order of the rows."""

        def envelope(access_token: str) -> bytes:
            return convert_envelope(rows, access_token, self._client)

        try:
            answer = self._connection.call(Soap(envelope, read_convert_answer))
        except CallRefusedError as error:
            fault = error.fault
            if fault.code in _UNEXPLAINED or not is_known(fault.code):
                raise lost_answer(f"Salesforce ended a conversion with {fault.code}.", is_write=True) from error
            if fault.recovery is Recovery.RETRY_SMALLER:
                raise
            # A right, a setting or a limit: every lead of the call would get the same, so it is not sent again in parts.
            return [_failed(row, fault.code, fault.message) for row in rows]
        return _in_order(rows, answer.body)


def _in_order(rows: Sequence[Conversion], results: Sequence[Result]) -> list[Result]:
    """The results by lead id. A failed one may come without it: then its place says whose it is, if all are there.

    Raises:
        UnknownOutcomeError: A result for a lead that was not asked for, or two for one.
    """
    named = [to_18(one["leadId"]) for one in results]
    if len(results) == len(rows):
        named = [name or to_18(row.lead_id) for name, row in zip(named, rows, strict=True)]
    found = {name: one for name, one in zip(named, results, strict=True) if name}
    if len(found) < sum(1 for name in named if name) or not found.keys() <= {to_18(row.lead_id) for row in rows}:
        raise UnknownOutcomeError(
            "Salesforce answered a conversion with other leads than were asked for.",
            advice="syncd looks the records up before it repeats anything.",
        )
    return [_checked(row, found.get(to_18(row.lead_id))) for row in rows]


def _checked(row: Conversion, result: Result | None) -> Result:
    if result is None or (result["success"] and not is_sf_id(result["accountId"])):
        return _failed(row, "NOT_ANSWERED", "Salesforce did not say what became of this lead.")
    return {**result, "leadId": row.lead_id}


def _converted(row: Conversion, result: Result) -> ConversionOutcome:
    account_id, contact_id, opportunity_id = (to_18(result[name]) for name in ("accountId", "contactId", "opportunityId"))
    return ConversionOutcome(row.lead_id, account_id, contact_id, opportunity_id)


def _failed(row: Conversion, code: str, message: str) -> Result:
    return {"leadId": row.lead_id, "success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _unsendable(rows: Sequence[Conversion]) -> dict[int, OrgFault]:
    """Rows that the org could not read, or is known to refuse; sent, they could fail the whole call."""
    refused: dict[int, OrgFault] = {}
    for index, row in enumerate(rows):
        ids = {"leadId": row.lead_id, "accountId": row.account_id, "contactId": row.contact_id, "ownerId": row.owner_id}
        wrong = tuple(name for name, sf_id in ids.items() if not is_sf_id(sf_id) and (sf_id or name == "leadId"))
        if wrong:
            refused[index] = OrgFault("MALFORMED_ID", "This is no Salesforce id.", wrong)
        elif row.contact_id and not row.account_id:
            message = "A contact can be joined only together with its account."
            refused[index] = OrgFault("REQUIRED_FIELD_MISSING", message, ("accountId",))
        elif not fits_xml(row.converted_status + row.opportunity_name):
            refused[index] = OrgFault("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", "A character that XML cannot carry.")
    return refused
