"""The second process of a long pass: payloads in, leads and their keys out. Imports what is pure and no more, so that it stays small."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import msgspec

from syncd.identity.keys import lead_keys
from syncd.mapping import Mapping, load_mapping
from syncd.model import RecordRef


class Origin(NamedTuple):
    """What the mapping of a source is made from anew."""

    source: str
    name: str
    file: str
    text: str
    digest: str


_mappings: dict[str, Mapping] = {}


def prepare(origins: Sequence[Origin]) -> None:
    """Set this process up; it ends with the one that started it, however that one ends.

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
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(0)


def map_payloads(refs: Sequence[tuple[str, str, str]], payloads: Sequence[bytes]) -> bytes:
    """The leads of one batch, each with its keys, as JSON, which holds numbers of any size; `refs`: source, stream and key of each."""
    mapped = []
    for (source, stream, key), payload in zip(refs, payloads, strict=True):
        lead = _mappings[source].map(payload, source=source)
        mapped.append((lead, lead_keys(RecordRef(source, stream, key), lead)))
    return msgspec.json.encode(mapped)
