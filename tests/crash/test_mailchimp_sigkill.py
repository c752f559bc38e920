"""The real process over real HTTP(S), killed when half of the pages of a first crawl were served, and once more (G1, G3)."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
)
from tests.crash.process import SETTINGS, start_pass
from tests.newsletter import IMPORTABLE, STOCK_MAPPING
from tests.stores import store_url_for
from tests.world import POLICY

MEMBERS = {"sqlite": 10_000, "postgres": 4_000}
"""The process reads pages of 1,000, so PostgreSQL gets the fewest that have a half: the count is not what the stores differ in."""

_SOURCE = '  newsletter: {{type: mailchimp, api_key: "{mailchimp_key}", base_url: "{mailchimp_url}", mapping: mailchimp}}\n'
_SETTINGS = SETTINGS + _SOURCE


class Killer:
    """Kills the process that is under way when so many pages of members were served; SIGKILL, before the last one leaves.

    It waits for the first leads, so that the death strikes while pages are read and leads are written.
    """

    def __init__(self, org: SandboxOrg) -> None:
        self.org = org
        self.process: subprocess.Popen[str] | None = None
        self.pages_left = 0
        self.kills = 0

    def page_served(self, mailchimp: SandboxMailchimp, list_id: str, offset: int) -> None:
        """Between two pages."""
        self.pages_left -= 1
        if self.pages_left == 0 and self.process is not None:
            end = time.monotonic() + 30
            while not self.org.assignment_runs and time.monotonic() < end:
                time.sleep(0.005)  # noqa: TID251 - another process runs in real time
            self.process.kill()
            self.kills += 1


def _run(folder: Path, killer: Killer, pages: int) -> tuple[int, str]:
    """A pass that is killed after `pages` pages (0: never); gives its exit code and what it printed."""
    process = start_pass(folder)
    killer.process, killer.pages_left = process, pages
    out, _ = process.communicate(timeout=200)
    return process.returncode, out


def _check(summary: dict[str, Any], mailchimp: SandboxMailchimp, org: SandboxOrg) -> None:
    for counts in summary["sources"].values():
        ended = sum(counts[name] for name in ("applied", "unchanged", "skipped", "dead", "waiting"))
        assert counts["waiting_before"] + counts["pulled"] == ended, "the sums do not match"
        assert counts["waiting"] == 0
    wanted = {one["email_address"].lower(): one for one in mailchimp.members("L1") if one["status"] in IMPORTABLE}
    leads = [lead for lead in org.rows("Lead") if not lead["IsDeleted"]]
    mails = Counter(lead["Email"] for lead in leads)
    assert set(mails) == set(wanted), "lost or invented"
    assert max(mails.values()) == 1, "doubled"
    assert all(lead["LastName"] == (wanted[lead["Email"]]["merge_fields"]["LNAME"] or "[not provided]") for lead in leads)
    assert len({lead["Syncd_Id__c"] for lead in leads}) == len(leads), "one person, two leads"
    assert max(org.assignment_runs.values()) == 1, "assigned twice"


@pytest.mark.timeout(600)
def test_a_process_killed_after_half_of_the_pages_loses_and_doubles_nobody(engine: str, tmp_path: Path) -> None:
    """Killed when half of the pages were served, killed again half-way through the rest; the third one brings everybody."""
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "mailchimp.yaml").write_text(STOCK_MAPPING)
    (tmp_path / "mappings" / "policy.yaml").write_text(POLICY)
    org, mailchimp = SandboxOrg(seed=1), SandboxMailchimp(seed=1)
    killer = Killer(org)
    pages = MEMBERS[engine] // 1_000
    mailchimp.add_audience("L1")
    mailchimp.populate("L1", MEMBERS[engine], start=mailchimp.clock.now() - timedelta(days=90), seconds=80 * 86_400)
    mailchimp.between_pages(killer.page_served)
    with SandboxServer(org, folder=tmp_path / "sandbox") as server, MailchimpServer(mailchimp) as vendor:
        settings = _SETTINGS.format(
            store_url=store_url_for(engine, tmp_path),
            url=server.url,
            key=CONSUMER_KEY,
            secret=CONSUMER_SECRET,
            ca_file=server.ca_file,
            mailchimp_key=MAILCHIMP_KEY,
            mailchimp_url=vendor.url,
        )
        (tmp_path / "syncd.yaml").write_text(settings)
        killed = [_run(tmp_path, killer, pages // 2)[0]]
        assert 0 < len(org.rows("Lead")) < MEMBERS[engine] // 2, "the first kill must strike in the middle of the work"
        killed.append(_run(tmp_path, killer, max(pages // 4, 1))[0])
        assert (killed, killer.kills) == ([-9, -9], 2), "both kills must strike a living process"
        code, out = _run(tmp_path, killer, 0)
        assert code == 0, (tmp_path / "log").read_text()[-2000:]
        assert (server.crashes, vendor.crashes) == ([], [])
        _check(json.loads(out), mailchimp, org)
        calls = len(mailchimp.calls)
        code, out = _run(tmp_path, killer, 0)
    assert code == 0
    quiet = json.loads(out)
    assert set(quiet["operations"].values()) == {0}, "a pass without news wrote something"
    assert len(mailchimp.calls) - calls == 1
    log = (tmp_path / "log").read_text()
    assert not any(one["email_address"] in log for one in mailchimp.members("L1")), "personal data in the log"
    assert "Traceback" not in log
