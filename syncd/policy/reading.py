"""What all readers of policy.yaml share: words, numbers, names and conditions, each checked, with every problem noted. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from syncd.document import Node, Problems, suggest
from syncd.errors import ConfigError, ConfigProblem
from syncd.expressions import Expression, Kind, clock_problem, compile_condition, compile_expression
from syncd.expressions.parse import inside
from syncd.policy.keys import Key, names
from syncd.policy.variables import Variables, misused

MAX_POLICY_CHARACTERS = 200_000
MAX_KEYS = 60
"""Of a mapping whose keys are words of the language: more is no mistake in writing."""

MAX_LISTED = 200
MAX_TEXT_CHARACTERS = 255
MAX_LONG_TEXT_CHARACTERS = 2_000
MAX_DAYS = 3_650
MAX_NUMBER = 10**18
"""Whole numbers beyond it are not taken in at all."""

_ID = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)


class Reader:
    """Reads parts of one file. Whatever is wrong is noted, and the part counts as left out.

    Attributes:
        problems: What was found so far.
        variables: What conditions may name.
    """

    def __init__(self, problems: Problems, variables: Variables) -> None:
        """Start reading; `variables` may be replaced when the criteria are known."""
        self.problems = problems
        self.variables = variables

    def keys(self, node: Node, keys: tuple[Key, ...], what: str) -> bool:
        """Check that `node` is a mapping with these keys and has the required ones; False if it cannot be read at all."""
        if not self.words(node, names(keys), what):
            return False
        missing = [key for key in keys if key.is_required and not self._has(node, key, what)]
        return not missing

    def words(self, node: Node, legal: tuple[str, ...], what: str) -> bool:
        """Check that `node` is a mapping of these keys; False if it is none."""
        if node.kind != "mapping":
            self.problems.add(node, f"{what} is a mapping of keys to values.", f"Known: {', '.join(legal)}.")
            return False
        if len(node.entries) > MAX_KEYS:
            self.problems.add(node, f"{what} has {len(node.entries)} keys.", f"Known: {', '.join(legal)}.")
            return False
        self.problems.unknown_keys(node, legal, what)
        return True

    def _has(self, node: Node, key: Key, what: str) -> bool:
        if is_blank(node.get(key.name)):
            self.problems.add(
                node.get(key.name) or node, f"{what} needs {key.name}:.", f"For example {key.example}." if key.example else ""
            )
            return False
        return True

    def entries(self, node: Node | None, key: str, most: int) -> dict[str, Node]:
        """The mapping under `key` of names to anything; empty if there is none or it is too large."""
        found = None if node is None else node.get(key)
        if found is None or is_blank(found):
            return {}
        if found.kind != "mapping":
            self.problems.add(found, f"{key} is a mapping of names to values.")
            return {}
        return found.entries if self._fits(found, key, len(found.entries), most) else {}

    def items(self, node: Node, key: str, most: int) -> list[Node]:
        """The list under `key`; empty if there is none or it is too long."""
        found = node.get(key)
        if found is None or is_blank(found):
            return []
        if found.kind != "sequence":
            self.problems.add(found, f"{key} is a list.")
            return []
        return found.items if self._fits(found, key, len(found.items), most) else []

    def _fits(self, node: Node, key: str, count: int, most: int) -> bool:
        if count > most:
            self.problems.add(node, f"{key} has {count} entries; at most {most:,} are allowed.")
        return count <= most

    def text(self, node: Node, key: str, most: int = MAX_TEXT_CHARACTERS) -> str:
        """The text under `key`, trimmed; "" if there is none."""
        found = node.get(key)
        return "" if found is None or is_blank(found) else self.text_of(found, key, most)

    def text_of(self, node: Node, key: str, most: int = MAX_TEXT_CHARACTERS) -> str:
        """The text of a node; "" with the problem noted."""
        if node.kind != "scalar" or not isinstance(node.scalar, str) or not node.scalar.strip():
            advice = f'Write "{node.scalar}" in quotes.' if isinstance(node.scalar, int | float) else ""
            self.problems.add(node, f"{key} is a text.", advice)
            return ""
        if len(node.scalar) > most:
            self.problems.add(node, f"{key} has {len(node.scalar)} characters; at most {most:,} are allowed.")
            return ""
        return node.scalar.strip()

    def texts(self, node: Node, key: str, most: int = MAX_LISTED) -> list[tuple[str, Node]]:
        """One text or a list of them, each with its place; empty if there is none."""
        found = node.get(key)
        if found is None or is_blank(found):
            return []
        listed = found.items if found.kind == "sequence" else [found]
        if found.kind == "sequence" and not listed:
            self.problems.add(found, f"{key} is an empty list.", "Leave it out, or name something.")
        if not self._fits(found, key, len(listed), most):
            return []
        read = [(self.text_of(one, key), one) for one in listed]
        return [(text, one) for text, one in read if text]

    def word(self, node: Node, key: str, legal: Iterable[str], default: str) -> str:
        """One of the `legal` words."""
        found = node.get(key)
        if found is None or is_blank(found):
            return default
        words = list(legal)
        if found.kind != "scalar" or found.scalar not in words:
            self.problems.add(found, f"{key} is one of {', '.join(words)}.", suggest(shown(found), words))
            return default
        return str(found.scalar)

    def known(self, text: str, node: Node, legal: Iterable[str], message: str) -> bool:
        """Whether `text` is one of the `legal` names; if not, `message` is noted with a close match."""
        words = list(legal)
        if text not in words:
            self.problems.add(node, message, suggest(text, words))
        return text in words

    def known_key(self, name: str, parent: Node, legal: Iterable[str], message: str) -> bool:
        """The same of a key of the mapping `parent`."""
        words = list(legal)
        if name not in words:
            self.problems.add_key(parent, name, message, suggest(name, words))
        return name in words

    def flag(self, node: Node, key: str, *, default: bool = False) -> bool:
        """True or false."""
        found = node.get(key)
        if found is None or is_blank(found):
            return default
        if not isinstance(found.scalar, bool):
            self.problems.add(found, f"{key} is true or false.")
            return default
        return found.scalar

    def number(self, node: Node, key: str, least: int = 0, most: int = MAX_DAYS) -> int | None:
        """A whole number from `least` to `most`; None if there is none."""
        found = node.get(key)
        if found is None or is_blank(found):
            return None
        value = found.scalar
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.problems.add(found, f"{key} is a whole number from {least:,} to {most:,}.")
            return None
        return value

    def identifier(self, node: Node, key: str) -> str:
        """An id: small letters, digits and underscores."""
        found = node.get(key)
        if found is None or is_blank(found):
            return ""
        return self.identifier_of(shown(found) if isinstance(found.scalar, str) else "", found, key)

    def identifier_of(self, text: str, node: Node, key: str) -> str:
        """The same of a text that is there; "" with the problem noted at `node`."""
        if not _ID.fullmatch(text):
            self.problems.add(node, f"{key} is a name of small letters, digits and _ (at most 60), and begins with a letter.")
            return ""
        return text

    def field(self, node: Node, key: str) -> str:
        """API name of a field; "" if there is none."""
        found = self.text(node, key)
        if found and not _FIELD.fullmatch(found):
            self.problems.add(node.entries[key], f"{key} is the API name of a field.", "For example Syncd_Reason__c.")
            return ""
        return found

    def condition(self, node: Node, key: str, forbidden: tuple[str, ...] = (), later: tuple[str, ...] = ()) -> Expression | None:
        """The condition under `key`; None if there is none, or it is wrong."""
        found = node.get(key)
        if found is None or (found.kind == "scalar" and found.scalar is None):
            return None
        return self._checked(lambda: compile_condition(found, self.variables.schema), found, forbidden, later)

    def expression(self, node: Node, what: str, expects: Kind | None = None) -> Expression | None:
        """The expression that a text holds; it is worked out once, when it is needed, so it may read the clock as it likes."""
        text = self.text_of(node, what, MAX_LONG_TEXT_CHARACTERS)
        if not text:
            return None
        written = str(node.scalar)
        line, column = inside(node, written)(0)
        return self._checked(
            lambda: compile_expression(written, self.variables.schema, file=node.file, line=line, column=column, expects=expects),
            node,
            is_clocked=True,
        )

    def expressions(self, node: Node, key: str, most: int) -> dict[str, Expression]:
        """Names to expressions under `key`."""
        read = {name: self.expression(one, f"{key}.{name[:60]}") for name, one in self.entries(node, key, most).items()}
        return {name: one for name, one in read.items() if one is not None}

    def _checked(
        self,
        compiled: Callable[[], Expression],
        node: Node,
        forbidden: tuple[str, ...] = (),
        later: tuple[str, ...] = (),
        *,
        is_clocked: bool = False,
    ) -> Expression | None:
        try:
            found = compiled()
        except ConfigError as error:
            self.problems.found.extend(error.problems)
            return None
        wrong = list(misused(found, forbidden, later))
        if not is_clocked and not wrong and (clock := clock_problem(found)) is not None:
            wrong.append(clock)
        for place, message in wrong:
            self.problems.found.append(ConfigProblem(node.file, place.line, place.column, message))
        return None if wrong else found


def is_blank(node: Node | None) -> bool:
    """Whether nothing is written there."""
    return node is None or (node.kind == "scalar" and node.scalar is None)


def shown(node: Node) -> str:
    """A scalar as it may stand in a message; "" for anything else."""
    return str(node.scalar)[:120] if node.kind == "scalar" else ""
