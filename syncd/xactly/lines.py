"""One opportunity to the lines that Xactly should hold of it now, or to what is wrong with it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import msgspec

from syncd.model import OrgRow, Value
from syncd.xactly.model import Assign, Column, Format, Items, Path, Template

WHOLE = "1"
"""The item code of an opportunity that is exported as a whole."""
_CENT = Decimal("0.01")
_ALL = Decimal(100)
Cells = dict[str, str]
Rows = Mapping[str, OrgRow | None]
"""How a path begins to the record that is meant."""


class Deal(msgspec.Struct, frozen=True):
    """An opportunity with what hangs on it; `sharers` are its splits or team members, {} of users is nobody."""

    row: OrgRow
    account: OrgRow | None = None
    items: tuple[OrgRow, ...] = ()
    sharers: tuple[OrgRow, ...] = ()


class Share(msgspec.Struct, frozen=True):
    """One assignment: who, and how much in percent; `cells` by header."""

    employee_id: str
    percent: str
    cells: Cells = {}


class Line(msgspec.Struct, frozen=True):
    """One order row with its assignments, as it is kept in the ledger: texts as they were written.

    Attributes:
        deal, part: Id of the opportunity and of the line; the part is the item code.
        order_code: As it is in the org, "" for none.
        amount: Two digits, with its sign.
        on: The incentive date.
        cells: Header to text, of the columns that come from the org or are always the same.
    """

    deal: str
    part: str
    order_code: str
    amount: str
    currency: str
    on: date
    cells: Cells = {}
    shares: tuple[Share, ...] = ()


class Refusal(msgspec.Struct, frozen=True):
    """Why a line (`part`), or a whole opportunity (""), is not exported; the sentence quotes ids only."""

    deal: str
    part: str
    reason: str
    message: str


def lines_of(template: Template, deal: Deal, users: Mapping[str, OrgRow]) -> tuple[list[Line], list[Refusal]]:
    """What should be exported of an opportunity that is won, and what cannot be.

    Args:
        template: The customer's.
        deal: The opportunity.
        users: By id, those that may be seen.
    """
    try:
        sharers = tuple(_sharers(template, deal, users))
        items = _items(template, deal)
    except _RefusedError as refused:
        return [], [Refusal(deal.row.sf_id, "", *refused.told)]
    order_code = _text(deal.row, template.order_code)
    lines, refusals = [], []
    for item in items:
        part = WHOLE if item is None else item.sf_id
        try:
            lines.append(_line(template, deal, item, order_code, users.get(deal.row.owner_id), sharers))
        except _RefusedError as refused:
            refusals.append(Refusal(deal.row.sf_id, part, *refused.told))
    return lines, refusals


def digest_of(template: Template, line: Line) -> bytes:
    """Of everything that is compared."""
    return hashlib.blake2b(msgspec.json.encode(_compared(template, line, line), order="sorted"), digest_size=16).digest()


def is_changed(template: Template, old: Line, new: Line) -> bool:
    """Whether something that is compared is another; what only one of the two has a column for is not."""
    return _compared(template, old, new) != _compared(template, new, old)


class _RefusedError(Exception):
    """A line cannot be exported."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.told = (reason, message)


def _compared(template: Template, line: Line, other: Line) -> tuple[object, ...]:
    headers = [one.header for one in template.orders if one.is_compared and not one.role]
    of_shares = [one.header for one in template.assignments if one.is_compared and not one.role]
    known = {header for share in other.shares for header in share.cells}
    date_counts = all(one.is_compared for one in template.orders if one.role == "incentive_date")
    cells = [(header, line.cells[header]) for header in headers if header in line.cells and header in other.cells]
    shares = sorted(
        (one.employee_id, one.percent, [(key, one.cells[key]) for key in of_shares if key in one.cells and key in known])
        for one in line.shares
    )
    return (line.amount, line.currency, line.on.isoformat() if date_counts else "", cells, shares)


def _items(template: Template, deal: Deal) -> Sequence[OrgRow | None]:
    """What becomes a row: the line items, or None for the opportunity itself."""
    if template.items is Items.OPPORTUNITY:
        return (None,)
    if not deal.items:
        raise _RefusedError("no_line_items", "The opportunity has no line items.")
    return deal.items


