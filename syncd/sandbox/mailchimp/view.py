"""Members as the API shows them: documents, and whole pages as bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.crowd import KINDS, Crowd, Own
from syncd.sandbox.mailchimp.fields import Selection, selection
from syncd.sandbox.mailchimp.member import Member, address_hash, shown

ROOT = "https://us1.api.mailchimp.com/3.0"
_SCHEMA = "https://us1.api.mailchimp.com/schema/3.0"
_TAGS_SHOWN = 50
_ROWS_KEPT = 150_000  # of all selections of one audience; some 650 bytes each when fields are selected, 3 KB when not
_TEMPLATES_KEPT = 8 * KINDS
_FAR = 221_845_392_000  # in the year 9000: nobody's own
_STATS = {"avg_open_rate": 0, "avg_click_rate": 0}
_NOWHERE = {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0, "country_code": "", "timezone": "", "region": ""}
_ACTIONS = (
    ("self", "GET", "", "Response"),
    ("parent", "GET", "..", "CollectionResponse"),
    ("update", "PATCH", "", "Response"),
    ("upsert", "PUT", "", "Response"),
    ("delete", "DELETE", "", ""),
    ("activity", "GET", "/activity", "Activity/Response"),
    ("goals", "GET", "/goals", "Goals/Response"),
    ("notes", "GET", "/notes", "Notes/CollectionResponse"),
    ("events", "POST", "/events", "Events/POST"),
    ("delete_permanent", "POST", "/actions/delete-permanent", ""),
)

WITHOUT_LINKS = selection("", "_links")
_encode = msgspec.json.Encoder().encode


def link(rel: str, method: str, path: str, schema: str = "") -> dict[str, str]:
    """One of `_links`."""
    target = {"targetSchema": f"{_SCHEMA}/Definitions/{schema}.json"} if schema else {}
    return {"rel": rel, "href": f"{ROOT}{path}", "method": method, **target}


def member(audience: Audience, one: Member, wanted: Selection) -> dict[str, Any]:
    """One member; only what is wanted is worked out. `unsubscribe_reason` is there for those who left."""
    document = {}
    for name, get, rest in _plan(wanted):
        value = get(audience, one)
        document[name] = value if rest is None else rest.apply(value)
    if one.status != "unsubscribed":
        document.pop("unsubscribe_reason", None)
    return document


@lru_cache(maxsize=64)
def _plan(wanted: Selection) -> list[tuple[str, Callable[[Audience, Member], Any], Selection | None]]:
    """Fields to show, how to get each, and what to leave out of it (None: nothing)."""
    shown_of = ((name, get, wanted.under(name)) for name, get in _FIELDS.items() if wanted.wants(name))
    return [(name, get, None if rest.is_all else rest) for name, get, rest in shown_of]


def page(audience: Audience, rows: list[int], total: int, wanted: Selection) -> bytes:
    """The answer to GET members, with these rows in it."""
    parts = []
    if wanted.wants("members"):
        parts.append(b'"members":[' + b",".join(_rendered(audience, rows, wanted)) + b"]")
    path = f"/lists/{audience.list_id}/members"
    rest = {
        "list_id": audience.list_id,
        "total_items": total,
        "_links": [
            link("self", "GET", path, "Lists/Members/CollectionResponse"),
            link("create", "POST", path, "Lists/Members/Response"),
        ],
    }
    shown_rest = wanted.apply(rest)
    if shown_rest:
        parts.append(_encode(shown_rest)[1:-1])
    return b"{" + b",".join(parts) + b"}"


def _rendered(audience: Audience, rows: list[int], wanted: Selection) -> list[bytes]:
    """Members as JSON, from what is kept where it is."""
    if sum(map(len, audience.rendered.values())) + len(rows) > _ROWS_KEPT:
        audience.rendered.clear()
    kept = audience.rendered.setdefault(wanted, {})
    of_members, found = wanted.under("members"), []
    for row in rows:
        known = kept.get(row)
        if known is None:
            crowd = audience.of_crowd(row)
            if crowd is None:
                known = _encode(member(audience, audience.member(row), of_members))
            else:
                known = _filled(audience, row, *crowd, of_members)
            kept[row] = known
        found.append(known)
    return found


def _filled(audience: Audience, row: int, crowd: Crowd, changed: int, wanted: Selection) -> bytes:
    """A member of a crowd as JSON: what `member` would give, from a template of its kind."""
    kind = crowd.kind(row)
    template = audience.templates.get((wanted, kind))
    if template is None:
        if len(audience.templates) >= _TEMPLATES_KEPT:
            audience.templates.clear()
        template = audience.templates[wanted, kind] = _template(audience, crowd, kind, wanted)
    own = crowd.own(row, changed, is_quoted=True)
    digest = address_hash(own.email)
    values = {
        "hash": digest,
        "unique": digest[9::-1],
        "contact": audience.contact_id(row),
        "web": _web_id(audience, row),
        "changed": shown(changed),
        "opted": shown(own.opted),
        "signup": shown(own.signup),
        "email": own.email,
        "first": own.first,
        "last": own.last,
        "company": own.company,
        "phone": own.phone,
    }
    return (template % values).encode()


def _template(audience: Audience, crowd: Crowd, kind: int, wanted: Selection) -> str:
    """The JSON of a kind, with `%(name)s` for what is a member's own: of a member whose own values occur nowhere else."""
    row, changed, contact_id = 77_777_777, _FAR, "contact-place"
    own = Own("email@place", "first-place", "last-place", "company-place", "phone-place", _FAR + 1, _FAR + 2)
    one = crowd.member(row, contact_id, changed, kind, own, list(audience.interests), list(audience.permissions))
    text = _encode(member(audience, one, wanted)).decode().replace("%", "%%")
    places = {
        one.hash: "hash",
        one.unique_email_id: "unique",
        contact_id: "contact",
        str(_web_id(audience, row)): "web",
        shown(changed): "changed",
        shown(own.opted): "opted",
        shown(own.signup): "signup",
        **{value: name for name, value in own._asdict().items() if isinstance(value, str)},
    }
    for value, name in places.items():
        text = text.replace(value, f"%({name})s")
    return text


