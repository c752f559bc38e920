"""Calls to the org: token, budget, one log-in after a 401, retries where they are safe, errors that say what to do."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from syncd.clock import Clock
from syncd.errors import (
    AuthError,
    BudgetExhausted,
    ContractError,
    RateLimitedError,
    SalesforceUnavailableError,
    SourceUnavailableError,
    UnknownOutcomeError,
)
from syncd.http import (
    Session,
    error_class,
    retry_after_seconds,
    retrying,
)
from syncd.model import Lane, Recovery
from syncd.salesforce.budget import Budget
from syncd.salesforce.faults import QUOTA_CODES, STOPPING_CODES, BusyError, CallRefusedError, fault_of, has_code, is_known
from syncd.salesforce.line import GARBLED, Lines, Received, Request, Soap, lost_answer
from syncd.salesforce.settings import OrgSettings
from syncd.salesforce.tokens import Token, TokenProvider

T = TypeVar("T")

_READ_ATTEMPTS = 4
_WRITE_ATTEMPTS = 4
_RETRY_SECONDS = 300.0


class Answer(NamedTuple):
    """A usable answer: parsed JSON (or bytes of a raw read; None for an empty body), and its headers."""

    body: Any
    headers: Mapping[str, str]


class Connection:
    """One org, any number of threads: each has its own session, all share the token and the budget."""

    def __init__(
        self,
        settings: OrgSettings,
        tokens: TokenProvider,
        budget: Budget,
        clock: Clock,
        make_session: Callable[[], Session],
        chance: random.Random,
        lane: Lane = Lane.INCREMENT,
    ) -> None:
        """Nothing is sent yet; `lane` says whose share of the budget its calls use."""
        self._settings = settings
        self._tokens = tokens
        self._budget = budget
        self._clock = clock
        self._lines = Lines(settings, budget, clock, make_session)
        self._chance = chance
        self._lane = lane

    def in_lane(self, lane: Lane) -> Connection:
        """The same org, token, threads' sessions and budget, for another lane."""
        other = copy.copy(self)
        other._lane = lane  # noqa: SLF001 - a copy of itself
        return other

    @property
    def base_path(self) -> str:
        """`/services/data/vXX.0/`: what subrequests of a composite call and next pages begin with."""
        return f"/services/data/v{self._settings.api_version}/"

    def token(self) -> Token:
        """The current token; logs in if there is none. Raises as TokenProvider.token."""
        return self._tokens.token()

    def close(self) -> None:
        """Close this thread's connections."""
        self._lines.close()

    def read(
        self,
        path: str,
        parse: Callable[[Answer], T],
        *,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: Any = None,
        raw: bool = False,
    ) -> T:
        """One call that changes nothing, tried again while the fault is temporary.

        Args:
            path: Below the version, such as `query/`.
            parse: Turns the answer into what is wanted; its ContractError leaves, its BusyError is tried again.
            method: GET, or POST for reads with a body.
            params: Query parameters.
            body: JSON.
            raw: Give the bytes instead of parsed JSON.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted: As in ports.Org.
            ContractError: The org refused the call for good, or `parse` did.
        """
        request = Request(method, path, params, body, is_raw=raw)

        def once() -> T:
            try:
                return parse(self._send(request))
            except CallRefusedError as error:
                if error.status >= 500 or error.fault.recovery in (Recovery.RETRY, Recovery.RETRY_SMALLER):
                    raise BusyError(error.message, retry_after_seconds=None) from error
                raise

        attempts = retrying(
            self._clock,
            retry_on=(SalesforceUnavailableError,),
            attempts=_READ_ATTEMPTS,
            total_seconds=_RETRY_SECONDS,
            chance=self._chance,
        )
        try:
            return attempts(once)
        except CallRefusedError as error:
            raise refused_read(error) from error

    def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call that writes, tried again only when surely nothing was written.

        Raises:
            CallRefusedError: Salesforce refused the whole call; nothing was written.
            UnknownOutcomeError: It was sent and no usable answer came.
            SalesforceUnavailableError, AuthError, BudgetExhausted: Nothing was written.
        """
        return self._write(Request(method, path, params, body, headers, is_write=True))

    def call(self, soap: Soap) -> Answer:
        """One SOAP call that writes; tried again and raising as `write`. A body is what `soap.read` made of the answer."""
        return self._write(Request("POST", "", is_write=True, soap=soap))

    def _write(self, request: Request) -> Answer:
        attempts = retrying(
            self._clock,
            retry_on=(SalesforceUnavailableError,),
            never=(UnknownOutcomeError,),
            attempts=_WRITE_ATTEMPTS,
            total_seconds=_RETRY_SECONDS,
            chance=self._chance,
        )
        return attempts(self._send, request)

    def _send(self, request: Request) -> Answer:
        """Send once, and once more after a 401 (nothing was done then); judge the answer."""
        stale: Token | None = None
        while True:
            self._budget.check(self._clock.now(), self._lane)
            token = self._tokens.token() if stale is None else self._tokens.renew(stale)
            received = self._lines.exchange(token, request, self._lane)
            if not _is_session_over(received):
                return self._judge(received, is_write=request.is_write)
            if stale is not None:
                raise AuthError(
                    "Salesforce does not accept a token it has just given.",
                    advice=(
                        "Check that the integration user may use the API (API Enabled), is not limited to other IP addresses, "
                        "and that the app has the OAuth scope api."
                    ),
                )
            stale = token

    def _judge(self, received: Received, *, is_write: bool) -> Answer:
        """An answer that can be used, or the error that says what to do."""
        status, found, headers = received
        if 200 <= status < 300:
            if found is GARBLED:
                raise lost_answer("Salesforce answered with something that cannot be read.", is_write=is_write)
            return Answer(found, headers)
        if 300 <= status < 400:
            raise SalesforceUnavailableError(
                f"Salesforce redirected a call (HTTP {status}).",
                advice="The org's My Domain may have been renamed: check salesforce.login_url.",
            )
        wish = retry_after_seconds(headers, self._clock.now())
        if not has_code(found):
            # Not Salesforce itself but something before it, so whether a write got through is open from 500 on.
            if status >= 500:
                raise lost_answer(f"Salesforce answered HTTP {status} without a reason.", is_write=is_write, wish=wish)
            kind = error_class(status)
            if kind in (SourceUnavailableError, RateLimitedError):
                raise BusyError(f"Salesforce answered HTTP {status}.", retry_after_seconds=wish)
            if kind is AuthError:
                raise AuthError(
                    f"Something before Salesforce refused a call with HTTP {status}.",
                    advice="Check the proxy, the login IP ranges of the integration user and salesforce.login_url.",
                )
            raise CallRefusedError(fault_of(None, status), status)
        self._raise_fault(found, status, wish)
        raise CallRefusedError(fault_of(found, status), status)

    def _raise_fault(self, found: Any, status: int, wish: float | None) -> None:
        """Raise for faults of the org as a whole; return for those of this call."""
        fault = fault_of(found, status)
        if fault.code in STOPPING_CODES:
            raise AuthError(
                f"Salesforce does not let the integration user in: {fault.code}.",
                advice="Check its permission set (API Enabled), the org's edition and salesforce.api_version.",
            )
        if fault.code in QUOTA_CODES and "concurrent" not in fault.message.lower():
            raise BudgetExhausted(
                f"Salesforce refuses calls for want of allocation: {fault.code}.",
                until=self._budget.close(self._clock.now()),
                advice="syncd looks again by itself; see Company Information in Setup for the callers.",
            )
        is_passing = fault.recovery in (Recovery.RETRY, Recovery.RETRY_ALONE, Recovery.PAUSE) and is_known(fault.code)
        if is_passing and fault.code != "STORAGE_LIMIT_EXCEEDED":
            raise BusyError(f"Salesforce is not available: {fault.code} (HTTP {status}).", retry_after_seconds=wish)

    def check_part(self, status: int, body: Any, *, tolerate: bool) -> None:
        """Judge a refused part of a composite call like the answer to a call of its own.

        Raises:
            BusyError, AuthError, BudgetExhausted: The org as a whole says no; also when `tolerate`.
            CallRefusedError: The part was refused for good, unless `tolerate`.
        """
        if tolerate and fault_of(body, status).code == "FUNCTIONALITY_NOT_ENABLED":
            return  # of a part it speaks of that object only
        try:
            self._judge(Received(status, body, {}), is_write=False)
        except CallRefusedError:
            if not tolerate:
                raise


def refused_read(error: CallRefusedError) -> ContractError:
    """What a refused read means to the caller: its shape no longer fits the org. Pure."""
    fault = error.fault
    named = f" ({', '.join(fault.fields)})" if fault.fields else ""
    return ContractError(
        f"Salesforce refused a read with {fault.code}{named}.",
        advice='Run "syncd check --live": a field, an object or a right may have gone.',
    )


def _is_session_over(received: Received) -> bool:
    """Whether the token is no longer taken; some policies say so with 403, a SOAP fault with 500."""
    if received.status == 401:
        return True
    return received.status in (403, 500) and fault_of(received.body, received.status).code == "INVALID_SESSION_ID"
