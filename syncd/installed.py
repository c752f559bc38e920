"""Which connectors this installation has: those that ship with syncd, and third parties' (entry point group `syncd.connectors`)."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import connectors
from syncd.connector import Connector, PullConnector, PushConnector
from syncd.errors import ConfigError

_GROUP = "syncd.connectors"


@cache
def _third_parties() -> dict[str, EntryPoint]:
    shipped = _shipped()
    return {point.name: point for point in entry_points(group=_GROUP) if point.name not in shipped}


@cache
def _shipped() -> frozenset[str]:
    return frozenset(module.name for module in pkgutil.iter_modules(connectors.__path__))


def connector_types() -> list[str]:
    """Their names, as `type:` of a source says them; nothing is imported."""
    return [*sorted(_shipped()), *sorted(_third_parties())]


def load_connector(name: str) -> Connector:
    """One connector by its type, which must be among `connector_types`; what ships with syncd goes before a third party's.

    Raises:
        ConfigError: It is none: a source of it would never be read, and nobody would know.
    """
    point = _third_parties().get(name)
    found: Connector = point.load() if point is not None else importlib.import_module(f"connectors.{name}").CONNECTOR
    if not isinstance(found, PullConnector | PushConnector):
        raise ConfigError(
            f'The connector "{name}" is neither a PullConnector nor a PushConnector.',
            advice="It lacks a part of the contract in syncd.connector: ask whoever wrote it for a version that fits this syncd.",
        )
    return found
