"""A contact with its custom fields, memberships and tags as a record. Belongs to activecampaign. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from syncd.connector import ERASURE_ASKED, Record, Reject
from syncd.connector.tools import instant, json_of, key_of

_KEPT = (
    "id email firstName lastName phone orgname cdate udate deleted deleted_at bounced_hard bounced_soft bounced_date fields lists tags"
).split()
"""What is kept of a contact: no addresses of its machine, no hashes, no links."""
_KEPT_OF_LIST = ("list", "status", "sdate", "udate", "sourceid", "unsubreason")
_STATES = {"0": "pending", "1": "active", "2": "unsubscribed", "3": "bounced"}
_NO_DATE = "0000-00-00"
_SEPARATOR = "||"
"""Around the choices of a field that takes several."""

Sides = Mapping[str, Sequence[Mapping[str, Any]]]


def contact_of(fields: Mapping[str, Any], sides: Sides, received_at: datetime) -> Record | Reject:
    """The record: `fields` by their id, `lists` with the state of each, `tags`, all in order of their ids.

    Its time is that of the last change of the contact or of one of its memberships, and never in the future. Not that of a tag: when one is
    taken off again, the contact would seem to be older than before.
    """
    key = key_of(fields.get("id"))
    if not key.isdigit():
        payload = msgspec.json.encode(dict(fields))
        return Reject("", "no_id", "A contact has no id that is a number.", payload, "contacts")
    where = f"contact {key}"
    if str(fields.get("anonymized") or "0") == "1":
        return _erased(key, fields, where)
    lists = [_list(row) for row in _by_id(sides["contactLists"], "list")]
    tags = [{"tag": str(row["tag"]), "cdate": _dated(row.get("cdate"))} for row in _by_id(sides["contactTags"], "tag")]
    values = {str(row["field"]): _value(row.get("value")) for row in _by_id(sides["fieldValues"], "field")}
    whole = {name: _dated(value) for name, value in fields.items()} | {"id": key, "fields": values, "lists": lists, "tags": tags}
    times = [fields.get("udate"), *(one.get("udate") or one.get("sdate") for one in lists)]
    known = [at for at in map(instant, times) if at is not None]
    return Record(key, json_of(whole, _KEPT), min(max(known), received_at) if known else None, 0, where)


def changed_at(fields: Mapping[str, Any]) -> datetime | None:
    """When the contact itself changed last, by which ActiveCampaign filters."""
    return instant(fields.get("udate"))


def _erased(key: str, fields: Mapping[str, Any], where: str) -> Reject:
    """Somebody had themselves erased there: for a person to erase here, too. Nothing of what is left of them is kept."""
    payload = msgspec.json.encode({"id": key, "anonymized": "1", "udate": _dated(fields.get("udate"))})
    message = (
        "This contact was erased in ActiveCampaign (GDPR). Erase the person in Salesforce, then here: "
        f'"syncd lead erase SOURCE:{key} --yes" with the name of this source, which closes this dead letter. If nobody is found, drop it.'
    )
    return Reject(key, ERASURE_ASKED, message, payload, where)


def _list(row: Mapping[str, Any]) -> dict[str, Any]:
    """A membership. `audience` is its name in policies and evidence: a bare number could be anything.

    Its days are for evidence: a time in it, soon after an action of ours, would mean that the person did something.
    """
    named: dict[str, Any] = {"audience": f"list-{row['list']}", "state": _STATES.get(str(row.get("status")), "unknown")}
    since, changed = _dated(row.get("sdate")), _dated(row.get("udate"))
    named |= {"since_on": _day(since), "changed_on": _day(changed or since)}
    return named | {name: _dated(row[name]) for name in _KEPT_OF_LIST if name in row}


def _value(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_SEPARATOR):
        return _dated(value)
    return [one for one in value.split(_SEPARATOR) if one]


def _day(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) else None


def _dated(value: Any) -> Any:
    """A value, None for a date that is none: `0000-00-00` with or without a time."""
    return None if isinstance(value, str) and value.startswith(_NO_DATE) else value


def _by_id(rows: Iterable[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """Rows that name one, in the order of its id; of a name that came twice the last."""
    found = {str(row[name]): row for row in rows if key_of(row.get(name))}
    return [found[one] for one in sorted(found, key=lambda text: (len(text), text))]
