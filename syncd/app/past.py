"""What of one person can be told of an instant in the past. Pure: today's value never stands for one that is not known.

Known is, and everything else is unknown:
- touches, by their time;
- what sources say, once the latest version of every record was there (`source_at`) or the record had not come yet (`arrived`);
- fields of the record in the org and of the account since the stamp: nobody has touched them since;
- the status, by the changes that were noted and since the stamp;
- tasks by when they were made and completed, events since their stamp;
- that somebody had opted out, as soon as a record that was there says so: of whom it cannot be told, nobody is mailed.
Whether an owner is active, and open opportunities, are known of today only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from syncd.app.horizon import Horizon
from syncd.app.past_activity import Activity, activity_at
from syncd.model import OrgRecord, OrgRow, PersonRecord, PersonView, Value
from syncd.plan.facts import created_at, is_opted_out, news_at, stated
from syncd.policy.model import Facts, Standing, StatusChange
from syncd.policy.reads import NEWS
from syncd.ports import StatusRow, StoredHistory

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_STATUS = frozenset({"status", "status_at", "days_in_status", "lead.Status", "org.Status"})
_NEVER_CHANGED = frozenset({"CreatedDate", "CreatedById", "Id"})
_NO_ACTIVITY = Activity(unknown=frozenset({"activity.open_opportunities"}))
"""Open opportunities are known of today only."""


class Known(NamedTuple):
    """The facts of a day, and since when the status stands in the org that somebody else than the replayed policy has set."""

    facts: Facts
    set_at: datetime


class _Status(NamedTuple):
    """A lead's status on a day (None: cannot be told), the changes that led there, and when the last one was."""

    status: str | None
    changes: Sequence[StatusRow]
    set_at: datetime


