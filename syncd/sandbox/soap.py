"""`/services/Soap/u/XX.0`: the partner API, of which the sandbox knows convertLead (reference salesforce.md 9.3)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from syncd.sandbox import conversion, envelope
from syncd.sandbox.call import Call
from syncd.sandbox.conversion import Conversion
from syncd.sandbox.envelope import SCHEMA, Envelope, Part, tag
from syncd.sandbox.message import Request, Response
from syncd.sandbox.values import CallRefusal, Refusal

_PATH = re.compile(r"/services/Soap/u/(\d+)\.0(?:/00D\w{12,15})?/?")
_LEADS = 100
_IDS = ("accountId", "contactId", "leadId", "opportunityId", "ownerId")
_NOT_MODELLED = ("accountRecord", "contactRecord", "opportunityRecord")
_SEQUENCE = (
    Part("accountId"),
    Part("accountRecord"),
    Part("bypassAccountDedupeCheck", "boolean"),
    Part("bypassContactDedupeCheck", "boolean"),
    Part("contactId"),
    Part("contactRecord"),
    Part("convertedStatus", is_required=True),
    Part("doNotCreateOpportunity", "boolean", is_required=True),
    Part("leadId", is_required=True),
    Part("opportunityId"),
    Part("opportunityName"),
    Part("opportunityRecord"),
    Part("overwriteLeadSource", "boolean", is_required=True),
    Part("ownerId"),
    Part("sendNotificationEmail", "boolean", is_required=True),
)


def is_mine(path: str) -> bool:
    """Whether a request speaks SOAP, so that its refusals must do so, too."""
    return path.startswith("/services/Soap/")


def session_of(request: Request) -> str:
    """The token in a call's SessionHeader; "" without one.

    Raises:
        CallRefusal: The call cannot be read.
    """
    return envelope.read(request.body).session_id


def answer(call: Call, versions: range) -> Response:
    """Answer a call: a result for each lead, in order.

    Raises:
        CallRefusal: The call is not what the WSDL asks for, or has too many leads; nothing is converted.
    """
    request = call.request
    match = _PATH.fullmatch(request.path)
    if match is None or int(match[1]) not in versions:
        raise CallRefusal("UNSUPPORTED_API_VERSION", "Invalid API version specified on URL")
    call.allow("POST")
    if not request.headers.get("content-type", "").lower().startswith("text/xml"):
        raise CallRefusal(SCHEMA, "Content-Type must be text/xml", 415)
    if "soapaction" not in request.headers:
        raise CallRefusal(SCHEMA, "SOAPAction HTTP header missing")
    said = envelope.read(request.body)
    if envelope.partner_name(said.operation) != "convertLead":
        raise CallRefusal(SCHEMA, f"No operation available for request {said.operation.tag}")
    wanted = [_wanted(one) for one in said.operation]
    if len(wanted) > _LEADS:
        raise CallRefusal("EXCEEDED_LEAD_CONVERT_LIMIT", f"at most {_LEADS} leads can be converted in one call")
    headers = _headers(said)
    is_truncated = bool(said.headers.get("AllowFieldTruncationHeader", {}).get("allowFieldTruncation"))
    struck = call.strike_rows(wanted)
    results = [
        _converted(call, one, refusal, headers, is_truncated=is_truncated) for one, refusal in zip(wanted, struck, strict=True)
    ]
    return envelope.answer("convertLead", results, used=call.org.api_calls, limit=call.org.daily_limit)


def _wanted(element: ET.Element) -> dict[str, Any]:
    if envelope.partner_name(element) != "leadConverts":
        raise envelope.misplaced(element)
    found = envelope.sequence(element, _SEQUENCE)
    for name in _NOT_MODELLED:
        if found.get(name) is not None:
            raise CallRefusal(SCHEMA, f"The sandbox does not know {name}")
    return found


def _headers(said: Envelope) -> dict[str, str]:
    """The call's headers as REST would have them: what saves look at, and what the history keeps."""
    headers: dict[str, str] = {}
    if client := said.headers.get("CallOptions", {}).get("client"):
        headers["Sforce-Call-Options"] = f"client={client}"
    if rule := said.headers.get("DuplicateRuleHeader"):
        headers["Sforce-Duplicate-Rule-Header"] = "; ".join(f"{name}={str(value).lower()}" for name, value in rule.items())
    return headers


def _converted(call: Call, wanted: dict[str, Any], struck: Refusal | None, headers: dict[str, str], *, is_truncated: bool) -> str:
    try:
        if struck is not None:
            raise struck
        may_convert = all(row["PermissionsConvertLeads"] for row in call.org.table("UserPermissionAccess").rows.values())
        wish = _wish(wanted, is_truncated=is_truncated, may_convert=may_convert)
        made = conversion.convert(call.org, wish, user=call.user, headers=headers)
    except Refusal as refusal:
        nothing = {name: tag(name, None) for name in ("accountId", "contactId", "leadId", "opportunityId")}
        return _result(nothing, envelope.error(refusal), is_success=False)
    ids = {
        "accountId": tag("accountId", made.account_id or None),
        "contactId": tag("contactId", made.contact_id),
        "leadId": tag("leadId", made.lead_id),
        "opportunityId": tag("opportunityId", made.opportunity_id or None),
    }
    return _result(ids, "", is_success=True)


def _result(ids: dict[str, str], errors: str, *, is_success: bool) -> str:
    person = tag("relatedPersonAccountId", None)
    order = (ids["accountId"], ids["contactId"], errors, ids["leadId"], ids["opportunityId"], person)
    return "".join(order) + tag("success", is_success)


def _wish(wanted: dict[str, Any], *, is_truncated: bool, may_convert: bool) -> Conversion:
    """One lead's wish.

    Raises:
        Refusal: The user may not convert leads, an id is empty, or there is a contact without its account.
    """
    if not may_convert:
        # The code is unverified.
        raise Refusal("INSUFFICIENT_ACCESS", "insufficient access rights to convert leads")
    for name in _IDS:
        if wanted.get(name) is not None and not wanted[name].strip():
            raise Refusal("MALFORMED_ID", f"{name}: bad id", [name])
    ids = {name: (wanted.get(name) or "").strip() for name in _IDS}
    if ids["contactId"] and not ids["accountId"]:
        # Source: SOAP API Developer Guide, convertLead(), contactId (the code is unverified).
        raise Refusal("REQUIRED_FIELD_MISSING", "contactId needs the accountId that the contact has", ["accountId"])
    bypassed = (("Account", "bypassAccountDedupeCheck"), ("Contact", "bypassContactDedupeCheck"))
    return Conversion(
        lead_id=ids["leadId"],
        status=wanted["convertedStatus"].strip(),
        account_id=ids["accountId"],
        contact_id=ids["contactId"],
        opportunity_id=ids["opportunityId"],
        opportunity_name=(wanted.get("opportunityName") or "").strip(),
        has_opportunity=not wanted["doNotCreateOpportunity"],
        overwrites_source=wanted["overwriteLeadSource"],
        owner_id=ids["ownerId"],
        sends_mail=wanted["sendNotificationEmail"],
        unchecked=frozenset(name for name, switch in bypassed if wanted.get(switch)),
        is_truncated=is_truncated,
    )
