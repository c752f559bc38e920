"""Models of vendors, one module each; see syncd/sandbox/vendor.py. A module names its class `SANDBOX`."""

from __future__ import annotations

import importlib
import pkgutil

from syncd.sandbox.vendor import Vendor


def all_vendors() -> dict[str, type[Vendor]]:
    """Every vendor by the name of its module, which is that of its connector."""
    found = {}
    for one in pkgutil.iter_modules(__path__):
        made = getattr(importlib.import_module(f"{__name__}.{one.name}"), "SANDBOX", None)
        if made is not None:
            found[one.name] = made
    return found
