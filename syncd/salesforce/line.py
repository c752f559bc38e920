"""One request to the org through simple-salesforce, and what came back.

The only module that touches simple-salesforce, and only its direct-token mode: `restful` for JSON, its session and
addresses for the rest. Its own refresh, its headers after a refresh, its missing time-outs and its stale usage figures
(reference salesforce.md 13.2) never come into play.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from syncd.clock import Clock
from syncd.errors import SalesforceUnavailableError, UnknownOutcomeError
from syncd.http import Response, Session, TransportError, is_untrusted_certificate, nothing_sent
from syncd.model import Lane
from syncd.salesforce.budget import Budget, parse_usage
from syncd.salesforce.faults import BusyError
from syncd.salesforce.settings import OrgSettings
from syncd.salesforce.tokens import Token

GARBLED = object()
"""Stands for a body that cannot be read: no JSON, or no XML that may be trusted."""

NO_ASSIGNMENT = {"Sforce-Auto-Assign": "FALSE"}
"""On everything: assignment rules run by default on REST writes, updates included (reference salesforce.md 1.5)."""

BY_RULE = {"Sforce-Auto-Assign": "TRUE"}

MAX_SOAP_BYTES = 4 * 1024 * 1024
"""Of one SOAP answer: a hundred results with their errors take far less."""


class Reply(NamedTuple):
    """What a SOAP answer holds: `body` as REST would have said it, or GARBLED; `usage` as in `parse_usage`."""

    body: Any
    is_fault: bool = False
    usage: tuple[int, int] | None = None


class Soap(NamedTuple):
    """A SOAP call: `envelope` makes its text of an access token, `read` turns the answer's bytes into a Reply."""

    envelope: Callable[[str], bytes]
    read: Callable[[bytes], Reply]


class Request(NamedTuple):
    """One call; `path` is below the version. `is_raw` wants bytes instead of JSON. With `soap` nothing but `is_write` counts."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    is_write: bool = False
    is_raw: bool = False
    soap: Soap | None = None


class Received(NamedTuple):
    """What came back, whatever its status; `body` is JSON, bytes, text of an error page or GARBLED."""

    status: int
    body: Any
    headers: Mapping[str, str]


class _Line:
    """One thread's session and its Salesforce object for one token."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.generation = 0
        self.lane = Lane.INCREMENT
        self.salesforce: Any = None
        self._response: Response | None = None

    def begin(self) -> None:
        """Forget the answer before."""
        self._response = None

    def keep(self, response: Response) -> None:
        """Note the answer that arrives."""
        self._response = response

    @property
    def response(self) -> Response | None:
        """The answer to the last request, None if none arrived."""
        return self._response


