"""The moves of a program as a picture: statuses in a column, moves as arcs, down on the right and up on the left. Pure.

Inline SVG that takes its colours from the page, so that it is light and dark with it. A name that has no room is cut, and whole in its title.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from syncd.policy.model import Mover

MOST_STATUSES = 14
"""More make a picture that nobody reads: each status lists its moves anyway."""

_WIDTH, _BOX, _ROW, _HEIGHT, _TOP = 376, 150, 52, 30, 10
_LETTERS = 24
_LEFT, _RIGHT = (_WIDTH - _BOX) // 2, (_WIDTH + _BOX) // 2


def diagram(names: Sequence[str], moves: Sequence[tuple[str, str, Mover]], label: str, name: str) -> str:
    """An `<svg>` element, whose parts are named after `name`; "" for a single status, for none, and for too many."""
    if not 1 < len(names) <= MOST_STATUSES:
        return ""
    places = {one: place for place, one in enumerate(names)}
    known = [(places[before], places[after], by) for before, after, by in moves if before in places and after in places]
    height = _TOP * 2 + _ROW * (len(names) - 1) + _HEIGHT
    parts = [f'<svg class="moves" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">', _heads(name)]
    # The long ones first, so that the short ones lie on top of them.
    for before, after, by in sorted(known, key=lambda move: (-abs(move[1] - move[0]), move)):
        parts.append(_arc(before, after, by, known, len(names), name))
    parts += [_box(one, place) for place, one in enumerate(names)]
    return "\n".join([*parts, "</svg>"])


def _heads(name: str) -> str:
    """The heads of arrows, which are no part of what points with them and cannot take its colour."""
    size = 'viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    head = '<path d="M0 0L8 4L0 8z"/>'
    heads = "".join(f'<marker id="{name}-{by}" class="{by}" {size} orient="auto">{head}</marker>' for by in Mover)
    return f"<defs>{heads}</defs>"


def _box(name: str, place: int) -> str:
    shown = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1].rstrip()}…"
    y = _TOP + _ROW * place
    return (
        f'<g class="status"><title>{escape(name)}</title>'
        f'<rect x="{_LEFT}" y="{y}" width="{_BOX}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{_WIDTH // 2}" y="{y + _HEIGHT // 2 + 4}">{escape(shown)}</text></g>'
    )


def _arc(before: int, after: int, by: Mover, moves: Sequence[tuple[int, int, Mover]], count: int, name: str) -> str:
    """Down on the right, up on the left; each begins and ends at a place of its own on the edge of its box."""
    is_down = after > before
    side = [move for move in moves if (move[1] > move[0]) is is_down]
    start = _on_edge(before, [(one[0], one[1]) for one in side if before in one[:2]], (before, after))
    end = _on_edge(after, [(one[0], one[1]) for one in side if after in one[:2]], (before, after))
    x = _RIGHT if is_down else _LEFT
    reach = 18 + round((abs(after - before) - 1) * (_LEFT - 34) * 1.3 / max(count - 2, 1))
    bend = x + reach if is_down else x - reach
    tip = x + 1 if is_down else x - 1
    return f'<path class="move {by}" marker-end="url(#{name}-{by})" d="M{x} {start}C{bend} {start} {bend} {end} {tip} {end}"/>'


def _on_edge(place: int, moves: Sequence[tuple[int, int]], move: tuple[int, int]) -> int:
    """Where on the edge of a box a move is tied on: those to boxes above lie above, the nearest of them lowest."""
    top = _TOP + _ROW * place
    others = sorted(moves, key=lambda one: _order(place, one))
    number = others.index(move)
    return top + round(_HEIGHT * (number + 1) / (len(others) + 1))


def _order(place: int, move: tuple[int, int]) -> tuple[bool, int]:
    other = move[1] if move[0] == place else move[0]
    is_below = other > place
    return is_below, -(other - place)


__all__ = ["MOST_STATUSES", "diagram"]
