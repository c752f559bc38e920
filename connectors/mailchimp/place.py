"""Where a pull goes on: the cursor of all audiences. Belongs to mailchimp."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.mailchimp.api import Api, audiences, text_of
from syncd.connector.walk import Part

_RELIST = timedelta(hours=1)
"""How long the list of all audiences is believed."""


class Place:
    """The cursor: per audience the second up to which its members, and those of its archive, were delivered."""

    def __init__(self, cursor: Mapping[str, Any] | None) -> None:
        given = dict(cursor or {})
        self._audiences: dict[str, dict[str, Any]] = {name: dict(one) for name, one in given.get("audiences", {}).items()}
        self._from: str | None = given.get("from")
        self._list: dict[str, Any] | None = given.get("list")

    def steps(self, chosen: list[str], every: timedelta, api: Api, until: datetime) -> list[tuple[str, bool]]:
        """(audience, whether its archive, which is read `every` so often) to read now; of all audiences where none is chosen."""
        wanted = chosen or self._all(api, until)
        found = [(list_id, False) for list_id in wanted]
        for list_id in wanted if every else ():
            last = self._audiences.get(list_id, {}).get("reconciled_at")
            if last is None or until - _instant(last) >= every:
                found.append((list_id, True))
        return found

    def _all(self, api: Api, until: datetime) -> list[str]:
        if self._list is None or not timedelta() <= until - _instant(self._list["at"]) < _RELIST:
            self._list = {"ids": [one.id for one in audiences(api)], "at": text_of(int(until.timestamp()))}
        return list(self._list["ids"])

    def forget_list(self) -> None:
        """Ask for the list of audiences next time: one of them may be gone."""
        self._list = None

    def since(self, list_id: str, overlap_seconds: float, *, is_archive: bool) -> int | None:
        """The bound to ask from, None for the beginning. At least a second before the cursor: the bound may be exclusive."""
        at = self._audiences.get(list_id, {}).get("archived_at" if is_archive else "at", self._from)
        return None if at is None else int(_instant(at).timestamp() - max(overlap_seconds, 1.0))

    def tail(self, list_id: str) -> dict[str, Any] | None:
        """What is known of the newest second of an audience."""
        return self._audiences.get(list_id, {}).get("tail")

    def keep_tail(self, list_id: str, state: dict[str, Any] | None) -> None:
        """Remember it, at the end of a window."""
        if state is not None:
            self._audiences.setdefault(list_id, {})["tail"] = state

    def advance(self, list_id: str, part: Part, until: datetime, *, is_archive: bool) -> None:
        """Move an audience's cursor over what was delivered without a gap; never back."""
        state = self._audiences.setdefault(list_id, {})
        name = "archived_at" if is_archive else "at"
        known = state.get(name, self._from)
        if known is None or _instant(known).timestamp() < part.safe:
            state[name] = text_of(part.safe)
        if is_archive and part.is_end:
            state["reconciled_at"] = text_of(int(until.timestamp()))

    def cursor(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"audiences": {name: dict(one) for name, one in self._audiences.items()}}
        if self._from is not None:
            found["from"] = self._from
        if self._list is not None:
            found["list"] = self._list
        return found


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
