"""Calls to the Graph API: proved, within Meta's budget, judged by `error.code`; the lists that it gives."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from connectors.meta.options import MetaOptions
from syncd.connector import Answer, Reply, Row, Secret, Session
from syncd.connector.tools import UNREADABLE, check_not_repeated, revealed
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError

T = TypeVar("T")

PAGE = 100
FIELDS = (
    "id", "created_time", "ad_id", "ad_name", "adset_id", "adset_name", "campaign_id", "campaign_name", "form_id", "field_data",
    "custom_disclaimer_responses", "is_organic", "platform",
)  # fmt: skip
_THROTTLED = frozenset({4, 17, 32, 613, *range(80_000, 80_015)})
"""Of the app, the user, the page, one's own rule, and of business use cases (80005: leads). "Rate Limits", read 2026-08."""
SLOW_PERCENT, STOP_PERCENT = 80.0, 95.0
SLOW_SECONDS, STOP_SECONDS = 900.0, 3_600.0
"""How long a budget that is nearly used up is left alone where Meta does not say."""
_REFUSED = AuthError(
    "Meta refuses the token.",
    advice="Check token: (a system user's, or the page's own; a user's ends after 60 days) and app_secret: of the same app.",
)
_FORBIDDEN = AuthError(
    "Meta does not let this token read leads.",
    advice=(
        "The token needs leads_retrieval, pages_show_list, pages_read_engagement, pages_manage_ads and ads_management; and the page's "
        "Leads Access Manager (Business settings, Integrations) must name the app."
    ),
)


_NOT_SENT = AuthError(
    "Meta does not let this token send events.",
    advice="Give the system user access to the dataset of pixel_id (Business settings, Data sources), and the token ads_management.",
)


class NotThereError(ContractError):
    """Meta has no such object, or does not show it to this token (code 100)."""


class Form(msgspec.Struct):
    """A lead form; the counts are None where Meta was not asked."""

    id: str
    leads_count: int | None = None
    expired_leads_count: int | None = None

    @property
    def readable_count(self) -> int:
        """How many leads Meta should give."""
        return (self.leads_count or 0) - (self.expired_leads_count or 0)


class _Cursors(msgspec.Struct):
    after: str = ""


class Paging(msgspec.Struct):
    """`next` is only ever asked whether it is there: it holds the token."""

    cursors: _Cursors = msgspec.field(default_factory=_Cursors)
    next: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class Forms(msgspec.Struct):
    """A page of a page's forms."""

    data: list[Form]
    paging: Paging = msgspec.field(default_factory=Paging)


class Leads(msgspec.Struct):
    """A page of a form's leads."""

    data: list[msgspec.Raw]
    paging: Paging = msgspec.field(default_factory=Paging)


class Graph:
    """Calls of one pull: proved, and no more of them than Meta's budget bears."""

    def __init__(self, session: Session, options: MetaOptions) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._options = options
        self._notices: list[str] = []
        self._wait_seconds = 0.0
        self._is_version_told = False
        self.used_percent = 0.0
        token = options.token.reveal()
        self._login: dict[str, str | Secret] = {"Authorization": Secret(f"Bearer {token}", options.token.origin)}
        secrets = revealed(options.app_secret)
        # While the secret is rotated the first one is the new one, which calls are proved with.
        proof = hmac.new(secrets[0].encode(), token.encode(), hashlib.sha256).hexdigest() if secrets else ""
        self._proof = {"appsecret_proof": proof} if proof else {}

    def notice(self, text: str) -> None:
        """Keep a sentence for the next page."""
        self._notices.append(text)

    def notices(self) -> list[str]:
        """Every sentence, once."""
        found, self._notices = self._notices, []
        return found

    def get(self, path: str, shape: type[T], params: Mapping[str, str]) -> Reply[T]:
        """Ask for an object or a list.

        Raises:
            RateLimitedError: Throttled, or the budget is all but used up: without asking.
            NotThereError: There is none, or this token may not see it.
            SourceUnavailableError, AuthError, ContractError: As `Http.get`.
        """
        if self.used_percent >= STOP_PERCENT:
            raise RateLimitedError(
                f"{self.used_percent:.0f} % of Meta's budget of calls is used.",
                retry_after_seconds=self._wait_seconds or STOP_SECONDS,
                advice="It grows with the leads of the page; name forms: to save calls.",
            )
        options = self._options
        url = f"{options.base_url}/{options.api_version}/{path}"
        rows: dict[int, Row] = dict.fromkeys((400, 401, 403, 500, 503), _judged)
        rows[404] = lambda body: _judged(body) or NotThereError
        reply = self._session.http.get(url, shape, params={**params, **self._proof}, headers=self._login, rows=rows)
        self._see(reply.headers)
        return reply

    def post(self, path: str, body: bytes) -> Answer | None:
        """Send something once; None: it may have arrived."""
        options = self._options
        rows: dict[int, Row] = dict.fromkeys((400, 401, 403, 404, 500, 503), _judged_sent)
        url = f"{options.base_url}/{options.api_version}/{path}"
        return self._session.http.send("POST", url, body, params=self._proof, headers=self._login, rows=rows)

    def scrub(self, error: SourceUnavailableError | ContractError) -> None:
        """Take the token, which `paging.next` holds, out of the page that an error keeps: pages are kept in the store."""
        error.page = error.page.replace(self._options.token.reveal().encode(), b"***")

    def leads(self, form: str, params: Mapping[str, str]) -> Reply[Leads]:
        """A page of leads of a form."""
        try:
            return self.get(f"{form}/leads", Leads, params)
        except NotThereError as error:
            raise unknown("form", form, error) from None

    def forms(self) -> tuple[list[Form], list[SyncdError]]:
        """The chosen forms, or all of the pages, and what kept some of them from being listed.

        Raises:
            RateLimitedError, AuthError: They concern all of them.
        """
        if self._options.forms:
            return [Form(one) for one in self._options.forms], []
        found: dict[str, Form] = {}
        failed: list[SyncdError] = []
        for page in self._options.pages:
            try:
                found.update((one.id, one) for one in self._forms_of(page))
            except NotThereError as error:
                failed.append(unknown("page", page, error))
            except (SourceUnavailableError, ContractError) as error:
                self.scrub(error)
                failed.append(error)
        return list(found.values()), failed

    def _forms_of(self, page: str) -> Iterator[Form]:
        params = {"fields": "id,leads_count,expired_leads_count", "limit": str(PAGE)}
        tokens: set[str] = set()
        while True:
            reply = self.get(f"{page}/leadgen_forms", Forms, params)
            yield from reply.value.data
            after = next_of(reply, reply.value.paging)
            if not after:
                return
            check_not_repeated("Meta", tokens, after, reply)
            params = {**params, "after": after}

    def _see(self, headers: Mapping[str, str]) -> None:
        version = headers.get("facebook-api-version", "")
        if version and version != self._options.api_version and not self._is_version_told:
            self._is_version_told = True
            self.notice(f"Meta answered as {version}, not as {self._options.api_version}: raise api_version.")
        for one in _usages(headers):
            self.used_percent = max(self.used_percent, one.call_count, one.total_cputime, one.total_time)
            self._wait_seconds = max(self._wait_seconds, one.estimated_time_to_regain_access * 60.0)


