"""`syncd policy simulate`: how a simulation looks, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from syncd.cli.output import Output
from syncd.cli.shared import Json, globals_of, house

if TYPE_CHECKING:
    from syncd.app.simulate import Progress
    from syncd.policy import Policy
    from syncd.simulations import Simulated

_BAR = 50
"""Characters of the longest bar."""

_WORDS = {
    "moves": "changes of status",
    "converted": "converted",
    "opportunities": "opportunities",
    "archived": "archived",
    "deleted": "due for deletion",
    "revived": "revived",
    "holding": "hold periods begun",
}
_REPLAYED = (
    "Each day was judged at its end. What the policy itself moved goes on in that status until a person moves it; "
    "what syncd really moved in this time was left out; owners stayed, and tasks were taken as done at once."
)


def register(policy: typer.Typer) -> None:
    """Add `simulate` to the `policy` commands."""

    @policy.command(
        help="""What a changed policy would do, beside the one in force, without writing anything; with --since over the stored days.

Values of a day in the past that nobody can tell are unknown, and counted; today's never stand in for them.
People are named by their ids only.

Examples:
  syncd policy simulate --with changed.yaml
  syncd policy simulate --with changed.yaml --since 2026-06-01
  syncd policy simulate --with changed.yaml --json
"""
    )
    def simulate(
        context: typer.Context,
        changed: Annotated[Path, typer.Option("--with", help="The changed policy.", metavar="FILE")],
        since: Annotated[
            str | None, typer.Option(help="The first day to replay, in the policy's time zone.", metavar="DATE")
        ] = None,
        as_json: Json = False,
    ) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened, _progress(output) as progress:
            found = opened.simulate_policy(changed, since, progress)
        if as_json:
            output.json(document(found))
        else:
            _show(output, found)


@contextmanager
def _progress(output: Output) -> Iterator[Progress | None]:
    """A line with the people judged so far, at a terminal only."""
    if output.as_json or not output.err.is_terminal:
        yield None
        return
    from rich.status import Status

    seen = 0
    with Status("judging", console=output.err, spinner="dots") as line:

        def show(people: int) -> None:
            nonlocal seen
            seen += people
            line.update(f"judging: {seen:,} people")

        yield show


def document(found: Simulated) -> dict[str, Any]:
    """The simulation as JSON; no personal data but ids."""
    tally = found.tally
    kinds = {rule.rule_id: str(rule.section) for rule in found.policy.rules}
    return {
        "policy": _named(found.policy),
        "in_force": _named(found.in_force),
        "since": found.since,
        "until": found.now,
        "time_zone": found.policy.time_zone,
        "people": tally.people,
        "moved_people": tally.moved_people,
        "evaluations": tally.evaluations,
        "guard": _guard(found),
        "sums": {name: {"count": tally.sums.get(name, 0), "anyway": tally.sums_anyway.get(name, 0)} for name in _WORDS},
        "actions": {kind: {"count": n, "anyway": tally.actions_anyway.get(kind, 0)} for kind, n in sorted(tally.actions.items())},
        "moves": _moves(tally.moves, tally.moves_anyway),
        "lost_moves": _moves(tally.moves_lost),
        "real_moves": _moves(tally.real_moves),
        "rules": [
            {
                "rule_id": rule_id, "section": kinds.get(rule_id, "illegal"), "fired": one.fired, "observed": one.observed,
                "anyway": one.anyway, "unsure": one.unsure, "unsure_fired": one.unsure_fired, "samples": one.samples,
            }
            for rule_id, one in _in_order(found)
        ],
        "unknown": {
            "evaluations": tally.unsure,
            "variables": dict(sorted(tally.unknown.items())),
            "unmirrored": found.unmirrored,
            "untold_people": tally.untold,
            "kept_since": found.kept_since,
        },
        "days": [{"on": day, "kind": kind, "count": count} for (day, kind), count in sorted(tally.days.items())],
        "chart": [{"begins_on": begin, "kinds": kinds} for begin, kinds in _periods(found)],
        "findings": found.findings,
    }  # fmt: skip


def _named(policy: Policy) -> dict[str, str]:
    return {"name": policy.name, "digest": policy.digest, "file": policy.file}


def _guard(found: Simulated) -> dict[str, Any] | None:
    """Whether the first pass under the policy would stop and ask; None for a replay, which says nothing about one pass."""
    from syncd.plan import guard_reason

    if found.since is not None:
        return None
    moved, people, most = found.tally.moved_people, found.tally.people, found.max_changed_share
    reason = guard_reason(guarded=moved, known=people, max_changed_share=most)
    share = round(moved / people, 4) if people else 0.0
    return {"share": share, "max_changed_share": most, "would_stop": reason is not None}


def _moves(counts: Mapping[tuple[str, str], int], anyway: Mapping[tuple[str, str], int] | None = None) -> list[dict[str, Any]]:
    return [
        {"from": way[0], "to": way[1], "count": count, **({} if anyway is None else {"anyway": anyway.get(way, 0)})}
        for way, count in sorted(counts.items())
    ]


def _in_order(found: Simulated) -> list[tuple[str, Any]]:
    """The rules in the order of the policy; what is put right goes first."""
    places = {rule.rule_id: place for place, rule in enumerate(found.policy.rules)}
    return sorted(found.tally.rules.items(), key=lambda one: places.get(one[0], -1))


def _periods(found: Simulated) -> list[tuple[Any, dict[str, int]]]:
    from syncd.app.simulate import periods

    if found.since is None:
        return []
    return periods(found.tally.days, found.since, found.now.astimezone(ZoneInfo(found.policy.time_zone)).date())


# ---------------------------------------------------------------- for people


def _show(output: Output, found: Simulated) -> None:
    told = document(found)
    policy, in_force = found.policy, found.in_force
    for one in found.findings:
        place = f"{policy.file}:{one.line}" if one.line else policy.file
        output.say(f"{one.level:>7}  {place}: {one.message} {one.advice}".rstrip(), "yellow")
    output.line(f"{policy.file}: version {policy.digest[:8]}; in force is {in_force.digest[:8]}.", "bold")
    if found.since is None:
        output.line(f"{found.tally.people:,} people as they are known now. Nothing was written.")
    else:
        days = f"From {found.since} to {told['until']:%Y-%m-%d} ({policy.time_zone})"
        output.line(f"{days}: {found.tally.people:,} people, {found.tally.evaluations:,} verdicts. Nothing was written.")
    _show_sums(output, told, is_replay=found.since is not None)
    _show_rules(output, told, is_replay=found.since is not None)
    _show_chart(output, told)
    _show_unknown(output, told, found)
    if found.since is not None:
        output.line(_REPLAYED, "dim")


def _show_sums(output: Output, told: dict[str, Any], *, is_replay: bool) -> None:
    guard = told["guard"]
    if guard is not None:
        share = f"{told['moved_people']:,} of {told['people']:,} people ({guard['share']:.1%}) would be moved or converted"
        most = f"guard.max_changed_share ({guard['max_changed_share']:g})"
        if guard["would_stop"]:
            output.line(f"{share}: more than {most} allows. The first pass would stop and ask.", "red")
        else:
            output.line(f"{share}; {most} lets that pass.", "green")
    beside = () if is_replay else ("anyway",)

    def row(*names: str, one: Mapping[str, int]) -> tuple[Any, ...]:
        return (*names, one["count"], *(one[name] for name in beside))

    numbers = ("count", *beside)
    deeds = [row(_WORDS[name], one=one) for name, one in told["sums"].items()]
    deeds += [row(f"{kind} actions", one=one) for kind, one in told["actions"].items()]
    output.table("What it would do", ("what", *numbers), deeds, numbers=numbers)
    moves = [row(one["from"], one["to"], one=one) for one in told["moves"]]
    output.table("Changes of status", ("from", "to", *numbers), moves, numbers=numbers)
    if told["lost_moves"]:
        lost = [(one["from"], one["to"], one["count"]) for one in told["lost_moves"]]
        output.table("Only the policy in force moves", ("from", "to", "count"), lost, numbers=("count",))
    if is_replay:
        real = [(one["from"], one["to"], one["count"]) for one in told["real_moves"]]
        output.table("What syncd really moved in this time", ("from", "to", "count"), real, numbers=("count",))


def _show_rules(output: Output, told: dict[str, Any], *, is_replay: bool) -> None:
    name = "of these unsure" if is_replay else "anyway"
    key = "unsure_fired" if is_replay else "anyway"
    rows = [
        (one["rule_id"], one["section"], one["fired"], one[key], one["observed"], ", ".join(map(_who, one["samples"][:2])))
        for one in told["rules"]
        if one["fired"] or one["observed"]
    ]
    numbers = ("fires", name, "observed")
    output.table("Rules", ("rule", "kind", *numbers, "for example"), rows, numbers=numbers)


def _who(sample: Any) -> str:
    return str(sample.sf_id or sample.person_id)


def _show_chart(output: Output, told: dict[str, Any]) -> None:
    """A bar for each week or month, and what kinds of rules it is made of."""
    sums = [(one["begins_on"], sum(one["kinds"].values()), one["kinds"]) for one in told["chart"]]
    most = max((total for _, total, _ in sums), default=0)
    if most:
        rows = [
            (
                begin.isoformat(),
                "█" * -(-total * _BAR // most),
                total,
                ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())),
            )
            for begin, total, kinds in sums
        ]
        output.table("Moved and converted", ("from", "", "count", "by"), rows, numbers=("count",))


def _show_unknown(output: Output, told: dict[str, Any], found: Simulated) -> None:
    unknown = told["unknown"]
    if found.unmirrored:
        names = ", ".join(found.unmirrored)
        output.line(f"Not mirrored for the policy in force, so unknown here: {names}.", "yellow")
    output.line(f"Unknown values: {unknown['evaluations']:,} of {told['evaluations']:,} verdicts depended on them.")
    if unknown["variables"]:
        rows = sorted(unknown["variables"].items(), key=lambda one: (-one[1], one[0]))
        output.table("Could not be told", ("variable", "verdicts"), rows, numbers=("verdicts",))
    if found.tally.untold:
        output.line(
            f"{found.tally.untold:,} people were not judged on some days: their record was deleted, merged or converted since."
        )
    if found.since is not None and found.kept_since is not None and found.kept_since.date() > found.since:
        output.line(f"Before {found.kept_since:%Y-%m-%d} not all of the history is kept.", "yellow")
