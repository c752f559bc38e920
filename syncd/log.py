"""The one way to log: events of the catalogue with stable keys, counted by the same call.

JSON lines on stderr, or a readable line when stderr is a terminal; stdout is for data. Built on structlog.
No personal data: an event that is not in `syncd.events`, a key that is not in `KEYS` and a value that is no plain scalar are
refused, ids must look like ids, and what is left is searched for addresses, phone numbers and tokens as a last fence.
Refused means: an error until `configure` is called (so in tests), dropped and marked (`refused_keys`) afterwards.

What libraries log is not vetted by anybody, so `configure` silences it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, MutableMapping
from enum import Enum
from typing import Any, TextIO

import msgspec
import structlog

from syncd.clock import Clock, SystemClock
from syncd.events import ALL_EVENTS

IDS = frozenset({"run_id", "record_key", "person_id", "lead_id", "operation_id", "sf_id", "job_id", "org_id"})
"""Keys whose values are ids of syncd or Salesforce; `record_key` is made by `hash_key`."""

KEYS = IDS | {
    "process", "file", "line", "column", "problem",
    "source", "stream", "stage", "object", "field", "status", "reason", "intended", "code", "error_type", "http_status",
    "attempt", "until", "count", "pages", "records", "bytes", "api_calls",
    "duration_seconds", "waited_seconds", "retry_after_seconds", "lag_seconds",
    "pulled", "applied", "unchanged", "skipped", "dead", "waiting", "review",
    "created", "updated", "converted", "archived", "deleted", "refused", "failed", "unknown", "superseded", "tasks", "opportunities", "acted",
}  # fmt: skip
"""Every key that may be logged (STYLE 6): counts, numbers with their unit, constant words and configured names."""

REFUSED_EVENT = "log_refused"
"""Counted instead of an event that is not in the catalogue."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_MAX_CHARACTERS = 300
_MAX_SEARCHED = 2_000
_LARGEST = 2**53
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_HASH = re.compile(r"[0-9a-f]{16}")
_REDACTED = "***"
_REFUSED: Any = object()
_PERSONAL = re.compile(
    r"""
    (?<!\S)\S*@\S*                                              # an e-mail address, or anything close to one
    | (?i:\b(?:bearer|basic)\s+)\S+                             # an Authorization header
    | (?i:\btoken\s+)(?!(?:[a-z]{1,10}|[a-z]+(?:_[a-z]+)+)[,.;:)]*(?:\s|$))\S+  # the same, but no sentence about a token
    | (?i:\b[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|authorization|signature)["']?\s*[=:]\s*(?:bearer\s+|basic\s+)?)
      (?!(?:[,.;]+|an?|and|it|of|or|the)(?:\s|$)|\([A-Za-z]+[\s,])\S+        # a value, but no advice that names an option
    | \beyJ[\w-]{8,}(?:\.[\w-]+)*                               # a JSON Web Token
    | \b00D[A-Za-z0-9]{12,15}![\w.]+                            # a Salesforce session
    | (?<![\w.])\+?\(?\d(?:[\s().\/-]{0,2}\d){7,}(?![\w])       # a phone number, or any number as long as one
    """,
    re.VERBOSE,
)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|\+00:00))?")

Scalar = str | int | float | bool | None


def hash_key(text: str, secret: bytes = b"") -> str:
    """A short name for a record's key that tells nothing about it: 16 hexadecimal digits of BLAKE2b. Pure.

    Args:
        text: The key as the source sent it.
        secret: Up to 64 bytes; with it nobody can find an address by trying.
    """
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=secret).hexdigest()


def redact(text: str) -> str:
    """`text` with everything that looks like an address, a phone number or a token replaced, and cut to 300 characters. Pure."""
    if _INSTANT.fullmatch(text):
        return text
    plain = text[:_MAX_SEARCHED].encode("utf-8", "replace").decode()
    return _PERSONAL.sub(_REDACTED, plain)[:_MAX_CHARACTERS]


class LogUsageError(ValueError):
    """A call that would have logged something outside the catalogue. A bug; never raised once `configure` was called."""


