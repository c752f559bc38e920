"""YAML text as nodes that know their line and column: the ground under configuration, mappings and policies.

Pure: text in, nodes or `ConfigError` out; no file is opened here. YAML 1.2 (so `NO` is text, not False).
Duplicate keys, cycles, custom tags and keys that are not text are refused with their place.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from syncd.errors import ConfigError, ConfigProblem

MAX_DOCUMENT_CHARACTERS = 1_000_000
_MAX_DEPTH = 40
_MAX_NODES = 200_000
"""Of a document with its aliases written out: a few lines of aliases of aliases could mean billions."""

Scalar = str | int | float | bool | None


class Node:
    """One value of a document with its place; exactly one of `entries`, `items` and `scalar` counts.

    Attributes:
        kind: `mapping`, `sequence` or `scalar`.
        entries: For a mapping: key to Node, in file order.
        keys: For a mapping: key to (line, column) of the key itself.
        items: For a sequence: its Nodes.
        scalar: For a scalar: text, number, bool or None.
        source: For a scalar: its YAML as written (with quotes and line breaks), so that a place inside it can be found.
        line, column: From 1.
    """

    __slots__ = ("column", "entries", "file", "items", "keys", "kind", "line", "scalar", "source")

    def __init__(self, kind: str, file: str, line: int, column: int) -> None:
        """Make an empty node; `parse_document` fills it."""
        self.kind = kind
        self.file = file
        self.line = line
        self.column = column
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, tuple[int, int]] = {}
        self.items: list[Node] = []
        self.scalar: Scalar = None
        self.source = ""

    def __contains__(self, key: str) -> bool:
        """Whether a mapping has `key`."""
        return key in self.entries

    def get(self, key: str) -> Node | None:
        """The value under `key`, None if absent (or if this is no mapping)."""
        return self.entries.get(key)

    def plain(self) -> Any:
        """The same as ordinary dicts, lists and scalars."""
        if self.kind == "mapping":
            return {key: node.plain() for key, node in self.entries.items()}
        if self.kind == "sequence":
            return [node.plain() for node in self.items]
        return self.scalar

    def at(self, path: Sequence[str | int]) -> Node:
        """The deepest existing node along `path` (keys and indexes): where to point for a missing key."""
        node = self
        for step in path:
            found = node.entries.get(step) if isinstance(step, str) else None
            if isinstance(step, int) and node.kind == "sequence" and 0 <= step < len(node.items):
                found = node.items[step]
            if found is None:
                break
            node = found
        return node


class Problems:
    """Collects everything wrong with a document, so that an admin sees it all at once."""

    def __init__(self) -> None:
        """Start with none."""
        self.found: list[ConfigProblem] = []

    def add(self, node: Node, message: str, advice: str = "") -> None:
        """Note a problem at the place of `node`."""
        self.found.append(ConfigProblem(node.file, node.line, node.column, message, advice))

    def add_key(self, parent: Node, key: str, message: str, advice: str = "") -> None:
        """Note a problem at the place of a key of the mapping `parent`."""
        line, column = parent.keys.get(key, (parent.line, parent.column))
        self.found.append(ConfigProblem(parent.file, line, column, message, advice))

    def unknown_keys(self, node: Node, legal: Iterable[str], what: str) -> None:
        """Note every key of the mapping `node` that is not in `legal`, with a close match."""
        known = list(legal)
        for key in node.entries:
            if key not in known:
                self.add_key(node, key, f'{what} has no key "{key}".', suggest(key, known))

    def raise_if_any(self) -> None:
        """Raise ConfigError with all problems in file order, if there are any."""
        if self.found:
            raise ConfigError(sorted(self.found, key=lambda p: (p.file, p.line, p.column)))


def suggest(word: str, legal: Iterable[str]) -> str:
    """`Did you mean "x"?`, or the legal words if nothing is close and they are few; `""` if neither helps."""
    words = sorted(set(legal))
    folded = {candidate.lower(): candidate for candidate in words}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    if close:
        return f'Did you mean "{folded[close[0]]}"?'
    return f"Known: {', '.join(words)}." if 0 < len(words) <= 30 else ""


@functools.lru_cache(maxsize=32)
def parse_document(text: str, file: str) -> Node:
    """Turn YAML text into nodes, once: who reads the same text again is given the same nodes, which nobody changes.

    Args:
        text: The whole document; empty text gives an empty mapping.
        file: Name to show in messages.

    Raises:
        ConfigError: Not YAML, too large, a duplicate key, a cycle, a custom tag, or not a mapping at the top.
    """
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise ConfigError([ConfigProblem(file, 0, 0, f"The file has more than {MAX_DOCUMENT_CHARACTERS} characters.")])
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        constructor = yaml.constructor
        if root is None:
            return Node("mapping", file, 1, 1)
        node = _Builder(file, text, constructor.construct_object).build(root, 0, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise ConfigError([ConfigProblem(file, line, column, f"Not valid YAML: {error.problem or error.context}.")]) from error
    except (YAMLError, ValueError) as error:
        raise ConfigError([ConfigProblem(file, 0, 0, "Not valid YAML.", str(error).split("\n", 1)[0])]) from error
    except RecursionError as error:  # of the YAML reader: it goes down before there is a depth to count
        raise ConfigError([ConfigProblem(file, 0, 0, "The document is nested too deeply.")]) from error
    if node.kind != "mapping":
        raise ConfigError(
            [ConfigProblem(file, node.line, node.column, "The top of the file must be a mapping of keys to values.")]
        )
    return node


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and everything below it, in file order."""
    yield node
    for child in (*node.entries.values(), *node.items):
        yield from walk(child)


