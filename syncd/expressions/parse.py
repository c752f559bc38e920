"""Expression text to Python syntax trees whose nodes know their place in the file; all limits on size are kept here.

Pure, but for the interpreter's list of warning filters, which is put back. Nothing is ever evaluated here.
"""

from __future__ import annotations

import ast
import keyword
import re
import threading
import warnings
from collections.abc import Callable

from syncd.document import Node
from syncd.errors import ConfigError, ConfigProblem
from syncd.expressions.tree import Place

MAX_CHARACTERS = 2_000
MAX_NODES = 500
MAX_DEPTH = 100

Locate = Callable[[int], tuple[int, int]]
"""Offset in the text of an expression to (line, column) in the file, both from 1."""

_LINE_END = re.compile(r"\r\n|\r|\n")
"""Where Python's tokenizer begins another line."""

_PARSING = threading.Lock()  # warnings.catch_warnings changes the filters of the whole process
_TEXT_LITERAL = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_FOREIGN = (
    (re.compile(r"&&"), 'Write "and" instead of "&&".'),
    (re.compile(r"\|\|"), 'Write "or" instead of "||".'),
    (re.compile(r"<>"), 'Write "!=" instead of "<>".'),
    (re.compile(r"!(?!=)"), 'Write "not" instead of "!".'),
    (re.compile(r"(?<![=!<>:])=(?!=)"), 'Write "==" to compare.'),
)
_PART = re.compile(r"\.\s*([A-Za-z_]\w*)")
_LOOSE_PART = re.compile(r"(?<=[A-Za-z_])\.\s*(?:\w*[$@#]\w*|[0-9]\w*)")


class Parsed:
    """A syntax tree and the place of each of its expressions.

    Attributes:
        root: The tree; nobody changes it.
        file: Name to show in messages.
    """

    __slots__ = ("_places", "file", "root")

    def __init__(self, root: ast.expr, places: dict[int, Place], file: str) -> None:
        """Keep `root` alive for as long as `places`, which is keyed by the identity of its nodes."""
        self.root = root
        self.file = file
        self._places = places

    def place(self, node: ast.AST) -> Place:
        """Where `node` stands; the root's place for nodes that have none of their own."""
        return self._places.get(id(node)) or self._places[id(self.root)]

    def places(self) -> dict[int, Place]:
        """All places, for a tree that takes this one in."""
        return self._places


def parse(text: str, file: str, locate: Locate) -> Parsed:
    """The syntax tree of one expression.

    Args:
        text: The expression; line breaks are allowed anywhere.
        file: Name to show in messages.
        locate: Where an offset of `text` stands in the file.

    Raises:
        ConfigError: Not an expression, or one that is too long, too large or too deep.
    """

    def error(offset: int, message: str, advice: str = "") -> ConfigError:
        return ConfigError([ConfigProblem(file, *locate(offset), message, advice)])

    if len(text) > MAX_CHARACTERS:
        raise error(0, f"The expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed.")
    if not text.strip():
        raise error(0, "The expression is empty.")
    try:
        root = _syntax_tree(text)
    except SyntaxError as problem:
        offset = _offset_of(text, problem)
        raise error(offset, "This is not an expression that can be read.", _advice(text, problem)) from problem
    except (ValueError, RecursionError, MemoryError, OverflowError) as problem:
        advice = "It holds characters that are no text." if isinstance(problem, ValueError) else "It is nested too deeply."
        raise error(0, "The expression cannot be read.", advice) from problem
    if (root.lineno, root.col_offset) == (1, 0):  # it reaches out of the parentheses put around it
        advice = "Lists are written in square brackets." if isinstance(root, ast.Tuple) else "Check the parentheses."
        raise error(0, "This is not one expression.", advice)
    places = _places(text, root, locate)
    deep = _too_large(root)
    if deep is not None:
        place = places[id(deep)]
        message = f"The expression is too large: at most {MAX_NODES} parts, nested at most {MAX_DEPTH} deep."
        raise ConfigError([ConfigProblem(file, place.line, place.column, message)])
    return Parsed(root, places, file)


def at(text: str, line: int, column: int) -> Locate:
    """Places for text that starts at (`line`, `column`) of a file and is written there as it is."""

    def locate(offset: int) -> tuple[int, int]:
        before = text[:offset]
        breaks = before.count("\n")
        return (line + breaks, offset - before.rfind("\n")) if breaks else (line, column + offset)

    return locate


