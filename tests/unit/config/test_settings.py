"""syncd.yaml: everything wrong at once, with its place; secrets are references and are never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.csv_drop import CsvDropOptions
from syncd.config import load_settings, show_settings, validate_options, write_template
from syncd.config.settings import Settings
from syncd.errors import ConfigError

GOOD = """\
version: 1
store: {url: "sqlite:///syncd.db"}
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {type: client_credentials, consumer_key: {env: SF_KEY}, consumer_secret: {file: secret.txt}}
  ca_file: null
  api_version: "62.0"
  expected_org_id: null
  external_id_field: Syncd_Id__c
  machine_users: []
  api_budget: {daily_share: 0.5, hot_reserve: 0.1}
mappings_dir: mappings
policy: mappings/policy.yaml
http: {host: 127.0.0.1, port: 8080}
guard: {max_creates_per_pass: null, max_changed_share: 0.2}
sources:
  booth: {type: csv_drop, folder: drop/, mapping: csv_drop, assignment: {owner: {queue: Inbound}}, start_from: 2026-01-01}
"""
ENV = {"SF_KEY": "the key"}


def load(folder: Path, text: str, env: dict[str, str] | None = None) -> Settings:
    """Load a file with that text."""
    (folder / "secret.txt").write_text("the secret\n")
    path = folder / "syncd.yaml"
    path.write_text(text)
    return load_settings(path, ENV if env is None else env, {"csv_drop"})


def test_the_documented_shape_loads(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    assert settings.sources["booth"].common.start_from == "2026-01-01"
    assert settings.sources["booth"].common.assignment.owner == {"queue": "Inbound"}
    auth = settings.salesforce.auth
    assert auth.type == "client_credentials"
    assert auth.consumer_secret.reveal() == "the secret"  # type: ignore[union-attr]
    assert str(validate_options(settings.sources["booth"], CsvDropOptions).folder) == "drop"


def test_what_init_writes_loads_and_is_never_overwritten(tmp_path: Path) -> None:
    assert len(write_template(tmp_path)) >= 5
    (tmp_path / "syncd.yaml").write_text(GOOD)
    assert write_template(tmp_path) == []
    assert (tmp_path / "syncd.yaml").read_text() == GOOD


MISTAKES = {
    "top level": ("mappings_dir:", "mapings_dir:", 'Did you mean "mappings_dir"?', 12),
    "salesforce": ("api_version:", "api_versoin:", 'Did you mean "api_version"?', 7),
    "nested": ("daily_share", "dayly_share", 'Did you mean "daily_share"?', 11),
    "plain http": ("https://acme", "http://acme", "https://", 4),
    "share beyond one": ("daily_share: 0.5", "daily_share: 5", "less than or equal to 1", 11),
    "wrong type": ("port: 8080", "port: many", "valid integer", 14),
    "unset variable": ("{env: SF_KEY}", "{env: SF_KYE}", "SF_KYE is not set", 5),
    "missing file": ("secret.txt", "sceret.txt", "cannot be read", 5),
    "literal secret": ("{env: SF_KEY}", "abc", "plain text", 5),
    "unknown connector": ("type: csv_drop", "type: csv_dorp", 'Did you mean "csv_drop"?', 17),
    "not in this version": ("type: csv_drop", "type: mailchimp", 'no connector "mailchimp"', 17),
    "unknown store": ("sqlite:///", "mysql:///", "sqlite:/// or postgresql://", 2),
    "bad start": ("2026-01-01", "yesterday", "all, now or a day", 17),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_advice(tmp_path: Path, name: str) -> None:
    old, new, words, line = MISTAKES[name]
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert words in str(refused.value)
    assert line in [one.line for one in refused.value.problems]
    assert "the secret" not in str(refused.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("api_version:", "api_versoin:").replace("port: 8080", "port: many").replace("{env: SF_KEY}", "{env: NONE}")
    )
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert len(refused.value.problems) == 3


def test_a_missing_part_points_at_its_parent(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, "version: 1\nsources: {}\nsalesforce:\n  login_url: https://a.example.com\n")
    assert "salesforce.auth is missing" in str(refused.value)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    shown = repr(settings) + json.dumps(show_settings(settings, ENV), default=str)
    assert "the secret" not in shown
    assert "the key" not in shown
    assert "***" in shown
    origins = {key: origin for key, _, origin in show_settings(settings, ENV)}
    assert origins["salesforce.auth.consumer_key"] == "env SF_KEY"
    assert origins["log.level"] == "default"


def test_the_environment_wins_over_the_file_for_the_store(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD, {**ENV, "SYNCD_STORE_URL": "postgresql://user:pw@db/syncd"})
    assert settings.store.url.startswith("postgresql://")
    assert ":pw@" not in json.dumps(show_settings(settings, {"SYNCD_STORE_URL": "x"}), default=str)
