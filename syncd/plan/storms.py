"""Too many opt-outs by one user of the org in too short a time: a slip of the hand, or a load that went wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from syncd.model import FIRST_LOOK, OptOutHold
from syncd.ports import OptOutTurn

HOUR = timedelta(hours=1)
_DECIDED = (OptOutHold.LET, OptOutHold.KEPT)


def storms(turns: Iterable[OptOutTurn], limit: int, own_user_id: str) -> dict[str, list[OptOutTurn]]:
    """By user those opt-outs of which more than `limit` were made within an hour; those that a person has decided on count no more.

    What syncd itself wrote is none: it comes from sources, and the guard has counted it. What was there when the mirror was filled is one
    however old it is: more than `limit` of these are held, also if they come little by little.
    """
    by_user: dict[str, list[OptOutTurn]] = {}
    for one in turns:
        if one.user_id not in ("", own_user_id) and one.hold not in _DECIDED:
            by_user.setdefault(one.user_id, []).append(one)
    found: dict[str, list[OptOutTurn]] = {}
    for user_id, theirs in by_user.items():
        theirs.sort(key=lambda one: (one.at, one.sf_id))
        if user_id == FIRST_LOOK:
            found |= {user_id: theirs} if len(theirs) > limit else {}
            continue
        first = reached = 0
        for last, one in enumerate(theirs):
            while one.at - theirs[first].at >= HOUR:
                first += 1
            if last - first >= limit:
                found.setdefault(user_id, []).extend(theirs[max(first, reached) : last + 1])
                reached = last + 1
    return found
