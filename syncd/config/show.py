"""What is in force and where each value came from (`syncd check --show`); secrets as ***."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from syncd.config.secret import Secret
from syncd.config.settings import ConfiguredSource, Settings


def show_settings(
    settings: Settings, env: Mapping[str, str], secrets: Mapping[str, Collection[str]] | None = None
) -> list[tuple[str, Any, str]]:
    """(key, value, where from) of every option, in the order of the reference; `secrets` names those of each connector."""
    rows = []
    for key, value, is_given in _walk("", settings, secrets or {}):
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


def _walk(prefix: str, part: BaseModel, secrets: Mapping[str, Collection[str]]) -> Iterator[tuple[str, Any, bool]]:
    for name in type(part).model_fields:
        if name == "folder" and not prefix:
            continue
        value = getattr(part, name)
        key = f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _walk(f"{key}.", value, secrets)
        elif name == "sources":
            for source in value.values():
                yield from _walk(f"sources.{source.name}.", source.common, secrets)
                yield from _options(f"sources.{source.name}.", source, secrets.get(source.type, ()))
        else:
            yield key, value, name in part.model_fields_set


def _options(prefix: str, source: ConfiguredSource, secrets: Collection[str]) -> Iterator[tuple[str, Any, bool]]:
    for name, value in source.options.items():
        # A connector that is not known here may call its secrets anything that sounds like one.
        sounds_secret = any(word in name for word in ("secret", "token", "password", "api_key"))
        yield from _option(prefix, name, value, {*secrets, name} if sounds_secret else secrets)


def _option(prefix: str, path: str, value: Any, secrets: Collection[str]) -> Iterator[tuple[str, Any, bool]]:
    """One option; a section that holds secrets is shown key by key."""
    parent = path.rpartition(".")[0]
    if path in secrets or f"{parent}.*" in secrets:
        yield f"{prefix}{path}", Secret("", _origin(value)), True
    elif isinstance(value, dict) and any(one.startswith(f"{path}.") for one in secrets):
        for key, one in value.items():
            yield from _option(prefix, f"{path}.{key}", one, secrets)
    else:
        yield f"{prefix}{path}", value, True


def _origin(reference: Any) -> str:
    """`env NAME` of a reference to a secret, or of each of a list; `syncd.yaml` for one that stands there."""
    if isinstance(reference, list):
        return ", ".join(_origin(one) for one in reference)
    if isinstance(reference, dict):
        return " ".join(f"{kind} {reference[kind]}" for kind in ("env", "file", "credential") if kind in reference)
    return "syncd.yaml"
