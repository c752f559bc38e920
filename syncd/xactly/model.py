"""The customer's own template, checked: which opportunities, which columns, how they are written."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

OBJECTS = {
    "Opportunity": "Opportunity",
    "LineItem": "OpportunityLineItem",
    "Split": "OpportunitySplit",
    "TeamMember": "OpportunityTeamMember",
    "User": "User",
    "Account": "Account",
}
"""How paths of a template begin, and the object that is meant. Contacts and leads are not among them: their data is nobody's business there."""


class Items(StrEnum):
    """What one row is."""

    OPPORTUNITY = "opportunity"
    LINE = "line"


class Assign(StrEnum):
    """Who is credited."""

    OWNER = "owner"
    SPLIT = "split"
    TEAM = "team"


class Format(StrEnum):
    """How a value of the org is written."""

    TEXT = "text"
    DATE = "date"
    AMOUNT = "amount"


class Path(msgspec.Struct, frozen=True):
    """`Opportunity.Amount`: where a value comes from, and where that stands in the file."""

    root: str
    field: str
    line: int = 0
    column: int = 0

    @property
    def object(self) -> str:
        """API name of the object."""
        return OBJECTS[self.root]

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.root}.{self.field}"


class Column(msgspec.Struct, frozen=True):
    """One column: what syncd knows (`role`), a field of the org (`path`), or always the same (`value`).

    Attributes:
        default: Instead of a blank.
        is_required: A line that has nothing here is refused.
        is_compared: A change here reverses the line.
        is_negated: A reversal has the opposite number.
    """

    header: str
    role: str = ""
    path: Path | None = None
    value: str = ""
    default: str = ""
    format: Format = Format.TEXT
    is_required: bool = False
    is_compared: bool = True
    is_negated: bool = False


class Template(msgspec.Struct, frozen=True):
    """The whole file.

    Attributes:
        start_on: Opportunities that close before are never exported.
        currency: A path, or what every amount is in.
        employee_field: Field of User by which payroll knows a payee.
        split_type: Developer name of the split type that counts.
        split_percent: Where a share stands; None for owners, who get all.
        split_total: What the shares of a line add up to; None: anything.
        period_name, date_format: strftime.
        batch_name: With `{period}`, and `{number}` or a number at its end.
        reversal_suffix, again_suffix: With `{version}`; what an order code gets.
    """

    file: str
    start_on: date
    items: Items
    order_type: str
    order_code: Path
    amount: Path
    currency: Path | str
    incentive_date: Path
    employee_field: str
    assign: Assign
    split_type: str
    split_percent: Path | None
    split_total: int | None
    zone: ZoneInfo
    period_name: str
    batch_name: str
    batch_type: str
    max_rows: int
    reversal_suffix: str
    again_suffix: str
    date_format: str
    line_end: str
    escapes_formulas: bool
    orders: tuple[Column, ...]
    assignments: tuple[Column, ...]
