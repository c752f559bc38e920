"""`syncd report xactly`: closed-won opportunities as batches of orders, each version once; what was begun is finished first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from syncd.app.xactly_reading import read_deals
from syncd.errors import ConfigError, GuardError
from syncd.ports import Deals, Drop, Store, XactlyBatch
from syncd.xactly import (
    Group,
    Line,
    Period,
    Refusal,
    Template,
    batches_of,
    changes,
    differing,
    lines_of,
    period_of,
    render,
)

GUARD_FLOOR = 20
"""Fewer reversals than this are never stopped: a share of a handful says nothing."""
_LINE = msgspec.json.Decoder(Line)


class Exported(msgspec.Struct, frozen=True):
    """One batch that was made, or would be; `amount_totals` by currency."""

    name: str
    rows: int
    reversals: int
    assignments: int
    amount_totals: dict[str, str]


class XactlyReport(msgspec.Struct, frozen=True):
    """What an export did, or would do.

    Attributes:
        batches: New ones.
        finished: Names of those that a run before had begun to deliver.
        refusals: What is left out until it is mended.
        place: Where the files are.
    """

    period: str
    place: str
    batches: tuple[Exported, ...] = ()
    finished: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    is_rehearsal: bool = False


def export(
    store: Store,
    deals: Deals,
    drop: Drop,
    template: Template,
    *,
    period: str,
    now: datetime,
    max_reversed_share: float,
    force: bool = False,
    dry_run: bool = False,
) -> XactlyReport:
    """Compare the org with the ledger, and tell Xactly what is new. Writes the store and the drop, unless it is a rehearsal.

    Args:
        store: The ledger.
        deals: The org.
        drop: Where files go.
        template: The customer's.
        period: The open month as `2026-03`; "" for the current one.
        now: Aware.
        max_reversed_share: Of what stands, how much may be reversed at once (0.0-1.0).
        force: More may be.
        dry_run: Write nothing.

    Raises:
        ConfigError: The period is none, or closed; or the template asks for what the org lacks.
        GuardError: Too much would be reversed.
        DeliveryError: Files could not be delivered; the next run does it.
        SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As the org's reads.
    """
    chosen = period_of(period, now, template.zone)
    finished = () if dry_run else finish(store, drop)
    number = _next_number(store, chosen)
    groups, refusals = _compare(store, deals, template, chosen, max_reversed_share=max_reversed_share, force=force)
    made = []
    for part in batches_of(groups, template.max_rows):
        batch, rows = render(template, chosen, number, part, now)
        if not dry_run:
            # The ledger first: whatever happens from here on, these very bytes are what is delivered.
            store.put_xactly_batch(batch, rows)
            deliver(store, drop, batch)
        made.append(_exported(batch))
        number += 1
    return XactlyReport(str(chosen), drop.place, tuple(made), finished, tuple(refusals), dry_run)


def finish(store: Store, drop: Drop) -> tuple[str, ...]:
    """Deliver what a run before had begun, in its order; gives the names. Writes the store and the drop.

    Raises:
        DeliveryError: It still cannot be delivered.
    """
    begun = [one.name for one in store.xactly_batches() if one.state != "done"]
    for name in begun:
        batch = store.xactly_batch(name)
        if batch is not None:
            deliver(store, drop, batch)
    return tuple(begun)


def deliver(store: Store, drop: Drop, batch: XactlyBatch) -> None:
    """Put the files of a batch where they belong, the manifest last. Writes the store and the drop.

    A batch that was `delivering` may have been taken already: then its orders are gone, or its manifest is there, and nothing is put
    once more. Whoever takes files begins when the manifest is there.

    Raises:
        DeliveryError: It could not be done.
    """
    *bodies, manifest = batch.files
    if batch.state == "delivering":
        if drop.holds(bodies[0]) and not drop.holds(manifest):
            drop.put(manifest, batch.files[manifest].encode())
    else:
        for name in bodies:
            drop.put(name, batch.files[name].encode())
        store.set_xactly_state(batch.name, "delivering")
        drop.put(manifest, batch.files[manifest].encode())
    store.set_xactly_state(batch.name, "done")


def export_again(store: Store, drop: Drop, name: str) -> XactlyBatch:
    """Put the files of a batch once more, byte for byte as they were. Writes the drop.

    Raises:
        ConfigError: There is no such batch.
        DeliveryError: It could not be done.
    """
    batch = store.xactly_batch(name)
    if batch is None:
        known = [one.name for one in store.xactly_batches()]
        advice = f"The latest: {', '.join(known[-5:])}." if known else "Nothing was exported yet."
        raise ConfigError(f'There is no batch "{name}".', advice=advice)
    for file, text in batch.files.items():
        drop.put(file, text.encode())
    store.set_xactly_state(name, "done")
    return batch


def _next_number(store: Store, period: Period) -> int:
    batches = store.xactly_batches()
    latest = max((one.period for one in batches), default="")
    if latest > str(period):
        raise ConfigError(
            f"The period {period} is closed: there is a batch of {latest} already.",
            advice=f"What belongs to {period} goes into the open period: leave --period out, or name {latest} or a later one.",
        )
    return max((one.number for one in batches if one.period == str(period)), default=0) + 1


def _compare(
    store: Store, deals: Deals, template: Template, period: Period, *, max_reversed_share: float, force: bool
) -> tuple[list[Group], list[Refusal]]:
    heads = store.xactly_heads()
    found, users = read_deals(deals, template, {one.deal for one in heads if one.is_standing})
    lines: list[Line] = []
    refusals: list[Refusal] = []
    for deal in found:
        some, refused = lines_of(template, deal, users)
        lines += some
        refusals += refused
    keys = differing(template, lines, refusals, heads)
    documents = {key: _LINE.decode(text) for key, text in store.xactly_documents(keys).items()}
    groups, refusals = changes(template, period, lines, refusals, heads, documents)
    count = sum(one.is_reversal for group in groups for one in group.changes)
    known = sum(one.is_standing for one in heads)
    if not force and count >= GUARD_FLOOR and count > max_reversed_share * known:
        raise GuardError(
            f"This export would reverse {count} of {known} orders, more than guard.max_changed_share ({max_reversed_share:g}) allows.",
            advice="Look at it with --dry-run --force: were rights taken from the integration user, or the template changed? "
            "If it is right, repeat with --force. Nothing was written.",
        )
    return groups, sorted(refusals, key=lambda one: (one.deal, one.part))


def _exported(batch: XactlyBatch) -> Exported:
    *_, manifest = batch.files.values()
    told: dict[str, Any] = msgspec.json.decode(manifest)
    return Exported(batch.name, batch.rows, told["reversals"], batch.assignments, told["amount_totals"])
