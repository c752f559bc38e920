"""The envelope and the answer of SOAP `convertLead`, the one thing that REST cannot do (reference salesforce.md 9.3). Pure.

By hand and not with zeep: zeep needs the org's WSDL at run time to fill one element of nine values, and raises errors of its own where an
answer must become "unknown outcome". Sources: SOAP API Developer Guide, convertLead() and LimitInfoHeader; partner WSDL 47.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from syncd.model import Conversion
from syncd.salesforce.line import GARBLED, Reply

Element = ET.Element

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">'
    "<soapenv:Header>{header}</soapenv:Header><soapenv:Body><urn:convertLead>{body}</urn:convertLead></soapenv:Body></soapenv:Envelope>"
)
_DUPLICATE_RULES = {"allowSave": "false", "includeRecordDetails": "false", "runAsCurrentUser": "true"}
"""A duplicate rule may refuse; its answer names the ids of what it found, and no values."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What an XML 1.0 document cannot hold, escaped or not."""

_SOAP_CODES = ("VersionMismatch", "MustUnderstand", "Client", "Server")
"""Fault codes of SOAP 1.1 itself."""


def fits_xml(text: str) -> bool:
    """Whether `text` can be sent at all."""
    return _NO_XML.search(text) is None


def convert_envelope(rows: Sequence[Conversion], access_token: str, client: str) -> bytes:
    """The request for `rows`: nothing is saved over a duplicate rule, nobody is mailed, no lead source is overwritten.

    Elements without a value are left out; the rest stand in the order of the WSDL, which is a sequence.
    """
    header = _element("SessionHeader", sessionId=access_token)
    header += _element("CallOptions", client=client)
    header += _element("DuplicateRuleHeader", **_DUPLICATE_RULES)
    body = "".join(
        _element(
            "leadConverts",
            accountId=row.account_id,
            contactId=row.contact_id,
            convertedStatus=row.converted_status,
            doNotCreateOpportunity="false" if row.opportunity_name else "true",
            leadId=row.lead_id,
            opportunityName=row.opportunity_name,
            overwriteLeadSource="false",
            ownerId=row.owner_id,
            sendNotificationEmail="false",
        )
        for row in rows
    )
    return _ENVELOPE.format(header=header, body=body).encode()


def _element(name: str, /, **values: str) -> str:
    inner = "".join(f"<urn:{key}>{escape(value)}</urn:{key}>" for key, value in values.items() if value)
    return f"<urn:{name}>{inner}</urn:{name}>"


def read_convert_answer(body: bytes) -> Reply:
    """What an answer says.

    Returns:
        The results as a list of `{"leadId", "accountId", "contactId", "opportunityId", "success", "errors"}` (errors as REST writes
        them, so that one table judges both); a fault as REST's list of one `{"errorCode", "message"}`; GARBLED for anything else.
    """
    envelope = _parsed(body)
    if envelope is None or _name(envelope) != "Envelope":
        return Reply(GARBLED)
    usage = _usage(envelope)
    for inner in _children(_child(envelope, "Body")):
        if _name(inner) == "Fault":
            return Reply([_fault(inner)], is_fault=True, usage=usage)
        if _name(inner) == "convertLeadResponse":
            return Reply([_result(one) for one in _children(inner, "result")], usage=usage)
    return Reply(GARBLED, usage=usage)


def _parsed(body: bytes) -> Element | None:
    """The root of a document that declares nothing: without a DTD no entity can be made up, and none is fetched."""
    try:
        text = body.decode("utf-8-sig")
        return None if "<!DOCTYPE" in text else ET.fromstring(text)  # noqa: S314 - no DTD gets this far
    except (UnicodeDecodeError, ET.ParseError):
        return None


def _fault(fault: Element) -> dict[str, Any]:
    """`sf:CODE` is Salesforce's own; `soapenv:Client` means that it could not read the request, so nothing was done."""
    code = _text(fault, "faultcode").rpartition(":")[2] or "Server"
    if code in _SOAP_CODES:
        code = f"SOAP_{code.upper()}"
    # The text of a refused session repeats a part of it.
    message = "" if code == "INVALID_SESSION_ID" else _text(fault, "faultstring")
    return {"errorCode": code, "message": message}


def _result(result: Element) -> dict[str, Any]:
    ids = {name: _text(result, name) for name in ("leadId", "accountId", "contactId", "opportunityId")}
    return {**ids, "success": _text(result, "success") == "true", "errors": [_error(one) for one in _children(result, "errors")]}


def _error(error: Element) -> dict[str, Any]:
    return {
        "statusCode": _text(error, "statusCode") or None,
        "message": _text(error, "message"),
        "fields": [field.text for field in _children(error, "fields") if field.text],
        "duplicateResult": {
            "matchResults": [
                {
                    "matchRecords": [
                        {"record": {"Id": _text(_child(match, "record"), "Id")}} for match in _children(one, "matchRecords")
                    ]
                }
                for one in _children(_child(error, "duplicateResult"), "matchResults")
            ]
        },
    }


def _usage(envelope: Element) -> tuple[int, int] | None:
    """(used, allowed) calls of the org, from LimitInfoHeader; None without it."""
    for one in _children(_child(_child(envelope, "Header"), "LimitInfoHeader"), "limitInfo"):
        used, allowed = _text(one, "current"), _text(one, "limit")
        if _text(one, "type") == "API REQUESTS" and used.isdecimal() and allowed.isdecimal():
            return int(used), int(allowed)
    return None


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(element: Element | None, name: str = "") -> Iterator[Element]:
    return (one for one in (element if element is not None else ()) if not name or _name(one) == name)


def _child(element: Element | None, name: str) -> Element | None:
    return next(_children(element, name), None)


def _text(element: Element | None, name: str) -> str:
    found = _child(element, name)
    return (found.text or "").strip() if found is not None else ""
