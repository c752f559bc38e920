"""What the contract suite needs of each connector: one module per connector (or per stream of one), found by its name.

A module holds `case(folder)` for a connector that is asked, `push_case(folder)` for one that is sent to, and for one that is both
`sent(case, number)`: the body that its vendor would send for the record `number` that `case.fill` makes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from syncd.connector import Secret
from tests.contract.connectors.kit import NOW as NOW
from tests.contract.connectors.kit import Case as Case
from tests.contract.connectors.kit import Line as Line
from tests.contract.connectors.kit import PushCase as PushCase
from tests.contract.connectors.kit import Vendor as Vendor

_MODULES = {one.name: importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)}


def _those_with(name: str) -> dict[str, Callable[..., Any]]:
    return {module: getattr(found, name) for module, found in _MODULES.items() if hasattr(found, name)}


CASES: dict[str, Callable[[Path], Case]] = _those_with("case")
PUSH_CASES: dict[str, Callable[[Path], PushCase]] = _those_with("push_case")
SENT: dict[str, Callable[[Case, int], bytes]] = _those_with("sent")
HTTP_CASES = sorted(name for name in CASES if getattr(_MODULES[name], "IS_HTTP", True))
"""Of `CASES` those behind HTTP."""
SILENT: dict[str, dict[str, Any]] = {
    "webhook_out": {"url": "https://hooks.test/syncd", "secret": Secret("whsec_c2lsZW50LXN1aXRlLWtleS0xMjM0NQ==", "test")}
}
"""Options of those that only act and say so (`brings_records = False`): they are asked for records and have none, ever."""


def kinds_of(name: str, kinds: list[str]) -> list[str]:
    """Those faults that the vendor of a case can have."""
    able = getattr(_MODULES[name], "KINDS", None)
    return [kind for kind in kinds if able is None or kind in able]
