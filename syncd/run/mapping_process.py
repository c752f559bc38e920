"""The second process of a long pass: payloads in, leads and their keys out, each with what is to be done if nobody knows it.

Imports what is pure and no more, so that it stays small.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime
from multiprocessing.connection import Connection
from typing import NamedTuple

import msgspec

from syncd.as_stored import dumps
from syncd.clock import SystemClock
from syncd.identity import LeadKeys, lead_keys, tombstone_digest
from syncd.mapping import Mapping, load_mapping
from syncd.model import Lead
from syncd.plan import PlanSettings
from syncd.ports import Key, Newcomer
from syncd.run.collector import calm_collector
from syncd.run.ids import OperationIds
from syncd.run.newcomers import Terms, Told, newcomer
from syncd.run.second_process import answer_all


class Origin(NamedTuple):
    """What the mapping of a source is made from anew."""

    source: str
    name: str
    file: str
    text: str
    digest: str


class Mapped(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One record mapped.

    Attributes:
        lead: The lead as JSON, which holds numbers of any size; "" where `newcomer` has it.
        digests: Under which an erasure of the claims is remembered, in their order; none without `newcomer`.
        newcomer: What to store if nobody knows any of the keys; None where that is to be seen.
    """

    lead: str
    claims: tuple[Key, ...]
    evidence: tuple[Key, ...]
    digests: tuple[str, ...] = ()
    newcomer: Newcomer | None = None


_POLITE = 5
"""Added to the niceness: a first fill is 4 % faster where both want the same core."""

_ENCODE = msgspec.msgpack.Encoder().encode


class _Making(NamedTuple):
    """What newcomers are made ready with; none where nobody asked for them."""

    terms: Terms
    settings: PlanSettings
    make_id: Callable[[], str]


def serve(line: Connection) -> None:
    """Be the second process."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)  # it ends with the one that started it
    # It is ahead most of the time. Whoever is put off holds up only itself here, but all its threads in the process that waits.
    os.nice(_POLITE)
    answer_all(line, _set_up)


def _set_up(origins: Sequence[Origin], terms: Terms | None) -> Callable[[Sequence[Told], Sequence[bytes], datetime], bytes]:
    """What maps batches; with `terms` it makes newcomers ready."""
    desk = _Desk(origins, terms)
    calm_collector()
    return desk.map_payloads


class _Desk:
    """The mappings of every source, and what newcomers are made ready with."""

    def __init__(self, origins: Sequence[Origin], terms: Terms | None) -> None:
        """Raises RuntimeError if a mapping came out as another one than there."""
        self._mappings: dict[str, Mapping] = {}
        for one in origins:
            mapping = load_mapping(one.text, one.file, name=one.name)
            if mapping.digest != one.digest:
                raise RuntimeError(f"the mapping {one.name} came out as another one")
            self._mappings[one.source] = mapping
        self._making: _Making | None = None
        if terms is not None:
            self._making = _Making(terms, terms.settings(), OperationIds(SystemClock()))

    def map_payloads(self, records: Sequence[Told], payloads: Sequence[bytes], at: datetime) -> bytes:
        """The records of one batch as `Mapped`, in order, as MessagePack; `at` is when they are planned."""
        return _ENCODE([self._mapped(told, payload, at) for told, payload in zip(records, payloads, strict=True)])

    def _mapped(self, told: Told, payload: bytes, at: datetime) -> Mapped:
        mapping, making = self._mappings[told.source], self._making
        lead: Lead = mapping.map(payload, source=told.source)
        keys: LeadKeys = lead_keys(told.ref, lead)
        if making is not None:
            found = newcomer(making.terms, making.settings, told, mapping.name, lead, keys, making.make_id, at)
            if found is not None:
                digests = tuple([tombstone_digest(making.terms.secret, key) for key in keys.claims])
                return Mapped("", keys.claims, keys.evidence, digests, found)
        return Mapped(dumps(lead), keys.claims, keys.evidence)
