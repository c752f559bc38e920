"""Writing up to 200 rows in one call, and isolating the rows that spoil a call for the others.

A call that the org refuses as a whole is cut in halves until the poison row stands alone; rows that met a lock are sent again by
themselves after a pause. All of it within a fixed number of extra calls. An answer that does not come is never repeated here.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.clock import Clock
from syncd.errors import AuthError, BudgetExhausted, SalesforceUnavailableError, UnknownOutcomeError
from syncd.model import OrgFault, Recovery, RowOutcome
from syncd.salesforce.connection import Answer
from syncd.salesforce.faults import WHOLE_CALL_CODES, CallRefusedError, fault_of, has_code, refused_for_good
from syncd.salesforce.ids import is_sf_id, to_18

ROWS_PER_CALL = 200
"""REST API Developer Guide, sObject Collections."""

MAX_EXTRA_CALLS = 40
"""What one write may spend on isolating rows: two poison rows among 200 need at most 32."""

_LOCK_CHUNKS = (50, 10, 10)
"""Rows per call of the first, second and third try after a lock (salesforce.md 8.2: batch 200, 50, 10)."""
_LOCK_WAIT_SECONDS = 2.0

Call = Callable[[Sequence[int]], Answer]
"""Sends the rows with these indexes in one call."""


@dataclass
class _Progress:
    """One write while it is under way."""

    outcomes: list[RowOutcome | None]
    names: Sequence[Collection[str]]
    calls: int = 0
    is_begun: bool = False
    """Some row was answered, so an error may no longer say that nothing was written."""
    again: list[int] = field(default_factory=list)
    last_faults: dict[int, OrgFault] = field(default_factory=dict)

    @property
    def may_go_on(self) -> bool:
        return self.calls <= MAX_EXTRA_CALLS

    def settle(self, index: int, outcome: RowOutcome) -> None:
        self.outcomes[index] = outcome
        self.is_begun = True


def write_rows(
    call: Call, refused: Mapping[int, OrgFault], names: Sequence[Collection[str]], clock: Clock, chance: random.Random
) -> list[RowOutcome]:
    """Carry out one write.

    Args:
        call: Sends some of the rows; raises as Connection.write.
        refused: Rows that are refused without a call, by index.
        names: The field names of each row.
        clock: For the pauses after locks.
        chance: For their jitter.

    Returns:
        One outcome per row, in order.

    Raises:
        UnknownOutcomeError: An answer was lost; the whole write must be looked up.
        SalesforceUnavailableError, AuthError, BudgetExhausted: Before anything was written. Later on, rows that were not sent any
            more have a fault with the recovery `retry` instead.
    """
    progress = _Progress([None] * len(names), names)
    for index, fault in refused.items():
        progress.outcomes[index] = RowOutcome(fault=fault)
    rows = [index for index in range(len(names)) if index not in refused]
    try:
        if rows:
            _send(call, rows, progress)
            _send_again(call, progress, clock, chance)
    except UnknownOutcomeError:
        raise
    except (SalesforceUnavailableError, AuthError, BudgetExhausted) as error:
        if not progress.is_begun:
            raise
        not_sent = OrgFault("NOT_SENT", f"Not sent any more: {error.message}", recovery=Recovery.RETRY)
        return [
            outcome or RowOutcome(fault=progress.last_faults.get(index, not_sent))
            for index, outcome in enumerate(progress.outcomes)
        ]
    return [outcome or RowOutcome(fault=_given_up(progress, index)) for index, outcome in enumerate(progress.outcomes)]


_UNEXPLAINED = frozenset({"UNKNOWN_EXCEPTION", "INTERNAL_ERROR"})
"""The org failed without naming a cause (reference salesforce.md 8.2: a few tries, then the record is set aside)."""


def _given_up(progress: _Progress, index: int) -> OrgFault:
    """The fault of a row for which no call was left."""
    return progress.last_faults.get(index) or OrgFault(
        "NOT_SENT", "Not sent any more: too many rows of this call were refused.", recovery=Recovery.RETRY
    )


def _send(call: Call, rows: Sequence[int], progress: _Progress) -> None:
    """Send `rows` in one call; halve it while it is refused as a whole or meets a limit."""
    waiting: list[Sequence[int]] = [rows]
    while waiting and progress.may_go_on:
        part = waiting.pop()
        progress.calls += 1
        try:
            answer = call(part)
        except CallRefusedError as error:
            waiting += reversed(_after_refusal(error.fault, part, progress))
            continue
        too_large = _settle_answer(answer.body, part, progress)
        if len(too_large) > 1:
            middle = len(too_large) // 2
            waiting += [too_large[middle:], too_large[:middle]]


def _after_refusal(fault: OrgFault, part: Sequence[int], progress: _Progress) -> list[Sequence[int]]:
    """What to send after a whole call was refused: nothing for a single row, else the rows not concerned, else both halves."""
    is_of_all = fault.code in WHOLE_CALL_CODES
    # A field that is gone or hidden refuses the whole call; only the rows that name it are concerned.
    concerned = [index for index in part if any(name in progress.names[index] for name in fault.fields)]
    if len(part) == 1 or is_of_all or (fault.recovery is Recovery.CONFIG and concerned):
        if is_of_all and fault.recovery is Recovery.RERESOLVE:
            # As the answer to a whole call NOT_FOUND names the object or the external id field, not a row.
            fault = OrgFault(fault.code, fault.message, fault.fields, Recovery.CONFIG)
        if len(part) == 1 and fault.code in _UNEXPLAINED:
            # Alone, and still an unexplained error: it may pass, so it is tried again in later passes before it is given up.
            progress.settle(part[0], RowOutcome(fault=OrgFault(fault.code, fault.message, fault.fields, Recovery.RETRY)))
            return []
        refused = concerned if fault.recovery is Recovery.CONFIG and concerned and not is_of_all else part
        for index in refused:
            progress.settle(index, RowOutcome(fault=refused_for_good(fault)))
        others = [index for index in part if progress.outcomes[index] is None]
        return [others] if others else []
    for index in part:
        progress.last_faults[index] = fault
    middle = len(part) // 2
    return [part[:middle], part[middle:]]


def _settle_answer(body: Any, part: Sequence[int], progress: _Progress) -> list[int]:
    """Note the outcomes of one answered call; gives the rows that need a smaller one.

    Raises:
        UnknownOutcomeError: The answer is not one element per row.
    """
    if not isinstance(body, list) or len(body) != len(part) or not all(isinstance(one, Mapping) for one in body):
        raise UnknownOutcomeError(
            "Salesforce answered a write with something else than one result per row.",
            advice="syncd looks the records up before it repeats anything.",
        )
    too_large: list[int] = []
    for index, element in zip(part, body, strict=True):
        outcome = _outcome(element)
        fault = outcome.fault
        if fault is None:
            progress.settle(index, outcome)
        elif fault.recovery is Recovery.RETRY_SMALLER and len(part) > 1:
            progress.last_faults[index] = fault
            too_large.append(index)
        elif fault.recovery in (Recovery.RETRY, Recovery.RETRY_ALONE):
            progress.last_faults[index] = fault
            progress.again.append(index)
        else:
            progress.settle(index, RowOutcome(fault=refused_for_good(fault)))
        progress.is_begun = True
    if len(too_large) == 1:
        # Alone among rows that went through: it gets one call of its own.
        progress.again.append(too_large[0])
    return too_large


def _outcome(element: Mapping[str, Any]) -> RowOutcome:
    if element.get("success") is True:
        if not is_sf_id(element.get("id")):
            raise UnknownOutcomeError(
                "Salesforce answered a write with a success that has no id.",
                advice="syncd looks the records up before it repeats anything.",
            )
        return RowOutcome(to_18(str(element["id"])), element.get("created") is True)
    if not has_code(element):
        return RowOutcome(
            fault=OrgFault("UNKNOWN_EXCEPTION", "Salesforce refused a row without a reason.", recovery=Recovery.REFUSED)
        )
    return RowOutcome(fault=fault_of(element))


def _send_again(call: Call, progress: _Progress, clock: Clock, chance: random.Random) -> None:
    """Rows that met a lock or a passing fault, by themselves, up to three more times; unknown codes once."""
    for round_number, size in enumerate(_LOCK_CHUNKS):
        rows = sorted(set(progress.again))
        progress.again = []
        if not rows or not progress.may_go_on:
            break
        clock.sleep(_LOCK_WAIT_SECONDS * 2**round_number * (0.5 + chance.random()))
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            before = {index: progress.last_faults[index] for index in part if index in progress.last_faults}
            _send(call, part, progress)
            _give_up_repeats(before, progress)
    for index in progress.again:
        fault = progress.last_faults[index]
        progress.settle(index, RowOutcome(fault=refused_for_good(fault)))


def _give_up_repeats(before: Mapping[int, OrgFault], progress: _Progress) -> None:
    """A fault that no retry is known to cure is final the second time."""
    for index in list(progress.again):
        fault = progress.last_faults[index]
        final = refused_for_good(fault)
        if index in before and before[index].code == fault.code and final.recovery is Recovery.REFUSED:
            progress.again.remove(index)
            progress.settle(index, RowOutcome(fault=final))
