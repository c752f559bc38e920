"""The page of the standards as Markdown (CommonMark with tables), for a wiki or a repository. Pure.

Everything that a policy says is escaped here, and only here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from syncd.policy.published import Chapter, CriterionPart, Entry, Page, ProgramPart, StatusPart

_SPECIAL = re.compile(r"[\\`*\[\]<>|#~$&]|(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")
"""What means something anywhere in a line; underscores only where they do not stand between letters."""

_BEGINS = re.compile(r"^(\d+)([.)])|^([-+=])")
"""What means something at the beginning of a line."""


def markdown_page(page: Page) -> str:
    """The whole document."""
    lines = [f"# {_plain(page.title)}: lead standards", "", f"Version {_plain(page.version)}, {_plain(page.day)}", ""]
    lines += _section("In short", (f"- {_plain(one)}" for one in page.facts))
    for program in page.programs:
        lines += _program(program)
    lines += _standards(page)
    for chapter in page.chapters:
        lines += _chapter(chapter)
    lines += _section("Consent", (f"- {_plain(one)}" for one in page.consent))
    if page.watching:
        lines += _section("Rules that only watch", ["These rules say what they would do, and do nothing:", ""])
        lines[-1:] = [", ".join(f"`{one}`" for one in page.watching) + ".", ""]
    said = f"Made by syncd from the policy “{_plain(page.title)}”, version {_plain(page.version)}, on {_plain(page.day)}."
    return "\n".join([*lines, said, ""])


def _plain(text: str, *, begins: bool = False) -> str:
    """Text that is only text, on one line."""
    escaped = _SPECIAL.sub(
        lambda found: "&amp;" if found[0] == "&" else "".join(f"\\{one}" for one in found[0]), " ".join(text.split())
    )
    if not begins:
        return escaped
    return _BEGINS.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", escaped)


def _section(title: str, lines: Iterable[str], level: int = 2) -> list[str]:
    return [f"{'#' * level} {_plain(title)}", "", *lines, ""]


def _program(program: ProgramPart) -> list[str]:
    lines = [*_section(f"Statuses: {program.name}", [_plain(program.applies_to)])]
    for status in program.statuses:
        lines += _section(status.name, _status(status), 3)
    rows = [
        f"| {_plain(one.name)} | {_plain(', '.join(one.by_reps)) or 'nowhere'} | {_plain(', '.join(one.by_syncd)) or 'nowhere'} |"
        for one in program.statuses
    ]
    table = ["| from | reps may move it to | syncd may move it to |", "| --- | --- | --- |", *rows, "", _plain(program.illegal)]
    return [*lines, *_section(f"Who may move what: {program.name}", table, 3)]


def _status(status: StatusPart) -> Iterator[str]:
    said = [_plain(status.meaning, begins=True)] if status.meaning else []
    said += [f"*{', '.join(_plain(one) for one in status.marks)}*"] if status.marks else []
    said += [f"**Next:** {_plain(status.next_action)}"] if status.next_action else []
    for one in status.deadlines:
        said.append(f"**{_plain(one.text)}** {_plain(' '.join(one.details))}{_marks(one.marks)}".rstrip())
    yield "\n\n".join(said) if said else "No more is said about it."
    if status.rules:
        yield ""
        yield "What syncd does here:"
        yield ""
    for one in status.rules:
        yield f"- {_plain(one.text)} (`{one.rule_id}`){_marks(one.marks)}"


def _marks(marks: Iterable[str]) -> str:
    return "".join(f" *({_plain(one)})*" for one in marks)


def _standards(page: Page) -> list[str]:
    lines: list[str] = []
    if page.criteria or page.qualified:
        said = f"Somebody is qualified when {page.qualified}." if page.qualified else "Nothing makes somebody qualified."
        lines += _section("When somebody is qualified", [_plain(said)])
        for one in page.criteria:
            lines += _section(one.name, _criterion(one), 3)
    if page.scoring:
        rows = [f"| {_plain(points)} | {_plain(said)} |" for points, said in page.scoring]
        lines += _section("Score", ["| points | for |", "| ---: | --- |", *rows])
    return lines


def _criterion(one: CriterionPart) -> Iterator[str]:
    if one.meaning:
        yield _plain(one.meaning, begins=True)
        yield ""
    for word, said in (("Met", one.met), ("Certainly not met", one.unmet)):
        if said:
            yield f"- {word}: {_plain(said)}"
    yield "- Not known: otherwise"


def _chapter(chapter: Chapter) -> list[str]:
    lines = [_plain(chapter.lead), ""] if chapter.lead else []
    return _section(chapter.title, [*lines, *(line for one in chapter.entries for line in _entry(one))])


def _entry(one: Entry) -> Iterator[str]:
    yield f"- **`{one.rule_id}`**{_marks(one.marks)} {_plain(one.text)}"
    for detail in one.details:
        yield f"  - {_plain(detail)}"
    if one.reason:
        yield f"  - Reason: {_plain(one.reason)}"


__all__ = ["markdown_page"]
