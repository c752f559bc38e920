"""`syncd lead erase` as an admin meets it: a look, a refusal, and a daemon that does it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon import BOOTH, Daemon, Outside, until
from tests.erasing import held

MAIL = "quillabeth@zyzzyvas.example"


@pytest.mark.slow
def test_a_running_daemon_erases_whom_a_person_names(tmp_path: Path) -> None:
    """A look erases nothing, the org goes first, the request names nobody's address, and the daemon imports her no more."""
    outside = Outside(tmp_path)
    try:
        outside.configure(BOOTH)
        outside.drop("one.csv", MAIL, "other@example.com")
        with Daemon(outside) as daemon:
            until(lambda: len(outside.emails()) == 2, "the leads")
            until(lambda: daemon.command("lead", "find", MAIL, "--json").stdout.count("person_id") == 1, "the person")
            looked = daemon.command("lead", "erase", MAIL)
            assert (looked.returncode, "would be erased" in looked.stdout, "still in Salesforce" in looked.stderr) == (
                0,
                True,
                True,
            )
            assert MAIL not in looked.stdout + looked.stderr
            nobody = daemon.command("lead", "erase", "nobody@example.com", "--yes")
            assert (nobody.returncode, "Nobody in this store" in nobody.stderr) == (2, True), nobody.stderr
            several = daemon.command("lead", "erase", "Company", "--yes")
            assert (several.returncode, "2 people answer" in several.stderr) == (2, True), several.stderr
            refused = daemon.command("lead", "erase", MAIL, "--yes")
            assert (refused.returncode, "--keep-in-salesforce" in refused.stderr) == (2, True), refused.stderr
            (lead,) = [row for row in outside.org.rows("Lead") if row["Email"] == MAIL]
            outside.org.delete(str(lead["Id"]))
            outside.org.purge(str(lead["Id"]))
            found = until(lambda: daemon.command("lead", "erase", MAIL, "--yes", "--json").stdout, "the erasure")
            done = json.loads(found)
            assert (done["is_done"], done["in_salesforce"], done["counts"]["records"]) == (True, [], 1)
            outside.drop("two.csv", MAIL, "third@example.com")
            until(lambda: "third@example.com" in outside.emails(), "the next file")
            assert MAIL not in outside.emails()
            again = daemon.command("lead", "show", done["person_id"])
            assert (again.returncode, "was erased" in again.stdout) == (0, True), again.stderr
            once_more = daemon.command("lead", "erase", done["person_id"], "--yes")
            assert (once_more.returncode, "was erased before" in once_more.stdout) == (0, True), once_more.stderr
            until(lambda: len(daemon.seen("person_erased", person_id=done["person_id"])) == 2, "a line for each")
            assert not any("quillabeth" in json.dumps(line) for line in daemon.lines)
        assert held(f"sqlite:///{tmp_path / 'syncd.db'}", ("quillabeth",)) == set()
        with closing(sqlite3.connect(tmp_path / "syncd.db")) as connection:
            documents = [str(row[0]) for row in connection.execute("select document from request where kind = 'erase'")]
        assert [json.loads(one)["who"] for one in documents] == [done["person_id"]] * len(documents)
    finally:
        outside.close()


@pytest.mark.slow
def test_a_running_daemon_erases_an_address_of_which_nobody_was_made(tmp_path: Path) -> None:
    """It is in the mirror only; the request names its hash, and the address comes in no more."""
    outside = Outside(tmp_path)
    try:
        outside.configure(BOOTH)
        outside.drop("one.csv", "other@example.com")
        lead_id = outside.org.create("Lead", {"Email": MAIL, "LastName": "By hand", "Company": "Sheds"})
        with Daemon(outside) as daemon:
            until(lambda: "would be erased" in daemon.command("lead", "erase", MAIL).stdout, "the lead in the mirror")
            refused = daemon.command("lead", "erase", MAIL, "--yes")
            assert (refused.returncode, "--keep-in-salesforce" in refused.stderr) == (2, True), refused.stderr
            outside.org.delete(lead_id)
            outside.org.purge(lead_id)
            erased = daemon.command("lead", "erase", MAIL, "--yes", "--json")
            assert (erased.returncode, json.loads(erased.stdout)["is_done"]) == (0, True), erased.stderr
            nobody = daemon.command("lead", "erase", MAIL, "--yes")
            assert (nobody.returncode, "Nobody in this store" in nobody.stderr) == (2, True), nobody.stderr
            outside.drop("two.csv", MAIL, "third@example.com")
            until(lambda: "third@example.com" in outside.emails(), "the next file")
            assert MAIL not in outside.emails()
            assert not any("quillabeth" in json.dumps(line) for line in daemon.lines)
        assert held(f"sqlite:///{tmp_path / 'syncd.db'}", ("quillabeth",)) == set()
    finally:
        outside.close()
