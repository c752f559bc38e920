"""The worked examples of docs/connectors/rest.md: loaded as they stand there, and carried out against a service like the one they describe."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.rest import CONNECTOR, RestOptions
from syncd.clock import FixedClock
from syncd.config import load_settings, validate_options
from syncd.sandbox.vendors.rest import REST_CLIENT_SECRET, REST_TOKEN, SandboxRest
from tests.contract.connectors.kit import NOW, lent

PAGE = Path(__file__).parents[3] / "docs" / "connectors" / "rest.md"
EXAMPLES = re.findall(r"```yaml\n(sources:\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
HEAD = """\
version: 1
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {type: client_credentials, consumer_key: {env: KEY}, consumer_secret: {env: KEY}}
"""
ENV = {"KEY": "k", "TOOL_TOKEN": REST_TOKEN, "TOOL_KEY": REST_TOKEN, "TOOL_SECRET": REST_CLIENT_SECRET}
STYLES = ("page", "token", "link")


def test_there_are_three() -> None:
    assert len(EXAMPLES) == len(STYLES)


@pytest.mark.parametrize(("style", "text"), list(zip(STYLES, EXAMPLES, strict=True)))
def test_a_worked_example_works(style: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "syncd.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    options = validate_options(load_settings(path, ENV, {"rest"}).sources["tool"], RestOptions, ENV, tmp_path)
    clock = FixedClock(NOW)
    model = SandboxRest(style=style, clock=clock)
    model.root = "https://api.example.com"
    session, _ = lent(model, CONNECTOR, tmp_path, clock, limits=CONNECTOR.limits(options))
    for number in range(230):
        model.put(f"person{number}@example.com", at=NOW - timedelta(seconds=5_000 - number // 2))

    health = CONNECTOR.check(session, options)
    assert health.ok, health.findings
    found = list(CONNECTOR.pull(session, options, "records", None, NOW))
    assert len({one.key for page in found for one in page.records}) == 230
    assert not [one for page in CONNECTOR.pull(session, options, "records", found[-1].cursor, NOW) for one in page.records]
