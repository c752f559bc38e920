"""SOAP envelopes of the partner API: read strictly, in the WSDL's order, and written; no model of the org.

Source: partner WSDL 47.0 (jsforce, src/api/soap/wsdl.xml), checked 2026-11-28: complex types LeadConvert, LeadConvertResult, Error,
DuplicateError; faults of `urn:fault.partner.soap.sforce.com`. The wording of schema faults is unverified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from syncd.sandbox.message import Response
from syncd.sandbox.values import CallRefusal, Refusal

SCHEMA = "soapenv:Client"
"""The fault code of what is not in the WSDL; every other fault has the code of an exception."""
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_FAULTS = "urn:fault.partner.soap.sforce.com"
_OBJECTS = "urn:sobject.partner.soap.sforce.com"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_KEPT_STATUSES = (405, 415, 503)
_CONTENT = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Part:
    """One element of a sequence; `kind` is text or boolean. A required one may not be nil either."""

    name: str
    kind: str = "text"
    is_required: bool = False


@dataclass(frozen=True)
class Envelope:
    """What a call says: the headers by name with their values, and its operation."""

    headers: dict[str, dict[str, Any]]
    operation: ET.Element

    @property
    def session_id(self) -> str:
        """The token; "" without one."""
        return str(self.headers.get("SessionHeader", {}).get("sessionId") or "")


_HEADERS = {
    "SessionHeader": (Part("sessionId", is_required=True),),
    "CallOptions": (Part("client"), Part("defaultNamespace")),
    "DuplicateRuleHeader": tuple(
        Part(name, "boolean", is_required=True) for name in ("allowSave", "includeRecordDetails", "runAsCurrentUser")
    ),
    "AllowFieldTruncationHeader": (Part("allowFieldTruncation", "boolean", is_required=True),),
}
_WITHOUT_EFFECT = frozenset(
    {"DisableFeedTrackingHeader", "StreamingEnabledHeader", "LocaleOptions", "DebuggingHeader", "PackageVersionHeader"}
)


def read(body: bytes) -> Envelope:
    """Parse a call.

    Raises:
        CallRefusal: Not UTF-8, a DTD, not well-formed, no SOAP 1.1 envelope, a header that the operation does not take, or not
            exactly one operation.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CallRefusal(SCHEMA, "The body must be UTF-8") from None
    # No DTD, so no entities that could expand.
    if "<!DOCTYPE" in text:
        raise CallRefusal(SCHEMA, "DOCTYPE is not allowed")
    try:
        root = ET.fromstring(text.encode())  # noqa: S314 - without a DTD there is nothing to expand
    except (ET.ParseError, ValueError, LookupError):
        raise CallRefusal(SCHEMA, "The body is not well-formed XML") from None
    if root.tag != f"{{{_SOAP}}}Envelope":
        raise CallRefusal(SCHEMA, "The root must be an Envelope of SOAP 1.1")
    header, content = root.find(f"{{{_SOAP}}}Header"), root.find(f"{{{_SOAP}}}Body")
    operations = [] if content is None else list(content)
    if len(operations) != 1:
        raise CallRefusal(SCHEMA, "The Body must hold exactly one operation")
    return Envelope(dict(_header(one) for one in (() if header is None else header)), operations[0])


def _header(element: ET.Element) -> tuple[str, dict[str, Any]]:
    name = partner_name(element)
    if name in _WITHOUT_EFFECT:
        return name, {}
    if name not in _HEADERS:
        raise misplaced(element)
    return name, sequence(element, _HEADERS[name])


def partner_name(element: ET.Element) -> str:
    """The name of an element of the partner namespace; "" for any other."""
    namespace, _, name = element.tag.removeprefix("{").rpartition("}")
    return name if namespace == _PARTNER else ""


def misplaced(element: ET.Element) -> CallRefusal:
    """The refusal of an element that the WSDL does not have there."""
    return CallRefusal(SCHEMA, f"Element {element.tag} invalid at this location")


