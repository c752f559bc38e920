"""`syncd source backfill` as a user meets it: the real program, a sandbox org and a sandbox Mailchimp over sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.sandbox import MailchimpServer, SandboxMailchimp, SandboxOrg, SandboxServer
from syncd.store import open_store
from tests.cli.shell import Shell

LIST = "L1"
FIRST_DAY = "2026-01-01"
PARTITION = "backfill:2026-01-01T00:00:00+00:00..2026-02-01T00:00:00+00:00"
JANUARY = ("--from", FIRST_DAY, "--until", "2026-02-01", "--yes")


class Office(Shell):
    """A set-up with a newsletter whose members changed on known days."""

    mailchimp: SandboxMailchimp

    def member(self, email: str, on: str) -> None:
        """Somebody whose last change lies on a day."""
        names = {"FNAME": "Ada", "LNAME": email.partition("@")[0].title()}
        self.mailchimp.put(LIST, email, merge_fields=names, at=datetime.fromisoformat(f"{on}T12:00:00+00:00"))

    def leads(self) -> set[str]:
        """Addresses in the org."""
        return {str(lead["Email"]) for lead in self.org.rows("Lead")}

    def cursors(self) -> dict[str, Any]:
        """Cursors of the newsletter in the store, by partition."""
        with closing(open_store(f"sqlite:///{self.folder / 'syncd.db'}", clock=SystemClock())) as store:
            return {one.partition: one.cursor for one in store.cursors() if one.source == "newsletter"}

    def summary(self) -> Any:
        """Of one pass over the newsletter."""
        return self.json("run", "--once", "newsletter")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An org without people and an audience with one, who changed in March."""
    org, mailchimp = SandboxOrg(seed=1), SandboxMailchimp(seed=1)
    mailchimp.add_audience(LIST)
    home = tmp_path / "home"
    home.mkdir()
    with SandboxServer(org, folder=tmp_path / "sandbox") as server, MailchimpServer(mailchimp) as newsletter:
        office = Office(home, server, newsletter.url)
        office.mailchimp = mailchimp
        office.member("march@example.com", "2026-03-10")
        yield office


def test_a_range_is_read_in_the_slow_lane_and_the_live_cursor_stays(office: Office) -> None:
    """Somebody who turned up behind the cursor is found by the range, is a lead without assignment, and the range is over."""
    assert office.summary()["status"] == "ok"
    office.member("january@example.com", "2026-01-15")
    assert office.summary()["status"] == "ok"
    assert office.leads() == {"march@example.com"}, "behind the cursor"
    before = office.cursors()
    asked = office.json("source", "backfill", "newsletter", *JANUARY)
    assert asked["state"] == "new"
    assert (asked["source"], asked["stream"]) == ("newsletter", "members")
    assert asked["from"].startswith("2026-01-01T00:00:00")
    after = office.cursors()
    assert set(after) - set(before) == {PARTITION}
    assert after[""] == before[""], "the live cursor stays"
    listed = {one["source"]: one for one in office.json("source", "list")}
    assert [one["until"] for one in listed["newsletter"]["backfills"]] == [asked["until"]]
    assert listed["booth"]["backfills"] == []
    state = office.json("status")["sources"]["newsletter"]
    assert len(state["backfills"]) == 1
    assert [one["partition"] for one in state["streams"]] == [""]
    assert office.summary()["status"] == "ok"
    assert office.leads() == {"march@example.com", "january@example.com"}
    [lead] = [one for one in office.org.rows("Lead") if one["Email"] == "january@example.com"]
    assert office.org.assignment_runs[lead["Id"]] == 0, "a back-fill assigns nobody"
    assert office.json("status")["sources"]["newsletter"]["backfills"] == [], "read to its end"
    live = office.cursors()[""]["audiences"][LIST]["at"]
    assert live >= before[""]["audiences"][LIST]["at"], "never moved back"


