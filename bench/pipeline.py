"""The whole pass from file to org, in one process, the sandbox in process too: leads a second, API calls, peak memory.

The floor is the same creates posted by a bare loop through the same session: no mapping, no identity, no ledger.

    python bench/pipeline.py [LEADS]
"""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path

from syncd.clock import SystemClock
from syncd.http import make_session
from syncd.model import Assignment
from syncd.salesforce import ClientCredentials, OrgSettings, SalesforceOrg
from syncd.sandbox import CONSUMER_KEY, CONSUMER_SECRET, SandboxOrg
from syncd.sandbox.adapter import SandboxAdapter
from syncd.wiring import open_house

_SETTINGS = """\
version: 1
allow_literal_secrets: true
salesforce:
  login_url: https://sandbox.test
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
log: {{level: error}}
sources:
  booth: {{type: csv_drop, folder: drop, mapping: csv, settle_seconds: 0}}
"""
_MAPPING = """\
version: 1
lead:
  Email: {from: email, as: email}
  FirstName: {from: first, as: name}
  LastName: {from: last, as: name}
  Company: {from: company, as: company, default: "[not provided]"}
  Title: {from: title, as: title}
  Phone: {from: phone, as: phone, region: US}
  LeadSource: {value: Web, overwrite: first}
"""


def sessions(org: SandboxOrg) -> object:
    """A maker of sessions that lead into `org`."""

    def make() -> object:
        session = make_session()
        session.mount("https://", SandboxAdapter(org))
        return session

    return make


def floor_seconds(count: int) -> float:
    """Post the creates and nothing else."""
    org = SandboxOrg()
    settings = OrgSettings("https://sandbox.test", ClientCredentials(CONSUMER_KEY, CONSUMER_SECRET))
    salesforce = SalesforceOrg(settings, SystemClock(), sessions=sessions(org))  # type: ignore[arg-type]
    salesforce.schema()
    start = time.perf_counter()
    for first in range(0, count, 200):
        rows = [
            (f"p{n}", {"Email": f"person{n}@example.com", "LastName": f"Last{n}", "FirstName": f"First{n}", "Company": "C"})
            for n in range(first, min(first + 200, count))
        ]
        salesforce.create("Lead", rows, Assignment())
    return time.perf_counter() - start


def main(count: int) -> None:
    """First fill, a pass without news, and the floor."""
    floor = floor_seconds(count)
    org = SandboxOrg()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "drop").mkdir()
        (folder / "mappings").mkdir()
        (folder / "syncd.yaml").write_text(_SETTINGS.format(key=CONSUMER_KEY, secret=CONSUMER_SECRET))
        (folder / "mappings" / "csv.yaml").write_text(_MAPPING)
        (folder / "mappings" / "policy.yaml").write_text("version: 1\n")
        with (folder / "drop" / "leads.csv").open("w") as file:
            file.write("email,first,last,company,title,phone\n")
            file.writelines(
                f"person{n}@example.com,First{n},Last{n},Company {n % 997},Engineer,(415) 555-{n % 10000:04d}\n"
                for n in range(count)
            )
        ids = itertools.count(1)
        results = []
        for _ in range(2):
            start = time.perf_counter()
            house = open_house(folder / "syncd.yaml", sessions=sessions(org), make_id=lambda: f"{next(ids):016d}")  # type: ignore[arg-type]
            summary, _ = house.run([])
            house.close()
            results.append((summary, time.perf_counter() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (first, seconds), (quiet, quiet_seconds) = results
    created = first.operations["created"]
    print(
        f"first fill: {created} leads, {created / seconds:,.0f} leads/s; floor {count / floor:,.0f}; ratio {seconds / floor:.1f}"
    )
    print(f"API calls: {first.api_calls} ({first.api_calls / created * 1000:.1f} per 1,000)")
    print(f"without news: {quiet_seconds:.2f} s, {quiet.api_calls} calls")
    print(f"peak memory with the org inside: {peak:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
