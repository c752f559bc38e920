"""A client of the sandbox's Mailchimp, in process."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from syncd.clock import FixedClock
from syncd.sandbox import MAILCHIMP_KEY, SandboxMailchimp
from syncd.sandbox.adapter import SandboxAdapter

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LIST = "L1"
MEMBERS = f"lists/{LIST}/members"


def at(minutes: float) -> datetime:
    """Minutes from the start."""
    return START + timedelta(minutes=minutes)


def md5(text: str) -> str:
    """In hex."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Client:
    """Talks to an account with one audience; `call` gives the response, `json` its body after a status check."""

    def __init__(self, **options: Any) -> None:
        self.clock = FixedClock(START)
        self.mailchimp = SandboxMailchimp(seed=7, clock=self.clock)
        interests, permissions = {"i1": "News", "i2": "Events", "i3": "Offers"}, {"p1": "Email", "p2": "Direct Mail"}
        self.mailchimp.add_audience(LIST, "Readers", **{"interests": interests, "permissions": permissions, **options})
        self.session = requests.Session()
        self.session.auth = ("anybody", MAILCHIMP_KEY)
        self.session.mount("https://", SandboxAdapter(self.mailchimp))

    def put(self, email: str, **options: Any) -> str:
        return self.mailchimp.put(LIST, email, **options)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, f"https://us1.api.mailchimp.com/3.0/{path}", timeout=5, **options)

    def json(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def page(self, **query: Any) -> Any:
        return self.json("GET", MEMBERS, params=query)

    def emails(self, **query: Any) -> list[str]:
        return [one["email_address"] for one in self.page(**query)["members"]]

    def member(self, email: str) -> Any:
        return self.json("GET", f"{MEMBERS}/{email}")

    def crawl(self, **query: Any) -> list[str]:
        """Contact ids over all pages, by offset."""
        found: list[str] = []
        while True:
            page = self.page(**query, offset=len(found), fields="total_items,members.contact_id")
            found += [one["contact_id"] for one in page["members"]]
            if not page["members"]:
                return found
