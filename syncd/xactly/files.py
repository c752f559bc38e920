"""Batches of changes, and their three files as text. Pure."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from syncd.ports import XactlyBatch, XactlyRow
from syncd.xactly.changes import Change, Group
from syncd.xactly.lines import Share, digest_of
from syncd.xactly.model import Column, Template
from syncd.xactly.period import Period

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def batches_of(groups: Iterable[Group], max_rows: int) -> Iterator[list[Change]]:
    """The changes in slices of at most `max_rows`; those of one opportunity together, unless they alone are more."""
    part: list[Change] = []
    for group in groups:
        if part and len(part) + len(group.changes) > max_rows:
            yield part
            part = []
        part += group.changes
        while len(part) > max_rows:
            yield part[:max_rows]
            part = part[max_rows:]
    if part:
        yield part


def render(
    template: Template, period: Period, number: int, changes: Sequence[Change], at: datetime
) -> tuple[XactlyBatch, list[XactlyRow]]:
    """A batch with its files, the manifest last, and the rows of the ledger that belong to it.

    Args:
        template: The customer's.
        period: The open one.
        number: Of the batch in the period, from 1.
        changes: Not more than a batch may have.
        at: The instant that the manifest names.
    """
    name = _name(template, period, number)
    sheet = _Sheet(template, period, name)
    orders = sheet.text(template.orders, ([sheet.order_cell(column, one) for column in template.orders] for one in changes))
    shares = [(one, share) for one in changes for share in one.line.shares]
    assignments = sheet.text(
        template.assignments,
        ([sheet.share_cell(column, one, share) for column in template.assignments] for one, share in shares),
    )
    files = {f"orders_{name}.csv": orders, f"assignments_{name}.csv": assignments}
    manifest = _manifest(template, name, changes, len(shares), files, at)
    files[f"manifest_{name}.json"] = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    batch = XactlyBatch(name, str(period), number, at, len(changes), len(shares), files=files)
    return batch, [_ledger_row(template, one) for one in changes]


def _name(template: Template, period: Period, number: int) -> str:
    """A name serves one period, and is used once."""
    name = template.batch_name.replace("{period}", str(period))
    if "{number}" in name:
        return name.replace("{number}", str(number))
    return name if number == 1 else f"{name}-{number}"


def _ledger_row(template: Template, one: Change) -> XactlyRow:
    line = one.line
    return XactlyRow(
        deal=line.deal,
        part=line.part,
        version=one.version,
        order_code=line.order_code,
        digest=digest_of(template, line),
        is_reversal=one.is_reversal,
        is_standing=not one.is_reversal,
        document=msgspec.json.encode(line),
    )


def _manifest(
    template: Template, name: str, changes: Sequence[Change], assignments: int, files: dict[str, str], at: datetime
) -> dict[str, object]:
    totals: dict[str, Decimal] = {}
    for one in changes:
        totals[one.line.currency] = totals.get(one.line.currency, Decimal(0)) + Decimal(_amount(one))
    ((currency, total),) = totals.items() if len(totals) == 1 else ((None, None),)
    return {
        "batch": name,
        "order_type": template.order_type,
        "rows": len(changes),
        "reversals": sum(one.is_reversal for one in changes),
        "assignments": assignments,
        "amount_total": None if total is None else str(total),
        "currency": currency,
        "amount_totals": {key: str(totals[key]) for key in sorted(totals)},
        "sha256": {key: hashlib.sha256(text.encode()).hexdigest() for key, text in files.items()},
        "generated_at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _amount(one: Change) -> str:
    return negative(one.line.amount) if one.is_reversal else one.line.amount


def negative(number: str) -> str:
    """The opposite of a number that is written out; nothing, and what is none, stay as they are."""
    try:
        is_zero = not Decimal(number)
    except ArithmeticError:
        return number
    return number if is_zero else number.removeprefix("-") if number.startswith("-") else f"-{number}"


class _Sheet:
    """The cells of one batch."""

    def __init__(self, template: Template, period: Period, batch: str) -> None:
        self._template = template
        self._period_name = period.first.strftime(template.period_name)
        self._batch = batch

    def order_cell(self, column: Column, one: Change) -> str:
        """A cell of orders."""
        if column.role:
            return self._known(column.role, one)
        text = one.line.cells.get(column.header, "")
        return negative(text) if column.is_negated and one.is_reversal else text

    def share_cell(self, column: Column, one: Change, share: Share) -> str:
        """A cell of assignments."""
        if column.role == "employee_id":
            return share.employee_id
        if column.role == "split_percent":
            return share.percent
        return self._known(column.role, one) if column.role else share.cells.get(column.header, "")

    def text(self, columns: Sequence[Column], rows: Iterable[list[str]]) -> str:
        """The whole file."""
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator=self._template.line_end)
        writer.writerow([column.header for column in columns])
        if self._template.escapes_formulas:
            amounts = [column.is_negated for column in columns]
            rows = ([cell if free else _escaped(cell) for cell, free in zip(row, amounts, strict=True)] for row in rows)
        writer.writerows(rows)
        return file.getvalue()

    def _known(self, role: str, one: Change) -> str:
        template, line = self._template, one.line
        known = {
            "batch": self._batch,
            "batch_type": template.batch_type,
            "period": self._period_name,
            "order_code": self._code(one),
            "item_code": line.part,
            "order_type": template.order_type,
            "amount": _amount(one),
            "currency": line.currency,
            "incentive_date": line.on.strftime(template.date_format),
            "related_order_code": self._related(one),
        }
        return known[role]

    def _version_code(self, one: Change) -> str:
        """The order code of the version itself."""
        ending = "" if one.version == 1 else self._template.again_suffix.replace("{version}", str(one.version))
        return one.line.order_code + ending

    def _code(self, one: Change) -> str:
        """As it goes out: a reversal counts the versions of its line."""
        if one.is_reversal:
            return one.line.order_code + self._template.reversal_suffix.replace("{version}", str(one.version))
        return self._version_code(one)

    def _related(self, one: Change) -> str:
        """Of a reversal the order that it takes back; of a later version the first one."""
        if one.is_reversal:
            return self._version_code(one)
        return one.line.order_code if self._version_code(one) != one.line.order_code else ""


def _escaped(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
