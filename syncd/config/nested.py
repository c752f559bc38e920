"""Secrets among a connector's options, at any depth: a section's own, and values of a table such as `headers`.

Belongs to load: what is a secret is said by the types alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from syncd.config.secret import SecretReader
from syncd.document import Node
from syncd.model.secret import Secret

_ANY = "*"
"""Stands for every key of a table that may hold secrets."""


def secret_options(model: type[BaseModel]) -> frozenset[str]:
    """Where a connector's options are secrets, or several of them: `token`, `auth.token`, `headers.*`. Pure."""
    return frozenset(_paths(model, ""))


def with_secrets(model: type[BaseModel], node: Node, values: dict[str, Any], reader: SecretReader, key: str) -> dict[str, Any]:
    """`values` (those of `node`) with their secrets read; the problem with one that cannot be had is noted by the reader.

    Args:
        model: Of the section.
        node: The section in the file, a mapping.
        values: The same, plain.
        reader: Reads the references.
        key: The section's own name, for messages.
    """
    found = dict(values)
    for name, field in model.model_fields.items():
        child = node.get(name)
        is_blank = child is None or (child.kind == "scalar" and child.scalar is None)
        if _is_secret(field):
            if not is_blank and child is not None:
                found[name] = _read(field, child, reader, f"{key}.{name}")
            elif field.is_required():
                found.pop(name, None)
        elif child is None or child.kind != "mapping":
            continue
        elif _is_table(field):
            found[name] = {one: _of_table(at, reader, f"{key}.{name}.{one}") for one, at in child.entries.items()}
        else:
            for section in sections(field):
                if _is_meant(section, child):
                    found[name] = with_secrets(section, child, found[name], reader, f"{key}.{name}")
    return found


def _paths(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if _is_secret(field):
            yield f"{prefix}{name}"
        elif _is_table(field):
            yield f"{prefix}{name}.{_ANY}"
        for section in sections(field):
            yield from _paths(section, f"{prefix}{name}.")


def _read(field: FieldInfo, node: Node, reader: SecretReader, key: str) -> Any:
    # A placeholder keeps a second problem about a missing or wrong value away.
    placeholder = Secret("unresolved", "nowhere")
    if node.kind == "sequence" and _takes_several(field):
        return reader.read_all(node, key) or (placeholder,)
    return reader.read(node, key) or placeholder


def _of_table(node: Node, reader: SecretReader, key: str) -> Any:
    """Plain values stay: in a table only what is written as a reference is a secret."""
    return (reader.read(node, key) or Secret("unresolved", "nowhere")) if node.kind == "mapping" else node.plain()


def _is_secret(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is not dict and Secret in kinds(field.annotation)


def _takes_several(field: FieldInfo) -> bool:
    """Whether an option may be a list of secrets: `Secret | tuple[Secret, ...]`."""
    return tuple[Secret, ...] in kinds(field.annotation)


def _is_table(field: FieldInfo) -> bool:
    """Whether an option is a table whose values may be secrets: `dict[str, str | Secret]`."""
    return get_origin(field.annotation) is dict and Secret in kinds(get_args(field.annotation)[1])


def sections(field: FieldInfo) -> list[type[BaseModel]]:
    """The sections that an option may be; none for a plain one. Pure."""
    return [kind for kind in kinds(field.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _is_meant(section: type[BaseModel], node: Node) -> bool:
    """Whether a section of the file is of this kind, as its `type:` says where there are several."""
    kind = section.model_fields.get("type")
    if kind is None or get_origin(kind.annotation) is not Literal:
        return True
    given = node.get("type")
    return given is not None and given.scalar in get_args(kind.annotation)


def kinds(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, itself among them. Pure."""
    yield annotation
    for part in get_args(annotation):
        yield from kinds(part)
