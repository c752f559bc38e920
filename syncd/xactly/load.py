"""A template file to a Template, with every problem of the file at once. Pure: text in, value or ConfigError out."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from syncd.document import Node, Problems, parse_document, suggest
from syncd.xactly.columns import ASSIGNMENT_ROLES, ORDER_ROLES, ColumnReader, read_path
from syncd.xactly.model import Assign, Items, Path, Template

TOP_KEYS = (
    "version",
    "start_on",
    "items",
    "order_type",
    "order_code",
    "amount",
    "currency",
    "incentive_date",
    "employee_id",
    "assign",
    "split_type",
    "split_percent",
    "split_total",
    "calendar",
    "batch",
    "codes",
    "format",
    "orders",
    "assignments",
)
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ROWS = 20_000
"""Rows of a batch (sources.md 10)."""
_SHARE_ROOT = {Assign.SPLIT: "Split", Assign.TEAM: "TeamMember"}


def load_template(text: str, file: str) -> Template:
    """Read and check a template; see `org_problems` for what the org says to it.

    Raises:
        ConfigError: All problems with file, line, column and a close match.
    """
    return _Loader(parse_document(text, file)).load()


class _Loader:
    def __init__(self, root: Node) -> None:
        self._root = root
        self._problems = Problems()

    def load(self) -> Template:
        root, problems = self._root, self._problems
        problems.unknown_keys(root, TOP_KEYS, "A template")
        version = root.get("version")
        if version is None or version.scalar != 1:
            problems.add(version or root, "A template begins with version: 1.")
        items = Items(self._word(root, "items", [one.value for one in Items], "opportunity"))
        assign = Assign(self._word(root, "assign", [one.value for one in Assign], "owner"))
        deal_roots = ["Opportunity", *(["LineItem"] if items is Items.LINE else [])]
        default_amount = "LineItem.TotalPrice" if items is Items.LINE else "Opportunity.Amount"
        calendar = self._section("calendar", ("time_zone", "period_name"))
        batch = self._section("batch", ("name", "type", "max_rows"))
        codes = self._section("codes", ("reversal", "again"))
        form = self._section("format", ("date", "line_end", "escape_formulas"))
        order_type = self._text(root, "order_type", "Closed Won")
        share_roots = [one for one in (_SHARE_ROOT.get(assign),) if one]
        orders = ColumnReader(problems, ORDER_ROLES, [*deal_roots, "Account", "User"]).read(root, "orders")
        columns = ColumnReader(problems, ASSIGNMENT_ROLES, [*deal_roots, "Account", "User", *share_roots])
        values: dict[str, Any] = {
            "start_on": self._start(),
            "items": items,
            "assign": assign,
            "order_type": order_type,
            "order_code": self._path("order_code", "Opportunity.Id", ["Opportunity"]),
            "amount": self._path("amount", default_amount, deal_roots),
            "currency": self._currency(deal_roots),
            "incentive_date": self._path("incentive_date", "Opportunity.CloseDate", deal_roots),
            "employee_field": self._field("employee_id"),
            "split_type": self._text(root, "split_type", "Revenue"),
            "split_percent": self._percent(assign),
            "split_total": self._total(),
            "zone": self._zone(calendar),
            "period_name": self._time_format(calendar, "period_name", "%Y-%m"),
            "batch_name": self._batch_name(batch),
            "batch_type": self._text(batch, "type", order_type),
            "max_rows": self._rows(batch),
            "reversal_suffix": self._suffix(codes, "reversal", "-R{version}", is_needed=True),
            "again_suffix": self._suffix(codes, "again", "-V{version}", is_needed=False),
            "date_format": self._time_format(form, "date", "%Y-%m-%d"),
            "line_end": _LINE_ENDS[self._word(form, "line_end", list(_LINE_ENDS), "crlf")],
            "escapes_formulas": self._flag(form, "escape_formulas"),
            "orders": orders,
            "assignments": columns.read(root, "assignments"),
        }
        if values["reversal_suffix"] == values["again_suffix"]:
            problems.add(codes or root, "codes.reversal and codes.again are two different endings.")
        problems.raise_if_any()
        return Template(file=root.file, **values)

    # ------------------------------------------------------------------ parts

    def _section(self, name: str, keys: tuple[str, ...]) -> Node | None:
        node = self._root.get(name)
        if node is None:
            return None
        if node.kind != "mapping":
            self._problems.add(node, f"{name} is a mapping with {', '.join(keys)}.")
            return None
        self._problems.unknown_keys(node, keys, name)
        return node

    def _start(self) -> date:
        node = self._root.get("start_on")
        text = "" if node is None else str(node.scalar)
        try:
            return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day
        except ValueError:
            advice = "Opportunities that close before are never exported: others have told Xactly of them."
            self._problems.add(node or self._root, "start_on is a day such as 2026-01-01.", advice)
            return date.max

    def _path(self, key: str, default: str, roots: list[str]) -> Path:
        node = self._root.get(key)
        return read_path(self._problems, node, key, default if node is None else str(node.scalar), roots)

    def _currency(self, roots: list[str]) -> Path | str:
        node = self._root.get("currency")
        if node is None or node.kind != "mapping":
            return self._path("currency", "Opportunity.CurrencyIsoCode", roots)
        value = node.get("value")
        if value is None or len(node.entries) != 1 or not re.fullmatch(r"[A-Z]{3}", str(value.scalar)):
            self._problems.add(node, "currency is a path, or {value: EUR} where the org has one currency only.")
            return ""
        return str(value.scalar)

    def _field(self, key: str) -> str:
        found = self._text(self._root, key, "EmployeeNumber").removeprefix("User.")
        if not _FIELD.fullmatch(found):
            self._problems.add(self._root.get(key) or self._root, f"{key} is the name of a field of User.")
        return found

    def _percent(self, assign: Assign) -> Path | None:
        node = self._root.get("split_percent")
        if assign is Assign.OWNER:
            if node is not None:
                self._problems.add_key(
                    self._root, "split_percent", "An owner gets all: split_percent goes with assign: split or team."
                )
            return None
        if assign is Assign.TEAM and node is None:
            advice = "Name the field that holds it: split_percent: TeamMember.Split__c."
            self._problems.add(self._root.get("assign") or self._root, "Salesforce has no share of a team member.", advice)
            return None
        return self._path("split_percent", "Split.SplitPercentage", [_SHARE_ROOT[assign]])

    def _total(self) -> int | None:
        node = self._root.get("split_total")
        if node is None:
            return 100
        if node.kind == "scalar" and (
            node.scalar is None or (isinstance(node.scalar, int) and not isinstance(node.scalar, bool))
        ):
            return node.scalar
        self._problems.add(node, "split_total is a number such as 100, or null where shares may add up to anything.")
        return None

    def _zone(self, calendar: Node | None) -> ZoneInfo:
        name = self._text(calendar, "time_zone", "UTC")
        if name not in available_timezones():
            place = calendar.get("time_zone") if calendar is not None else None
            message = "calendar.time_zone is a name of the IANA time zone database."
            self._problems.add(place or self._root, message, suggest(name, available_timezones()))
            return ZoneInfo("UTC")
        return ZoneInfo(name)

    def _batch_name(self, batch: Node | None) -> str:
        name = self._text(batch, "name", "syncd-closedwon-{period}")
        shown = name.replace("{period}", "2026-03").replace("{number}", "1")
        if "{period}" not in name or not _FILE_NAME.fullmatch(shown):
            place = batch.get("name") if batch is not None else None
            advice = "It is part of file names: letters, digits, dots, - and _."
            self._problems.add(place or self._root, "batch.name has {period} in it: a batch serves one period.", advice)
        return name

    def _rows(self, batch: Node | None) -> int:
        node = batch.get("max_rows") if batch is not None else None
        if node is None:
            return _ROWS
        if not isinstance(node.scalar, int) or isinstance(node.scalar, bool) or not 1 <= node.scalar <= _ROWS:
            self._problems.add(node, f"batch.max_rows is a number from 1 to {_ROWS}.")
            return _ROWS
        return node.scalar

    def _suffix(self, codes: Node | None, key: str, default: str, *, is_needed: bool) -> str:
        found = self._text(codes, key, default)
        if (is_needed or found) and (
            "{version}" not in found or not re.fullmatch(r"[A-Za-z0-9._-]+", found.replace("{version}", "1"))
        ):
            place = codes.get(key) if codes is not None else None
            self._problems.add(place or self._root, f"codes.{key} is an ending such as {default}.")
        return found

    def _time_format(self, parent: Node | None, key: str, default: str) -> str:
        found = self._text(parent, key, default)
        if re.sub(r"%[YymdbBj%]", "", found).count("%"):
            place = parent.get(key) if parent is not None else None
            self._problems.add(place or self._root, f"{key} is made of %Y %y %m %d %b %B %j and other characters.")
            return default
        return found

    def _flag(self, parent: Node | None, key: str) -> bool:
        node = parent.get(key) if parent is not None else None
        if node is not None and not isinstance(node.scalar, bool):
            self._problems.add(node, f"{key} is true or false.")
        return node is not None and node.scalar is True

    def _word(self, parent: Node | None, key: str, legal: list[str], default: str) -> str:
        node = parent.get(key) if parent is not None else None
        if node is None:
            return default
        if node.scalar not in legal:
            self._problems.add(node, f"{key} is one of {', '.join(legal)}.", suggest(str(node.scalar), legal))
            return default
        return str(node.scalar)

    def _text(self, parent: Node | None, key: str, default: str) -> str:
        node = parent.get(key) if parent is not None else None
        if node is None:
            return default
        if node.kind != "scalar" or isinstance(node.scalar, bool):
            self._problems.add(node, f"{key} is a text.")
            return default
        return "" if node.scalar is None else str(node.scalar)
