"""`syncd report xactly` over the sandbox org: what Xactly is told of deals that are won, changed, split, reopened and deleted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError, DeliveryError, GuardError
from tests.contract.connectors.sftp_server import PASSWORD, server
from tests.xactly import TEMPLATE, Payroll

BATCH = "syncd-closedwon-2026-03"


@pytest.fixture
def payroll(make_world: Callable[..., Payroll]) -> Payroll:
    """A company on either engine."""
    return make_world(Payroll)


@pytest.fixture
def make_payroll(tmp_path: Any) -> Callable[..., Payroll]:
    """A company with a template of its own."""

    def make(**options: Any) -> Payroll:
        folder = tmp_path / f"own{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return Payroll(folder, **options)

    return make


def test_a_won_deal_is_one_order_and_one_assignment(payroll: Payroll) -> None:
    """Of open, lost and older deals nothing is told."""
    account = payroll.org.create("Account", {"Name": "=Acme, Inc."})
    deal = payroll.deal(1500, AccountId=account)
    payroll.deal(7, stage="Prospecting")
    payroll.deal(8, stage="Closed Lost")
    payroll.deal(9, on="2025-12-31")
    found = payroll.report()
    assert [(one.name, one.rows, one.assignments, one.amount_totals) for one in found.batches] == [
        (BATCH, 1, 1, {"EUR": "1500.00"})
    ]
    assert payroll.orders() == [
        {
            "batch_name": BATCH,
            "period_name": "2026-03",
            "order_code": deal,
            "item_code": "1",
            "incentive_date": "2026-03-10",
            "amount": "1500.00",
            "currency": "EUR",
            "customer_name": "=Acme, Inc.",
            "source_id": deal,
            "related_order_code": "",
        }
    ]
    assert payroll.assignments() == [{"order_code": deal, "item_code": "1", "employee_id": "E1", "split_percent": "100"}]
    told = payroll.manifests()[BATCH]
    assert (told["rows"], told["reversals"], told["amount_total"], told["currency"]) == (1, 0, "1500.00", "EUR")
    assert told["generated_at"] == "2026-03-20T09:01:00Z"


def test_what_was_exported_is_not_exported_again(payroll: Payroll) -> None:
    payroll.deal()
    payroll.report()
    before = payroll.files()
    assert payroll.report().batches == ()
    assert payroll.files() == before


def test_a_change_is_a_reversal_and_a_new_row_in_the_open_period(payroll: Payroll) -> None:
    deal = payroll.deal(1500)
    payroll.report()
    payroll.at("2026-04-05")
    payroll.org.edit(deal, {"Amount": 1200.5})
    payroll.report()
    rows = payroll.orders("syncd-closedwon-2026-04")
    assert [(row["order_code"], row["amount"], row["related_order_code"]) for row in rows] == [
        (f"{deal}-R1", "-1500.00", deal),
        (f"{deal}-V2", "1200.50", deal),
    ]
    assert {row["incentive_date"] for row in rows} == {"2026-03-10"}
    assert {row["period_name"] for row in rows} == {"2026-04"}
    payroll.org.edit(deal, {"Amount": 1300})
    payroll.report()
    rows = payroll.orders("syncd-closedwon-2026-04-2")
    assert [(row["order_code"], row["amount"], row["related_order_code"]) for row in rows] == [
        (f"{deal}-R2", "-1200.50", f"{deal}-V2"),
        (f"{deal}-V3", "1300.00", deal),
    ]
    assert payroll.sums() == {deal: Decimal(1300)}


def test_another_owner_takes_the_assignment_over(payroll: Payroll) -> None:
    deal = payroll.deal(1000)
    payroll.report()
    payroll.org.edit(deal, {"OwnerId": payroll.org.users["rep2"]})
    payroll.report()
    assert [(row["order_code"], row["employee_id"]) for row in payroll.assignments(f"{BATCH}-2")] == [
        (f"{deal}-R1", "E1"),
        (f"{deal}-V2", "E2"),
    ]
    assert payroll.paid() == {(deal, "E2"): Decimal(1000)}


@pytest.mark.parametrize("end", ["reopened", "lost", "deleted", "purged"])
def test_what_is_won_no_more_is_reversed_only(payroll: Payroll, end: str) -> None:
    deal, other = payroll.deal(1000), payroll.deal(5)
    payroll.report()
    if end in ("reopened", "lost"):
        payroll.org.edit(deal, {"StageName": "Prospecting" if end == "reopened" else "Closed Lost"})
    else:
        payroll.org.delete(deal)
    if end == "purged":
        payroll.org.purge(deal)
    payroll.report()
    assert [(row["order_code"], row["amount"]) for row in payroll.orders(f"{BATCH}-2")] == [(f"{deal}-R1", "-1000.00")]
    assert payroll.sums() == {other: Decimal(5)}
    assert payroll.paid() == {(other, "E1"): Decimal(5)}
    assert payroll.report().batches == ()


def test_what_is_won_again_is_a_new_version(payroll: Payroll) -> None:
    deal = payroll.deal(1000)
    payroll.report()
    payroll.org.edit(deal, {"StageName": "Prospecting"})
    payroll.report()
    payroll.org.edit(deal, {"StageName": "Closed Won"})
    payroll.report()
    assert [row["order_code"] for row in payroll.orders()] == [deal, f"{deal}-R1", f"{deal}-V2"]
    assert payroll.sums() == {deal: Decimal(1000)}


def test_what_is_not_compared_reverses_nothing(payroll: Payroll) -> None:
    account = payroll.org.create("Account", {"Name": "Acme"})
    payroll.deal(AccountId=account)
    payroll.report()
    payroll.org.edit(account, {"Name": "Acme International"})
    assert payroll.report().batches == ()


def test_a_deal_that_closes_later_waits_for_its_period(payroll: Payroll) -> None:
    """Also one whose day is moved there after it was exported."""
    early, late = payroll.deal(1), payroll.deal(2, on="2026-04-02")
    payroll.report()
    assert payroll.sums() == {early: Decimal(1)}
    payroll.org.edit(early, {"CloseDate": "2026-04-09"})
    payroll.report()
    assert payroll.sums() == {}
    payroll.at("2026-04-03")
    payroll.report()
    assert payroll.sums() == {early: Decimal(1), late: Decimal(2)}


def test_the_current_month_is_the_calendars(payroll: Payroll) -> None:
    """At 22:30 UTC on 31 March it is April in Berlin."""
    payroll.at("2026-03-31")
    payroll.clock.advance(13.5 * 3600)
    payroll.deal()
    assert payroll.report().period == "2026-04"


def test_a_period_before_the_last_batch_is_closed_and_one_to_come_has_not_begun(payroll: Payroll) -> None:
    payroll.deal()
    payroll.at("2026-04-03")
    assert payroll.report("2026-03").batches[0].name == BATCH
    payroll.deal(on="2026-03-31")
    payroll.report()
    payroll.deal(on="2026-03-30")
    for period, words in (
        ("2026-03", "is closed"),
        ("2026-05", "has not begun"),
        ("March", "is no month"),
        ("2026-13", "no month"),
    ):
        with pytest.raises(ConfigError, match=words):
            payroll.report(period)
    assert payroll.report("2026-04").batches[0].name == "syncd-closedwon-2026-04-2"


def test_a_rehearsal_writes_nothing(payroll: Payroll) -> None:
    payroll.deal()
    found = payroll.report(dry_run=True)
    assert (found.is_rehearsal, [one.rows for one in found.batches], payroll.out.exists()) == (True, [1], False)
    assert [one.name for one in payroll.report().batches] == [BATCH]


def test_a_batch_given_again_is_the_same_whatever_the_org_and_the_template_say_now(payroll: Payroll) -> None:
    deal = payroll.deal(1000)
    payroll.report()
    before = payroll.files()
    payroll.org.edit(deal, {"Amount": 1})
    payroll.write("mappings/exports/xactly.yaml", TEMPLATE.replace("customer_name", "client"))
    for path in payroll.out.glob("[!.]*"):
        path.unlink()
    payroll.again(BATCH)
    assert payroll.files() == before
    with pytest.raises(ConfigError, match="no batch"):
        payroll.again("april")


# ---------------------------------------------------------------- refusals


def test_a_payee_without_an_employee_number_is_refused_until_it_is_mended(payroll: Payroll) -> None:
    good = payroll.deal(1)
    bad = payroll.deal(2, user="new")
    found = payroll.report()
    assert [(one.deal, one.part, one.reason) for one in found.refusals] == [(bad, "", "no_employee_id")]
    assert payroll.sums() == {good: Decimal(1)}
    payroll.employee("new", "E9")
    assert payroll.report().refusals == ()
    assert payroll.paid() == {(good, "E1"): Decimal(1), (bad, "E9"): Decimal(2)}


def test_a_change_that_cannot_be_exported_leaves_what_stands(payroll: Payroll) -> None:
    """Else somebody would lose money over a missing number; a loss is told all the same."""
    deal = payroll.deal(1000)
    payroll.report()
    payroll.org.edit(deal, {"OwnerId": payroll.org.users["new"]})
    found = payroll.report()
    assert ([one.reason for one in found.refusals], found.batches) == (["no_employee_id"], ())
    assert payroll.paid() == {(deal, "E1"): Decimal(1000)}
    payroll.org.edit(deal, {"StageName": "Closed Lost"})
    assert payroll.report().refusals == ()
    assert payroll.sums() == {}


def test_a_deal_without_an_amount_is_refused_and_one_of_zero_is_not(payroll: Payroll) -> None:
    bad, good = payroll.deal(None), payroll.deal(0)
    found = payroll.report()
    assert [(one.deal, one.reason) for one in found.refusals] == [(bad, "no_amount")]
    assert [(row["source_id"], row["amount"]) for row in payroll.orders()] == [(good, "0.00")]


def test_two_deals_with_one_contract_number_are_not_one_order(make_payroll: Callable[..., Payroll]) -> None:
    """And an opportunity keeps the code that it was first exported with."""
    payroll = make_payroll(template=TEMPLATE.replace("start_on", "order_code: Opportunity.NextStep\nstart_on"))
    first = payroll.deal(1, on="2026-03-01", NextStep="C-1")
    second = payroll.deal(2, on="2026-03-02", NextStep="C-1")
    third = payroll.deal(3)
    reasons = {one.deal: one.reason for one in payroll.report().refusals}
    assert reasons == {second: "order_code_taken", third: "no_order_code"}
    payroll.org.edit(first, {"NextStep": "C-9", "Amount": 4})
    payroll.org.edit(second, {"NextStep": "C-2"})
    payroll.org.edit(third, {"NextStep": "C-3"})
    assert payroll.report().refusals == ()
    assert {row["order_code"] for row in payroll.orders()} == {"C-1", "C-1-R1", "C-1-V2", "C-2", "C-3"}
    assert payroll.sums() == {first: Decimal(4), second: Decimal(2), third: Decimal(3)}


# ---------------------------------------------------------------- splits, teams, lines


def split(payroll: Payroll, deal: str, user: str, percent: float, kind: str = "Revenue") -> str:
    """Somebody's share of a deal."""
    (type_id,) = (row["Id"] for row in payroll.org.rows("OpportunitySplitType") if row["DeveloperName"] == kind)
    values = {"OpportunityId": deal, "SplitOwnerId": payroll.org.users[user], "SplitPercentage": percent, "SplitTypeId": type_id}
    return payroll.org.create("OpportunitySplit", values)


