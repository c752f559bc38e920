"""The org's refusals: every shape normalised to `OrgFault`, every code to its recovery. Pure.

Source: reference salesforce.md 8.1 and 8.2 (codes checked there against the partner WSDL 47.0 StatusCode and
ExceptionCode lists; statuses are typical, not contractual, so the code decides and never the status).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from syncd.errors import OperationError, SalesforceUnavailableError
from syncd.model import OrgFault, Recovery
from syncd.salesforce.ids import is_sf_id, to_18

_CODES: dict[Recovery, str] = {
    # The same request may be sent again as it is.
    Recovery.RETRY: """
        INVALID_SESSION_ID SERVER_UNAVAILABLE INVALID_QUERY_LOCATOR TOO_MANY_APEX_REQUESTS
        TXN_SECURITY_METERING_ERROR TXN_SECURITY_RUNTIME_ERROR TXN_SECURITY_APEX_ERROR TXN_SECURITY_FAIL_CLOSE
        ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED BATCH_PROCESSING_HALTED
        HTTP_406 HTTP_408 HTTP_420 HTTP_425 HTTP_429""",
    # Only this row, after a pause: somebody else holds the lock (10 s, Help 000229525).
    Recovery.RETRY_ALONE: "UNABLE_TO_LOCK_ROW",
    # With fewer rows in one call.
    Recovery.RETRY_SMALLER: """
        UNKNOWN_EXCEPTION INTERNAL_ERROR QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG OPERATION_TOO_LARGE EXCEEDED_ID_LIMIT
        JSON_PARSER_ERROR INVALID_BATCH_REQUEST POST_BODY_PARSE_ERROR EXCEEDED_LEAD_CONVERT_LIMIT SOAP_CLIENT HTTP_413""",
    # The whole org says wait.
    Recovery.PAUSE: """
        REQUEST_LIMIT_EXCEEDED LIMIT_EXCEEDED EXCEEDED_QUOTA TOO_MANY_JOBS STORAGE_LIMIT_EXCEEDED ORG_IN_MAINTENANCE
        INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE ORG_LOCKED FUNCTIONALITY_TEMPORARILY_UNAVAILABLE""",
    # An admin must change the mapping, the settings or a right; other rows would fare the same.
    Recovery.CONFIG: """
        INVALID_AUTH_HEADER INVALID_LOGIN invalid_grant invalid_client QUERY_TOO_COMPLICATED MALFORMED_QUERY
        INVALID_QUERY_FILTER_OPERATOR TXN_SECURITY_NO_ACCESS TXN_SECURITY_END_A_SESSION TXN_SECURITY_TWO_FA_REQUIRED
        API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED CLIENT_NOT_ACCESSIBLE_FOR_USER FUNCTIONALITY_NOT_ENABLED
        UNSUPPORTED_API_VERSION INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE FIELD_NOT_UPDATABLE INVALID_TYPE
        INVALID_ASSIGNMENT_RULE INVALID_STATUS MIXED_DML_OPERATION CREATE_NOT_POSSIBLE UNAVAILABLE_RECORDTYPE_EXCEPTION
        HTTP_404 HTTP_405 HTTP_410 HTTP_414 HTTP_415 HTTP_431""",
    # This record cannot be saved like this.
    Recovery.REFUSED: """
        INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY
        REQUIRED_FIELD_MISSING STRING_TOO_LONG INVALID_EMAIL_ADDRESS INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST
        INVALID_TYPE_ON_FIELD_IN_RECORD NUMBER_OUTSIDE_VALID_RANGE INVALID_CURRENCY_ISO
        TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_INTEGRITY_EXCEPTION
        FIELD_FILTER_VALIDATION_EXCEPTION ENTITY_IS_LOCKED MALFORMED_ID INVALID_ID_FIELD
        INACTIVE_OWNER_OR_USER OP_WITH_INVALID_USER_TYPE_EXCEPTION INVALID_OWNER
        CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER APEX_DATA_ACCESS_RESTRICTION CUSTOM_APEX_ERROR
        EMAIL_OPTED_OUT OPTED_OUT_OF_MASS_MAIL""",
    # Nobody can say what became of it: look the record up.
    Recovery.UNKNOWN: "NOT_ANSWERED",
    # A duplicate rule of the org found somebody.
    Recovery.DUPLICATE: "DUPLICATES_DETECTED",
    # The record is not what we took it for: look it up again.
    Recovery.RERESOLVE: """
        NOT_FOUND DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID CANNOT_UPDATE_CONVERTED_LEAD ENTITY_IS_DELETED
        INVALID_CROSS_REFERENCE_KEY""",
}

RECOVERIES: Mapping[str, Recovery] = MappingProxyType(
    {code: recovery for recovery, codes in _CODES.items() for code in codes.split()}
)
"""Code to recovery. A code that is not here is tried once more and then refused (`recovery_of`)."""

STOPPING_CODES = frozenset(
    [
        "INVALID_AUTH_HEADER",
        "INVALID_LOGIN",
        "TXN_SECURITY_NO_ACCESS",
        "TXN_SECURITY_END_A_SESSION",
        "TXN_SECURITY_TWO_FA_REQUIRED",
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "FUNCTIONALITY_NOT_ENABLED",
        "UNSUPPORTED_API_VERSION",
    ]
)
"""As the answer to a whole call: rights or settings of the integration user; an AuthError."""

QUOTA_CODES = frozenset(["REQUEST_LIMIT_EXCEEDED", "LIMIT_EXCEEDED", "EXCEEDED_QUOTA", "TOO_MANY_JOBS"])
"""As the answer to a whole call: the org's allocation is used up."""

