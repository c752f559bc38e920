"""Calls to LinkedIn's API: the login, the versioned headers, Rest.li queries, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from connectors.linkedin.options import LinkedInOptions, Spot
from syncd.connector import Answer, Auth, Reply, Row, Secret, Session, Token
from syncd.connector.tools import revealed
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError

T = TypeVar("T")

PAGE = 100
"""In common use among clients; the API's own limit is not documented."""
_FIELDS = (
    "id,submittedAt,testLead,leadType,owner,ownerInfo,versionedLeadGenFormUrn,associatedEntity,associatedEntityInfo,"
    "leadMetadata,leadMetadataInfo,formResponse,form:(id,name,creationLocale,hiddenFields,content)"
)
"""`form:(..)` brings the questions along, without which an answer is only a number; who submitted is not asked for."""
_AFTER_RESET = timedelta(minutes=5)
_OLD_MONTHS = 10
"""A version lives for 12 months at least ("API migration status and versioning")."""


class ForbiddenError(AuthError):
    """The member behind the token lacks a role or a product for one owner and type of leads; others may be readable."""


class NotThereError(ContractError):
    """LinkedIn has no such lead (yet)."""


class Paging(msgspec.Struct):
    """Where a page stands; `total` is not promised."""

    total: int | None = None


class Leads(msgspec.Struct):
    """A page of leads."""

    elements: list[msgspec.Raw]
    paging: Paging = msgspec.field(default_factory=Paging)


class _Granted(msgspec.Struct):
    """An access token for 60 days; the refresh token ends a year after the consent. "Programmatic refresh tokens"."""

    access_token: str
    expires_in: float | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: float | None = None


_NO_CONVERSIONS = AuthError(
    "LinkedIn does not let this token send conversions.",
    advice="It needs rw_conversions (product Conversions API), and its member a role in the ad account of the rule.",
)


class Api:
    """Calls for one pull, or for one lead."""

    def __init__(self, session: Session, options: LinkedInOptions) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._options = options
        self._headers = {"LinkedIn-Version": options.api_version, "X-Restli-Protocol-Version": "2.0.0"}

    def leads(self, spot: Spot, window: tuple[int, int] | None, start: int, count: int) -> Reply[Leads]:
        """A page of the leads of a window (milliseconds; None: of all that there are).

        Raises:
            ForbiddenError: Of this owner and type.
            SourceUnavailableError: Also for a page without leads where `total` counts more.
        """

        def is_whole(reply: Reply[Leads]) -> None:
            if not reply.value.elements and start < (reply.value.paging.total or 0):
                raise SourceUnavailableError(
                    f"LinkedIn gave no leads of {spot.name} and counts {reply.value.paging.total}.",
                    advice="It is tried again with the next run; the page is kept.",
                    page=reply.body,
                )

        # By hand: what structures a Rest.li value stays literal, the colons inside of a URN do not.
        bounds = f"&submittedAtTimeRange=(start:{window[0]},end:{window[1]})" if window is not None else ""
        query = (
            f"q=owner&owner=({spot.kind}:{quote(f'urn:li:{spot.kind}:{spot.number}', safe='')})&leadType=(leadType:{spot.lead_type})"
            f"&limitedToTestLeads=false{bounds}&fields={_FIELDS}&count={count}&start={start}"
        )
        return self._get("leadFormResponses", Leads, query, {403: _forbidden(f"leads of {spot.name}")}, is_whole)

    def lead(self, key: str) -> Reply[msgspec.Raw]:
        """One lead.

        Raises:
            NotThereError: There is none.
        """
        return self._get(
            f"leadFormResponses/{quote(key, safe='')}",
            msgspec.Raw,
            f"fields={_FIELDS}",
            {403: _forbidden("a lead"), 404: NotThereError},
        )

    def _get(self, path: str, shape: type[T], query: str, rows: Mapping[int, Row], verify: Any = None) -> Reply[T]:
        options = self._options
        given: dict[int, Row] = {401: _refused(options), 426: _ended(options), **rows}
        url = f"{options.base_url}/{path}"
        headers: dict[str, str | Secret] = dict(self._headers)
        if not options.renews and options.access_token is not None:
            headers |= _bearer(options.access_token)
            return self._session.http.get(url, shape, query=query, headers=headers, rows=given, verify=verify)
        return self._session.http.get(url, shape, query=query, headers=headers, auth=self._auth(), rows=given, verify=verify)

    def send(self, path: str, body: bytes) -> Answer | None:
        """Send something once; None: it may have arrived."""
        options = self._options
        headers: dict[str, str | Secret] = dict(self._headers)
        rows: dict[int, Row] = {401: _refused(options), 403: _NO_CONVERSIONS, 426: _ended(options)}
        if not options.renews and options.access_token is not None:
            return self._session.http.send(
                "POST", f"{options.base_url}/{path}", body, headers=headers | _bearer(options.access_token), rows=rows
            )
        return self._session.http.send("POST", f"{options.base_url}/{path}", body, headers=headers, auth=self._auth(), rows=rows)

    def _auth(self) -> Auth:
        def make(kept: Secret | None) -> Token:
            return _granted(self._session, self._options, kept)

        return lambda is_refused: _bearer(self._session.tokens.get(make, is_refused=is_refused))


