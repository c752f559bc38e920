"""The demo: played for real once, and its promises, which must break when what they promise is not so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from syncd.cli.demo.live import Live, Sent
from syncd.cli.demo.promises import Evidence, Seen, judge, judge_live, mailbox

OURS, REP = "005ours", "005rep"
SCANNED, LEFT, CLEANED, MOVED, EDITED = (f"{name}@example.com" for name in ("scanned", "left", "cleaned", "moved", "edited"))


@pytest.mark.slow
def test_the_demo_keeps_every_promise_and_says_so_as_json(tmp_path: Path) -> None:
    """Three passes that ended, the sums of four sources, what it cost, how old hot leads were; one document on stdout, the story on stderr."""
    command = [sys.executable, "-m", "syncd", "demo", "--json", "--keep", str(tmp_path / "demo")]
    played = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=280, env={**os.environ, "NO_COLOR": "1"}
    )
    assert played.returncode == 0, played.stdout + played.stderr
    told = json.loads(played.stdout)
    assert len(told["promises"]) == 20
    assert all(told["promises"].values())
    assert [run["status"] for run in told["runs"]] == ["ok", "ok", "ok"]
    assert set(told["sources"]) == {"badge_scanner", "second_scanner", "newsletter", "site"}
    for totals in told["sources"].values():
        assert totals["pulled"] == sum(totals[name] for name in ("applied", "unchanged", "skipped", "dead"))
    assert told["sources"]["newsletter"]["applied"] > 2_000
    assert told["api_calls"]["salesforce"] > told["api_calls"]["mailchimp"] > 4
    assert [one["status"] for one in told["hot"]].count(401) == 1
    assert all(one["age_seconds"] is not None for one in told["hot"] if one["what"] == "a new lead")
    assert [one["status"] for one in told["standards"] if one["lead"] == "Ada"][-1] == "Closed - Converted"
    assert {"Archived", "Open - Not Contacted"} <= {one["status"] for one in told["standards"] if one["lead"] == "Bert"}
    assert "kill -9 at" in played.stderr
    assert "\x1b" not in played.stdout + played.stderr


def lead(number: int, email: str, **changes: Any) -> dict[str, Any]:
    """A lead of ours in the org."""
    base = {"Id": f"00Q{number}", "Email": email, "CreatedDate": f"2026-01-01T00:00:0{number}", "CreatedById": OURS}
    return {**base, "Syncd_Id__c": f"p{number}", "HasOptedOutOfEmail": False, "Company": "Acme", "Title": "", **changes}


def member(email: str, status: str = "subscribed", list_id: str = "L1") -> dict[str, Any]:
    return {"email_address": email, "status": status, "list_id": list_id}


def person(number: int, email: str) -> dict[str, Any]:
    return {
        "person_id": f"p{number}", "sf_object": "Lead", "sf_id": f"00Q{number}", "fields": {"Email": email},
        "keys": [["email", email]], "sources": ["newsletter"],
    }  # fmt: skip


def world() -> dict[str, Any]:
    """Everybody where they should be; a rep typed the one who left in once more, and edited the scanned one."""
    everybody = (SCANNED, LEFT, CLEANED, MOVED, EDITED, "grace.hopper@example.org", "other@example.com")
    leads = [lead(number, email) for number, email in enumerate(everybody)]
    leads[0] |= {"Title": "Buyer", "CreatedById": REP}
    leads[1] |= {"HasOptedOutOfEmail": True}
    leads[4] |= {"Company": "Moved Ltd"}
    leads[6] |= {"HasOptedOutOfEmail": True}
    return {
        "leads": leads,
        "contacts": [{"Id": "0031", "Email": LEFT, "CreatedDate": "2025", "CreatedById": REP, "HasOptedOutOfEmail": True}],
        "members": [member(SCANNED.upper()), member(LEFT, "unsubscribed"), member(CLEANED, "cleaned"), member(MOVED),
                    member(EDITED, list_id="L2")],
        "scans": [(SCANNED, False), ("other@example.com", True), ("info@example.com", True)],
        "people": [person(number, email) for number, email in enumerate(everybody)],
        "asked": set(), "ours": OURS,
    }  # fmt: skip


def seen(**changes: Any) -> Seen:
    usual = {
        "jumped": {MOVED}, "edited": {EDITED: "Moved Ltd"}, "edited_id": "00Q0", "edit": {"Title": "Buyer"}, "left": {LEFT},
        "quiet_writes": 0, "quiet_calls": 2,
    }  # fmt: skip
    return Seen(**{**usual, **changes})


def verdict(given: dict[str, Any], happened: Seen) -> list[str]:
    """First words of the promises that are broken."""
    usual = deepcopy(given)
    # The lead and the contact of the one who left are both there on purpose, the contact first: that is no double of ours.
    usual["leads"][1]["CreatedById"] = REP
    return [one.text.split(":")[0].split(",")[0] for one in judge(Evidence(**usual), happened) if not one.is_kept]


def test_promises_are_kept_where_everybody_is_where_they_should_be() -> None:
    assert verdict(world(), seen()) == []


def _remove(given: dict[str, Any], number: int) -> None:
    del given["leads"][number]
    del given["people"][number]


BREAKS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a member is nowhere": (lambda w: _remove(w, 3), "nobody lost"),
    "a scan is nowhere": (lambda w: _remove(w, 6), "nobody lost"),
    "a person of the ledger has no record": (lambda w: w["people"][5].update(sf_id=None), "nobody lost"),
    "two leads of ours": (lambda w: w["leads"].append(lead(8, SCANNED.title())), "nobody doubled"),
    "one person twice": (lambda w: w["leads"].append(lead(3, "x@example.com")), "nobody doubled"),
    "an edit of the crawl is missing": (lambda w: w["leads"][4].update(Company="Acme"), "page shifts cost nobody"),
    "the rep's edit is gone": (lambda w: w["leads"][0].update(Title="Intern"), "the rep's edit survived a newer file and the newsletter"),
    "the newer file did not arrive": (lambda w: _remove(w, 5), "the rep's edit survived a newer file and the newsletter"),
    "the contact may be mailed": (lambda w: w["contacts"][0].update(HasOptedOutOfEmail=False), "an unsubscribe reached all records of the person"),
    "a scan forbids mail": (lambda w: w["leads"][6].update(HasOptedOutOfEmail=False), "every other opt-out stands"),
    "a bounce counts as a no": (lambda w: w["leads"][2].update(HasOptedOutOfEmail=True), "a bounced address is no opt-out"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_promise_breaks_when_it_is_not_so(name: str) -> None:
    change, broken = BREAKS[name]
    given = world()
    change(given)
    assert broken in verdict(given, seen())


@pytest.mark.parametrize(
    "happened",
    [
        {"quiet_writes": 1},
        {"quiet_calls": 3},
        {"quiet_calls": 0},
        {"jumped": set()},
        {"edited": {}},
        {"left": set()},
        {"edit": {}},
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_promise_that_rests_on_nothing_is_broken(happened: dict[str, Any]) -> None:
    """A story in which nobody moved, left or edited anything proves nothing."""
    assert len(verdict(world(), seen(**happened))) >= 1


def test_whoever_is_the_subject_of_a_question_is_not_lost() -> None:
    given = world()
    _remove(given, 3)
    given["people"].append({**person(3, MOVED), "sf_id": None})
    given["asked"] = {"p3"}
    assert "nobody lost" not in verdict(given, seen())


def test_other_spellings_are_one_mailbox() -> None:
    spelled = ("Ada.Lovelace+news@GMAIL.com", " adalovelace@googlemail.com", "a.d.a.lovelace@gmail.com")
    assert {mailbox(one) for one in spelled} == {"adalovelace@gmail.com"}
    assert mailbox("a.b+c@Example.com") == "a.b+c@example.com"


def live(**changes: Any) -> Live:
    """Two leads let in, one forged one refused, all beside a back-fill that went on."""
    sent = [
        Sent("a new lead", EDITED, 202, 1.0, 0.01, 1.5),
        Sent("somebody the org knows", MOVED, 202, 2.0, 0.01, 2.2),
        Sent("forged", "mallory@example.com", 401, 3.0),
    ]
    usual: dict[str, Any] = {"sent": sent, "backfilled": 10, "backfill_ended_at": 9.0, "exit_code": 0}
    return Live(**{**usual, **changes})


def live_verdict(given: dict[str, Any], happened: Live) -> list[bool]:
    """Whether each promise of the daemon's act is kept."""
    return [one.is_kept for one in judge_live(Evidence(**given), happened)]


