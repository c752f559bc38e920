"""What a status, a Retry-After and a Date header mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError

MAX_RETRY_AFTER_SECONDS = 600.0
"""A longer wish than this is the next run's business."""

STATUS_ERRORS: Mapping[int, type[SyncdError]] = MappingProxyType(
    {
        400: ContractError,
        401: AuthError,
        403: AuthError,
        404: ContractError,
        405: ContractError,
        406: SourceUnavailableError,  # seen from the edge of large vendors under load
        408: SourceUnavailableError,
        409: SourceUnavailableError,
        410: ContractError,
        414: ContractError,
        420: RateLimitedError,
        425: SourceUnavailableError,
        429: RateLimitedError,
        431: ContractError,
    }
)
"""What an answer without a better explanation in its body means; 5xx is SourceUnavailableError."""

Judge = Callable[[bytes], type[SyncdError] | SyncdError | None]
"""Reads a body where the status does not say enough; None leaves it to the table."""

Row = type[SyncdError] | SyncdError | Judge
"""A vendor's own row: the class, a ready error with its own sentence, or a judge of the body."""


def error_class(status: int, rows: Mapping[int, type[SyncdError]] | None = None) -> type[SyncdError] | None:
    """The error that a status stands for, None for 2xx. Pure.

    Args:
        status: HTTP status.
        rows: A vendor's own rows; they go before STATUS_ERRORS.
    """
    if rows and status in rows:
        return rows[status]
    if 200 <= status < 300:
        return None
    if status >= 500:
        return SourceUnavailableError
    return STATUS_ERRORS.get(status, ContractError)


def judged(status: int, body: bytes, rows: Mapping[int, Row] | None = None) -> type[SyncdError] | SyncdError | None:
    """The error that an answer stands for, its body considered where a row asks for it; None if it is well. Pure.

    A row for 200 judges answers that report a failure inside.
    """
    row = rows.get(status) if rows else None
    if row is None:
        return error_class(status)
    if isinstance(row, type | SyncdError):
        return row
    return row(body) or error_class(status)


def retry_after_seconds(headers: Mapping[str, str], now: datetime, cap_seconds: float = MAX_RETRY_AFTER_SECONDS) -> float | None:
    """The wish of a `Retry-After` header in seconds (0 to `cap_seconds`), None without one. Pure.

    Takes seconds, an HTTP date (RFC 9110, 10.2.3), or an ISO one as Zoom gives it (reference, sources.md 8.1); what is neither counts as absent.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value):
        seconds = float(value)
    else:
        at = http_date(value) or _iso_date(value)
        if at is None:
            return None
        seconds = (at - now).total_seconds()
    return min(max(seconds, 0.0), cap_seconds)


def _iso_date(value: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else None


def http_date(value: str | None) -> datetime | None:
    """The instant of a `Date`-like header, None when absent or not readable. Pure."""
    try:
        at = parsedate_to_datetime(value or "")
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else None
