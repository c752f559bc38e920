"""Options of `type: meta`."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from syncd.connector import Options, Secret
from syncd.connector.tools import BaseUrl, Secrets


class MetaOptions(Options):
    """Options of `type: meta`."""

    token: Secret = Field(
        description="Token of a system user or of the page, with leads_retrieval.", examples=[{"env": "META_TOKEN"}]
    )
    app_secret: Secrets | None = Field(
        default=None,
        description=(
            "Secret of the app: calls are proved and webhooks are checked with it; a list of two (new, old) while it is rotated. "
            "Without it nothing is let in."
        ),
        examples=[{"env": "META_APP_SECRET"}],
    )
    verify_token: Secret | None = Field(
        default=None,
        description="Text of your choice that is typed in at the webhook too; Meta's handshake brings it.",
        examples=[{"env": "META_VERIFY_TOKEN"}],
    )
    pages: list[str] = Field(min_length=1, description="Ids of the pages whose lead forms are read.", examples=[["104928374650"]])
    forms: list[str] = Field(
        default=[],
        description="Ids of the forms to read; all of the pages if empty, archived ones too. Saves a call per page and poll.",
        examples=[["456789012345"]],
    )
    pixel_id: str | None = Field(
        default=None,
        pattern=r"^\d{1,32}$",
        description="Id of the dataset (pixel) that conversions are sent to, if a policy sends any.",
        examples=["778899001122"],
    )
    api_version: str = Field(default="v26.0", pattern=r"^v\d{1,3}\.0$", description="Version of the Graph API.")
    base_url: BaseUrl = Field(default="https://graph.facebook.com", description="Root of the Graph API.")

    @field_validator("pages", "forms")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        for one in value:
            if not re.fullmatch(r"\d{1,32}", one):
                raise ValueError(f'"{one}" is no id; an id is digits only, and stands in quotes')
        return list(dict.fromkeys(value))
