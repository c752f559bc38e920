"""Cleaning text: control characters, white space, HTML, names. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from html.parser import HTMLParser

_INVISIBLE = dict.fromkeys(
    [
        *range(0x09),
        0x0B,
        0x0C,
        *range(0x0E, 0x20),
        *range(0x7F, 0xA0),
        0xAD,
        0x200B,
        0x200E,
        0x200F,
        0x2060,
        0xFEFF,
        *range(0xD800, 0xE000),
    ]
)
"""Control and zero-width characters and lone surrogates; the joiners U+200C and U+200D stay, scripts and emoji need them."""
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d_]+", re.UNICODE)
_PARTICLES = frozenset(
    {
        "van",
        "von",
        "der",
        "den",
        "de",
        "del",
        "della",
        "di",
        "da",
        "dos",
        "das",
        "du",
        "la",
        "le",
        "bin",
        "binti",
        "ter",
        "zu",
        "af",
        "av",
        "y",
        "e",
    }
)
_FORMULA = re.compile(r"^\s*[=@]|^\s*[+-](?=\D)(?![\s(]*\d)|^\s*[+-]\s*\d+\s*[+*/-]\s*\d")


def clean(text: str) -> str:
    """Without control and zero-width characters, in NFC, trimmed; line breaks stay."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return unicodedata.normalize("NFC", text.translate(_INVISIBLE)).strip()


def one_line(text: str) -> str:
    """Clean, with every run of white space as one space."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return _SPACES.sub(" ", clean(text)).strip()


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run the text (`=HYPERLINK(...)`, `@SUM`, `+1+1`); a phone with a leading + is none."""
    return bool(_FORMULA.match(text))


class _Text(HTMLParser):
    """Collects what a browser would show."""

    _HIDDEN = frozenset({"script", "style", "head", "title"})
    _BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in self._HIDDEN
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._HIDDEN and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(text: str) -> str:
    """Text without HTML, entities decoded, empty lines folded. Text without markup comes back clean."""
    for _ in range(4):
        before = text
        if "<" in text:
            parser = _Text()
            parser.feed(text)
            parser.close()
            text = "".join(parser.parts)
        elif "&" in text:
            text = html.unescape(text)
        if text == before:
            break
    lines = (_SPACES.sub(" ", line).strip() for line in clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def person_name(text: str) -> str:
    """A name with sane spacing; ALL CAPS and all lower case become Mixed Case, anything mixed stays as it was given."""
    name = one_line(text)
    if not (name.isupper() or name.islower()):
        return name
    letters = [letter for letter in name if letter.isalpha()]
    if len(letters) < 2 or not (all(c.isupper() for c in letters) or all(c.islower() for c in letters)):
        return name
    if len(letters) <= 3 and all(c.isupper() for c in letters) and " " not in name and not any(c in "AEIOUYÄÖÜ" for c in letters):
        return name
    words = name.lower().split(" ")
    return " ".join(word if index and word in _PARTICLES else _capital(word) for index, word in enumerate(words))


def _capital(word: str) -> str:
    raised = _WORD.sub(lambda found: found[0][0].upper() + found[0][1:], word)
    if raised.startswith("Mc") and len(raised) > 3:
        raised = "Mc" + raised[2].upper() + raised[3:]
    # O'Brien and D'Angelo, but not Mama's.
    return re.sub(r"(?<=\w)'S\b", "'s", raised)
