"""What is needed to reach one org: plain frozen values, made by `wiring` from syncd.yaml. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from syncd.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth 2.0 client credentials of an External Client App; the app's Run-As user is the integration user."""

    consumer_key: str
    consumer_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class JwtBearer:
    """OAuth 2.0 JWT bearer: `private_key` is the PEM text (RS256) whose certificate the app holds."""

    username: str
    consumer_key: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """One org.

    Attributes:
        login_url: `https://acme.my.salesforce.com`, any port, no path.
        auth: How to log in.
        api_version: `62.0`, without a leading v.
        ca_file: PEM file of one more authority to trust (proxies, the sandbox).
        external_id_field: Unique external-id text field of Lead; None means update only.
        client: Name in `Sforce-Call-Options`; appears in the org's event logs.
        daily_share: Share of the org's daily API calls that syncd may use in one UTC day, 0 to 1.
        hot_reserve: Share of that share which ordinary work leaves for hot leads, 0 to 1.
        connect_timeout_seconds, read_timeout_seconds: Per call.
        write_timeout_seconds: Read time-out of calls that write up to 200 rows (reference/salesforce.md 12).
        token_life_seconds: Assumed life of a token; renewed at 75 % of it. The org's default is 2 h.
    """

    login_url: str
    auth: ClientCredentials | JwtBearer
    api_version: str = "62.0"
    ca_file: str | None = None
    external_id_field: str | None = "Syncd_Id__c"
    client: str = "syncd"
    daily_share: float = 0.5
    hot_reserve: float = 0.1
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 120.0
    write_timeout_seconds: float = 180.0
    token_life_seconds: float = 7200.0

    def __post_init__(self) -> None:
        """Refuse what would send a credential over plain HTTP or to a wrong path."""
        parts = urlsplit(self.login_url)
        if parts.scheme != "https" or not parts.hostname:
            raise ConfigError(
                f'salesforce.login_url "{self.login_url}" is not an https address.',
                advice="Give the My Domain of the org, such as https://acme.my.salesforce.com.",
            )
        if parts.path.strip("/") or parts.query or parts.username:
            raise ConfigError(
                f'salesforce.login_url must name a host only, without a path or user, but has "{parts.path or "more"}".',
                advice="Give the My Domain of the org, such as https://acme.my.salesforce.com.",
            )
        number = self.api_version.split(".", 1)[0]
        if not number.isascii() or not number.isdigit() or int(number) < 58:
            raise ConfigError(
                f'salesforce.api_version "{self.api_version}" is not a supported version.',
                advice='Give a number without "v", 58.0 or later, such as "62.0".',
            )

    @property
    def origin(self) -> str:
        """`https://host[:port]` of the login address."""
        parts = urlsplit(self.login_url)
        return f"https://{parts.netloc}"