def test_the_same_range_again_goes_on_where_it_is(office: Office) -> None:
    """Asked twice it is one range; the words say so, and its cursor is not thrown back."""
    first = office.run("source", "backfill", "newsletter", *JANUARY)
    assert first.returncode == 0
    assert "will be read once more" in first.stdout
    assert "syncd run --once newsletter" in first.stderr
    with closing(open_store(f"sqlite:///{office.folder / 'syncd.db'}", clock=SystemClock())) as store:
        from syncd.model import Lane, Page

        moved = {"audiences": {LIST: {"at": "2026-01-20T00:00:00+00:00"}}, "from": "2026-01-01T00:00:00+00:00"}
        page = Page((), moved, partition=PARTITION)
        store.start_run("r", datetime(2026, 11, 24, tzinfo=UTC), ["newsletter"])
        store.put_page("r", "newsletter", "members", page, Lane.BACKFILL, datetime(2026, 11, 24, tzinfo=UTC))
    again = office.run("source", "backfill", "newsletter", *JANUARY[:-1])
    assert again.returncode == 0, "nothing changes, so nobody is asked"
    assert "goes on where it is" in again.stdout
    assert office.json("source", "backfill", "newsletter", "--from", FIRST_DAY)["state"] == "under_way", (
        "without an end: that one"
    )
    assert office.cursors() == {PARTITION: moved}
    other = office.json("source", "backfill", "newsletter", "--from", FIRST_DAY, "--until", "2026-02-02", "--yes")
    assert other["state"] == "new", "another end is another range"


NONSENSE = (
    (("newsletter", "--from", "2026-02-01", "--until", "2026-02-01"), "is empty"),
    (("newsletter", "--from", "2026-02-02", "--until", "2026-02-01"), "is empty"),
    (("newsletter", "--from", "2099-01-01"), "lies in the future"),
    (("newsletter", "--from", "2026-01-01", "--until", "2099-01-01"), "lies in the future"),
    (("newsletter", "--from", "yesterday"), "is no day and no instant"),
    (("newsletter", "--from", "2026-13-01"), "is no day and no instant"),
    (("newsletter",), "--from"),
    (("newsleter", "--from", "2026-01-01"), 'Did you mean "newsletter"?'),
    (("newsletter", "--from", "2026-01-01", "--stream", "member"), 'Did you mean "members"?'),
    (("booth", "--from", "2026-01-01", "--stream", "members"), "rows"),
)


def test_nonsense_is_refused_before_anything_is_asked_or_written(office: Office) -> None:
    """Exit code 2, a sentence that says what is wrong, and no range."""
    for arguments, told in NONSENSE:
        refused = office.run("source", "backfill", *arguments, "--yes")
        assert refused.returncode == 2, arguments
        assert told in refused.stderr, arguments
        assert "Traceback" not in refused.stderr
    assert office.cursors() == {}


def test_without_a_terminal_and_without_yes_nothing_is_begun(office: Office) -> None:
    refused = office.run("source", "backfill", "newsletter", *JANUARY[:-1])
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert office.cursors() == {}


def test_instants_may_name_a_zone_and_files_can_be_read_once_more(office: Office) -> None:
    """The range begins at the same moment, told in UTC; a source with one stream needs no --stream."""
    asked = office.json(
        "source", "backfill", "booth", "--from", "2026-01-01T02:30:00+02:00", "--until", "2026-01-02T08:00", "--yes"
    )
    assert datetime.fromisoformat(asked["from"]) == datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert datetime.fromisoformat(asked["until"]) == datetime(2026, 1, 2, 8, tzinfo=UTC)
    assert asked["stream"] == "rows"
    assert office.json("run", "--once", "booth")["status"] == "ok"
    assert office.json("status")["sources"]["booth"]["backfills"] == []


def test_while_another_syncd_works_a_range_waits(office: Office) -> None:
    import fcntl

    office.summary()
    with (office.folder / "syncd.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = office.run("source", "backfill", "newsletter", *JANUARY)
    assert refused.returncode == 1
    assert "Another syncd" in refused.stderr


def test_a_changed_mapping_shows_how_many_records_are_stale(office: Office) -> None:
    """Until the next pass has mapped them anew; a mapping that cannot be used is told apart from none."""
    office.member("april@example.com", (datetime.now(UTC) - timedelta(days=1)).date().isoformat())  # noqa: TID251
    office.summary()
    stale = {one["source"]: one["stale"] for one in office.json("source", "list")}
    assert stale == {"booth": 0, "newsletter": 0}
    path = office.folder / "mappings" / "mailchimp.yaml"
    text = path.read_text().replace("{value: Mailchimp, overwrite: first}", "{value: Newsletter, overwrite: first}")
    path.write_text(text.replace("LeadSource: Mailchimp", "LeadSource: Newsletter"))
    stale = {one["source"]: one["stale"] for one in office.json("source", "list")}
    assert stale["newsletter"] == 2
    assert "mapped anew" in office.run("source", "list").stderr
    assert office.summary()["notes"]["remapped"] == 2
    assert {one["source"]: one["stale"] for one in office.json("source", "list")}["newsletter"] == 0
    path.write_text(path.read_text().replace("as: email", "as: emial"))
    broken = office.run("source", "list")
    assert broken.returncode == 0
    assert "syncd mapping check" in broken.stderr