WHOLE_CALL_CODES = frozenset(
    ["INVALID_TYPE", "NOT_FOUND", "STORAGE_LIMIT_EXCEEDED", "INVALID_ASSIGNMENT_RULE", "HTTP_404", "HTTP_405", "HTTP_410"]
)
"""As the answer to a whole write: every row would get it, so splitting the call teaches nothing."""

_PASSING = (Recovery.RETRY, Recovery.RETRY_ALONE, Recovery.RETRY_SMALLER)
_TRIGGER_CODES = frozenset(
    ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "APEX_DATA_ACCESS_RESTRICTION", "CUSTOM_APEX_ERROR"]
)
_LOCK_WORDS = re.compile(r"UNABLE_TO_LOCK_ROW|unable to obtain exclusive access", re.IGNORECASE)
_LIMIT_WORDS = re.compile(r"too many (?:soql|dml|query|queries)|cpu time|timed? ?out|heap size", re.IGNORECASE)
_RECORD_FIELDS = frozenset(["Id", "id", "leadId", "accountId", "contactId"])
"""Fields of a fault that name the record itself, or in a conversion those it takes: any of them may be gone or merged by now."""
_MISSING_FIELDS = re.compile(r"\[([A-Za-z0-9_, ]+)\]")
_COLUMN = re.compile(r"No such column '([A-Za-z0-9_.]+)'")
_ID_IN_TEXT = re.compile(r"\b([A-Za-z0-9]{18}|[A-Za-z0-9]{15})\b")


class CallRefusedError(OperationError):
    """The org refused a whole call with a fault; nothing of it was carried out. Stays inside salesforce/."""

    def __init__(self, fault: OrgFault, status: int) -> None:
        """Keep the fault; its text may hold record values and stays out of the message."""
        super().__init__(f"Salesforce refused a call with {fault.code} (HTTP {status}).")
        self.fault = fault
        self.status = status


class BusyError(SalesforceUnavailableError):
    """A temporary answer that may name how long to wait. Leaves salesforce/ as what it is: SalesforceUnavailableError."""

    def __init__(self, message: str, *, retry_after_seconds: float | None, advice: str = "", detail: str = "") -> None:
        """Keep the wish of the other side, None if it gave none."""
        super().__init__(message, advice=advice, detail=detail)
        self.retry_after_seconds = retry_after_seconds


