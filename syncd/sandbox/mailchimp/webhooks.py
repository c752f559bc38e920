"""What the account sends when a member changes: forms with bracket keys, and their signature (reference, sources.md 1, "Webhooks")."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode

from syncd.sandbox.mailchimp.account import SandboxMailchimp

MAILCHIMP_SECRET = "sandbox-mailchimp-signing-secret"  # noqa: S105 - public on purpose
MAILCHIMP_PATH = "sandbox-mailchimp-path-secret"


def event_of(mailchimp: SandboxMailchimp, list_id: str, email: str, kind: str = "profile", **more: str) -> bytes:
    """The body of an event about a member; `more` are further members of `data`."""
    known = next((one for one in mailchimp.members(list_id) if one["email_address"].lower() == email.lower()), None)
    data = {"id": "a1b2c3", "web_id": "7", "list_id": list_id, "email": email, "email_type": "html", "ip_opt": "203.0.113.7"}
    merges = {} if known is None else {f"data[merges][{tag}]": str(value) for tag, value in known["merge_fields"].items()}
    return body_of(kind, mailchimp.clock.now(), merges, **{**data, **more})


def moved_of(mailchimp: SandboxMailchimp, list_id: str, old_email: str, new_email: str) -> bytes:
    """The body of `upemail`: somebody has another address."""
    new_id = hashlib.md5(new_email.lower().encode(), usedforsecurity=False).hexdigest()
    return body_of("upemail", mailchimp.clock.now(), {}, list_id=list_id, new_id=new_id, new_email=new_email, old_email=old_email)


def body_of(kind: str, at: datetime, merges: dict[str, str], **data: str) -> bytes:
    """Any body; `fired_at` has no zone."""
    head = {"type": kind, "fired_at": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")}
    return urlencode({**head, **{f"data[{name}]": value for name, value in data.items()}, **merges}).encode()


def signed(body: bytes, at: datetime, secret: str = MAILCHIMP_SECRET) -> dict[str, str]:
    """The header of a signed webhook."""
    stamp = str(int(at.timestamp()))
    proof = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"x-mailchimp-signature": f"t={stamp},v1={proof}"}
