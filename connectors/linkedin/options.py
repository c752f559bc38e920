"""Options of `type: linkedin`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from syncd.connector import Options, Secret
from syncd.connector.tools import BaseUrl, Secrets

LeadType = Literal["SPONSORED", "EVENT", "COMPANY", "ORGANIZATION_PRODUCT"]
LEAD_TYPES: Mapping[str, tuple[LeadType, ...]] = MappingProxyType(
    {"sponsoredAccount": ("SPONSORED",), "organization": ("EVENT", "COMPANY", "ORGANIZATION_PRODUCT")}
)
"""What each kind of owner can have ("Lead Sync overview", read 2026-08); a query is for one owner and one type."""


class Spot(NamedTuple):
    """One owner and one type of its leads."""

    kind: str
    number: str
    lead_type: str

    @property
    def name(self) -> str:
        """As configured, for cursors and messages."""
        return f"{self.kind}:{self.number} {self.lead_type}"


class LinkedInOptions(Options):
    """Options of `type: linkedin`."""

    owners: list[str] = Field(
        min_length=1,
        description="Whose leads are read: `sponsoredAccount:ID` (an ad account) or `organization:ID` (a company page).",
        examples=[["sponsoredAccount:508123456", "organization:5509810"]],
    )
    lead_types: list[LeadType] = Field(
        default=[],
        description=(
            "Types of leads that are read; all that an owner can have if empty. Ad accounts have SPONSORED, pages have EVENT, COMPANY "
            "and ORGANIZATION_PRODUCT."
        ),
        examples=[["SPONSORED", "EVENT"]],
    )
    access_token: Secret | None = Field(
        default=None,
        description="Access token with r_marketing_leadgen_automation; it ends after 60 days. Not needed with refresh_token.",
        examples=[{"env": "LINKEDIN_ACCESS_TOKEN"}],
    )
    refresh_token: Secret | None = Field(
        default=None,
        description="Gets access tokens by itself for a year; with client_id and client_secret.",
        examples=[{"env": "LINKEDIN_REFRESH_TOKEN"}],
    )
    client_id: str | None = Field(
        default=None, description="Client id of the app, for refresh_token.", examples=["86abcdefghijkl"]
    )
    client_secret: Secrets | None = Field(
        default=None,
        description=(
            "Client secret of the app: for refresh_token, and what webhooks are checked with; a list of two (new, old) while it is "
            "rotated. Without it nothing is let in."
        ),
        examples=[{"env": "LINKEDIN_CLIENT_SECRET"}],
    )
    api_version: str = Field(
        default="202607", pattern=r"^20\d\d(0[1-9]|1[0-2])$", description="Version of the API, YYYYMM; it lives for a year."
    )
    history_days: int = Field(
        default=365, ge=1, le=365, description="How far back the first read goes; LinkedIn keeps leads for 90 days, some for 365."
    )
    base_url: BaseUrl = Field(default="https://api.linkedin.com/rest", description="Root of the versioned API.")
    token_url: BaseUrl = Field(
        default="https://www.linkedin.com/oauth/v2/accessToken", description="Where access tokens are given out."
    )

    @field_validator("owners")
    @classmethod
    def _named(cls, value: list[str]) -> list[str]:
        for one in value:
            if not re.fullmatch(r"(sponsoredAccount|organization):\d{1,20}", one):
                raise ValueError(f'"{one}" is no owner; one is sponsoredAccount:ID or organization:ID')
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _is_complete(self) -> LinkedInOptions:
        if self.access_token is None and not self.renews:
            raise ValueError("give refresh_token with client_id and client_secret, or access_token")
        for one in self.owners:
            able = LEAD_TYPES[one.split(":")[0]]
            if self.lead_types and not set(able) & set(self.lead_types):
                raise ValueError(f'"{one}" has no leads of lead_types; it can have {", ".join(able)}')
        return self

    @property
    def renews(self) -> bool:
        """Whether access tokens are got by the refresh token; it goes before a plain one."""
        return self.refresh_token is not None and bool(self.client_id) and self.client_secret is not None

    @property
    def spots(self) -> list[Spot]:
        """Everything that is read."""
        pairs = [one.split(":") for one in self.owners]
        return [
            Spot(kind, number, lead_type)
            for kind, number in pairs
            for lead_type in LEAD_TYPES[kind]
            if not self.lead_types or lead_type in self.lead_types
        ]
