"""One Mailchimp account: audiences, and what its people do. No HTTP here; see app.py.

Deterministic for a seed and a clock. Behaves as the reference says (sources.md 1), also where that is inconvenient.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from syncd.clock import Clock, SystemClock
from syncd.sandbox.faults import FaultBox, Kind
from syncd.sandbox.later import Later
from syncd.sandbox.mailchimp import view
from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.journeys import Marketing
from syncd.sandbox.mailchimp.member import CODES, Member
from syncd.sandbox.vendor_app import Served

MAILCHIMP_KEY = "5a6d626f782d6d61696c6368696d7000-us1"
"""The sandbox's key, public on purpose."""

_MERGE_FIELDS = ("FNAME", "LNAME", "COMPANY", "PHONE")
_YEAR = 365 * 86_400
_KINDS = frozenset(Kind) - {Kind.ROW_LOCK, Kind.POISON, Kind.GOVERNOR}
_PLAIN = frozenset({"ip_opt", "ip_signup", "source", "language", "vip", "email_type"})


class SandboxMailchimp:
    """The account. Safe for threads; all state in memory.

    Attributes:
        calls: Requests to `/3.0`, oldest first, refused ones too. call_count: How many.
        open_now, most_open: Requests with the right key under way now, and at most at any time; `connections` is the vendor's limit.
        bounds_are_inclusive: How `since_` and `before_` treat equal instants; the vendor does not tell (default: both exclude).
        tags_touch: Whether a change of tags moves `last_changed`; the vendor does not tell.
        page_served: What `between_pages` was given.
        marketing: Journeys, and the mails that would have been sent.
    """

    def __init__(self, *, seed: int = 0, clock: Clock | None = None, api_key: str = MAILCHIMP_KEY) -> None:
        """An account without audiences."""
        self.clock: Clock = clock or SystemClock()
        self.seed = seed
        self.api_key = api_key
        self.lock = threading.RLock()
        self.faults = FaultBox(seed, _KINDS)
        self.later = Later()
        self.connections = 10
        self.bounds_are_inclusive = False
        self.tags_touch = True
        self.calls: list[Served] = []
        self.open_now = self.most_open = 0
        self.audiences: dict[str, Audience] = {}
        self.marketing = Marketing()
        self.page_served: Callable[[SandboxMailchimp, str, int], object] | None = None

    @property
    def call_count(self) -> int:
        """Requests to the API so far."""
        return len(self.calls)

    def second(self, at: datetime | None = None) -> int:
        """An instant, or now, with the precision of the vendor's stamps: seconds since 1970."""
        return int((at or self.clock.now()).timestamp())

    def audience(self, list_id: str) -> Audience:
        """One audience, for the modules of the sandbox.

        Raises:
            KeyError: There is none.
        """
        return self.audiences[list_id]

    # ------------------------------------------------------------------ set-up

    def add_audience(
        self,
        list_id: str,
        name: str = "Newsletter",
        merge_fields: Iterable[str] = _MERGE_FIELDS,
        interests: dict[str, str] | None = None,
        permissions: dict[str, str] | None = None,
        required: Iterable[str] = (),
    ) -> None:
        """A new audience. `interests`: id to name; `permissions`: id to text of the form's boxes; `required`: of the merge fields.

        Raises:
            ValueError: There is one with this id.
        """
        with self.lock:
            if list_id in self.audiences:
                raise ValueError(f"There is an audience {list_id} already.")
            options = {"interests": dict(interests or {}), "permissions": dict(permissions or {})}
            number, tags = len(self.audiences) + 1, tuple(merge_fields)
            made = Audience(
                list_id, name, number=number, created_at=self.second(), merge_fields=tags, required=frozenset(required), **options
            )
            self.audiences[list_id] = made

    def populate(
        self, list_id: str, count: int, *, start: datetime | None = None, seconds: int = _YEAR, seed: int | None = None
    ) -> None:
        """Add many plausible members whose `last_changed` lies within `seconds` from `start` (default: up to now).

        A third of them share their second with hundreds of others. The same seed makes the same people in every audience.
        """
        with self.lock:
            begin = start or self.clock.now() - timedelta(seconds=seconds)
            self.audience(list_id).populate(count, start=begin, seconds=seconds, seed=self.seed if seed is None else seed)

    def between_pages(self, callback: Callable[[SandboxMailchimp, str, int], object] | None) -> None:
        """Call `callback(mailchimp, list_id, offset)` whenever a page of members was read, before the next can be; None: no more."""
        self.page_served = callback

    # ------------------------------------------------------------------ people at work

    def put(
        self,
        list_id: str,
        email: str,
        *,
        status: str = "subscribed",
        merge_fields: dict[str, Any] | None = None,
        tags: Iterable[str] = (),
        interests: dict[str, bool] | None = None,
        permissions: dict[str, bool] | None = None,
        at: datetime | None = None,
        **more: Any,
    ) -> str:
        """Somebody fills in the form, or is edited in the web app; gives the contact id, which an edit keeps.

        What is not given stays as it is, but `status` is always what the member has afterwards, and tags are added.

        Args:
            list_id: The audience.
            email: In any case of letters.
            status: One of STATUSES.
            merge_fields: Those to change, by tag.
            tags: Names to add.
            interests: Those to change, by id.
            permissions: Those to change, by id.
            at: What `last_changed` becomes; now when not given.
            more: ip_opt, ip_signup, source, language, vip, email_type, unsubscribe_reason; timestamp_opt and timestamp_signup as
                instants or None.

        Raises:
            KeyError: No such audience. ValueError: No such status, or one of `more` is unknown.
        """
        with self.lock:
            audience, now = self.audience(list_id), self.second(at)
            before = audience.find(email)
            if before is None:
                ip = f"203.0.113.{len(audience) % 254 + 1}"
                form: dict[str, Any] = {
                    "source": "Hosted Signup Form",
                    "language": "en",
                    "ip_signup": ip,
                    "ip_opt": ip,
                    "signup": now,
                }
                opted = 0 if status in ("pending", "transactional") else now
                before = replace(blank(audience, email, now), opted=opted, **form)
            changes: dict[str, Any] = {
                "email": email,
                "tags": before.tags | {name: now for name in tags if name not in before.tags},
            }
            changes["merge_fields"] = before.merge_fields | (merge_fields or {})
            changes["interests"] = before.interests | (interests or {})
            changes["permissions"] = before.permissions | (permissions or {})
            if status == "pending" != before.status:
                self.marketing.confirm(list_id, email, self.clock.now())
            after = moved(replace(before, **changes), status, now, by_person=True)
            audience.store(replace(after, **_more(more)))
            return after.contact_id

    def put_late(self, list_id: str, email: str, *, at: datetime, **options: Any) -> str:
        """A late arrival: a member who shows up only now, with a `last_changed` of `at`, in the past. Else as `put`."""
        return self.put(list_id, email, at=at, **options)

    def change_email(self, list_id: str, email: str, new_email: str, *, at: datetime | None = None) -> None:
        """A person changes their address: another id, the same contact id.

        Raises:
            KeyError: There is no such member. ValueError: The new address is taken.
        """
        with self.lock:
            audience, before = self._known(list_id, email)
            other = audience.find(new_email)
            if other is not None and other.row != before.row:
                raise ValueError("The new address is a member already.")
            audience.store(replace(before, email=new_email, changed=self.second(at)))

    def archive(self, list_id: str, email: str, *, at: datetime | None = None) -> None:
        """Somebody archives a member.

        Raises:
            KeyError: There is no such member.
        """
        self._move(list_id, email, "archived", at)

    def unsubscribe(self, list_id: str, email: str, reason: str = "No longer interested", *, at: datetime | None = None) -> None:
        """A person leaves by the link in a mail.

        Raises:
            KeyError: There is no such member.
        """
        self._move(list_id, email, "unsubscribed", at, reason=reason)

    def clean(self, list_id: str, email: str, *, at: datetime | None = None) -> None:
        """Mails to a member bounce for good.

        Raises:
            KeyError: There is no such member.
        """
        self._move(list_id, email, "cleaned", at)

    def delete_permanently(self, list_id: str, email: str) -> None:
        """Somebody erases a member, who never appears again.

        Raises:
            KeyError: There is no such member.
        """
        with self.lock:
            audience, member = self._known(list_id, email)
            audience.drop(member)

    def members(self, list_id: str) -> list[dict[str, Any]]:
        """Every member, archived ones too, as the API shows them without `_links`; for oracles."""
        with self.lock:
            audience = self.audience(list_id)
            return [view.member(audience, one, view.WITHOUT_LINKS) for one in audience]

    def _known(self, list_id: str, email: str) -> tuple[Audience, Member]:
        audience = self.audience(list_id)
        member = audience.find(email)
        if member is None:
            raise KeyError(email)
        return audience, member

    def _move(self, list_id: str, email: str, status: str, at: datetime | None, reason: str = "") -> None:
        with self.lock:
            audience, before = self._known(list_id, email)
            after = moved(before, status, self.second(at), by_person=True)
            audience.store(replace(after, reason=reason) if reason else after)


