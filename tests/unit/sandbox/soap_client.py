"""A client of convertLead made of strings, as the WSDL has it: nothing of it is shared with the sandbox or with syncd."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import requests

PARTNER = "urn:partner.soap.sforce.com"
PATH = "/services/Soap/u/62.0"
ORDER = (
    "accountId", "accountRecord", "bypassAccountDedupeCheck", "bypassContactDedupeCheck", "contactId", "contactRecord",
    "convertedStatus", "doNotCreateOpportunity", "leadId", "opportunityId", "opportunityName", "opportunityRecord",
    "overwriteLeadSource", "ownerId", "sendNotificationEmail",
)  # fmt: skip
REQUIRED = {
    "convertedStatus": "Closed - Converted",
    "doNotCreateOpportunity": "true",
    "overwriteLeadSource": "false",
    "sendNotificationEmail": "false",
}
ALLOW_SAVE = (
    "<urn:DuplicateRuleHeader><urn:allowSave>true</urn:allowSave><urn:includeRecordDetails>false</urn:includeRecordDetails>"
    "<urn:runAsCurrentUser>true</urn:runAsCurrentUser></urn:DuplicateRuleHeader>"
)
CALL_OPTIONS = "<urn:CallOptions><urn:client>syncd</urn:client></urn:CallOptions>"
TRUNCATE = (
    "<urn:AllowFieldTruncationHeader><urn:allowFieldTruncation>true</urn:allowFieldTruncation></urn:AllowFieldTruncationHeader>"
)


def lead_convert(**values: str) -> str:
    """One `leadConverts`, in the WSDL's order."""
    told = {**REQUIRED, **values}
    return f"<urn:leadConverts>{''.join(element(name, told[name]) for name in ORDER if name in told)}</urn:leadConverts>"


def element(name: str, value: str) -> str:
    return f"<urn:{name}>{escape(value)}</urn:{name}>"


def envelope(token: str, content: str, *, headers: str = "", operation: str = "convertLead") -> str:
    session = f"<urn:SessionHeader><urn:sessionId>{escape(token)}</urn:sessionId></urn:SessionHeader>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Header>{session}{headers}</soapenv:Header>"
        f"<soapenv:Body><urn:{operation}>{content}</urn:{operation}></soapenv:Body></soapenv:Envelope>"
    )


def post(session: requests.Session, host: str, body: str | bytes, *, path: str = PATH) -> requests.Response:
    payload = body.encode() if isinstance(body, str) else body
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    return session.post(f"{host}{path}", data=payload, headers=headers, timeout=10)


def results(answer: requests.Response) -> list[dict[str, Any]]:
    """Each result: ids ("" for nil), `success`, and `code`, `message` and `fields` of its first error."""
    assert answer.status_code == 200, answer.text
    found = []
    for result in ET.fromstring(answer.content).iter(f"{{{PARTNER}}}result"):  # noqa: S314 - our own sandbox
        one: dict[str, Any] = {child.tag.partition("}")[2]: child.text or "" for child in result}
        error = result.find(f"{{{PARTNER}}}errors")
        one["success"] = one["success"] == "true"
        one["code"] = "ok" if error is None else error.findtext(f"{{{PARTNER}}}statusCode")
        one["message"] = "" if error is None else error.findtext(f"{{{PARTNER}}}message")
        one["fields"] = [] if error is None else [field.text for field in error.findall(f"{{{PARTNER}}}fields")]
        found.append(one)
    return found


def fault(answer: requests.Response) -> tuple[int, str]:
    """Status and faultcode of a refused call."""
    root = ET.fromstring(answer.content)  # noqa: S314 - our own sandbox
    return answer.status_code, str(root.findtext(".//faultcode"))
