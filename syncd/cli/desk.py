"""What needs a person: `syncd review`, `syncd deadletter`, `syncd runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from syncd.app.asking import is_busy
from syncd.app.desk import ACTION_UNKNOWN, OPT_OUT_STORM, accept_review, forgotten_before, reject_review, replay, runs_of
from syncd.cli.output import Output, shown
from syncd.cli.shared import Json, Yes, ask_daemon, confirm, globals_of, house
from syncd.errors import ConfigError, StoreError
from syncd.ports import DeadLetter, Review

Source = Annotated[str, typer.Option("--source", help="Only those of one source.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Ids; with --all none.", metavar="[ID]...")]
All = Annotated[bool, typer.Option("--all", help="All open ones.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    _review(app)
    _deadletter(app)
    _runs(app)


def _review(app: typer.Typer) -> None:
    review = typer.Typer(no_args_is_help=True, help="Questions that only a person can answer.")
    app.add_typer(review, name="review")

    @review.command(name="list", help="Open questions.\n\nExamples:\n  syncd review list\n  syncd review list --json\n")
    def list_(context: typer.Context, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.store.reviews()
        if as_json:
            output.json(found)
            return
        output.table(
            "",
            ("review", "question", "since", "from", "candidates"),
            [(one.review_id, one.kind.replace("_", " "), one.at, one.source, len(one.candidates)) for one in found],
            numbers=("candidates",),
        )
        if found:
            output.say(f'Next: "syncd review show {found[0].review_id}".')

    @review.command(help="One question with its candidates.\n\nExamples:\n  syncd review show 12\n")
    def show(context: typer.Context, review_id: str, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = _found(opened.store.review(review_id), review_id)
            held = opened.store.held_opt_outs(found.key) if found.kind == OPT_OUT_STORM else 0
        if as_json:
            output.json(found)
        elif found.kind == OPT_OUT_STORM:
            _show_storm(output, found, held)
        else:
            _show_review(output, found)

    @review.command(
        help="""Answer a question: the person is this candidate (its id), or somebody new (--new).

Examples:
  syncd review accept 12 --candidate 00Q5g00000AbCdEFGH
  syncd review accept 12 --new
  syncd review accept 13            (opt-outs that wait: let them go to the sources)
