"""What the API changes: members one by one and in batches, their tags, archiving and erasing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from syncd.sandbox.mailchimp import view
from syncd.sandbox.mailchimp.account import blank, moved
from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.call import Call
from syncd.sandbox.mailchimp.member import Member, address_hash
from syncd.sandbox.mailchimp.problem import Problem, invalid, invalid_fields, not_allowed
from syncd.sandbox.message import Response

_MAX_BATCH = 500
_WRITABLE = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
_FIXED = ("cleaned", "pending", "archived")
_SCALARS: dict[str, type] = {"language": str, "vip": bool, "email_type": str, "ip_signup": str, "ip_opt": str}
_FAKE = ("fake.example.com", ".invalid")
"""Ends of addresses that the vendor's judgement, which nobody knows, would not believe."""
_STAMPS = {"timestamp_signup": "signup", "timestamp_opt": "opted"}


def upsert(call: Call, list_id: str, reference: str) -> Response:
    """PUT /lists/{id}/members/{reference}: an unknown member needs `email_address` and `status_if_new`."""
    audience, body = call.audience(list_id), call.body
    before = audience.find(reference)
    if before is not None:
        return _shown(call, audience, _edited(call, audience, before, body))
    email = _email(body)
    if audience.find(email) is not None:
        raise _exists(email)
    if "status_if_new" not in body:
        raise invalid_fields(status_if_new="Required fields were not provided: status_if_new")
    return _shown(call, audience, _created(call, audience, {**body, "status": body["status_if_new"]}))


def edit(call: Call, list_id: str, reference: str) -> Response:
    """PATCH /lists/{id}/members/{reference}."""
    audience, before = call.member(list_id, reference)
    return _shown(call, audience, _edited(call, audience, before, call.body))


def create(call: Call, list_id: str) -> Response:
    """POST /lists/{id}/members: an archived member comes back, any other is refused."""
    audience, body = call.audience(list_id), call.body
    email = _email(body)
    if "status" not in body:
        raise invalid_fields(status="Required fields were not provided: status")
    before = audience.find(email)
    if before is not None and before.status != "archived":
        raise _exists(email)
    tags = _names(body.get("tags"))
    made = _created(call, audience, body) if before is None else _edited(call, audience, before, body)
    return _shown(call, audience, _tagged(audience, made, dict.fromkeys(tags, True), call.now) if tags else made)


def archive(call: Call, list_id: str, reference: str) -> Response:
    """DELETE /lists/{id}/members/{reference}."""
    audience, before = call.member(list_id, reference)
    if before.status in _FIXED:
        detail = "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived"
        raise not_allowed("GET", "PUT", detail=detail)
    audience.store(moved(before, "archived", call.now, by_person=False))
    return Response(204)


def erase(call: Call, list_id: str, reference: str) -> Response:
    """POST /lists/{id}/members/{reference}/actions/delete-permanent."""
    audience, before = call.member(list_id, reference)
    audience.drop(before)
    return Response(204)


def tag(call: Call, list_id: str, reference: str) -> Response:
    """POST /lists/{id}/members/{reference}/tags: names with `active` or `inactive`."""
    audience, before = call.member(list_id, reference)
    asked = call.body.get("tags")
    if not isinstance(asked, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in asked):
        raise invalid_fields(tags="Schema describes array of objects with a name")
    if not all(one.get("status") in ("active", "inactive") for one in asked):
        raise invalid_fields(tags__status="Value must be one of: active, inactive")
    wanted = {one["name"]: one["status"] == "active" for one in asked}
    _tagged(audience, before, wanted, call.now if call.mailchimp.tags_touch else before.changed)
    return Response(204)


def batch(call: Call, list_id: str) -> Response:
    """POST /lists/{id}: always 200; what was refused is in `errors`. Who may not be subscribed stays as before, without an error."""
    audience, body = call.audience(list_id), call.body
    asked = body.get("members")
    if not isinstance(asked, list) or len(asked) > _MAX_BATCH:
        raise invalid_fields(members=f"Schema describes array with a maximum of {_MAX_BATCH} items")
    new: list[dict[str, Any]] = []
    updated: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for one in asked:
        try:
            is_new, saved = _one_of_batch(call, audience, one, body)
        except Problem as problem:
            code = "ERROR_CONTACT_EXISTS" if problem.title == "Member Exists" else "ERROR_GENERIC"
            wrong = problem.errors[0] if problem.errors else {"field": "", "message": ""}
            where = {"field": wrong["field"], "field_message": wrong["message"]}
            address = one.get("email_address", "") if isinstance(one, dict) else ""
            errors.append({"email_address": address, "error": problem.detail, "error_code": code, **where})
        else:
            (new if is_new else updated).append(view.member(audience, saved, view.WITHOUT_LINKS))
    counts = {"total_created": len(new), "total_updated": len(updated), "error_count": len(errors)}
    return call.show({"new_members": new, "updated_members": updated, "errors": errors, **counts, "_links": []})


def _one_of_batch(call: Call, audience: Audience, one: Any, body: dict[str, Any]) -> tuple[bool, Member]:
    """Whether a member of a batch is new, and what became of it."""
    if not isinstance(one, dict):
        raise invalid("Schema describes object")
    before = audience.find(_email(one))
    if before is None:
        saved = _created(call, audience, one)
    elif not body.get("update_existing"):
        detail = f"{before.email} is already a list member, do you want to update? please provide update_existing:true in the request body"
        raise Problem(400, "Member Exists", detail)
    else:
        is_refused = before.is_barred and one.get("status") == "subscribed"
        saved = _edited(
            call, audience, before, {name: value for name, value in one.items() if name != "status" or not is_refused}
        )
    wanted = dict.fromkeys(_names(one.get("tags")), True)
    if body.get("sync_tags") and before is not None:
        wanted = dict.fromkeys(before.tags, False) | wanted
    return before is None, _tagged(audience, saved, wanted, call.now) if wanted else saved


