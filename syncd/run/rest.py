"""Sources that are left alone.

One that takes no actions longer each time, and it is said once; passes that somebody asks for try all the same. One that asks to be
left alone is asked for nothing by anybody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.ports import Store
from syncd.run.context import PassContext, Scope

_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(hours=1)
_LONGEST_WISH = timedelta(days=1)
"""How long a source is left alone at most: a vendor that asks for more is asked again all the same."""


def is_resting(ctx: PassContext, source: str) -> bool:
    """Whether this pass leaves the source alone."""
    return ctx.scope != Scope() and rests(ctx.store, source, ctx.clock.now())


def rests(store: Store, source: str, now: datetime) -> bool:
    """Whether the daemon leaves the source alone for now."""
    _, until = _found(store, source)
    return until is not None and now < until


def put_to_rest(ctx: PassContext, source: str) -> int:
    """It failed: leave it alone, twice as long as the last time; gives how often it did in a row. Writes the store."""
    count, _ = _found(ctx.store, source)
    until = ctx.clock.now() + min(_FIRST * 2 ** min(count, 10), _LONGEST)
    ctx.store.put_setting(_name(source), f"{count + 1} {until.isoformat()}")
    return count + 1


def wake_up(ctx: PassContext, source: str) -> None:
    """It has taken something. Writes the store if it did not before."""
    if _found(ctx.store, source)[0]:
        ctx.store.put_setting(_name(source), "0")


def leave_alone(ctx: PassContext, source: str, wish_seconds: float | None) -> None:
    """It asked to be left alone for so long (None, 0: it did not). Writes the store if it did."""
    if wish_seconds:
        until = ctx.clock.now() + min(timedelta(seconds=wish_seconds), _LONGEST_WISH)
        ctx.store.put_setting(_not_before(source), until.isoformat(timespec="seconds"))


def left_alone_until(store: Store, source: str, now: datetime) -> datetime | None:
    """Until when a source has asked to be left alone; None when it may be asked."""
    asked = store.setting(_not_before(source))
    until = datetime.fromisoformat(asked) if asked else None
    # Further ahead than any wish that is kept: the clock was wrong when it was noted.
    return until if until is not None and now < until <= now + _LONGEST_WISH else None


def _not_before(source: str) -> str:
    return f"not_before:{source}"


def _found(store: Store, source: str) -> tuple[int, datetime | None]:
    """How often in a row it failed, and until when it rests."""
    count, _, until = (store.setting(_name(source)) or "0").partition(" ")
    return int(count), datetime.fromisoformat(until) if until else None


def _name(source: str) -> str:
    return f"resting {source}"