def next_of(reply: Reply[Any], paging: Paging) -> str:
    """The cursor of the next page; `""` when Meta says by the absence of `next` that there is none.

    Raises:
        ContractError: There is a next page and no cursor.
    """
    if bytes(paging.next) in (b"", b"null"):
        return ""
    if not paging.cursors.after:
        raise ContractError(
            "Meta names a next page without a cursor.", advice="The API may have changed; the page is kept.", page=reply.body
        )
    return paging.cursors.after


class _Usage(msgspec.Struct):
    """Percentages, and a wait in minutes. "Rate Limits", read 2026-08."""

    call_count: float = 0.0
    total_cputime: float = 0.0
    total_time: float = 0.0
    estimated_time_to_regain_access: float = 0.0


def _usages(headers: Mapping[str, str]) -> list[_Usage]:
    """What the headers say of the app and of each business; one that cannot be read says nothing."""
    found: list[_Usage] = []
    with contextlib.suppress(*UNREADABLE, UnicodeError):
        found.append(msgspec.json.decode(headers.get("X-App-Usage", "").encode(), type=_Usage))
    with contextlib.suppress(*UNREADABLE, UnicodeError):
        by_business = msgspec.json.decode(headers.get("X-Business-Use-Case-Usage", "").encode(), type=dict[str, list[_Usage]])
        found += [one for many in by_business.values() for one in many]
    return found


class _Fault(msgspec.Struct):
    code: int = 0


class _Faulty(msgspec.Struct):
    error: _Fault


def _judged(body: bytes) -> type[SyncdError] | SyncdError | None:
    """What an `error.code` means, whatever the status; the type says OAuthException of nearly everything. "Error Handling", 2026-08."""
    try:
        code = msgspec.json.decode(body, type=_Faulty).error.code
    except UNREADABLE:
        return None
    if code in _THROTTLED:
        return RateLimitedError
    if code in (1, 2):
        return SourceUnavailableError
    if code in (102, 190):
        return _REFUSED
    if code in (3, 10) or 200 <= code < 300:
        return _FORBIDDEN
    return NotThereError if code in (100, 803) else None


def _judged_sent(body: bytes) -> type[SyncdError] | SyncdError | None:
    """The same of something that was sent."""
    found = _judged(body)
    return _NOT_SENT if found is _FORBIDDEN else found


def unknown(kind: str, name: str, error: ContractError) -> ContractError:
    """Of Meta's answer that there is no such object, one that says what to do."""
    advice = f"Correct {kind}s: in the source, and check that the token may see it; app_secret: must be of the same app."
    return ContractError(f'Meta shows this token no {kind} "{name}".', advice=advice, page=error.page)


def emptied(form: Form) -> SourceUnavailableError:
    """Of a list without a lead, though there should be some."""
    return SourceUnavailableError(
        f"Meta counts {form.leads_count} leads of form {form.id}, and gives none of them.",
        advice="Name the app in the page's Leads Access Manager (Business settings, Integrations).",
    )


def counted(form: Form) -> str:
    """What Meta counts of a form, as the end of a sentence."""
    if not form.leads_count:
        return ""
    return f": {form.leads_count} leads, {form.expired_leads_count or 0} of them gone because they are older than 90 days"
