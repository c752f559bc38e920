"""What ActiveCampaign can be asked to do with one person: put on a list, tag, automate, take off a list. Belongs to activecampaign.

No idempotency key exists (sources.md 2, "Writes"): each write is sent once, but for the contact itself, which is keyed by its address and
may be written any number of times. Whoever lost the answer looks at what the contact has. The rules that protect people: a list is
joined with stored proof for that very list only, nobody who left it is written, nobody is put into an automation that they are in or
were in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.activecampaign.api import Api, Contacts
from connectors.activecampaign.asked import MAILED, is_for_account, list_of
from syncd.connector import NOT_CARRIED_OUT, ActionOutcome, ActionState, Answer, SourceAction, SourceActionKind
from syncd.connector.tools import UNREADABLE, gravest
from syncd.errors import ContractError, SourceUnavailableError

_STANDARD = ("firstName", "lastName", "phone")
_CODES = {"email_invalid": "email_invalid", "duplicate": "duplicate"}
_BARRED = {"2": "opted_out", "3": "bounced"}
"""Statuses of a membership that no enrolment and no automation passes."""

Row = Mapping[str, Any]


class _Synced(msgspec.Struct):
    contact: dict[str, Any]


class Actions:
    """The actions of one account; `audiences` as in the source's options."""

    def __init__(self, api: Api, audiences: Sequence[str]) -> None:
        """Nothing is sent yet."""
        self._api = api
        self._audiences = audiences

    def act(self, action: SourceAction) -> ActionOutcome:
        """Carry it out; see the contract. The options were checked."""
        steps: dict[SourceActionKind, Callable[[SourceAction, Row | None], ActionOutcome]] = {
            SourceActionKind.ENROL: self._enrol,
            SourceActionKind.TAG: self._tag,
            SourceActionKind.TRIGGER: self._trigger,
            SourceActionKind.OPT_OUT: self._opt_out,
        }
        return _refusal("bad_field") if _odd_fields(action) else steps[action.kind](action, self._contact(action.email))

    def look_up(self, action: SourceAction) -> ActionOutcome:
        """What became of it; see the contract. An automation that is not listed may yet begin, and is not to begin twice."""
        contact = self._contact(action.email)
        if action.kind is SourceActionKind.TRIGGER:
            is_in = contact is not None and self._is_in(contact, action.options["automation"])
            return _done() if is_in else ActionOutcome(ActionState.UNKNOWN, "not_listed")
        if contact is None:
            is_off = action.kind is SourceActionKind.OPT_OUT
            return _unchanged("no_such_contact") if is_off else _not_carried_out()
        if action.kind is SourceActionKind.TAG:
            is_on = self._link(contact, action.options["tag"]) is not None
            return _done() if is_on != _is_removal(action) else _not_carried_out()
        if action.kind is SourceActionKind.OPT_OUT:
            is_mailed = any(status in MAILED for status in self._left(contact, action).values())
            return _not_carried_out() if is_mailed else _done()
        status = self._status(contact, action)
        return _barred(status) or (_done() if status == "1" else _not_carried_out())

    # ------------------------------------------------------------------ lists

    def _enrol(self, action: SourceAction, contact: Row | None) -> ActionOutcome:
        status = None if contact is None else self._status(contact, action)
        barred = _barred(status)
        if barred is not None:
            return barred
        if status == "0":
            return _unchanged("already_pending")
        if status is None and (action.consent_at is None or action.options.get("status") != "subscribed"):
            return _refusal("no_proof")
        written, refused = self._written(action, contact)
        if refused is not None:
            return refused
        if status == "1":
            return _unchanged("already_active") if written is contact else _done()
        if contact is not None and written is not contact:
            # That took a while: who left meanwhile stays gone.
            status = self._status(contact, action)
            if status is not None:
                return _barred(status) or _unchanged("already_on_list")
        return self._put_on_list(self._audience(action), written or {}, 1)

    def _opt_out(self, action: SourceAction, contact: Row | None) -> ActionOutcome:
        """Of one list, or of each that the contact is on. Whoever has left changes nothing, so the whole may be done once more."""
        if contact is None:
            return _unchanged("no_such_contact")
        outcomes = []
        for list_id, status in sorted(self._left(contact, action).items()):
            is_mailed = status in MAILED
            outcomes.append(self._put_on_list(list_id, contact, 2) if is_mailed else _unchanged("already_unsubscribed"))
        return gravest(outcomes or [_unchanged("not_on_list")])

    def _put_on_list(self, list_id: str, contact: Row, status: int) -> ActionOutcome:
        given = {"list": list_id, "contact": str(contact["id"]), "status": status}
        return _told(self._send("/contactLists", {"contactList": given}), "contactList")

    def _left(self, contact: Row, action: SourceAction) -> dict[str, str]:
        """Status by list of those memberships that an opt-out means."""
        found = self._memberships(contact)
        return found if is_for_account(action.options) else {key: found[key] for key in (self._audience(action),) if key in found}

    def _audience(self, action: SourceAction) -> str:
        return list_of(action.options, self._audiences)

    def _status(self, contact: Row, action: SourceAction) -> str | None:
        """Of the membership in the action's list, None without one."""
        return self._memberships(contact).get(self._audience(action))

    def _memberships(self, contact: Row) -> dict[str, str]:
        return {str(row.get("list")): str(row.get("status")) for row in self._api.rows(str(contact["id"]), "contactLists")}

    # ------------------------------------------------------------------ tags

    def _tag(self, action: SourceAction, contact: Row | None) -> ActionOutcome:
        if contact is None:
            return _refusal("no_such_contact")
        link = self._link(contact, action.options["tag"])
        written, refused = self._written(action, contact)
        if refused is not None:
            return refused
        if (link is not None) != _is_removal(action):
            return _unchanged("not_tagged" if link is None else "already_tagged") if written is contact else _done()
        if link is not None:
            answer = self._api.send("DELETE", f"/contactTags/{link}", b"")
            return _done() if answer is not None and answer.status == 404 else _told(answer, "")
        given = {"contact": str(contact["id"]), "tag": action.options["tag"]}
        return _told(self._send("/contactTags", {"contactTag": given}), "contactTag", missing="no_such_tag")

    def _link(self, contact: Row, tag: str) -> str | None:
        """The id by which a tag hangs on a contact, None if it does not."""
        found = [str(row.get("id")) for row in self._api.rows(str(contact["id"]), "contactTags") if str(row.get("tag")) == tag]
        return next((one for one in found if one.isascii() and one.isdigit()), None)

    # ------------------------------------------------------------------ automations

    def _trigger(self, action: SourceAction, contact: Row | None) -> ActionOutcome:
        """The contact's fields first, which may be written any number of times; then the automation, once and last."""
        if contact is None:
            return _refusal("no_such_contact")
        status = self._status(contact, action)
        if status != "1":
            return _barred(status) or _refusal("not_on_list" if status is None else "not_confirmed")
        # Who was in it once is not put in again, though an automation may allow it.
        if self._is_in(contact, action.options["automation"]):
            return _unchanged("already_in")
        _, refused = self._written(action, contact)
        if refused is not None:
            return refused
        given = {"contact": str(contact["id"]), "automation": action.options["automation"]}
        answer = self._send("/contactAutomations", {"contactAutomation": given})
        return _refusal("not_taken") if answer is not None and answer.status == 403 else _told(answer, "contactAutomation")

    def _is_in(self, contact: Row, automation: str) -> bool:
        rows = self._api.rows(str(contact["id"]), "contactAutomations")
        return any(automation in (str(row.get("automation")), str(row.get("seriesid"))) for row in rows)

    # ------------------------------------------------------------------ the contact

    def _contact(self, email: str) -> Row | None:
        """Who has this address, None for nobody."""
        reply = self._api.get("/contacts", Contacts, {"email": email, "status": "-1"})
        for raw in reply.value.contacts:
            try:
                fields = msgspec.json.decode(raw, type=dict[str, Any])
            except UNREADABLE:
                raise ContractError(
                    "ActiveCampaign gave a contact that is no object, or cannot be read.",
                    advice="The API may have changed. Nothing was done with the contact.",
                    page=reply.body,
                ) from None
            if str(fields.get("email") or "").strip().lower() == email.strip().lower():
                return fields
        return None

    def _written(self, action: SourceAction, contact: Row | None) -> tuple[Row | None, ActionOutcome | None]:
        """The contact with the action's fields, made where there is none; the very same where there was nothing to write.

        Raises:
            SourceUnavailableError: Nobody knows whether it was written; nothing else was done, and it may be written again.
        """
        standard = {name: text for name, text in _texts(action).items() if name in _STANDARD}
        custom = {name: text for name, text in _texts(action).items() if name not in _STANDARD}
        if contact is not None:
            standard = {name: text for name, text in standard.items() if contact.get(name) != text}
            rows = self._api.rows(str(contact["id"]), "fieldValues") if custom else []
            held = {str(row.get("field")): row.get("value") for row in rows}
            custom = {name: text for name, text in custom.items() if held.get(name) != text}
            if not standard and not custom:
                return contact, None
        given: dict[str, Any] = {"email": action.email, **standard}
        if custom:
            given["fieldValues"] = [{"field": name, "value": text} for name, text in custom.items()]
        answer = self._send("/contact/sync", {"contact": given})
        if answer is not None and not 200 <= answer.status < 300:
            return None, _refused(answer)
        try:
            found = msgspec.json.decode(b"" if answer is None else answer.body, type=_Synced).contact
            return {**found, "id": str(found["id"])}, None
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError):
            pass
        raise SourceUnavailableError(
            "A contact may not have arrived at ActiveCampaign.", advice="Nothing else was done with it; it is tried again."
        )

    def _send(self, path: str, body: Mapping[str, Any]) -> Answer | None:
        return self._api.send("POST", path, msgspec.json.encode(body))


