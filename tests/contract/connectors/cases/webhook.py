"""webhook under the contract suite."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from pathlib import Path

from connectors.webhook import CONNECTOR
from syncd.connector import HttpRequest, Secret
from tests.contract.connectors.kit import PushCase


def push_case(folder: Path) -> PushCase:
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
        CONNECTOR,
        {"secret": Secret(secret, "test")},
        send,
        b'[{"email": "ada@example.com"}, {"email": "bob@example.com"}]',
        2,
        (secret, key.decode()),
        ("webhook-id", "webhook-timestamp", "webhook-signature"),
    )
