"""One thing that a live check looked at, and what to do about it. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """`error`: writing would fail; `warning`: it works, but not as one might think."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `subject` is what (`Lead.Industry`), `advice` the fix; `""` when there is none."""

    severity: Severity
    subject: str
    message: str
    advice: str = ""