def inside(node: Node, text: str) -> Locate:
    """Places for the text of a YAML scalar, which may be quoted, folded or indented in the file.

    Both sides are walked in step, white space left out: YAML changes nothing else but quotes and escapes.
    """
    source = node.source
    if not source or source == text:
        return at(text, node.line, node.column)

    positions: list[int] = []

    def locate(offset: int) -> tuple[int, int]:
        if not positions:
            positions.extend(_positions(source, text))
        return at(source, node.line, node.column)(positions[min(max(offset, 0), len(positions) - 1)])

    return locate


def _positions(source: str, text: str) -> list[int]:
    """For every letter of `text` (and its end) where it stands in the YAML `source`."""
    positions = []
    position = start = _body_start(source)
    step = 2 if source[start - 1 : start] == "'" else 1  # a quote inside single quotes is written twice
    for letter in text:
        found = position if letter.isspace() else source.find(letter, position)
        if found < 0:  # written as an escape
            found = position
        elif not letter.isspace():
            position = found + (step if letter == "'" else 1)
        positions.append(min(found, len(source) - 1))
    return [*positions, min(position, len(source) - 1)]


def _body_start(source: str) -> int:
    """Where the text begins after a tag, an opening quote or the header line of a block."""
    tag = re.match(r"(?:[!&]\S*\s+)*", source)
    start = tag.end() if tag else 0
    if source[start : start + 1] in ("|", ">"):
        return source.find("\n", start) + 1
    return start + 1 if source[start : start + 1] in ("'", '"') else start


def _syntax_tree(text: str) -> ast.expr:
    """Parse inside parentheses, so that line breaks mean nothing; the last one stands on its own line because of comments."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a pattern is what we want, not a mistake
        return ast.parse(f"({text}\n)", mode="eval").body


def _places(text: str, root: ast.expr, locate: Locate) -> dict[int, Place]:
    """The place of every expression, with columns counted in characters and without the parenthesis put before."""
    wrapped = f"({text}\n)"
    # Python ends a line with a carriage return as well.
    starts = [0, *(found.end() for found in _LINE_END.finditer(wrapped))]
    lines = _LINE_END.split(wrapped)

    def offset(line: int, column: int) -> int:
        letters = column if wrapped.isascii() else len(lines[line - 1].encode()[:column].decode("utf-8", "replace"))
        return starts[line - 1] + letters - 1

    places = {}
    known: dict[int, tuple[int, int]] = {}
    for node in ast.walk(root):
        if isinstance(node, ast.expr):
            start = offset(node.lineno, node.col_offset)
            end = offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
            if start not in known:
                known[start] = locate(start)
            places[id(node)] = Place(*known[start], " ".join(text[start:end].split()))
    return places


def _too_large(root: ast.expr) -> ast.expr | None:
    """The first node beyond the limits, None if the tree keeps them. Goes down without recursion."""
    waiting: list[tuple[ast.AST, int]] = [(root, 1)]
    seen = 0
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, ast.expr):
            seen += 1
            if seen > MAX_NODES or depth > MAX_DEPTH:
                return node
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return None


def _offset_of(text: str, problem: SyntaxError) -> int:
    """Where in `text` Python stumbled."""
    starts = [0, *(found.end() for found in _LINE_END.finditer(text))]
    lines = _LINE_END.split(text)
    line = min(max((problem.lineno or 1) - 1, 0), len(lines) - 1)
    column = (problem.offset or 1) - (2 if line == 0 else 1)
    column = min(max(column, 0), max(len(lines[line]) - 1, 0))
    return starts[line] + column


def _advice(text: str, problem: SyntaxError) -> str:
    """What people mean who write this."""
    bare = _TEXT_LITERAL.sub('""', text)
    for pattern, advice in _FOREIGN:
        if pattern.search(bare):
            return advice
    for found in _PART.finditer(bare):
        if keyword.iskeyword(found[1]):
            return f'"{found[1]}" is a word of the language: write ["{found[1]}"] instead of .{found[1]}.'
    loose = _LOOSE_PART.search(bare)
    if loose:
        part = loose[0].lstrip(". \t\n")
        return f'Write ["{part}"] instead of .{part}.'
    reason = str(problem.msg or "").split(". ")[0]
    return f"Python's parser says: {reason}." if reason and reason.isascii() else ""
