"""The page of the standards as HTML: one file that asks for nothing else, for a screen of any width, light or dark, and for paper. Pure.

Everything that a policy says is escaped here, and only here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from syncd.policy.published import WATCHES, Chapter, CriterionPart, Entry, Page, ProgramPart, StatusPart
from syncd.policy.published_diagram import diagram

_STYLE = """\
:root { color-scheme: light dark; --text: #1c2430; --dim: #5b6675; --back: #fff; --card: #f5f7fa; --line: #d5dbe3; --blue: #1b5fc1;
  --violet: #7a3fb0; --warn: #8a5a00; --warn-back: #fff3d6; --good: #1d6b3a; --good-back: #e2f4e8 }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9f0; --dim: #9aa7b8; --back: #12161c; --card: #1b212a; --line: #343d4a;
  --blue: #7db1ff; --violet: #cf9cf5; --warn: #f0c46a; --warn-back: #3a2e12; --good: #86d6a2; --good-back: #173324 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  overflow-wrap: break-word }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2 }
h2 { margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 2px solid var(--line); font-size: 1.3rem }
h3 { margin: 0 0 .3rem; font-size: 1.05rem }
p, ul { margin: .4rem 0 }
ul { padding-left: 1.2rem }
a { color: var(--blue); text-decoration: none }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem .9rem; font-size: .95rem }
code { font-size: .85em; color: var(--dim) }
.version, .lead, .note { color: var(--dim) }
.card { margin: .7rem 0; padding: .7rem .9rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card) }
.next { padding: .1rem .6rem; border-left: 3px solid var(--blue) }
.deadline { font-weight: 600 }
.reason { color: var(--dim); font-style: italic }
.mark { display: inline-block; margin-left: .4rem; padding: 0 .45rem; border-radius: 1rem; font-size: .8rem; font-weight: normal;
  color: var(--good); background: var(--good-back) }
.mark.watches { color: var(--warn); background: var(--warn-back) }
dl { margin: .4rem 0; display: grid; grid-template-columns: max-content 1fr; gap: .1rem .7rem }
dt { color: var(--dim) }
dd { margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
td.points { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
figure { margin: 1rem 0 }
figcaption { font-size: .9rem; color: var(--dim); text-align: center }
svg.moves { display: block; margin: 0 auto; width: 100%; max-width: 32rem; height: auto }
svg .status rect { fill: var(--card); stroke: var(--dim) }
svg .status text { fill: var(--text); font: 11px system-ui, sans-serif; text-anchor: middle }
svg path.move { fill: none; stroke-width: 1.3 }
path.both, .key.both { stroke: var(--text); color: var(--text) }
path.rep, .key.rep { stroke: var(--blue); color: var(--blue); stroke-dasharray: 5 3 }
path.syncd, .key.syncd { stroke: var(--violet); color: var(--violet); stroke-dasharray: 1.5 2.5 }
marker.both { fill: var(--text) }
marker.rep { fill: var(--blue) }
marker.syncd { fill: var(--violet) }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .3rem } }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt } nav { display: none } .card, figure { break-inside: avoid }
  h2, h3 { break-after: avoid } .card { background: none } }