class Lines:
    """The threads' sessions to one org: each thread has its own, with a Salesforce object for the current token."""

    def __init__(self, settings: OrgSettings, budget: Budget, clock: Clock, make_session: Callable[[], Session]) -> None:
        """Nothing is sent yet."""
        self._settings = settings
        self._budget = budget
        self._clock = clock
        self._make_session = make_session
        self._local = threading.local()

    def close(self) -> None:
        """Close this thread's connections; the token stays valid (revoking it would end other clients' sessions)."""
        line: _Line | None = getattr(self._local, "line", None)
        if line is not None:
            line.session.close()
            del self._local.line

    def exchange(self, token: Token, request: Request, lane: Lane = Lane.INCREMENT) -> Received:
        """Send one request and read its answer; counts it as an API call of `lane`.

        Raises:
            UnknownOutcomeError: A write was sent, and its answer did not come or broke off.
            SalesforceUnavailableError: Nothing was sent, or a read got no answer.
        """
        from simple_salesforce.exceptions import SalesforceError

        line = self._line(token)
        line.lane = lane
        line.begin()
        read_seconds = self._settings.write_timeout_seconds if request.is_write else self._settings.read_timeout_seconds
        options: dict[str, Any] = {"timeout": (self._settings.connect_timeout_seconds, read_seconds)}
        if request.body is not None:
            options["data"] = msgspec.json.encode(request.body)  # simple-salesforce says that it is JSON
        is_fault = False
        try:
            if request.soap is not None:
                body, is_fault, usage = self._soap(line, token, request.soap, options)
                self._note_usage(usage)
            elif request.is_raw:
                body = _raw(line, request, options)
            else:
                body = line.salesforce.restful(
                    request.path, params=request.params, method=request.method, headers=dict(request.headers or {}), **options
                )
        except SalesforceError as error:
            body = error.content
        except TransportError as error:
            # A ValueError with an answer: it came whole, but not in JSON.
            if line.response is None and not nothing_sent(error):
                self._budget.count(self._clock.now(), lane)  # it may have reached the org, which then counts it too
            if not isinstance(error, ValueError) or line.response is None:
                raise _broken(error, is_write=request.is_write) from error
            body = GARBLED
        if line.response is None:
            raise SalesforceUnavailableError("The org gave no answer.")
        status = line.response.status_code
        # A fault is a refusal, whatever its status says.
        return Received(500 if is_fault and status < 400 else status, body, line.response.headers)

    def _soap(self, line: _Line, token: Token, soap: Soap, options: Mapping[str, Any]) -> Reply:
        """Send an envelope and read the answer, as much of it as an answer may hold."""
        response = line.session.post(
            f"https://{line.salesforce.sf_instance}/services/Soap/u/{self._settings.api_version}",
            data=soap.envelope(token.access_token),
            headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'},
            stream=True,
            **options,
        )
        with response:
            kept = bytearray()
            for chunk in response.iter_content(1 << 16):
                kept += chunk
                if len(kept) > MAX_SOAP_BYTES:
                    return Reply(GARBLED)
        return soap.read(bytes(kept))

    def _line(self, token: Token) -> _Line:
        """This thread's line, with a Salesforce object for `token`."""
        line: _Line | None = getattr(self._local, "line", None)
        if line is None:
            line = _Line(self._make_session())
            line.session.headers.update(NO_ASSIGNMENT)
            line.session.headers["Sforce-Call-Options"] = f"client={self._settings.client}"
            line.session.hooks["response"].append(self._on_response)
            self._local.line = line
        if line.generation != token.generation:
            from simple_salesforce.api import Salesforce

            line.salesforce = Salesforce(
                session_id=token.access_token,
                instance_url=token.instance_url,
                version=self._settings.api_version,
                session=line.session,
                object_pairs_hook=None,
            )
            line.salesforce.headers["X-PrettyPrint"] = "0"
            line.salesforce.parse_result_to_json = _json
            line.generation = token.generation
        return line

    def _on_response(self, response: Response, **_: Any) -> None:
        """Count the call, keep the answer (simple-salesforce drops its headers) and what it says of the org's usage."""
        self._local.line.keep(response)
        self._budget.count(self._clock.now(), self._local.line.lane)
        self._note_usage(parse_usage(response.headers.get("Sforce-Limit-Info")))

    def _note_usage(self, usage: tuple[int, int] | None) -> None:
        if usage is not None:
            self._budget.note_usage(usage, self._clock.now())


def lost_answer(
    message: str, *, is_write: bool, wish: float | None = None, detail: str = ""
) -> UnknownOutcomeError | SalesforceUnavailableError:
    """The error for an answer that cannot be used: a write may have been carried out, a read is worth another try. Pure."""
    if is_write:
        return UnknownOutcomeError(message, advice="syncd looks the records up before it repeats anything.", detail=detail)
    return BusyError(message, retry_after_seconds=wish, detail=detail)


def _json(response: Response) -> Any:
    """The body of an answer; several times as fast as requests reads it. What is odd is left to that, errors too."""
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return response.json()


def _raw(line: _Line, request: Request, options: Mapping[str, Any]) -> Any:
    """Bytes of a good answer; an error answer is JSON like any other."""
    address = line.salesforce.base_url + request.path
    response = line.session.request(request.method, address, params=request.params, headers=line.salesforce.headers, **options)
    return response.content if response.ok else response.json()


def _broken(error: Exception, *, is_write: bool) -> SalesforceUnavailableError:
    """The error for a request without an answer. Pure."""
    kind = type(error).__name__
    if is_untrusted_certificate(error):
        return SalesforceUnavailableError(
            "The certificate of the org's instance is not trusted.",
            advice="If a proxy or the sandbox signs it, name its authority in salesforce.ca_file.",
            detail=kind,
        )
    if nothing_sent(error):
        return SalesforceUnavailableError("The org could not be reached.", advice="Check the network.", detail=kind)
    return lost_answer("The connection to the org broke before its answer was complete.", is_write=is_write, detail=kind)
