"""What all people of one replay share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from syncd.policy.model import Standing
from syncd.policy.reads import Names

_OF_RECORD = frozenset({"owner.is_active", "owner.is_queue", "person.edited_at"})


class Lacking(NamedTuple):
    """Variables whose values the mirror does not hold: of a Lead, of a Contact, and of anybody."""

    lead: Names = frozenset()
    contact: Names = frozenset()
    always: Names = frozenset()

    def of(self, standing: Standing | None) -> Names:
        """Those of somebody who has this record; without one what sources say is all there is."""
        if standing is None:
            return self.always
        return self.always | (self.lead if standing.object == "Lead" else self.contact)


class Horizon:
    """What all people of one replay share.

    Attributes:
        start, now: From when to when it goes; the store was read at `now`.
        names: Variables that the policy reads: nothing else is worth telling.
        machines: Whose changes are no person's; `own` is syncd itself.
        starts: Source to the instant before which nothing is news.
        lacking: What the mirror does not hold.
    """

    def __init__(
        self,
        start: datetime,
        now: datetime,
        names: Names,
        machines: frozenset[str],
        own: frozenset[str],
        starts: Mapping[str, datetime | None],
        lacking: Lacking,
    ) -> None:
        """Sort the names by what they are about."""
        self.start = start
        self.now = now
        self.names = names
        self.machines = machines
        self.own = own
        self.starts = starts
        self.lacking = lacking
        groups = {name: name.partition(".")[0] for name in names}
        self.of_lead = frozenset(name for name, group in groups.items() if group == "lead")
        self.of_record = frozenset(name for name, group in groups.items() if group in ("lead", "org")) | _OF_RECORD
        self.asks_activity = "activity" in groups.values()
        self.of_account = frozenset(name for name, group in groups.items() if group == "account")