"""

_KEY = (
    '<figcaption><span class="key both">━ rep and syncd</span> &#160; <span class="key rep">╍ rep only</span> &#160; '
    '<span class="key syncd">┈ syncd only</span><br>down on the right, up on the left</figcaption>'
)


def html_page(page: Page) -> str:
    """The whole document."""
    title = escape(f"{page.title}: lead standards")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{title}</title>",
            f"<style>\n{_STYLE}</style>",
            "</head>",
            "<body>",
            f"<h1>{title}</h1>",
            f'<p class="version">Version {escape(page.version)}, {escape(page.day)}</p>',
            _contents(page),
            "<main>",
            *_section("In short", [_list(page.facts)]),
            *(line for place, one in enumerate(page.programs) for line in _program(one, place)),
            *_standards(page),
            *(line for one in page.chapters for line in _chapter(one)),
            *_section("Consent", [_list(page.consent)]),
            *_watching(page),
            "</main>",
            f'<p class="note">Made by syncd from the policy “{escape(page.title)}”, version {escape(page.version)}, on {escape(page.day)}.</p>',
            "</body>",
            "</html>",
            "",
        ]
    )


def _anchor(title: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in title.lower())


def _contents(page: Page) -> str:
    titles = [*(f"Statuses: {one.name}" for one in page.programs)]
    titles += ["When somebody is qualified"] if page.criteria or page.qualified else []
    titles += ["Score"] if page.scoring else []
    titles += [*(one.title for one in page.chapters), "Consent"]
    links = "\n".join(f'<a href="#{_anchor(one)}">{escape(one)}</a>' for one in titles)
    return f"<nav>\n{links}\n</nav>"


def _section(title: str, lines: Iterable[str], lead: str = "") -> Iterator[str]:
    yield f'<h2 id="{_anchor(title)}">{escape(title)}</h2>'
    if lead:
        yield f'<p class="lead">{escape(lead)}</p>'
    yield from lines


def _list(items: Iterable[str]) -> str:
    return "<ul>\n" + "".join(f"<li>{escape(one)}</li>\n" for one in items) + "</ul>"


def _program(program: ProgramPart, place: int) -> Iterator[str]:
    names = [one.name for one in program.statuses]
    drawn = diagram(names, [(one.before, one.after, one.by) for one in program.moves], f"Moves of {program.name}", f"p{place}")
    lines = [f"<figure>\n{drawn}\n{_KEY}\n</figure>"] if drawn else []
    lines += [line for one in program.statuses for line in _status(one)]
    lines.append(f'<p class="note">{escape(program.illegal)}</p>')
    return _section(f"Statuses: {program.name}", lines, program.applies_to)


def _status(status: StatusPart) -> Iterator[str]:
    yield '<section class="card">'
    yield f"<h3>{escape(status.name)}{_marks(status.marks)}</h3>"
    if status.meaning:
        yield f"<p>{escape(status.meaning)}</p>"
    if status.next_action:
        yield f'<p class="next"><b>Next:</b> {escape(status.next_action)}</p>'
    for one in status.deadlines:
        yield f'<p><span class="deadline">{escape(one.text)}</span> {escape(" ".join(one.details))}{_marks(one.marks)}</p>'
    yield "<dl>"
    for who, names in (("You may move it to", status.by_reps), ("syncd may move it to", status.by_syncd)):
        yield f"<dt>{who}</dt><dd>{escape(', '.join(names)) or 'nowhere'}</dd>"
    yield "</dl>"
    if status.rules:
        yield '<p class="note">What syncd does here:</p>\n<ul>'
        for one in status.rules:
            yield f'<li>{escape(one.text)} <a href="#rule-{escape(one.rule_id)}"><code>{escape(one.rule_id)}</code></a>{_marks(one.marks)}</li>'
        yield "</ul>"
    yield "</section>"


def _marks(marks: Iterable[str]) -> str:
    return "".join(f'<span class="mark{" watches" if one == WATCHES else ""}">{escape(one)}</span>' for one in marks)


def _standards(page: Page) -> Iterator[str]:
    if page.criteria or page.qualified:
        lead = f"Somebody is qualified when {page.qualified}." if page.qualified else "Nothing makes somebody qualified."
        yield from _section("When somebody is qualified", [line for one in page.criteria for line in _criterion(one)], lead)
    if page.scoring:
        rows = "".join(
            f'<tr><td class="points">{escape(points)}</td><td>{escape(said)}</td></tr>\n' for points, said in page.scoring
        )
        table = f"<table>\n<tr><th>Points</th><th>For</th></tr>\n{rows}</table>"
        yield from _section("Score", [table])


def _criterion(one: CriterionPart) -> Iterator[str]:
    yield '<section class="card">'
    yield f"<h3>{escape(one.name)}</h3>"
    if one.meaning:
        yield f"<p>{escape(one.meaning)}</p>"
    yield "<dl>"
    for word, said in (("Met", one.met), ("Certainly not met", one.unmet)):
        if said:
            yield f"<dt>{word}</dt><dd>{escape(said)}</dd>"
    yield "<dt>Not known</dt><dd>otherwise</dd>"
    yield "</dl>"
    yield "</section>"


def _chapter(chapter: Chapter) -> Iterator[str]:
    return _section(chapter.title, [line for one in chapter.entries for line in _entry(one)], chapter.lead)


def _entry(one: Entry) -> Iterator[str]:
    yield f'<section class="card" id="rule-{escape(one.rule_id)}">'
    yield f"<p>{escape(one.text)}{_marks(one.marks)}</p>"
    if one.details:
        yield _list(one.details)
    if one.reason:
        yield f'<p class="reason">Reason: {escape(one.reason)}</p>'
    yield f"<code>{escape(one.rule_id)}</code>"
    yield "</section>"


def _watching(page: Page) -> Iterator[str]:
    if page.watching:
        named = ", ".join(f"<code>{escape(one)}</code>" for one in page.watching)
        lead = "These rules say what they would do, and do nothing."
        yield from _section("Rules that only watch", [f"<p>{named}</p>"], lead)


__all__ = ["html_page"]
