"""`syncd report xactly` as an admin meets it: a real process, a real sandbox over HTTPS."""

from __future__ import annotations

import json

from syncd.cli.reference import commands
from tests.cli.shell import Shell
from tests.cli.test_policy import shell

__all__ = ["shell"]


def ready(shell: Shell) -> str:
    """Switch the export on, with the template that ships; gives the id of a deal of March, owned by somebody with a number."""
    path = shell.folder / "syncd.yaml"
    path.write_text(path.read_text() + "xactly: {folder: out}\n")
    template = shell.folder / "mappings" / "exports" / "xactly.yaml"
    template.write_text(template.read_text().replace("currency: Opportunity.CurrencyIsoCode", "currency: {value: EUR}"))
    shell.org.note("User", shell.org.users["rep1"], {"EmployeeNumber": "E1"})
    return deal(shell, "rep1", 1500)


def deal(shell: Shell, user: str, amount: int) -> str:
    values = {"Name": "Big deal", "StageName": "Closed Won", "CloseDate": "2026-03-10", "Amount": amount}
    return shell.org.create("Opportunity", {**values, "OwnerId": shell.org.users[user]}, user=user)


def test_it_is_rehearsed_carried_out_and_given_again(shell: Shell) -> None:
    won = ready(shell)
    checked = shell.run("check", "--live")
    assert "xactly" not in checked.stdout, checked.stdout
    planned = shell.run("report", "xactly", "--period", "2026-03", "--dry-run")
    assert (planned.returncode, "Would be exported" in planned.stdout, (shell.folder / "out" / "orders").exists()) == (
        0,
        True,
        False,
    )
    done = shell.run("report", "xactly", "--period", "2026-03", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["refused"], told["dry_run"]) == (0, [], False)
    (batch,) = told["batches"]
    assert (batch["name"], batch["rows"], batch["amount_totals"]) == ("syncd-closedwon-2026-03", 1, {"EUR": "1500.00"})
    orders = shell.folder / "out" / "orders_syncd-closedwon-2026-03.csv"
    before = orders.read_bytes()
    assert won in before.decode()
    orders.unlink()
    again = shell.run("report", "xactly", "--again", "syncd-closedwon-2026-03")
    assert (again.returncode, orders.read_bytes()) == (0, before)
    assert "nothing new to export" in shell.run("report", "xactly", "--period", "2026-03").stdout


def test_what_is_left_out_is_listed_and_the_exit_code_says_so(shell: Shell) -> None:
    ready(shell)
    bad = deal(shell, "rep2", 5)
    done = shell.run("report", "xactly")
    assert done.returncode == 3
    assert bad in done.stdout
    assert "EmployeeNumber of user" in done.stdout
    assert "left out until they are mended" in done.stderr
    assert "Big deal" not in done.stdout + done.stderr


def test_what_makes_no_sense_is_refused(shell: Shell) -> None:
    assert shell.run("report", "xactly").returncode == 2
    ready(shell)
    for arguments in (("--again", "x"), ("--again", "x", "--dry-run"), ("--period", "March"), ("--period", "2999-01")):
        refused = shell.run("report", "xactly", *arguments)
        assert (refused.returncode, refused.stdout) == (2, ""), arguments
        assert refused.stderr.startswith("syncd: ")


def test_a_template_that_the_org_cannot_serve_makes_the_live_check_fail(shell: Shell) -> None:
    ready(shell)
    template = shell.folder / "mappings" / "exports" / "xactly.yaml"
    template.write_text(template.read_text().replace("Account.Name", "Account.Nmae"))
    checked = shell.run("check", "--live")
    assert checked.returncode == 1
    assert 'Account has no field Nmae that the integration user may see. Did you mean "Name"?' in checked.stdout
    assert shell.run("report", "xactly").returncode == 2


def test_the_help_has_examples() -> None:
    assert "--again" in dict(commands())["syncd report xactly"]
