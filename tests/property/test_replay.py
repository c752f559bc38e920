"""What holds for every past: nothing that came later is seen in it, and a replay decides what a pass would decide."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.app.replay import Days, replay
from syncd.app.tally import Counting
from syncd.model import OrgRow, PersonRecord
from syncd.policy import evaluate
from syncd.policy.reads import reads_of
from syncd.ports import PastActivity
from tests.carrying import carry_out
from tests.pasts import BOT, OWN, REP, Somebody, org_contact, org_lead, record
from tests.policies import BERLIN, CONVERTED, LIVE, NOW, ago, full_policy
from tests.property.test_policy import policy_values

POLICY = full_policy()
YEAR = 365
minutes = st.integers(1, YEAR * 24 * 60)
statuses = st.sampled_from(LIVE)
editors = st.sampled_from((OWN, BOT, REP))
channels = st.sampled_from(("demo", "form", "reply", "webinar"))
values = st.fixed_dictionaries(
    {},
    optional={
        "Title": st.sampled_from(("Head of Sales", "Clerk", "VP")),
        "Country": st.sampled_from(("DE", "FR")),
        "Budget__c": st.sampled_from((500, 5_000, 20_000)),
        "Need__c": st.sampled_from(("None", "Speed")),
        "NumberOfEmployees": st.sampled_from((3, 70)),
        "HasOptedOutOfEmail": st.booleans(),
        "DoNotCall": st.booleans(),
        "Syncd_Hold_Until__c": st.just((NOW + timedelta(days=3)).date().isoformat()),
    },
)


def instants(draw: Any, since: datetime, count: int) -> list[datetime]:
    """Instants after `since` up to now, in order."""
    most = int((NOW - since).total_seconds())
    return sorted(since + timedelta(seconds=draw(st.integers(min(1, most), most))) for _ in range(count))


@st.composite
def people(draw: Any) -> dict[str, Any]:
    """What is known of somebody now."""
    start = ago(minutes=draw(minutes))
    records, arrived = [], {}
    for number, at in enumerate(instants(draw, start, draw(st.integers(0, 3)))):
        records.append(record(f"key{number}", at, draw(st.booleans()), **draw(values.map(_stated))))
        if draw(st.booleans()):
            arrived[f"key{number}"] = instants(draw, start, 1)[0]
    found = {
        "records": records,
        "arrived": arrived,
        "touches": [(draw(channels), at) for at in instants(draw, start, draw(st.integers(0, 4)))],
        "account": OrgRow("Account", "001A", {"Industry": draw(st.sampled_from(("Steel", "Food")))}, instants(draw, start, 1)[0]),
        "statuses": [],
        "activities": [],
        "row": None,
        "contact": None,
    }
    if draw(st.integers(0, 2)) == 0:
        made_at, stamp = instants(draw, start, 2)
        found["contact"] = org_contact(stamp, made_at, Title=draw(st.sampled_from(("Head of Sales", "Clerk"))))
    if draw(st.integers(0, 5)):
        created_at = instants(draw, start, 1)[0]
        moves = [created_at, *instants(draw, created_at, draw(st.integers(0, 3)))]
        changes = [(at, draw(statuses), draw(editors)) for at in moves]
        stamp = draw(st.sampled_from((moves[-1], *instants(draw, moves[-1], 1))))
        found["row"], found["statuses"] = _lead(draw, created_at, changes, stamp)
        found["activities"] = [draw(activity(created_at)) for _ in range(draw(st.integers(0, 3)))]
    return found


def _lead(
    draw: Any, created_at: datetime, changes: list[tuple[datetime, str, str]], stamp: datetime
) -> tuple[OrgRow, list[tuple[datetime, str, str]]]:
    """A lead with its changes of status; now and then the last of them converted it, or was noted by nobody."""
    end = draw(st.sampled_from(("open", "open", "open", "converted", "unnoticed")))
    status = changes[-1][1]
    if end == "converted" and len(changes) > 1:
        status = CONVERTED
        changes = [*changes[:-1], (changes[-1][0], CONVERTED, REP)]
    if end == "unnoticed":
        status = draw(statuses)
    is_converted = status == CONVERTED
    return org_lead(stamp, created_at, status, draw(editors), is_converted=is_converted, **draw(values)), changes


def _stated(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in ("HasOptedOutOfEmail", "Syncd_Hold_Until__c")}


@st.composite
def activity(draw: Any, since: datetime) -> PastActivity:
    created_at, at, stamp = instants(draw, since, 3)
    is_task = draw(st.booleans())
    is_open = is_task and draw(st.booleans())
    stamp = created_at if is_open else stamp
    done_at = at if is_task and not is_open else None
    return PastActivity(is_task, is_open, False, stamp, created_at, at, done_at)


def somebody(found: dict[str, Any], **more: Any) -> Somebody:
    rows = [one for one in (found["row"], found["contact"]) if one is not None]
    names = ("records", "touches", "statuses", "activities", "account", "arrived")
    return Somebody(rows=rows, **{name: found[name] for name in names}, **more)


@st.composite
def two_futures(draw: Any) -> tuple[dict[str, Any], dict[str, Any], datetime]:
    """Two people who are one up to an instant, and that instant: whatever came or changed since differs."""
    one = draw(people())
    at = draw(st.sampled_from(sorted(_moments(one), reverse=True))) + timedelta(seconds=draw(st.integers(-1, 86_400)))
    other = dict(one)

    def later() -> datetime:
        return instants(draw, at, 1)[0]

    other["touches"] = [each for each in one["touches"] if each[1] <= at] + [(draw(channels), later())]
    other["arrived"] = {key: when for key, when in one["arrived"].items() if when <= at}
    there = [each for each in one["records"] if one["arrived"].get(each.ref.key, at) <= at]
    other["records"] = [_retold(draw, each, at, later) for each in there]
    row: OrgRow | None = one["row"]
    if row is not None and datetime.fromisoformat(str(row.fields["CreatedDate"])) > at:
        other |= {"row": None, "statuses": [], "activities": []}
    elif row is not None:
        other["activities"] = [_undone(each, at, later) for each in one["activities"] if each.created_at <= at]
        if row.stamp > at and row.fields["Status"] == one["statuses"][-1][1]:
            created_at = datetime.fromisoformat(str(row.fields["CreatedDate"]))
            changes = [each for each in one["statuses"] if each[0] <= at]
            is_converted = any(each[1] == CONVERTED for each in changes)
            if not is_converted:
                changes += sorted((later(), draw(statuses), draw(editors)) for _ in range(draw(st.integers(1, 2))))
                is_converted = draw(st.booleans())
            if is_converted and changes[-1][1] != CONVERTED:
                changes[-1] = (changes[-1][0], CONVERTED, REP)
            stamp = instants(draw, max(at, changes[-1][0]), 1)[0]
            other["statuses"] = changes
            other["row"] = org_lead(stamp, created_at, changes[-1][1], draw(editors), is_converted=is_converted, **draw(values))
    contact: OrgRow | None = one["contact"]
    if contact is not None and contact.stamp > at:
        made_at = datetime.fromisoformat(str(contact.fields["CreatedDate"]))
        other["contact"] = org_contact(later(), made_at, Title="VP") if made_at <= at else None
        other["account"] = OrgRow("Account", "001B", {"Industry": "Other"}, one["account"].stamp) if made_at <= at else None
    elif one["account"].stamp > at:
        other["account"] = OrgRow("Account", "001A", {"Industry": "Other"}, later())
    return one, other, at


def _moments(found: dict[str, Any]) -> set[datetime]:
    """Around which something changed."""
    seen = {found["account"].stamp, *(at for _, at in found["touches"]), *(at for at, *_ in found["statuses"])}
    seen |= {one.source_at for one in found["records"]} | set(found["arrived"].values())
    seen |= {at for one in found["activities"] for at in (one.created_at, one.at, one.stamp)}
    seen |= {one.stamp for one in (found["row"], found["contact"]) if one is not None}
    return {at for at in seen if at < ago(days=2)} or {ago(days=30)}


def _retold(draw: Any, one: PersonRecord, at: datetime, later: Any) -> PersonRecord:
    """Another latest version of a record whose version of then nobody knows."""
    return one if one.source_at <= at else record(one.ref.key, later(), draw(st.booleans()), **draw(values.map(_stated)))


def _undone(one: PastActivity, at: datetime, later: Any) -> PastActivity:
    """A task that was done later may be done even later; an event that was touched later may have been moved."""
    if one.stamp <= at:
        return one
    if one.is_task and one.done_at is not None and one.done_at > at:
        when = later()
        return msgspec.structs.replace(one, done_at=when, at=when, stamp=max(when, one.stamp))
    return one if one.is_task else msgspec.structs.replace(one, at=later(), stamp=later())


@given(two_futures(), st.integers(0, YEAR))
@settings(max_examples=300, deadline=None)
def test_nothing_that_came_later_is_seen_in_the_past(drawn: tuple[dict[str, Any], dict[str, Any], datetime], days: int) -> None:
    """Today's value is never used for the past: two futures have the same past, to the last field."""
    one, other, at = drawn
    start = min(ago(days=days), at)
    found = [
        somebody(each, is_owner_active=is_active, opportunities=count).past(POLICY, start).at(at, at.date().isoformat())
        for each, is_active, count in ((one, True, 0), (other, False, 3))
    ]
    assert found[0] == found[1]