class Log:
    """Logs events with bound keys. Immutable; may be shared between threads.

    Every method takes an event of `syncd.events` and keys of `KEYS` with plain values (text, numbers, booleans, enums, None).
    The event is counted even when its level is not shown.
    """

    __slots__ = ("_bound",)

    def __init__(self, **bound: Any) -> None:
        """Bind keys that every event then has."""
        self._bound = bound

    def bind(self, **keys: Any) -> Log:
        """A log with more keys bound."""
        return Log(**{**self._bound, **keys})

    def debug(self, event: str, **keys: Any) -> None:
        """Per record: for somebody who looks at one case."""
        self.emit("debug", event, **keys)

    def info(self, event: str, **keys: Any) -> None:
        """A run or a state changed."""
        self.emit("info", event, **keys)

    def warning(self, event: str, **keys: Any) -> None:
        """Handled; look if it repeats."""
        self.emit("warning", event, **keys)

    def error(self, event: str, **keys: Any) -> None:
        """A human must act."""
        self.emit("error", event, **keys)

    def emit(self, level: str, event: str, **keys: Any) -> None:
        """Count the event and write its line.

        Raises:
            LogUsageError: Event, key or value outside the catalogue, before `configure` was called.
        """
        line, refused = _vetted({**self._bound, **keys})
        output = _state.output
        if event not in ALL_EVENTS:
            if output is None:
                raise LogUsageError(f'"{event}" is not in syncd.events.')
            _state.count(REFUSED_EVENT)
            return
        if refused:
            if output is None:
                raise LogUsageError(f"{event}: not to be logged: {', '.join(refused)}.")
            line["refused_keys"] = ",".join(refused)
        _state.count(event)
        if output is not None:
            getattr(output, level)(event, **line)


def get_log(**bound: Any) -> Log:
    """A log with `bound` keys; it follows `configure`, whenever that is called."""
    return Log(**bound)


def configure(
    level: str = "info",
    *,
    json: bool | None = None,
    stream: TextIO | None = None,
    clock: Clock | None = None,
    counted: Callable[[str], None] | None = None,
) -> None:
    """Say where log lines go, for the whole process. From now on nothing that is logged raises.

    Args:
        level: The lowest level shown: debug, info, warning or error.
        json: One JSON object per line (True) or lines for people (False); None decides by whether the stream is a terminal.
        stream: Where to write; None is stderr, looked up at every line.
        clock: Gives the time of a line.
        counted: Also told of each event, for metrics.

    Raises:
        ValueError: No such level.
    """
    if level not in _LEVELS:
        raise ValueError(f'There is no log level "{level}". Known: {", ".join(_LEVELS)}.')
    _state.counted = counted
    target = stream or sys.stderr
    as_json = not target.isatty() if json is None else json
    if as_json:
        renderer: Callable[..., Any] = _render_json
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=24)
    _state.output = structlog.wrap_logger(
        _Lines(stream),
        processors=[structlog.processors.add_log_level, _Stamp(clock or SystemClock()), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def unconfigure() -> None:
    """Back to where a process starts: nothing is written, wrong use raises, all counts are zero. For tests."""
    _state.output = _state.counted = None
    _state.clear()


def counts() -> dict[str, int]:
    """How often each event was logged by this process, at any level; `log_refused` counts events outside the catalogue."""
    return _state.snapshot()


class _State:
    """What `configure` set, and the counters."""

    def __init__(self) -> None:
        self.output: Any = None
        self.counted: Callable[[str], None] | None = None
        self._counter: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, event: str) -> None:
        with self._lock:
            self._counter[event] += 1
        if self.counted is not None:
            self.counted(event)

    def snapshot(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counter)

    def clear(self) -> None:
        with self._lock:
            self._counter.clear()


class _Lines:
    """Writes whole lines. A stream that is gone is no reason to stop the daemon."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def msg(self, line: str) -> None:
        try:
            with self._lock:
                stream = self._stream or sys.stderr
                stream.write(line + "\n")
                stream.flush()
        except (OSError, ValueError):  # a closed pipe; ValueError is a closed file
            return

    debug = info = warning = error = msg


class _Stamp:
    """Adds the time of the line, in UTC with milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["timestamp"] = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return line


def _render_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    """One JSON object, time, level and event first."""
    first = {"timestamp": line.pop("timestamp"), "level": line.pop("level"), "event": line.pop("event")}
    return msgspec.json.encode({**first, **line}).decode()


def _vetted(keys: dict[str, Any]) -> tuple[dict[str, Scalar], list[str]]:
    """The keys that may be logged with values that may be shown, and the names of those that were refused."""
    line: dict[str, Scalar] = {}
    refused = []
    for key, value in keys.items():
        shown = _shown(key, value.value if isinstance(value, Enum) else value)
        if key not in KEYS or shown is _REFUSED:
            refused.append(key if key.isidentifier() else "?")
            if key in IDS:  # still of use to follow one record, and it tells nothing
                line[key] = hash_key(str(value))
        else:
            line[key] = shown
    return line, refused


def _shown(key: str, value: Any) -> Any:
    """The value as it may be shown, `_REFUSED` if it may not."""
    if value is None or isinstance(value, bool | int | float):
        is_odd = (key in IDS and value is not None) or (isinstance(value, int) and abs(value) > _LARGEST)
        return _REFUSED if is_odd else value
    if not isinstance(value, str):
        return _REFUSED
    if key in IDS:
        pattern = _HASH if key == "record_key" else _ID
        is_phone = value.isdigit() and 7 < len(value) < 16 and key != "run_id"  # E.164: at most 15 digits
        return value if value == "" or (pattern.fullmatch(value) and not is_phone) else _REFUSED
    return redact(value)


_state = _State()
