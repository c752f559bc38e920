"""A value that is never shown."""

from __future__ import annotations


class Secret:
    """A value that is never shown: repr, str and JSON give `***`."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str) -> None:
        """Keep the value; `origin` says where it came from (`env SF_KEY`), never what it is."""
        self._value = value
        self.origin = origin

    def reveal(self) -> str:
        """The value, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        """Three stars."""
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Equal values."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """By value."""
        return hash(self._value)
