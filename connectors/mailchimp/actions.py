"""What Mailchimp can be asked to do with one person: enrol, tag, trigger a journey, opt out. Belongs to mailchimp.

No idempotency key exists (sources.md 1, "Writes"), so each write is sent once; whoever lost the answer looks the member up. The
rules that protect people: `status` is never sent but to unsubscribe, a member who left is never written, one who is asked to
confirm is not asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.mailchimp.api import Api, MemberGoneError, audiences
from connectors.mailchimp.asked import MAILED, audience_of, interests_of, is_for_account
from connectors.mailchimp.members import hash_of
from syncd.connector import NOT_CARRIED_OUT, ActionOutcome, ActionState, Answer, Session, SourceAction, SourceActionKind
from syncd.connector.tools import UNREADABLE, gravest
from syncd.errors import SourceUnavailableError

_FIELDS = "status,merge_fields,interests"
_CODES = {
    "Member In Compliance State": "member_in_compliance_state",
    "Forgotten Email Not Subscribed": "erased_member",
    "Invalid Resource": "invalid_resource",
    "Member Exists": "member_exists",
    "Resource Not Found": "not_found",
}
"""Titles of refusals (sources.md 1, "Errors") and our words for them."""
_BARRED = {
    "unsubscribed": "opted_out",
    "cleaned": "cleaned",
    # Un-archiving would need `status`, and what the member was before nobody can read.
    "archived": "archived",
    "transactional": "no_marketing_consent",
}
"""Statuses of which no enrolment comes without `status`, and why."""

Asked = Mapping[str, Any]


class _Member(msgspec.Struct):
    """As much of a member as decides what may be done."""

    status: str
    merge_fields: dict[str, Any] | None = None
    interests: dict[str, bool] | None = None


class _Tag(msgspec.Struct):
    name: str | None = None


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""


class Actions:
    """The actions of one account; `audiences` as in the source's options."""

    def __init__(self, session: Session, api: Api, audiences: Sequence[str]) -> None:
        """Nothing is sent yet."""
        self._http = session.http
        self._api = api
        self._audiences = audiences

    def act(self, action: SourceAction) -> ActionOutcome:
        """Carry it out; see the contract. The options were checked."""
        steps: dict[SourceActionKind, Callable[[SourceAction], ActionOutcome]] = {
            SourceActionKind.ENROL: self._enrol,
            SourceActionKind.TAG: self._tag,
            SourceActionKind.TRIGGER: self._trigger,
            SourceActionKind.OPT_OUT: self._opt_out,
        }
        return steps[action.kind](action)

    def look_up(self, action: SourceAction) -> ActionOutcome:
        """What became of it; see the contract. What the API does not tell of a journey stays unknown."""
        if action.kind is SourceActionKind.TRIGGER:
            return ActionOutcome(ActionState.UNKNOWN, "journeys_are_not_told")
        if action.kind is SourceActionKind.TAG:
            return self._tagged(action)
        if action.kind is SourceActionKind.OPT_OUT:
            members = [self._member(action, one) for one in self._left(action)]
            if not any(members):
                return ActionOutcome(ActionState.UNCHANGED, "no_such_member")
            is_in = any(one is not None and one.status in MAILED for one in members)
            return _not_carried_out() if is_in else ActionOutcome(ActionState.DONE)
        member = self._member(action)
        if member is None:
            return _not_carried_out()
        # Written once more, a subscribed member stays one: to take a value that changed since for one that never came does no harm.
        is_there = member.status == "pending" or (member.status == "subscribed" and not self._news(action, member))
        return _barred(member.status) or (ActionOutcome(ActionState.DONE) if is_there else _not_carried_out())

    # ------------------------------------------------------------------ enrol

    def _enrol(self, action: SourceAction) -> ActionOutcome:
        member = self._member(action)
        body: dict[str, Any] = {"email_address": action.email}
        if member is None:
            wants_subscribed = action.options.get("status") == "subscribed" and action.consent_at is not None
            body["status_if_new"] = "subscribed" if wants_subscribed else "pending"
            if wants_subscribed and action.consent_at is not None:
                body["timestamp_opt"] = action.consent_at.isoformat(timespec="seconds")
            body |= self._given(action)
        else:
            barred = _barred(member.status)
            if barred is not None:
                return barred
            news = self._news(action, member)
            if member.status == "pending" or not news:
                return ActionOutcome(ActionState.UNCHANGED, f"already_{member.status}")
            # Who left in the meantime stays as they are: without `status` nothing is changed of it.
            body |= {"status_if_new": "pending", **news}
        answer = self._send("PUT", self._path(action), body)
        if answer is None:
            return _unknown()
        return _refused(answer) or self._enrolled(answer)

    def _enrolled(self, answer: Answer) -> ActionOutcome:
        """Whether the member that came back is enrolled: somebody may have left between our look and our write."""
        try:
            member = msgspec.json.decode(answer.body, type=_Member)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _unknown()
        return _barred(member.status) or ActionOutcome(ActionState.DONE)

    @staticmethod
    def _given(action: SourceAction) -> dict[str, Any]:
        """What the action wants a member to hold."""
        wanted: dict[str, Any] = {"merge_fields": _merge_fields(action), "interests": interests_of(action.options)}
        return {name: value for name, value in wanted.items() if value}

    def _news(self, action: SourceAction, member: _Member) -> dict[str, Any]:
        """What of it the member does not hold yet."""
        held = {"merge_fields": member.merge_fields or {}, "interests": member.interests or {}}
        found = {
            name: {key: value for key, value in wanted.items() if held[name].get(key) != value}
            for name, wanted in self._given(action).items()
        }
        return {name: news for name, news in found.items() if news}

    # ------------------------------------------------------------------ tag

    def _tag(self, action: SourceAction) -> ActionOutcome:
        status = "inactive" if action.options.get("remove") == "yes" else "active"
        # With is_syncing true the automations that wait for a tag would not begin.
        body = {"tags": [{"name": action.options["tag"], "status": status}], "is_syncing": False}
        answer = self._send("POST", f"{self._path(action)}/tags", body)
        if answer is None:
            return _unknown()
        if answer.status == 404:
            return ActionOutcome(ActionState.REFUSED, "no_such_member")
        return _refused(answer) or _done(answer)

    def _tagged(self, action: SourceAction) -> ActionOutcome:
        try:
            tags = self._api.tags(self._audience(action), hash_of(action.email))
        except MemberGoneError:
            return ActionOutcome(ActionState.REFUSED, "no_such_member")
        try:
            names = {(msgspec.json.decode(one, type=_Tag).name or "").casefold() for one in tags}
        except UNREADABLE:
            return ActionOutcome(ActionState.UNKNOWN, "unreadable_tags")
        is_on = action.options["tag"].casefold() in names
        return ActionOutcome(ActionState.DONE) if is_on != (action.options.get("remove") == "yes") else _not_carried_out()

    # ------------------------------------------------------------------ journeys

    def _trigger(self, action: SourceAction) -> ActionOutcome:
        """Merge fields first, which may be written any number of times; then the step, once and last."""
        member = self._member(action)
        if member is None:
            return ActionOutcome(ActionState.REFUSED, "no_such_member")
        if member.status != "subscribed":
            return _barred(member.status) or ActionOutcome(ActionState.REFUSED, "not_confirmed")
        refused = self._prepare(action, member)
        if refused is not None:
            return refused
        journey, step = action.options["journey"], action.options["step"]
        path = f"/customer-journeys/journeys/{journey}/steps/{step}/actions/trigger"
        answer = self._send("POST", path, {"email_address": action.email})
        if answer is None:
            return _unknown()
        if answer.status == 404:
            return ActionOutcome(ActionState.REFUSED, "no_such_step")
        return _refused(answer) or _done(answer)

    def _prepare(self, action: SourceAction, member: _Member) -> ActionOutcome | None:
        """Write the merge fields that the journey's mail quotes; None when they are there.

        Raises:
            SourceUnavailableError: Nobody knows whether they are; the journey was not begun.
        """
        wanted = {name: value for name, value in _merge_fields(action).items() if (member.merge_fields or {}).get(name) != value}
        if not wanted:
            return None
        answer = self._send("PATCH", self._path(action), {"merge_fields": wanted}, skip_merge_validation=True)
        if answer is None:
            raise SourceUnavailableError(
                "The merge fields of a journey may not have arrived at Mailchimp.",
                advice="The journey was not begun; it is tried again.",
            )
        refused = _refused(answer)
        if refused is not None:
            return refused
        try:
            held = msgspec.json.decode(answer.body, type=_Member)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceUnavailableError(
                "Mailchimp answered with a member that cannot be read.", advice="The journey was not begun; it is tried again."
            ) from error
        # Fields that the audience does not have are silently left out: the mail would have a hole where the link belongs.
        if set(wanted) - set(held.merge_fields or {}):
            return ActionOutcome(ActionState.REFUSED, "no_such_merge_field")
        return _barred(held.status)

    # ------------------------------------------------------------------ opt-out

    def _opt_out(self, action: SourceAction) -> ActionOutcome:
        """Of one audience, or of each of the account. Whoever has left changes nothing, so the whole may be done once more."""
        outcomes = [ActionOutcome(ActionState.UNCHANGED, "no_such_member")]
        for list_id in self._left(action):
            member = self._member(action, list_id)
            if member is not None and member.status in MAILED:
                path = self._path(action, list_id)
                answer = self._send("PATCH", path, {"status": "unsubscribed"}, skip_merge_validation=True)
                outcomes.append(_unknown() if answer is None else _refused(answer) or _done(answer))
            elif member is not None:
                outcomes.append(ActionOutcome(ActionState.UNCHANGED, f"already_{member.status}"))
        return gravest(outcomes)

    # ------------------------------------------------------------------ the account

    def _left(self, action: SourceAction) -> list[str]:
        """The audiences that an opt-out means."""
        return sorted(one.id for one in audiences(self._api)) if is_for_account(action.options) else [self._audience(action)]

    def _audience(self, action: SourceAction) -> str:
        return audience_of(action.options, self._audiences)

    def _path(self, action: SourceAction, list_id: str = "") -> str:
        return f"/lists/{quote(list_id or self._audience(action), safe='')}/members/{hash_of(action.email)}"

    def _member(self, action: SourceAction, list_id: str = "") -> _Member | None:
        """The member, None if there is none (or no such audience: the write that follows tells)."""
        rows = {404: MemberGoneError("There is no such member.")}
        try:
            return self._api.get(self._path(action, list_id), _Member, {"fields": _FIELDS}, rows).value
        except MemberGoneError:
            return None

    def _send(self, method: str, path: str, body: Asked, *, skip_merge_validation: bool = False) -> Answer | None:
        params = {"skip_merge_validation": "true"} if skip_merge_validation else {}
        return self._api.send(method, path, msgspec.json.encode(body), params)


