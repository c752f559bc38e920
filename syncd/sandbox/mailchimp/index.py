"""Rows of an audience in the order of one instant, for slices without a scan."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable

_BITS = 28
_MASK = (1 << _BITS) - 1
_STIR = 0x9E3779B
_UNSTIR = pow(_STIR, -1, 1 << _BITS)


def key_of(value: int, row: int) -> int:
    """Orders by `value`, and rows of equal values by no order that anybody could guess."""
    return value << _BITS | row * _STIR & _MASK


class Index:
    """Rows ordered by a value each, 8 bytes a row; at most 2^28 rows."""

    def __init__(self, keys: Iterable[int]) -> None:
        """Of keys by `key_of`, in any order."""
        self._keys = array("q", sorted(keys))

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, value: int, row: int) -> None:
        """Take a row in."""
        key = key_of(value, row)
        self._keys.insert(bisect_left(self._keys, key), key)

    def remove(self, value: int, row: int) -> None:
        """Take a row out that was added with this value."""
        del self._keys[bisect_left(self._keys, key_of(value, row))]

    def between(self, low: int, high: int | None) -> tuple[int, int]:
        """Positions of the rows with `low <= value < high`; None is no upper bound."""
        start = bisect_left(self._keys, low << _BITS)
        return start, len(self) if high is None else max(start, bisect_left(self._keys, high << _BITS))

    def rows(self, start: int, stop: int) -> list[int]:
        """The rows at some positions."""
        return [(key & _MASK) * _UNSTIR & _MASK for key in self._keys[start:stop]]
