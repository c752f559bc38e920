"""Messages to a program of yours: each `send` of a policy is one POST, signed by Standard Webhooks 1.0.0 (read 2026-11).

It brings no records: its one stream ends at once. The action's id is the message's id, stable over repetitions, by which the
receiver drops what it has; so a message whose answer was lost may be sent again. See docs/connectors/webhook_out.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, field_validator

from syncd.connector import (
    ActionOutcome,
    ActionState,
    Health,
    Limits,
    Options,
    Page,
    Row,
    Secret,
    Session,
    SourceAction,
    SourceActionKind,
)
from syncd.document import suggest
from syncd.errors import AuthError, ContractError
from syncd.standard_webhooks import is_message_id, key_of, sign

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TYPE = re.compile(r"[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_]{1,60}){0,5}")
"""Dotted, as the standard writes it: `lead.qualified`."""
_MOST_BYTES = 20_000
"""What the standard calls a good upper limit of a body."""
_ACTION_OPTIONS = ("type",)


class WebhookOutOptions(Options):
    """Options of `type: webhook_out`."""

    url: str = Field(description="Where messages are posted.", examples=["https://hooks.acme.com/syncd"])
    secret: Secret | tuple[Secret, ...] = Field(
        description="What messages are signed with: `whsec_` and base64 of 24 to 64 bytes; a list of two while it is rotated.",
        examples=[{"env": "ACME_HOOK_SECRET"}],
    )

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        parts = urlsplit(value)
        if not parts.hostname or parts.fragment or parts.query or parts.username:
            raise ValueError("it is a whole address such as https://hooks.acme.com/syncd, without query, fragment and password")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("it begins with https://; http:// is for this machine only")
        return value

    @field_validator("secret")
    @classmethod
    def _usable(cls, value: Secret | tuple[Secret, ...]) -> Secret | tuple[Secret, ...]:
        several = (value,) if isinstance(value, Secret) else value
        if not 1 <= len(several) <= 2:
            raise ValueError("it is one secret, or two while it is rotated")
        for one in several:
            key_of(one.reveal())
        return value

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What messages are signed with."""
        return tuple(key_of(one.reveal()) for one in ((self.secret,) if isinstance(self.secret, Secret) else self.secret))


class WebhookOut:
    """The connector; has no state of its own."""

    name = "webhook_out"
    Options = WebhookOutOptions
    brings_records = False
    repeats_safely = True
    poll_interval_seconds = 86_400.0
    limits = Limits(connections=2, read_timeout_seconds=30.0)
    """Senders of the standard wait 15 to 30 s for an answer."""

    def check(self, session: Session, options: WebhookOutOptions) -> Health:
        """Say what is sent where; nothing is sent, because a receiver could take a rehearsal for a message."""
        del session
        found = [f'Messages of "send" actions are posted to {urlsplit(options.url).hostname}, signed by Standard Webhooks 1.0.0.']
        if len(options.keys) > 1:
            found.append("Each is signed with both secrets. Take the old one out when the receiver knows the new one.")
        return Health(True, (*found, "Nothing was sent: only a message shows whether the receiver takes it."))

    def streams(self, options: WebhookOutOptions) -> tuple[str, ...]:
        """One, which is always at its end."""
        del options
        return ("nothing",)

    def cursor_at(self, options: WebhookOutOptions, stream: str, at: datetime) -> dict[str, Any]:
        """Of no records every cursor is the same."""
        del options, stream, at
        return {}

    def pull(
        self, session: Session, options: WebhookOutOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """End at once."""
        del session, options, stream, until
        yield Page((), dict(cursor or {}), is_last=True)

    def check_action(
        self, options: WebhookOutOptions, kind: SourceActionKind, action_options: Mapping[str, str]
    ) -> Sequence[str]:
        """What is wrong with an action as a policy states it; see the contract."""
        del options
        if kind is not SourceActionKind.SEND:
            return [f'A webhook_out cannot "{kind}". It can: send.']
        found = [
            f'"{name}" is no option of "send". {suggest(name, _ACTION_OPTIONS)}'
            for name in sorted(set(action_options) - set(_ACTION_OPTIONS))
        ]
        if "type" not in action_options:
            found.append('"send" needs type, such as lead.qualified.')
        elif not _TYPE.fullmatch(action_options["type"]):
            found.append(
                f'type "{action_options["type"]}" of "send": it is words with dots between them, such as lead.qualified.'
            )
        return found

    def act(self, session: Session, options: WebhookOutOptions, action: SourceAction) -> ActionOutcome:
        """Post one message; see the contract. Redirects are not followed, and of the answer only the status counts."""
        if self.check_action(options, action.kind, action.options) or not is_message_id(action.action_id):
            return ActionOutcome(ActionState.REFUSED, "bad_options")
        body = msgspec.json.encode({"type": action.options["type"], "timestamp": _text(action.decided_at), "data": _data(action)})
        if len(body) > _MOST_BYTES:
            return ActionOutcome(ActionState.REFUSED, "too_large")
        signed = partial(self._signed, options, action.action_id, body)
        answer = session.http.send("POST", options.url, body, sign=signed, rows=_rows(), reads_answer=False)
        if answer is None:
            return ActionOutcome(ActionState.UNKNOWN, "answer_lost")
        if 200 <= answer.status < 300:
            return ActionOutcome(ActionState.DONE)
        if answer.status == 410:
            return ActionOutcome(ActionState.REFUSED, "gone", "The receiver wants no more messages.")
        return ActionOutcome(ActionState.REFUSED, f"status_{answer.status}", f"The receiver answered {answer.status}.")

    def look_up(self, session: Session, options: WebhookOutOptions, action: SourceAction) -> ActionOutcome:
        """Nobody can be asked: the message is sent again, and the receiver knows it by its id."""
        del session, options, action
        return ActionOutcome(ActionState.UNKNOWN, "send_again")

    @staticmethod
    def _signed(options: WebhookOutOptions, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
        return sign(options.keys, message_id, at, body)


def _rows() -> dict[int, Row]:
    """A signature that is not accepted concerns every message: they wait. A conflict is an answer about this one."""
    refused = AuthError("The receiver does not accept the signature.", advice="Compare the secret at both ends, and the clocks.")
    return {401: refused, 403: ContractError, 409: ContractError}


def _data(action: SourceAction) -> dict[str, Any]:
    """What the policy sends along, and whom it is about where the policy does not say so itself."""
    return {**({"email": action.email} if action.email else {}), **action.fields}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


CONNECTOR = WebhookOut()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "WebhookOut", "WebhookOutOptions"]
