"""One line of `lead:` from its YAML node, checked as far as it can be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncd.document import Node, Problems, suggest
from syncd.mapping.rules import FieldRule, Path, path_of
from syncd.model import CONSENT_FIELDS, FieldSchema, ObjectSchema, Overwrite, Value
from syncd.normalise.moments import is_format, is_zone
from syncd.normalise.places import country_code
from syncd.normalise.text import one_line
from syncd.normalise.transforms import ARGUMENTS, LOCALES, TRANSFORMS, Args

LINE_KEYS = ("from", "value", "as", "translate", "unknown", "default", "overwrite", "on_null")
ARGUMENT_KEYS = ("region", "format", "zone", "locale", "style", "separator", "index", "length")
_TEXT_KEYS = ("from", "as", "translate", "unknown", "default")
_UNKNOWN = ("keep", "no_value", "reject")
_STYLES = ("name", "iso2", "iso3")


def read_path(node: Node, problems: Problems) -> Path | None:
    """The path that a scalar states, None (and a problem) if it is none."""
    try:
        return path_of(str(node.scalar))
    except ValueError as error:
        problems.add(node, str(error))
        return None


class FieldReader:
    """Reads lines of `lead:`; everything wrong goes to `problems`."""

    def __init__(self, problems: Problems, lead: ObjectSchema, overwrite: Overwrite, on_null: str, *, is_live: bool) -> None:
        """`overwrite` and `on_null` are the file's defaults; `is_live` when `lead` is a real org's describe."""
        self._problems = problems
        self._lead = lead
        self._overwrite = overwrite
        self._on_null = on_null
        self._is_live = is_live

    def read(self, name: str, node: Node, parent: Node) -> FieldRule | None:
        """One line, None if it is too wrong to be used."""
        schema = self._schema(name, parent)
        if node.kind != "mapping":
            self._problems.add(node, f'{name} needs a mapping such as {{from: PATH}} or {{value: "..."}}.')
            return None
        self._problems.unknown_keys(node, (*LINE_KEYS, *ARGUMENT_KEYS), f"A line of lead ({name})")
        has_from, has_value = "from" in node, "value" in node
        if has_from == has_value and not (not has_from and "default" in node):
            self._problems.add(node, f"{name} needs either from: or value:.")
            return None
        transform, args, region_path = self._transform(node)
        translate = self._translate(node.get("translate"))
        line, column = parent.keys.get(name, (node.line, node.column))
        return FieldRule(
            name=name,
            line=line,
            column=column,
            paths=self._from(node.get("from")),
            constant=self._scalar(node.get("value")),
            transform=transform,
            args=args,
            region_path=region_path,
            translate=translate,
            unknown=self._unknown(node, name, schema, translate),
            default=self._default(node, name, schema),
            overwrite=self._mode(node),
            clears=self._word(node.get("on_null"), ("keep", "clear"), self._on_null, "on_null") == "clear",
            schema=schema,
        )

    def read_instant(self, node: Node) -> FieldRule | None:
        """`touch.at`: a path, or a mapping with from:, format: and zone:."""
        schema = FieldSchema("at", "datetime")
        if node.kind == "scalar":
            path = read_path(node, self._problems)
            return FieldRule("at", node.line, node.column, () if path is None else (path,), transform="instant", schema=schema)
        self._problems.unknown_keys(node, ("from", "as", "format", "zone"), "touch.at")
        args = Args(formats=self._formats(node.get("format")), zone=self._zone(node.get("zone")))
        return FieldRule(
            "at", node.line, node.column, self._from(node.get("from")), transform="instant", args=args, schema=schema
        )

    def read_text(self, schema: FieldSchema, node: Node | None) -> FieldRule | None:
        """A text beside the lead: a constant, or a mapping such as a line's, without what is about overwriting."""
        if node is None:
            return None
        if node.kind == "scalar":
            if not isinstance(node.scalar, str) or not node.scalar.strip():
                self._problems.add(node, f"{schema.name} is a text, or a mapping such as {{from: PATH}}.")
                return None
            if schema.length < len(node.scalar):
                self._problems.add(node, f"The text is longer than {schema.name} ({schema.length} characters).")
            return FieldRule(schema.name, node.line, node.column, constant=node.scalar, schema=schema)
        self._problems.unknown_keys(node, (*_TEXT_KEYS, *ARGUMENT_KEYS), schema.name)
        if node.kind != "mapping" or "from" not in node:
            self._problems.add(node, f"{schema.name} is a text, or a mapping such as {{from: PATH}}.")
            return None
        transform, args, region_path = self._transform(node)
        translate = self._translate(node.get("translate"))
        return FieldRule(
            name=schema.name,
            line=node.line,
            column=node.column,
            paths=self._from(node.get("from")),
            transform=transform,
            args=args,
            region_path=region_path,
            translate=translate,
            unknown=self._word(node.get("unknown"), _UNKNOWN[:2], "keep", "unknown"),
            default=self._default(node, schema.name, schema),
            schema=schema,
        )

    def _schema(self, name: str, parent: Node) -> FieldSchema | None:
        schema = self._lead.fields.get(name)
        if schema is None and (self._is_live or not name.endswith("__c")) and name not in CONSENT_FIELDS:
            names = [one for one, field in self._lead.fields.items() if field.is_createable]
            self._problems.add_key(parent, name, f'Salesforce has no field "{name}" on Lead.', suggest(name, names))
        if schema is None and name in CONSENT_FIELDS:
            # Hidden from the integration user, or not there: `check --live` says so; the consent is kept all the same.
            return FieldSchema(name, "boolean")
        return schema

    def _from(self, node: Node | None) -> tuple[Path, ...]:
        if node is None:
            return ()
        items = node.items if node.kind == "sequence" else [node]
        paths = []
        for one in items:
            if one.kind != "scalar" or one.scalar is None or not str(one.scalar).strip():
                self._problems.add(one, "from is a path of the record, or a list of them.")
            elif (path := read_path(one, self._problems)) is not None:
                paths.append(path)
        return tuple(paths)

    def _scalar(self, node: Node | None) -> Value:
        if node is None:
            return None
        if node.kind != "scalar":
            self._problems.add(node, "A plain value is needed here.")
            return None
        return node.scalar

    def _default(self, node: Node, name: str, schema: FieldSchema | None) -> Value:
        found = node.get("default")
        value = self._scalar(found)
        if found is not None and name in CONSENT_FIELDS:
            self._problems.add(found, f"{name} takes no default: silence is never consent, nor its withdrawal.")
            return None
        if found is not None and schema is not None and schema.length and isinstance(value, str) and len(value) > schema.length:
            self._problems.add(found, f"The default is longer than {name} ({schema.length} characters).")
        return value

    def _transform(self, node: Node) -> tuple[str, Args, Path | None]:
        named = node.get("as")
        name = str(named.scalar) if named is not None else ""
        if named is not None and name not in TRANSFORMS:
            self._problems.add(named, f'There is no transform "{name}".', suggest(name, TRANSFORMS))
            name = ""
        allowed = ARGUMENTS.get(name, ())
        for key in ARGUMENT_KEYS:
            if key in node and name and key not in allowed:
                takers = [one for one, keys in ARGUMENTS.items() if key in keys]
                self._problems.add_key(node, key, f"{key} does not go with as: {name}.", f"It goes with {', '.join(takers)}.")
        region, region_path = self._region(node.get("region"))
        args = Args(
            region=region,
            formats=self._formats(node.get("format")),
            zone=self._zone(node.get("zone")),
            locale=self._word(node.get("locale"), LOCALES, "en", "locale"),
            style=self._word(node.get("style"), _STYLES, "name", "style"),
            separator=self._text(node.get("separator"), "," if name == "split" else " "),
            index=self._number(node.get("index"), 0, "index"),
            length=self._number(node.get("length"), 0, "length"),
        )
        if name == "truncate" and args.length <= 0:
            self._problems.add(node, "as: truncate needs length: (characters, at least 1).")
        return name, args, region_path

    def _region(self, node: Node | None) -> tuple[str, Path | None]:
        if node is None:
            return "", None
        origin = node.get("from")
        if origin is not None:
            return "", read_path(origin, self._problems)
        code = str(node.scalar or "")
        if len(code) != 2 or country_code(code) != code.upper():
            found = country_code(code)
            self._problems.add(
                node, f'region "{code}" is no ISO country code.', f'Did you mean "{found}"?' if found else "For example US or DE."
            )
            return "", None
        return code.upper(), None

    def _formats(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        items = node.items if node.kind == "sequence" else [node]
        for one in items:
            if not is_format(str(one.scalar)):
                message = f'"{one.scalar}" is no format with year, month and day.'
                self._problems.add(one, message, 'Write iso, or codes such as "%d.%m.%Y %H:%M".')
        return tuple(str(one.scalar) for one in items)

    def _zone(self, node: Node | None) -> str:
        if node is None:
            return ""
        name = str(node.scalar)
        if not is_zone(name):
            self._problems.add(node, f'There is no time zone "{name}".', "Write a name such as Europe/Berlin.")
            return ""
        return name

    def _translate(self, node: Node | None) -> dict[str, Value]:
        if node is None:
            return {}
        if node.kind != "mapping":
            self._problems.add(node, "translate is a mapping of source values to Salesforce values.")
            return {}
        found: dict[str, Value] = {}
        for key, value in node.entries.items():
            folded = one_line(key).casefold()
            if folded in found:
                self._problems.add_key(
                    node, key, f'"{key}" is the same source value as another key here (case and spaces do not count).'
                )
            found[folded] = self._scalar(value)
        return found

    def _unknown(self, node: Node, name: str, schema: FieldSchema | None, translate: dict[str, Value]) -> str:
        is_boolean = name in CONSENT_FIELDS or (schema is not None and schema.type == "boolean")
        is_boolean = is_boolean or (bool(translate) and all(isinstance(value, bool) for value in translate.values()))
        is_restricted = schema is not None and schema.is_restricted
        default = ("no_value" if translate else "keep") if is_boolean else "reject" if is_restricted else "keep"
        return self._word(node.get("unknown"), _UNKNOWN, default, "unknown")

    def _mode(self, node: Node) -> Overwrite:
        return Overwrite(self._word(node.get("overwrite"), [one.value for one in Overwrite], self._overwrite.value, "overwrite"))

    def _word(self, node: Node | None, legal: Sequence[str], default: str, key: str) -> str:
        if node is None:
            return default
        if node.scalar not in legal:
            self._problems.add(node, f"{key} is one of {', '.join(legal)}.", suggest(str(node.scalar), legal))
            return default
        return str(node.scalar)

    def _text(self, node: Node | None, default: str) -> str:
        if node is None:
            return default
        if node.kind != "scalar" or node.scalar in (None, ""):
            self._problems.add(node, "A separator is text of at least one character.")
            return default
        return str(node.scalar)

    def _number(self, node: Node | None, default: int, key: str) -> int:
        if node is None:
            return default
        value: Any = node.scalar
        if not isinstance(value, int) or isinstance(value, bool):
            self._problems.add(node, f"{key} is a whole number.")
            return default
        return value