def _shown(call: Call, audience: Audience, saved: Member) -> Response:
    return Response(200, view.member(audience, saved, call.selection))


def _created(call: Call, audience: Audience, body: dict[str, Any]) -> Member:
    """A new member by the API."""
    email = _email(body)
    if address_hash(email) in audience.forgotten:
        detail = (
            f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list."
        )
        raise Problem(400, "Forgotten Email Not Subscribed", detail)
    return _save(call, audience, replace(blank(audience, email, call.now), source="API - Generic"), body)


def _edited(call: Call, audience: Audience, before: Member, body: dict[str, Any]) -> Member:
    """An edit by the API; another `email_address` moves the member."""
    after = before
    if "email_address" in body and (email := _email(body)) != before.email:
        other = audience.find(email)
        if other is not None and other.row != before.row:
            raise _exists(email)
        after = replace(before, email=email)
    return _save(call, audience, after, body)


def _save(call: Call, audience: Audience, member: Member, body: dict[str, Any]) -> Member:
    """Check everything, then store.

    Raises:
        Problem: 400, a value that may not be, or a person who may not be subscribed.
    """
    status = body.get("status") or member.status
    if status != member.status and status not in _WRITABLE:
        raise invalid_fields(status=f"Value must be one of: {', '.join(_WRITABLE)}")
    if status == "subscribed" and member.is_barred:
        detail = (
            f"{member.email} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed."
        )
        raise Problem(400, "Member In Compliance State", detail)
    after = replace(moved(member, status, call.now, by_person=False), **_changes(audience, member, body))
    blanks = {name: "Please enter a value" for name in sorted(audience.required) if after.merge_fields.get(name, "") == ""}
    if blanks and call.query.get("skip_merge_validation", "").lower() != "true":
        raise invalid_fields("Your merge fields were invalid.", **blanks)
    if status == "pending" and "status" in body:
        # Each time that somebody is set to pending they are asked to confirm, also when they were already.
        call.mailchimp.marketing.confirm(audience.list_id, after.email, call.mailchimp.clock.now())
    audience.store(after)
    return after


def _changes(audience: Audience, member: Member, body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body that were sent, checked."""
    changes: dict[str, Any] = {}
    for name, kind in _SCALARS.items():
        if name in body:
            if not isinstance(body[name], kind):
                raise invalid_fields(**{name: f"Schema describes {kind.__name__}"})
            changes[name] = body[name]
    for name, own in _STAMPS.items():
        if name in body:
            changes[own] = _instant(name, body[name])
    merged = _object(body, "merge_fields")
    for name, value in merged.items():
        if isinstance(value, list):
            raise invalid_fields(**{f"merge_fields__{name}": "Data did not match any of the schemas described in anyOf."})
    # Fields that the audience does not have are silently left out.
    known = {name: "" if value is None else value for name, value in merged.items() if name in audience.merge_fields}
    interests = _object(body, "interests")
    if not set(interests) <= set(audience.interests):
        raise invalid("Invalid interest ID.")
    changes["merge_fields"] = member.merge_fields | known
    changes["interests"] = member.interests | {name: bool(on) for name, on in interests.items()}
    changes["permissions"] = member.permissions | _permissions(audience, body.get("marketing_permissions"))
    return changes


def _permissions(audience: Audience, asked: Any) -> dict[str, bool]:
    """`marketing_permissions` of a body by id."""
    try:
        wanted = {one["marketing_permission_id"]: bool(one["enabled"]) for one in asked or []}
    except (KeyError, TypeError):
        raise invalid_fields(marketing_permissions="Schema describes array of objects") from None
    if not set(wanted) <= set(audience.permissions):
        raise invalid("Invalid marketing permission ID.")
    return wanted


def _tagged(audience: Audience, member: Member, wanted: dict[str, bool], changed: int) -> Member:
    """Store a member with tags added (True) and taken away (False)."""
    tags = {name: at for name, at in member.tags.items() if wanted.get(name, True)}
    added = {name: changed for name, is_on in wanted.items() if is_on and name not in tags}
    after = replace(member, tags=tags | added, changed=changed)
    audience.store(after)
    return after


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise invalid_fields(**{name: f"Schema describes object, {type(value).__name__} found instead"})
    return value


def _names(asked: Any) -> list[str]:
    names = asked or []
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise invalid_fields(tags="Schema describes array of strings")
    return names


def _email(body: dict[str, Any]) -> str:
    """The address of a body.

    Raises:
        Problem: 400, none, or one that can be none.
    """
    email = body.get("email_address")
    if not isinstance(email, str):
        raise invalid_fields(email_address="Schema describes string, NULL found instead")
    local, at, domain = email.strip().rpartition("@")
    if not (local and at and "." in domain.strip(".")) or any(letter.isspace() for letter in email.strip()):
        raise invalid("Please provide a valid email address.")
    if domain.lower().endswith(_FAKE):
        raise invalid(f"{email.strip()} looks fake or invalid, please enter a real email address.")
    return email.strip()


def _instant(name: str, value: Any) -> int:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise invalid_fields(**{name: "Data did not match any of the schemas described in anyOf."}) from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def _exists(email: str) -> Problem:
    return Problem(400, "Member Exists", f"{email} is already a list member. Use PUT to insert or update list members.")
