"""One call logs and counts; nothing outside the catalogue and nothing personal gets out."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import events, log
from syncd.clock import FixedClock
from syncd.log import KEYS, LogUsageError, configure, counts, get_log, hash_key, redact, unconfigure

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    unconfigure()
    yield
    unconfigure()


@pytest.fixture(name="lines")
def _lines() -> Callable[[], list[dict[str, Any]]]:
    stream = io.StringIO()
    configure("debug", json=True, stream=stream, clock=FixedClock(AT))
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_event_and_keys(lines):
    get_log(run_id="r-1").bind(source="booth").info(events.RUN_STARTED, count=2)
    assert lines() == [
        {
            "timestamp": "2026-01-31T09:30:00.000Z",
            "level": "info",
            "event": "run_started",
            "run_id": "r-1",
            "source": "booth",
            "count": 2,
        }
    ]
    assert list(lines()[0])[:3] == ["timestamp", "level", "event"]


def test_binding_leaves_the_first_log_as_it_was(lines):
    first = get_log(source="a")
    first.bind(source="b", stage="map")
    first.warning(events.SOURCE_LOST)
    assert lines()[0]["source"] == "a"
    assert "stage" not in lines()[0]


def test_each_method_has_its_level(lines):
    one = get_log()
    for method in (one.debug, one.info, one.warning, one.error):
        method(events.PAGE_STORED)
    assert [line["level"] for line in lines()] == ["debug", "info", "warning", "error"]


def test_lower_levels_are_counted_and_not_shown():
    """The counter is the truth; the level only decides what is written."""
    stream = io.StringIO()
    configure("warning", json=True, stream=stream)
    get_log().debug(events.PAGE_STORED)
    get_log().info(events.PAGE_STORED)
    get_log().error(events.ORG_LOST)
    assert counts() == {"page_stored": 2, "org_lost": 1}
    assert len(stream.getvalue().splitlines()) == 1


def test_lines_and_counts_agree_from_many_threads(lines):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: get_log().info(events.PAGE_STORED, count=n), range(400)))
    assert counts() == {"page_stored": 400}
    assert sorted(line["count"] for line in lines()) == list(range(400))


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        ("lead_exploded", {}),
        ("A sentence about something", {}),
        (events.RUN_STARTED, {"email": "x"}),
        (events.RUN_STARTED, {"message": "x"}),
        (events.RUN_STARTED, {"source": {"a": 1}}),
        (events.RUN_STARTED, {"source": ["a"]}),
        (events.RUN_STARTED, {"source": object()}),
        (events.RUN_STARTED, {"count": 2**60}),
        (events.RECORD_SKIPPED, {"record_key": "ada@example.com"}),
        (events.RECORD_SKIPPED, {"record_key": "row-17"}),
        (events.LEAD_RESOLVED, {"person_id": "ada@example.com"}),
        (events.LEAD_RESOLVED, {"person_id": "6281234567890"}),
        (events.LEAD_RESOLVED, {"lead_id": "Ada Lovelace"}),
        (events.LEAD_RESOLVED, {"lead_id": 6281234567890}),
    ],
)
def test_until_configured_wrong_use_raises(event, keys):
    """So a test that logs wrongly fails, and the values are not in the message."""
    with pytest.raises(LogUsageError) as caught:
        get_log().info(event, **keys)
    assert "@" not in str(caught.value)
    assert counts() == {}


def test_until_configured_nothing_is_written(capsys):
    get_log().error(events.ORG_LOST, stage="push")
    assert capsys.readouterr() == ("", "")
    assert counts() == {"org_lost": 1}


def test_in_production_an_unknown_event_is_dropped_and_counted(lines):
    get_log().info("Ada Lovelace came by")
    assert lines() == []
    assert counts() == {"log_refused": 1}


def test_in_production_a_refused_key_is_dropped_and_marked(lines):
    get_log().info(events.RUN_STARTED, email="ada@example.com", source=["a"], count=1)
    (line,) = lines()
    assert line["refused_keys"] == "email,source"
    assert line["count"] == 1
    assert "ada" not in json.dumps(line)


def test_in_production_an_odd_id_is_replaced_by_its_hash(lines):
    get_log().info(events.RECORD_SKIPPED, record_key="ada@example.com")
    assert lines()[0]["record_key"] == hash_key("ada@example.com")


def test_a_key_may_not_be_a_sentence(lines):
    get_log().info(events.RUN_STARTED, **{"ada@example.com": 1})
    assert lines()[0]["refused_keys"] == "?"


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("held", "held"),
        (Colour.RED, "red"),
        (None, None),
        (True, True),
        (1.5, 1.5),
        (7, 7),
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00Z"),
        ("\ud800", "?"),
    ],
)
def test_plain_values_are_shown(lines, value, shown):
    get_log().info(events.RUN_STARTED, reason=value)
    assert lines()[0]["reason"] == shown


@pytest.mark.parametrize(
    "secret",
    [
        "ada@example.com",
        "ADA.Lovelace+x@sub.example.org",
        "+62 812-3456-7890",
        "(0812) 3456 7890",
        "081234567890",
        "4111111111111111",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
        "00D000000000001!AQEAQNq1.x_y",
    ],
)
def test_what_looks_personal_or_secret_is_redacted(lines, secret):
    get_log().warning(events.OPERATION_REFUSED, reason=f"refused for {secret}, again", code=secret)
    shown = json.dumps(lines())
    assert secret not in shown
    assert shown.count("***") >= 2


@pytest.mark.parametrize(
    "text", ["Authorization: Bearer abc.def", "token=s3cr3t", 'password: "s3cr3t"', "api_key=s3cr3t", "client_secret=s3cr3t"]
)
def test_tokens_are_redacted_with_their_header(text):
    assert "s3cr3t" not in redact(text)
    assert "abc.def" not in redact(text)


@pytest.mark.parametrize(
    "text", ["INVALID_EMAIL", "mailchimp_eu", "org_unavailable", "62.0", "Syncd_Id__c", "2026-01-31", "HTTP 503", "1234567"]
)
def test_ordinary_words_pass(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Typeform refuses the token. Check token: (Account, Personal tokens; scopes forms:read and responses:read).",
        "Meta does not let this token read leads. The token needs leads_retrieval, and the page's access.",
        "Check client_id: and client_secret: of the same app; give a new refresh_token:, or an access_token:.",
        "Give the system user access to the dataset, and the token ads_management.",
        "Of refresh_token: the consent was taken back or has ended.",
    ],
)
def test_advice_that_names_a_secret_and_not_its_value_passes(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "token abc.def",
        "token s3cr3t",
        "token: s3cr3t",
        "secret: (s3cr3t)",
        "token " + "a" * 11,
        "token " + "a" * 40,
        "password: the-s3cr3t",
        "token: ;s3cr3t",
    ],
)
def test_a_value_beside_such_a_word_is_no_advice(text):
    assert "***" in redact(text)
    assert not any(one in redact(text) for one in ("s3cr3t", "abc.def", "a" * 11))


def test_long_texts_are_cut():
    assert len(redact("word " * 1000)) == 300


@given(st.text(max_size=30), st.emails(), st.text(max_size=30))
def test_no_address_survives(before, address, after):
    assert address not in redact(f"{before} {address} {after}")


def test_ids_of_ours_and_of_salesforce_pass(lines):
    ids = {
        "run_id": "20260131093000-ab12",
        "sf_id": "00Q000000000001AAA",
        "person_id": "p_9f8e7d6c",
        "operation_id": "42",
        "record_key": hash_key("x"),
    }
    get_log().info(events.OPERATION_DONE, **ids)
    assert "refused_keys" not in lines()[0]
    assert {key: lines()[0][key] for key in ids} == ids


def test_hash_key_is_short_stable_and_keyed():
    assert hash_key("ada@example.com") == hash_key("ada@example.com")
    assert len(hash_key("\ud800")) == 16
    assert hash_key("a") != hash_key("b")
    assert hash_key("a", b"one") != hash_key("a", b"two")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_lines_for_people_and_a_pipe_json():
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        configure(stream=stream)
        get_log().info(events.RUN_STARTED, source="booth")
    assert "run_started" in terminal.getvalue()
    assert "booth" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    assert json.loads(pipe.getvalue())["source"] == "booth"


def test_the_choice_can_be_forced():
    terminal = Terminal()
    configure(json=True, stream=terminal)
    get_log().info(events.RUN_STARTED)
    assert json.loads(terminal.getvalue())["event"] == "run_started"


def test_lines_go_to_stderr(capsys):
    configure(json=True)
    get_log().info(events.RUN_STARTED)
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["event"] == "run_started"


def test_a_log_made_before_configure_follows_it(lines):
    early = get_log(source="a")
    configure("info", json=True, stream=(stream := io.StringIO()))
    early.info(events.RUN_STARTED)
    assert json.loads(stream.getvalue())["source"] == "a"
    assert lines() == []


def test_a_stream_that_is_gone_stops_nothing():
    stream = io.StringIO()
    configure(json=True, stream=stream)
    stream.close()
    get_log().info(events.RUN_STARTED)
    assert counts() == {"run_started": 1}


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="Known: debug, info, warning, error"):
        configure("loud")


def test_libraries_do_not_write_to_stderr(capsys, monkeypatch):
    """Nobody vets what they log; Python would print their warnings when no handler is there."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure(json=True)
    logging.getLogger("some.library").error("ada@example.com")
    assert capsys.readouterr().err == ""


def test_every_documented_key_can_be_logged(lines):
    for key in KEYS:
        get_log().debug(events.PAGE_STORED, **{key: hash_key("x") if key in log.IDS else 1})
    assert all("refused_keys" not in line for line in lines())


def test_configure_looks_stderr_up_at_every_line(monkeypatch):
    """A test runner or a service manager may swap it."""
    configure(json=True)
    monkeypatch.setattr(sys, "stderr", swapped := io.StringIO())
    get_log().info(events.RUN_STARTED)
    assert "run_started" in swapped.getvalue()
