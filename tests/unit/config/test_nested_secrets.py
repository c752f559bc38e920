"""Secrets in sections and tables of a connector's options: read from where secrets come from, shown nowhere, wrong ones at their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.rest import RestOptions
from syncd.clock import FixedClock
from syncd.config import load_settings, secret_options, show_settings, validate_options
from syncd.connector import limits_of
from syncd.errors import ConfigError
from syncd.http import make_session
from syncd.wiring import open_house
from tests.contract.connectors.kit import NOW

FILE = """\
version: 1
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {{type: client_credentials, consumer_key: {{env: KEY}}, consumer_secret: {{env: KEY}}}}
sources:
  tool:
    type: rest
    mapping: rest
    base_url: https://api.example.com
    path: /leads
    records: data
    key: id
    {lines}
"""
ENV = {"KEY": "k", "TOKEN": "tok-3n-value", "ACCOUNT": "acc-0unt-value"}
VALUES = ("tok-3n-value", "acc-0unt-value", "plain-value")


def load(folder: Path, *lines: str, literal: bool = False) -> Any:
    path = folder / "syncd.yaml"
    text = FILE.format(lines="\n    ".join(lines))
    path.write_text(f"{text}allow_literal_secrets: true\n" if literal else text)
    settings = load_settings(path, ENV, {"rest"})
    shown = json.dumps(show_settings(settings, ENV, {"rest": secret_options(RestOptions)}), default=str)
    assert not any(value in shown for value in VALUES)
    found = validate_options(settings.sources["tool"], RestOptions, ENV, folder, allow_literal=literal)
    assert not any(value in f"{found} {found!r}" for value in VALUES)
    return found


def test_a_secret_of_a_section_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, "auth: {type: bearer, token: {env: TOKEN}}")
    assert (found.auth.token.reveal(), found.auth.token.origin) == ("tok-3n-value", "env TOKEN")


def test_a_table_holds_texts_and_secrets(tmp_path: Path) -> None:
    found = load(tmp_path, "headers: {X-Account: {env: ACCOUNT}, X-Version: '2'}")
    assert found.headers["X-Account"].reveal() == "acc-0unt-value"
    assert found.headers["X-Version"] == "2"


def test_a_secret_in_plain_text_is_for_sandboxes_at_any_depth(tmp_path: Path) -> None:
    found = load(tmp_path, "auth: {type: header, name: X-Api-Key, value: plain-value}", literal=True)
    assert found.auth.value.reveal() == "plain-value"
    with pytest.raises(ConfigError, match=r"syncd.yaml:13:50: sources.tool.auth.value stands here in plain text") as refused:
        load(tmp_path, "auth: {type: header, name: X-Api-Key, value: plain-value}")
    assert "plain-value" not in str(refused.value)


def test_what_is_shown_names_where_a_secret_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "syncd.yaml"
    path.write_text(FILE.format(lines="auth: {type: bearer, token: {env: TOKEN}}\n    headers: {X-Account: {env: ACCOUNT}}"))
    settings = load_settings(path, ENV, {"rest"})
    shown = {key: (value, origin) for key, value, origin in show_settings(settings, ENV, {"rest": secret_options(RestOptions)})}
    assert shown["sources.tool.auth.token"] == ("***", "env TOKEN")
    assert shown["sources.tool.auth.type"] == ("bearer", "syncd.yaml")
    assert shown["sources.tool.headers.X-Account"] == ("***", "env ACCOUNT")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("auth: {type: bearer, token: {env: NOPE}}",), "13:33: sources.tool.auth.token: the environment variable NOPE is not set"),
        (("auth: {type: bearer}",), "13:11: auth.token is missing"),
        (("auth: {type: bearer, token: {env: TOKEN}, tokn: x}",), '13:47: There is no option "auth.tokn". Did you mean "token"?'),
        (("auth: {type: berer, token: {env: TOKEN}}",), "13:11: auth is not right"),
        (("headers: {X-Account: {envv: ACCOUNT}}",), '13:26: sources.tool.headers.X-Account is {env: NAME}'),
        (("paging:", "  type: page", "  end: totl"), "15:12: paging.end is not right"),
        (("paging:", "  type: page", "  end: total", "  end_path: x", "  sise: 7"), '17:7: There is no option "paging.sise". Did you mean "size"?'),
        (("paging: {type: token, param: c}",), "13:13: paging is not right: give path or last_record"),
        (("updated_at: {path: at, zone: Berlin}",), '13:34: updated_at.zone is not right: there is no time zone "Berlin"'),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_section_is_told_at_its_place(lines: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, *lines)
    assert problem in str(refused.value)
    assert not any(value in str(refused.value) for value in VALUES)


def test_a_house_lends_what_the_options_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of a described service are those of its description."""
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    lines = "auth: {type: bearer, token: {env: TOKEN}}\n    limits: {calls_per_second: 0.25, connections: 1}"
    (tmp_path / "syncd.yaml").write_text(FILE.format(lines=lines))
    house = open_house(tmp_path / "syncd.yaml", clock=FixedClock(NOW), source_sessions=make_session)
    try:
        connector, options, session = house.connector_of(house.settings.sources["tool"])
        assert limits_of(connector, options).connections == 1
        limiter = session.http._limiter
        began = house.clock.monotonic()
        for _ in range(2):
            with limiter.turn():
                pass
        assert house.clock.monotonic() - began == pytest.approx(4.0)
        assert not any(value in json.dumps(house.shown_settings(), default=str) for value in VALUES)
    finally:
        house.close()