class Past:
    """One person's past, as far as the store knows it."""

    def __init__(self, view: PersonView, today: Facts, history: StoredHistory, account: OrgRow | None, horizon: Horizon) -> None:
        """Of somebody of whom `today` is known now, with all touches by time."""
        self._view = view
        self._today = today
        self._history = history
        self._account = account
        self._horizon = horizon
        self._touched_at = [touch.at for touch in today.touches]
        self._stated: dict[int, dict[str, Value]] = {}

    @property
    def first_at(self) -> datetime:
        """When syncd first heard of them."""
        return self._today.first_at or _LONG_AGO

    def real_moves(self) -> Iterator[tuple[str, str]]:
        """From and to of what syncd itself has made of the status since the start."""
        for changes in self._history.statuses.values():
            for before, after in pairwise(changes):
                if after.at > self._horizon.start and after.modified_by in self._horizon.own:
                    yield before.status, after.status

    def moments(self) -> Iterator[datetime]:
        """When anything changed that is known."""
        yield from self._touched_at
        for record in self._view.records:
            yield max(record.source_at, self._history.arrived.get(record.ref, _LONG_AGO))
        horizon = self._horizon
        rows = [one.row for one in self._view.org_records]
        if self._account is not None and horizon.of_account:
            rows.append(self._account)
        for row in rows:
            yield row.stamp
            if (at := created_at(row)) is not None:
                yield at
        for changes in self._history.statuses.values():
            yield from (one.at for one in changes if one.modified_by not in horizon.own)
        for activities in self._history.activities.values() if horizon.asks_activity else ():
            for one in activities:
                yield from (at for at in (one.created_at, one.at, one.done_at, one.stamp) if at is not None)

    def at(self, at: datetime, day: str) -> Known | None:
        """What is known of the instant `at` of `day`; None where not even the record that the person had can be told."""
        standing = self._standing_at(at)
        if standing is None:
            return None
        record, is_converted = standing
        today, horizon = self._today, self._horizon
        is_now = at >= horizon.now
        unknown: set[str] = set()
        there, is_blurred = self._records_at(at, is_now)
        status = _Status("", (), _LONG_AGO)
        stands: Standing | None = None
        if record is not None:
            row = record.row
            is_whole = row.stamp <= at
            if row.object == "Lead" and not is_converted:
                status = self._status_at(row, at)
            stands = self._stands(record, status, at, is_whole=is_whole, is_converted=is_converted, is_now=is_now)
            if not is_whole:
                unknown |= horizon.of_record - {f"{group}.{name}" for group in ("lead", "org") for name in stands.fields}
            if status.status is None:
                unknown |= _STATUS
            if not is_now:
                unknown.add("owner.is_active")
        if is_blurred:
            known = stands.fields if stands is not None else {}
            unknown |= {name for name in horizon.of_lead if known.get(name[5:]) in (None, "")} | {"person.sources", NEWS}
        activity = self._activity_at(record, at, is_now=is_now)
        unknown |= activity.unknown
        opted_out = self._opted_out_at(there, at, unknown, is_blurred=is_blurred)
        account = self._account_at(record, at, unknown, is_now=is_now)
        facts = msgspec.structs.replace(
            today,
            now=at,
            day=day,
            golden=today.golden if is_now else {} if is_blurred else self._golden(there),
            standing=stands,
            touches=today.touches if is_now else today.touches[: bisect_right(self._touched_at, at)],
            news_at=today.news_at if is_now else news_at(there, horizon.starts),
            sources=today.sources if is_now else tuple(sorted({one.ref.source for one in there})),
            has_opted_out=opted_out,
            account=account,
            open_tasks=activity.open_tasks,
            next_event_at=activity.next_event_at,
            last_activity_at=activity.last_at,
            open_opportunities=today.open_opportunities if is_now else 0,
            fired=self._history.fired,
            waiting={},
            archived={rule_id: moved_at for rule_id, moved_at in today.archived.items() if moved_at <= at},
            unknown=(horizon.names & unknown) | horizon.lacking.of(stands),
        )
        return Known(facts, status.set_at)

    # ------------------------------------------------------------------ what sources say

    def _records_at(self, at: datetime, is_now: bool) -> tuple[Sequence[PersonRecord], bool]:
        """The records whose latest version was there, and whether another one was there in a version that nobody knows."""
        records = self._view.records
        if is_now:
            return records, False
        arrived = self._history.arrived
        came = [one for one in records if arrived.get(one.ref, _LONG_AGO) <= at] if arrived else records
        there = [one for one in came if one.source_at <= at]
        return there, len(there) < len(came)

    def _golden(self, records: Sequence[PersonRecord]) -> dict[str, Value]:
        if len(records) == len(self._view.records):
            return self._today.golden
        key = len(records)  # they only ever grow in number
        if key not in self._stated:
            self._stated[key] = stated(records)
        return self._stated[key]

    def _opted_out_at(self, there: Iterable[PersonRecord], at: datetime, unknown: set[str], *, is_blurred: bool) -> bool:
        """Whether they had opted out; nobody is mailed of whom that cannot be told."""
        rows = [one.row for one in self._view.org_records if not one.row.is_deleted]
        if is_opted_out(there, (row for row in rows if row.stamp <= at)):
            return True
        later = (row for row in rows if row.stamp > at)
        if is_blurred or any((made := created_at(row)) is None or made <= at for row in later):
            unknown.add("person.has_opted_out")
            return True
        return False

    # ------------------------------------------------------------------ the record in the org

    def _standing_at(self, at: datetime) -> tuple[OrgRecord | None, bool] | None:
        """The record that rules were about, and whether it was converted; None where that cannot be told."""
        found: list[tuple[tuple[bool, bool, bool, str], OrgRecord]] = []
        for record in self._view.org_records:
            row = record.row
            made_at = created_at(row)
            if (made_at if made_at is not None else row.stamp) > at:
                if made_at is None:
                    return None
                continue
            if row.is_deleted:
                if row.stamp > at:
                    return None
                continue
            is_converted = self._is_converted(row, at)
            if is_converted is None:
                return None
            found.append(((is_converted, row.object != "Lead", not record.is_survivor, row.sf_id), record))
        if not found:
            return None, False
        key, record = min(found, key=lambda one: one[0])
        return record, key[0]

    def _is_converted(self, row: OrgRow, at: datetime) -> bool | None:
        """Whether a lead was converted: that is a change of status, the last there is."""
        if not row.is_converted or row.stamp <= at:
            return row.is_converted
        changes = self._history.statuses.get(row.sf_id, ())
        is_noted = bool(changes) and changes[-1].status == str(row.fields.get("Status") or "")
        return changes[-1].at <= at if is_noted else None

    def _status_at(self, row: OrgRow, at: datetime) -> _Status:
        """The status that people left the lead in; what syncd itself has made of it since the start is not part of the replay."""
        changes = self._history.statuses.get(row.sf_id, ())
        seen = [one for one in changes if one.at <= at]
        present = str(row.fields.get("Status") or "")
        is_noted = bool(changes) and changes[-1].status == present
        if row.stamp <= at and not is_noted:
            return _Status(present, seen, row.stamp)
        if not seen or (not is_noted and len(seen) == len(changes)):
            return _Status(None, seen, _LONG_AGO)
        last = len(seen) - 1
        while last > 0 and seen[last].at > self._horizon.start and seen[last].modified_by in self._horizon.own:
            last -= 1
        return _Status(seen[last].status, seen[: last + 1], seen[last].at)

    def _stands(
        self, record: OrgRecord, status: _Status, at: datetime, *, is_whole: bool, is_converted: bool, is_now: bool
    ) -> Standing:
        row, horizon, today = record.row, self._horizon, self._today.standing
        fields = row.fields if is_whole else {name: value for name, value in row.fields.items() if name in _NEVER_CHANGED}
        if row.object == "Lead" and not is_converted and fields.get("Status") != status.status:
            fields = fields | {"Status": status.status} if status.status is not None else fields
        edits = [
            one.at
            for one in self._history.statuses.get(row.sf_id, ())
            if one.at <= at and one.modified_by not in horizon.machines
        ]
        if is_whole and row.modified_by and row.modified_by not in horizon.machines:
            edits.append(row.stamp)
        if record.other_at is not None and record.other_at <= at and record.other_by not in {"", *horizon.machines}:
            edits.append(record.other_at)
        return Standing(
            object=row.object,
            sf_id=row.sf_id,
            fields=fields,
            owner_id=row.owner_id if is_whole else "",
            is_owner_active=today.is_owner_active if is_now and today is not None else None,
            is_converted=is_converted,
            created_at=created_at(row),
            edited_at=max(edits, default=None),
            statuses=tuple(StatusChange(one.status, one.at, one.modified_by not in horizon.machines) for one in status.changes),
        )

    # ------------------------------------------------------------------ what belongs to it

    def _account_at(self, record: OrgRecord | None, at: datetime, unknown: set[str], *, is_now: bool) -> dict[str, Value]:
        if is_now or record is None:
            return self._today.account if is_now else {}
        rows = [one.row for one in self._view.org_records if not one.row.is_deleted]
        # The account is a contact's where one has any: whatever becomes of a lead beside it changes nothing.
        linking = [row for row in rows if row.object == "Contact" and row.fields.get("AccountId", "unread")]
        linking = linking or [row for row in rows if row.object == "Contact" or row.is_converted]
        if self._account is not None:
            linking.append(self._account)
        if all(row.stamp <= at for row in (record.row, *linking)):
            return self._today.account
        unknown |= self._horizon.of_account
        return {}

    def _activity_at(self, record: OrgRecord | None, at: datetime, *, is_now: bool) -> Activity:
        today, history = self._today, self._history.activities
        if is_now:
            return Activity(today.open_tasks, today.next_event_at, today.last_activity_at)
        if record is None or not history:
            return _NO_ACTIVITY
        ids = {record.row.sf_id, record.row.contact_id}
        found = activity_at((one for sf_id in ids for one in history.get(sf_id, ())), at)
        return found._replace(unknown=found.unknown | _NO_ACTIVITY.unknown)