@given(people(), st.one_of(st.just(POLICY), policy_values()))
@settings(max_examples=200, deadline=None)
def test_a_replay_of_one_day_decides_what_passes_would_decide(found: dict[str, Any], policy: Any) -> None:
    """One verdict after the other on the facts of now, each carried out as the org and the store would."""
    person = somebody(found)
    days_of_now = Days(NOW.astimezone(BERLIN).date(), NOW, "Europe/Berlin")
    simulated = Counting(policy, reads_of(policy))
    replay(policy, person.past(policy, NOW), days_of_now, simulated)
    expected = Counting(policy, reads_of(policy))
    known = person.today(policy)
    for _ in range(4):
        verdict = evaluate(policy, known)
        if not expected.note(known, verdict):
            break
        open_tasks = known.open_tasks  # whatever a task asks for is taken as done
        known = msgspec.structs.replace(carry_out(known, verdict), open_tasks=open_tasks)
        if verdict.converts and known.standing is not None:
            fields = {name: value for name, value in known.standing.fields.items() if name != "Status"}
            contact = msgspec.structs.replace(known.standing, object="Contact", fields=fields, statuses=(), is_converted=False)
            known = msgspec.structs.replace(known, standing=contact)
    expected.tally.people, expected.tally.moved_people = 1, simulated.tally.moved_people
    assert simulated.tally == expected.tally
    assert simulated.tally.moved_people == bool(simulated.tally.days)
