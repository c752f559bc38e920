"""The ground of bench/mailchimp.py: a Mailchimp full of members, orgs to fill, and a set-up of syncd between them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors.mailchimp.members import FIELDS
from lib.floor import Job, mailchimp_session, queries
from lib.processes import Ran, Service, run
from syncd.clock import SystemClock
from syncd.sandbox import AUDIENCE, CONSUMER_KEY, CONSUMER_SECRET, MAILCHIMP_KEY

ROOT = Path(__file__).resolve().parents[2]
OVERLAP_SECONDS = 1
_YEAR = timedelta(days=365)
_EDITS_PER_CALL = 500
_CALL_SECONDS = 600
_SETTINGS = """\
version: 1
allow_literal_secrets: true
salesforce:
  login_url: {org}
  auth: {{type: client_credentials, consumer_key: {key}, consumer_secret: {secret}}}
  ca_file: {ca_file}
sources:
  newsletter:
    type: mailchimp
    base_url: {mailchimp}/3.0
    api_key: {api_key}
    mapping: mailchimp
    settle_seconds: 0
    overlap_seconds: {overlap}
"""


@dataclass(frozen=True)
class Measured:
    """One program's pass over the ground.

    Attributes:
        ran: The process. told: What it printed: syncd's summary, or the floor's figures. seconds: Without the interpreter's start-up.
        org_cpu, mailchimp_cpu: CPU seconds of the servers. calls: Mailchimp's.
    """

    ran: Ran
    told: dict[str, Any]
    seconds: float
    org_cpu: float
    mailchimp_cpu: float
    calls: int


class Audience:
    """The served Mailchimp with its one audience."""

    def __init__(self, service: Service) -> None:
        """`service` is fresh."""
        self.service = service
        self.url = service.mailchimp_url
        self.members = f"{self.url}/3.0/lists/{AUDIENCE}/members"
        self._session = mailchimp_session(MAILCHIMP_KEY)

    def populate(self, count: int) -> list[str]:
        """Fill it and read it once, so that no pass pays for the first rendering; gives the addresses, without archived ones."""
        start = SystemClock().now() - _YEAR - timedelta(days=1)
        seconds = int(_YEAR.total_seconds())
        self.service.act(self.url, "populate", list_id=AUDIENCE, count=count, start=start.isoformat(), seconds=seconds)
        return [one["email_address"] for one in self.crawl() if one["status"] != "archived"]

    def crawl(self, since: str = "") -> Iterator[dict[str, Any]]:
        """Every member, or those changed after `since`, as the connector asks for them."""
        for query in queries(self._session, self.members, since):
            answer = self._session.get(self.members, params={**query, "fields": FIELDS}, timeout=_CALL_SECONDS)
            answer.raise_for_status()
            yield from answer.json()["members"]

    def edit(self, addresses: list[str]) -> str:
        """Somebody changes the company of these members, by the API's own batches; gives an instant just before."""
        before = (SystemClock().now() - timedelta(seconds=1)).isoformat(timespec="seconds")
        for first in range(0, len(addresses), _EDITS_PER_CALL):
            changed = [
                {"email_address": address, "merge_fields": {"COMPANY": f"Changed Works {first + number} Ltd"}}
                for number, address in enumerate(addresses[first : first + _EDITS_PER_CALL])
            ]
            url = f"{self.url}/3.0/lists/{AUDIENCE}"
            answer = self._session.post(url, json={"members": changed, "update_existing": True}, timeout=_CALL_SECONDS)
            answer.raise_for_status()
            if answer.json()["error_count"]:
                raise RuntimeError("Mailchimp refused an edit.")
        for _ in self.crawl(before):
            pass  # as at first: no pass pays for the rendering
        return before

    def calls(self) -> int:
        """Requests to the API so far."""
        return int(self.service.act(self.url, "state")["calls"])


class Course:
    """One org to fill, from `audience`, by one program in passes."""

    def __init__(self, audience: Audience, service: Service, folder: Path, latency: float) -> None:
        """`service` is fresh; `folder` is made and holds syncd's set-up."""
        self.audience, self.service, self.folder = audience, service, folder
        service.act(service.org_url, "faults", kind="latency", times=-1, seconds=latency)
        folder.mkdir()
        (folder / "mappings").mkdir()
        shutil.copy(ROOT / "mappings" / "mailchimp.yaml", folder / "mappings")
        (folder / "mappings" / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
        settings = _SETTINGS.format(
            org=service.org_url, key=CONSUMER_KEY, secret=CONSUMER_SECRET, ca_file=service.ca_file,
            mailchimp=audience.url, api_key=MAILCHIMP_KEY, overlap=OVERLAP_SECONDS,
        )  # fmt: skip
        (folder / "syncd.yaml").write_text(settings, encoding="utf-8")

    @property
    def log(self) -> Path:
        """What the programs say on stderr."""
        return self.folder / "log"

    def leads(self) -> int:
        """How many the org holds."""
        return int(self.service.act(self.service.org_url, "state")["records"]["Lead"])

    def sync(self) -> Measured:
        """One pass of the real program, as a user starts it."""
        command = [sys.executable, "-m", "syncd", "-c", "syncd.yaml", "run", "--once", "--json"]
        return self._measured(command, "duration_seconds")

    def copy(self, since: str = "") -> Measured:
        """The floor."""
        job = Job(
            self.audience.members, FIELDS, MAILCHIMP_KEY, self.service.org_url, self.service.ca_file, CONSUMER_KEY,
            CONSUMER_SECRET, since,
        )  # fmt: skip
        return self._measured([sys.executable, str(ROOT / "bench" / "lib" / "floor.py"), json.dumps(asdict(job))], "seconds")

    def _measured(self, command: list[str], seconds: str) -> Measured:
        servers = (self.service, self.audience.service)
        before, calls = [one.cpu_seconds for one in servers], self.audience.calls()
        ran = run(command, folder=self.folder, log=self.log)
        org_cpu, mailchimp_cpu = (one.cpu_seconds - was for one, was in zip(servers, before, strict=True))
        try:
            told = json.loads(ran.stdout)
        except ValueError:
            raise RuntimeError(f"{command[1:3]} ended with {ran.exit_code} and no figures:\n{self.last_words()}") from None
        return Measured(ran, told, told[seconds], org_cpu, mailchimp_cpu, self.audience.calls() - calls)

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