def test_splits_of_the_type_are_paid_and_must_add_up(make_payroll: Callable[..., Payroll]) -> None:
    payroll = make_payroll(template=TEMPLATE.replace("start_on", "assign: split\nstart_on"))
    deal, bad, none = payroll.deal(1000), payroll.deal(500), payroll.deal(1)
    split(payroll, deal, "rep1", 66.67)
    share = split(payroll, deal, "rep2", 33.33)
    split(payroll, deal, "rep3", 100, "Overlay")
    split(payroll, bad, "rep1", 60)
    found = payroll.report()
    assert {one.deal: one.reason for one in found.refusals} == {bad: "split_total", none: "no_split"}
    assert "add up to 60, not to 100" in str(found.refusals)
    assert payroll.paid() == {(deal, "E1"): Decimal("666.7"), (deal, "E2"): Decimal("333.3")}
    payroll.org.delete(share)
    split(payroll, deal, "rep3", 33.33)
    split(payroll, bad, "rep3", 40)
    assert [one.deal for one in payroll.report().refusals] == [none]
    assert payroll.paid() == {
        (deal, "E1"): Decimal("666.7"),
        (deal, "E3"): Decimal("333.3"),
        (bad, "E1"): Decimal(300),
        (bad, "E3"): Decimal(200),
    }


