"""What a connector is given: its options, its limits, and a session; what its check answers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from pydantic import BaseModel, ConfigDict

from syncd.connector.http import NO_HTTP, NO_TOKENS, Http, Tokens


class Options(BaseModel):
    """Base of a connector's own options; unknown keys are errors, values are frozen.

    Every field declares a description, a default (or none), and an example; a secret is a `Secret` (or `Secret | None`):
    syncd.yaml gives it as `{env: NAME}`, `{file: PATH}` or `{credential: NAME}`. One typed `Secret | tuple[Secret, ...]` may be
    a list of them, while a secret is rotated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Health(msgspec.Struct, frozen=True):
    """The answer of `check`.

    Attributes:
        ok: Whether a pull would work.
        findings: Sentences for the operator: what was tried, what is wrong, which console page grants what is missing.
        expires_at: When the first of the credentials ends (aware UTC), None where none does or nobody can tell.
    """

    ok: bool
    findings: tuple[str, ...] = ()
    expires_at: datetime | None = None


class Limits(msgspec.Struct, frozen=True):
    """What a vendor bears; a connector states its own as `limits`.

    Attributes:
        connections: Calls under way at once.
        calls_per_second: Calls begun per second; 0 where only `connections` counts.
        read_timeout_seconds: Longest silence while an answer is awaited.
    """

    connections: int = 4
    calls_per_second: float = 0.0
    read_timeout_seconds: float = 120.0


def limits_of(connector: object, options: Options) -> Limits:
    """What a connector's vendor bears under these options; the common values where it states none. Pure."""
    stated = getattr(connector, "limits", None)
    limits: Limits = Limits() if stated is None else stated(options) if callable(stated) else stated
    return limits


class Session(msgspec.Struct, frozen=True):
    """What the engine lends a connector for one pull.

    Attributes:
        folder: Directory of syncd.yaml, against which relative paths are meant.
        settle_seconds: How long something must have been quiet before it counts as complete.
        page_size_records: How many records a page may hold.
        overlap_seconds: How far behind its cursor a pull looks again.
        http: The way to the vendor.
        tokens: Where access tokens are kept.
        calls_at_once: How many calls to the vendor may be under way; a connector that asks for pages ahead keeps to it.
    """

    folder: Path
    settle_seconds: float = 30.0
    page_size_records: int = 500
    overlap_seconds: float = 300.0
    http: Http = NO_HTTP
    tokens: Tokens = NO_TOKENS
    calls_at_once: int = 1
