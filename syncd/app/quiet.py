"""A busy source gone quiet: silence that is longer than anything this source is known for. Pure; no clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

LOOK_BACK = timedelta(days=14)
"""Two weekends: a source that works on working days has shown by then what its longest silence is."""

LEAST_HISTORY = timedelta(days=3)
"""Less has no night that is like another one."""

LEAST_ARRIVALS = 20
"""Fewer make no rhythm: three leads in two weeks say nothing about the fourth."""

LEAST_SILENCE = timedelta(hours=1)
"""News is counted by the hour, so that shorter silences cannot be told from none."""

UNUSUAL = 2.0
"""How many times the longest silence of the past. A holiday on a Monday makes 88 hours of a weekend of 64."""

_HOUR = timedelta(hours=1)


class Silence(msgspec.Struct, frozen=True):
    """That a source has said nothing since the hour that ended at `since`; `usual` is its longest silence before."""

    since: datetime
    usual: timedelta


def unusual_silence(arrivals: Iterable[tuple[datetime, int]], now: datetime) -> Silence | None:
    """Tell whether a source is silent for suspiciously long; None if it is not, or if nobody could tell.

    Pure. What lies in the future (a clock was set back) and what lies before LOOK_BACK is left out. A silence is measured
    between the hours with news, so an hour with news is never silent. A first silence counts in full: a source is never
    suspected of what it has done before.

    Args:
        arrivals: (beginning of an hour, how many came), any order, as `Store.arrivals` gives them.
        now: Aware UTC.
    """
    counts: dict[datetime, int] = {}
    for hour, count in arrivals:
        if now - LOOK_BACK <= hour <= now and count > 0:
            counts[hour] = counts.get(hour, 0) + count
    hours = sorted(counts)
    if not hours or sum(counts.values()) < LEAST_ARRIVALS or hours[-1] - hours[0] < LEAST_HISTORY:
        return None
    since = hours[-1] + _HOUR
    usual = max(later - earlier - _HOUR for earlier, later in pairwise(hours))
    return Silence(since, usual) if now - since > max(usual * UNUSUAL, LEAST_SILENCE) else None