def test_the_promises_of_the_daemon_are_kept_where_everything_went_well() -> None:
    assert live_verdict(world(), live()) == [True, True, True, True]


@pytest.mark.parametrize(
    ("broken", "happened"),
    [
        (0, {"sent": [Sent("a new lead", "nobody@example.com", 202, 1.0, 0.0, 1.1), Sent("forged", "m@example.com", 401)]}),
        (0, {"sent": [Sent("forged", "m@example.com", 401)]}),
        (1, {"sent": [Sent("a new lead", EDITED, 202, 1.0, 0.0, 1.1), Sent("forged", MOVED, 401)]}),
        (1, {"sent": [Sent("a new lead", EDITED, 202, 1.0, 0.0, 1.1), Sent("forged", "m@example.com", 202, 1.0, 0.0, 1.1)]}),
        (2, {"backfill_ended_at": 1.2}),
        (2, {"backfilled": 0}),
        (2, {"sent": [Sent("a new lead", EDITED, 202, 1.0), Sent("forged", "m@example.com", 401)]}),
        (3, {"exit_code": 1}),
    ],
)
def test_a_promise_of_the_daemon_breaks_when_it_is_not_so(broken: int, happened: dict[str, Any]) -> None:
    assert not live_verdict(world(), live(**happened))[broken]
