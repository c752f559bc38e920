"""What stops writing, and that it is over: said once each, however many passes meet it."""

from __future__ import annotations

from syncd import events
from syncd.errors import AuthError, BudgetExhausted, RateLimitedError, SalesforceUnavailableError, SyncdError
from syncd.run.context import PassContext

_WRITES = "writes"

ORG_LOST = (SalesforceUnavailableError, RateLimitedError, AuthError, BudgetExhausted)
"""Errors of the org as a whole: records wait, nothing is lost."""


def lose_org(ctx: PassContext, error: SyncdError) -> None:
    """Note that this pass writes no more, and say so if that is news. Writes the store."""
    ctx.pushing_stopped = ctx.pushing_stopped or str(error)
    ctx.miss(str(error))
    if isinstance(error, BudgetExhausted):
        # Not a fault: it goes on by itself.
        if ctx.lose(_budget(ctx)):
            ctx.log.warning(events.BUDGET_EXHAUSTED, stage="push", until=error.until.isoformat())
    elif ctx.lose("org"):
        ctx.log.error(events.ORG_LOST, stage="push", error_type=type(error).__name__)


def regain_org(ctx: PassContext) -> None:
    """Say that the org answers again, if it was lost. Writes the store."""
    if ctx.regain("org"):
        ctx.log.info(events.ORG_RECOVERED, stage="push")
    if ctx.regain(_budget(ctx)):
        ctx.log.info(events.BUDGET_REGAINED, stage="push")


def note_refusing(ctx: PassContext, error_type: str) -> None:
    """The org answers and refuses writes as a whole; over with the first one that it takes. Writes the store."""
    if ctx.lose(_WRITES):
        ctx.log.error(events.ORG_LOST, stage="push", error_type=error_type)


def note_guard(ctx: PassContext, count: int) -> None:
    """A guard holds writes of this lane until somebody looks. Writes the store."""
    if ctx.lose(_guard(ctx)):
        ctx.log.error(events.GUARD_STOPPED, stage="push", count=count)


def note_well(ctx: PassContext, *, is_stopped: bool, has_written: bool) -> None:
    """A run has ended: say what it shows to be over. Writes the store."""
    if not is_stopped and ctx.regain(_guard(ctx)):
        ctx.log.info(events.GUARD_PASSED, stage="push")
    if has_written and not ctx.pushing_stopped and ctx.regain(_WRITES):
        ctx.log.info(events.ORG_RECOVERED, stage="push")


def _guard(ctx: PassContext) -> str:
    return f"guard {ctx.lane.name.lower()}"


def _budget(ctx: PassContext) -> str:
    return f"budget {ctx.lane.name.lower()}"