"""
    )
    def accept(
        context: typer.Context,
        review_id: str,
        candidate: Annotated[str, typer.Option("--candidate", help="Id of the candidate that it is.")] = "",
        new: Annotated[bool, typer.Option("--new", help="It is none of them: somebody new.")] = False,
        as_json: Json = False,
    ) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            accept_review(opened.store, review_id, candidate or None, is_new=new, at=opened.clock.now())
        if as_json:
            output.json({"review_id": review_id, "state": "accepted"})
        else:
            output.line(f'Review {review_id} is answered. The next pass acts on it: "syncd plan" shows how.')

    @review.command(help="Close a question without linking or creating anybody.\n\nExamples:\n  syncd review reject 12\n")
    def reject(context: typer.Context, review_id: str, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = _found(opened.store.review(review_id), review_id)
            reject_review(opened.store, review_id, opened.clock.now())
        if as_json:
            output.json({"review_id": review_id, "state": "rejected"})
        else:
            what = (
                "these opt-outs never go to the sources"
                if found.kind == OPT_OUT_STORM
                else "the record stays stored and nothing is written for it"
            )
            output.line(f"Review {review_id} is closed; {what}.")


def _found(review: Review | None, review_id: str) -> Review:
    if review is None:
        raise ConfigError(f"There is no review {review_id}.", advice='"syncd review list" shows the open ones.')
    return review


def _show_storm(output: Output, one: Review, held: int) -> None:
    output.line(f"Review {one.review_id}: {one.kind.replace('_', ' ')} ({one.state})", "bold")
    output.line(one.reason)
    if one.state == "open":
        output.line(f"Opt-outs that wait: {held}")
        output.say(f'Next: "syncd review accept {one.review_id}" or "syncd review reject {one.review_id}".')


def _show_review(output: Output, one: Review) -> None:
    output.line(f"Review {one.review_id}: {one.kind.replace('_', ' ')} ({one.state})", "bold")
    output.line(one.reason)
    output.line(f"Person {one.person_id} from {one.source or '-'}; more: syncd lead show {one.person_id}")
    if one.kind == ACTION_UNKNOWN:
        output.say(f'Next: "syncd review reject {one.review_id}" when you have looked.' if one.state == "open" else "")
        return
    output.table(
        "Candidates",
        ("id", "kind", "name", "e-mail"),
        [(c.subject_id, c.kind, f"{c.first_name} {c.last_name}".strip(), c.email) for c in one.candidates],
    )
    if one.state == "open" and one.kind == "conversion":
        output.say(
            f'Next: "syncd lead convert {one.person_id} --account ID" (or "--account new"), or "syncd review reject {one.review_id}".'
        )
    elif one.state == "open":
        first = one.candidates[0].subject_id if one.candidates else "ID"
        output.say(
            f'Next: "syncd review accept {one.review_id} --candidate {first}" or "... --new", or "syncd review reject {one.review_id}".'
        )


def _deadletter(app: typer.Typer) -> None:
    letters = typer.Typer(no_args_is_help=True, help="What could not be used, with the reason; ready to be replayed.")
    app.add_typer(letters, name="deadletter")

    @letters.command(
        name="list",
        help="Open dead letters.\n\nExamples:\n  syncd deadletter list\n  syncd deadletter list --source booth --json\n",
    )
    def list_(context: typer.Context, source: Source = "", as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.store.dead_letters(source=source or None)
        if as_json:
            output.json([_letter(one) for one in found])
            return
        output.table(
            "",
            ("id", "source", "where", "reason", "message", "since"),
            [(one.dead_letter_id, one.source, one.locator or one.key[:12], one.reason, one.message, one.at) for one in found],
        )
        if found:
            output.say('Next: "syncd deadletter show ID", then "replay ID" when the cause is mended, or "drop ID".')

    @letters.command(help="One dead letter with the raw payload (personal data).\n\nExamples:\n  syncd deadletter show 7\n")
    def show(context: typer.Context, dead_letter_id: str, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.store.dead_letter(dead_letter_id)
        if found is None:
            raise ConfigError(f"There is no dead letter {dead_letter_id}.", advice='"syncd deadletter list" shows the open ones.')
        if as_json:
            output.json({**_letter(found), "payload": found.payload.decode("utf-8", "replace")})
            return
        for name, value in _letter(found).items():
            output.line(f"{name}: {shown(value)}")
        output.line(f"payload: {found.payload.decode('utf-8', 'replace')}")

    @letters.command(
        name="replay",
        help="Put dead letters back to work.\n\nExamples:\n  syncd deadletter replay 7 8\n  syncd deadletter replay --all --yes\n",
    )
    def replay_(
        context: typer.Context, ids: Ids = None, everything: All = False, yes: Yes = False, as_json: Json = False
    ) -> None:
        _move(context, ids or [], everything=everything, yes=yes, as_json=as_json, verb="replay")

    @letters.command(
        help="Close dead letters for good; they stay listed as dropped.\n\nExamples:\n  syncd deadletter drop 7 --yes\n"
    )
    def drop(context: typer.Context, ids: Ids = None, everything: All = False, yes: Yes = False, as_json: Json = False) -> None:
        _move(context, ids or [], everything=everything, yes=yes, as_json=as_json, verb="drop")


def _move(context: typer.Context, ids: list[str], *, everything: bool, yes: bool, as_json: bool, verb: str) -> None:
    output = globals_of(context).output(as_json=as_json)
    with house(context) as opened:
        chosen = [one.dead_letter_id for one in opened.store.dead_letters(limit=1_000_000)] if everything else ids
        if not chosen and not everything:
            raise ConfigError("No dead letter was named.", advice='Name ids from "syncd deadletter list", or use --all.')
        if len(chosen) > 1 or verb == "drop":
            confirm(f"{len(chosen)} dead letters: {verb}?", verb, yes=yes)
        count = (
            replay(opened.store, chosen, opened.clock.now())
            if verb == "replay"
            else opened.store.drop_dead_letters(chosen, opened.clock.now())
        )
    if as_json:
        output.json({verb: count})
    else:
        output.line(f"{count} of {len(chosen)}: {verb}ed." if verb == "replay" else f"{count} of {len(chosen)} dropped.")
        if verb == "replay" and count:
            output.say('Next: "syncd run --once".')


def _letter(one: DeadLetter) -> dict[str, object]:
    return {
        "dead_letter_id": one.dead_letter_id,
        "state": one.state,
        "kind": one.kind,
        "stage": one.stage,
        "source": one.source,
        "stream": one.stream,
        "locator": one.locator,
        "reason": one.reason,
        "message": one.message,
        "person_id": one.person_id,
        "operation_id": one.operation_id,
        "run_id": one.run_id,
        "at": one.at,
    }


def _runs(app: typer.Typer) -> None:
    runs = typer.Typer(no_args_is_help=True, help="Past passes: list, show, undo.")
    app.add_typer(runs, name="runs")

    @runs.command(name="list", help="The last runs.\n\nExamples:\n  syncd runs list\n")
    def list_(context: typer.Context, limit: int = 20, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found = opened.store.runs(limit)
        if as_json:
            output.json(found)
            return
        rows = []
        for one in found:
            operations = one.summary.get("operations", {})
            wrote = ", ".join(f"{count} {name}" for name, count in operations.items() if count and name != "unchanged")
            rows.append((one.run_id, one.started_at, one.finished_at, one.status, wrote))
        output.table("", ("run", "started", "finished", "status", "wrote"), rows)

    @runs.command(help="One run: its sums and every write.\n\nExamples:\n  syncd runs show 20261124T101500-3f2a\n")
    def show(context: typer.Context, run_id: str, as_json: Json = False) -> None:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            found, operations = runs_of(opened.store, run_id)
            forgotten = forgotten_before(opened.store, found)
        if as_json:
            output.json({"run": found, "operations": operations, "is_complete": forgotten is None})
            return
        output.line(f"Run {found.run_id}: {found.status}, {shown(found.started_at)} to {shown(found.finished_at)}", "bold")
        output.table(
            "",
            ("operation", "kind", "state", "record", "fields", "code"),
            [
                (o.operation_id, o.kind, o.state, f"{o.object} {o.sf_id or 'new'}", ", ".join(o.fields), o.code)
                for o in operations
            ],
        )
        if forgotten is not None:
            output.line(f"Some of its writes may be missing: what ended before {forgotten:%Y-%m-%d} is kept no longer.", "yellow")

    _undo(runs)


def _undo(runs: typer.Typer) -> None:
    @runs.command(
        help="""Put back what a run wrote, as long as the org still holds our value. Opt-outs stay.

