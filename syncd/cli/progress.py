"""A live line while a pass runs: stages and sums, on stderr, only at a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.status import Status

from syncd.cli.output import Output
from syncd.run.context import Progress, no_progress


@contextmanager
def progress_display(output: Output) -> Iterator[Progress]:
    """Give a Progress that redraws one line; does nothing without a terminal or with `--json`."""
    if output.as_json or not output.err.is_terminal:
        yield no_progress
        return
    sums: Counter[str] = Counter()
    with Status("starting", console=output.err, spinner="dots") as line:

        def show(stage: str, counts: Mapping[str, int]) -> None:
            line.update(progress_text(sums, stage, counts))

        yield show


def progress_text(sums: Counter[str], stage: str, counts: Mapping[str, int]) -> str:
    """The text of the live line after one more report; adds the counts to `sums`."""
    if stage == "waiting":
        return "waiting for " + ", ".join(f"{name} to settle ({seconds} s)" for name, seconds in counts.items())
    if stage == "mirror":
        return "looking at the org"
    if stage == "pulled":
        for name, count in counts.items():
            sums[f"pulled {name}"] = count
    elif stage == "resolved":
        sums["resolved"] += counts.get("records", 0)
    elif stage == "planned":
        sums["planned"] += counts.get("operations", 0)
    elif stage == "pushed":
        sums["pushed"] += sum(counts.values())
    return "  ".join(f"{name} {count}" for name, count in sums.items() if count) or stage
