"""A webhook secret may be a list of two while it is rotated (DESIGN 3.3); each of them comes from where secrets come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.mailchimp import MailchimpOptions
from connectors.webhook import WebhookOptions
from syncd.config import load_settings, secret_options, show_settings, validate_options
from syncd.errors import ConfigError

FILE = """\
version: 1
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {{type: client_credentials, consumer_key: {{env: KEY}}, consumer_secret: {{env: KEY}}}}
sources:
  site:
    type: {type}
    mapping: webhook
    {lines}
"""
ENV = {"KEY": "k", "NEW": "whsec_bmV3LXNlY3JldA==", "OLD": "old-secret-value", "EMPTY": " "}


def options(folder: Path, *lines: str, type: str = "webhook") -> Any:
    path = folder / "syncd.yaml"
    path.write_text(FILE.format(lines="\n    ".join(lines), type=type))
    settings = load_settings(path, ENV, {"webhook", "mailchimp"})
    shown = show_settings(settings, ENV, {"webhook": secret_options(WebhookOptions)})
    assert "old-secret-value" not in json.dumps(shown, default=str)
    model = {"webhook": WebhookOptions, "mailchimp": MailchimpOptions}[type]
    found = validate_options(settings.sources["site"], model, ENV, folder)
    assert "old-secret-value" not in f"{found} {found!r}"
    return found


def test_one_secret_and_a_list_of_two_are_both_taken(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old-secret-value\n")
    assert options(tmp_path, "secret: {env: NEW}").keys == (b"new-secret",)
    assert options(tmp_path, "secret: [{env: NEW}, {file: old}]").keys == (b"new-secret", b"old-secret-value")


def test_the_list_says_where_each_came_from(tmp_path: Path) -> None:
    path = tmp_path / "syncd.yaml"
    path.write_text(FILE.format(lines="secret: [{env: NEW}, {env: OLD}]", type="webhook"))
    settings = load_settings(path, ENV, {"webhook"})
    rows = {name: (value, origin) for name, value, origin in show_settings(settings, ENV, {"webhook": {"secret"}})}
    assert rows["sources.site.secret"] == ("***", "env NEW, env OLD")


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("secret: [{env: NEW}, {env: NOWHERE}]", "syncd.yaml:9:26", "sources.site.secret.1: the environment variable NOWHERE"),
        ("secret: [{evn: NEW}]", "syncd.yaml:9:14", 'Did you mean "env"?'),
        ("secret: [{env: EMPTY}]", "syncd.yaml:9:14", "is empty"),
        ("secret: [plain, {env: NEW}]", "syncd.yaml:9:14", "stands here in plain text"),
        ("secret: []", "syncd.yaml:9:13", "The list is empty"),
        ("secret: [{env: NEW}, {env: OLD}, {env: KEY}]", "syncd.yaml:9:13", "one secret, or two while it is rotated"),
        ("secret: [[{env: NEW}]]", "syncd.yaml:9:14", "is {env: NAME}"),
        ("forms: {honypot: x}", "syncd.yaml:9:13", 'Did you mean "honeypot"?'),
        ("forms: {origins: [https://acme.com/path]}", "syncd.yaml:9:", "no origin such as"),
        ("forms: {redirect: /thanks}", "syncd.yaml:9:", "whole address"),
        ("tolerance_seconds: 10", "syncd.yaml:7:5", "give secret: {env: NAME} for signed requests, or forms:"),
    ],
)
def test_what_is_wrong_is_told_once_with_its_place(tmp_path: Path, line: str, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options(tmp_path, line)
    assert place in str(refused.value)
    assert words in str(refused.value)
    assert len(refused.value.problems) == 1
    assert "old-secret-value" not in str(refused.value)


def test_base64_that_is_none_is_told_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENV, "NEW", "whsec_!!not-base64!!")
    with pytest.raises(ConfigError, match="whsec_ is not followed by base64") as refused:
        options(tmp_path, "secret: {env: NEW}")
    assert "not-base64!!" not in str(refused.value)


def test_a_connector_that_takes_one_secret_is_given_no_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"syncd.yaml:9:14: sources.site.api_key is \{env: NAME\}"):
        options(tmp_path, "api_key: [{env: NEW}, {env: OLD}]", type="mailchimp")
