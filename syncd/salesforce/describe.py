"""The org's answers to describe, LeadStatus and OpportunityStage as an `OrgSchema`. Pure.

A describe is filtered by field-level security: a missing field does not exist or may not be seen, and nothing here can
tell which (REST API Developer Guide, sObject Describe; reference salesforce.md 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.errors import ContractError
from syncd.model import FieldSchema, ObjectSchema
from syncd.salesforce.ids import is_sf_id, to_18


def parse_describe(object: str, body: Any) -> ObjectSchema:
    """The fields of one describe.

    Raises:
        ContractError: No list of named and typed fields.
    """
    described = body.get("fields") if isinstance(body, Mapping) else None
    if not isinstance(described, list) or not described:
        raise ContractError(f"Salesforce described {object} without fields.")
    fields = [_field(object, one) for one in described]
    return ObjectSchema(
        object,
        {field.name: field for field in fields},
        is_createable=body.get("createable") is not False,
        is_updateable=body.get("updateable") is not False,
        is_deletable=body.get("deletable") is not False,
    )


def parse_record_types(body: Mapping[str, Any]) -> dict[str, str]:
    """Developer name to id of the active record types in a describe; the master stands for having none and is left out."""
    return {str(one["developerName"]): to_18(one["recordTypeId"]) for one in _record_types(body)}


def parse_closed_record_types(body: Mapping[str, Any]) -> frozenset[str]:
    """Developer names of those that the user who asks may not give to a record (SOAP API Developer Guide, RecordTypeInfo, available)."""
    return frozenset(str(one["developerName"]) for one in _record_types(body) if one.get("available") is False)


def parse_default_record_type(body: Mapping[str, Any]) -> str:
    """Developer name of the one that the user's new records get by themselves (RecordTypeInfo, defaultRecordTypeMapping); "" for the master."""
    return next((str(one["developerName"]) for one in _record_types(body) if one.get("defaultRecordTypeMapping") is True), "")


def _record_types(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The active ones without the master."""
    listed = body.get("recordTypeInfos")
    return [
        one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and one.get("developerName") and is_sf_id(one.get("recordTypeId"))
        if one.get("master") is not True and one.get("active") is not False
    ]


def _field(object: str, one: Any) -> FieldSchema:
    if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not isinstance(one.get("type"), str):
        raise ContractError(f"Salesforce described a field of {object} without name and type.")
    values = one.get("picklistValues")
    return FieldSchema(
        name=one["name"],
        type=one["type"],
        label=str(one.get("label") or ""),
        length=_number(one.get("length")),
        precision=_number(one.get("precision")),
        scale=_number(one.get("scale")),
        is_createable=one.get("createable") is True,
        is_updateable=one.get("updateable") is True,
        is_nillable=one.get("nillable") is not False,
        is_defaulted=one.get("defaultedOnCreate") is True,
        is_unique=one.get("unique") is True,
        is_external_id=one.get("externalId") is True,
        is_id_lookup=one.get("idLookup") is True,
        is_restricted=one.get("restrictedPicklist") is True,
        picklist=tuple(
            str(value["value"])
            for value in (values if isinstance(values, list) else ())
            if isinstance(value, Mapping) and value.get("active") is not False and value.get("value") is not None
        ),
    )


def parse_statuses(records: list[Mapping[str, Any]]) -> dict[str, bool]:
    """API name of each lead status, in order, to whether it is a converted one."""
    return {str(one.get("ApiName") or one.get("MasterLabel") or ""): one.get("IsConverted") is True for one in records}


def parse_default_status(records: list[Mapping[str, Any]]) -> str:
    """API name of the status that a new lead gets, "" if none says so."""
    return next((name for one in records if one.get("IsDefault") is True for name in parse_statuses([one])), "")


def parse_stages(records: list[Mapping[str, Any]]) -> dict[str, tuple[bool, bool]]:
    """API name of each active opportunity stage, in order, to whether it is (closed, won)."""
    return {
        str(one.get("ApiName") or one.get("MasterLabel") or ""): (one.get("IsClosed") is True, one.get("IsWon") is True)
        for one in records
        if one.get("IsActive") is not False
    }


def parse_currencies(objects: Mapping[str, ObjectSchema]) -> tuple[bool, tuple[str, ...]]:
    """Whether the org has several currencies, and their ISO codes.

    Records have CurrencyIsoCode only in such an org, and its picklist holds what the org allows (Object Reference, CurrencyIsoCode). Asking
    CurrencyType instead would be a refused query in every other org.
    """
    found = [one.fields["CurrencyIsoCode"] for one in objects.values() if "CurrencyIsoCode" in one.fields]
    return bool(found), max((one.picklist for one in found), key=len, default=())


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
