"""Every option of syncd.yaml with its meaning and default (DESIGN 3.3). The reference page is made from this file."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from syncd.config.secret import Secret
from syncd.document import Node
from syncd.sftp import SftpServer

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
Share = Field(ge=0.0, le=1.0)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class StoreSettings(_Part):
    """Where the state lives."""

    url: str = Field(
        default="sqlite:///syncd.db", description="`sqlite:///PATH` (relative to syncd.yaml) or `postgresql://USER@HOST/NAME`."
    )
    retention_days: int | None = Field(
        default=90,
        ge=1,
        description="How long is kept what has ended: versions of records that came, writes, runs, closed questions; null = for ever.",
    )

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("it begins with sqlite:/// or postgresql://")
        return value


class ClientCredentialsSettings(_Part):
    """OAuth client credentials of an External Client App."""

    type: Literal["client_credentials"]
    consumer_key: Secret = Field(description="Consumer key of the app.")
    consumer_secret: Secret = Field(description="Consumer secret of the app.")


class JwtSettings(_Part):
    """OAuth JWT bearer of an External Client App."""

    type: Literal["jwt"]
    username: str = Field(description="The integration user.", examples=["sync@acme.com"])
    consumer_key: Secret = Field(description="Consumer key of the app.")
    private_key: Secret = Field(description="PEM text of the private key (RS256).")


class BudgetSettings(_Part):
    """syncd's share of the org's daily API calls."""

    daily_share: float = Field(default=0.5, ge=0.0, le=1.0, description="Of the org's daily calls, 0 to 1.")
    hot_reserve: float = Field(default=0.1, ge=0.0, le=1.0, description="Of that share, kept for hot leads.")


class SalesforceSettings(_Part):
    """The org."""

    login_url: str = Field(
        description="The My Domain of the org, https only, any port.", examples=["https://acme.my.salesforce.com"]
    )
    auth: ClientCredentialsSettings | JwtSettings = Field(discriminator="type", description="How to log in.")
    ca_file: str | None = Field(default=None, description="PEM file of one more authority to trust (proxies, the sandbox).")
    api_version: str = Field(default="62.0", description="REST API version, without a leading v.")
    expected_org_id: str | None = Field(
        default=None, description="Refuse any other org; the store is bound to its first org all the same."
    )
    external_id_field: str | None = Field(
        default="Syncd_Id__c", description="Unique external-id text field of Lead; null = update only."
    )
    machine_users: list[str] = Field(default=[], description="Ids of users whose changes are not a person's edits.")
    api_budget: BudgetSettings = Field(default=BudgetSettings(), description="Share of the org's API calls.")
    request_timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="How long a write may take; a lost answer is looked up for as long."
    )

    @field_validator("login_url")
    @classmethod
    def _https(cls, value: str) -> str:
        if not re.fullmatch(r"https://[^/\s@]+/?", value):
            raise ValueError("it is https:// and a host, without a path")
        return value.rstrip("/")


class DaemonSettings(_Part):
    """The life of `syncd run`."""

    drain_seconds: float = Field(
        default=20.0, gt=0, le=600, description="How long work under way may take to end after SIGTERM or a reload."
    )


class ReloadSettings(_Part):
    """When the daemon loads a changed configuration by itself."""

    watch_seconds: float | None = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="How often syncd.yaml, mappings and policy are looked at; a change that stands still for one look is loaded as by SIGHUP. "
        "null = by SIGHUP only.",
    )


class HttpSettings(_Part):
    """Where webhooks, health and metrics listen (the daemon)."""

    host: str = Field(default="127.0.0.1", description="Address to bind to.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port; 0 takes any free one.")


class GuardSettings(_Part):
    """The blast-radius guard."""

    max_creates_per_pass: int | None = Field(
        default=None, ge=0, description="Stop a pass beyond this many new leads; null = no limit."
    )
    max_changed_share: float = Field(
        default=0.2,
        ge=0.0,
        le=1.0,
        description="Share of known people whom a pass may unsubscribe, clear, archive, delete, or change by a changed mapping or policy.",
    )
    max_opt_outs_per_user_per_hour: int = Field(
        default=50,
        ge=1,
        description="Beyond so many opt-outs of one user of the org within an hour, their copies to the sources wait for a person.",
    )


class XactlySftpSettings(SftpServer, _Part):
    """`xactly.sftp`: the staging area that Xactly provides."""

    folder: str = Field(default=".", description="Folder on the server.", examples=["/in"])


class XactlySettings(_Part):
    """The export to Xactly (`syncd report xactly`); see docs/how-to/admin/export-to-xactly.md."""

    template: str = Field(
        default="mappings/exports/xactly.yaml",
        description="Your template: which opportunities, which columns; relative to syncd.yaml.",
    )
    folder: str = Field(
        default="xactly", description="Where the files of a batch are put, unless there is sftp; relative to syncd.yaml."
    )
    sftp: XactlySftpSettings | None = Field(default=None, description="Put them on a server instead.")


class LogSettings(_Part):
    """What is logged (stderr)."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level.")
    format: Literal["auto", "json", "console"] = Field(default="auto", description="JSON unless stderr is a terminal.")

    @property
    def as_json(self) -> bool | None:
        """Whether lines are JSON; None where that is to be found out."""
        return {"auto": None, "json": True, "console": False}[self.format]


