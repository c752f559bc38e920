"""How a line of a mapping finds its way through a record. Pure.

A plain path is names with dots between: `merge_fields.FNAME`, `answers.0.text`. A wide path can lead to several values:
`tags.*.name` goes through all members, `marketing_permissions[enabled=true].text` through those that have that text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

Plain = tuple[str, tuple[str, ...]]
"""The path as written, and its steps. A key that holds a dot itself is found by the whole text first."""


class Pick(NamedTuple):
    """`[key=text]`: the members of a list whose `key` (several steps, if dotted) has that text. No key: `*`, all of them."""

    key: tuple[str, ...]
    text: str = ""


class Wide(NamedTuple):
    """A path that can lead to several values."""

    whole: str
    steps: tuple[str | Pick, ...]


class Joined(NamedTuple):
    """All values of several paths as one text."""

    paths: tuple[Path, ...]
    separator: str


Path = Plain | Wide | Joined

_EVERY = Pick(())
_USUAL_STEPS = 3
_MEANT = re.compile(r"\[[^\]]*=|\[\d+\]|\]\s*\.|(?:^|\.)\*(?:\.|$)")
"""What no column is called by chance: `[a=`, `[0]`, `].` and `*` as a step of its own."""
_NAME = re.compile(r"[^.\[\]]+")
_PICK = re.compile(r"\[([^\[\]=]*)=([^\[\]]*)\]")


def path_of(text: str) -> Path:
    """A path as an admin writes it. `Budget [EUR]` is the name of a column.

    Raises:
        ValueError: The text begins like a wide path and is none; the message is a sentence for the admin.
    """
    if not _MEANT.search(text):
        return text, tuple(text.split("."))
    return Wide(text, tuple(_steps(text)))


def _steps(text: str) -> Iterator[str | Pick]:
    at = 0
    while True:
        name = _NAME.match(text, at)
        if name is None:
            raise ValueError(f'The path "{text}" has a step without a name at character {at + 1}.')
        yield _EVERY if name[0] == "*" else name[0]
        at = name.end()
        while text.startswith("[", at):
            pick = _PICK.match(text, at)
            key = pick[1].strip() if pick else ""
            if pick is None or not all(key.split(".")):
                raise ValueError(
                    f'The path "{text}" needs [key=text] at character {at + 1}; the first member of a list is .0, every one .*'
                )
            yield Pick(tuple(key.split(".")), pick[2].strip())
            at = pick.end()
        if at == len(text):
            return
        if text[at] != ".":
            raise ValueError(f'The path "{text}" needs a dot at character {at + 1}.')
        at += 1


def find(record: Mapping[str, Any], path: Path) -> Any:
    """The value at `path`, None if there is none; numbers step into lists. Of several the first that is not blank."""
    if type(path) is not tuple:
        return next((value for value in find_all(record, path) if value != "" and not str(value).isspace()), None)
    plain: Plain = path  # type: ignore[assignment]  # a plain path is the only bare tuple; this runs for every line and record
    whole, steps = plain
    if whole in record:
        return record[whole]
    value: Any = record.get(steps[0])
    for step in steps[1:]:
        if isinstance(value, dict):  # what JSON makes; to ask for any Mapping takes four times as long
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 6:
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


Getter = Callable[[Mapping[str, Any]], Any]
"""The value of one path in a record, None if there is none."""


def getter_of(path: Path) -> Getter:
    """`find` for one path, with everything that can be known beforehand worked out: a mapping asks for every record."""
    if isinstance(path, Joined):
        return _joining(path)
    if type(path) is not tuple:
        return partial(_found, path)
    plain: Plain = path  # type: ignore[assignment]  # a plain path is the only bare tuple
    whole, steps = plain
    if len(steps) == 1:
        return lambda record: record.get(whole)
    first, rest = steps[0], steps[1:]
    if len(rest) == 1:
        return _two_steps(plain, first, rest[0])

    def get(record: Mapping[str, Any]) -> Any:
        if whole in record:
            return record[whole]
        value = record.get(first)
        for step in rest:
            if type(value) is not dict:
                return None if value is None else find(record, path)
            value = value.get(step)
        return value

    return get


def _two_steps(path: Plain, first: str, second: str) -> Getter:
    """The usual length (`merge_fields.FNAME`), without a loop."""
    whole = path[0]

    def get(record: Mapping[str, Any]) -> Any:
        if whole in record:
            return record[whole]
        value = record.get(first)
        if type(value) is dict:
            return value.get(second)
        return None if value is None else find(record, path)

    return get


def _joining(path: Joined) -> Getter:
    """The texts of a joined path."""
    values_of = values_getter(path.paths)

    def joined(record: Mapping[str, Any]) -> Any:
        texts = []
        for value in values_of(record):
            text = value.strip() if type(value) is str else "" if isinstance(value, dict | list) else _text(value).strip()
            if text:
                texts.append(text)
        return path.separator.join(texts) or None

    return joined


Values = Callable[[Mapping[str, Any]], list[Any]]
"""All values of some paths in a record; no None."""


def values_getter(paths: Sequence[Path]) -> Values:
    """`find_all` for several paths, as `getter_of` is `find` for one; plain ones, as a rule most of them, go the short way."""
    ways = [(getter_of(one), None) if type(one) is tuple else (None, _all_of(one)) for one in paths]

    def values_of(record: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        for get, get_all in ways:
            if get_all is not None:
                found += get_all(record)
            elif get is not None and (value := get(record)) is not None:
                found.append(value)
        return found

    return values_of


def _all_of(path: Path) -> Values:
    """`find_all` for one path; the usual wide one, `boxes[ticked=true].text`, goes the short way through a list of objects."""
    if not isinstance(path, Wide) or len(path.steps) != _USUAL_STEPS:
        return partial(find_all, path=path)
    whole, (home, pick, name) = path
    if not (isinstance(home, str) and isinstance(pick, Pick) and len(pick.key) == 1 and isinstance(name, str)):
        return partial(find_all, path=path)
    (key,), wanted = pick

    def all_of(record: Mapping[str, Any]) -> list[Any]:
        members = record.get(home)
        if members is None and whole not in record:
            return []
        if type(members) is not list or whole in record:
            return find_all(record, path)
        found: list[Any] = []
        for member in members:
            if type(member) is not dict:
                return find_all(record, path)
            told = member.get(key)
            if told is None or isinstance(told, dict | list) or _text(told) != wanted:
                continue
            value = member.get(name)
            if value is not None and not isinstance(value, dict | list):
                found.append(value)
        return found

    return all_of


def _found(path: Path, record: Mapping[str, Any]) -> Any:
    return find(record, path)


def find_all(record: Mapping[str, Any], path: Path) -> list[Any]:
    """Every value at `path`, in the record's order; no None. Of a wide path scalars only."""
    if isinstance(path, Joined):
        texts = [
            _text(value).strip() for one in path.paths for value in find_all(record, one) if not isinstance(value, dict | list)
        ]
        joined = path.separator.join(text for text in texts if text)
        return [joined] if joined else []
    if not isinstance(path, Wide):
        value = find(record, path)
        return [] if value is None else [value]
    if path.whole in record:
        whole = record[path.whole]
        return [] if whole is None else [whole]
    return [value for value in _walk(record, path.steps) if value is not None and not isinstance(value, dict | list)]


