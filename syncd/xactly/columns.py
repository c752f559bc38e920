"""The columns of a template: what stands behind each header. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from syncd.document import Node, Problems, suggest
from syncd.xactly.model import OBJECTS, Column, Format, Path

ORDER_ROLES = {
    "batch": False,
    "batch_type": False,
    "period": False,
    "order_code": True,
    "item_code": True,
    "order_type": False,
    "amount": True,
    "currency": False,
    "incentive_date": False,
    "related_order_code": False,
}
"""What syncd knows of an order, and whether there must be a column with it."""
ASSIGNMENT_ROLES = {
    "batch": False,
    "period": False,
    "order_code": True,
    "item_code": True,
    "employee_id": True,
    "split_percent": True,
}
_KEYS = ("is", "from", "value", "as", "default", "required", "compare", "negate")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def read_path(problems: Problems, node: Node | None, key: str, text: str, roots: Sequence[str]) -> Path:
    """`Opportunity.Amount` as a path; what is wrong goes to `problems`.

    Args:
        problems: Takes what is wrong.
        node: Where it stands; None for a default, which is right.
        key: What it is called.
        text: As written.
        roots: How it may begin.
    """
    root, dot, field = text.partition(".")
    line, column = (node.line, node.column) if node is not None else (0, 0)
    if node is not None and (root not in roots or not dot or not _FIELD.fullmatch(field)):
        if root in OBJECTS and root not in roots:
            message = f'{key}: "{root}" is not known here; a path begins with {", ".join(roots)}.'
            problems.add(node, message, "LineItem goes with items: line, Split with assign: split, TeamMember with assign: team.")
        else:
            problems.add(node, f"{key} is a path such as {roots[0]}.Name.", suggest(root, roots))
        return Path(roots[0], "Id")
    return Path(root, field, line, column)


class ColumnReader:
    """Reads `orders:` or `assignments:`."""

    def __init__(self, problems: Problems, roles: Mapping[str, bool], roots: Sequence[str]) -> None:
        """Args: `roles` = what `is:` may name, and whether it must be there; `roots` = how paths may begin."""
        self._problems = problems
        self._roles = roles
        self._roots = roots

    def read(self, root: Node, key: str) -> tuple[Column, ...]:
        """The columns in the order of the file."""
        node = root.get(key)
        if node is None or node.kind != "mapping" or not node.entries:
            self._problems.add(node or root, f"A template needs {key}: with its columns.")
            return ()
        found = [self._column(f"{key}.{header}", header, one) for header, one in node.entries.items()]
        there = {one.role for one in found if one is not None}
        for role, is_needed in self._roles.items():
            if is_needed and role not in there:
                self._problems.add_key(root, key, f"{key} has no column for {role}.", f"Add one: {role}: {{is: {role}}}.")
        return tuple(one for one in found if one is not None)

    def _column(self, key: str, header: str, node: Node) -> Column | None:
        problems = self._problems
        if node.kind != "mapping":
            problems.add(node, f"{key} is {{is: WORD}}, {{from: PATH}} or {{value: TEXT}}.")
            return None
        problems.unknown_keys(node, _KEYS, key)
        chosen = [one for one in ("is", "from", "value") if one in node]
        if len(chosen) != 1:
            problems.add(node, f"{key} has one of is, from and value.")
            return None
        source = node.entries[chosen[0]]
        role, path, value = "", None, ""
        if chosen[0] == "is":
            role = str(source.scalar)
            if role not in self._roles:
                problems.add(source, f'{key}: syncd knows no "{role}" here.', suggest(role, self._roles))
        elif chosen[0] == "from":
            path = read_path(problems, source, key, str(source.scalar), self._roots)
        elif source.kind != "scalar" or isinstance(source.scalar, bool):
            problems.add(source, f"{key}.value is a text.")
        else:
            value = "" if source.scalar is None else str(source.scalar)
        for one in ("as", "default", "required") if path is None else ():
            if one in node:
                problems.add_key(node, one, f"{key}: {one} goes with from.")
        return Column(
            header,
            role=role,
            path=path,
            value=value,
            default=self._default(key, node),
            format=self._format(key, node),
            is_required=self._flag(key, node, "required", default=False),
            is_compared=self._flag(key, node, "compare", default=True),
            is_negated=role == "amount" or self._flag(key, node, "negate", default=False),
        )

    def _default(self, key: str, node: Node) -> str:
        found = node.get("default")
        if found is None or found.scalar is None:
            return ""
        if found.kind != "scalar" or isinstance(found.scalar, bool):
            self._problems.add(found, f"{key}.default is a text.")
        return str(found.scalar)

    def _format(self, key: str, node: Node) -> Format:
        found = node.get("as")
        legal = [one.value for one in Format]
        if found is not None and found.scalar not in legal:
            self._problems.add(found, f"{key}.as is one of {', '.join(legal)}.", suggest(str(found.scalar), legal))
            return Format.TEXT
        return Format.TEXT if found is None else Format(str(found.scalar))

    def _flag(self, key: str, node: Node, name: str, *, default: bool) -> bool:
        found = node.get(name)
        if found is not None and not isinstance(found.scalar, bool):
            self._problems.add(found, f"{key}.{name} is true or false.")
        return default if found is None else found.scalar is True
