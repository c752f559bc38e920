"""Google Forms: forms, their responses, and people who edit them (reference, sources.md 6).

Behaves as its API: responses in no order, a page token that goes with one filter only, times to the nanosecond, `{}` for nothing, an
edited response that keeps its id.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.message import Request, Response
from syncd.sandbox.vendor import route
from syncd.sandbox.vendors.google import GoogleVendor
from syncd.sandbox.visitors import Visitor

_RESPONSES = "https://www.googleapis.com/auth/forms.responses.readonly"
_BODY = "https://www.googleapis.com/auth/forms.body.readonly"
SURVEY = "1SandboxForm0123456789abcdefghijklmnopqrstuv"
"""Id of the form of `populate`."""
_MOST = 5_000
_FILTER = re.compile(r"timestamp (>=|>) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)")


@dataclass
class _Given:
    """One response; times are texts with nine digits. `visible_at`: when the API begins to list it."""

    id: str
    created: str
    submitted: str
    answers: dict[str, Any]
    email: str = ""
    visible_at: datetime | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Form:
    titles: dict[str, str]
    responses: list[_Given] = field(default_factory=list)


class SandboxGoogleForms(GoogleVendor):
    """Forms of one Workspace.

    Attributes:
        private: Forms that are not shared with whoever logs in.
        delay_seconds: How long a fresh response is not listed yet.
        goes_in_circles: The same page token comes again.
    """

    name = "Google Forms"

    def __init__(self, **given: Any) -> None:
        """No forms."""
        super().__init__(**given)
        self.forms: dict[str, _Form] = {}
        self.private: set[str] = set()
        self.delay_seconds = 0.0
        self.goes_in_circles = False

    def source(self, url: str) -> dict[str, Any]:
        """Of the form that `populate` makes."""
        return {"type": "google_forms", **self.consent(url), "forms": [SURVEY], "mapping": "google_forms"}

    def populate(self, people: Sequence[Visitor]) -> None:
        """They answer the survey after a visit."""
        self.add_form(SURVEY, "Email", "First name", "Last name", "Company")
        for one in people:
            told = {"Email": one.email, "First name": one.first, "Last name": one.last, "Company": one.company}
            self.submit(SURVEY, told, at=one.at, email=one.email)

    # ------------------------------------------------------------------ people at work

    def add_form(self, form: str, *titles: str) -> None:
        """A form with these questions."""
        self.forms.setdefault(form, _Form({_question(title): title for title in titles}))

    def submit(
        self, form: str, answers: dict[str, Any], *, at: datetime | None = None, nanoseconds: int = 0, email: str = ""
    ) -> str:
        """Somebody fills in the form: answers by title, a list for several choices; gives the id of the response."""
        with self.lock:
            held = self.forms[form]
            for title in answers:
                held.titles.setdefault(_question(title), title)
            number = len(held.responses)
            key = hashlib.blake2b(f"{self.seed}/{form}/{number}".encode(), digest_size=20).hexdigest()
            when = _text(at or self.now(), nanoseconds)
            visible = self.now() + timedelta(seconds=self.delay_seconds) if self.delay_seconds else None
            given = {_question(title): value for title, value in answers.items()}
            held.responses.append(_Given(key, when, when, given, email, visible))
            return key

    def edit(self, form: str, key: str, answers: dict[str, Any], *, at: datetime | None = None) -> None:
        """The same person changes answers."""
        one = next(one for one in self.forms[form].responses if one.id == key)
        one.answers |= {_question(title): value for title, value in answers.items()}
        one.submitted = _text(at or self.now())

    def submit_odd(self, form: str, at: datetime) -> int:
        """Responses as no form should give them; gives how many."""
        odd: list[dict[str, Any]] = [
            {"answers": None, "respondentEmail": None, "totalScore": None, "createTime": None},
            {
                "answers": {"q": {"questionId": "q", "textAnswers": {"answers": [{"value": "x" * 10_000}, {"value": None}, 7]}}},
                "new": [1],
            },
            {"answers": {"q": {"hologram": {}}, "p": None}, "respondentEmail": "ünïcode-\u202e-😀@example.com"},
            {"lastSubmittedTime": "2026-11-24T08:59:00"},
            {"responseId": None},
        ]
        for number, more in enumerate(odd):
            when = _text(at + timedelta(seconds=number))
            self.forms[form].responses.append(_Given(f"odd{number}", when, when, {}, more=more))
        return len(odd)

    # ------------------------------------------------------------------ the API

    @route("GET", "/v1/forms/*")
    def form(self, request: Request, form: str) -> Response:
        """A form's questions."""
        refused = self._refused(request, form, _BODY)
        if refused is not None:
            return refused
        items = [
            {"itemId": f"i{question}", "title": title, "questionItem": {"question": {"questionId": question, "textQuestion": {}}}}
            for question, title in self.forms[form].titles.items()
        ]
        rows = [{"questionId": "0000aaaa", "rowQuestion": {"title": "Monday"}}]
        grid = {"title": "When?", "questionGroupItem": {"questions": rows, "grid": {}}}
        return Response(200, {"items": [{"title": "A heading", "pageBreakItem": {}}, *items, grid]})

    @route("GET", "/v1/forms/*/responses")
    def responses(self, request: Request, form: str) -> Response:
        """A page of responses."""
        refused = self._refused(request, form, _RESPONSES)
        if refused is not None:
            return refused
        wanted = request.query.get("filter", "")
        parsed = _FILTER.fullmatch(wanted)
        size = int(request.query.get("pageSize") or _MOST)
        if (wanted and parsed is None) or not 0 < size <= _MOST:
            return self.said(400, "Request contains an invalid argument.")
        listed = [one for one in self.forms[form].responses if one.visible_at is None or one.visible_at <= self.now()]
        if parsed is not None:
            bound = _padded(parsed[2])
            listed = [one for one in listed if one.submitted > bound or (parsed[1] == ">=" and one.submitted == bound)]
        listed.sort(key=lambda one: hashlib.blake2b(one.id.encode(), digest_size=8).digest())
        place, _, filtered = request.query.get("pageToken", f"0|{wanted}").partition("|")
        if filtered != wanted:
            return self.said(400, "The page token goes with another filter.")
        begin = int(place)
        self.read_page("responses")
        page = listed[begin : begin + size]
        body: dict[str, Any] = {"responses": [self._shown(one) for one in page]} if page else {}
        if begin + size < len(listed) or (self.goes_in_circles and listed):
            body["nextPageToken"] = f"{0 if self.goes_in_circles else begin + size}|{wanted}"
        return Response(200, body)

    def _refused(self, request: Request, form: str, scope: str) -> Response | None:
        if not self.may(request, scope):
            return self.said(403, "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
        if form not in self.forms:
            return self.said(404, "Requested entity was not found.")
        return self.said(403, "The caller does not have permission") if form in self.private else None

    @staticmethod
    def _shown(one: _Given) -> dict[str, Any]:
        answers = {
            question: {
                "questionId": question,
                "textAnswers": {"answers": [{"value": text} for text in (value if isinstance(value, list) else [value])]},
            }
            for question, value in one.answers.items()
        }
        # As Google writes them: no more digits than are needed, in threes.
        shown: dict[str, Any] = {
            "responseId": one.id,
            "createTime": _short(one.created),
            "lastSubmittedTime": _short(one.submitted),
        }
        if one.email:
            shown["respondentEmail"] = one.email
        return {**shown, "answers": answers, **one.more}

    # ------------------------------------------------------------------ beside

    def do_submit(self, form: str, answers: dict[str, Any], email: str = "") -> dict[str, Any]:
        """Control call `submit`."""
        self.add_form(form)
        return {"id": self.submit(form, answers, email=email)}

    def state(self) -> dict[str, Any]:
        """Responses by form."""
        return {"responses": {form: len(held.responses) for form, held in self.forms.items()}}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Responses, newest first."""
        rows = sorted(
            ((one.submitted, form, one) for form, held in self.forms.items() for one in held.responses), key=lambda row: row[0]
        )
        return ("Form", "Submitted", "Answers"), (
            (form, at, "; ".join(str(value) for value in one.answers.values())) for at, form, one in reversed(rows)
        )


def _question(title: str) -> str:
    return hashlib.blake2b(title.encode(), digest_size=4).hexdigest()


def _text(at: datetime, nanoseconds: int = 0) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond * 1000 + nanoseconds:09d}Z"


def _padded(text: str) -> str:
    seconds, _, fraction = text.rstrip("Z").partition(".")
    return f"{seconds}.{fraction:0<9}Z"


def _short(text: str) -> str:
    seconds, _, fraction = text.rstrip("Z").partition(".")
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"


SANDBOX = SandboxGoogleForms