def recovery_of(code: str, message: str = "", fields: tuple[str, ...] = ()) -> Recovery:
    """What to do about `code`. Pure.

    The text decides only where one code stands for several causes: triggers and flows wrap the platform's own faults.
    """
    if code in _TRIGGER_CODES:
        if _LOCK_WORDS.search(message):
            return Recovery.RETRY_ALONE
        if _LIMIT_WORDS.search(message):
            return Recovery.RETRY_SMALLER
    if code == "INVALID_CROSS_REFERENCE_KEY" and any(name not in _RECORD_FIELDS for name in fields):
        # A bad owner or record type, not a bad record: looking the record up again would go round in circles.
        return Recovery.REFUSED
    # An unknown code is worth one more try; the writer refuses it after that.
    return RECOVERIES.get(code, Recovery.RETRY)


def is_known(code: str) -> bool:
    """Whether the table has `code`."""
    return code in RECOVERIES


def refused_for_good(fault: OrgFault) -> OrgFault:
    """The same fault after its last try: an unknown or unsplittable one becomes a refusal. Pure."""
    if fault.recovery is Recovery.RETRY_SMALLER or (fault.recovery is Recovery.RETRY and not is_known(fault.code)):
        return OrgFault(fault.code, fault.message, fault.fields, Recovery.REFUSED, fault.matches)
    return fault


def fault_of(body: Any, status: int = 200) -> OrgFault:
    """Normalise an error answer of any shape. Pure.

    Args:
        body: A list of `{errorCode, message, fields}`, an element `{success, errors: [{statusCode, ...}]}`, an OAuth
            object `{error, error_description}`, or anything else (HTML text, None).
        status: HTTP status, used for the code `HTTP_<status>` when the body has none.

    Of several errors the permanent one is taken: trying again would not help.
    """
    faults = [_fault(error) for error in _errors(body)]
    permanent = [fault for fault in faults if fault.recovery not in _PASSING]
    if faults:
        return (permanent or faults)[0]
    code = f"HTTP_{status}"
    if status >= 500:
        return OrgFault(code, f"Salesforce answered HTTP {status} without a reason.", recovery=Recovery.UNKNOWN)
    recovery = RECOVERIES.get(code, Recovery.REFUSED)
    return OrgFault(code, f"Salesforce answered HTTP {status} without a reason.", recovery=recovery)


def has_code(body: Any) -> bool:
    """Whether an error answer carries a Salesforce error code, so that Salesforce itself (not an edge) refused. Pure."""
    return any(True for _ in _errors(body))


def _errors(body: Any) -> Iterator[Mapping[str, Any]]:
    """The error objects of an answer, whatever its shape."""
    if isinstance(body, Mapping):
        nested = body.get("errors")
        if isinstance(nested, list):
            body = nested
        elif isinstance(body.get("error"), str):
            yield {"errorCode": body["error"], "message": body.get("error_description")}
            return
        else:
            body = [body]
    if isinstance(body, list):
        for error in body:
            if isinstance(error, Mapping) and isinstance(error.get("errorCode") or error.get("statusCode"), str):
                yield error


def _fault(error: Mapping[str, Any]) -> OrgFault:
    code = str(error.get("errorCode") or error.get("statusCode"))
    message = str(error.get("message") or "")
    named = error.get("fields")
    fields = tuple(str(name) for name in named) if isinstance(named, list) else ()
    if not fields and code == "REQUIRED_FIELD_MISSING" and (found := _MISSING_FIELDS.search(message)):
        fields = tuple(name.strip() for name in found[1].split(","))
    if not fields and code == "INVALID_FIELD" and (found := _COLUMN.search(message)):
        fields = (found[1],)
    return OrgFault(code, message, fields, recovery_of(code, message, fields), _matches(code, message, error))


def _matches(code: str, message: str, error: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids of the records that a refusal points at, in order, each once."""
    found: list[str] = []
    if code == "DUPLICATES_DETECTED":
        # The key really is misspelt in the API; accept both.
        result = error.get("duplicateResut") or error.get("duplicateResult")
        found = [
            str(_get(candidate.get("record"), "Id"))
            for matched in _dicts(_get(result, "matchResults"))
            for candidate in _dicts(matched.get("matchRecords"))
        ]
    elif code in ("DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"):
        found = [text for text in _ID_IN_TEXT.findall(message) if any(letter.isdigit() for letter in text)]
    return tuple(dict.fromkeys(to_18(sf_id) for sf_id in found if is_sf_id(sf_id)))


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _dicts(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else iter(())
