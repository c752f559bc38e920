"""One request to `/3.0/...` and what every resource needs to know about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.fields import Selection, selection
from syncd.sandbox.mailchimp.member import Member
from syncd.sandbox.mailchimp.problem import Problem, missing
from syncd.sandbox.mailchimp.query import paging
from syncd.sandbox.mailchimp.view import link
from syncd.sandbox.message import Request, Response


@dataclass
class Call:
    """A request inside the account's lock. `kinds`: the faults that struck it; `page`: list id and offset of members that it read."""

    mailchimp: SandboxMailchimp
    request: Request
    kinds: Mapping[Kind, Fault]
    page: tuple[str, int] | None = None

    @property
    def query(self) -> dict[str, str]:
        """The parameters."""
        return self.request.query

    @property
    def selection(self) -> Selection:
        """What `fields` and `exclude_fields` leave of the answer."""
        return selection(self.query.get("fields", ""), self.query.get("exclude_fields", ""))

    @property
    def now(self) -> int:
        """What writes are stamped with."""
        return self.mailchimp.second()

    @property
    def body(self) -> dict[str, Any]:
        """The body.

        Raises:
            Problem: 400, it is no JSON object.
        """
        try:
            body = msgspec.json.decode(self.request.body or b"null")
        except (msgspec.DecodeError, RecursionError):
            raise Problem(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.") from None
        if not isinstance(body, dict):
            raise Problem(400, "Invalid Resource", "The resource submitted could not be validated: it must be an object.")
        return body

    def audience(self, list_id: str) -> Audience:
        """One audience.

        Raises:
            Problem: 404.
        """
        if list_id not in self.mailchimp.audiences:
            raise missing()
        return self.mailchimp.audience(list_id)

    def member(self, list_id: str, reference: str) -> tuple[Audience, Member]:
        """An audience and its member by address, hash or contact id.

        Raises:
            Problem: 404.
        """
        audience = self.audience(list_id)
        found = audience.find(reference)
        if found is None:
            raise missing()
        return audience, found

    def show(self, document: dict[str, Any]) -> Response:
        """A document, with the fields that were asked for."""
        return Response(200, self.selection.apply(document))

    def collection(self, name: str, found: Sequence[dict[str, Any]], **more: Any) -> Response:
        """One page of a collection.

        Raises:
            Problem: 400, a page that may not be asked for.
        """
        offset, count = paging(self.query)
        links = [link("self", "GET", self.request.path.removeprefix("/3.0"))]
        return self.show({name: list(found[offset : offset + count]), **more, "total_items": len(found), "_links": links})
