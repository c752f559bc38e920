"""When what logs syncd in comes to its end: refresh tokens, certificates, and what an admin has noted. Reads files; pure else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from syncd.config import Settings

SOON_DAYS = 14
"""From then on somebody is told: a new consent may need the one person who can give it."""


class Ending(NamedTuple):
    """What ends: `credentials` or `certificate`; and when (aware UTC)."""

    what: str
    at: datetime


def endings(settings: Settings, kept: Mapping[str, datetime | None]) -> dict[str, Ending]:
    """What ends first of each source, and of `salesforce`; those of which nobody knows an end are left out.

    Args:
        settings: Paths are meant against its folder.
        kept: By source, when the refresh token ends that its vendor gave last.
    """
    found: dict[str, list[Ending]] = {"salesforce": _certificates(settings.folder, settings.salesforce.ca_file)}
    for name, source in settings.sources.items():
        ends = [_day(source.common.expires_on), kept.get(name)]
        found[name] = [Ending("credentials", one) for one in ends if one is not None]
        found[name] += _certificates(settings.folder, source.common.ca_file)
    return {name: min(some, key=lambda one: one.at) for name, some in found.items() if some}


def _day(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _certificates(folder: Path, ca_file: str | None) -> list[Ending]:
    """The end of the certificate of a PEM file that ends first; a file that cannot be read is the business of `check`."""
    if ca_file is None:
        return []
    try:
        loaded = x509.load_pem_x509_certificates((folder / ca_file).read_bytes())
    except (OSError, ValueError):
        return []
    return [Ending("certificate", min(one.not_valid_after_utc for one in loaded))] if loaded else []