def test_team_members_are_paid_by_the_field_that_the_template_names(make_payroll: Callable[..., Payroll]) -> None:
    from syncd.sandbox.schema import Field

    template = TEMPLATE.replace("start_on", "assign: team\nsplit_percent: TeamMember.Split__c\nsplit_total: null\nstart_on")
    payroll = make_payroll(template=template + "  role: {from: TeamMember.TeamMemberRole}\n")
    payroll.org.add_field("OpportunityTeamMember", Field("Split__c", "percent", precision=5, scale=2))
    deal = payroll.deal(1000)
    for user, percent, role in (("rep1", 100, "Account Manager"), ("rep2", 50, "Sales Engineer")):
        values = {"OpportunityId": deal, "UserId": payroll.org.users[user], "Split__c": percent, "TeamMemberRole": role}
        payroll.org.create("OpportunityTeamMember", values)
    assert payroll.report().refusals == ()
    assert {(row["employee_id"], row["split_percent"], row["role"]) for row in payroll.assignments()} == {
        ("E1", "100", "Account Manager"),
        ("E2", "50", "Sales Engineer"),
    }


def test_each_line_is_an_order_item_with_a_life_of_its_own(make_payroll: Callable[..., Payroll]) -> None:
    template = TEMPLATE.replace("start_on", "items: line\nstart_on")
    payroll = make_payroll(
        template=template.replace("assignments:", "  quantity: {from: LineItem.Quantity, negate: true}\nassignments:")
    )
    deal, empty = payroll.deal(1000), payroll.deal(1)
    first, second = (
        payroll.org.create("OpportunityLineItem", {"OpportunityId": deal, "Quantity": number, "TotalPrice": price})
        for number, price in ((2, 600.5), (1, 399.5))
    )
    found = payroll.report()
    assert [(one.deal, one.reason) for one in found.refusals] == [(empty, "no_line_items")]
    told = [(row["order_code"], row["item_code"], row["amount"], row["quantity"]) for row in payroll.orders()]
    assert told == [(deal, first, "600.50", "2"), (deal, second, "399.50", "1")]
    payroll.org.edit(first, {"TotalPrice": 700, "Quantity": 3})
    payroll.org.delete(second)
    payroll.report()
    told = [(row["order_code"], row["item_code"], row["amount"], row["quantity"]) for row in payroll.orders(f"{BATCH}-2")]
    assert told == [
        (f"{deal}-R1", first, "-600.50", "-2"),
        (f"{deal}-V2", first, "700.00", "3"),
        (f"{deal}-R1", second, "-399.50", "-1"),
    ]
    assert payroll.paid() == {(deal, "E1"): Decimal(700)}


