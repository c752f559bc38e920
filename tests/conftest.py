"""What all tests share: the two engines of the store, and worlds to play in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from syncd import log
from tests.stores import keep_in_memory, share_compiled_statements, store_url_for
from tests.world import World

keep_in_memory(os.environ)
settings.register_profile("syncd", deadline=None)  # a busy machine is no finding
settings.load_profile("syncd")
share_compiled_statements()


@pytest.fixture(autouse=True)
def _quiet_log() -> Any:
    """Logging is configured by the process under test and forgotten after it."""
    yield
    log.unconfigure()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    """Both engines, from the first day."""
    return str(request.param)


@pytest.fixture
def store_url(engine: str, tmp_path: Path) -> str:
    """The URL of a fresh store on either engine."""
    return store_url_for(engine, tmp_path)


@pytest.fixture
def make_world(engine: str, tmp_path: Path) -> Callable[..., World]:
    """Makes worlds, or a `kind` of them, on either engine; each in a folder of its own."""
    made = itertools.count()

    def make(kind: type[World] = World, **options: Any) -> World:
        folder = tmp_path / f"world{next(made)}"
        folder.mkdir()
        return kind(folder, store_url=store_url_for(engine, folder), **options)

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """One world."""
    return make_world()