def sequence(element: ET.Element, parts: tuple[Part, ...]) -> dict[str, Any]:
    """The values of an element's children, which must come in the order of `parts`, each once at the most; nil is None.

    Raises:
        CallRefusal: An unknown child, one out of order, a required one that is missing, or a value of the wrong type.
    """
    found: dict[str, Any] = {}
    names = [one.name for one in parts]
    at = 0
    for child in element:
        name = partner_name(child)
        if name not in names[at:] or len(child):
            raise misplaced(child)
        at = names.index(name) + 1
        found[name] = _value(child, parts[at - 1])
    for one in parts:
        if one.is_required and found.get(one.name) is None:
            raise CallRefusal(SCHEMA, f"Element {{{_PARTNER}}}{one.name} is required in {partner_name(element)}")
    return found


def _value(element: ET.Element, part: Part) -> Any:
    text = element.text or ""
    if _BOOLEANS.get(element.get(f"{{{_XSI}}}nil", "false").strip()):
        return None
    if part.kind != "boolean":
        return text
    if text.strip() not in _BOOLEANS:
        raise CallRefusal(SCHEMA, f"Element {part.name} is not a valid value of the type xsd:boolean")
    return _BOOLEANS[text.strip()]


# ---------------------------------------------------------------------- writing


def tag(name: str, value: Any) -> str:
    """One element; None is nil."""
    if value is None:
        return f'<{name} xsi:nil="true"/>'
    shown = str(value).lower() if isinstance(value, bool) else escape(_NOT_XML.sub("\ufffd", str(value)))
    return f"<{name}>{shown}</{name}>"


def answer(operation: str, results: list[str], *, used: int, limit: int) -> Response:
    """A good answer, with the API calls of the day in its header."""
    calls = tag("current", used) + tag("limit", limit) + tag("type", "API REQUESTS")
    header = f"<LimitInfoHeader><limitInfo>{calls}</limitInfo></LimitInfoHeader>"
    content = "".join(f"<result>{one}</result>" for one in results)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns="{_PARTNER}" '
        f'xmlns:sf="{_OBJECTS}" xmlns:xsi="{_XSI}"><soapenv:Header>{header}</soapenv:Header>'
        f"<soapenv:Body><{operation}Response>{content}</{operation}Response></soapenv:Body></soapenv:Envelope>"
    )
    return Response(200, text.encode(), dict(_CONTENT))


def fault(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """A refused call: HTTP 500 whatever the REST status would be, but for what never reaches the API."""
    detail, named = "", code
    if code != SCHEMA:
        named, message = f"sf:{code}", f"{code}: {message}"
        inner = tag("sf:exceptionCode", code) + tag("sf:exceptionMessage", message.partition(": ")[2])
        detail = f'<detail><sf:UnexpectedErrorFault xsi:type="sf:UnexpectedErrorFault">{inner}</sf:UnexpectedErrorFault></detail>'
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns:sf="{_FAULTS}" xmlns:xsi="{_XSI}">'
        f"<soapenv:Body><soapenv:Fault>{tag('faultcode', named)}{tag('faultstring', message)}{detail}</soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Response(status if status in _KEPT_STATUSES else 500, text.encode(), {**_CONTENT, **(headers or {})})


def error(refusal: Refusal) -> str:
    """A refused record as an `errors` element; a duplicate as a DuplicateError with its matches."""
    content = "".join(tag("fields", one) for one in refusal.fields)
    content += tag("message", refusal.message) + tag("statusCode", refusal.code)
    found = refusal.extra.get("duplicateResut")
    if found is None:
        return f"<errors>{content}</errors>"
    names = ("allowSave", "duplicateRule", "duplicateRuleEntityType", "errorMessage")
    told = "".join(tag(name, found[name]) for name in names) + "".join(_match(one) for one in found["matchResults"])
    return f'<errors xsi:type="DuplicateError">{content}<duplicateResult>{told}</duplicateResult></errors>'


def _match(result: dict[str, Any]) -> str:
    records = "".join(
        f"<matchRecords>{tag('matchConfidence', one['matchConfidence'])}<record>"
        f"{tag('sf:type', one['record']['attributes']['type'])}{tag('sf:Id', one['record']['Id'])}</record></matchRecords>"
        for one in result["matchRecords"]
    )
    before = tag("entityType", result["entityType"]) + tag("matchEngine", result["matchEngine"])
    after = tag("rule", result["rule"]) + tag("size", result["size"]) + tag("success", result["success"])
    return f"<matchResults>{before}{records}{after}</matchResults>"