def _walk(value: Any, steps: tuple[str | Pick, ...]) -> Iterator[Any]:
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        yield from _walk(find(value, (step, (step,))) if isinstance(value, Mapping) else _member(value, step), rest)
        return
    if not step.key:
        for member in _members(value):
            yield from _walk(member, rest)
        return
    for member in value if isinstance(value, list) else [value]:
        if _has_text(member, step):
            yield from _walk(member, rest)


def _member(value: Any, step: str) -> Any:
    is_inside = isinstance(value, list) and step.isdecimal() and len(step) < 6 and int(step) < len(value)
    return value[int(step)] if is_inside else None


def _members(value: Any) -> list[Any]:
    """Members of a list, values of an object; of an object of yes and no the keys that are yes (Mailchimp's interests)."""
    if isinstance(value, list):
        return value
    if not isinstance(value, Mapping):
        return []
    if value and all(isinstance(one, bool) for one in value.values()):
        return [key for key, one in value.items() if one]
    return list(value.values())


def _has_text(member: Any, pick: Pick) -> bool:
    if not isinstance(member, Mapping):
        return False
    found = find(member, (".".join(pick.key), pick.key))
    return found is not None and not isinstance(found, dict | list) and _text(found) == pick.text


def _text(value: Any) -> str:
    return "true" if value is True else "false" if value is False else str(value)
