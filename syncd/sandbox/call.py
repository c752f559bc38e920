"""One request to `/services/data/vXX.0/...` and what every resource needs to know about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.message import Request
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.values import CallRefusal, Refusal

_KEPT = ("Sforce-Auto-Assign", "Sforce-Call-Options", "Sforce-Duplicate-Rule-Header")


@dataclass
class Call:
    """A request inside the org's lock. `base` is `/services/data/vXX.0`, `kinds` the faults that struck it."""

    org: SandboxOrg
    request: Request
    base: str
    kinds: dict[Kind, Fault] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The verb."""
        return self.request.method

    @property
    def user(self) -> str:
        """Everybody who logs in is the integration user."""
        return self.org.integration_user_id

    @property
    def headers(self) -> dict[str, str]:
        """The headers that change what a write does, under their usual names; they go into the history."""
        return {name: self.request.headers[name.lower()] for name in _KEPT if name.lower() in self.request.headers}

    def allow(self, *methods: str) -> None:
        """Refuse other verbs.

        Raises:
            CallRefusal: 405.
        """
        if self.method not in methods:
            message = f"HTTP Method '{self.method}' not allowed. Allowed are {','.join(methods)}"
            raise CallRefusal("METHOD_NOT_ALLOWED", message, 405)

    def strike_rows(self, rows: list[dict[str, Any]]) -> list[Refusal | None]:
        """Faults on rows: for each row its refusal, or None.

        Raises:
            CallRefusal: One row poisons the whole call.
        """
        poison, locks, governor = (self.kinds.get(kind) for kind in (Kind.POISON, Kind.ROW_LOCK, Kind.GOVERNOR))
        if not (poison or locks or governor):
            return [None] * len(rows)
        texts = [json.dumps(row) for row in rows]
        strikes = self.org.faults.strikes_row
        if poison and any(strikes(poison, text) for text in texts):
            raise CallRefusal("UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1-2", 500)
        if governor and len(rows) > governor.after and any(strikes(governor, text) for text in texts):
            message = "LeadTrigger: System.LimitException: Too many SOQL queries: 101"
            return [Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message) for _ in rows]
        locked = Refusal("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
        return [locked if locks and strikes(locks, text) else None for text in texts]

    def values(self, body: Any) -> dict[str, Any]:
        """The fields of a record in a body.

        Raises:
            CallRefusal: It is no object.
        """
        if not isinstance(body, dict):
            raise CallRefusal("JSON_PARSER_ERROR", "A record must be a JSON object")
        values = body.copy()
        values.pop("attributes", None)
        return values


def missing(message: str = "The requested resource does not exist") -> CallRefusal:
    """The refusal of a call to what is not there."""
    return CallRefusal("NOT_FOUND", message, 404)


def shown_fields(org: SandboxOrg, name: str, wanted: list[str]) -> list[str]:
    """API names of the fields asked for by name; all that the user may see when none are.

    Raises:
        CallRefusal: One is unknown: fails the whole call.
    """
    described = org.objects[name]
    if not wanted:
        return [one for one in described.fields if one not in org.hidden]
    found = []
    for asked in wanted:
        one = described.find(asked)
        if one is None or one.name in org.hidden:
            raise CallRefusal("INVALID_FIELD", f"No such column '{asked}' on sobject of type {name}")
        found.append(one.name)
    return found
