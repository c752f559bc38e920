"""The second process of a long pass: payloads in, leads and their keys out, each with what is to be done if nobody knows it.

Imports what is pure and no more, so that it stays small.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import msgspec

from syncd.as_stored import dumps
from syncd.clock import SystemClock
from syncd.identity import LeadKeys, lead_keys, tombstone_digest
from syncd.mapping import Mapping, load_mapping
from syncd.model import Lead
from syncd.plan import PlanSettings
from syncd.ports import Key, Newcomer
from syncd.run.ids import OperationIds
from syncd.run.newcomers import Terms, Told, newcomer


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

_mappings: dict[str, Mapping] = {}
_making: list[_Making] = []
_ENCODE = msgspec.msgpack.Encoder().encode


class _Making(NamedTuple):
    """What newcomers are made ready with; none where nobody asked for them."""

    terms: Terms
    settings: PlanSettings
    make_id: Callable[[], str]


def prepare(origins: Sequence[Origin], terms: Terms | None = None) -> None:
    """Set this process up; it ends with the one that started it, however that one ends. With `terms` it makes newcomers ready.

    Raises:
        RuntimeError: A mapping came out as another one than there.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    for one in origins:
        mapping = load_mapping(one.text, one.file, name=one.name)
        if mapping.digest != one.digest:
            raise RuntimeError(f"the mapping {one.name} came out as another one")
        _mappings[one.source] = mapping
    if origins:
        # It is ahead most of the time. Whoever is put off holds up only itself here, but all its threads in the process that waits.
        os.nice(_POLITE)
    if terms is not None:
        _making.append(_Making(terms, terms.settings(), OperationIds(SystemClock())))
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(0)


def map_payloads(records: Sequence[Told], payloads: Sequence[bytes], at: datetime) -> bytes:
    """The records of one batch as `Mapped`, in order, as MessagePack; `at` is when they are planned."""
    making = _making[0] if _making else None
    return _ENCODE([_mapped(making, told, payload, at) for told, payload in zip(records, payloads, strict=True)])


def _mapped(making: _Making | None, told: Told, payload: bytes, at: datetime) -> Mapped:
    mapping = _mappings[told.source]
    lead: Lead = mapping.map(payload, source=told.source)
    keys: LeadKeys = lead_keys(told.ref, lead)
    if making is not None:
        found = newcomer(making.terms, making.settings, told, mapping.name, lead, keys, making.make_id, at)
        if found is not None:
            digests = tuple([tombstone_digest(making.terms.secret, key) for key in keys.claims])
            return Mapped("", keys.claims, keys.evidence, digests, found)
    return Mapped(dumps(lead), keys.claims, keys.evidence)