def blank(audience: Audience, email: str, now: int) -> Member:
    """A member to come, with nothing filled in."""
    row = audience.new_row()
    blanks: dict[str, Any] = dict.fromkeys(audience.merge_fields, "")
    no, none = dict.fromkeys(audience.interests, False), dict.fromkeys(audience.permissions, False)
    return Member(row, email, audience.contact_id(row), "", now, blanks, no, none)


def moved(member: Member, status: str, now: int, *, by_person: bool) -> Member:
    """The member with a status from `now` on, and what goes with it: opt-in, reason, who may come back.

    Raises:
        ValueError: There is no such status.
    """
    if not CODES.get(status):
        raise ValueError(f"Mailchimp has no status {status!r}.")
    changes: dict[str, Any] = {"status": status, "changed": now}
    if status != member.status:
        if status == "subscribed":
            changes |= {"opted": now, "is_barred": False, "reason": "", "left": 0}
        if status == "unsubscribed":
            changes |= {"left": now, "is_barred": by_person, "reason": "" if by_person else "N/A (Unsubscribed by an admin)"}
        if status == "cleaned":
            changes["is_barred"] = True
    return replace(member, **changes)


def _more(more: dict[str, Any]) -> dict[str, Any]:
    """`**more` of `put` as fields of a Member."""
    changes: dict[str, Any] = {}
    for name, value in more.items():
        if name in _PLAIN:
            changes[name] = value
        elif name in ("timestamp_opt", "timestamp_signup"):
            changes["opted" if name == "timestamp_opt" else "signup"] = int(value.timestamp()) if value else 0
        elif name == "unsubscribe_reason":
            changes["reason"] = value
        else:
            raise ValueError(f"A member has no {name!r} to put.")
    return changes