def _web_id(audience: Audience, row: int) -> int:
    return audience.number * 100_000_000 + row


def _always(value: Any) -> Callable[[Audience, Member], Any]:
    return lambda *_: value


def _full_name(one: Member) -> str:
    return f"{one.merge_fields.get('FNAME', '')} {one.merge_fields.get('LNAME', '')}".strip()


def _tags(audience: Audience, one: Member) -> list[dict[str, Any]]:
    return [{"id": audience.tags[name], "name": name} for name in islice(one.tags, _TAGS_SHOWN)]


def _permissions(audience: Audience, one: Member) -> list[dict[str, Any]]:
    texts = audience.permissions
    return [{"marketing_permission_id": name, "text": texts[name], "enabled": on} for name, on in one.permissions.items()]


def _links(audience: Audience, one: Member) -> list[dict[str, str]]:
    parent = f"/lists/{audience.list_id}/members"
    own = f"{parent}/{one.hash}"
    return [
        link(rel, method, parent if below == ".." else own + below, f"Lists/Members/{schema}" if schema else "")
        for rel, method, below, schema in _ACTIONS
    ]


_FIELDS: dict[str, Callable[[Audience, Member], Any]] = {
    "id": lambda _, one: one.hash,
    "email_address": lambda _, one: one.email,
    "unique_email_id": lambda _, one: one.unique_email_id,
    "contact_id": lambda _, one: one.contact_id,
    "full_name": lambda _, one: _full_name(one),
    "web_id": lambda audience, one: _web_id(audience, one.row),
    "email_type": lambda _, one: one.email_type,
    "status": lambda _, one: one.status,
    "unsubscribe_reason": lambda _, one: one.reason,
    "consents_to_one_to_one_messaging": _always(True),
    "merge_fields": lambda _, one: one.merge_fields,
    "interests": lambda _, one: one.interests,
    "stats": _always(_STATS),
    "ip_signup": lambda _, one: one.ip_signup,
    "timestamp_signup": lambda _, one: shown(one.signup),
    "ip_opt": lambda _, one: one.ip_opt,
    "timestamp_opt": lambda _, one: shown(one.opted),
    "member_rating": _always(2),
    "last_changed": lambda _, one: shown(one.changed),
    "language": lambda _, one: one.language,
    "vip": lambda _, one: one.vip,
    "email_client": _always(""),
    "location": _always(_NOWHERE),
    "marketing_permissions": _permissions,
    "source": lambda _, one: one.source,
    "tags_count": lambda _, one: len(one.tags),
    "tags": _tags,
    "list_id": lambda audience, _: audience.list_id,
    "_links": _links,
}
