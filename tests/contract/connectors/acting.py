"""What the suite of acting connectors needs of each: actions, a system at the other end, and a line to it that can be troubled."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from connectors.activecampaign import CONNECTOR as ACTIVECAMPAIGN
from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.webhook_out import CONNECTOR as WEBHOOK_OUT
from connectors.zoom import CONNECTOR as ZOOM
from syncd.clock import FixedClock
from syncd.connector import ActingConnector, Secret, Session, SourceAction, SourceActionKind
from syncd.http import Caller, make_session
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.vendors.activecampaign import ACTIVECAMPAIGN_KEY, SandboxActiveCampaign
from syncd.sandbox.vendors.zoom import WEBINAR, ZOOM_ACCOUNT, ZOOM_CLIENT, ZOOM_CLIENT_SECRET, SandboxZoom
from syncd.standard_webhooks import key_of, read_headers
from tests.contract.connectors.cases import NOW

EMAIL = "ada.lovelace@example.com"
LINK = "https://webinar.example.com/join/ada-7"


def response(request: requests.PreparedRequest, status: int, body: bytes = b"", **headers: str) -> requests.Response:
    """An answer as the transport gives it."""
    made = requests.Response()
    made.status_code, made.request, made.url = status, request, str(request.url)
    made.headers.update(headers)
    made.raw = HTTPResponse(body=io.BytesIO(body), headers=headers, status=status, preload_content=False)
    return made


class Line(BaseAdapter):
    """The way to a system; each write takes the next of `troubles`: "", unsent, vanished, lost, throttled, denied, error, page.

    To log in is no write.

    `writes` are the methods of those that arrived.
    """

    def __init__(self, system: BaseAdapter) -> None:
        """All is well."""
        super().__init__()
        self.system = system
        self.troubles: list[str] = []
        self.writes: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As the network would."""
        if request.method == "GET" or str(request.url).endswith("/oauth/token"):
            return self.system.send(request, *args, **kwargs)
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "unsent":
            raise requests.ConnectTimeout("no connection", request=request)
        if trouble == "vanished":
            raise requests.ConnectionError(ConnectionResetError(104, "Connection reset by peer"), request=request)
        if trouble == "throttled":
            return response(request, 429)
        if trouble == "denied":
            return response(request, 401)
        self.writes.append(str(request.method))
        answer = self.system.send(request, *args, **kwargs)
        if trouble == "lost":
            raise requests.ReadTimeout("Read timed out.", request=request)
        if trouble == "error":
            return response(request, 503)
        if trouble == "page":
            return response(request, 200, b"<html>Please wait</html>")
        return answer

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Odd(BaseAdapter):
    """A system that answers questions whose address holds `words` with `body`, and is itself otherwise."""

    system: BaseAdapter
    words: str
    body: bytes

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As itself, or oddly."""
        is_odd = request.method == "GET" and self.words in str(request.url)
        return response(request, 200, self.body) if is_odd else self.system.send(request, *args, **kwargs)

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class ActingCase:
    """One connector and a system that nothing was done to.

    `actions`: what can be done, by name; `refused`: what the system refuses for good; `wrong`: kinds and options that are.
    `effects()`: everything that was done, comparable. `secrets` must never be seen.
    """

    connector: ActingConnector
    options: dict[str, Any]
    session: Session
    line: Line
    actions: dict[str, SourceAction]
    refused: SourceAction
    wrong: list[tuple[SourceActionKind, dict[str, str]]]
    effects: Callable[[], Any]
    secrets: tuple[str, ...]


def action(kind: SourceActionKind, email: str = EMAIL, *, fields: dict[str, Any] | None = None, **options: str) -> SourceAction:
    """An action as the outbox stores it."""
    return SourceAction(f"act_{kind}_1", kind, email, options, NOW - timedelta(seconds=90), fields or {})


def session_over(line: Line) -> Session:
    """A session whose way out is a line."""
    session = make_session()
    session.mount("https://", line)
    return Session(Path(), http=Caller(session, FixedClock(NOW)))


def mailchimp() -> ActingCase:
    """An audience with one subscriber, one who left, and a journey."""
    model = SandboxMailchimp(clock=FixedClock(NOW))
    model.add_audience("L1", merge_fields=("FNAME", "LINK"), interests={"i1": "News"})
    model.marketing.add_journey(7, "L1", 70)
    model.put("L1", EMAIL, merge_fields={"FNAME": "Ada"})
    model.put("L1", "left@example.com")
    model.unsubscribe("L1", "left@example.com")
    line = Line(SandboxAdapter(model))
    kind = SourceActionKind
    return ActingCase(
        MAILCHIMP,
        {"api_key": Secret(MAILCHIMP_KEY, "test"), "base_url": "https://mailchimp.test/3.0", "audiences": ["L1"]},
        session_over(line),
        line,
        {
            "enrol": action(kind.ENROL, "new.person@example.com", fields={"FNAME": "New", "LINK": None}, interests="i1"),
            "tag": action(kind.TAG, tag="Nurture A"),
            "trigger": action(kind.TRIGGER, fields={"LINK": LINK}, journey="7", step="70"),
            "opt_out": action(kind.OPT_OUT, audience="L1"),
            "opt_out_of_all": action(kind.OPT_OUT, scope="account"),
        },
        action(kind.ENROL, "left@example.com"),
        [
            (kind.ENROL, {"audience": "L2"}),
            (kind.ENROL, {"status": "subscibed"}),
            (kind.ENROL, {"intrests": "i1"}),
            (kind.ENROL, {"interests": "i 1"}),
            (kind.TAG, {}),
            (kind.TAG, {"tag": "x", "remove": "true"}),
            (kind.TRIGGER, {"journey": "7"}),
            (kind.TRIGGER, {"journey": "7", "step": "70/../x"}),
            (kind.OPT_OUT, {"tag": "x"}),
            (kind.SEND, {"type": "lead.qualified"}),
        ],
        lambda: (
            [{key: value for key, value in one.items() if key != "contact_id"} for one in model.members("L1")],
            model.marketing.entries[:],
            model.marketing.mails[:],
        ),
        (MAILCHIMP_KEY,),
    )


def activecampaign() -> ActingCase:
    """A contact on one list, one who left it, and an automation that takes anybody again."""
    model = SandboxActiveCampaign(clock=FixedClock(NOW))
    model.per_second = 0.0
    model.set_list(model.put(EMAIL, firstName="Ada"), "1", "1")
    model.set_list(model.put("left@example.com"), "1", "2")
    line = Line(SandboxAdapter(model))
    kind = SourceActionKind
    new = action(
        kind.ENROL, "new.person@example.com", fields={"firstName": "New", "2": "Engines", "phone": None}, status="subscribed"
    )
    return ActingCase(
        ACTIVECAMPAIGN,
        {
            "api_key": Secret(ACTIVECAMPAIGN_KEY, "test"),
            "base_url": "https://activecampaign.test",
            "audiences": ["list-1"],
        },
        session_over(line),
        line,
        {
            "enrol": msgspec.structs.replace(new, consent_at=NOW - timedelta(days=3)),
            "tag": action(kind.TAG, tag="20"),
            "trigger": action(kind.TRIGGER, fields={"5": LINK}, automation="3"),
            "opt_out": action(kind.OPT_OUT, audience="list-1"),
            "opt_out_of_all": action(kind.OPT_OUT, scope="account"),
        },
        action(kind.ENROL, "left@example.com", status="subscribed"),
        [
            (kind.ENROL, {"audience": "list-2", "status": "subscribed"}),
            (kind.ENROL, {"audience": "1", "status": "subscribed"}),
            (kind.ENROL, {"status": "pending"}),
            (kind.ENROL, {}),
            (kind.ENROL, {"status": "subscribed", "intrests": "i1"}),
            (kind.TAG, {}),
            (kind.TAG, {"tag": "webinar"}),
            (kind.TAG, {"tag": "20", "remove": "true"}),
            (kind.TRIGGER, {}),
            (kind.TRIGGER, {"automation": "3/../x"}),
            (kind.OPT_OUT, {"scope": "list"}),
            (kind.OPT_OUT, {"scope": "account", "audience": "list-1"}),
            (kind.TRIGGER, {"automation": "3", "scope": "account"}),
            (kind.OPT_OUT, {"tag": "20"}),
            (kind.SEND, {"type": "lead.qualified"}),
        ],
        lambda: (
            [
                (one.fields, one.values, one.lists, one.tags, one.automations)
                for one in map(copy.deepcopy, model.contacts.values())
            ],
            model.entries[:],
        ),
        (ACTIVECAMPAIGN_KEY,),
    )


@dataclass
class Receiver(BaseAdapter):
    """A program that takes signed messages, each id once. `statuses` are its next answers instead of 204."""

    secret: str
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Verify as a receiver would, and take what is new."""
        del args, kwargs
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        self.headers.append(headers)
        signed = read_headers(headers)
        if isinstance(signed, str) or not signed.is_by([key_of(self.secret)], body):
            return response(request, 401)
        if self.statuses:
            return response(request, self.statuses.pop(0), b"x" * 100_000, Location="https://elsewhere.example.com/")
        self.messages.setdefault(signed.id, json.loads(body))
        return response(request, 204)

    def close(self) -> None:
        """Nothing to close."""


