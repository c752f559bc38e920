"""Every error syncd raises on purpose. One file, so that the whole tree can be seen at once.

    SyncdError
    +-- ConfigError               refuse to start or reload; carries every problem, with file:line:column
    +-- SourceUnavailableError    retry with back-off inside the run, then leave the source for the next run
    +-- SalesforceUnavailableError  the same for the org; nothing was written
    |   +-- UnknownOutcomeError   the request may or may not have been carried out: look before repeating
    +-- RateLimitedError          wait as told (`retry_after_seconds`) within the run's time budget
    +-- AuthError                 stop this source or the org, alert, never loop
    +-- ContractError             the API's shape changed: stop this stream, keep the raw page
    +-- RecordError               dead-letter this record, go on
    +-- OperationError            the org refused one write; retried only when its code is transient
    +-- GuardError                blast radius or wrong org: stop, wait for a human
    +-- BudgetExhausted           wait until `until`, then go on
    +-- StoreError                stop the process: without state nothing is safe
    |   +-- ClaimConflictError    another worker took the same claim first: resolve the batch again
    |   +-- LeaseLostError        another engine owns this store
    +-- DeliveryError             a finished file could not be delivered: the next run does it

A message says what happened, where, and what to do, and never holds a secret or a person's data:
configuration values may be quoted, record values may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong in a file an admin edits.

    `line` and `column` count from 1; 0 means the place is not known. `advice` may be empty.
    """

    file: str
    line: int
    column: int
    message: str
    advice: str = ""

    def __str__(self) -> str:
        """`file:line:column: message advice`, as editors can jump to it."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message} {self.advice}".rstrip()


class SyncdError(Exception):
    """Base of every error raised on purpose.

    `message` is for operators; `detail` (never shown without --debug) is for developers.
    `code` names the documentation page: `syncd help CODE`.
    """

    code = "E000"
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        detail: str = "",
        stage: str = "",
        source: str = "",
        stream: str = "",
        key: str = "",
    ) -> None:
        """Keep the parts apart, so that a log can bind them and a terminal can lay them out."""
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.detail = detail
        self.stage = stage
        self.source = source
        self.stream = stream
        self.key = key

    def __str__(self) -> str:
        """Message and advice in one line."""
        return f"{self.message} {self.advice}".rstrip()


class ConfigError(SyncdError):
    """Configuration, a mapping or the policy is wrong; holds all problems found at once."""

    code = "E100"
    exit_code = 2

    def __init__(self, problems: Sequence[ConfigProblem] | str, *, advice: str = "", detail: str = "") -> None:
        """Take the list of problems, or one sentence when there is no file to point into."""
        if isinstance(problems, str):
            problems = (ConfigProblem("", 0, 0, problems, advice),)
        self.problems: tuple[ConfigProblem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem).removeprefix(": ") for problem in self.problems), detail=detail)


class SourceUnavailableError(SyncdError):
    """The source cannot be reached or answered with a temporary fault.

    `page` is the raw answer where one came that could not be read (it may hold personal data: to be kept, never shown);
    `retry_after_seconds` is the other side's wish, if it gave one.
    """

    code = "E200"

    def __init__(
        self, message: str, *, advice: str = "", detail: str = "", page: bytes = b"", retry_after_seconds: float | None = None
    ) -> None:
        """Keep the raw answer and the wish apart from what is shown."""
        super().__init__(message, advice=advice, detail=detail)
        self.page = page
        self.retry_after_seconds = retry_after_seconds


class SalesforceUnavailableError(SyncdError):
    """The org cannot be reached or answered with a temporary fault; nothing was written."""

    code = "E300"


class UnknownOutcomeError(SalesforceUnavailableError):
    """A write was sent and no usable answer came back: it may have been carried out."""

    code = "E301"


class RateLimitedError(SyncdError):
    """The other side asked us to slow down; `retry_after_seconds` is its wish, if it gave one."""

    code = "E201"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, advice: str = "") -> None:
        """Keep the wish of the other side."""
        super().__init__(message, advice=advice)
        self.retry_after_seconds = retry_after_seconds


class AuthError(SyncdError):
    """Credentials or rights are wrong; trying again would not help."""

    code = "E202"


class ContractError(SyncdError):
    """An answer does not have the shape its documentation promises; `page` is the raw answer, to be kept, never shown."""

    code = "E203"

    def __init__(self, message: str, *, advice: str = "", detail: str = "", page: bytes = b"") -> None:
        """Keep the raw answer apart from what is shown."""
        super().__init__(message, advice=advice, detail=detail)
        self.page = page


class RecordError(SyncdError):
    """One record cannot be used; it becomes a dead letter and the others go on."""

    code = "E400"


class OperationError(SyncdError):
    """The org refused one write."""

    code = "E302"


class GuardError(SyncdError):
    """More would be changed than allowed, or the org is not the expected one."""

    code = "E500"
    exit_code = 4


class BudgetExhausted(SyncdError):  # noqa: N818 - the word of STYLE 4; running out is not a fault
    """The share of the org's API calls is used up until `until` (aware UTC)."""

    code = "E303"

    def __init__(self, message: str, *, until: datetime, advice: str = "") -> None:
        """Keep the instant from which to go on."""
        super().__init__(message, advice=advice)
        self.until = until


class StoreError(SyncdError):
    """The store cannot be used; the process must stop. `reason` is a constant word for the log (`disk_full`)."""

    code = "E600"
    reason = "store_failed"


class ClaimConflictError(StoreError):
    """A claim was taken by someone else between look-up and write; the batch is resolved anew."""

    code = "E601"


class LeaseLostError(StoreError):
    """Another engine has taken over this store."""

    code = "E602"


class DeliveryError(SyncdError):
    """A file that is stored could not be put where it belongs; it waits and is put there by the next run."""

    code = "E700"
