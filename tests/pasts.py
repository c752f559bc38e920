"""People with a past, as the store tells it: built from values, for tests of replays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syncd.app.horizon import Horizon, Lacking
from syncd.app.past import Past
from syncd.model import FieldValue, Lane, Lead, OrgRecord, OrgRow, PersonRecord, PersonState, PersonView, RecordRef, Touch
from syncd.plan import facts_of, stated
from syncd.policy import Facts, Policy
from syncd.policy.reads import reads_of
from syncd.ports import PastActivity, StatusRow, StoredActivity, StoredFacts, StoredHistory, StoredStatus, StoredTouch
from tests.policies import NOW, ago

OWN, BOT, REP = "005own", "005bot", "005rep"
MACHINES = frozenset({OWN, BOT})
LEAD, CONTACT = "00Q000000000001AAA", "003000000000001AAA"


def record(key: str, at: datetime, opted_out: bool = False, **fields: Any) -> PersonRecord:
    """The latest version of a record of the source `site`."""
    values = {name: FieldValue(value) for name, value in fields.items()}
    if opted_out:
        values["HasOptedOutOfEmail"] = FieldValue(True)
    return PersonRecord(RecordRef("site", "forms", key), Lead(values, touch=Touch()), at)


def org_lead(stamp: datetime, created_at: datetime, status: str, editor: str = OWN, **more: Any) -> OrgRow:
    """The lead as the org has it; words in capitals are its fields."""
    fields = {"Status": status, "CreatedDate": created_at.isoformat(), "Company": "Acme"}
    fields |= {name: value for name, value in more.items() if name[0].isupper()}
    rest = {name: value for name, value in more.items() if not name[0].isupper()}
    return OrgRow("Lead", LEAD, fields, stamp, editor, **({"owner_id": "005rep"} | rest))


def org_contact(stamp: datetime, created_at: datetime, **fields: Any) -> OrgRow:
    return OrgRow("Contact", CONTACT, {"CreatedDate": created_at.isoformat()} | fields, stamp, REP, "005rep")


class Somebody:
    """One person with everything the store knows of them."""

    def __init__(
        self,
        *,
        records: Iterable[PersonRecord] = (),
        rows: Iterable[OrgRow] = (),
        touches: Iterable[tuple[str, datetime]] = (),
        statuses: Iterable[tuple[datetime, str, str]] = (),
        activities: Iterable[PastActivity] = (),
        account: OrgRow | None = None,
        arrived: Mapping[str, datetime] | None = None,
        fired: Mapping[str, datetime] | None = None,
        first_at: datetime | None = None,
        opportunities: int = 0,
        is_owner_active: bool = True,
    ) -> None:
        """`statuses` of the lead: (at, status, editor); `arrived` by the keys of records."""
        self.view = PersonView("p1", PersonState.ACTIVE, tuple(records), tuple(OrgRecord(row, is_survivor=True) for row in rows))
        rows_of = tuple(StatusRow(LEAD, at, status, editor) for at, status, editor in statuses)
        kept = {LEAD: tuple(activities)} if activities else {}
        self.history = StoredHistory(
            statuses={LEAD: rows_of} if rows_of else {},
            activities=kept,
            arrived={one.ref: arrived[one.ref.key] for one in self.view.records if arrived and one.ref.key in arrived},
            fired=dict(fired or {}),
        )
        self.stored = StoredFacts(
            "p1",
            first_at or ago(days=300),
            touches=tuple(
                StoredTouch(name, at, "", "site", Lane.INCREMENT) for name, at in sorted(touches, key=lambda one: one[1])
            ),
            statuses={LEAD: tuple(StoredStatus(one.status, one.at, one.modified_by not in MACHINES) for one in rows_of)}
            if rows_of
            else {},
            activities={name: _now(some) for name, some in kept.items()},
            account=account,
            account_opportunities=frozenset(f"006{n}" for n in range(opportunities)),
            owners={"005rep": is_owner_active},
            fired=dict(fired or {}),
        )

    def today(self, policy: Policy, now: datetime = NOW) -> Facts:
        """What every pass would know of them now."""
        found = stated(self.view.records)
        return facts_of(self.view, found, self.stored, policy, now=now, machine_users=MACHINES, starts={})

    def past(self, policy: Policy, start: datetime = NOW, lacking: Lacking | None = None) -> Past:
        """Their past as a replay from `start` to NOW sees it."""
        horizon = Horizon(start, NOW, reads_of(policy).names, MACHINES, frozenset({OWN}), {}, lacking or Lacking())
        return Past(self.view, self.today(policy), self.history, self.stored.account, horizon)


def _now(activities: Iterable[PastActivity]) -> StoredActivity:
    """As the store sums them up."""
    living = [one for one in activities if not one.is_deleted]
    return StoredActivity(
        sum(one.is_task and one.is_open for one in living),
        min((one.at for one in living if not one.is_task and one.at is not None and one.at > NOW), default=None),
        max((one.at for one in living if not one.is_open and one.at is not None and one.at <= NOW), default=None),
    )