class AssignmentSettings(_Part):
    """Who gets the new leads of a source: `{owner: rule}`, `{owner: {queue: NAME}}` or `{owner: {user: NAME}}`."""

    owner: Literal["rule"] | dict[Literal["queue", "user"], str] = Field(
        default="rule", description="rule, {queue: NAME} or {user: NAME}."
    )

    @field_validator("owner")
    @classmethod
    def _one(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        if isinstance(value, dict) and len(value) != 1:
            raise ValueError("it names one queue or one user")
        return value


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("it is a day such as 2027-03-01") from None


class SourceSettings(_Part):
    """What every source has in common; the connector's own options are handed on."""

    type: str = Field(description="The connector.", examples=["csv_drop"])
    mapping: str = Field(description="Name of a file in mappings_dir, without .yaml.", examples=["csv_drop"])
    poll_interval_seconds: float | None = Field(default=None, gt=0, description="How often the daemon pulls.")
    cron: str | None = Field(default=None, description='When the daemon pulls, instead of an interval: "*/5 * * * *".')
    timezone: str = Field(default="UTC", description="Time zone of cron; summer time is its own.", examples=["Europe/Berlin"])
    jitter_seconds: float | None = Field(
        default=None, ge=0, description="Spread of the beginnings; a tenth of the interval, 30 s at most, if not given."
    )
    overlap_seconds: float | None = Field(
        default=None, ge=0, description="How far back each pull looks again; the connector's default (usually 300) if not given."
    )
    settle_seconds: float | None = Field(
        default=None,
        ge=0,
        description="How long something must be quiet to count as complete; the connector's default if not given.",
    )
    ca_file: str | None = Field(
        default=None, description="PEM file of one more authority to trust for this source (proxies, the sandbox)."
    )
    expires_on: Annotated[date, BeforeValidator(_day)] | None = Field(
        default=None,
        description="Day on which the credentials of this source end, where its vendor does not tell: a warning comes 14 days before.",
        examples=["2027-03-01"],
    )
    start_from: str = Field(
        default="all", description="all, now, or a day: older records are imported without assignment.", examples=["2026-01-01"]
    )
    assignment: AssignmentSettings = Field(default=AssignmentSettings(), description="Who gets new leads.")
    opt_outs: Literal["list", "global", "none"] = Field(
        default="list",
        description="Whoever opts out of e-mail elsewhere is opted out here as well, if this source takes that: list = of the lists that "
        "its records of the person are on, global = of every list of the account, none = not at all.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("it is a name of the IANA time zone database, such as Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _one_schedule(self) -> SourceSettings:
        if self.cron is not None and self.poll_interval_seconds is not None:
            raise ValueError("poll_interval_seconds and cron exclude each other")
        return self

    @field_validator("start_from")
    @classmethod
    def _start(cls, value: str) -> str:
        if value not in ("all", "now") and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            raise ValueError("it is all, now or a day such as 2026-01-01")
        return value


class ConfiguredSource(_Part):
    """A source with the connector's raw options and their place in the file."""

    name: str
    common: SourceSettings
    options: dict[str, Any]
    node: Node

    @property
    def type(self) -> str:
        """The connector's name."""
        return self.common.type

    @property
    def mapping(self) -> str:
        """The mapping's name."""
        return self.common.mapping


class Settings(_Part):
    """syncd.yaml as a whole; `folder` is where it lies."""

    version: Literal[1]
    store: StoreSettings = Field(default=StoreSettings(), description="Where the state lives.")
    salesforce: SalesforceSettings = Field(description="The org.")
    mappings_dir: str = Field(default="mappings", description="Folder of the mappings; relative to syncd.yaml.")
    policy: str = Field(default="mappings/policy.yaml", description="The policy; relative to syncd.yaml.")
    http: HttpSettings = Field(default=HttpSettings(), description="Where the daemon listens.")
    daemon: DaemonSettings = Field(default=DaemonSettings(), description="The life of the daemon.")
    reload: ReloadSettings = Field(default=ReloadSettings(), description="Changes on disk.")
    guard: GuardSettings = Field(default=GuardSettings(), description="The blast-radius guard.")
    xactly: XactlySettings | None = Field(default=None, description="The export to Xactly; none if not given.")
    log: LogSettings = Field(default=LogSettings(), description="What is logged.")
    allow_literal_secrets: bool = Field(default=False, description="Secrets may stand in this file: for sandboxes only.")
    allow_source_writes_from_sandbox: bool = Field(
        default=False,
        description="Actions of the policy at sources (enrolments, messages) are carried out from a sandbox org, too.",
    )
    person_key: Secret | None = Field(
        default=None, description="Key of the hash behind person ids; made once and kept in the store if not given."
    )
    sources: dict[str, ConfiguredSource] = Field(description="Sources by name.")
    folder: Path

    @property
    def store_url(self) -> str:
        """`store.url` with the path of a SQLite file made absolute."""
        url = self.store.url
        if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
            return f"sqlite:///{self.folder / url.removeprefix('sqlite:///')}"
        return url

    @field_validator("sources")
    @classmethod
    def _names(cls, value: dict[str, ConfiguredSource]) -> dict[str, ConfiguredSource]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(f'the name "{name}" has other characters than letters, digits, _ and -')
        return value


SourceSettings.model_rebuild()
