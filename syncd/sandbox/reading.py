"""Queries carried out: which rows, in which order, and groups of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from syncd.sandbox.conditions import Bound, bind, find_field, fold, sort_key
from syncd.sandbox.schema import Object
from syncd.sandbox.soql import Aggregate, Query, QueryError
from syncd.sandbox.table import Row, Table

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg


def select(org: SandboxOrg, query: Query, *, with_deleted: bool) -> list[Row]:
    """Matching rows in the asked order; rows that tie, and all without ORDER BY, come in any order (by the seed).

    With `org.visibility_delay` a row is seen as it was that long ago: replaced versions stay readable, new rows are missing.

    Raises:
        QueryError: An unknown object or field, or a literal of the wrong type.
    """
    described, found = _matching(org, query, with_deleted=with_deleted)
    order = [(find_field(described, term.field, org.hidden).name, term) for term in query.order]
    if len(found) > 1 and not any(name == "Id" for name, _ in order):
        org.chance.shuffle(found)
    for name, term in reversed(order):
        found.sort(key=lambda row, name=name: sort_key(row.get(name)), reverse=term.is_descending)  # type: ignore[misc]
        # Null comes first whatever the direction, unless NULLS LAST says otherwise; the sort above got half of the cases right.
        if term.nulls_last != term.is_descending:
            last = term.nulls_last
            found.sort(key=lambda row, name=name, last=last: (row.get(name) is None) == last)  # type: ignore[misc]
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def columns(org: SandboxOrg, query: Query) -> list[str]:
    """The API names of the selected fields.

    Raises:
        QueryError: An unknown object or field, or one asked for twice.
    """
    described = _object(org, query.object)
    names = [find_field(described, name, org.hidden).name for name in query.fields]
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"duplicate field selected: {name}", "INVALID_FIELD")
    return names


def grouped(org: SandboxOrg, query: Query, *, with_deleted: bool) -> list[dict[str, Any]]:
    """One dict per group: the grouped fields and each aggregate under its alias (`expr0` without one).

    Raises:
        QueryError: As `select`; also a selected field that is not grouped by.
    """
    described, found = _matching(org, query, with_deleted=with_deleted)
    by = [find_field(described, name, org.hidden).name for name in query.groups]
    chosen = columns(org, query)
    for name in chosen:
        if name not in by:
            raise QueryError(f"field must be grouped or aggregated: {name}")
    functions = [(one, find_field(described, one.field, org.hidden).name) for one in query.aggregates]

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(sort_key(row.get(name)) for name in by)

    # Without GROUP BY everything is one group, even when it is empty.
    groups = [list(rows) for _, rows in itertools.groupby(sorted(found, key=key), key)] if by else [found]
    answers = [
        {name: rows[0].get(name) for name in chosen} | {one.alias: _aggregate(one, name, rows) for one, name in functions}
        for rows in groups
    ]
    end = None if query.limit is None else query.offset + query.limit
    return answers[query.offset : end]


def _aggregate(one: Aggregate, name: str, rows: list[Row]) -> Any:
    values = [row[name] for row in rows if row.get(name) is not None]
    if one.function == "COUNT":
        return len(values)
    if one.function == "COUNT_DISTINCT":
        return len({fold(value) for value in values})
    if not values:
        return None
    return (min if one.function == "MIN" else max)(values, key=sort_key)


def _object(org: SandboxOrg, name: str) -> Object:
    described = org.objects.get(name) or next(
        (one for key, one in org.objects.items() if key.casefold() == name.casefold()), None
    )
    if described is None:
        raise QueryError(f"sObject type '{name}' is not supported.", "INVALID_TYPE")
    return described


def _matching(org: SandboxOrg, query: Query, *, with_deleted: bool) -> tuple[Object, list[Row]]:
    described = _object(org, query.object)
    bound = bind(query.where, described, frozenset(org.hidden))
    columns(org, query)
    table = org.table(described.name)
    now = org.clock.now()
    table.settle(now, org.visibility_delay)
    candidates: Iterable[Row] = _scan(table, bound)
    if org.visibility_delay > timedelta(0):
        until = now - org.visibility_delay
        candidates = [version for row in candidates if (version := table.visible(row, until)) is not None]
    test = bound.test
    if with_deleted:
        return described, [row for row in candidates if test(row)]
    return described, [row for row in candidates if not row["IsDeleted"] and test(row)]


def _scan(table: Table, bound: Bound) -> Iterable[Row]:
    """As few rows as an index allows, never too few."""
    indexed = [(len(values), name) for name, values in bound.equals.items() if table.is_indexed(name)]
    if indexed:
        _, name = min(indexed)
        return table.with_value(name, bound.equals[name])
    if bound.newer_than is not None:
        return table.since(bound.newer_than)
    return table.rows.values()
