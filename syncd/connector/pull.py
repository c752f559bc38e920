"""Connectors that are asked for records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from syncd.connector.session import Health, Options, Session
from syncd.model import Page


@runtime_checkable
class PullConnector(Protocol):
    """A connector that is asked for records.

    It may state `settle_seconds`, `overlap_seconds`, `page_size_records`, `poll_interval_seconds` and `limits` (a `Limits`, or a
    function of its options that gives one) where the common values do not fit its vendor, and `brings_records = False` when it is only there to act: its stream is always at its end.
    """

    name: str
    Options: type[Options]

    def check(self, session: Session, options: Any) -> Health:
        """Rehearse the real call (same scope, same object), so that a green check means a working pull."""
        ...

    def streams(self, options: Any) -> Sequence[str]:
        """Names of the streams that these options ask for; never empty."""
        ...

    def pull(
        self, session: Session, options: Any, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield pages from `cursor` (None: from the beginning) up to `until`, each with the cursor after it.

        The cursor never passes `until` (the run's start). The last page of a complete walk has `is_last`; when there is
        nothing new, one empty page with `is_last` is yielded. Raises SourceUnavailableError, RateLimitedError, AuthError or
        ContractError; whatever was yielded before stays valid.
        """
        ...

    def cursor_at(self, options: Any, stream: str, at: datetime) -> dict[str, Any]:
        """The cursor of somebody who has read everything before `at` (aware): where a back-fill by date begins.

        A pull from it gives whatever the source dates at `at` or later, and possibly a little more.
        """
        ...