def _granted(session: Session, options: LinkedInOptions, kept: Secret | None) -> Token:
    """A new access token, by the refresh token that was kept, else by the configured one (it may be newer than what was kept)."""
    assert options.refresh_token is not None  # noqa: S101 - without one nothing is asked for
    refused: AuthError | None = None
    known = {one.reveal(): one for one in (kept, options.refresh_token) if one is not None}
    for one in known.values():
        form = {
            "grant_type": "refresh_token",
            "refresh_token": one.reveal(),
            "client_id": options.client_id or "",
            "client_secret": revealed(options.client_secret)[0],
        }
        kind = "application/x-www-form-urlencoded"
        rows: dict[int, Row] = {400: _refused(options), 401: _refused(options)}
        try:
            body = urlencode(form).encode()
            made = session.http.post(options.token_url, _Granted, body, content_type=kind, rows=rows).value
        except AuthError as error:
            refused = error
            continue
        refresh = Secret(made.refresh_token, "given by LinkedIn") if made.refresh_token else None
        access = Secret(made.access_token, "given by LinkedIn")
        return Token(access, made.expires_in, refresh, made.refresh_token_expires_in)
    assert refused is not None  # noqa: S101 - the loop runs once at least
    raise refused


def _ended(options: LinkedInOptions) -> ContractError:
    return ContractError(
        f'LinkedIn no longer answers by version "{options.api_version}".',
        advice="Raise api_version: in the source (YYYYMM) to one of the last months; read its release notes.",
    )


def _forbidden(what: str) -> ForbiddenError:
    return ForbiddenError(
        f"LinkedIn does not let this token read {what}.",
        advice=(
            "Its member needs a role in the ad account, or of an administrator of the page (for EVENT its super or content admin), and "
            "the app the product Lead Sync with r_marketing_leadgen_automation."
        ),
    )


def _refused(options: LinkedInOptions) -> AuthError:
    if not options.renews:
        return AuthError(
            "LinkedIn refuses the access token.", advice="It ends after 60 days: give a new access_token:, or a refresh_token:."
        )
    return AuthError(
        "LinkedIn refuses the login.",
        advice="The consent ends after a year: give a new refresh_token:; check client_id: and client_secret: of the same app.",
    )


def _bearer(token: Secret) -> dict[str, str | Secret]:
    return {"Authorization": Secret(f"Bearer {token.reveal()}", token.origin)}


def until_reset(error: RateLimitedError, now: datetime) -> RateLimitedError:
    """Of a throttle that tells no wait, one that waits until the daily quotas are given anew: 00:00 UTC. Pure."""
    if error.retry_after_seconds is not None:
        return error
    reset = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) + _AFTER_RESET
    return RateLimitedError(
        "A daily quota of LinkedIn's is used up.",
        retry_after_seconds=(reset - now).total_seconds(),
        advice="It is given anew at 00:00 UTC; the app's Analytics tab shows it. Poll less often.",
    )


def age_of(version: str, now: datetime) -> str:
    """A sentence once a version nears its end; `""` before. Pure."""
    months = (now.year - int(version[:4])) * 12 + now.month - int(version[4:])
    if months < _OLD_MONTHS:
        return ""
    return f"Version {version} of LinkedIn's API is {months} months old and ends after 12: raise api_version."
