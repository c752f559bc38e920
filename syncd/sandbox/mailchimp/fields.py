"""`fields` and `exclude_fields`: dotted paths from the root of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

Tree = dict[str, "Tree | None"]
"""Names to what is meant below them; None is all of it."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What to show; `keep` None is everything that `drop` does not take away. One object per pair of texts: see `selection`."""

    keep: Tree | None
    drop: Tree
    _under: dict[str, Selection] = field(default_factory=dict, init=False, repr=False)

    def wants(self, name: str) -> bool:
        """Whether anything of a field is shown."""
        return (self.keep is None or name in self.keep) and self.drop.get(name, {}) is not None

    def under(self, name: str) -> Selection:
        """What to show of a field that `wants`; always the same object."""
        known = self._under.get(name)
        if known is None:
            known = self._under[name] = Selection(self.keep[name] if self.keep else None, self.drop.get(name) or {})
        return known

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.keep is None and not self.drop

    def apply(self, value: Any) -> Any:
        """A JSON value without what is not shown; lists are seen through."""
        if self.is_all:
            return value
        if isinstance(value, list):
            return [self.apply(one) for one in value]
        if isinstance(value, dict):
            return {name: self.under(name).apply(one) for name, one in value.items() if self.wants(name)}
        return value


@lru_cache(maxsize=256)
def selection(fields: str, exclude_fields: str) -> Selection:
    """From two comma-separated lists of dotted paths; no `fields` is all of them, unknown ones are nothing."""
    return Selection(_tree(fields) if fields.strip(", ") else None, _tree(exclude_fields))


def _tree(paths: str) -> Tree:
    root: Tree = {}
    for path in filter(None, (path.strip() for path in paths.split(","))):
        *parents, last = path.split(".")
        here: Tree | None = root
        for name in parents:
            here = here.setdefault(name, {}) if here is not None else None
        if here is not None:
            here[last] = None
    return root