def test_amounts_in_several_currencies_are_not_added_up(make_payroll: Callable[..., Payroll]) -> None:
    payroll = make_payroll(template=TEMPLATE.replace("currency: {value: EUR}\n", ""))
    with pytest.raises(ConfigError, match=r"write currency: \{value: EUR\}"):
        payroll.report()
    payroll.org.admin.use_currencies("EUR", "USD")
    payroll.deal(1, CurrencyIsoCode="EUR")
    payroll.deal(2, CurrencyIsoCode="USD")
    payroll.report()
    told = payroll.manifests()[BATCH]
    assert (told["amount_total"], told["currency"], told["amount_totals"]) == (None, None, {"EUR": "1.00", "USD": "2.00"})
    assert {(row["amount"], row["currency"]) for row in payroll.orders()} == {("1.00", "EUR"), ("2.00", "USD")}


# ---------------------------------------------------------------- size, guard, template


def test_20001_orders_are_two_batches_of_few_calls(make_payroll: Callable[..., Payroll]) -> None:
    payroll = make_payroll()
    owner = payroll.org.users["rep1"]
    values = {"Name": "D", "StageName": "Closed Won", "CloseDate": "2026-03-10", "Amount": 1, "OwnerId": owner}
    for _ in range(20_001):
        payroll.org.create("Opportunity", values)
    calls = payroll.org.api_calls
    found = payroll.report()
    assert [(one.name, one.rows) for one in found.batches] == [(BATCH, 20_000), (f"{BATCH}-2", 1)]
    assert payroll.org.api_calls - calls < 20
    assert len(payroll.sums()) == 20_001
    assert payroll.report().batches == ()


def test_losing_sight_of_many_deals_at_once_stops_the_export(payroll: Payroll) -> None:
    """Rights that were taken away look like deals that were deleted."""
    deals = [payroll.deal(1) for _ in range(30)]
    payroll.report()
    for deal in deals[:25]:
        payroll.org.purge(deal)
    with pytest.raises(GuardError, match="reverse 25 of 30 orders"):
        payroll.report()
    assert len(payroll.sums()) == 30
    payroll.report(force=True)
    assert len(payroll.sums()) == 5


