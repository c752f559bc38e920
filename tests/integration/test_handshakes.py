"""Vendors that ask before they send: challenges are answered and leave nothing, secrets in the path let in and are told to nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd import installed
from syncd.config import load_settings
from syncd.connector import HttpRequest, Secret, Verdict
from syncd.daemon.intake_process import receivers_of
from syncd.errors import ConfigError
from syncd.installed import connector_types
from syncd.intake import Receiver
from tests.adforms import CONNECTOR, SECRET, AdForms, AdFormsOptions, Ads
from tests.intake import Running, counted, label_values, source

JSON = {"content-type": "application/json"}
BODY = b'{"id": "1"}'
OPTIONS = AdFormsOptions(base_url="https://ads.test", secret=Secret(SECRET, "test"))


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Running]:
    """The ad forms beside a source that takes signed deliveries only."""
    with Running(tmp_path, Receiver("ads", CONNECTOR, OPTIONS), source()) as running:
        yield running


def ask(intake: Running, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, intake.url(path), timeout=30, allow_redirects=False, **options)


def test_a_challenge_by_get_is_answered_with_the_connectors_words_and_leaves_nothing(intake: Running) -> None:
    stored, answered = counted("ads", "stored"), counted("ads", "answered")
    answer = ask(intake, "GET", "/hooks/ads", params={"token": SECRET, "challenge": "1158201444 <b>"})
    assert (answer.status_code, answer.content) == (200, b"1158201444 <b>")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (intake.stored(), intake.wakes) == ([], 0)
    assert (counted("ads", "stored"), counted("ads", "answered")) == (stored, answered + 1)


def test_a_challenge_by_get_with_another_secret_is_refused(intake: Running) -> None:
    answer = ask(intake, "GET", "/hooks/ads", params={"token": "guessed", "challenge": "1158201444"})
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")
    assert "1158201444" not in answer.text


def test_a_look_by_head_is_answered_without_a_body(intake: Running) -> None:
    answer = ask(intake, "HEAD", "/hooks/ads")
    assert (answer.status_code, answer.content, intake.stored()) == (200, b"", [])


def test_a_challenge_by_post_is_answered_in_its_own_type_and_leaves_nothing(intake: Running) -> None:
    body = b'{"challenge": "abc"}'
    answer = ask(intake, "POST", f"/hooks/ads/{SECRET}", data=body, headers=JSON)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, body, "application/json")
    assert (intake.stored(), intake.wakes) == ([], 0)


class Careless(AdForms):
    """Takes whatever comes."""

    def verify(self, request: HttpRequest, options: AdFormsOptions, at: datetime) -> Verdict:
        del request, options, at
        return Verdict(status=200)


def test_what_is_no_post_is_never_stored(tmp_path: Path) -> None:
    with Running(tmp_path, Receiver("ads", Careless(), OPTIONS)) as intake:
        assert ask(intake, "GET", "/hooks/ads").status_code == 200
        assert intake.stored() == []
        assert ask(intake, "POST", "/hooks/ads", data=BODY, headers=JSON).status_code == 200
        assert len(intake.stored()) == 1


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/hooks/ads", "PUT", {"POST", "GET", "HEAD", "OPTIONS"}),
        ("/hooks/ads/tail", "DELETE", {"POST", "GET", "HEAD", "OPTIONS"}),
        ("/hooks/site", "GET", {"POST", "OPTIONS"}),
        ("/hooks/site", "HEAD", {"POST", "OPTIONS"}),
        ("/hooks/site", "PROPFIND", {"POST", "OPTIONS"}),
    ],
)
def test_other_methods_are_told_what_this_source_allows(intake: Running, path: str, method: str, allowed: set[str]) -> None:
    answer = ask(intake, method, path)
    assert answer.status_code == 405
    assert {one.strip() for one in answer.headers["allow"].split(",")} == allowed


def test_what_follows_the_source_in_the_path_is_handed_on_and_told_to_nobody(intake: Running) -> None:
    assert ask(intake, "POST", f"/hooks/ads/{SECRET}", data=BODY, headers=JSON).status_code == 200
    refused = [
        ask(intake, "POST", path, data=BODY, headers=JSON)
        for path in (f"/hooks/ads/{SECRET}x", f"/hooks/ads/{SECRET}/", f"/hooks/nowhere/{SECRET}", f"/hooks/site/{SECRET}")
    ]
    assert [(one.status_code, one.json()["error"]) for one in refused] == [
        (401, "bad_signature"),
        (401, "bad_signature"),
        (404, "unknown_source"),
        (404, "not_found"),
    ]
    (stored,) = intake.stored()
    intake.stop()
    assert stored.body == BODY
    shown = str(intake.lines) + str([one.text + str(one.headers) for one in refused]) + str(stored)
    shown += str([label_values(name) for name in ("source", "outcome")])
    assert SECRET not in shown


def test_escapes_in_the_path_are_read_once(tmp_path: Path) -> None:
    options = AdFormsOptions(base_url="https://ads.test", secret=Secret("a/b c%20", "test"))
    with Running(tmp_path, Receiver("ads", CONNECTOR, options)) as intake:
        assert ask(intake, "POST", "/hooks/ads/a%2Fb%20c%2520", data=BODY, headers=JSON).status_code == 200
        assert ask(intake, "POST", "/hooks/ads/a/b c ", data=BODY, headers=JSON).status_code == 401


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connector of the tests is installed, as somebody else's."""
    folder = tmp_path / "site" / "adforms-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: adforms\nVersion: 1.0\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text("[syncd.connectors]\nadforms = tests.adforms:CONNECTOR\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder.parent)
    installed._third_parties.cache_clear()
    yield
    monkeypatch.undo()
    installed._third_parties.cache_clear()


@pytest.mark.usefixtures("third_party")
def test_options_that_only_pull_let_nothing_in(tmp_path: Path) -> None:
    ads = Ads(tmp_path, store_url=f"sqlite:///{tmp_path / 'syncd.db'}")

    def receivers() -> list[Receiver]:
        return receivers_of(load_settings(tmp_path / "syncd.yaml", os.environ, connector_types()))

    assert [one.name for one in receivers()] == ["ads"]
    ads.only_pull()
    assert receivers() == []
    with Running(tmp_path, source()) as intake:
        answer = ask(intake, "POST", f"/hooks/ads/{SECRET}", data=BODY, headers=JSON)
        assert (answer.status_code, answer.json()["error"]) == (404, "unknown_source")
    with pytest.raises(ValueError, match="ads lets nothing in"):
        Receiver("ads", CONNECTOR, AdFormsOptions(base_url="https://ads.test"))


def test_what_is_no_whole_connector_is_refused_and_not_left_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, third_party: None
) -> None:
    """A part of the contract that is missing would make it a source that nobody reads."""
    del third_party
    (tmp_path / "half_a_connector.py").write_text(
        "class Half:\n    name = 'adforms'\n    def pull(self): ...\nCONNECTOR = Half()\n"
    )
    entry = tmp_path / "site" / "adforms-1.0.dist-info" / "entry_points.txt"
    entry.write_text("[syncd.connectors]\nadforms = half_a_connector:CONNECTOR\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    installed._third_parties.cache_clear()
    with pytest.raises(ConfigError, match="neither a PullConnector nor a PushConnector"):
        installed.load_connector("adforms")
