"""The contract that every connector implements (STYLE 1a), and the session it is given.

A connector turns one system's API into records and cursors. It does not sleep, retry, log, keep state, read the
clock or translate fields; it sees its options, a session and a cursor, nothing else of syncd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec
from pydantic import BaseModel, ConfigDict

from syncd.model import Page as Page
from syncd.model import Record as Record
from syncd.model import Reject as Reject


class Options(BaseModel):
    """Base of a connector's own options; unknown keys are errors, values are frozen.

    Every field declares a description, a default (or none), and an example; secrets are `SecretStr`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(msgspec.Struct, frozen=True):
    """The answer of `check`: `ok`, and sentences for the operator (what was tried, what is wrong, what to do)."""

    ok: bool
    findings: tuple[str, ...] = ()


class Session(msgspec.Struct, frozen=True):
    """What the engine lends a connector for one pull.

    Attributes:
        folder: Directory of syncd.yaml, against which relative paths are meant.
        settle_seconds: How long something must have been quiet before it counts as complete.
        page_size_records: How many records a page may hold.
    """

    folder: Path
    settle_seconds: float = 30.0
    page_size_records: int = 500


@runtime_checkable
class PullConnector(Protocol):
    """A connector that is asked for records."""

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
