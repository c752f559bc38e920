"""A mapping file to a Mapping, with every problem of the file at once. Pure: text in, value or ConfigError out."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from syncd.document import Node, Problems, parse_document, suggest
from syncd.errors import ConfigError
from syncd.expressions import Expression, Kind, Schema, compile_condition
from syncd.mapping.compiled import Mapping
from syncd.mapping.fields import FieldReader, read_path
from syncd.mapping.paths import Joined, Path
from syncd.mapping.rules import FieldRule, TouchRule
from syncd.mapping.stock import KINDS, lead_schema
from syncd.mapping.task import TASK_VALUES, TaskReader
from syncd.model import FieldSchema, ObjectSchema, OrgSchema, Overwrite
from syncd.normalise.transforms import VERSION

TOP_KEYS = ("version", "stream", "create", "lead", "touch", "task", "skip_when", "overwrite", "on_null", "tests")
_CHANNEL = FieldSchema("touch.channel", "string", length=40)
TOUCH_KEYS = ("channel", "at", "campaign", "source_url", "utm", "click_ids", "consent")
_TEST_KEYS = ("record", "lead", "touch", "task", "skipped", "problems")


def load_mapping(text: str, file: str, *, name: str, org: OrgSchema | None = None) -> Mapping:
    """Read and check a mapping; with `org`, against its fields and picklists, else against the stock Lead.

    The tests of the file are not run here; see `Mapping.run_tests`.

    Raises:
        ConfigError: All problems with file, line, column and a close match.
    """
    root = parse_document(text, file)
    task = None if org is None else org.objects.get("Task")
    return _Loader(root, name, lead_schema(org), task, is_live=org is not None).load("" if org is not None else text)


class _Loader:
    def __init__(self, root: Node, name: str, lead: ObjectSchema, task: ObjectSchema | None, *, is_live: bool) -> None:
        self._root = root
        self._name = name
        self._lead = lead
        self._task = task
        self._problems = Problems()
        self._is_live = is_live

    def load(self, text: str) -> Mapping:
        root, problems = self._root, self._problems
        problems.unknown_keys(root, TOP_KEYS, "A mapping")
        version = root.get("version")
        if version is None or version.scalar != 1:
            problems.add(version or root, "A mapping begins with version: 1.")
        rules = self._rules()
        schema = self._variables()
        skip_when = self._condition(root.get("skip_when"), schema)
        create = self._create(root.get("create"), schema)
        touch = self._touch(root.get("touch"))
        tasks = TaskReader(problems, self._plain_reader(), self._task)
        task = tasks.read(root.get("task"), lambda node: self._condition(node, schema))
        tests = self._tests(root.get("tests"), {rule.name for rule in rules})
        problems.raise_if_any()
        stream = root.get("stream")
        return Mapping(
            name=self._name,
            file=root.file,
            stream=str(stream.scalar) if stream is not None and stream.scalar else "",
            digest=_digest(root),
            rules=rules,
            touch=touch,
            skip_when=skip_when,
            create=create,
            task=task,
            tests=tests,
            text=text,
        )

    def _variables(self) -> Schema:
        variables = {f"lead.{name}": KINDS.get(field.type, Kind.TEXT) for name, field in self._lead.fields.items()}
        lead = self._root.get("lead")
        for name in lead.entries if lead is not None else ():
            variables.setdefault(f"lead.{name}", Kind.ANY)
        return Schema({**variables, "source": Kind.TEXT}, open_prefixes=("record",))

    def _rules(self) -> list[FieldRule]:
        lead = self._root.get("lead")
        if lead is None or lead.kind != "mapping" or not lead.entries:
            self._problems.add(lead or self._root, "A mapping needs lead: with at least one field.")
            return []
        overwrite = self._word("overwrite", [one.value for one in Overwrite], "if_unchanged")
        on_null = self._word("on_null", ["keep", "clear"], "keep")
        reader = FieldReader(self._problems, self._lead, Overwrite(overwrite), on_null, is_live=self._is_live)
        rules = [reader.read(name, node, lead) for name, node in lead.entries.items()]
        return [rule for rule in rules if rule is not None]

    def _word(self, key: str, legal: list[str], default: str) -> str:
        node = self._root.get(key)
        if node is None:
            return default
        if node.scalar not in legal:
            self._problems.add(node, f"{key} is one of {', '.join(legal)}.", suggest(str(node.scalar), legal))
            return default
        return str(node.scalar)

    def _condition(self, node: Node | None, schema: Schema) -> Expression | None:
        if node is None or (node.kind == "scalar" and node.scalar is None):
            return None
        try:
            return compile_condition(node, schema)
        except ConfigError as error:
            self._problems.found.extend(error.problems)
            return None

    def _create(self, node: Node | None, schema: Schema) -> bool | Expression:
        if node is None or node.scalar in ("always", True):
            return True
        if node.scalar in ("never", False) and node.kind == "scalar":
            return False
        when = node.get("when")
        if node.kind != "mapping" or when is None:
            self._problems.add(
                node, "create is always, never or {when: CONDITION}.", suggest(str(node.scalar), ("always", "never"))
            )
            return False
        self._problems.unknown_keys(node, ("when",), "create")
        found = self._condition(when, schema)
        return False if found is None else found

    # ------------------------------------------------------------------ touch

    def _touch(self, node: Node | None) -> TouchRule:
        if node is None:
            return TouchRule()
        if node.kind != "mapping":
            self._problems.add(node, "touch is a mapping, for example {channel: event}.")
            return TouchRule()
        self._problems.unknown_keys(node, TOUCH_KEYS, "touch")
        campaign = node.get("campaign")
        origin = campaign.get("from") if campaign is not None else None
        is_source = origin is not None and origin.scalar == "source"
        paths = {key: self._paths(node.get(key), key) for key in ("utm", "click_ids")}
        return TouchRule(
            channel=self._plain_reader().read_text(_CHANNEL, node.get("channel")),
            at=self._at(node.get("at")),
            campaign=str(campaign.scalar)
            if campaign is not None and campaign.kind == "scalar" and campaign.scalar is not None
            else "",
            campaign_paths=() if is_source else self._path(origin),
            campaign_is_source=is_source,
            source_url=self._path(node.get("source_url")),
            consent=self._consent(node.get("consent")),
            utm=paths["utm"],
            click_ids=paths["click_ids"],
        )

    def _at(self, node: Node | None) -> FieldRule | None:
        if node is None or (node.kind == "scalar" and node.scalar is None):
            return None
        return self._plain_reader().read_instant(node)

    def _plain_reader(self) -> FieldReader:
        """Reads what is no line of `lead:`."""
        return FieldReader(self._problems, self._lead, Overwrite.IF_UNCHANGED, "keep", is_live=self._is_live)

    def _path(self, node: Node | None) -> tuple[Path, ...]:
        """Paths of a part of the touch: one, a list, or {from: ...}; the first that is not empty counts."""
        if node is not None and node.kind == "mapping":
            node = node.get("from")
        if node is None:
            return ()
        items = node.items if node.kind == "sequence" else [node]
        paths = (read_path(one, self._problems) for one in items if one.scalar is not None)
        return tuple(path for path in paths if path is not None)

    def _consent(self, node: Node | None) -> tuple[Path, ...]:
        """The evidence: a path, a list of which the first counts, or {from: [...], as: join, separator: TEXT} for all of them."""
        paths = self._path(node)
        if node is None or node.kind != "mapping":
            return paths
        self._problems.unknown_keys(node, ("from", "as", "separator"), "touch.consent")
        named, separator = node.get("as"), node.get("separator")
        if named is None:
            return paths
        if named.scalar != "join":
            self._problems.add(named, "touch.consent takes as: join, or no as: at all.")
        return (Joined(paths, str(separator.scalar) if separator is not None and separator.scalar else " "),)

    def _paths(self, node: Node | None, key: str) -> dict[str, tuple[Path, ...] | FieldRule]:
        if node is None:
            return {}
        if node.kind != "mapping":
            self._problems.add(node, f"{key} is a mapping of names to paths.")
            return {}
        return {name: found for name, child in node.entries.items() if (found := self._path_or_rule(name, child))}

    def _path_or_rule(self, name: str, node: Node) -> tuple[Path, ...] | FieldRule | None:
        """A path, a list of which the first counts, or a mapping such as a line's: {value: google}, {from: platform, translate: {...}}."""
        if node.kind != "mapping" or set(node.entries) == {"from"}:
            return self._path(node)
        schema = FieldSchema(name, "string", length=255)
        value = node.get("value")
        if value is not None:
            self._problems.unknown_keys(node, ("value",), name)
            return self._plain_reader().read_text(schema, value)
        return self._plain_reader().read_text(schema, node)

    # ------------------------------------------------------------------ tests

    def _tests(self, node: Node | None, fields: set[str]) -> list[tuple[int, dict[str, Any]]]:
        if node is None:
            return []
        if node.kind != "sequence":
            self._problems.add(node, "tests is a list of {record: ..., lead: ...}.")
            return []
        found = []
        for test in node.items:
            record = test.get("record")
            if test.kind != "mapping" or record is None or record.kind != "mapping":
                self._problems.add(test, "A test has record: (a mapping) and lead: (what is expected of it).")
                continue
            self._problems.unknown_keys(test, _TEST_KEYS, "A test")
            expected = test.get("lead")
            if expected is not None and expected.kind == "mapping":
                self._problems.unknown_keys(expected, fields, "This mapping's lead")
            task = test.get("task")
            if task is not None and task.kind == "mapping":
                self._problems.unknown_keys(task, TASK_VALUES, "The task of a test")
            found.append((test.line, test.plain()))
        return found


def _digest(root: Node) -> str:
    """What the mapping means, without its tests, comments and layout."""
    meaning = {key: value for key, value in root.plain().items() if key != "tests"}
    text = msgspec.json.encode([VERSION, meaning], order="sorted")
    return hashlib.blake2b(text, digest_size=8).hexdigest()