def _merge_fields(action: SourceAction) -> dict[str, str | int | float]:
    """The action's values as merge fields take them; what is not known is left out, it clears nothing."""
    known = {name: value for name, value in action.fields.items() if value is not None}
    return {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in known.items()}


def _barred(status: str) -> ActionOutcome | None:
    code = _BARRED.get(status, "" if status in ("subscribed", "pending") else "unknown_status")
    return ActionOutcome(ActionState.REFUSED, code) if code else None


def _refused(answer: Answer) -> ActionOutcome | None:
    """The outcome of an answer that is no 2xx; the vendor's sentence may name the person."""
    if 200 <= answer.status < 300:
        return None
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem()
    return ActionOutcome(ActionState.REFUSED, _CODES.get(problem.title, f"status_{answer.status}"), problem.detail)


def _done(answer: Answer) -> ActionOutcome:
    """204, or 200 with JSON; a page of somebody on the way says nothing."""
    if answer.body:
        try:
            msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _unknown()
    return ActionOutcome(ActionState.DONE)


def _unknown() -> ActionOutcome:
    return ActionOutcome(ActionState.UNKNOWN, "answer_lost")


def _not_carried_out() -> ActionOutcome:
    return ActionOutcome(ActionState.REFUSED, NOT_CARRIED_OUT)