class _Builder:
    """Turns composed YAML nodes into ours."""

    def __init__(self, file: str, text: str, construct: Callable[[ScalarNode], Any]) -> None:
        self._file = file
        self._text = text
        self._construct = construct
        self._count = 0

    def build(self, source: Any, depth: int, above: tuple[int, ...]) -> Node:
        line, column = source.start_mark.line + 1, source.start_mark.column + 1
        if depth > _MAX_DEPTH or id(source) in above:
            raise self._error(line, column, "The document is nested too deeply or refers to itself.")
        self._count += 1
        if self._count > _MAX_NODES:
            raise self._error(line, column, f"The document has more than {_MAX_NODES:,} values, aliases written out.")
        above = (*above, id(source))
        if isinstance(source, MappingNode):
            return self._mapping(source, Node("mapping", self._file, line, column), depth, above)
        if isinstance(source, SequenceNode):
            node = Node("sequence", self._file, line, column)
            node.items = [self.build(child, depth + 1, above) for child in source.value]
            return node
        node = Node("scalar", self._file, line, column)
        node.scalar = self._scalar(source, line, column)
        node.source = self._text[source.start_mark.index : source.end_mark.index]
        return node

    def _mapping(self, source: MappingNode, node: Node, depth: int, above: tuple[int, ...]) -> Node:
        for key_node, value_node in source.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            if not isinstance(key_node, ScalarNode) or key_node.value == "<<":
                raise self._error(line, column, "A key must be plain text.")
            key = str(key_node.value)
            if key in node.entries:
                raise self._error(line, column, f'The key "{key}" stands here twice.')
            node.keys[key] = (line, column)
            node.entries[key] = self.build(value_node, depth + 1, above)
        return node

    def _scalar(self, source: ScalarNode, line: int, column: int) -> Scalar:
        tag = str(source.tag or source.ctag)
        if tag.rsplit(":", 1)[-1] not in ("str", "int", "float", "bool", "null", "timestamp"):
            raise self._error(line, column, f"The tag {tag} is not supported.")
        if tag.endswith(":timestamp"):
            return str(source.value)
        value = self._construct(source)
        return value if value is None or isinstance(value, str | int | float | bool) else str(source.value)

    def _error(self, line: int, column: int, message: str) -> ConfigError:
        return ConfigError([ConfigProblem(self._file, line, column, message)])
