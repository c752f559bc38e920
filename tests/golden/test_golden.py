"""Golden cases: what a source holds and a mapping in, the leads and rejects out, reviewed as code.

`python -m tests.golden.test_golden` writes the outputs that are missing; with `--force` it writes all of them anew.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from connectors.csv_drop import CONNECTOR as CSV_DROP
from connectors.csv_drop import CsvDropOptions
from connectors.mailchimp import CONNECTOR as MAILCHIMP
from connectors.mailchimp import MailchimpOptions
from connectors.webhook import CONNECTOR as WEBHOOK
from connectors.webhook import WebhookOptions
from syncd.clock import FixedClock
from syncd.connector import Delivery, Page, Record, Reject, Secret, Session
from syncd.http import Caller, make_session
from syncd.mapping import load_mapping
from tests.contract.connectors.cases import NOW

HERE = Path(__file__).parent
MAPPINGS = HERE.parents[1] / "mappings"


def csv_drop(path: Path) -> list[Page]:
    """A folder with one file."""
    os.utime(path, (NOW.timestamp() - 3600,) * 2)
    return list(CSV_DROP.pull(Session(path.parent), CsvDropOptions(folder=path.parent), "rows", None, NOW))


def mailchimp(path: Path) -> list[Page]:
    """An audience that holds the members of a file, and `tags` by member for those with more than a page shows."""
    vendor = json.loads(path.read_text(encoding="utf-8"))

    def members(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(str(request.url)).query)
        found = [] if query.get("status") == ["archived"] else vendor["members"]
        return 200, {}, json.dumps({"members": found, "total_items": len(found)}, ensure_ascii=False)

    def tags(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        found = vendor["tags"][urlsplit(str(request.url)).path.split("/")[-2]]
        return 200, {}, json.dumps({"tags": found, "total_items": len(found)})

    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        root = "https://us21.api.mailchimp.com/3.0/lists/L1/members"
        wire.add_callback(responses.GET, root, members)
        wire.add_callback(responses.GET, re.compile(f"{root}/[^/]+/tags"), tags)
        session = Session(path.parent, page_size_records=1000, http=Caller(make_session(), FixedClock(NOW)))
        options = MailchimpOptions(api_key=Secret("golden-us21", "test"), audiences=["L1"])
        return list(MAILCHIMP.pull(session, options, "members", None, NOW))


def webhook(path: Path) -> list[Page]:
    """Deliveries of a file, as the intake stores them: `type`, `body` (text), and `id` where they are signed."""
    options = WebhookOptions(secret=Secret("golden", "test"), forms={"honeypot": "website_2"})  # type: ignore[arg-type]
    found: list[Record | Reject] = []
    for one in json.loads(path.read_text(encoding="utf-8")):
        kind, body = one["type"], one["body"].encode("latin-1" if "8859" in one["type"] else "utf-8")
        sent_at = NOW if one.get("id") else None
        found += WEBHOOK.parse(
            Delivery("site", NOW, body, one.get("id", ""), sent_at, kind.lower(), {"content-type": kind}), options
        )
    records = tuple(one for one in found if isinstance(one, Record))
    return [Page(records, {}, tuple(one for one in found if isinstance(one, Reject)))]


_OWN = {path.parent.name: importlib.import_module(f"tests.golden.{path.parent.name}.source") for path in HERE.glob("*/source.py")}
SOURCES: dict[str, tuple[str, Callable[[Path], list[Page]]]] = {
    "csv_drop": ("*/in.*", csv_drop),
    "mailchimp": ("*/*.json", mailchimp),
    "webhook": ("*/*.json", webhook),
    **{name: (found.PATTERN, found.pages) for name, found in _OWN.items()},
}
"""Connector to the files of its cases and how they are read."""

INPUTS = sorted(
    path for name, (pattern, _) in SOURCES.items() for path in (HERE / name).glob(pattern) if path.name != "expected.json"
)


def leads(path: Path) -> list[dict[str, Any]]:
    """What the shipped mapping makes of each record, rejects last."""
    name = path.parents[1].name
    mapping = load_mapping((MAPPINGS / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", name=name)
    found = SOURCES[name][1](path)
    made = []
    for record in (record for page in found for record in page.records):
        lead = mapping.map(record.payload, source="booth")
        one: dict[str, Any] = {
            "row": record.locator,
            "fields": {field: value.value for field, value in lead.fields.items()},
            "touch_at": lead.touch.at,
            "problems": [f"{problem.field}: {problem.reason}" for problem in lead.problems],
        }
        if lead.skipped:
            one["skipped"] = lead.skipped
        if name == "webhook":
            touch = {"campaign": lead.touch.campaign, "utm": lead.touch.utm, "click_ids": lead.touch.click_ids}
            one |= {"key": record.key, "consent": lead.touch.consent, **touch}
        if name == "mailchimp":
            one |= {"key": record.key, "consent": lead.touch.consent, "tags": len(json.loads(record.payload).get("tags") or ())}
        if name in _OWN:
            touch = {"campaign": lead.touch.campaign, "utm": lead.touch.utm, "click_ids": lead.touch.click_ids}
            one |= {"key": record.key, "channel": lead.touch.channel, "consent": lead.touch.consent, **touch}
        made.append(one)
    made.extend({"row": one.locator, "reject": one.reason} for page in found for one in page.rejects)
    return made


@pytest.mark.parametrize("path", INPUTS, ids=["-".join(path.parts[-3:-1]) for path in INPUTS])
def test_a_golden_case_is_as_it_was(path: Path) -> None:
    """A change here is a change of behaviour: review it."""
    expected = json.loads((path.parent / "expected.json").read_text(encoding="utf-8"))
    assert leads(path) == expected


@pytest.mark.parametrize("name", SOURCES)
def test_there_are_at_least_three_cases(name: str) -> None:
    """Bronze asks for three (STYLE 1a)."""
    assert sum(path.parents[1].name == name for path in INPUTS) >= 3


@pytest.mark.parametrize("name", sorted(path.stem for path in MAPPINGS.glob("*.yaml") if path.stem != "policy"))
def test_the_shipped_mapping_keeps_what_its_own_tests_say(name: str) -> None:
    mapping = load_mapping((MAPPINGS / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml", name=name)
    assert mapping.run_tests() == []


if __name__ == "__main__":
    for case in INPUTS:
        target = case.parent / "expected.json"
        if not target.exists() or "--force" in sys.argv:
            target.write_text(json.dumps(leads(case), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
