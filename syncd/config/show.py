"""What is in force and where each value came from (`syncd check --show`); secrets as ***."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from syncd.config.secret import Secret
from syncd.config.settings import ConfiguredSource, Settings


def show_settings(settings: Settings, env: Mapping[str, str]) -> list[tuple[str, Any, str]]:
    """(key, value, where from) of every option, in the order of the reference."""
    rows = []
    for key, value, is_given in _walk("", settings):
        origin = "syncd.yaml" if is_given else "default"
        if key == "store.url" and env.get("SYNCD_STORE_URL"):
            origin = "SYNCD_STORE_URL"
        if isinstance(value, Secret):
            origin = value.origin
        shown = _without_password(value) if key == "store.url" else value
        rows.append((key, "***" if isinstance(value, Secret) else shown, origin))
    return rows


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    user, colon, _ = head.rpartition(":")
    return f"{user}:***@{tail}" if at and colon and "//" in user else url


def _walk(prefix: str, part: BaseModel) -> Iterator[tuple[str, Any, bool]]:
    for name in type(part).model_fields:
        if name == "folder":
            continue
        value = getattr(part, name)
        key = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _walk(f"{key}.", value)
        elif name == "sources":
            for source in value.values():
                yield from _source(f"sources.{source.name}.", source)
        else:
            yield key, value, name in part.model_fields_set


def _source(prefix: str, source: ConfiguredSource) -> Iterator[tuple[str, Any, bool]]:
    yield from _walk(prefix, source.common)
    for name, value in source.options.items():
        yield f"{prefix}{name}", "***" if "secret" in name or ("key" in name.split("_")[:1] and name != "key") else value, True
