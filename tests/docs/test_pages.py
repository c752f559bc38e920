"""Everything nameable is documented, and what is generated is up to date."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from syncd import errors
from syncd.cli.output import NOTE_WORDS
from syncd.cli.reference import commands
from syncd.cli.reference import page as commands_page
from syncd.config.reference import page as configuration_page
from syncd.document import parse_document
from syncd.mapping.reference import page as mapping_page
from syncd.policy.reference import page as policy_page

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "made"),
    [("configuration", configuration_page), ("mapping", mapping_page), ("policy", policy_page), ("commands", commands_page)],
)
def test_a_generated_page_is_up_to_date(name: str, made: object) -> None:
    """Run `python -m syncd.<config|mapping|cli>.reference` and keep its output."""
    assert (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8") == made()  # type: ignore[operator]


def test_every_error_code_has_a_page_and_every_page_a_code() -> None:
    codes = {cls.code for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.SyncdError)}
    pages = {path.stem for path in (ROOT / "syncd" / "pages" / "errors").glob("*.md")}
    assert codes == pages
    listed = set(re.findall(r"\bE\d{3}\b", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")))
    assert listed == codes


def test_every_command_has_help_with_an_example_or_needs_none() -> None:
    for name, text in commands():
        assert text.strip(), f"{name} has no help"
        assert "Examples:" in text, f"{name} has no example"


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert any("make demo" in line for line in lines[:10])
    assert any("make test" in line for line in lines[:10])


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_decisions_are_short() -> None:
    for page in (ROOT / "docs" / "adr").glob("*.md"):
        assert len(page.read_text(encoding="utf-8").splitlines()) <= 60, page.name


def test_every_note_that_a_summary_explains_is_in_the_how_to() -> None:
    text = (ROOT / "docs" / "how-to" / "ops" / "find-out-why-a-lead-was-not-written.md").read_text(encoding="utf-8")
    about_runs = {"skip_when", "older_version", "erased", "lead_unassigned", "held_by_guard"}
    for note in set(NOTE_WORDS) - about_runs:
        assert f"`{note}`" in text, note


def test_ci_runs_exactly_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.strip().endswith("make test")


HEADINGS = [
    "What is read",
    "Credentials",
    "Polling and limits",
    "Options",
    "Mapping keys",
    "Behaviour that surprises",
    "What happens when it fails",
    "Known limits",
    "Removal",
]
"""Of every connector's page (STYLE 9), besides `Actions` where it has some."""


def test_every_connector_has_a_page_a_tier_and_a_mapping() -> None:
    tiers = parse_document((ROOT / "connectors" / "QUALITY.yaml").read_text(encoding="utf-8"), "QUALITY.yaml").entries
    names = {
        path.stem for path in (ROOT / "connectors").iterdir() if path.name not in ("__init__.py", "QUALITY.yaml", "__pycache__")
    }
    assert set(tiers) == names
    for name in names:
        page = (ROOT / "docs" / "connectors" / f"{name}.md").read_text(encoding="utf-8")
        assert [one for one in re.findall(r"(?m)^## (.+)$", page) if one != "Actions"] == HEADINGS, name
        assert (ROOT / "mappings" / f"{name}.yaml").exists()


RULES = {
    "bronze": ("contract_suite", "docs_page", "golden_cases"),
    "silver": ("re_auth", "once_lost_once_back", "owner"),
    "gold": ("diagnostics", "failure_drill", "recorded_day"),
}


def test_a_tier_is_as_high_as_its_rules_say_and_no_lower() -> None:
    """STYLE 1a: a rule is done, todo, or exempt with a reason."""
    found = YAML(typ="safe").load((ROOT / "connectors" / "QUALITY.yaml").read_text(encoding="utf-8"))
    for name, one in found.items():
        assert list(one["rules"]) == [rule for rules in RULES.values() for rule in rules], name
        assert all(re.fullmatch(r"done|todo|(?:done|exempt), \S.*", said) for said in one["rules"].values()), name
        is_kept = [all(one["rules"][rule] != "todo" for rule in rules) for rules in RULES.values()]
        assert one["tier"] == list(RULES)[[*is_kept, False].index(False) - 1], name
