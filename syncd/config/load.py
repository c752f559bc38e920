"""syncd.yaml to Settings, with every problem at once and its place in the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from syncd.config.nested import secret_options, sections, with_secrets
from syncd.config.secret import SecretReader
from syncd.config.settings import ConfiguredSource, Settings, SourceSettings
from syncd.document import Node, Problems, parse_document, suggest
from syncd.errors import ConfigError
from syncd.model.secret import Secret

_Model = TypeVar("_Model", bound=BaseModel)
_SECRETS = (
    ("salesforce", "auth", "consumer_key"),
    ("salesforce", "auth", "consumer_secret"),
    ("salesforce", "auth", "private_key"),
    ("person_key",),
    ("xactly", "sftp", "key"),
    ("xactly", "sftp", "passphrase"),
    ("xactly", "sftp", "password"),
)
_COMMON = tuple(SourceSettings.model_fields)


def load_settings(path: Path, env: Mapping[str, str], known_types: Collection[str]) -> Settings:
    """Read a configuration file.

    Args:
        path: The file.
        env: The environment, for secrets and for SYNCD_STORE_URL (which wins over `store.url`).
        known_types: Connectors that this installation has.

    Raises:
        ConfigError: It cannot be read, or everything that is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        advice = '"syncd init" writes one; or name another with --config.'
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", advice=advice) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text.") from error
    root = parse_document(text, path.name)
    problems = Problems()
    folder = path.resolve().parent
    values = _values(root, folder, env, problems)
    values["sources"] = _sources(root.get("sources"), problems, known_types)
    if env.get("SYNCD_STORE_URL"):
        values["store"] = {"url": env["SYNCD_STORE_URL"]}
    settings = _validated(Settings, values, root, problems)
    problems.raise_if_any()
    assert settings is not None  # noqa: S101 - no problem means a value
    return settings


def _values(root: Node, folder: Path, env: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    """The plain document with its secrets resolved; unresolved ones are left out, their problems are noted."""
    values: dict[str, Any] = {key: value for key, value in root.plain().items() if key not in ("sources", "folder")}
    if "folder" in root:
        problems.add_key(root, "folder", 'syncd.yaml has no key "folder".')
    literal = root.get("allow_literal_secrets")
    reader = SecretReader(problems, env, folder, allow_literal=literal is not None and literal.scalar is True)
    for where in _SECRETS:
        parent, place = _parent(values, where), root.at(where[:-1])
        node = place.get(where[-1])
        if isinstance(parent, dict) and node is not None and node.scalar is None and node.kind == "scalar":
            parent.pop(where[-1], None)
        elif isinstance(parent, dict) and node is not None:
            found = reader.read(node, ".".join(where))
            parent[where[-1]] = found
            if found is None:
                parent.pop(where[-1])
                # The problem is noted at its place; a second one about a missing key would only confuse.
                parent[where[-1]] = _placeholder()
    values["folder"] = folder
    return values


def _placeholder() -> Secret:
    return Secret("unresolved", "nowhere")


def _parent(values: Any, where: tuple[str, ...]) -> Any:
    for key in where[:-1]:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _sources(node: Node | None, problems: Problems, known_types: Collection[str]) -> Any:
    if node is None or node.kind != "mapping":
        return None if node is None else node.plain()
    found: dict[str, ConfiguredSource] = {}
    for name, source in node.entries.items():
        if source.kind != "mapping":
            problems.add(source, f"sources.{name} is a mapping with type: and mapping:.")
            continue
        plain = source.plain()
        common = _validated(SourceSettings, {key: value for key, value in plain.items() if key in _COMMON}, source, problems)
        if common is None:
            continue
        if common.type not in known_types:
            kind = source.get("type") or source
            advice = suggest(common.type, known_types)
            problems.add(kind, f'sources.{name}: this version has no connector "{common.type}".', advice)
            continue
        options = {key: value for key, value in plain.items() if key not in _COMMON}
        found[name] = ConfiguredSource(name=name, common=common, options=options, node=source)
    return found


def validate_options(
    source: ConfiguredSource,
    model: type[_Model],
    env: Mapping[str, str] | None = None,
    folder: Path = Path(),
    *,
    allow_literal: bool = False,
) -> _Model:
    """The connector's own options, typed, with their secrets resolved.

    Args:
        source: As `load_settings` gives it.
        model: The connector's options.
        env: The environment, for secrets.
        folder: Against which the files of secrets are meant.
        allow_literal: Whether a secret may stand in the file.

    Raises:
        ConfigError: Everything that is wrong with them, with its place.
    """
    problems = Problems()
    reader = SecretReader(problems, env or {}, folder, allow_literal=allow_literal)
    values = with_secrets(model, source.node, source.options, reader, f"sources.{source.name}")
    is_known = not problems.found
    legal = (*model.model_fields, *_COMMON)
    found = _validated(model, values, source.node, problems, legal=legal, judges_whole=is_known)
    problems.raise_if_any()
    assert found is not None  # noqa: S101 - no problem means a value
    return found


def _validated(
    model: type[_Model],
    values: Any,
    root: Node,
    problems: Problems,
    *,
    legal: Collection[str] | None = None,
    judges_whole: bool = True,
) -> _Model | None:
    """The model, or None and its problems noted. Without `judges_whole` what concerns no single option is left out."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False):
            if not wrong["loc"] and not judges_whole:
                continue
            _note(model, wrong, root, problems, legal)
        return None


def _note(model: type[BaseModel], wrong: Any, root: Node, problems: Problems, legal: Collection[str] | None) -> None:
    path = _path_in(root, wrong)
    name = ".".join(str(step) for step in path)
    if wrong["type"] == "extra_forbidden":
        parent = root.at(path[:-1])
        known = legal if legal is not None and len(path) == 1 else _keys_at(model, wrong["loc"][:-1])
        problems.add_key(parent, str(path[-1]), f'There is no option "{name}".', suggest(str(path[-1]), known))
    elif wrong["type"] == "missing":
        problems.add(root.at(path[:-1]), f"{name} is missing.")
    elif not path:
        problems.add(root, f"{str(wrong['msg']).removeprefix('Value error, ')}.")
    else:
        message = str(wrong["msg"]).removeprefix("Value error, ")
        problems.add(root.at(path), f"{name} is not right: {message[0].lower()}{message[1:]}.")


def _path_in(root: Node, wrong: Any) -> list[Any]:
    """Pydantic's path without what is not the document's: the tags of unions, as which a value was tried."""
    steps = [
        step for step in wrong["loc"] if step not in ("client_credentials", "jwt", "literal['rule']") and "[" not in str(step)
    ]
    path: list[Any] = []
    node = root
    for number, step in enumerate(steps, start=1):
        is_there = step in node.entries if isinstance(step, str) else node.kind == "sequence"
        if is_there or (number == len(steps) and (wrong["type"] == "missing" or not path)):
            path.append(step)
            node = root.at(path)
    return path


def _keys_at(model: type[BaseModel], loc: Sequence[Any]) -> list[str]:
    """Legal keys of the part of `model` at a path of pydantic, in which a union's tag chooses among its sections."""
    current = [model]
    for step in loc:
        fields = [one.model_fields[step] for one in current if step in one.model_fields]
        tagged = [one for one in current if "type" in one.model_fields and step in get_args(one.model_fields["type"].annotation)]
        current = [section for field in fields for section in sections(field)] if fields else tagged or current
    return list(dict.fromkeys(key for one in current for key in one.model_fields if key != "folder"))


__all__ = ["ConfigError", "load_settings", "secret_options", "validate_options"]
