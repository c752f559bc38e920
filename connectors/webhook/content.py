"""Bodies to JSON objects: JSON, and the two encodings of HTML forms. Pure; what cannot be read raises `UnreadableError`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

JSON, URLENCODED, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
FORMS = (URLENCODED, MULTIPART)

MOST_FIELDS = 1_000
"""Of a form; also objects in one list."""
_MOST_LEVELS = 64
"""Of objects and lists inside each other; what is deeper was not made by a form or a sane program."""
_CHARSETS = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "windows-1252": "windows-1252",
}
_BOM = b"\xef\xbb\xbf"
_NUL = re.compile(rb"\\u0000|\x00")


class UnreadableError(ValueError):
    """A body that cannot become records; `reason` is the constant word, the text a sentence without its values."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.reason = reason


class Found(NamedTuple):
    """One object of a body: its JSON and what it says. `value` is no dict where somebody put another thing into the list."""

    payload: bytes
    value: Any


class Form(NamedTuple):
    """The fields of a form, name to text or list of texts, and how many files came with it (they are left out)."""

    fields: dict[str, str | list[str]]
    file_count: int = 0


def media_type(content_type: str) -> str:
    """`application/json` of `Application/JSON; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def read_json(body: bytes, content_type: str) -> tuple[list[Found], bool]:
    """The objects of a body, and whether they stood in a list.

    Raises:
        UnreadableError: `empty_body`, `unknown_charset`, `wrong_charset`, `bad_json`, `too_deep`, `nul`, `not_an_object`,
            `too_many_records`.
    """
    charset = _charset(content_type)
    if charset != "utf-8":
        body = _text(body, charset).encode("utf-8")
    body = body.removeprefix(_BOM).strip()
    if not body:
        raise UnreadableError("empty_body", "The body is empty.")
    try:
        value = msgspec.json.decode(body)
        parts = msgspec.json.decode(body, type=list[msgspec.Raw]) if isinstance(value, list) else None
    except RecursionError as error:
        raise _too_deep() from error
    except UnicodeDecodeError as error:
        raise UnreadableError("wrong_charset", "The body is not in the character set that it states.") from error
    except msgspec.DecodeError as error:
        raise UnreadableError("bad_json", "The body is not JSON.") from error
    if body.count(b"{") + body.count(b"[") > _MOST_LEVELS or _NUL.search(body):
        _look_through(value)
    if isinstance(value, dict):
        return [Found(body, value)], False
    if parts is None:
        raise UnreadableError("not_an_object", "The body is neither an object nor a list of objects.")
    if len(parts) > MOST_FIELDS:
        raise UnreadableError("too_many_records", f"The body holds more than {MOST_FIELDS} objects.")
    return [Found(bytes(part), one) for part, one in zip(parts, value, strict=True)], True


def read_form(body: bytes, content_type: str) -> Form:
    """The fields of a form; `content_type` as it was sent (the boundary minds capitals).

    Raises:
        UnreadableError: `unknown_charset`, `wrong_charset`, `bad_form`, `empty_form`, `too_many_fields`, `nul`.
    """
    charset = _charset(content_type)
    pairs, files = (
        _multipart(body, content_type, charset) if media_type(content_type) == MULTIPART else (_pairs(body, charset), 0)
    )
    fields: dict[str, str | list[str]] = {}
    for name, text in pairs:
        if "\0" in name or "\0" in text:
            raise _nul()
        known = fields.get(name)
        if known is None:
            fields[name] = text
        elif isinstance(known, list):
            known.append(text)
        else:
            fields[name] = [known, text]
    # What a browser adds about its own encoding is no answer of a person; the charset of the header counts.
    fields.pop("_charset_", None)
    if not fields:
        raise UnreadableError("empty_form", "The form has no fields.")
    return Form(fields, files)


def _charset(content_type: str) -> str:
    named = parse_options_header(content_type)[1].get(b"charset", b"").decode("latin-1").strip("\"' ").lower()
    if named not in _CHARSETS:
        raise UnreadableError(
            "unknown_charset", "The character set of the body is none of utf-8, iso-8859-1, windows-1252, us-ascii."
        )
    return _CHARSETS[named]


def _text(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        raise UnreadableError("wrong_charset", "The body is not in the character set that it states.") from error


def _pairs(body: bytes, charset: str) -> list[tuple[str, str]]:
    if body.count(b"&") >= MOST_FIELDS:
        raise _too_many()
    found = []
    for pair in body.split(b"&"):
        if pair:
            name, _, text = pair.replace(b"+", b" ").partition(b"=")
            found.append((_text(unquote_to_bytes(name), charset), _text(unquote_to_bytes(text), charset)))
    return found


def _multipart(body: bytes, content_type: str, charset: str) -> tuple[list[tuple[str, str]], int]:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    parts = _Parts(charset)
    try:
        parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise _bad_form() from error
    if not boundary or not parts.is_over:
        raise _bad_form()
    return parts.fields, parts.file_count


class _Parts:
    """What the parser calls; collects the fields and counts the files."""

    def __init__(self, charset: str) -> None:
        self.fields: list[tuple[str, str]] = []
        self.file_count = 0
        self.is_over = False
        self._charset = charset
        self._count = 0
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value, self._content = b"", b"", bytearray()

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_name,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_content,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_FIELDS:
            raise _too_many()
        self._headers, self._content = {}, bytearray()
        self._name, self._value = b"", b""

    def _add_name(self, raw: bytes, start: int, end: int) -> None:
        self._name += raw[start:end]

    def _add_value(self, raw: bytes, start: int, end: int) -> None:
        self._value += raw[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _add_content(self, raw: bytes, start: int, end: int) -> None:
        self._content += raw[start:end]

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise _bad_form()
        if b"filename" in options:
            # An input without a chosen file comes as a nameless, empty one.
            self.file_count += bool(options[b"filename"] or self._content)
            return
        own = self._headers.get(b"content-type", b"").decode("latin-1")
        charset = _charset(own) if "charset" in own.lower() else self._charset
        self.fields.append((_text(options[b"name"], charset), _text(bytes(self._content), charset)))

    def _finish(self) -> None:
        self.is_over = True


def _look_through(value: Any) -> None:
    """Refuse what is too deep and NUL in a text, which no database keeps. Not recursive: it is there to find what would be."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        below: list[Any] = []
        for one in level:
            if isinstance(one, str) and "\0" in one:
                raise _nul()
            if isinstance(one, dict):
                below.extend(one)
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> UnreadableError:
    return UnreadableError("too_deep", f"Objects and lists stand in each other more than {_MOST_LEVELS} deep.")


def _nul() -> UnreadableError:
    return UnreadableError("nul", "A text holds a NUL character.")


def _too_many() -> UnreadableError:
    return UnreadableError("too_many_fields", f"The form has more than {MOST_FIELDS} fields.")


def _bad_form() -> UnreadableError:
    return UnreadableError("bad_form", "The body is no form in the encoding that it states.")
