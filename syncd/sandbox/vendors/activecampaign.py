"""One ActiveCampaign account: contacts, lists, tags, custom fields and automations (reference, sources.md 2).

Every scalar is a text, `meta.total` too; contacts that are active on no list are shown with `status=-1` only; there is no order by time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from syncd.sandbox.faults import Kind
from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import route
from syncd.sandbox.vendors.activecampaign_people import ACTIVECAMPAIGN_KEY as ACTIVECAMPAIGN_KEY
from syncd.sandbox.vendors.activecampaign_people import ACTIVECAMPAIGN_PATH as ACTIVECAMPAIGN_PATH
from syncd.sandbox.vendors.activecampaign_people import NEWSLETTER as NEWSLETTER
from syncd.sandbox.vendors.activecampaign_people import ZONE, Contact, People

_MOST = 100
_SIDES = ("fieldValues", "contactLists", "contactTags")


class SandboxActiveCampaign(People):
    """The account with its API."""

    # ------------------------------------------------------------------ the API

    def is_logged_in(self, request: Request) -> bool:
        """By the key."""
        return request.headers.get("api-token") == ACTIVECAMPAIGN_KEY

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """Of no common shape; a throttle says when to come again, a refused right is plain text."""
        if kind is Kind.FORBIDDEN:
            return Response(403, b"Forbidden", {"Content-Type": "text/plain"})
        if kind is Kind.THROTTLED:
            return Response(429, {}, {"Retry-After": "1", "RateLimit-Limit": "5", "RateLimit-Remaining": "0"})
        return Response(status, {"message": message})

    def emptied(self, body: Any) -> Any:
        """No contacts, the total true."""
        return {**body, "contacts": []} if isinstance(body, dict) and "contacts" in body else body

    @route("GET", "/api/3/contacts")
    def list_contacts(self, request: Request) -> Response:
        """A page of contacts."""
        query = request.query
        limit = int(query.get("limit", 20))
        if not 1 <= limit <= _MOST:
            return Response(422, {"errors": [{"title": "The limit is out of range.", "source": {"pointer": "limit"}}]})
        found = [one for one in self.contacts.values() if self._is_asked_for(one, query)]
        beyond = 0 if self.goes_in_circles else int(query.get("id_greater", 0))
        rest = [one for one in found if not one.id.isdigit() or int(one.id) > beyond]
        page = rest[:limit]
        total = len(found) if self.counts_window else len(rest)
        self.read_page("contacts")
        shown = [one.fields for one in page]
        return Response(200, {"contacts": shown, "meta": {"total": str(total)}, **self._sides(request, page)})

    @route("GET", "/api/3/contacts/*")
    def one_contact(self, request: Request, who: str) -> Response:
        """One contact."""
        one = self.contacts.get(who)
        return self.missing() if one is None else Response(200, {"contact": one.fields, **self._sides(request, [one])})

    @route("GET", "/api/3/contacts/*/fieldValues")
    def values_of(self, request: Request, who: str) -> Response:
        """Custom fields of one."""
        return self._part(request, who, "fieldValues")

    @route("GET", "/api/3/contacts/*/contactLists")
    def lists_of(self, request: Request, who: str) -> Response:
        """Memberships of one."""
        return self._part(request, who, "contactLists")

    @route("GET", "/api/3/contacts/*/contactTags")
    def tags_of(self, request: Request, who: str) -> Response:
        """Tags of one."""
        return self._part(request, who, "contactTags")

    @route("GET", "/api/3/contacts/*/contactAutomations")
    def automations_of(self, request: Request, who: str) -> Response:
        """Automations that one is or was in."""
        return self._part(request, who, "contactAutomations")

    @route("GET", "/api/3/fields")
    def fields(self, request: Request) -> Response:
        """Custom fields."""
        del request
        return Response(200, {"fields": [{"id": key, "title": tag.title(), "perstag": tag} for key, tag in self.custom.items()]})

    @route("GET", "/api/3/lists")
    def listed(self, request: Request) -> Response:
        """Lists."""
        del request
        return Response(200, {"lists": [{"id": key, "name": name} for key, name in self.lists.items()]})

    @route("POST", "/api/3/contact/sync")
    def sync(self, request: Request) -> Response:
        """Make or change a contact by its address."""
        given = dict(request.json()["contact"])
        email = str(given.pop("email", ""))
        if "@" not in email:
            return _refused("Email address is not valid.", "email_invalid")
        is_new = self.find(email) is None
        values = given.pop("fieldValues", [])
        who = self.put(email, **given)
        for one in values:
            self.set_value(who, str(one["field"]), str(one["value"]))
        return Response(201 if is_new else 200, {"contact": self.contacts[who].fields})

    @route("POST", "/api/3/contactLists")
    def join(self, request: Request) -> Response:
        """Put somebody on a list, or take them off."""
        given = request.json()["contactList"]
        who, list_id, status = str(given["contact"]), str(given["list"]), str(given["status"])
        if who not in self.contacts or list_id not in self.lists:
            return self.missing()
        self.set_list(who, list_id, status)
        return Response(201, {"contactList": self.contacts[who].lists[list_id]})

    @route("POST", "/api/3/contactTags")
    def tag(self, request: Request) -> Response:
        """Put a tag on somebody."""
        given = request.json()["contactTag"]
        who, tag = str(given["contact"]), str(given["tag"])
        if who not in self.contacts or tag not in self.tags:
            return self.missing()
        return Response(201, {"contactTag": self.add_tag(who, tag)})

    @route("DELETE", "/api/3/contactTags/*")
    def untag(self, request: Request, link: str) -> Response:
        """Take a tag off, by the id of the link."""
        del request
        for one in self.contacts.values():
            if one.tags.pop(link, None):
                self._touch(one.id, None)
                return Response(200, {})
        return self.missing()

    @route("POST", "/api/3/contactAutomations")
    def enter(self, request: Request) -> Response:
        """Begin an automation, once more for whoever was in it."""
        given = request.json()["contactAutomation"]
        who, automation = str(given["contact"]), str(given["automation"])
        if who not in self.contacts or automation not in self.automations:
            return Response(403, {"message": "Could not create SubscriberSeries"})
        self.entries.append((who, automation))
        row = {"id": str(len(self.entries)), "contact": who, "seriesid": automation, "automation": automation, "status": "1"}
        self.contacts[who].automations.append({**row, "adddate": self.text(), "remdate": "0000-00-00 00:00:00"})
        return Response(201, {"contactAutomation": row})

    def _is_asked_for(self, one: Contact, query: dict[str, str]) -> bool:
        if "email" in query and str(one.fields["email"]).lower() != query["email"].strip().lower():
            return False
        is_active = any(row["status"] == "1" for row in one.lists.values())
        if query.get("status") != "-1" and "email" not in query and not is_active:
            return False
        since = query.get("filters[updated_after]")
        if not since:
            return True
        at = datetime.fromisoformat(str(one.fields["udate"] or since))
        return (at if at.tzinfo else at.replace(tzinfo=ZONE)) > datetime.fromisoformat(since)

    def _sides(self, request: Request, page: Sequence[Contact]) -> dict[str, Any]:
        wanted = [name for name in request.query.get("include", "").split(",") if name in _SIDES] if self.side_loads else []
        return {name: [row for one in page for row in _rows(one, name)] for name in wanted}

    def _part(self, request: Request, who: str, name: str) -> Response:
        one = self.contacts.get(who)
        if one is None:
            return self.missing()
        start, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 20))
        return Response(200, {name: _rows(one, name)[start : start + limit]})

    # ------------------------------------------------------------------ beside

    def do_put(self, email: str, **told: Any) -> dict[str, Any]:
        """Control call `put`."""
        return {"id": self.put(email, **told)}

    def do_join(self, who: str, status: str, list_id: str = NEWSLETTER) -> dict[str, Any]:
        """Control call `join`: as `set_list`."""
        self.set_list(who, list_id, status)
        return {}

    def state(self) -> dict[str, Any]:
        """How many, and who began which automation."""
        return {"contacts": len(self.contacts), "entries": self.entries}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Contacts."""
        return ("E-mail", "Name", "Lists", "Changed"), (
            (
                one.fields["email"],
                f"{one.fields['firstName']} {one.fields['lastName']}",
                ", ".join(f"{self.lists.get(key, key)}: {row['status']}" for key, row in one.lists.items()),
                one.fields["udate"],
            )
            for one in self.contacts.values()
        )


def _rows(one: Contact, name: str) -> list[dict[str, Any]]:
    if name == "fieldValues":
        return [{"id": f"{one.id}8{key}", "contact": one.id, "field": key, "value": value} for key, value in one.values.items()]
    return (
        list({"contactLists": one.lists, "contactTags": one.tags}[name].values())
        if name != "contactAutomations"
        else one.automations
    )


def _refused(title: str, code: str) -> Response:
    return Response(
        422, {"errors": [{"title": title, "detail": "", "code": code, "source": {"pointer": "/data/attributes/email"}}]}
    )


SANDBOX = SandboxActiveCampaign
