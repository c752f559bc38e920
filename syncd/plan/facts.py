"""What is known of one person, as a policy asks for it. Pure.

The view says what sources state and what the org holds; the store adds touches, statuses, activities and what was decided before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncd.model import CONSENT_FIELDS, Lane, OperationState, OrgRecord, OrgRow, PersonRecord, PersonView, Value
from syncd.plan.once import PUBLISHED, named_rule
from syncd.plan.own_echo import OwnEcho, own_echoes
from syncd.plan.survivorship import golden
from syncd.policy import Facts, Policy, Section, Standing, StatusChange, TouchFact
from syncd.policy.model import MOVING
from syncd.ports import StoredActivity, StoredFacts, StoredTouch

_OPT_OUT = "HasOptedOutOfEmail"
_BACKFILL = Lane.BACKFILL
_NOTHING = StoredActivity()


def standing_record(records: Sequence[OrgRecord]) -> OrgRecord | None:
    """The record that rules are about: the open Lead, else the Contact, else the converted Lead; of several the survivor, then by id."""
    living = [one for one in records if not one.row.is_deleted]
    return min(
        living, key=lambda one: (one.row.is_converted, one.row.object != "Lead", not one.is_survivor, one.row.sf_id), default=None
    )


def facts_of(
    view: PersonView,
    said: dict[str, Value],
    stored: StoredFacts | None,
    policy: Policy,
    *,
    now: datetime,
    machine_users: frozenset[str],
    starts: Mapping[str, datetime | None],
) -> Facts:
    """Everything the policy may ask about one person.

    Args:
        view: The person.
        said: What `stated` gives of `view.records`.
        stored: What else is known; None for somebody who is new.
        policy: For its time zone.
        now: Aware UTC.
        machine_users: Whose changes are no person's edits, our own user among them.
        starts: Source to the instant before which nothing is news.
    """
    record = standing_record(view.org_records)
    echoes = own_echoes(view.actions) if view.actions else ()
    touches = _touches(view, stored, starts, echoes)
    activity = _NOTHING
    if stored is not None and stored.activities and record is not None:
        found = [stored.activities[one] for one in (record.row.sf_id, record.row.contact_id) if one in stored.activities]
        activity = _joined(found)
    return Facts(
        person_id=view.person_id,
        now=now,
        day=day_of(now, policy.time_zone),
        golden=said,
        standing=None if record is None else _standing(record, stored, machine_users),
        touches=touches,
        first_at=stored.first_at if stored is not None else now,
        news_at=_news_at(view, starts, echoes, touches),
        sources=(view.records[0].ref.source,)
        if len(view.records) == 1
        else tuple(sorted({one.ref.source for one in view.records})),
        has_opted_out=has_opted_out(view),
        account=dict(stored.account.fields) if stored is not None and stored.account is not None else {},
        open_tasks=activity.open_tasks,
        next_event_at=activity.next_event_at,
        last_activity_at=activity.last_at,
        open_opportunities=len(stored.account_opportunities | stored.contact_opportunities) if stored is not None else 0,
        deals=stored.deals if stored is not None else (),
        fired=stored.fired if stored is not None else {},
        waiting=stored.waiting if stored is not None else {},
        archived={} if record is None else _archived(view, record, policy),
    )


def stated(records: Sequence[PersonRecord]) -> dict[str, Value]:
    """What the sources say, by Lead field: the surviving values. Defaults and cleared fields say nothing."""
    if len(records) == 1:  # the usual case: nothing competes
        lead = records[0].lead
        ordinary = {} if lead.skipped else lead.fields
        return {
            name: one.value
            for name, one in ordinary.items()
            if not one.is_default and one.value is not None and name not in CONSENT_FIELDS
        }
    return {name: one.value for name, one in golden(records).fields.items() if not one.is_default and one.value is not None}


@lru_cache(maxsize=64)
def day_of(now: datetime, zone: str) -> str:
    """The day of an instant in a time zone, ISO."""
    return now.astimezone(ZoneInfo(zone)).date().isoformat()


def _standing(record: OrgRecord, stored: StoredFacts | None, machine_users: frozenset[str]) -> Standing:
    row = record.row
    statuses = stored.statuses.get(row.sf_id, ()) if stored is not None else ()
    edits = [one.at for one in statuses if one.by_person]
    if row.modified_by and row.modified_by not in machine_users:
        edits.append(row.stamp)
    if record.other_at is not None and record.other_by and record.other_by not in machine_users:
        edits.append(record.other_at)
    return Standing(
        object=row.object,
        sf_id=row.sf_id,
        fields=row.fields,
        owner_id=row.owner_id,
        is_owner_active=stored.owners.get(row.owner_id) if stored is not None else None,
        is_converted=row.is_converted,
        created_at=created_at(row),
        edited_at=max(edits, default=None),
        statuses=tuple([StatusChange(one.status, one.at, one.by_person) for one in statuses]),
    )


def _archived(view: PersonView, record: OrgRecord, policy: Policy) -> dict[str, datetime]:
    """The archive rule behind syncd's last move of the record, with when the org took it; empty where another rule was behind it.

    By the ledger alone: what another program, or a person, has archived is not ours to delete. A rule that the policy no longer has may
    have done anything.
    """
    for move in reversed(view.moves):
        behind = {named_rule(one.rule) for one in move.provenance.values()} - {"", PUBLISHED}
        rules = [policy.rule(one) for one in sorted(behind)]
        if move.sf_id != record.row.sf_id or not any(one is None or one.section in MOVING for one in rules):
            continue
        found = [one.rule_id for one in rules if one is not None and one.section is Section.ARCHIVE]
        return {found[0]: move.finished_at} if len(found) == 1 and None not in rules and move.finished_at is not None else {}
    return {}


def _joined(found: Sequence[StoredActivity]) -> StoredActivity:
    return StoredActivity(
        sum(one.open_tasks for one in found),
        min((one.next_event_at for one in found if one.next_event_at is not None), default=None),
        max((one.last_at for one in found if one.last_at is not None), default=None),
    )


def _touches(
    view: PersonView, stored: StoredFacts | None, starts: Mapping[str, datetime | None], echoes: Sequence[OwnEcho]
) -> tuple[TouchFact, ...]:
    """All touches but those that are the echo of an action of ours."""
    if stored is not None:
        told: Iterable[StoredTouch] = stored.touches
        if echoes:
            told = (one for one in told if not any(echo.made(one.source, one.channel, one.at, one.consent) for echo in echoes))
        return tuple(
            [
                TouchFact(one.channel, one.at, one.campaign, one.source, _is_news(one.lane, one.source, one.at, starts))
                for one in told
            ]
        )
    found = (
        (touch.channel, _instant(touch.at) or record.source_at, touch.campaign, record.ref.source, record.lane)
        for record in view.records
        if (touch := record.lead.touch).channel or touch.at
    )
    return tuple(
        TouchFact(channel, at, campaign, source, _is_news(lane, source, at, starts))
        for channel, at, campaign, source, lane in found
    )


def _is_news(lane: Lane, source: str, at: datetime, starts: Mapping[str, datetime | None]) -> bool:
    start = starts.get(source)
    return lane < _BACKFILL and (start is None or at >= start)


def _news_at(
    view: PersonView, starts: Mapping[str, datetime | None], echoes: Sequence[OwnEcho], touches: Sequence[TouchFact]
) -> datetime | None:
    """The newest source time of what is news. Of a record that our own action changed last, the newest touch before tells."""
    if not echoes:
        return news_at(view.records, starts)
    news = []
    for one in view.records:
        source, said = one.ref.source, one.lead.touch
        if any(echo.made(source, said.channel, one.source_at, said.consent) for echo in echoes):
            news += [touch.at for touch in touches if touch.source == source and touch.is_news]
        elif _is_news(one.lane, source, one.source_at, starts):
            news.append(one.source_at)
    return max(news, default=None)


def news_at(records: Iterable[PersonRecord], starts: Mapping[str, datetime | None]) -> datetime | None:
    """The newest source time of what is news, by the records alone."""
    news = [one.source_at for one in records if _is_news(one.lane, one.ref.source, one.source_at, starts)]
    return max(news, default=None)


def is_old(view: PersonView, starts: Mapping[str, datetime | None]) -> bool:
    """Whether nothing of the person is news: every record is older than `start_from`, or came by a back-fill."""
    return not any(_is_news(one.lane, one.ref.source, one.source_at, starts) for one in view.records)


def is_led_by_person(facts: Facts) -> bool:
    """Whether somebody in the org has moved the lead since syncd knows of the person: that is news of its own."""
    changes = facts.standing.statuses if facts.standing is not None else ()
    return bool(changes) and changes[-1].by_person and facts.first_at is not None and changes[-1].at > facts.first_at


def has_opted_out(view: PersonView) -> bool:
    """Whether any record of the person says so, here or in the org: the strictest word counts, also of a lead that syncd deleted."""
    if not view.org_records:
        return is_opted_out(view.records, ())
    # Where we wrote it into a later record, that one tells.
    is_told = any(_OPT_OUT in one.base for one in view.org_records if not one.row.is_deleted)
    expired = expired_ids(view)
    gone = [one.row for one in view.org_records if one.row.is_deleted and (one.deleted_by_us or one.row.sf_id in expired)]
    is_kept = not is_told and any(row.fields.get(_OPT_OUT) is True for row in gone)
    return is_kept or is_opted_out(view.records, (one.row for one in view.org_records))


def expired_ids(view: PersonView) -> set[str]:
    """Ids of leads that syncd has deleted after retention, where they are gone: also if the answer was lost and nobody saw it happen."""
    maybe = (OperationState.SENT, OperationState.UNKNOWN, OperationState.SUPERSEDED)
    return {
        one.sf_id
        for one in view.expirations
        if one.state is OperationState.DONE or (one.sent_at is not None and one.state in maybe)
    }


def is_opted_out(records: Iterable[PersonRecord], rows: Iterable[OrgRow]) -> bool:
    """Whether any of a person's records, or any living one of the org, says so."""
    is_said = any(_OPT_OUT in one.lead.opt_outs for one in records)
    return is_said or any(row.fields.get(_OPT_OUT) is True for row in rows if not row.is_deleted)


def created_at(row: OrgRow) -> datetime | None:
    """When the record was made; None where that is not mirrored."""
    return _instant(row.fields.get("CreatedDate"))


def _instant(value: object) -> datetime | None:
    return _read(value) if isinstance(value, str) else None


@lru_cache(maxsize=256)
def _read(text: str) -> datetime | None:
    """Remembered: a replay asks on each day when the same records were made."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