def webhook_out() -> ActingCase:
    """A receiver that wants no messages of one type."""
    secret = "whsec_YWN0aW5nLXN1aXRlLXdlYmhvb2sta2V5LTEyMw=="
    receiver = Receiver(secret)
    line = Line(receiver)
    kind = SourceActionKind
    return ActingCase(
        WEBHOOK_OUT,
        {"url": "https://hooks.test/syncd", "secret": Secret(secret, "test")},
        session_over(line),
        line,
        {"send": action(kind.SEND, fields={"score": 7, "link": LINK, "none": None}, type="lead.qualified")},
        action(kind.SEND, fields={"text": "x" * 30_000}, type="lead.qualified"),
        [
            (kind.SEND, {}),
            (kind.SEND, {"type": "two words"}),
            (kind.SEND, {"type": "lead.qualified", "tpye": "x"}),
            (kind.ENROL, {"audience": "L1"}),
        ],
        lambda: dict(receiver.messages),
        (secret, "acting-suite-webhook-key-123"),
    )


def zoom() -> ActingCase:
    """A webinar to come, for which one person registered whom the host has turned down."""
    model = SandboxZoom(clock=FixedClock(NOW))
    model.add_webinar(WEBINAR, "Pumps", NOW + timedelta(days=3))
    model.register(WEBINAR, "other@example.com", at=NOW - timedelta(days=1))
    model.register(WEBINAR, "denied@example.com", at=NOW - timedelta(days=1), status="denied")
    line = Line(SandboxAdapter(model))
    kind = SourceActionKind
    asked = NOW - timedelta(days=3)
    fields = {"first_name": "Ada", "org": None, "comments": LINK, "How many pumps?": 7}
    return ActingCase(
        ZOOM,
        {
            "account_id": ZOOM_ACCOUNT,
            "client_id": ZOOM_CLIENT,
            "client_secret": Secret(ZOOM_CLIENT_SECRET, "test"),
            "base_url": "https://zoom.test/v2",
            "token_url": "https://zoom.test/oauth/token",
        },
        session_over(line),
        line,
        {
            "register": msgspec.structs.replace(
                action(kind.REGISTER, fields=fields, webinar=WEBINAR, asked="pumps"), consent_at=asked
            )
        },
        msgspec.structs.replace(
            action(kind.REGISTER, "denied@example.com", fields={"first_name": "Dan"}, webinar=WEBINAR), consent_at=asked
        ),
        [
            (kind.REGISTER, {}),
            (kind.REGISTER, {"webinar": "987 6543 2101"}),
            (kind.REGISTER, {"webinar": "98765432101/../x"}),
            (kind.REGISTER, {"webinar": WEBINAR, "askd": "pumps"}),
            (kind.ENROL, {"webinar": WEBINAR}),
        ],
        lambda: copy.deepcopy(model.webinars[WEBINAR].registrants),
        (ZOOM_CLIENT_SECRET,),
    )


ACTING_CASES: dict[str, Callable[[], ActingCase]] = {
    "activecampaign": activecampaign,
    "mailchimp": mailchimp,
    "webhook_out": webhook_out,
    "zoom": zoom,
}
"""Acting connectors; those of advertising platforms are in `telling`. A test fails for one that is missing."""
