"""Google Forms: responses to forms, asked for (Forms API v1; "Method: forms.responses.list", "Forms API usage limits", read 2026-08).

Limits: `responses.list` 450 per minute and project, 180 per minute and user; pages of up to 5,000. Oddities: no order is promised, so that
the cursor moves at the end of a form's walk; times have nanoseconds, which the cursor keeps as text; somebody may edit a response, which
stays the same with a newer `lastSubmittedTime`; an empty answer is `{}`; answers are keyed by the ids of questions, whose titles stand in
the form. That the filter follows edits is documented nowhere: if it does not, an edit is found only while its response is asked for.
There is no push here: Google offers it over Pub/Sub, without answers, for seven days; asking every few minutes is enough. See
docs/connectors/google_forms.md.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from pydantic import Field, field_validator

from syncd.connector import Health, Limits, Page, Record, Reject, Reply, Session
from syncd.connector.google import GoogleOptions, login, rows
from syncd.connector.tools import UNREADABLE, BaseUrl, Horizon, at_path, check_not_repeated, instant, key_of
from syncd.errors import ContractError, SourceUnavailableError, SyncdError

_PAGE = 5_000
_SCOPES = ("https://www.googleapis.com/auth/forms.responses.readonly", "https://www.googleapis.com/auth/forms.body.readonly")
_QUESTIONS = "items(title,questionItem(question(questionId)),questionGroupItem(questions(questionId,rowQuestion(title))))"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_SENT_AROUND = "1FAIpQLS"
"""The ids of forms as they are filled in begin so; the API does not know them."""
_KEPT = ("responseId", "createTime", "lastSubmittedTime", "respondentEmail", "totalScore")


class _Responses(msgspec.Struct):
    """A page; without anything it is `{}`."""

    responses: list[msgspec.Raw] = []
    nextPageToken: str = ""  # noqa: N815 - the API's name


class _Form(msgspec.Struct):
    items: list[dict[str, Any]] = []


class GoogleFormsOptions(GoogleOptions):
    """Options of `type: google_forms`."""

    forms: list[str] = Field(
        min_length=1,
        description="Ids of the forms to read: the long part of the address in which they are edited, between /d/ and /edit.",
        examples=[["1a2B3c4D5e6F7g8H9i0JkLmNoPqRsTuVwXyZ"]],
    )
    base_url: BaseUrl = Field(default="https://forms.googleapis.com", description="Root of the API, without the version.")

    @field_validator("forms")
    @classmethod
    def _ids(cls, value: list[str]) -> list[str]:
        for one in value:
            if one.startswith(_SENT_AROUND):
                raise ValueError(
                    f'"{one}" is of the address that is sent around; the one of the editor is docs.google.com/forms/d/ID/edit'
                )
            if not re.fullmatch(r"[A-Za-z0-9_-]{10,100}", one):
                raise ValueError(f'"{one}" is no id of a form (its address is docs.google.com/forms/d/ID/edit)')
        return list(dict.fromkeys(value))


class GoogleForms:
    """The connector; has no state of its own."""

    name = "google_forms"
    Options = GoogleFormsOptions
    page_size_records = _PAGE
    limits = Limits(connections=2, calls_per_second=3.0, read_timeout_seconds=60.0)

    def check(self, session: Session, options: GoogleFormsOptions) -> Health:
        """Read the questions and one response of each form, as `pull` would."""
        findings: list[str] = []
        is_ok = True
        for form in options.forms:
            try:
                titles = self._titles(session, options, form)
                self._responses(session, options, form, {"pageSize": "1"})
                named = ", ".join(f'{question} "{title}"' for question, title in titles.items())
                findings.append(f"Form {form} was read. Its questions: {named or 'none'}.")
            except SyncdError as error:
                is_ok = False
                findings.append(str(error))
        return Health(is_ok, tuple(findings))

    def streams(self, options: GoogleFormsOptions) -> tuple[str, ...]:
        """One stream: responses to all chosen forms."""
        del options
        return ("responses",)

    def cursor_at(self, options: GoogleFormsOptions, stream: str, at: datetime) -> dict[str, Any]:
        """A cursor from which every form is read from `at` on."""
        del options, stream
        return {"from": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "forms": {}}

    def pull(
        self, session: Session, options: GoogleFormsOptions, stream: str, cursor: Mapping[str, Any] | None, until: datetime
    ) -> Iterator[Page]:
        """Yield new and edited responses form by form; a form that fails does not stop the others."""
        del stream
        place: dict[str, Any] = {"from": None, "forms": {}, **(cursor or {})}
        edges = dict(place["forms"])
        horizon = Horizon("Google Forms", session, until)
        failed: list[SyncdError] = []
        for number, form in enumerate(options.forms, start=1):
            edge = _Edge(edges.get(form) or {"at": place["from"]})
            try:
                for records, rejects, is_end in self._walk(session, options, form, edge, horizon):
                    if is_end:
                        edges[form] = edge.state()
                    is_last = is_end and number == len(options.forms) and not failed
                    if records or rejects or is_last:
                        yield Page(records, {**place, "forms": dict(edges)}, rejects, is_last=is_last, notice=horizon.told())
            except (SourceUnavailableError, ContractError) as error:
                failed.append(error)
        for first in failed:
            raise first

    def _walk(
        self, session: Session, options: GoogleFormsOptions, form: str, edge: _Edge, horizon: Horizon
    ) -> Iterator[tuple[tuple[Record, ...], tuple[Reject, ...], bool]]:
        """The new responses of a form, page by page, and whether that was the end."""
        params = {"pageSize": str(min(session.page_size_records, _PAGE))}
        since = edge.since(session)
        if since:
            # A page token goes with the very same filter only.
            params["filter"] = f"timestamp >= {since}"
        tokens: set[str] = set()
        titles: dict[str, str] | None = None
        while True:
            reply = self._responses(session, options, form, params)
            horizon.see(reply)
            responses = [one for one in map(_object, reply.value.responses) if _is_settled(one, horizon)]
            if titles is None and responses:
                titles = self._titles(session, options, form)
            made = [_made(form, one, titles or {}, reply.received_at) for one in responses]
            news = [one for one, response in zip(made, responses, strict=True) if edge.is_news(one, response)]
            token = reply.value.nextPageToken
            if token:
                check_not_repeated("Google Forms", tokens, token, reply)
            records = tuple(one for one in news if isinstance(one, Record))
            yield records, tuple(one for one in news if isinstance(one, Reject)), not token
            if not token:
                return
            params = {**params, "pageToken": token}

    def _responses(
        self, session: Session, options: GoogleFormsOptions, form: str, params: Mapping[str, str]
    ) -> Reply[_Responses]:
        def is_a_page(reply: Reply[_Responses]) -> None:
            try:
                members = msgspec.json.decode(reply.body, type=dict[str, msgspec.Raw])
            except UNREADABLE:
                members = {"unreadable": msgspec.Raw()}
            if members and not members.keys() & {"responses", "nextPageToken"}:
                raise ContractError(
                    f"Google Forms answered for form {form} with an object that is no page of responses.",
                    advice="The API may have changed; the page is kept.",
                    page=reply.body,
                )

        url = f"{options.base_url}/v1/forms/{form}/responses"
        return session.http.get(
            url, _Responses, params=params, auth=login(session, options, *_SCOPES), rows=_rows(options, form), verify=is_a_page
        )

    @staticmethod
    def _titles(session: Session, options: GoogleFormsOptions, form: str) -> dict[str, str]:
        """Question to title; a row of a grid has the grid's title before its own."""
        url, params = f"{options.base_url}/v1/forms/{form}", {"fields": _QUESTIONS}
        reply = session.http.get(url, _Form, params=params, auth=login(session, options, *_SCOPES), rows=_rows(options, form))
        found: dict[str, str] = {}
        for item in reply.value.items:
            title = str(item.get("title") or "")
            single, several = at_path(item, "questionItem.question"), at_path(item, "questionGroupItem.questions")
            for one in several if isinstance(several, list) else [single]:
                if question := at_path(one, "questionId"):
                    found[str(question)] = f"{title} {at_path(one, 'rowQuestion.title') or ''}".strip()
        return found