def _texts(action: SourceAction) -> dict[str, str]:
    """The action's values as fields take them; what is not known is left out, it clears nothing."""
    known = {name: value for name, value in action.fields.items() if value is not None}
    return {name: ("yes" if value else "no") if isinstance(value, bool) else str(value) for name, value in known.items()}


def _odd_fields(action: SourceAction) -> bool:
    return any(name not in _STANDARD and not (name.isascii() and name.isdigit()) for name in action.fields)


def _is_removal(action: SourceAction) -> bool:
    return action.options.get("remove") == "yes"


def _told(answer: Answer | None, name: str, missing: str = "not_found") -> ActionOutcome:
    """The outcome of a write: its answer holds what was made under `name`; a page of somebody on the way says nothing."""
    if answer is None:
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if answer.status == 404:
        return _refusal(missing)
    if not 200 <= answer.status < 300:
        return _refused(answer)
    try:
        found = msgspec.json.decode(answer.body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    if not isinstance(found, dict) or (name and name not in found):
        return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
    # Some refusals come with 200.
    return _refusal("not_done") if str(found.get("succeeded", "1")) == "0" else _done()


def _refused(answer: Answer) -> ActionOutcome:
    """The outcome of an answer that is no 2xx; the vendor's sentence may name the person."""
    try:
        found = msgspec.json.decode(answer.body)
        first = found["errors"][0]
        code, title = str(first.get("code")), str(first.get("title", ""))
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        code, title = "", ""
    return ActionOutcome(ActionState.REFUSED, _CODES.get(code, f"status_{answer.status}"), title)


def _barred(status: str | None) -> ActionOutcome | None:
    code = "" if status in (None, "0", "1") else _BARRED.get(status or "", "unknown_status")
    return _refusal(code) if code else None


def _done() -> ActionOutcome:
    return ActionOutcome(ActionState.DONE)


def _unchanged(code: str) -> ActionOutcome:
    return ActionOutcome(ActionState.UNCHANGED, code)


def _refusal(code: str) -> ActionOutcome:
    return ActionOutcome(ActionState.REFUSED, code)


def _not_carried_out() -> ActionOutcome:
    return _refusal(NOT_CARRIED_OUT)
