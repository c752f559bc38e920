"""A configuration that is refused, in the log: one line for each problem, with its place (G10)."""

from __future__ import annotations

from syncd import events
from syncd.errors import ConfigError
from syncd.log import Log


def log_refused(log: Log, wrong: ConfigError) -> None:
    """Log every problem; texts of configuration problems quote the configuration only, never a record."""
    for one in wrong.problems:
        text = f"{one.message} {one.advice}".rstrip()
        log.error(events.CONFIG_REFUSED, file=one.file, line=one.line, column=one.column, problem=text)
