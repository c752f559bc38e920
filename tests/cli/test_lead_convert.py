"""`syncd lead convert` as an admin meets it: a question, a refusal, and a daemon that does it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon import BOOTH, Daemon, Outside, until
from tests.integration.test_conversions import policy


@pytest.mark.slow
def test_a_running_daemon_converts_what_a_person_asks_for(tmp_path: Path) -> None:
    """Nothing without a person's word; who is not qualified only by force; the request names nobody's address."""
    outside = Outside(tmp_path)
    try:
        outside.configure(BOOTH)
        outside.org.admin.add_status("Qualified")
        outside.org.assignment_rule = lambda org, _lead: org.users["rep1"]
        outside.write("mappings/policy.yaml", policy())
        outside.drop("one.csv", "ada@example.com")
        with Daemon(outside) as daemon:
            until(lambda: "ada@example.com" in outside.emails(), "the lead")
            until(
                lambda: daemon.command("lead", "find", "ada@example.com", "--json").stdout.count("person_id") == 1, "the person"
            )
            unasked = daemon.command("lead", "convert", "ada@example.com", "--force")
            assert (unasked.returncode, "needs a person's word" in unasked.stderr) == (2, True), unasked.stderr
            unqualified = daemon.command("lead", "convert", "ada@example.com", "--yes")
            assert (unqualified.returncode, "does not call this person qualified" in unqualified.stderr) == (2, True)
            done = daemon.command("lead", "convert", "ada@example.com", "--account", "new", "--force", "--yes")
            assert (done.returncode, "asking it" in done.stderr) == (0, True), done.stderr
            again = daemon.command("lead", "convert", "ada@example.com", "--force", "--yes")
            assert (again.returncode, "no open lead" in again.stderr) == (2, True), again.stderr
        (contact,) = outside.org.rows("Contact")
        assert str(contact["Id"]) in done.stdout
        with closing(sqlite3.connect(tmp_path / "syncd.db")) as connection:
            documents = [str(row[0]) for row in connection.execute("select document from request where kind = 'convert'")]
        assert len(documents) == 2, "one was done, one refused; what was not asked of the daemon is no request"
        assert not any("ada@" in one for one in documents)
    finally:
        outside.close()
