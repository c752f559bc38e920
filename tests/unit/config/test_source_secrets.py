"""A connector's secret comes from where the rest of the configuration takes its own, and is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.mailchimp import MailchimpOptions
from syncd.config import load_settings, secret_options, show_settings, validate_options
from syncd.errors import ConfigError
from syncd.http import make_session
from syncd.sandbox.adapter import SandboxAdapter
from syncd.sandbox.mailchimp import MAILCHIMP_KEY, SandboxMailchimp
from syncd.wiring import open_house

FILE = """\
version: 1
allow_literal_secrets: {literal}
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {{type: client_credentials, consumer_key: {{env: KEY}}, consumer_secret: {{env: KEY}}}}
sources:
  news: {{type: mailchimp, mapping: mailchimp, api_key: {key}{more}}}
"""


def options(folder: Path, key: str, *, literal: bool = False, more: str = "", **env: str) -> Any:
    path = folder / "syncd.yaml"
    path.write_text(FILE.format(literal=str(literal).lower(), key=key, more=more))
    environment = {"KEY": "k", **env}
    settings = load_settings(path, environment, {"mailchimp"})
    source = settings.sources["news"]
    shown = show_settings(settings, environment, {"mailchimp": secret_options(MailchimpOptions)})
    assert MAILCHIMP_KEY not in json.dumps(shown, default=str)
    assert ("sources.news.api_key", "***") in [(name, value) for name, value, _ in shown]
    found = validate_options(source, MailchimpOptions, environment, folder, allow_literal=settings.allow_literal_secrets)
    assert MAILCHIMP_KEY not in f"{found} {found!r}"
    return found


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    assert options(tmp_path, "{env: MC}", MC=MAILCHIMP_KEY).api_key.reveal() == MAILCHIMP_KEY


def test_a_secret_comes_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{MAILCHIMP_KEY}\n")
    assert options(tmp_path, "{file: key}").api_key.reveal() == MAILCHIMP_KEY


def test_a_secret_comes_from_the_service_manager(tmp_path: Path) -> None:
    (tmp_path / "mc").write_text(MAILCHIMP_KEY)
    assert options(tmp_path, "{credential: mc}", CREDENTIALS_DIRECTORY=str(tmp_path)).api_key.reveal() == MAILCHIMP_KEY


def test_a_secret_in_plain_text_is_for_sandboxes(tmp_path: Path) -> None:
    assert options(tmp_path, MAILCHIMP_KEY, literal=True).api_key.origin == "syncd.yaml"
    with pytest.raises(ConfigError, match=r"syncd.yaml:7:56: sources.news.api_key stands here in plain text") as refused:
        options(tmp_path, MAILCHIMP_KEY)
    assert MAILCHIMP_KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("{env: NOWHERE}", "NOWHERE is not set"),
        ("{file: nowhere}", "cannot be read"),
        ("{evn: MC}", 'Did you mean "env"?'),
        ("null", "api_key is missing"),
        ('""', "api_key"),
        ("{env: SHORT}", "names no data centre"),
    ],
)
def test_what_is_wrong_with_a_secret_is_told_with_its_place(tmp_path: Path, key: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options(tmp_path, key, SHORT="0123456789")
    assert words in str(refused.value)
    assert "syncd.yaml:7:" in str(refused.value)
    assert "0123456789" not in str(refused.value)
    assert len(refused.value.problems) == 1


def test_everything_wrong_with_a_source_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        options(tmp_path, "{env: NOWHERE}", more=", audience: [x], reconcile_hours: -1, base_url: http://example.com/")
    text = str(refused.value)
    assert len(refused.value.problems) == 4
    assert 'Did you mean "audiences"?' in text
    assert "http:// is for this machine only" in text
    assert "data centre" not in text, "of a key that is not known nothing more is said"


def test_a_house_lends_a_source_its_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "k")
    more = ", base_url: 'https://mc.test/3.0', overlap_seconds: 77, settle_seconds: 11"
    (tmp_path / "syncd.yaml").write_text(FILE.format(literal="true", key=MAILCHIMP_KEY, more=more))
    model = SandboxMailchimp()
    model.add_audience("L1")

    def sessions() -> Any:
        session = make_session()
        session.mount("https://mc.test/", SandboxAdapter(model))
        return session

    house = open_house(tmp_path / "syncd.yaml", source_sessions=sessions)
    try:
        (health,) = house.check_sources(()).values()
        assert health.ok, health
        _, _, session = house.connector_of(house.settings.sources["news"])
        assert (session.overlap_seconds, session.settle_seconds, session.page_size_records) == (77, 11, 1000)
        assert MAILCHIMP_KEY not in repr(session)
        assert house.connector_of(house.settings.sources["news"])[2].http is session.http, "one limit for all of a source"
    finally:
        house.close()


def test_another_authority_is_named_per_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "k")
    (tmp_path / "syncd.yaml").write_text(FILE.format(literal="true", key=MAILCHIMP_KEY, more=", ca_file: no.pem"))
    house = open_house(tmp_path / "syncd.yaml")
    with pytest.raises(ConfigError, match=r"ca_file .*no\.pem"):
        house.connector_of(house.settings.sources["news"])
    house.close()
