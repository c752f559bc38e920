"""What is known of one person as the nested values that conditions name. Pure, built once per person and pass.

Fields stay as they were mirrored or mapped (instants and days as ISO text, a multi-select field as `A;B`):
a condition reads a declared kind itself, so only what is asked for is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from syncd.expressions.reading import as_text
from syncd.model import Value
from syncd.policy.model import Facts, Standing, StatusChange, TouchFact

_DAY = timedelta(days=1)
_QUEUE = "00G"  # key prefix of Group, the object of queues (reference salesforce.md)

_NEWEST = frozenset({"person.last_touch_at", "person.last_channel", "person.campaign"})

Values = dict[str, Any]


def newest_touch(facts: Facts) -> TouchFact | None:
    """The newest touch, the same one in whatever order they come; None if there is none."""
    return max(facts.touches, key=_touch_order, default=None)


def last_change(facts: Facts) -> StatusChange | None:
    """The last change of status that was seen; None if none was."""
    changes = facts.standing.statuses if facts.standing is not None else ()
    return changes[-1] if changes else None


def status_at(facts: Facts) -> datetime | None:
    """When the present status was entered, as far as it is known: its last change, else the record's creation.

    A last change to another status than the present one says that the present one was entered later, by nobody knows whom.
    """
    change = last_change(facts)
    if change is not None:
        return change.at
    return facts.standing.created_at if facts.standing is not None else None


class Named(msgspec.Struct, frozen=True):
    """What of the values is ever asked for: fields of `lead`, groups of variables, the list of touches, and what is told of the newest one."""

    lead: tuple[str, ...]
    groups: frozenset[str]
    touches: bool
    newest: bool


def named_in(names: Iterable[str]) -> Named:
    """What variables of these names ask for; the company is asked for beside conditions."""
    every = frozenset(names)
    lead = sorted({"Company", *(name[5:] for name in every if name.startswith("lead."))})
    groups = frozenset(name.partition(".")[0] for name in every)
    return Named(tuple(lead), groups, "touches" in every, not _NEWEST.isdisjoint(every))


def build_values(facts: Facts, named: Named | None = None) -> Values:
    """The values of every variable but `score`, `criteria` and `qualified`, which are worked out from these.

    Of those that `named` leaves out there may be none; None: all of them are there.
    """
    standing = facts.standing
    fields = standing.fields if standing is not None else {}
    lead: dict[str, Value]
    if named is None:
        lead = facts.golden | {name: value for name, value in fields.items() if value is not None and value != ""}
    else:
        golden = facts.golden
        lead = {
            name: value if (value := fields.get(name)) is not None and value != "" else golden.get(name) for name in named.lead
        }
    newest = newest_touch(facts) if named is None or named.newest else None
    entered_at = status_at(facts) if standing is not None and standing.object == "Lead" else None
    values: Values = {
        "lead": lead,
        "org": fields,
        "account": facts.account,
        "person": _person(facts, newest) if named is None or "person" in named.groups else {},
        "activity": {
            "open_tasks": facts.open_tasks,
            "next_event_at": facts.next_event_at,
            "last_at": facts.last_activity_at,
            "open_opportunities": facts.open_opportunities,
        },
        "owner": _owner(standing) if named is None or "owner" in named.groups else {},
        "status": (standing.status or None) if standing is not None else None,
        "status_at": entered_at,
        "days_in_status": (facts.now - entered_at) // _DAY if entered_at is not None else None,
        "touches": [{"channel": touch.channel, "at": touch.at} for touch in facts.touches]
        if named is None or named.touches
        else [],
        "now": facts.now,
        "today": date.fromisoformat(facts.day),
        "score": None,
        "criteria": {},
        "qualified": None,
    }
    if facts.unknown:
        forget(values, facts.unknown)
    return values


def _person(facts: Facts, newest: TouchFact | None) -> dict[str, Any]:
    standing = facts.standing
    return {
        "sources": list(facts.sources),
        "is_contact": standing is not None and standing.object == "Contact",
        "is_new": standing is None,
        "has_opted_out": facts.has_opted_out,
        "first_at": facts.first_at,
        "last_touch_at": newest.at if newest is not None else None,
        "edited_at": standing.edited_at if standing is not None else None,
        "last_channel": newest.channel if newest is not None else None,
        "campaign": _campaign(facts, newest),
    }


def _owner(standing: Standing | None) -> dict[str, bool | None]:
    return {
        "is_active": standing.is_owner_active if standing is not None else None,
        "is_queue": standing.owner_id.startswith(_QUEUE) if standing is not None and standing.owner_id else None,
    }


def forget(values: Values, names: Iterable[str]) -> None:
    """Take away what cannot be told. The groups are copied, each once: they may be shared."""
    copied: set[str] = set()
    for name in names:
        group, _, part = _parts(name)
        if not part:
            values[group] = None
        elif isinstance(values.get(group), dict):
            if group not in copied:
                copied.add(group)
                values[group] = values[group].copy()
            values[group].pop(part, None)


@lru_cache(maxsize=1_024)
def _parts(name: str) -> tuple[str, str, str]:
    return name.partition(".")


def canonical(value: Any) -> Value:
    """The result of an expression as a scalar that can be stored: times as ISO text, a list as `A;B`."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return ";".join(text for part in value if (text := as_text(part)) is not None)
    return as_text(value)


def iso(at: datetime | None) -> str:
    """The instant as text, to the microsecond where it has any; "" for none."""
    if at is None:
        return ""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat()[:-6] + "Z"  # in UTC it ends in +00:00


def _campaign(facts: Facts, newest: TouchFact | None) -> str | None:
    """The campaign of the newest touch that has one."""
    if newest is None or newest.campaign:
        return newest.campaign if newest is not None else None
    found = max((touch for touch in facts.touches if touch.campaign), key=_touch_order, default=None)
    return found.campaign if found is not None else None


def _touch_order(touch: TouchFact) -> tuple[datetime, str, str, str]:
    return touch.at, touch.channel, touch.campaign, touch.source
