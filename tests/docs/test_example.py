"""deploy/syncd.example.yaml is what the typed settings say, loads, and leaves nothing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from syncd.cli.example import page
from syncd.config import Secret, load_settings, validate_options
from syncd.config import settings as settings_module
from syncd.config.example import example
from syncd.config.settings import Settings, SourceSettings
from syncd.document import parse_document
from syncd.wiring import known_connectors

FILE = Path(__file__).parents[2] / "deploy" / "syncd.example.yaml"
INTERNAL = {"ConfiguredSource"}
"""Models that no key of the file is made of."""


def committed() -> str:
    return FILE.read_text(encoding="utf-8")


def with_the_other_auth(text: str) -> str:
    """The same file with the alternative that stands there as a comment."""
    chosen = re.search(r"^  auth:\n(?:    .*\n)+", text, re.MULTILINE)
    other = re.search(r"^  # Or:\n((?:  # .*\n)+?)  # PEM", text, re.MULTILINE)
    assert chosen
    assert other
    uncommented = "".join(f"  {line.removeprefix('  # ')}\n" for line in other[1].splitlines())
    return text.replace(other[0], "  # PEM").replace(chosen[0], uncommented)


def environment(text: str) -> dict[str, str]:
    """A value for every variable that it names; a key of Mailchimp names its data centre."""
    return {name: f"secret-of-{name.lower()}-us21" for name in re.findall(r"\{env: (\w+)\}", text)}


def load(folder: Path, text: str) -> Settings:
    path = folder / "syncd.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment(text), known_connectors())


def models() -> Iterator[type[BaseModel]]:
    """Every model of settings.py, and the options of every connector."""
    for value in vars(settings_module).values():
        if isinstance(value, type) and issubclass(value, BaseModel) and value.model_fields and value.__name__ not in INTERNAL:
            yield value
    for connector in known_connectors().values():
        yield connector.Options


def test_it_is_up_to_date() -> None:
    """Run `python -m syncd.cli.example > deploy/syncd.example.yaml` and keep its output."""
    assert committed() == page(), "Run: .venv/bin/python -m syncd.cli.example > deploy/syncd.example.yaml"


def test_it_loads_with_a_source_of_every_connector(tmp_path: Path) -> None:
    text = committed()
    settings = load(tmp_path, text)
    assert {source.type for source in settings.sources.values()} == set(known_connectors())
    for source in settings.sources.values():
        options = known_connectors()[source.type].Options
        found = validate_options(source, options, environment(text), tmp_path)
        assert set(source.options) == set(options.model_fields)
        assert isinstance(found, options)


def test_what_it_shows_as_defaults_are_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, committed())
    least = load(tmp_path, MINIMAL)
    for name in Settings.model_fields:
        if name not in ("sources", "folder", "salesforce"):
            assert getattr(settings, name) == getattr(least, name), name
    for name in SourceSettings.model_fields:
        assert getattr(settings.sources["csv_drop"].common, name) == getattr(least.sources["csv_drop"].common, name), name


MINIMAL = """\
version: 1
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {type: client_credentials, consumer_key: {env: KEY}, consumer_secret: {env: KEY}}
sources:
  csv_drop: {type: csv_drop, mapping: csv_drop, folder: drop/}
"""


def test_the_alternative_way_to_log_in_loads_too(tmp_path: Path) -> None:
    settings = load(tmp_path, with_the_other_auth(committed()))
    assert settings.salesforce.auth.type == "jwt"


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_every_option_appears_with_its_meaning(model: type[BaseModel]) -> None:
    lines = [re.sub(r"^[ #]+", "", line) for line in committed().splitlines()]
    keys = {line.partition(":")[0] for line in lines if re.match(r"\w+:( |$)", line)}
    text = " ".join(lines)
    assert set(model.model_fields) - {"folder"} <= keys
    for field in model.model_fields.values():
        assert (field.description or "") in text, field.description


def test_it_holds_no_secret_in_plain_text() -> None:
    root = parse_document(committed(), FILE.name)
    assert root.plain()["allow_literal_secrets"] is False
    assert set(root.plain()["salesforce"]["auth"]["consumer_secret"]) == {"env"}


class Endpoint(BaseModel):
    """A part that may be left out."""

    url: str = Field(description="Where.", examples=["https://example.com"])


class OddOptions(BaseModel):
    """Options of shapes that another connector may have."""

    keys: list[Secret] = Field(description="One or two.", examples=[[{"env": "OLD"}, {"env": "NEW"}]])
    endpoint: Endpoint | None = Field(default=None, description="Elsewhere.")
    labels: dict[str, str] = Field(default_factory=dict, description="By name.", examples=[{"a": "on", "b": "x: y"}])

    model_config = {"arbitrary_types_allowed": True}


class Nameless(BaseModel):
    """An option that nobody gave an example."""

    region: str = Field(description="Where.")


def test_shapes_that_no_connector_has_yet_are_written_as_yaml() -> None:
    text = example({"odd": OddOptions})
    source: dict[str, Any] = parse_document(text, "x.yaml").plain()["sources"]["odd"]
    assert source["keys"] == [{"env": "OLD"}, {"env": "NEW"}]
    assert source["endpoint"] is None
    assert "# With:\n    # endpoint:\n    #   # Where. Required.\n    #   url: https://example.com" in text
    assert '# For example: {a: "on", b: "x: y"}\n    labels: {}' in text


def test_a_required_option_without_an_example_is_named() -> None:
    with pytest.raises(ValueError, match=r"sources\.odd\.region"):
        example({"odd": Nameless})
