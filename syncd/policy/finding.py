"""What a check has to say about a line of the policy file."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """Whether a policy is refused for it."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One finding: the line, what is wrong, and what to do.

    Attributes:
        subject: Id of the rule it is about; "" for none.
        key: The key of that rule.
    """

    line: int
    level: Level
    message: str
    advice: str = ""
    subject: str = ""
    key: str = ""
