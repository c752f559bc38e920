"""`python -m syncd.sandbox` as a process: what it prints, what it serves, and how it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from syncd.clock import SystemClock
from syncd.config import secret_options
from syncd.connector import Secret, Session
from syncd.http import Caller, make_session
from syncd.installed import load_connector
from syncd.sandbox import (
    AUDIENCE,
    CONSUMER_KEY,
    CONSUMER_SECRET,
    MAILCHIMP_KEY,
    SandboxMailchimp,
    SandboxOrg,
    populate,
    populate_mailchimp,
)
from syncd.sandbox.vendors import all_vendors

MAPPINGS = Path(__file__).parents[2] / "mappings"
COMMAND = (sys.executable, "-m", "syncd.sandbox")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


@contextlib.contextmanager
def sandbox(folder: Path, *arguments: str) -> Iterator[tuple[dict[str, Any], dict[str, Any], list[str]]]:
    """A running sandbox: its ready file, its advice as YAML, all its lines; stopped by SIGTERM, which must end it well."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [*COMMAND, "--folder", str(folder / "box"), "--ready-file", str(ready), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        # The last line comes when everything is served.
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(next(process.stdout))
        begin = lines.index("For syncd.yaml:\n") + 1
        yield json.loads(ready.read_text()), YAML(typ="safe").load("".join(lines[begin:-1])), lines
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_the_program_serves_an_org_and_a_mailchimp_and_prints_what_to_configure(
    tmp_path: Path, session: requests.Session
) -> None:
    """What it prints is a piece of syncd.yaml, and both answer at the addresses and with the secrets in it."""
    with sandbox(tmp_path, "--port-file", str(tmp_path / "port")) as (ready, printed, lines):
        assert printed["allow_literal_secrets"] is True
        salesforce, source = printed["salesforce"], printed["sources"]["newsletter"]
        auth = {"type": "client_credentials", "consumer_key": CONSUMER_KEY, "consumer_secret": CONSUMER_SECRET}
        assert salesforce == {"login_url": ready["org"], "auth": auth, "ca_file": ready["ca_file"]}
        assert ready["org"].endswith(f":{(tmp_path / 'port').read_text()}")
        url = f"{ready['mailchimp']}/3.0"
        assert source == {"type": "mailchimp", "base_url": url, "api_key": MAILCHIMP_KEY, "mapping": "mailchimp"}
        assert "Everything is in memory and gone when it stops." in lines[-1]
        answer = session.post(
            f"{salesforce['login_url']}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(CONSUMER_KEY, CONSUMER_SECRET),
            verify=salesforce["ca_file"],
            timeout=10,
        )
        assert answer.json()["access_token"]
        listed = session.get(f"{source['base_url']}/lists", auth=("anybody", source["api_key"]), timeout=10).json()
        assert [one["id"] for one in listed["lists"]] == [AUDIENCE]


def test_the_org_is_kept_in_its_file_and_mailchimp_is_not(tmp_path: Path, session: requests.Session) -> None:
    """Started twice on one state file: the lead made in the first life is there in the second, the member is not."""
    arguments = ("--empty", "--state", str(tmp_path / "org.json"))
    with sandbox(tmp_path, *arguments) as (ready, _, lines):
        assert f"The org is kept in {tmp_path / 'org.json'}; all else is in memory and gone when it stops." in lines[-1]
        fields = {"fields": {"LastName": "Roe", "Company": "c"}}
        made = session.post(f"{ready['org']}/sandbox/create", json=fields, verify=ready["ca_file"], timeout=10).json()
        member = {"list_id": AUDIENCE, "email": "roe@example.com"}
        assert session.post(f"{ready['mailchimp']}/sandbox/put", json=member, timeout=10).json()["contact_id"]
    assert json.loads((tmp_path / "org.json").read_text())["version"] == 1
    with sandbox(tmp_path, *arguments) as (ready, _, _):
        asked = {"object": "Lead"}
        rows = session.get(f"{ready['org']}/sandbox/records", params=asked, verify=ready["ca_file"], timeout=10).json()
        members = session.get(f"{ready['mailchimp']}/sandbox/state", timeout=10).json()["members"]
    assert [row["Id"] for row in rows] == [made["id"]]
    assert set(members[AUDIENCE].values()) == {0}


@pytest.mark.parametrize("option", ["--port", "--mailchimp-port"])
def test_a_port_that_is_taken_names_the_option_to_change(tmp_path: Path, option: str) -> None:
    """Exit code 2, no traceback; nothing is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [*COMMAND, "--folder", str(tmp_path / "box"), option, str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"Name another with {option}." in done.stderr
    assert "Traceback" not in done.stderr


def test_some_members_are_the_orgs_people_in_another_spelling() -> None:
    """The default population shows what a second source brings: people known already, opt-outs, bounces, the unconfirmed."""
    org, mailchimp = SandboxOrg(), SandboxMailchimp()
    populate(org)
    populate_mailchimp(mailchimp)
    members = mailchimp.members(AUDIENCE)
    assert len({one["id"] for one in members}) == 39
    known = {row["Email"] for name in ("Lead", "Contact") for row in org.rows(name)}
    shared = [one for one in members if one["email_address"].lower() in known]
    assert len(shared) == 8
    assert all(one["email_address"] not in known for one in shared)
    assert {"subscribed", "unsubscribed", "cleaned", "pending"} == {one["status"] for one in shared}


def test_every_vendor_is_served_with_a_source_that_reads_it_and_a_page(tmp_path: Path, session: requests.Session) -> None:
    """Each with its mapping, as it would be pasted into syncd.yaml: the connector's own check is green, and there are people."""
    with sandbox(tmp_path) as (ready, advice, _):
        assert set(ready["vendors"]) == set(all_vendors())
        assert set(advice["sources"]) >= set(all_vendors())
        for name, url in ready["vendors"].items():
            page = session.get(url, timeout=5)
            assert page.status_code == 200
            assert "example" in page.text, f"nobody came to {name}"
            given = dict(advice["sources"][name])
            connector = load_connector(given.pop("type"))
            assert (MAPPINGS / f"{given.pop('mapping')}.yaml").exists()
            secrets = secret_options(connector.Options)
            options = connector.Options(**{key: Secret(value, "t") if key in secrets else value for key, value in given.items()})
            caller = Caller(make_session(), SystemClock())
            health = connector.check(Session(tmp_path, http=caller), options)
            caller.close()
            assert health.ok, health.findings
