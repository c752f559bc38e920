"""Which of a person's operations something still reads, however old they are. Pure; the counterpart of `people.person_views`.

Planning looks back: at what was refused, at what failed since the last success, at whether a create ever went out, and at what
was last written to each field and how often in a row. An operation may be forgotten when a view without it decides as before,
and goes on to decide so whatever is added later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from syncd.model import Operation, OperationKind, OperationState
from syncd.plan.fields import MAX_REPEATS

_FORGETTABLE = frozenset(
    {
        OperationKind.CREATE,
        OperationKind.UPDATE,
        OperationKind.CONSENT,
        OperationKind.STATUS,
        OperationKind.RESTORE,
        OperationKind.DELETE,
    }
)
"""Kinds whose every reader is known here. Another kind stays until somebody has thought about it."""

_OBJECTS = frozenset({"Lead", "Contact"})
_OPEN = frozenset({OperationState.PLANNED, OperationState.HELD, OperationState.SENT, OperationState.UNKNOWN})


def _is_forgettable(one: Operation) -> bool:
    """Whether an operation is of a kind and in a state that may be forgotten at all."""
    return one.state not in _OPEN and one.kind in _FORGETTABLE


def unneeded(operations: Sequence[Operation], old: Collection[str], answered: AbstractSet[str]) -> set[str]:
    """Ids of those that may be forgotten.

    Args:
        operations: All of one person, oldest first.
        old: Ids of those that are old enough, and not waiting for their echo.
        answered: Ids of those whose dead letter was replayed.
    """
    # How a write of another object fares says nothing of the lead; it stays.
    operations = [one for one in operations if one.object in _OBJECTS]
    gone = {one.operation_id for one in operations if one.operation_id in old and _is_forgettable(one)}
    gone -= _first_create(operations)
    gone -= _written(operations, gone)
    gone -= _failures(operations, gone)
    return gone - _refusals(operations, gone, answered)


def _first_create(operations: Sequence[Operation]) -> set[str]:
    """One create that went out is enough to know that one did."""
    sent = [one.operation_id for one in operations if one.kind is OperationKind.CREATE and one.sent_at is not None]
    return set(sent[-1:])


def _written(operations: Sequence[Operation], gone: AbstractSet[str]) -> set[str]:
    """What was last written to each field, as often as it was written in a row (more than MAX_REPEATS times are as good).

    Where an earlier write of the same value stays for another reason, the one between them stays too: it ends the row.
    """
    rows: dict[tuple[str, str, str], list[Operation]] = {}
    for one in operations:
        if one.state is OperationState.DONE:
            for name in one.fields:
                rows.setdefault((one.object, one.sf_id, name), []).append(one)
    found: set[str] = set()
    shorter: list[tuple[str, list[Operation]]] = []
    for (_, _, name), row in rows.items():
        *_, last = row
        length = next((n for n, one in enumerate(reversed(row)) if one.fields[name] != last.fields[name]), len(row))
        found.update(one.operation_id for one in row[-min(length, MAX_REPEATS) :])
        if length < min(MAX_REPEATS, len(row)):
            shorter.append((name, row[: len(row) - length + 1]))
    is_settled = False
    while not is_settled:
        is_settled = True
        for name, (*before, end, first) in shorter:
            stays = (one for one in reversed([*before, end]) if one.operation_id in found or one.operation_id not in gone)
            previous = next(stays, None)
            if previous is not None and previous.fields[name] == first.fields[name]:
                found.add(end.operation_id)
                is_settled = False
    return found


def _failures(operations: Sequence[Operation], gone: AbstractSet[str]) -> set[str]:
    """Failures since the last success, and that success where an earlier failure stays, or may still come."""
    last = max((index for index, one in enumerate(operations) if one.state is OperationState.DONE), default=-1)
    found = {one.operation_id for one in operations[last + 1 :] if _is_failure(one)}
    before = operations[: max(last, 0)]
    if any(one.operation_id not in gone and (_is_failure(one) or one.state in _OPEN) for one in before):
        found.add(operations[last].operation_id)
    return found


def _is_failure(one: Operation) -> bool:
    return one.state is OperationState.FAILED or (one.state is OperationState.SUPERSEDED and bool(one.code))


def _refusals(operations: Sequence[Operation], gone: AbstractSet[str], answered: AbstractSet[str]) -> set[str]:
    """Refusals that keep a write from being repeated; and the end of a later try, where an unanswered refusal before it stays."""
    tries: dict[tuple[str, OperationKind], list[Operation]] = {}
    for one in operations:
        if one.state in (OperationState.DONE, OperationState.REFUSED):
            tries.setdefault((one.target, one.kind), []).append(one)
    found = set()
    for row in tries.values():
        *before, last = row
        blocking = [one for one in row if one.state is OperationState.REFUSED and one.operation_id not in answered]
        if last in blocking or any(one in before and one.operation_id not in gone for one in blocking):
            found.add(last.operation_id)
    return found
