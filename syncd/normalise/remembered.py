"""Answers about texts that come again and again, kept in a room of a known size."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ANSWERS = 4_000
"""Of each function: names and companies repeat throughout a source, an address or a phone within its record and a few thousand others."""

LONGEST = 128
"""Characters. A longer text is worked out each time: a source whose names are pages would fill the memory otherwise."""


def remembered(function: Callable[Concatenate[str, P], R]) -> Callable[Concatenate[str, P], R]:
    """Keep what a pure `function` of a text said of the texts it was asked about last."""
    kept: Callable[..., Any] = lru_cache(maxsize=ANSWERS)(function)

    @wraps(function)
    def answer(text: str, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if len(text) > LONGEST:
            return function(text, *args, **kwargs)
        return kept(text, *args, **kwargs)  # type: ignore[no-any-return]

    return answer
