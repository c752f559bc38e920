"""Web origins and redirects: which pages may post, and where a browser may be sent afterwards. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

_URL = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([0-9]{1,5}))?(?:[/?#][!-\[\]-~]*)?", re.IGNORECASE)
"""Neither `@` before the path, nor `\\` (which browsers read as `/`), blanks, control characters or other than ASCII anywhere."""
_MOST_CHARACTERS = 2_000
_USUAL_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """`https://www.acme.com` of an absolute address, `""` of what is none or is not plain enough to be sure of."""
    found = _URL.fullmatch(url) if len(url) <= _MOST_CHARACTERS else None
    if found is None:
        return ""
    scheme, host, port = found[1].lower(), found[2].lower(), int(found[3] or 0)
    if port > 65_535 or (found[3] is not None and port == 0):
        return ""
    return f"{scheme}://{host}" + (f":{port}" if port and port != _USUAL_PORTS[scheme] else "")


def redirect_to(wanted: str, fallback: str, origins: Collection[str]) -> str:
    """Where the browser goes: to `wanted` if it lies in `origins` or beside `fallback`, else to `fallback` (`""`: nowhere)."""
    origin = origin_of(wanted)
    if origin and (origin in origins or origin == origin_of(fallback)):
        return wanted
    return fallback
