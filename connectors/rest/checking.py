"""What `source check` says of a described interface: how many records, which keys and times, what is missing. Belongs to rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from connectors.rest.asking import Api
from connectors.rest.options import RestOptions
from connectors.rest.paging import Turned, turned
from connectors.rest.reading import Found
from connectors.rest.sections import LinkPaging, NoPaging, TokenPaging
from connectors.rest.window import fields_of, grain_of, in_order
from syncd.connector import Health, Record, Session
from syncd.errors import ContractError, SyncdError

_MOST_NAMES = 40
_NEVER = datetime(9000, 1, 1, tzinfo=UTC)
"""A check has no run that begins: the service's own clock says up to when it reads."""


def rehearsed(session: Session, options: RestOptions) -> Health:
    """Read the first page, and with a cursor what has changed since its newest record."""
    api = Api(session, options, _NEVER)
    findings: list[str] = []
    try:
        first = next(turned(api, options, dict(options.cursor.sort) if options.cursor is not None else {}))
        rows = first.answer.rows
        is_ok = True
        for finding, is_good in (*_rows(api, options, first), *_keys(options, rows), *_times(options, rows)):
            findings.append(finding)
            is_ok &= is_good
        if is_ok:
            findings += _since(api, options, first)
    except SyncdError as error:
        return Health(False, (*findings, str(error)))
    return Health(is_ok, tuple(findings))


def _rows(api: Api, options: RestOptions, first: Turned) -> Iterator[tuple[str, bool]]:
    count = len(first.answer.rows)
    end = "which is all of it" if first.is_end else "and there are more"
    yield f"{options.path} of {api.name} was read: {count} records on the first page, {end}.", True
    if first.is_end and isinstance(options.paging, TokenPaging | LinkPaging) and count >= options.paging.size:
        # A path that leads nowhere looks like the end.
        what = options.paging.path or "the header Link"
        yield f"The first page is full and names no next one at {what}: that is right only if there are no more.", True
    if isinstance(options.paging, NoPaging) or first.is_end or count == options.paging.size or options.paging.size_param is None:
        return
    yield f"{options.paging.size} records per page were asked for (paging.size) and {count} came.", True


def _keys(options: RestOptions, rows: Sequence[Found]) -> Iterator[tuple[str, bool]]:
    if not rows:
        return
    paths = options.key if isinstance(options.key, str) else ", ".join(options.key)
    made = [row.made for row in rows if isinstance(row.made, Record)]
    if len(made) < len(rows):
        yield f"{len(rows) - len(made)} of {len(rows)} records have nothing usable at key: {paths}.", bool(made)
    if made:
        is_unique = len({one.key for one in made}) == len(made)
        yield (
            f"key: {paths} was found" + (" and is different in each." if is_unique else ", but is not different in each."),
            is_unique,
        )
    names = sorted({name for row in rows for name in row.content or ()})
    yield f"Fields of a record: {', '.join(names[:_MOST_NAMES])}{' ...' if len(names) > _MOST_NAMES else ''}.", True


def _times(options: RestOptions, rows: Sequence[Found]) -> Iterator[tuple[str, bool]]:
    if not rows:
        return
    if options.updated_at is None:
        yield "No updated_at is described: of two sources that contradict each other this one has no time to show.", True
        return
    times = [row.at for row in rows if row.at is not None]
    words = f"updated_at: {options.updated_at.path} was found in {len(times)} of {len(rows)} records"
    if times:
        yield f"{words}, from {min(times):%Y-%m-%d %H:%M} to {max(times):%Y-%m-%d %H:%M} UTC.", True
    else:
        # Without any time a cursor could never move.
        yield f"{words}: correct its path, format or zone.", options.cursor is None


def _since(api: Api, options: RestOptions, first: Turned) -> Iterator[str]:
    """What came of asking for changes.

    Raises:
        SyncdError: The service does not know the parameters, or does not heed them.
    """
    cursor = options.cursor
    newest = max((row.at for row in first.answer.rows if row.at is not None), default=None)
    if cursor is None or newest is None:
        return
    grain = grain_of(cursor)
    if cursor.is_ordered:
        in_order(api.name, grain, first.answer, None)
    unit = grain.unit(newest)
    again = next(turned(api, options, fields_of(cursor, grain, unit, grain.unit(first.answer.reply.received_at)))).answer
    if any(row.at is not None and grain.unit(row.at) < unit - 1 for row in again.rows):
        raise ContractError(
            f"{api.name} gave records from before the time that was asked for.",
            advice=f"It does not heed {cursor.since}; correct cursor: in the source.",
        )
    yield f"{cursor.since} is heeded: {len(again.rows)} records since the newest of the first page."
