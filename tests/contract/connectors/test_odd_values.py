"""Whatever stands where a connector expects a value, a pull ends with records and rejects, or with an error of ours.

An exception that is none of ours says nothing to anybody: it is "failed unexpectedly", keeps no page and names no field.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncd.errors import SyncdError
from tests.contract.connectors.cases import CASES, HTTP_CASES

ODD = (b"null", b"{}", b"5", b"1" + b"0" * 12, b"1" + b"0" * 23, b'"\xff"', b"9" * 5_000)
"""Counts that would never end; and what is JSON to whoever does not look: no UTF-8, and a number that nothing holds."""
SPOT = "@@spot@@"
MOST_DEEP = 5


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in an answer, one of each list."""
    if path:
        yield path
    if len(path) < MOST_DEEP:
        children = value.items() if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else ()
        for key, child in children:
            yield from spots(child, (*path, key))


def with_spot(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy of the answer with the mark at a place."""
    if not path:
        return SPOT
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_spot(value[path[0]], path[1:])
    return copy


def kind_of(url: str) -> str:
    """What is asked for, whoever it is about."""
    return re.sub(r"[^/]*[0-9=][^/]*", "N", urlsplit(url).path)


def is_vendors_own(error: BaseException) -> bool:
    """Whether it was the sandbox that could make nothing of what it was asked: a token of ours, say."""
    return any("/syncd/sandbox/vendor" in frame.filename for frame in traceback.extract_tb(error.__traceback__))


@pytest.mark.parametrize("name", HTTP_CASES)
def test_an_odd_value_anywhere_is_a_reject_or_an_error_of_ours(name: str, tmp_path: Path) -> None:
    case = CASES[name](tmp_path)
    case.fill(3)
    assert case.vendor is not None
    line, options = case.vendor.line, case.connector.Options(**case.options)
    answers: dict[str, bytes] = {}

    def noted(request: Any, body: bytes) -> bytes:
        answers.setdefault(kind_of(str(request.url)), body)
        return body

    def pull() -> int:
        return sum(len(page.records) for page in case.connector.pull(case.session, options, case.read, None, case.clock.now()))

    line.distort = noted
    assert pull() == 3
    tried, wrong = 0, []
    for kind, body in list(answers.items()):
        whole = json.loads(body)
        for path in spots(whole):
            made = json.dumps(with_spot(whole, path)).encode()
            for odd in ODD:
                answer = made.replace(f'"{SPOT}"'.encode(), odd)
                line.distort = lambda request, body, kind=kind, answer=answer: (
                    answer if kind_of(str(request.url)) == kind else body
                )
                tried += 1
                try:
                    pull()
                except SyncdError:
                    pass
                except Exception as error:  # noqa: BLE001 - whatever else it is, is what is looked for
                    if not is_vendors_own(error):
                        wrong.append(f"{kind} {path} {odd!r}: {error!r}")
    assert tried
    assert not wrong, "\n".join(wrong)