Examples:
  syncd runs undo 20261124T101500-3f2a --dry-run
  syncd runs undo 20261124T101500-3f2a --yes
"""
    )
    def undo(
        context: typer.Context,
        run_id: str,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be put back.")] = False,
        yes: Yes = False,
        as_json: Json = False,
    ) -> int:
        output = globals_of(context).output(as_json=as_json)
        with house(context) as opened:
            runs_of(opened.store, run_id)
            error: StoreError | None = None
            try:
                undoing = opened.undo(run_id)
            except StoreError as busy:
                if not is_busy(busy):
                    raise
                error, undoing = busy, opened.undo(run_id, is_preview=True)
            plan = undoing.plan
            if not dry_run and plan.operations:
                confirm(f"{len(plan.operations)} records would be put back.", "undo", yes=yes)
            if error is not None and not dry_run:
                result = ask_daemon(opened, output, error, "undo", {"run_id": run_id})["operations"]
            else:
                result = {} if dry_run else undoing.carry_out()
        if as_json:
            output.json({"operations": plan.operations, "kept": plan.kept, "result": result})
        else:
            for one in plan.operations:
                fields = ", ".join(f"{name} -> {shown(value)}" for name, value in one.fields.items())
                output.line(f"{one.kind} {one.object} {one.sf_id}  {fields}")
            for kept in plan.kept:
                output.line(f"kept {kept.sf_id} {kept.field}: {kept.reason.replace('_', ' ')}", "dim")
            done = ", ".join(f"{count} {state}" for state, count in result.items())
            output.line(
                "Dry run: nothing was written." if dry_run else f"Undo of {run_id}: {done or 'nothing to put back'}.", "bold"
            )
        return 0 if dry_run or set(result) <= {"done"} else 3
