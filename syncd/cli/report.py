"""`syncd report`: how leads moved, with every number's period and definition."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncd.cli import xactly
from syncd.cli.output import Output
from syncd.cli.shared import Json, globals_of, house
from syncd.errors import ConfigError

if TYPE_CHECKING:
    from syncd.app.kpi import KpiReport
    from syncd.app.kpi_words import Measure

Since = Annotated[str, typer.Option("--since", help="The first day; 30 days before the end if it is left out.", metavar="DATE")]
Until = Annotated[str, typer.Option("--until", help="The day after the last one; now if it is left out.", metavar="DATE")]
_COLUMNS = (
    "number",
    "status",
    "to",
    "source",
    "rule",
    "reason",
    "path",
    "value",
    "unit",
    "since",
    "until",
    "note",
    "definition",
    "table",
)
_COUNTS = ("leads", "times")
_MOST_SOURCES = 8
"""Columns of a table with a column for each source; with more each source has a row."""


def register(app: typer.Typer) -> None:
    """Add the `report` commands to `app`."""
    report = typer.Typer(no_args_is_help=True, help="What became of leads, counted.")
    app.add_typer(report, name="report")
    xactly.register(report)

    @report.command(
        help="""How leads moved: funnel by status and source, rates from stage to stage, speed to lead, overdue calls, where unqualified
leads went, archived and revived. Every number says what it counts and of which days.

Days are those of the policy's time zone; --until does not belong to the period. Nothing is asked of the org.

Examples:
  syncd report kpi
  syncd report kpi --since 2026-01-01 --until 2026-02-01
  syncd report kpi --since 2026-01-01 --csv > january.csv
  syncd report kpi --json
"""
    )
    def kpi(
        context: typer.Context,
        since: Since = "",
        until: Until = "",
        as_csv: Annotated[bool, typer.Option("--csv", help="Print one line for each number as CSV.")] = False,
        as_json: Json = False,
    ) -> None:
        output = globals_of(context).output(as_json=as_json)
        if as_csv and as_json:
            raise ConfigError("--csv and --json exclude each other.", advice="Choose one of them.")
        with house(context) as opened:
            found = opened.kpi(since, until)
        if as_json:
            output.json(_document(found))
        elif as_csv:
            _write_csv(found)
        else:
            _show(output, found)


def _document(found: KpiReport) -> dict[str, Any]:
    """The report for machines: every number with its labels, under its definition and period."""
    return {
        "policy": found.policy,
        "digest": found.digest,
        "time_zone": found.time_zone,
        "since": found.since,
        "until": found.until,
        "statuses_noted_since": found.noted_since,
        "measures": [
            {
                "name": one.meaning.name,
                "group": one.meaning.group,
                "definition": one.meaning.definition,
                "unit": one.meaning.unit,
                "table": one.meaning.table,
                "period": {"since": one.since, "until": one.until},
                "is_told": one.is_told,
                "note": one.note,
                "numbers": [
                    {**dict(zip(one.meaning.labels, figure.labels, strict=True)), "value": figure.value} for figure in one.figures
                ],
            }
            for one in found.measures
        ],
    }


def _write_csv(found: KpiReport) -> None:
    """One line for each number; a kind of number that cannot be told, or has none, has one line without a value."""
    writer = csv.DictWriter(sys.stdout, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for one in found.measures:
        said = one.meaning
        common = {"number": said.name, "unit": said.unit, "definition": said.definition, "table": said.table, "note": one.note}
        common |= {"since": _iso(one.since), "until": _iso(one.until)}
        for figure in one.figures:
            value = "" if figure.value is None else str(figure.value)
            labels = dict(zip(said.labels, (_plain(label) for label in figure.labels), strict=True))
            writer.writerow({**common, **labels, "value": value})
        if not one.figures:
            writer.writerow({**common, "value": "0" if one.is_told and said.unit in _COUNTS else ""})


def _plain(label: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{label}" if label[:1] in ("=", "+", "-", "@") else label


def _iso(at: Any) -> str:
    return "" if at is None else str(at.isoformat())


def _show(output: Output, found: KpiReport) -> None:
    zone = found.time_zone
    name = f'Policy "{found.policy}" ' if found.policy else "Policy "
    output.line(f"{name}{found.digest[:8]}, {_day(found.since, zone)} to {_day(found.until, zone)} ({zone})", "bold")
    groups = dict.fromkeys(one.meaning.group for one in found.measures)
    for group in groups:
        output.line()
        output.line(group, "bold")
        members = [one for one in found.measures if one.meaning.group == group]
        for title, columns, rows, labels in _tables(members):
            output.table(title, columns, rows, numbers=columns[labels:])
        _footnotes(output, members, zone)


def _footnotes(output: Output, members: Sequence[Measure], zone: str) -> None:
    """What the numbers of a group mean; what several have in common is said once."""
    for one in members:
        output.line(f"  {_shown_name(one)} ({one.meaning.unit}): {one.meaning.definition}", "dim")
    for period, names in _together((_period(one, zone), _shown_name(one)) for one in members):
        output.line(f"  Period of {names}: {period}.", "dim")
    for note, names in _together((one.note, _shown_name(one)) for one in members if one.note):
        output.line(f"  {names}: {note}", "yellow")


def _together(said: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each text once, with the names of all that it is about."""
    found: dict[str, list[str]] = {}
    for text, name in said:
        found.setdefault(text, []).append(name)
    return ((text, ", ".join(names)) for text, names in found.items())


