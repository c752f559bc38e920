"""Connectors that are asked and sent to: the same record comes under the same key, with the same content, either way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncd.connector import Delivery, FetchingConnector, Record, Wanted
from tests.contract.connectors.cases import CASES, NOW, PUSH_CASES, SENT

COUNT = 12


@pytest.mark.parametrize("name", sorted(SENT))
def test_what_is_sent_is_what_a_poll_finds(name: str, tmp_path: Path) -> None:
    case, push = CASES[name](tmp_path), PUSH_CASES[name](tmp_path)
    case.fill(COUNT)
    options = case.connector.Options(**case.options)
    pulled = {
        one.key: one
        for page in case.connector.pull(case.session, options, case.read, None, case.clock.now())
        for one in page.records
    }
    assert len(pulled) == COUNT
    for number in range(COUNT):
        body = SENT[name](case, number)
        request = push.send(body, NOW)
        push_options = push.connector.Options(**push.options)
        verdict = push.connector.verify(request, push_options, NOW)
        assert not verdict.refusal
        kind = request.headers.get("content-type", "").lower()
        delivery = Delivery(name, NOW, body, verdict.delivery_id, verdict.sent_at, kind, dict(verdict.kept))
        (one,) = push.connector.parse(delivery, push_options)
        if isinstance(one, Wanted):
            assert isinstance(case.connector, FetchingConnector)
            found = case.connector.fetch(case.session, options, one)
            assert found is not None
            assert (found.key == one.key) is push.is_keyed  # type: ignore[union-attr]
            one = found
        assert isinstance(one, Record)
        assert one.key in pulled
        assert json.loads(one.payload) == json.loads(pulled[one.key].payload)
        assert one.source_at == pulled[one.key].source_at
