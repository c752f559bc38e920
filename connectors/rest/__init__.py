"""Any REST interface that lists records as JSON, described in syncd.yaml: for the tool nobody thought of.

API: whatever is described; Link headers by RFC 8288. Limits: `limits` of the options. Oddities: the end of a list is only what
the description says is the end; with a cursor, pages by number or offset need a sorted list and are walked by time, others by the
service's own tokens; without a cursor everything is read each time, and what is as it was is left out. See docs/connectors/rest.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from connectors.rest.asking import Api
from connectors.rest.checking import rehearsed
from connectors.rest.options import RestOptions
from connectors.rest.paging import counted, overlapping, turned
from connectors.rest.sections import OffsetPaging, PagePaging
from connectors.rest.window import fields_of, grain_of, in_order
from syncd.connector import Health, Limits, Page, Record, Reject, Session
from syncd.connector.tools import Edge, instant

_MOST_DIGESTS = 5_000
"""Of pages of a list that is read as a whole each time; behind them everything is given again, which costs no call."""


class _Part(NamedTuple):
    """Rows as they came, and whether they were the last."""

    rows: Sequence[Record | Reject]
    is_end: bool


class Rest:
    """The connector; has no state of its own."""

    name = "rest"
    Options = RestOptions

    @staticmethod
    def limits(options: RestOptions) -> Limits:
        """As the options say."""
        one = options.limits
        return Limits(one.connections, one.calls_per_second, one.read_timeout_seconds)

    def check(self, session: Session, options: RestOptions) -> Health:
        """Read the first page, and what has changed since its newest record, as `pull` would."""
        return rehearsed(session, options)

    def streams(self, options: RestOptions) -> tuple[str, ...]:
        """One stream: the records of the list."""
        del options
        return ("records",)

    def cursor_at(self, options: RestOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor that leaves out what changed before `at`."""
        del stream
        return {"at": at.isoformat(), "seen": {}} if options.cursor is not None else {"from": at.isoformat(), "pages": []}

    def pull(
        self, session: Session, options: RestOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield what has changed, or the whole list where there is no way to ask for that."""
        del stream
        api = Api(session, options, until)
        if options.cursor is None:
            yield from _whole(options, api, cursor)
        else:
            yield from _changed(session, options, api, cursor)


def _changed(session: Session, options: RestOptions, api: Api, cursor: Mapping[str, Any] | None) -> Iterator[Page]:
    """What has changed. A list out of order moves the cursor at its end alone."""
    assert options.cursor is not None  # noqa: S101 - see pull
    edge = Edge(cursor)
    is_ordered = options.cursor.is_ordered
    kept = dict(cursor or {})
    since = edge.since(session)
    begin = grain_of(options.cursor).begin_of(since)
    for part in _parts(options, api, since):
        settled = [one for one in part.rows if _is_settled(one, api) and not _is_before(one, begin)]
        given = [one for one in settled if isinstance(one, Reject) or edge.is_news(one)]
        if is_ordered or part.is_end:
            kept = edge.state() or kept
        yield from _pages(api, given, kept, is_last=part.is_end)


def _whole(options: RestOptions, api: Api, cursor: Mapping[str, Any] | None) -> Iterator[Page]:
    """Everything. Pages at the beginning that are as they were last time are left out."""
    begin = instant((cursor or {}).get("from"))
    kept = dict(cursor or {})
    known: list[str] = list(kept.get("pages") or ())
    for number, part in enumerate(_parts(options, api, None)):
        given = [one for one in part.rows if _is_settled(one, api) and not _is_before(one, begin)]
        digest = hashlib.blake2b(digest_size=8)
        for one in given:
            digest.update(len(one.payload).to_bytes(8, "big") + one.payload)
        if known[number : number + 1] == [digest.hexdigest()]:
            given = []
        else:
            # What was behind it may have moved to where it was seen in another version: it is given again.
            known = [*known[:number], digest.hexdigest()][:_MOST_DIGESTS]
        if part.is_end:
            known = known[: number + 1]
        kept = {**kept, "pages": known}
        yield from _pages(api, given, kept, is_last=part.is_end)


def _parts(options: RestOptions, api: Api, since: datetime | None) -> Iterator[_Part]:
    """The rows to read, page by page."""
    cursor, paging = options.cursor, options.paging
    if cursor is None and isinstance(paging, OffsetPaging):
        for rows, is_end in overlapping(api, options):
            yield _Part([row.made for row in rows], is_end)
        return
    if cursor is None:
        for answer, is_end in turned(api, options, {}):
            yield _Part([row.made for row in answer.rows], is_end)
        return
    grain = grain_of(cursor)
    # A bound may be exclusive: one unit more is asked for, and left out again.
    begin = None if since is None else grain.unit(since) - 1
    end = grain.unit(api.horizon.end)
    if isinstance(paging, OffsetPaging | PagePaging):
        for part in counted(api, options, lambda first, last: fields_of(cursor, grain, first, last), begin, end, grain):
            yield _Part([row.made for row in part.rows], part.is_end)
        return
    before: datetime | None = None
    for answer, is_end in turned(api, options, fields_of(cursor, grain, begin, end + 1)):
        is_beyond = False
        if cursor.is_ordered:
            before = in_order(api.name, grain, answer, before)
            is_beyond = before is not None and before > api.horizon.end
        yield _Part([row.made for row in answer.rows], is_end or is_beyond)
        if is_beyond:
            return


def _is_settled(one: Record | Reject, api: Api) -> bool:
    return isinstance(one, Reject) or one.source_at is None or one.source_at <= api.horizon.end


def _is_before(one: Record | Reject, begin: datetime | None) -> bool:
    return begin is not None and isinstance(one, Record) and one.source_at is not None and one.source_at < begin


def _pages(api: Api, given: Sequence[Record | Reject], cursor: dict[str, Any], *, is_last: bool) -> Iterator[Page]:
    """A page of the service, if there is anything to say of it."""
    records = tuple(one for one in given if isinstance(one, Record))
    rejects = tuple(one for one in given if isinstance(one, Reject))
    if given or is_last:
        yield Page(records, dict(cursor), rejects, is_last=is_last, notice=api.horizon.told())


CONNECTOR = Rest()
"""What `wiring` uses."""

__all__ = ["CONNECTOR", "Rest", "RestOptions"]
