"""The people of an ActiveCampaign account and what they do; the API is in activecampaign.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from syncd.sandbox.faults import Kind
from syncd.sandbox.vendor import COMMON_KINDS, Vendor
from syncd.sandbox.visitors import Visitor

ACTIVECAMPAIGN_KEY = "5a6d626f782d616374697665"
ACTIVECAMPAIGN_PATH = "sandbox-activecampaign-path-secret"
NEWSLETTER = "1"
"""Id of the list of `populate`."""
ZONE = timezone(timedelta(hours=-6))


@dataclass
class Contact:
    """Somebody; `values` by the id of a custom field, `lists` by that of a list, `tags` by the id of the link."""

    id: str
    fields: dict[str, Any]
    values: dict[str, str] = field(default_factory=dict)
    lists: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    automations: list[dict[str, Any]] = field(default_factory=list)


class People(Vendor):
    """The account as its people use it.

    Attributes:
        side_loads: Whether `include` is heeded in lists and single contacts.
        counts_window: `meta.total` counts the whole window, not what lies beyond `id_greater`.
        goes_in_circles: `id_greater` is not heeded.
    """

    name = "ActiveCampaign"
    kinds = COMMON_KINDS | {Kind.EMPTY_PAGE}

    def __init__(self, **given: Any) -> None:
        """Two lists, two custom fields, two tags, an automation that takes anybody again; nobody is there."""
        super().__init__(**given)
        self.contacts: dict[str, Contact] = {}
        self.lists = {NEWSLETTER: "Newsletter", "2": "Events"}
        self.custom = {"2": "COMPANY", "5": "TOPICS"}
        self.tags = {"20": "webinar", "21": "nurture"}
        self.automations = {"3": "Welcome"}
        self.entries: list[tuple[str, str]] = []
        self.side_loads = True
        self.counts_window = False
        self.goes_in_circles = False
        self.per_second = 5.0

    def source(self, url: str) -> dict[str, Any]:
        """With the key, and the end of the webhook's address."""
        given = {"base_url": url, "api_key": ACTIVECAMPAIGN_KEY, "webhook_path_secret": ACTIVECAMPAIGN_PATH}
        return {"type": "activecampaign", **given, "mapping": "activecampaign"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """They sign up for the newsletter; who did not agree is on no list, or has left it."""
        for one in people:
            told = {"firstName": one.first, "lastName": one.last, "phone": one.phone}
            who = self.put(one.email, at=one.at, **told)
            self.set_value(who, "2", one.company, at=one.at)
            if one.agrees is not None:
                self.set_list(who, NEWSLETTER, "1" if one.agrees else "2", at=one.at)

    # ------------------------------------------------------------------ people at work

    def put(self, email: str, *, at: datetime | None = None, **told: Any) -> str:
        """Somebody new, or an edit; gives the id."""
        with self.lock:
            known = self.find(email)
            stamp = self.text(at)
            if known is None:
                number = str(len(self.contacts) + 1)
                blank = {
                    "phone": "",
                    "firstName": "",
                    "lastName": "",
                    "orgid": "0",
                    "orgname": "",
                    "deleted": "0",
                    "anonymized": "0",
                }
                dates = {"bounced_date": "0000-00-00", "deleted_at": "0000-00-00 00:00:00", "cdate": stamp}
                more = {
                    "bounced_hard": "0",
                    "bounced_soft": "0",
                    "ip": "0",
                    "hash": "x",
                    "links": {},
                    "updated_utc_timestamp": "wrong",
                }
                known = self.contacts[number] = Contact(number, {"id": number, "email": email, **blank, **dates, **more})
            known.fields |= {"udate": stamp, **told}
            return known.id

    def set_value(self, who: str, custom: str, value: str, *, at: datetime | None = None) -> None:
        """A custom field."""
        self.contacts[who].values[custom] = value
        self._touch(who, at)

    def set_list(self, who: str, list_id: str, status: str, *, at: datetime | None = None) -> None:
        """Somebody is put on a list, confirms, leaves, or bounces: 0 unconfirmed, 1 active, 2 unsubscribed, 3 bounced."""
        held, stamp = self.contacts[who].lists, self.text(at)
        before = held.get(
            list_id, {"id": f"{who}0{list_id}", "contact": who, "list": list_id, "sdate": None, "ip4Sub": "3221225991"}
        )
        more = {"sdate": stamp} if status == "1" else {}
        held[list_id] = {**before, **more, "status": status, "udate": stamp, "sourceid": "4" if status == "1" else "0"}
        self._touch(who, at)

    def add_tag(self, who: str, tag: str, *, at: datetime | None = None) -> dict[str, Any]:
        """A tag is put on; one that is there stays as it is."""
        held = self.contacts[who].tags
        known = next((one for one in held.values() if one["tag"] == tag), None)
        if known is None:
            known = {"id": f"{who}9{tag}", "contact": who, "tag": tag, "cdate": self.text(at)}
            held[known["id"]] = known
            self._touch(who, at)
        return known

    def erase(self, who: str, *, at: datetime | None = None) -> None:
        """Somebody asks to be forgotten."""
        nothing = dict.fromkeys(("firstName", "lastName", "phone", "orgname"), "")
        self.contacts[who].fields |= {
            **nothing,
            "email": f"{who}@anonymized.example.com",
            "anonymized": "1",
            "udate": self.text(at),
        }

    def find(self, email: str) -> Contact | None:
        """By address."""
        return next((one for one in self.contacts.values() if str(one.fields["email"]).lower() == email.strip().lower()), None)

    def webhook_body(self, who: str, kind: str = "subscribe") -> bytes:
        """What is sent of an event: a form with brackets in its names."""
        one = self.contacts[who]
        told = {
            f"contact[{name}]": str(one.fields[known])
            for name, known in (("id", "id"), ("email", "email"), ("first_name", "firstName"))
        }
        values = {f"contact[fields][{number}]": value for number, value in one.values.items()}
        head = {
            "type": kind,
            "date_time": str(one.fields["udate"]),
            "initiated_from": "public",
            "initiated_by": "public",
            "list": NEWSLETTER,
        }
        return urlencode({**head, **told, **values, "contact[tags]": "webinar, nurture"}).encode()

    def text(self, at: datetime | None = None) -> str:
        """An instant as the account tells it, in its own zone."""
        return (at or self.now()).astimezone(ZONE).replace(microsecond=0).isoformat()

    def _touch(self, who: str, at: datetime | None) -> None:
        self.contacts[who].fields["udate"] = self.text(at)