def _line(
    template: Template, deal: Deal, item: OrgRow | None, order_code: str, owner: OrgRow | None, sharers: Sequence[_Sharer]
) -> Line:
    rows: dict[str, OrgRow | None] = {"Opportunity": deal.row, "LineItem": item, "Account": deal.account, "User": owner}
    amount = money(_value(rows, template.amount))
    if amount is None:
        raise _RefusedError("no_amount", f"{template.amount} is blank.")
    currency = template.currency if isinstance(template.currency, str) else str(_value(rows, template.currency) or "")
    if not currency:
        raise _RefusedError("no_currency", f"{template.currency} is blank.")
    on = day_of(_value(rows, template.incentive_date), template.zone)
    if on is None:
        raise _RefusedError("no_date", f"{template.incentive_date} is blank, or no day.")
    return Line(
        deal=deal.row.sf_id,
        part=WHOLE if item is None else item.sf_id,
        order_code=order_code,
        amount=str(amount),
        currency=currency,
        on=on,
        cells=_cells(template, template.orders, rows),
        shares=tuple(
            Share(one.employee_id, one.percent, _cells(template, template.assignments, {**rows, "User": one.user, **one.rows}))
            for one in sharers
        ),
    )


# ---------------------------------------------------------------- who gets it


class _Sharer(msgspec.Struct, frozen=True):
    employee_id: str
    percent: str
    user: OrgRow
    rows: dict[str, OrgRow | None]


def _sharers(template: Template, deal: Deal, users: Mapping[str, OrgRow]) -> Iterator[_Sharer]:
    total = Decimal(0)
    count = 0
    for user_id, percent, rows in _claims(template, deal):
        if percent is None:
            raise _RefusedError("no_percent", f"{template.split_percent} of user {user_id} is blank.")
        user = users.get(user_id)
        if user is None:
            raise _RefusedError("no_user", f"The integration user cannot see user {user_id or '(none)'}.")
        employee_id = str(user.fields.get(template.employee_field) or "").strip()
        if not employee_id:
            raise _RefusedError("no_employee_id", f"{template.employee_field} of user {user_id} is blank.")
        total += percent
        count += 1
        yield _Sharer(employee_id, plain(percent), user, rows)
    if not count:
        what = f"splits of the type {template.split_type}" if template.assign is Assign.SPLIT else "team members"
        raise _RefusedError("no_split", f"The opportunity has no {what}.")
    if template.split_total is not None and total != template.split_total:
        raise _RefusedError("split_total", f"The shares add up to {plain(total)}, not to {template.split_total}.")


def _claims(template: Template, deal: Deal) -> Iterator[tuple[str, Decimal | None, dict[str, OrgRow | None]]]:
    """User, percent, and the record that says so, in a fixed order."""
    if template.assign is Assign.OWNER or template.split_percent is None:
        yield deal.row.owner_id, _ALL, {}
        return
    field = "SplitOwnerId" if template.assign is Assign.SPLIT else "UserId"
    for one in sorted(deal.sharers, key=lambda row: row.sf_id):
        percent = _number(one.fields.get(template.split_percent.field))
        yield str(one.fields.get(field) or ""), percent, {template.split_percent.root: one}


# ---------------------------------------------------------------- values


def money(value: Value) -> Decimal | None:
    """An amount with two digits, half a cent up; None for none."""
    found = _number(value)
    return None if found is None else found.quantize(_CENT, ROUND_HALF_UP)


def plain(number: Decimal) -> str:
    """A number as people write it: no exponent, no zeros at the end of its fraction."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def day_of(value: Value, zone: ZoneInfo) -> date | None:
    """The day of a date, or of an instant in the compensation calendar's zone; None for neither."""
    if not isinstance(value, str):
        return None
    try:
        if "T" in value:
            return datetime.fromisoformat(value).astimezone(zone).date()
        return date.fromisoformat(value)
    except ValueError:
        return None


def _number(value: Value) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        # By its text: a float of the org's JSON is the shortest one that means the number.
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _value(rows: Rows, path: Path) -> Value:
    row = rows.get(path.root)
    if row is None:
        return None
    return row.sf_id if path.field == "Id" else row.fields.get(path.field)


def _text(row: OrgRow, path: Path) -> str:
    return str(_value({path.root: row}, path) or "").strip()


def _cells(template: Template, columns: Sequence[Column], rows: Rows) -> Cells:
    found = {}
    for column in columns:
        if column.path is not None:
            text = written(_value(rows, column.path), column.format, template) or column.default
            if column.is_required and not text:
                raise _RefusedError("value_missing", f'"{column.header}" ({column.path}) is blank.')
            found[column.header] = text
        elif not column.role:
            found[column.header] = column.value
    return found


def written(value: Value, form: Format, template: Template) -> str:
    """A value of the org as the file has it; "" for none."""
    if value is None:
        return ""
    if form is Format.DATE:
        day = day_of(value, template.zone)
        return "" if day is None else day.strftime(template.date_format)
    if form is Format.AMOUNT:
        amount = money(value)
        return "" if amount is None else str(amount)
    if isinstance(value, bool):
        return "true" if value else "false"
    number = _number(value) if isinstance(value, int | float) else None
    return str(value) if number is None else plain(number)
