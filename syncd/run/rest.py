"""A source that takes no actions is left alone, longer each time, and it is said once. Passes that somebody asks for try all the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.ports import Store
from syncd.run.context import PassContext, Scope

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)


def is_resting(ctx: PassContext, source: str) -> bool:
    """Whether this pass leaves the source alone."""
    return ctx.scope != Scope() and rests(ctx.store, source, ctx.clock.now())


def rests(store: Store, source: str, now: datetime) -> bool:
    """Whether the daemon leaves the source alone for now."""
    _, until = _found(store, source)
    return until is not None and now < until


def put_to_rest(ctx: PassContext, source: str) -> None:
    """It failed: leave it alone, twice as long as the last time. Writes the store."""
    count, _ = _found(ctx.store, source)
    until = ctx.clock.now() + min(_FIRST * 2 ** min(count, 10), _LONGEST)
    ctx.store.put_setting(_name(source), f"{count + 1} {until.isoformat()}")


def wake_up(ctx: PassContext, source: str) -> None:
    """It has taken something. Writes the store if it did not before."""
    if _found(ctx.store, source)[0]:
        ctx.store.put_setting(_name(source), "0")


def _found(store: Store, source: str) -> tuple[int, datetime | None]:
    """How often in a row it failed, and until when it rests."""
    count, _, until = (store.setting(_name(source)) or "0").partition(" ")
    return int(count), datetime.fromisoformat(until) if until else None


def _name(source: str) -> str:
    return f"resting {source}"
