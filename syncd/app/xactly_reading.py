"""What an export needs of the org, read as it is now: the numbers of a payroll do not rest on a mirror."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from syncd.errors import ConfigError
from syncd.model import OrgRow
from syncd.ports import Deals
from syncd.xactly import Assign, Deal, Items, Template, fields_needed, org_problems


def read_deals(deals: Deals, template: Template, standing: Collection[str]) -> tuple[list[Deal], dict[str, OrgRow]]:
    """Every opportunity that is won and closes on the template's first day or later, or that the ledger holds; and users by id.

    Args:
        deals: The org.
        template: Says which objects and fields.
        standing: Opportunities of which the ledger holds a version; those that are not given back are won no more, deleted, or gone.

    Raises:
        ConfigError: The template asks for what the integration user may not see.
        SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As the org's reads.
    """
    check_org(deals, template)
    fields = fields_needed(template)
    rows = _flat(deals.won(fields["Opportunity"], template.start_on))
    missing = sorted(set(standing) - {row.sf_id for row in rows})
    others = _flat(deals.related("Opportunity", fields["Opportunity"], "Id", missing, with_deleted=True))
    rows += [row for row in others if not row.is_deleted and row.fields.get("IsWon") is True]
    ids = [row.sf_id for row in rows]
    items = _by_deal(_children(deals, template, Items.LINE, "OpportunityLineItem", ids))
    sharers = _by_deal(_sharers(deals, template, ids))
    accounts = _by_id(deals, "Account", fields.get("Account"), (row.fields.get("AccountId") for row in rows))
    named = (one.fields.get("SplitOwnerId") or one.fields.get("UserId") for part in sharers.values() for one in part)
    users = _by_id(deals, "User", fields["User"], (*(row.owner_id for row in rows), *named))
    found = [
        Deal(row, accounts.get(str(row.fields.get("AccountId"))), items.get(row.sf_id, ()), sharers.get(row.sf_id, ()))
        for row in rows
    ]
    return found, users


def check_org(deals: Deals, template: Template) -> None:
    """Make sure that the org has what the template asks for. One call.

    Raises:
        ConfigError: Everything that it lacks.
    """
    problems = org_problems(template, deals.describe(list(fields_needed(template))))
    if problems:
        raise ConfigError(problems)


def _children(deals: Deals, template: Template, wanted: Items | Assign, name: str, ids: Sequence[str]) -> list[OrgRow]:
    """Rows of an object that hangs on opportunities, if the template has any use for it."""
    if wanted not in (template.items, template.assign):
        return []
    return _flat(deals.related(name, fields_needed(template)[name], "OpportunityId", ids))


def _sharers(deals: Deals, template: Template, ids: Sequence[str]) -> list[OrgRow]:
    members = _children(deals, template, Assign.TEAM, "OpportunityTeamMember", ids)
    splits = _children(deals, template, Assign.SPLIT, "OpportunitySplit", ids)
    kinds = _by_id(
        deals,
        "OpportunitySplitType",
        fields_needed(template).get("OpportunitySplitType"),
        (one.fields.get("SplitTypeId") for one in splits),
    )
    wanted = {sf_id for sf_id, kind in kinds.items() if kind.fields.get("DeveloperName") == template.split_type}
    return [*members, *(one for one in splits if one.fields.get("SplitTypeId") in wanted)]


def _by_id(deals: Deals, name: str, fields: Sequence[str] | None, sf_ids: Iterable[object]) -> dict[str, OrgRow]:
    wanted = sorted({str(one) for one in sf_ids if one})
    if fields is None or not wanted:
        return {}
    return {row.sf_id: row for row in _flat(deals.related(name, fields, "Id", wanted))}


def _by_deal(rows: Iterable[OrgRow]) -> dict[str, tuple[OrgRow, ...]]:
    found: dict[str, list[OrgRow]] = {}
    for row in sorted(rows, key=lambda one: one.sf_id):
        found.setdefault(str(row.fields.get("OpportunityId")), []).append(row)
    return {deal: tuple(part) for deal, part in found.items()}


def _flat(parts: Iterable[list[OrgRow]]) -> list[OrgRow]:
    return [row for part in parts for row in part]
