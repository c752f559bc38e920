"""The kinds of values and the schema of variables that an expression is checked against.

Pure. What a variable holds at run time is another matter: see `values.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

Path = tuple[str | int, ...]
"""Steps from the values to one of them: keys, and indexes into lists."""


class Kind(Enum):
    """What a value is, as far as it is known before it is there."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "true or false"
    INSTANT = "instant"
    DAY = "day"
    LIST = "list"
    ANY = "anything"
    """Not known: raw record values. Allowed everywhere, read leniently at run time."""


TIMES = frozenset({Kind.DAY, Kind.INSTANT})
"""The two kinds that may be compared with each other and with text that holds a day."""


class Schema:
    """The variables an expression may name, with their kinds.

    Immutable by agreement; may be shared between threads.

    Attributes:
        variables: Dotted name to kind, for example `{"lead.Email": Kind.TEXT, "today": Kind.DAY}`.
        open_prefixes: Names below which any path is allowed, with kind ANY; for example `("record",)`.
    """

    __slots__ = ("_declared", "_open", "open_prefixes", "variables")

    def __init__(self, variables: Mapping[str, Kind], open_prefixes: Sequence[str] = ()) -> None:
        """Take the declarations; neither argument is kept, both are copied."""
        self.variables: Mapping[str, Kind] = dict(variables)
        self.open_prefixes: tuple[str, ...] = tuple(open_prefixes)
        self._declared: dict[Path, Kind] = {tuple(name.split(".")): kind for name, kind in self.variables.items()}
        self._open = tuple(tuple(prefix.split(".")) for prefix in self.open_prefixes)

    def kind_of(self, path: Path) -> Kind | None:
        """The kind of the value at `path`, None if no such variable is declared.

        Below a declared LIST or ANY every path has kind ANY, as below an open prefix.
        """
        found = self._declared.get(path)
        if found is not None:
            return found
        for prefix in self._open:
            if len(path) > len(prefix) and path[: len(prefix)] == prefix:
                return Kind.ANY
        for length in range(len(path) - 1, 0, -1):
            above = self._declared.get(path[:length])
            if above in (Kind.LIST, Kind.ANY):
                return Kind.ANY
        return None

    def is_group(self, path: Path) -> bool:
        """Whether `path` only leads to variables (`lead` in `lead.Email`) and is none itself."""
        groups = (*self._declared, *self._open)
        return any(name[: len(path)] == path for name in groups) and self.kind_of(path) is None
