from __future__ import annotations

from typing import Any

import pytest

from syncd.model import Recovery
from syncd.salesforce.faults import RECOVERIES, fault_of, has_code, recovery_of, refused_for_good

# Every code of the reference, salesforce.md 8.2, with what is to be done about it.
EXPECTED = {
    "INVALID_SESSION_ID": "retry",
    "INVALID_AUTH_HEADER": "config",
    "INVALID_LOGIN": "config",
    "invalid_grant": "config",
    "invalid_client": "config",
    "REQUEST_LIMIT_EXCEEDED": "pause",
    "LIMIT_EXCEEDED": "pause",
    "EXCEEDED_QUOTA": "pause",
    "TOO_MANY_JOBS": "pause",
    "SERVER_UNAVAILABLE": "retry",
    "UNKNOWN_EXCEPTION": "retry_smaller",
    "INTERNAL_ERROR": "retry_smaller",
    "ORG_IN_MAINTENANCE": "pause",
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": "pause",
    "ORG_LOCKED": "pause",
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE": "pause",
    "UNABLE_TO_LOCK_ROW": "retry_alone",
    "QUERY_TIMEOUT": "retry_smaller",
    "REQUEST_RUNNING_TOO_LONG": "retry_smaller",
    "OPERATION_TOO_LARGE": "retry_smaller",
    "QUERY_TOO_COMPLICATED": "config",
    "MALFORMED_QUERY": "config",
    "INVALID_QUERY_FILTER_OPERATOR": "config",
    "INVALID_QUERY_LOCATOR": "retry",
    "EXCEEDED_ID_LIMIT": "retry_smaller",
    "STORAGE_LIMIT_EXCEEDED": "pause",
    "TXN_SECURITY_METERING_ERROR": "retry",
    "TXN_SECURITY_RUNTIME_ERROR": "retry",
    "TXN_SECURITY_APEX_ERROR": "retry",
    "TXN_SECURITY_FAIL_CLOSE": "retry",
    "TXN_SECURITY_NO_ACCESS": "config",
    "TXN_SECURITY_END_A_SESSION": "config",
    "TXN_SECURITY_TWO_FA_REQUIRED": "config",
    "API_DISABLED_FOR_ORG": "config",
    "API_CURRENTLY_DISABLED": "config",
    "CLIENT_NOT_ACCESSIBLE_FOR_USER": "config",
    "FUNCTIONALITY_NOT_ENABLED": "config",
    "UNSUPPORTED_API_VERSION": "config",
    "INSUFFICIENT_ACCESS": "refused",
    "INSUFFICIENT_ACCESS_OR_READONLY": "refused",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "refused",
    "INVALID_FIELD": "config",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "config",
    "FIELD_NOT_UPDATABLE": "config",
    "INVALID_TYPE": "config",
    "NOT_FOUND": "reresolve",
    "REQUIRED_FIELD_MISSING": "refused",
    "STRING_TOO_LONG": "refused",
    "INVALID_EMAIL_ADDRESS": "refused",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "refused",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "refused",
    "NUMBER_OUTSIDE_VALID_RANGE": "refused",
    "INVALID_CURRENCY_ISO": "refused",
    "TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET": "refused",
    "JSON_PARSER_ERROR": "retry_smaller",
    "INVALID_BATCH_REQUEST": "retry_smaller",
    "POST_BODY_PARSE_ERROR": "retry_smaller",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "refused",
    "FIELD_INTEGRITY_EXCEPTION": "refused",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "refused",
    "DUPLICATES_DETECTED": "duplicate",
    "DUPLICATE_VALUE": "reresolve",
    "DUPLICATE_EXTERNAL_ID": "reresolve",
    "CANNOT_UPDATE_CONVERTED_LEAD": "reresolve",
    "ENTITY_IS_DELETED": "reresolve",
    "ENTITY_IS_LOCKED": "refused",
    "MALFORMED_ID": "refused",
    "INVALID_ID_FIELD": "refused",
    "INVALID_CROSS_REFERENCE_KEY": "reresolve",
    "INACTIVE_OWNER_OR_USER": "refused",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "refused",
    "INVALID_OWNER": "refused",
    "INVALID_ASSIGNMENT_RULE": "config",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "refused",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "refused",
    "APEX_DATA_ACCESS_RESTRICTION": "refused",
    "CUSTOM_APEX_ERROR": "refused",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": "retry",
    "PROCESSING_HALTED": "retry",
    "BATCH_PROCESSING_HALTED": "retry",
    "INVALID_STATUS": "config",
    "EXCEEDED_LEAD_CONVERT_LIMIT": "retry_smaller",
    "MIXED_DML_OPERATION": "config",
    "EMAIL_OPTED_OUT": "refused",
    "OPTED_OUT_OF_MASS_MAIL": "refused",
    "TOO_MANY_APEX_REQUESTS": "retry",
    "UNAVAILABLE_RECORDTYPE_EXCEPTION": "config",
    "SOAP_CLIENT": "retry_smaller",
    "NOT_ANSWERED": "unknown",
}


@pytest.mark.parametrize(("code", "recovery"), EXPECTED.items())
def test_each_code_of_the_reference_has_its_recovery(code: str, recovery: str) -> None:
    assert recovery_of(code) == recovery
    assert code in RECOVERIES