def test_another_template_does_not_reverse_what_has_not_changed(payroll: Payroll) -> None:
    """A new column, a renamed one, one that goes: only what both have is compared."""
    deal = payroll.deal(1000)
    payroll.report()
    changed = TEMPLATE.replace(
        "  source_id: {from: Opportunity.Id}\n", "  source_id: {from: Opportunity.Id}\n  next: {from: Opportunity.NextStep}\n"
    )
    payroll.write(
        "mappings/exports/xactly.yaml", changed.replace("customer_name: {from: Account.Name, compare: false}", "kind: {value: x}")
    )
    assert payroll.report().batches == ()
    payroll.org.edit(deal, {"Amount": 999})
    payroll.report()
    reversal, new = payroll.orders(f"{BATCH}-2")
    assert (reversal["amount"], reversal["source_id"], reversal["kind"], new["kind"]) == ("-1000.00", deal, "", "x")


def test_what_the_org_lacks_is_refused_at_its_place_and_nothing_is_exported(payroll: Payroll) -> None:
    payroll.deal()
    bad = TEMPLATE.replace("Account.Name", "Account.Nmae").replace("start_on", "assign: split\nstart_on")
    payroll.write("mappings/exports/xactly.yaml", bad)
    payroll.org.hidden.add("EmployeeNumber")
    del payroll.org.objects["OpportunitySplit"]
    with pytest.raises(ConfigError) as caught:
        payroll.report()
    told = str(caught.value)
    assert (
        'mappings/exports/xactly.yaml:14:25: Account has no field Nmae that the integration user may see. Did you mean "Name"?'
        in told
    )
    assert "may not see OpportunitySplit." in told
    assert "User has no field EmployeeNumber" in told
    assert payroll.files() == {}


def test_it_is_told_that_there_is_no_export_until_it_is_configured(make_payroll: Callable[..., Payroll]) -> None:
    payroll = make_payroll(extra_settings="")
    with pytest.raises(ConfigError, match="not configured"):
        payroll.report()


def test_formulas_are_disarmed_only_where_the_template_says_so(make_payroll: Callable[..., Payroll]) -> None:
    payroll = make_payroll(template=TEMPLATE + "format: {escape_formulas: true}\n")
    deal = payroll.deal(10, AccountId=payroll.org.create("Account", {"Name": "=Acme"}))
    payroll.report()
    payroll.org.delete(deal)
    payroll.report()
    assert [(row["customer_name"], row["amount"]) for row in payroll.orders()] == [("'=Acme", "10.00"), ("'=Acme", "-10.00")]


def test_check_reads_the_template(payroll: Payroll) -> None:
    payroll.write("mappings/exports/xactly.yaml", TEMPLATE.replace("amount: {is: amount}", "amount: {is: amout}"))
    house = payroll.open()
    try:
        with pytest.raises(ConfigError, match='Did you mean "amount"'):
            house.check(live=False)
    finally:
        house.close()


def test_batches_go_to_a_server_and_what_broke_off_is_finished_there(
    make_payroll: Callable[..., Payroll], tmp_path: Path
) -> None:
    far = tmp_path / "far"
    (far / "in").mkdir(parents=True)
    user, account = server().account(far)
    sftp = (
        f"{{host: 127.0.0.1, port: {server().port}, user: {user}, password: {PASSWORD}, host_key: {server().line!r}, folder: in}}"
    )
    payroll = make_payroll(extra_settings=f"xactly: {{template: mappings/exports/xactly.yaml, folder: out, sftp: {sftp}}}\n")
    deal = payroll.deal(1500)
    with pytest.raises(DeliveryError, match="cannot be used"):
        payroll.report()  # the user may not write yet
    account.may_write = True
    assert payroll.report().finished == (BATCH,)
    assert payroll.files() == {}
    assert sorted(path.name for path in (far / "in").iterdir()) == [
        f"assignments_{BATCH}.csv",
        f"manifest_{BATCH}.json",
        f"orders_{BATCH}.csv",
    ]
    assert deal in (far / "in" / f"orders_{BATCH}.csv").read_text(encoding="utf-8")
    assert payroll.report().batches == ()


def test_a_live_check_looks_at_the_place_for_files(make_payroll: Callable[..., Payroll], tmp_path: Path) -> None:
    user, _ = server().account(tmp_path)
    sftp = f"{{host: 127.0.0.1, port: {server().port}, user: {user}, password: wrong, host_key: {server().line!r}}}"
    payroll = make_payroll(extra_settings=f"xactly: {{template: mappings/exports/xactly.yaml, sftp: {sftp}}}\n")
    house = payroll.open()
    try:
        with pytest.raises(ConfigError, match="refuses the login"):
            house.check_xactly()
    finally:
        house.close()
