"""An example syncd.yaml with every setting, made from the typed settings and the connectors' options. Pure.

`python -m syncd.cli.example > deploy/syncd.example.yaml` writes it; a test compares. It needs of each setting what STYLE 5 asks for:
a description, and a default or an example.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from syncd.config.nested import kinds, sections
from syncd.config.secret import Secret
from syncd.config.settings import Settings, SourceSettings

HEAD = """\
# Every setting of syncd.yaml with its meaning: its default, or an example where there is no default.
# Made by "python -m syncd.cli.example > deploy/syncd.example.yaml"; do not edit. "syncd init" writes a short file to begin with:
# yours needs only what differs from here. "syncd check" says what is wrong with it, "syncd check --show" what is in force.
# Relative paths are meant against the folder of the file. A secret is {env: NAME}, {file: PATH} or {credential: NAME}.
"""

_WIDTH = 118
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*")
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_MADE_BY_LOADING = ("folder",)
"""Fields of Settings that are no options."""


def example(options: Mapping[str, type[BaseModel]]) -> str:
    """The whole file.

    Args:
        options: Connector to its options; each gets a source of its name.

    Raises:
        ValueError: A required option has no example.
    """
    lines = [HEAD]
    for name, field in Settings.model_fields.items():
        if name == "sources":
            lines += _comment(field.description or "")
            lines += ["sources:", *_indented(_sources(options))]
        elif name not in _MADE_BY_LOADING:
            lines += [*_option((name,), field), ""]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _sources(options: Mapping[str, type[BaseModel]]) -> Iterator[str]:
    own = ("type", "mapping")
    for number, (name, model) in enumerate(sorted(options.items())):
        if number:
            yield ""
            yield from _comment("What sources have in common stands in the first one; it is the same here.")
        yield f"{name}:"
        common = {key: field for key, field in SourceSettings.model_fields.items() if key in own or not number}
        for key, field in common.items():
            # Required ones name the connector: its own mapping ships with syncd.
            yield from _indented(_option(("sources", name, key), field, name if key in own else None))
        if not number:
            yield from _indented(_comment(f"The connector's own options. Page: docs/connectors/{name}.md"))
        for key, field in model.model_fields.items():
            yield from _indented(_option(("sources", name, key), field))


def _option(path: tuple[str, ...], field: FieldInfo, value: Any = None) -> Iterator[str]:
    """Comment and line(s) of one option; `value` stands for its default."""
    name = path[-1]
    models = sections(field)
    default = field.get_default(call_default_factory=True) if value is None else value
    is_required = default is PydanticUndefined
    if default is None and field.examples and Secret in kinds(field.annotation):
        # A source that could do without one is of no use without any.
        default = field.examples[0]
    yield from _comment(_about(field, is_required=is_required and not models))
    if field.examples and not is_required and value is None and default != field.examples[0]:
        yield f"# For example: {_text(field.examples[0])}"
    if models and (is_required or isinstance(default, BaseModel)):
        chosen = models[0] if is_required else type(default)
        yield from _section(path, chosen)
        others = [model for model in models if model is not chosen]
    else:
        yield f"{name}: {_text(_example_of(path, field) if is_required else default)}"
        others = models
    for model in others:
        yield f"# {'Or' if is_required else 'With'}:"
        yield from (f"# {line}".rstrip() for line in _section(path, model))


def _section(path: tuple[str, ...], model: type[BaseModel]) -> Iterator[str]:
    yield f"{path[-1]}:"
    for key, field in model.model_fields.items():
        yield from _indented(_option((*path, key), field))


def _about(field: FieldInfo, *, is_required: bool) -> str:
    """What stands above an option."""
    is_choice = get_origin(field.annotation) is Literal
    parts = [field.description or ""]
    if is_choice and len(get_args(field.annotation)) > 1:
        parts.append(f"One of: {', '.join(map(str, get_args(field.annotation)))}.")
    if is_required and not is_choice:
        parts.append("Required.")
    return " ".join(part for part in parts if part)


def _example_of(path: tuple[str, ...], field: FieldInfo) -> Any:
    """What stands for a required option."""
    if field.examples:
        return field.examples[0]
    made_of = list(kinds(field.annotation))
    if Secret in made_of:
        return {"env": "_".join(path).upper().replace("-", "_")}
    if get_origin(field.annotation) is Literal:
        return get_args(field.annotation)[0]
    raise ValueError(f'The option "{".".join(path)}" is required and has no example: give its Field(examples=[...]).')


def _text(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    if isinstance(value, str | Path):
        text = str(value)
        is_plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
        return text if is_plain else json.dumps(text, ensure_ascii=False)
    return json.dumps(value)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)]


def _indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (f"  {line}".rstrip() for line in lines)
