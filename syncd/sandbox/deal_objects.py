"""What hangs on an opportunity in the sandbox: its products, who shares it, and how payees are known.

Source: Object Reference v62.0, OpportunityLineItem, OpportunitySplit, OpportunitySplitType, OpportunityTeamMember and User, checked
2026-11-28; the key prefixes of the two objects of splits are unverified.
"""

from __future__ import annotations

from syncd.sandbox.schema import Field

EMPLOYEE_FIELDS = ("EmployeeNumber", "FederationIdentifier")
"""Of User: by which of them payroll knows somebody is the company's choice."""


def deal_parts() -> dict[str, tuple[str, list[Field]]]:
    """Fresh fields of each object, without the system ones, and its key prefix."""
    return {
        "OpportunityLineItem": ("00k", [_opportunity(), *_product()]),
        "OpportunitySplit": ("1OS", [_opportunity(), *_split()]),
        "OpportunitySplitType": (
            "1ST",
            [Field("DeveloperName"), Field("MasterLabel"), _flag("IsActive"), _flag("IsTotalValidated")],
        ),
        "OpportunityTeamMember": ("00q", [_opportunity(), _reference("UserId", "User"), Field("TeamMemberRole", "picklist")]),
    }


def _opportunity() -> Field:
    return Field("OpportunityId", "reference", 18, nillable=False, updateable=False, refers_to=("Opportunity",))


def _reference(name: str, refers_to: str) -> Field:
    return Field(name, "reference", 18, refers_to=(refers_to,))


def _flag(name: str) -> Field:
    return Field(name, "boolean", nillable=False, defaulted=True)


def _product() -> list[Field]:
    prices = [Field(name, "currency", precision=18, scale=2) for name in ("UnitPrice", "TotalPrice")]
    texts = [Field("Name"), Field("ProductCode"), Field("Description"), Field("ServiceDate", "date")]
    return [Field("Quantity", "double", precision=12, scale=2), *prices, *texts]


def _split() -> list[Field]:
    people = [_reference("SplitOwnerId", "User"), _reference("SplitTypeId", "OpportunitySplitType")]
    return [*people, Field("SplitPercentage", "percent", precision=5, scale=2), Field("SplitNote")]
