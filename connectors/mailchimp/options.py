"""What syncd.yaml says of a Mailchimp account. Belongs to mailchimp."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from syncd.connector import Options, Secret
from syncd.connector.tools import BaseUrl, Secrets


class MailchimpOptions(Options):
    """Options of `type: mailchimp`."""

    api_key: Secret = Field(description="API key; its end names the data centre.", examples=[{"env": "MAILCHIMP_API_KEY"}])
    base_url: BaseUrl | None = Field(
        default=None,
        description="Root of the API; `https://DC.api.mailchimp.com/3.0` of the key's data centre if not given.",
        examples=["https://us21.api.mailchimp.com/3.0"],
    )
    audiences: list[str] = Field(
        default=[],
        description="Ids of the audiences to read, and in which actions may happen; all of the account if empty.",
        examples=[["a1b2c3d4e5"]],
    )
    reconcile_hours: float = Field(
        default=24.0, ge=0, description="How often archived members are asked for, which an audience does not list; 0 = never."
    )

    webhook_secret: Secret | tuple[Secret, ...] | None = Field(
        default=None,
        description="Signing secret of the webhook; a list where several audiences have one each, or while one is rotated.",
        examples=[{"env": "MAILCHIMP_WEBHOOK_SECRET"}],
    )
    webhook_path_secret: Secrets | None = Field(
        default=None,
        description="What the address of the webhook ends in, `/hooks/SOURCE/SECRET`, where it is not signed; a list of two while it is rotated.",
        examples=[{"env": "MAILCHIMP_WEBHOOK_PATH"}],
    )

    @field_validator("webhook_secret")
    @classmethod
    def _some(cls, value: Secrets | None) -> Secrets | None:
        if value == ():
            raise ValueError("it is one secret, or several: each webhook has its own")
        return value

    @field_validator("base_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return value if urlsplit(value).path.strip("/") else f"{value}/3.0"

    @field_validator("audiences")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        for one in value:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one):
                raise ValueError(f'"{one}" is no id of an audience (Audience, Settings, "Audience ID")')
        return list(dict.fromkeys(value))

    @model_validator(mode="after")
    def _has_address(self) -> MailchimpOptions:
        if self.base_url is None and not self.data_centre:
            raise ValueError("api_key names no data centre: a whole key ends in -us21 or the like; otherwise give base_url")
        if self.webhook_path_secret is not None and self.webhook_secret is None and not self.audiences:
            raise ValueError("webhook_path_secret without webhook_secret needs audiences: only events of those are let in")
        return self

    @property
    def data_centre(self) -> str:
        """`us21` of a key that ends in `-us21`, `""` if it names none."""
        found = re.fullmatch(r"\S+-([a-z]{2,4}\d{1,3})", self.api_key.reveal())
        return found[1] if found else ""

    @property
    def root(self) -> str:
        """Address of the API, without a slash at its end."""
        return self.base_url or f"https://{self.data_centre}.api.mailchimp.com/3.0"