class _Edge:
    """Where a form stands: its newest time as text with nanoseconds, and what was given of it; news of a walk count when it is over.

    As a cursor: `{"at": text, "seen": {key: hash}}`.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        """From a cursor, or from the beginning."""
        self._at: str = _sortable(state.get("at"))
        self._seen: dict[str, str] = dict(state.get("seen") or {})
        self._next_at, self._next_seen = self._at, dict(self._seen)

    def since(self, session: Session) -> str:
        """The text to ask from, the overlap included; `""` from the beginning."""
        if not self._at:
            return ""
        seconds, _, fraction = self._at.partition(".")
        begin = datetime.fromisoformat(seconds) - timedelta(seconds=math.ceil(session.overlap_seconds))
        return f"{begin.isoformat()}.{fraction}"

    def is_news(self, made: Record | Reject, response: Mapping[str, Any]) -> bool:
        """Whether it was not given before in this version, and note it."""
        at = _sortable(response.get("lastSubmittedTime"))
        digest = hashlib.blake2b(made.payload, digest_size=8).hexdigest()
        is_known = at == self._at and self._seen.get(made.key) == digest
        if at > self._next_at:
            self._next_at, self._next_seen = at, {}
        if at and at == self._next_at:
            self._next_seen[made.key] = digest
        return not is_known

    def state(self) -> dict[str, Any]:
        """As a cursor, when the walk is over."""
        return {"at": self._next_at, "seen": dict(self._next_seen)} if self._next_at else {}


def _rows(options: GoogleFormsOptions, form: str) -> Any:
    missing = ContractError(
        f'Google has no form "{form}".',
        advice="Correct forms: in the source: the id of the address in which it is edited, not the one that is sent around.",
    )
    return rows(options, "Google Forms API", f"form {form}", *_SCOPES, missing=missing)


def _sortable(at: Any) -> str:
    """A time of Google's with all nine digits: texts that sort as the instants do; `""` for what is none."""
    found = _TIME.fullmatch(at) if isinstance(at, str) else None
    return f"{found[1]}.{found[2] or '':0<9}Z" if found else ""


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE:
        return {"unreadable": bytes(raw).decode("utf-8", "replace")}


