"""What stops writing, and that it is over: said once each, however many passes meet it."""

from __future__ import annotations

from syncd import events
from syncd.errors import AuthError, BudgetExhausted, RateLimitedError, SalesforceUnavailableError, SyncdError
from syncd.ports import Store
from syncd.run.context import PassContext, is_lost

_WRITES = "writes"
PULL, FETCH = "source", "fetch"
"""The ways to a source that can be lost, each for itself: that it is read, and that it is asked for what it has announced."""

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


def lose_source(ctx: PassContext, name: str, stream: str, error: Exception, why: str, *, way: str = PULL) -> None:
    """Note that a source is out of reach, and `why` in words for people; say so if that is news. Writes the store."""
    what = f"{way} {name}"
    if not isinstance(error, SyncdError):
        why = f'{why} "syncd source check {name}" may tell more; if not, report it.'
    if ctx.store.setting(_why(what)) != why:
        ctx.store.put_setting(_why(what), why)
    if ctx.lose(what):
        kind = type(error).__name__
        ctx.log.error(events.SOURCE_LOST, source=name, stream=stream, stage="extract", error_type=kind, reason=why)


def regain_source(ctx: PassContext, name: str, *, way: str = PULL, **more: str) -> bool:
    """Say that a source is within reach again, if it was lost; gives whether it was. Writes the store."""
    if not ctx.regain(f"{way} {name}"):
        return False
    ctx.log.info(events.SOURCE_RECOVERED, source=name, stage="extract", **more)
    return True


def why_lost(store: Store, name: str, *, is_asked: bool) -> str:
    """Why a source is out of reach, in words for people; "" if it is not. Reads only.

    `is_asked`: it has announced something; else nobody can tell whether it could be asked again.
    """
    ways = [what for what in (f"{PULL} {name}", *((f"{FETCH} {name}",) if is_asked else ())) if is_lost(store, what)]
    # What an older version has lost has no words.
    return " ".join(dict.fromkeys(store.setting(_why(what)) or "It cannot be read." for what in ways))


def _why(what: str) -> str:
    return f"why:{what}"


def _guard(ctx: PassContext) -> str:
    return f"guard {ctx.lane.name.lower()}"


def _budget(ctx: PassContext) -> str:
    return f"budget {ctx.lane.name.lower()}"
