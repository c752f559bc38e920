"""Our own actions coming back: a source tells of a change that syncd made there itself. Such a change is no touch. Pure.

The rule. A touch of a source is our echo when all of this holds:

- its channel is `email` or none: that is how a mapping names a change of a member. What people do (form, demo, reply) never is one; of a
  registration that we made the channel is `registration` or none;
- an action of ours at that very source changed something (one that found it done already changes nothing), and the time of the touch
  lies between its sending and its answer, or within SETTLE of either, for clocks differ;
- its evidence of consent names no instant after the sending: who confirms an opt-in in these seconds has done something.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from syncd.model import Operation, OperationState, SourceActionKind

SETTLE = timedelta(seconds=30)
"""How far the vendor's clock may be from ours. Sources are read so long after a change anyway (`settle_seconds`)."""

_LONGEST = timedelta(minutes=2)
"""After this a call is over at the vendor, whenever we learned of its outcome (sources.md 1: a call may take 120 s)."""

_CHANNELS = ("", "email")
_CHANNELS_OF_REGISTRATION = ("", "registration")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")


class OwnEcho(msgspec.Struct, frozen=True, gc=False):
    """The time in which one action of ours may have changed something at a source."""

    source: str
    sent_at: datetime
    until: datetime
    channels: tuple[str, ...] = _CHANNELS

    def made(self, source: str, channel: str, at: datetime, consent: str) -> bool:
        """Whether a touch comes of it."""
        if source != self.source or channel not in self.channels or not self.sent_at - SETTLE <= at <= self.until:
            return False
        return not any(instant > self.sent_at for instant in instants_in(consent))


def own_echoes(actions: Sequence[Operation]) -> tuple[OwnEcho, ...]:
    """The echoes to be expected of a person's actions; none of those that changed nothing."""
    found = []
    for one in actions:
        if one.state is OperationState.DONE and one.sent_at is not None and not one.code:
            ended_at = min(one.finished_at or one.sent_at, one.sent_at + _LONGEST)
            is_registration = one.fields.get("action") == SourceActionKind.REGISTER
            channels = _CHANNELS_OF_REGISTRATION if is_registration else _CHANNELS
            found.append(OwnEcho(one.source, one.sent_at, ended_at + SETTLE, channels))
    return tuple(found)


def instants_in(consent: str) -> list[datetime]:
    """The instants that evidence of consent names, UTC where it does not say."""
    found = []
    for text in _INSTANT.findall(consent):
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            continue
        found.append(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    return found
