"""`do:` of a rule to actions. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from syncd.document import Node, suggest
from syncd.policy.keys import ACTIONS, SOURCE_ACTION, names
from syncd.policy.model import Action, ActionKind, ConversionEvent, Target
from syncd.policy.reading import MAX_LONG_TEXT_CHARACTERS, Reader, is_blank

MAX_ACTIONS = 10
MAX_ACTION_FIELDS = 50
MAX_OPTIONS = 30
_NAMED = re.compile(r"(user|queue):\s*\S.*")
_KINDS = tuple(kind.value for kind in ActionKind)


def read_owner(reader: Reader, node: Node, key: str, words: tuple[str, ...]) -> str:
    """An owner: one of `words`, `user:NAME` or `queue:NAME`; "" if there is none."""
    text = reader.text(node, key)
    if not text or text in words or _NAMED.fullmatch(text):
        kind, colon, name = text.partition(":")
        return f"{kind}:{name.strip()}" if colon else text
    legal = (*words, "user:NAME", "queue:NAME")
    reader.problems.add(node.entries[key], f"{key} is one of {', '.join(legal)}.", suggest(text, words))
    return ""


def read_currency(reader: Reader, node: Node) -> str:
    """An ISO 4217 code; "" if there is none."""
    text = reader.text(node, "currency")
    if text and not (len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()):
        reader.problems.add(node.entries["currency"], "currency is a code of three capital letters.", "For example EUR.")
        return ""
    return text


class ActionReader:
    """Reads lists of actions."""

    def __init__(self, reader: Reader, sources: Mapping[str, str] | None) -> None:
        """`sources` are the names of the configured ones, with their types; None where nobody knows."""
        self._reader = reader
        self._sources = sources

    def read(self, rule: Node, target: Target) -> tuple[Action, ...]:
        """The actions under `do:` of a rule about `target`."""
        found = [self._action(one, target) for one in self._reader.items(rule, "do", MAX_ACTIONS)]
        return tuple(one for one in found if one is not None)

    def _action(self, node: Node, target: Target) -> Action | None:
        problems = self._reader.problems
        if node.kind != "mapping" or len(node.entries) != 1:
            problems.add(
                node,
                "An action is a mapping with one key, for example {task: {subject: Call back}}.",
                f"Known: {', '.join(_KINDS)}.",
            )
            return None
        ((word, asked),) = node.entries.items()
        if word not in _KINDS:
            problems.add_key(node, word, f'There is no action "{word[:60]}".', suggest(word, _KINDS))
            return None
        kind = ActionKind(word)
        return self._in_org(kind, asked, target) if word in ACTIONS else self._at_source(kind, asked)

    def _in_org(self, kind: ActionKind, node: Node, target: Target) -> Action | None:
        reader = self._reader
        if not reader.keys(node, ACTIONS[kind.value], kind.value):
            return None
        if kind is ActionKind.OWNER:
            owner = read_owner(reader, node, "to", ("previous", "account"))
            if owner.startswith("queue:") and target is not Target.LEAD:
                # Reference salesforce.md 9: only Lead, Case and custom objects may belong to a queue.
                message = "A contact cannot belong to a queue in Salesforce, only to a user."
                reader.problems.add(node.entries["to"], message, "Write user:NAME, or account for the owner of its account.")
            return Action(kind, node.line, options={"to": owner})
        if kind is ActionKind.FLAG:
            return Action(
                kind, node.line, options={"field": reader.field(node, "field"), "value": self._option(node, "value") or "true"}
            )
        options = {
            "subject": reader.text(node, "subject"),
            "priority": reader.text(node, "priority"),
            "description": reader.text(node, "description", MAX_LONG_TEXT_CHARACTERS),
        }
        return Action(
            kind,
            node.line,
            options={key: text for key, text in options.items() if text},
            fields=reader.expressions(node, "fields", MAX_ACTION_FIELDS),
            due_in_days=reader.number(node, "due_in_days"),
        )

    def _at_source(self, kind: ActionKind, node: Node) -> Action | None:
        reader = self._reader
        if node.kind != "mapping" or len(node.entries) > MAX_OPTIONS:
            reader.problems.add(node, f"{kind} is a mapping, for example {{source: newsletter}}, of at most {MAX_OPTIONS} keys.")
            return None
        source = reader.text(node, "source")
        if is_blank(node.get("source")):
            reader.problems.add(node, f"{kind} needs source:.", "Name a source of syncd.yaml.")
        elif source and self._sources is not None:
            reader.known(source, node.entries["source"], self._sources, f'syncd.yaml has no source "{source}".')
        options = {key: self._option(node, key) for key in node.entries if key not in names(SOURCE_ACTION)}
        fields = reader.expressions(node, "fields", MAX_ACTION_FIELDS)
        if kind is ActionKind.CONVERSION:
            self._check_conversion(node, options, fields)
        return Action(kind, node.line, source, {key: text for key, text in options.items() if text}, fields)

    def _check_conversion(self, node: Node, options: dict[str, str], fields: Collection[str]) -> None:
        """What every conversion has; `options` get what is said, without what goes without saying."""
        reader = self._reader
        if is_blank(node.get("event")):
            reader.problems.add(node, "conversion needs event:.", f"One of {', '.join(ConversionEvent)}.")
        else:
            reader.word(node, "event", ConversionEvent, "")
        read_currency(reader, node)
        if reader.flag(node, "needs_consent", default=True):
            options["needs_consent"] = ""
            if is_blank(node.get("consent")):
                advice = "Write the key of a box or the id of a form, as your mapping keeps it under touch: consent:."
                reader.problems.add(node, "conversion needs consent:, words that the evidence of consent must hold.", advice)
        for name in sorted(set(fields) - {"value"}):
            advice = "syncd adds what the platform knows people by."
            reader.problems.add_key(node.entries["fields"], name, f'A conversion takes no "{name}" along, only value.', advice)

    def _option(self, node: Node, key: str) -> str:
        """One value of an action as text; a list of texts is joined by commas, as connectors read it."""
        found = node.get(key)
        if found is None or is_blank(found):
            return ""
        if found.kind == "sequence":
            return ",".join(text for text, _ in self._reader.texts(node, key))
        if found.kind != "scalar":
            self._reader.problems.add(found, f"{key} is a text, a number, true or false, or a list of texts.")
            return ""
        if isinstance(found.scalar, str):
            return self._reader.text_of(found, key, MAX_LONG_TEXT_CHARACTERS)
        return str(found.scalar).lower() if isinstance(found.scalar, bool) else str(found.scalar)
