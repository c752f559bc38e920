"""What the API tells: the account, audiences, members, tags, merge fields, interests."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.mailchimp import view
from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.call import Call
from syncd.sandbox.mailchimp.member import address_hash, shown
from syncd.sandbox.mailchimp.problem import JSON_TYPE, missing
from syncd.sandbox.mailchimp.query import choice, paging, select
from syncd.sandbox.message import Response

_TEXTS = {"FNAME": "First Name", "LNAME": "Last Name", "PHONE": "Phone Number", "ADDRESS": "Address", "COMPANY": "Company"}
_TYPES = {"PHONE": "phone", "ADDRESS": "address", "BIRTHDAY": "birthday"}


def ping(call: Call) -> Response:
    """GET /ping."""
    return call.show({"health_status": "Everything's Chimpy!"})


def account(call: Call) -> Response:
    """GET /."""
    subscribed = sum(one.count("subscribed") for one in call.mailchimp.audiences.values())
    names = {"account_name": "Sandbox", "email": "owner@sandbox.example.com", "username": "sandbox", "role": "owner"}
    document = {"account_id": address_hash(call.mailchimp.api_key)[:25], **names, "total_subscribers": subscribed}
    return call.show({**document, "_links": [view.link("self", "GET", "/", "Root")]})


def lists(call: Call) -> Response:
    """GET /lists."""
    found = [_list(call, one) for one in call.mailchimp.audiences.values()]
    limits = {"may_create": False, "max_instances": len(found), "current_total_instances": len(found)}
    return call.collection("lists", found, constraints=limits)


def one_list(call: Call, list_id: str) -> Response:
    """GET /lists/{id}."""
    return call.show(_list(call, call.audience(list_id)))


def members(call: Call, list_id: str) -> Response:
    """GET /lists/{id}/members."""
    audience = call.audience(list_id)
    offset, count = paging(call.query)
    wanted = choice(audience, call.query, inclusive=call.mailchimp.bounds_are_inclusive)
    total, rows = select(audience, wanted, descending=call.query.get("sort_dir") == "DESC", offset=offset, count=count)
    if Kind.EMPTY_PAGE in call.kinds:
        rows = []
    call.page = (list_id, offset)
    return Response(200, view.page(audience, rows, total, call.selection), {"Content-Type": JSON_TYPE})


def member(call: Call, list_id: str, reference: str) -> Response:
    """GET /lists/{id}/members/{reference}."""
    audience, one = call.member(list_id, reference)
    return Response(200, view.member(audience, one, call.selection))


def tags(call: Call, list_id: str, reference: str) -> Response:
    """GET /lists/{id}/members/{reference}/tags: all of them, however many."""
    audience, one = call.member(list_id, reference)
    found = [{"id": audience.tags[name], "name": name, "date_added": shown(at)} for name, at in one.tags.items()]
    return call.collection("tags", found)


def merge_fields(call: Call, list_id: str) -> Response:
    """GET /lists/{id}/merge-fields."""
    audience = call.audience(list_id)
    found = [
        {
            "merge_id": number,
            "tag": tag,
            "name": _TEXTS.get(tag, tag.title()),
            "type": _TYPES.get(tag, "text"),
            "required": tag in audience.required,
            "default_value": "",
            "public": False,
            "display_order": number + 1,
            "list_id": list_id,
        }
        for number, tag in enumerate(audience.merge_fields, 1)
    ]
    return call.collection("merge_fields", found, list_id=list_id)


def categories(call: Call, list_id: str) -> Response:
    """GET /lists/{id}/interest-categories."""
    audience = call.audience(list_id)
    return call.collection("categories", [_category(audience)] if audience.interests else [], list_id=list_id)


def category(call: Call, list_id: str, category_id: str) -> Response:
    """GET /lists/{id}/interest-categories/{id}."""
    return call.show(_category(_with_category(call, list_id, category_id)))


def interests(call: Call, list_id: str, category_id: str) -> Response:
    """GET /lists/{id}/interest-categories/{id}/interests."""
    audience = _with_category(call, list_id, category_id)
    own = {"category_id": category_id, "list_id": list_id}
    found = [
        {**own, "id": name, "name": text, "subscriber_count": "0", "display_order": place}
        for place, (name, text) in enumerate(audience.interests.items(), 1)
    ]
    return call.collection("interests", found, **own)


def _with_category(call: Call, list_id: str, category_id: str) -> Audience:
    audience = call.audience(list_id)
    if category_id != audience.category_id or not audience.interests:
        raise missing()
    return audience


def _category(audience: Audience) -> dict[str, Any]:
    named = {"list_id": audience.list_id, "id": audience.category_id, "title": "Interests"}
    return {**named, "display_order": 0, "type": "checkboxes"}


def _list(call: Call, audience: Audience) -> dict[str, Any]:
    """An audience as GET /lists shows it."""
    stats: dict[str, Any] = {f"{name}_count": audience.count(status) for name, status in _COUNTED.items()}
    if call.query.get("include_total_contacts", "").lower() == "true":
        stats = {"total_contacts": len(audience) - audience.count("archived"), **stats}
    path = f"/lists/{audience.list_id}"
    return {
        "id": audience.list_id,
        "web_id": 380_000 + audience.number,
        "name": audience.name,
        "date_created": shown(audience.created_at),
        "email_type_option": False,
        "double_optin": False,
        "marketing_permissions": bool(audience.permissions),
        "visibility": "prv",
        "list_rating": 0,
        "stats": {**stats, "merge_field_count": len(audience.merge_fields), "campaign_last_sent": shown(audience.campaign_at)},
        "_links": [
            view.link("self", "GET", path, "Lists/Response"),
            view.link("members", "GET", f"{path}/members", "Lists/Members/CollectionResponse"),
            view.link("merge-fields", "GET", f"{path}/merge-fields", "Lists/MergeFields/CollectionResponse"),
        ],
    }


_COUNTED = {"member": "subscribed", "unsubscribe": "unsubscribed", "cleaned": "cleaned"}
