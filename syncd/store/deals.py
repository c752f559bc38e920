"""Opportunities as platforms are told of them: how they ended, read from the mirror by contact or by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select, text

from syncd.model import Deal, DealState
from syncd.store import tables as t
from syncd.store.bulk import among

_DEALS = ("sf_id", "contact_id", "at", "fields", "stamp", "is_deleted")


class _Deal(msgspec.Struct, frozen=True, gc=False):
    """What is read of an opportunity, by its names in the org."""

    IsClosed: bool | None = None
    IsWon: bool | None = None
    Amount: float | None = None
    CurrencyIsoCode: str | None = None


_DEAL = msgspec.json.Decoder(_Deal)
_DAY = timedelta(days=1)


def deals_of(connection: Connection, contact_ids: set[str]) -> dict[str, list[Deal]]:
    """Opportunities by their primary contact, deleted ones too."""
    if not contact_ids:
        return {}
    here = and_(among(connection, t.related.c.contact_id, contact_ids), text(t.DEALS_SQL))
    found: dict[str, list[Deal]] = {}
    for contact_id, deal in _deals_where(connection, here):
        found.setdefault(contact_id, []).append(deal)
    return found


def deals_by_id(connection: Connection, sf_ids: Iterable[str]) -> dict[str, Deal]:
    """Opportunities by their ids, whoever is their contact, deleted ones too."""
    r = t.related.c
    here = and_(r.object == "Opportunity", among(connection, r.sf_id, sf_ids))
    return {deal.sf_id: deal for _, deal in _deals_where(connection, here)}


def _deals_where(connection: Connection, here: ColumnElement[bool]) -> Iterator[tuple[str, Deal]]:
    """Opportunities with their contacts."""
    columns = [t.related.c[name] for name in _DEALS]
    for sf_id, contact_id, closes_at, fields, stamp, is_deleted in connection.execute(select(*columns).where(here)).all():
        said = _DEAL.decode(fields)
        # Read before anybody asked how it ended: nobody knows, and neither win nor loss must be made of it.
        if not said.IsClosed or said.IsWon is not None or is_deleted:
            yield contact_id, _deal(sf_id, said, closes_at, stamp, is_deleted=is_deleted)


def _deal(sf_id: str, said: _Deal, closes_at: datetime | None, stamp: datetime, *, is_deleted: bool) -> Deal:
    """One of them: closed at its last change, or at the end of the day that it says where that was before."""
    state = DealState.OPEN
    if is_deleted:
        state = DealState.DELETED
    elif said.IsClosed:
        state = DealState.WON if said.IsWon else DealState.LOST
    is_closed = closes_at is not None and state in (DealState.WON, DealState.LOST)
    at = min(stamp, closes_at + _DAY) if is_closed and closes_at is not None else stamp
    return Deal(sf_id, state, at, said.Amount, said.CurrencyIsoCode or "")