def _is_settled(response: Mapping[str, Any], horizon: Horizon) -> bool:
    at = instant(_cut(response.get("lastSubmittedTime")))
    return at is None or at <= horizon.end


def _cut(at: Any) -> Any:
    """Without what Python's time cannot hold: it takes six digits."""
    return re.sub(r"(\.\d{6})\d+", r"\1", at) if isinstance(at, str) else at


def _made(form: str, response: Mapping[str, Any], titles: Mapping[str, str], received_at: datetime) -> Record | Reject:
    """One response as a record: answers by the question's id, with its title; and by title for short. Its time is never in the future."""
    key = key_of(response.get("responseId"))
    if not key:
        payload = msgspec.json.encode(dict(response))
        own = hashlib.blake2b(payload, digest_size=12).hexdigest()
        return Reject(f"no-id-{own}", "no_id", "A response has no id.", payload, f"form {form}")
    given = response.get("answers")
    answers = {
        question: _answer(titles.get(question, ""), one)
        for question, one in sorted((given if isinstance(given, dict) else {}).items())
        if isinstance(one, dict)
    }
    by_title: dict[str, Any] = {}
    for one in answers.values():
        value = one.get("value", one.get("values"))
        if one["title"] and value not in (None, ""):
            by_title.setdefault(one["title"], value)
    kept = {name: response[name] for name in _KEPT if name in response}
    payload = msgspec.json.encode({**kept, "formId": form, "answers": answers, "by_title": by_title})
    at = instant(_cut(response.get("lastSubmittedTime")))
    return Record(key, payload, min(at, received_at) if at else None, 0, f"form {form}")


def _answer(title: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """`{"title", "value"}` of one text, `values` of several, `files` (ids and names at Google Drive)."""
    texts = [one["value"] for one in _members(answer, "textAnswers") if isinstance(one.get("value"), str)]
    files = [
        {name: one[name] for name in ("fileId", "fileName") if isinstance(one.get(name), str)}
        for one in _members(answer, "fileUploadAnswers")
    ]
    shown: dict[str, Any] = {"title": title}
    if texts:
        shown |= {"value": texts[0]} if len(texts) == 1 else {"values": texts}
    return {**shown, "files": files} if files else shown


def _members(answer: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    held = answer.get(name)
    found = held.get("answers") if isinstance(held, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


CONNECTOR = GoogleForms()
"""What `wiring` uses."""
