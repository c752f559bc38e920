"""Questions to Google Ads (GAQL over searchStream) and what its errors mean. Belongs to google_ads.

Errors: `{"error": {"status", "details": [{"errors": [{"errorCode": {KIND: WORD}, "details"}]}]}}`, inside an array as well; only the
constant words of a code are ever quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.google_ads.place import EAST, WEST
from syncd.connector import Answer, Record, Reply, Row, Secret, Session
from syncd.connector.google import error_of, login
from syncd.connector.tools import UNREADABLE, at_path
from syncd.errors import AuthError, ContractError, RateLimitedError, SourceUnavailableError, SyncdError

if TYPE_CHECKING:
    from connectors.google_ads import GoogleAdsOptions

SCOPE = "https://www.googleapis.com/auth/adwords"
_LEADS = (
    "SELECT lead_form_submission_data.id, lead_form_submission_data.submission_date_time, lead_form_submission_data.gclid,"
    " lead_form_submission_data.lead_form_submission_fields, lead_form_submission_data.custom_lead_form_submission_fields,"
    " lead_form_submission_data.asset, campaign.id, campaign.name, ad_group.id, ad_group.name, asset.id, asset.name"
    " FROM lead_form_submission_data"
)
_CLICKS = (
    "SELECT click_view.gclid, click_view.keyword_info.text, campaign.id, campaign.name, ad_group.id, ad_group.name, segments.date"
    " FROM click_view WHERE segments.date = '{day}'"
)
_GCLID = re.compile(r"[A-Za-z0-9_.~-]{1,500}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORD = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_DELAY = re.compile(r"(\d{1,7}(?:\.\d+)?)s")
_DELAY_IN_TEXT = re.compile(r"Retry in (\d{1,7}) seconds")
_DEFAULT_DELAY_SECONDS = 30.0

_ADVICE = {
    "USER_PERMISSION_DENIED": "Set login_customer_id to the manager account, or give the login access: Google Ads, Admin, Access and security.",
    "DEVELOPER_TOKEN_NOT_APPROVED": "The developer_token reaches test accounts only: apply for Basic access at Google Ads, Admin, API Center.",
    "DEVELOPER_TOKEN_PROHIBITED": "The developer_token belongs to another Cloud project than the login; use the client of that project.",
    "DEVELOPER_TOKEN_INVALID": "Copy developer_token anew: Google Ads, Admin, API Center.",
    "CUSTOMER_NOT_ENABLED": "The account is cancelled or not set up; take it out of customer_ids.",
    "CUSTOMER_NOT_FOUND": "Correct customer_ids: the number at the top of the account, without dashes.",
    "NOT_ADS_USER": "The login is of no Google Ads user; give it access: Google Ads, Admin, Access and security.",
}


class AccountLimitedError(RateLimitedError):
    """One account is to be left alone; the others may be read."""


class AccountRefusedError(AuthError):
    """One account may not be read; the others may be."""


class _Chunk(msgspec.Struct):
    """One chunk of a stream; each has rows, and the last may be an error instead."""

    results: list[msgspec.Raw] = []
    error: msgspec.Raw = msgspec.Raw(b"null")


class Api:
    """Asks the accounts of one source."""

    def __init__(self, session: Session, options: GoogleAdsOptions) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._options = options
        self._auth = login(session, options, SCOPE)

    def ask(self, customer: str, query: str) -> Reply[list[_Chunk]]:
        """The whole answer of a query; it changes nothing, so that it is asked again while the fault is temporary."""
        options, headers = self._options, self._headers()

        def judge(answer: bytes) -> SyncdError | None:
            return _judged(answer, customer, options)

        def is_whole(reply: Reply[list[_Chunk]]) -> None:
            if any(bytes(one.error) != b"null" for one in reply.value):
                raise judge(reply.body) or SourceUnavailableError(
                    f"Google Ads broke off the leads of account {customer} with an error.",
                    advice="It is tried again with the next run; the answer is kept.",
                    page=reply.body,
                )

        retired = ContractError(
            f"Google Ads does not know version {options.api_version} of its API, or account {customer}.",
            advice="Raise api_version to the newest one (each is switched off after about a year); check customer_ids.",
        )
        known = dict.fromkeys((400, 401, 403, 429), judge)
        rows: Mapping[int, Row] = {**known, 404: lambda answer: judge(answer) or retired}
        url = f"{options.base_url}/v{options.api_version}/customers/{customer}/googleAds:searchStream"
        body = msgspec.json.encode({"query": query})
        return self._session.http.post(url, list[_Chunk], body, headers=headers, auth=self._auth, rows=rows, verify=is_whole)

    def upload(self, customer: str, method: str, body: bytes) -> Answer | None:
        """Send conversions or adjustments of an account once; None: they may have arrived."""
        options = self._options
        rows: dict[int, Row] = dict.fromkeys((400, 401, 403, 429), lambda answer: _judged(answer, customer, options))
        url = f"{options.base_url}/v{options.api_version}/customers/{customer}:{method}"
        return self._session.http.send("POST", url, body, headers=self._headers(), auth=self._auth, rows=rows)

    def _headers(self) -> dict[str, str | Secret]:
        options = self._options
        headers: dict[str, str | Secret] = {"developer-token": options.developer_token}
        if options.login_customer_id is not None:
            headers["login-customer-id"] = options.login_customer_id
        return headers

    @staticmethod
    def rows(reply: Reply[list[_Chunk]]) -> list[msgspec.Raw]:
        """The rows of an answer."""
        return [one for chunk in reply.value for one in chunk.results]

    @staticmethod
    def leads(low: datetime, high: datetime) -> str:
        """Leads from `low` on and before `high`, and a day more at both ends: whichever the account's zone is, they are among them."""
        name = "lead_form_submission_data.submission_date_time"
        return f"{_LEADS} WHERE {name} >= '{_literal(low - WEST)}' AND {name} < '{_literal(high + EAST)}' ORDER BY {name}"

    @staticmethod
    def one_lead() -> str:
        """Any lead: for a check."""
        return f"{_LEADS} LIMIT 1"

    @staticmethod
    def one_click(day: date) -> str:
        """Any click of a day: for a check."""
        return f"{_CLICKS.format(day=day.isoformat())} LIMIT 1"

    def with_clicks(self, customer: str, records: Sequence[Record]) -> tuple[tuple[Record, ...], str]:
        """The records with what is known of their clicks, one question per day; and a notice where Google answered none.

        A click of the evening before a lead of the first minutes of a day is not found.
        """
        leads = [(record, msgspec.json.decode(record.payload, type=dict[str, Any])) for record in records]
        wanted: dict[str, set[str]] = {}
        for _, lead in leads:
            day, gclid = lead["submitted_on"], lead.get("gclid", "")
            if _DAY.fullmatch(day) and _GCLID.fullmatch(gclid):
                wanted.setdefault(day, set()).add(gclid)
        clicks: dict[tuple[str, str], dict[str, str]] = {}
        notice = ""
        for day, gclids in sorted(wanted.items()):
            try:
                clicks |= self._clicks(customer, day, gclids)
            except ContractError:
                notice = f"Google Ads does not tell the clicks of account {customer} of {day}; their leads came without."
        made: list[Record] = []
        for record, lead in leads:
            click = clicks.get((lead["submitted_on"], lead.get("gclid", "")))
            shown = {**lead, "click": click} if click else lead
            made.append(msgspec.structs.replace(record, payload=msgspec.json.encode(shown, order="sorted")))
        return tuple(made), notice

    def _clicks(self, customer: str, day: str, gclids: Iterable[str]) -> dict[tuple[str, str], dict[str, str]]:
        listed = ", ".join(f"'{one}'" for one in sorted(gclids))
        reply = self.ask(customer, f"{_CLICKS.format(day=day)} AND click_view.gclid IN ({listed})")
        paths = {
            "keyword": "clickView.keywordInfo.text",
            "campaign_id": "campaign.id",
            "campaign_name": "campaign.name",
            "ad_group_id": "adGroup.id",
            "ad_group_name": "adGroup.name",
        }
        found: dict[tuple[str, str], dict[str, str]] = {}
        for raw in self.rows(reply):
            try:
                row = msgspec.json.decode(raw)
            except UNREADABLE:
                continue  # its lead goes without a click, as if Google had not told of it
            told = {name: str(value) for name, path in paths.items() if (value := at_path(row, path)) is not None}
            found[day, str(at_path(row, "clickView.gclid"))] = told
        return found


