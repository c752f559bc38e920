"""What a deliberate break is."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A break: in `file`, `old` becomes `new`; `test` (a file and a -k expression) must fail.

    `also` are further replacements (file, old, new), where one line alone is held up by another.
    """

    name: str
    file: str
    old: str
    new: str
    test: tuple[str, str]
    also: tuple[tuple[str, str, str], ...] = ()
