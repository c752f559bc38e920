"""What Zoom can be asked to do with one person: register them for a webinar. Belongs to zoom.

`POST /webinars/{id}/registrants` answers 201 with `registrant_id`; it needs `email` and `first_name`, other fields go by Zoom's names, your
own questions by their titles (Zoom API v2, "Add a webinar registrant", rate limit label LIGHT, read 2026-11). No idempotency key exists.
Unverified, and relied upon for nothing: somebody who is registered already gets the registration that they have (devforum.zoom.us 57798).
The same registrant may be sent three times a day, then 429 with a sentence about "this particular registrant" (same thread): that is an
answer to this one action and no throttle.

So a registration is sent once, after a look at the three lists. Nobody who stands in one of them is sent. Zoom does not say how soon a list
shows somebody, so a look-up can say that it was done and never that it was not: then a person looks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from connectors.zoom.api import Api, GoneError
from syncd.connector import ActionOutcome, ActionState, Answer, SourceAction, SourceActionKind
from syncd.connector.tools import UNREADABLE
from syncd.document import suggest
from syncd.errors import ContractError

STATUSES = ("approved", "pending", "denied")
_OPTIONS = ("webinar", "asked")
_WEBINAR = re.compile(r"[0-9]{9,20}")
_STANDARD = (
    "first_name last_name address city state zip country phone comments industry job_title no_of_employees org purchasing_time_frame "
    "role_in_purchase_process language source_id"
).split()
_CODES = {
    300: "bad_field",
    3000: "no_registration",
    3001: "no_such_webinar",
    3027: "is_host",
    3034: "not_invited",
    3035: "webinar_full",
    3038: "webinar_over",
}
"""Codes of refusals (Zoom's list of errors of the webinar calls, copied in `harrisyang/api`, errors/WebinarAPIs.md) and our words for them."""


class _Registrant(msgspec.Struct):
    email: str | None = None


class _Registered(msgspec.Struct):
    registrant_id: str


class _Problem(msgspec.Struct):
    code: int = 0
    message: str = ""


def problems_of(kind: SourceActionKind, options: Mapping[str, str]) -> list[str]:
    """Everything that is wrong with the options of an action as a policy states them."""
    if kind is not SourceActionKind.REGISTER:
        return [f'Zoom cannot "{kind}". It can: {SourceActionKind.REGISTER}.']
    found = [
        f'"{name}" is no option of "{kind}" at Zoom. {suggest(name, _OPTIONS)}' for name in sorted(set(options) - set(_OPTIONS))
    ]
    webinar = options.get("webinar")
    if webinar is None:
        found.append(f'"{kind}" at Zoom needs webinar: the number of the webinar.')
    elif not _WEBINAR.fullmatch(webinar):
        found.append(f'webinar "{webinar}" of "{kind}": it is the number of the webinar without spaces, such as 98765432101.')
    return found


class Actions:
    """The actions of one account."""

    def __init__(self, api: Api) -> None:
        """Nothing is sent yet."""
        self._api = api

    def act(self, action: SourceAction) -> ActionOutcome:
        """Register somebody who is in none of the lists; see the contract. The options were checked."""
        if action.consent_at is None:
            return _refusal("no_proof")
        body = _body(action)
        if not body.get("first_name"):
            return _refusal("no_first_name")
        try:
            status = self._status(action)
        except GoneError:
            return _refusal("no_such_webinar")
        if status == "denied":
            return _refusal("denied")
        if status:
            return ActionOutcome(ActionState.UNCHANGED, f"already_{status}")
        return _told(self._api.send(_path(action), msgspec.json.encode(body), _judged))

    def look_up(self, action: SourceAction) -> ActionOutcome:
        """What became of it; see the contract. Who is in no list may have been registered all the same."""
        try:
            status = self._status(action)
        except GoneError:
            return _refusal("no_such_webinar")
        if status == "denied":
            return _refusal("denied")
        return ActionOutcome(ActionState.DONE) if status else ActionOutcome(ActionState.UNKNOWN, "not_seen")

    def _status(self, action: SourceAction) -> str:
        """In which of the lists the person stands, by their address; "" for none.

        Raises:
            ContractError: A registrant cannot be read: it may be this very person.
        """
        wanted = action.email.strip().lower()
        for status in STATUSES:
            for reply in self._api.pages(_path(action), "registrants", {"status": status}):
                try:
                    emails = [msgspec.json.decode(raw, type=_Registrant).email for raw in reply.value.registrants or ()]
                except UNREADABLE as error:
                    raise ContractError(
                        "Zoom gave a registrant that cannot be read.",
                        advice="The API may have changed. Nobody was registered.",
                        page=reply.body,
                    ) from error
                if any((one or "").strip().lower() == wanted for one in emails):
                    return status
        return ""


def _path(action: SourceAction) -> str:
    return f"/webinars/{quote(action.options['webinar'], safe='')}/registrants"


def _body(action: SourceAction) -> dict[str, Any]:
    """What the registration form asks for; what is not known is left out."""
    known = {name: value for name, value in action.fields.items() if value is not None and value != ""}
    texts = {name: ("yes" if value else "no") if isinstance(value, bool) else str(value) for name, value in known.items()}
    body: dict[str, Any] = {"email": action.email, **{name: text for name, text in texts.items() if name in _STANDARD}}
    questions: Sequence[dict[str, str]] = [
        {"title": name, "value": text} for name, text in texts.items() if name not in _STANDARD
    ]
    return {**body, "custom_questions": questions} if questions else body


def _problem(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Problem)
    except UNREADABLE:
        return _Problem()


def _judged(body: bytes) -> type[ContractError] | None:
    """Of a 429: whether it is an answer to this one registrant; None for a throttle."""
    return ContractError if "particular registrant" in _problem(body).message else None


def _told(answer: Answer | None) -> ActionOutcome:
    """The outcome of a registration: its answer names the registrant; a page of somebody on the way says nothing."""
    if answer is None:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if not 200 <= answer.status < 300:
        problem = _problem(answer.body)
        code = "too_often" if answer.status == 429 else _CODES.get(problem.code, f"status_{answer.status}")
        # Zoom's sentence may name the person.
        return ActionOutcome(ActionState.REFUSED, code, problem.message)
    try:
        is_named = bool(msgspec.json.decode(answer.body, type=_Registered).registrant_id)
    except UNREADABLE:
        is_named = False
    return ActionOutcome(ActionState.DONE) if is_named else ActionOutcome(ActionState.UNKNOWN, "answer_lost")


def _refusal(code: str) -> ActionOutcome:
    return ActionOutcome(ActionState.REFUSED, code)