def test_an_unknown_code_is_tried_once_and_then_refused() -> None:
    fault = fault_of([{"errorCode": "BRAND_NEW", "message": "?"}], 400)
    assert fault.recovery is Recovery.RETRY
    assert refused_for_good(fault).recovery is Recovery.REFUSED


@pytest.mark.parametrize(
    ("message", "recovery"),
    [
        ("LeadTrigger: System.DmlException: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access", Recovery.RETRY_ALONE),
        ("LeadTrigger: System.LimitException: Too many SOQL queries: 101", Recovery.RETRY_SMALLER),
        ("LeadTrigger: System.LimitException: Apex CPU time limit exceeded", Recovery.RETRY_SMALLER),
        ("LeadTrigger: System.CalloutException: Read timed out", Recovery.RETRY_SMALLER),
        ("LeadTrigger: System.NullPointerException", Recovery.REFUSED),
    ],
)
def test_a_trigger_that_failed_is_judged_by_what_it_wraps(message: str, recovery: Recovery) -> None:
    assert recovery_of("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message) is recovery


def test_a_bad_owner_is_refused_and_a_bad_record_is_looked_up_again() -> None:
    assert recovery_of("INVALID_CROSS_REFERENCE_KEY", fields=("OwnerId",)) is Recovery.REFUSED
    assert recovery_of("INVALID_CROSS_REFERENCE_KEY") is Recovery.RERESOLVE


@pytest.mark.parametrize(
    ("name", "recovery"), [("leadId", Recovery.RERESOLVE), ("accountId", Recovery.RERESOLVE), ("ownerId", Recovery.REFUSED)]
)
def test_what_a_conversion_takes_is_looked_up_again_and_who_gets_it_is_not(name: str, recovery: Recovery) -> None:
    assert recovery_of("INVALID_CROSS_REFERENCE_KEY", fields=(name,)) is recovery


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        ([{"errorCode": "STRING_TOO_LONG", "message": "m", "fields": ["Title"]}], "STRING_TOO_LONG", ("Title",)),
        ({"success": False, "errors": [{"statusCode": "X_Y", "message": "m", "fields": []}]}, "X_Y", ()),
        ({"error": "invalid_client", "error_description": "d"}, "invalid_client", ()),
        ({"error": "invalid_client"}, "invalid_client", ()),
        ({"errorCode": "NOT_FOUND", "message": "m"}, "NOT_FOUND", ()),
        ([{"errorCode": "INVALID_FIELD", "message": "No such column 'Foo__c' on entity 'Lead'"}], "INVALID_FIELD", ("Foo__c",)),
        (
            [{"errorCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName, Company]"}],
            "REQUIRED_FIELD_MISSING",
            ("LastName", "Company"),
        ),
    ],
)
def test_each_shape_is_read(body: Any, code: str, fields: tuple[str, ...]) -> None:
    fault = fault_of(body, 400)
    assert (fault.code, fault.fields) == (code, fields)
    assert has_code(body)


@pytest.mark.parametrize("body", ["<html>", None, "", {}, [], [1], {"errors": "x"}, [{"message": "m"}], 7])
def test_an_answer_without_a_code_is_named_by_its_status(body: Any) -> None:
    assert not has_code(body)
    assert fault_of(body, 404).code == "HTTP_404"
    assert fault_of(body, 502).recovery is Recovery.UNKNOWN


def test_of_several_errors_the_permanent_one_counts() -> None:
    errors = [
        {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "", "fields": []},
        {"statusCode": "STRING_TOO_LONG", "message": "", "fields": ["City"]},
    ]
    assert fault_of({"success": False, "errors": errors}).code == "STRING_TOO_LONG"


@pytest.mark.parametrize("key", ["duplicateResut", "duplicateResult"])
def test_a_duplicate_answer_names_its_matches_in_both_spellings(key: str) -> None:
    matches = [
        {"record": {"attributes": {"type": "Lead"}, "Id": "00Q000000000001AAA"}},
        {"record": {"attributes": {"type": "Lead"}, "Id": "00Q000000000002AAA"}},
        {"record": None},
    ]
    error = {
        "errorCode": "DUPLICATES_DETECTED",
        "message": "Use one of these records?",
        key: {"matchResults": [{"entityType": "Lead", "matchRecords": matches}, None]},
    }
    fault = fault_of([error], 400)
    assert fault.recovery is Recovery.DUPLICATE
    assert fault.matches == ("00Q000000000001AAA", "00Q000000000002AAA")


def test_a_duplicate_answer_without_details_is_still_a_duplicate() -> None:
    fault = fault_of({"success": False, "errors": [{"statusCode": "DUPLICATES_DETECTED", "message": "?", "fields": []}]})
    assert (fault.recovery, fault.matches) == (Recovery.DUPLICATE, ())


def test_a_duplicate_value_names_the_other_record() -> None:
    message = "duplicate value found: Syncd_Id__c duplicates value on record with id: 00Q5f00000AbCdE"
    assert fault_of([{"errorCode": "DUPLICATE_VALUE", "message": message}], 400).matches == ("00Q5f00000AbCdEEAV",)