def _literal(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _judged(answer: bytes, customer: str, options: GoogleAdsOptions) -> SyncdError | None:
    """The error that an answer tells of; None leaves it to its status."""
    error = error_of(answer)
    first = at_path(error, "details.0.errors.0")
    code = at_path(first, "errorCode")
    kind, word = next(iter(code.items())) if isinstance(code, dict) and code else ("", "")
    named = f" with {word}" if isinstance(word, str) and _WORD.fullmatch(word) else ""
    if kind == "quotaError" or at_path(error, "status") == "RESOURCE_EXHAUSTED":
        return _limited(first, customer)
    if kind == "authorizationError" or word == "CUSTOMER_NOT_FOUND":
        advice = _ADVICE.get(str(word), "Check login_customer_id, developer_token and the access of the login.")
        return AccountRefusedError(f"Google Ads does not let the login read account {customer}{named}.", advice=advice)
    if kind == "authenticationError" or (not kind and at_path(error, "status") == "UNAUTHENTICATED"):
        option = options.login_option
        advice = _ADVICE.get(str(word), f"Check {option}, and that its consent has the scope {SCOPE}.")
        return AuthError(f"Google Ads refuses the login{named}.", advice=advice)
    if kind in ("queryError", "fieldError", "requestError", "headerError"):
        return ContractError(
            f"Google Ads does not take our question to account {customer}{named}.",
            advice="Check api_version: a version may be switched off, or too new for this release.",
            page=answer,
        )
    return None


def _limited(first: Any, customer: str) -> RateLimitedError:
    details = at_path(first, "details.quotaErrorDetails")
    delay = _DELAY.fullmatch(str(at_path(details, "retryDelay"))) or _DELAY_IN_TEXT.search(str(at_path(first, "message")))
    seconds = float(delay[1]) if delay else _DEFAULT_DELAY_SECONDS
    if at_path(details, "rateScope") == "ACCOUNT":
        said = f"Google Ads asks to leave account {customer} alone for {seconds:.0f} s."
        return AccountLimitedError(said, retry_after_seconds=seconds, advice="The others are read; it comes back by itself.")
    return RateLimitedError(
        f"Google Ads says that the developer token has used up its operations; it asks to wait {seconds:.0f} s.",
        retry_after_seconds=seconds,
        advice="A larger poll_interval_seconds, or Basic access (Google Ads, Admin, API Center), helps.",
    )