def _period(one: Measure, zone: str) -> str:
    until = "never" if one.until is None else _day(one.until, zone)
    return f"{_day(one.since, zone)} to {until}" if one.since is not None else f"as of {until}"


def _day(at: Any, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return str(at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"))


def _shown_name(one: Measure) -> str:
    return one.meaning.name.replace("_", " ")


_Rows = list[tuple[Any, ...]]


def _tables(members: Sequence[Measure]) -> Iterator[tuple[str, tuple[str, ...], _Rows, int]]:
    """Title, columns, rows, and how many columns are labels: those with the same labels side by side, those by status and source with a column for each source."""
    by_labels: dict[tuple[str, ...], list[Measure]] = {}
    for one in members:
        if one.is_told and one.figures:
            by_labels.setdefault(one.meaning.labels, []).append(one)
    for labels, together in by_labels.items():
        if (
            labels == ("status", "source")
            and len({figure.labels[1] for one in together for figure in one.figures}) <= _MOST_SOURCES
        ):
            for one in together:
                yield _crossed(one)
            continue
        keys = dict.fromkeys(figure.labels for one in together for figure in one.figures)
        values = [{figure.labels: figure.value for figure in one.figures} for one in together]
        rows = [(*key, *(_value(known, key, one) for known, one in zip(values, together, strict=True))) for key in keys]
        yield "", (*labels, *(_shown_name(one) for one in together)), rows, len(labels)


def _crossed(one: Measure) -> tuple[str, tuple[str, ...], _Rows, int]:
    statuses = list(dict.fromkeys(figure.labels[0] for figure in one.figures))
    sources = sorted({figure.labels[1] for figure in one.figures})
    values = {figure.labels: figure.value or 0 for figure in one.figures}
    rows = [
        (status, sum(values.get((status, source), 0) for source in sources), *(values.get((status, name), 0) for name in sources))
        for status in statuses
    ]
    return _shown_name(one).capitalize(), ("status", "all", *sources), rows, 1


def _value(known: dict[tuple[str, ...], float | None], key: tuple[str, ...], one: Measure) -> Any:
    if key not in known:
        # Of a rule the other number says nothing; what came from no source, and what went nowhere, is none.
        return 0 if one.meaning.unit in _COUNTS and "rule" not in one.meaning.labels else None
    value = known[key]
    return f"{value} %" if value is not None and one.meaning.unit == "%" else value
