"""What the contract suite needs of each connector: options, and a vendor that can be filled and changed, or one that sends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from urllib3 import HTTPResponse

from connectors.csv_drop import CONNECTOR as CSV_DROP
from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.webhook import CONNECTOR as WEBHOOK
from syncd.clock import FixedClock
from syncd.connector import HttpRequest, PullConnector, PushConnector, Secret, Session
from syncd.http import Caller, make_session
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class Line(SandboxAdapter):
    """The way to a sandbox; `distort` stands for what only a vendor's own mistake can make of an answer."""

    def __init__(self, model: Any) -> None:
        """Nothing is distorted."""
        super().__init__(model)
        self.distort: Callable[[requests.PreparedRequest, bytes], bytes] | None = None
        self.bend: Callable[[str], str] = str

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As asked, but for what is bent or distorted."""
        request.url = self.bend(str(request.url))
        answer = super().send(request, *args, **kwargs)
        if self.distort is not None and answer.status_code == 200:
            body = io.BytesIO(self.distort(request, answer.content))
            answer.raw = HTTPResponse(body=body, headers=dict(answer.headers), status=200, preload_content=False)
            answer._content, answer._content_consumed = False, False
        return answer


@dataclass
class Vendor:
    """The other end of a connector that speaks HTTP. `secrets` must never be seen; `path` is where records come from."""

    model: SandboxMailchimp
    line: Line
    path: str
    secrets: tuple[str, ...]


@dataclass
class Case:
    """One connector under the suite.

    `fill(count)` makes the vendor hold that many records; `break_` makes it unreadable; `repeated` is how many records a pull that
    goes on from a cursor may give again.
    """

    connector: PullConnector
    options: dict[str, Any]
    fill: Callable[[int], None]
    break_: Callable[[], object]
    session: Session
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    vendor: Vendor | None = None
    repeated: int = 7


def csv_drop(folder: Path) -> Case:
    """A folder of files of 40 rows each."""
    drop = folder / "drop"
    drop.mkdir()

    def fill(count: int) -> None:
        for start in range(0, count, 40):
            path = drop / f"file{start:05d}.csv"
            rows = [f"person{n}@example.com,Name {n}" for n in range(start, min(start + 40, count))]
            path.write_text("\n".join(["email,name", *rows]) + "\n", encoding="utf-8")
            os.utime(path, (NOW.timestamp() - 3600 + start,) * 2)

    return Case(CSV_DROP, {"folder": "drop"}, fill, drop.rmdir, Session(folder, settle_seconds=5.0, page_size_records=7))


def mailchimp(folder: Path) -> Case:
    """An audience in which three members share each second, but for every thirtieth second, which twenty share."""
    clock = FixedClock(NOW)
    model = SandboxMailchimp(clock=clock)
    model.add_audience("L1")
    session, line = make_session(), Line(model)
    session.mount("https://", line)

    def fill(count: int) -> None:
        begin = clock.now() - timedelta(seconds=5400)
        for number in range(len(model.members("L1")), count):
            second = number // 3 if number % 60 < 40 else number // 60 * 20 + 15
            at = begin + timedelta(seconds=second)
            model.put("L1", f"person{number}@example.com", merge_fields={"FNAME": f"Name {number}"}, at=at)

    return Case(
        MAILCHIMP,
        {"api_key": Secret(MAILCHIMP_KEY, "test"), "base_url": "https://mailchimp.test/3.0"},
        fill,
        lambda: model.faults.add("unavailable", times=-1),
        Session(folder, page_size_records=7, overlap_seconds=0.0, http=Caller(session, clock)),
        clock,
        Vendor(model, line, "/members$", (MAILCHIMP_KEY,)),
        repeated=2 * 3 + 20,  # a bound may exclude: two seconds are read again, and one of them may be a crowded one
    )


@dataclass
class PushCase:
    """One connector that is sent to.

    `send(body, at)` is a request as the vendor would make it then, rightly signed; `body` is one of its bodies, which gives
    `count` records. `secrets` must never be seen. `signed` are the headers that a forger must get right.
    """

    connector: PushConnector
    options: dict[str, Any]
    send: Callable[[bytes, datetime], HttpRequest]
    body: bytes
    count: int
    secrets: tuple[str, ...]
    signed: tuple[str, ...]


def webhook(folder: Path) -> PushCase:
    """A program that signs by Standard Webhooks, and two people at once."""
    del folder
    secret = "whsec_Y29udHJhY3Qtc3VpdGUtd2ViaG9vay1rZXk="
    key = b"contract-suite-webhook-key"

    def send(body: bytes, at: datetime) -> HttpRequest:
        stamp = str(int(at.timestamp()))
        signature = base64.b64encode(hmac.new(key, f"msg_7.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": "msg_7",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }
        return HttpRequest("POST", headers, {}, body)

    return PushCase(
        WEBHOOK,
        {"secret": Secret(secret, "test")},
        send,
        b'[{"email": "ada@example.com"}, {"email": "bob@example.com"}]',
        2,
        (secret, key.decode()),
        ("webhook-id", "webhook-timestamp", "webhook-signature"),
    )


SILENT: dict[str, dict[str, Any]] = {
    "webhook_out": {"url": "https://hooks.test/syncd", "secret": Secret("whsec_c2lsZW50LXN1aXRlLWtleS0xMjM0NQ==", "test")}
}
"""Options of those that only act and say so (`brings_records = False`): they are asked for records and have none, ever."""
CASES: dict[str, Callable[[Path], Case]] = {"csv_drop": csv_drop, "mailchimp": mailchimp}
PUSH_CASES: dict[str, Callable[[Path], PushCase]] = {"webhook": webhook}
"""Every connector of the `connectors` package is in one of these (or in several); a test fails for one that is missing."""
