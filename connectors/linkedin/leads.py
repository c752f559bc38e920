"""LinkedIn's leads: the walk through a window of them, and each as a record whose answers are joined with their questions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from connectors.linkedin.api import Api
from connectors.linkedin.options import Spot
from syncd.connector import Record, Reject, Reply
from syncd.connector.tools import UNREADABLE, Horizon, at_path, instant, key_of
from syncd.errors import SourceUnavailableError

_WALKS = 3
"""How often a list that loses leads while it is read is read anew."""
_KEPT = (
    "id", "leadType", "submittedAt", "owner", "ownerInfo", "versionedLeadGenFormUrn", "associatedEntity", "associatedEntityInfo",
    "leadMetadata", "leadMetadataInfo", "formResponse",
)  # fmt: skip
_KEPT_OF_FORM = ("id", "name", "creationLocale", "hiddenFields")

Found = Record | Reject | None
"""A lead; None for a test."""


def walk(api: Api, spot: Spot, window: tuple[int, int], size: int, horizon: Horizon) -> Iterator[tuple[list[Found], bool]]:
    """The leads of a window, page by page, each once, and whether that was the end.

    Their order is not documented. A page may be short; the end is where `total` says, or without it an empty page. When the total
    shrinks in the middle of the walk leads have moved forward, past the place where it stands: it begins anew.
    """
    given: set[bytes] = set()
    for _ in range(_WALKS):
        start = most = 0
        walked: set[bytes] = set()
        while True:
            reply = api.leads(spot, window, start, size)
            horizon.see(reply)
            total, elements = reply.value.paging.total, reply.value.elements
            marks = [hashlib.blake2b(raw, digest_size=12).digest() for raw in elements]
            if total is not None and total < most:
                break
            if marks and walked.issuperset(marks):
                raise _unsteady(spot, "gave a page that does not go on from the one before", reply)
            most = max(most, total or 0)
            start += len(elements)
            is_end = start == total or not elements
            fresh = [raw for raw, mark in zip(elements, marks, strict=True) if mark not in given]
            walked.update(marks)
            given.update(marks)
            yield [made(raw, reply.received_at) for raw in fresh], is_end
            if is_end:
                return
    raise _unsteady(spot, f"lost leads while they were read, {_WALKS} times", reply)


def _unsteady(spot: Spot, what: str, reply: Reply[Any]) -> SourceUnavailableError:
    advice = "It is tried again with the next run; the page is kept."
    return SourceUnavailableError(f"LinkedIn's list of {spot.name} {what}.", advice=advice, page=reply.body)


class _Lead(msgspec.Struct):
    """Only what the walk needs of a lead."""

    id: str | int | None = None
    submittedAt: int | None = None  # noqa: N815 - LinkedIn's name
    testLead: bool | None = None  # noqa: N815


def made(raw: msgspec.Raw, received_at: datetime) -> Found:
    """One lead as a record, its time never in the future; None for a test lead.

    Beside what LinkedIn gives stand `submitted_at` (ISO), `answers` and `consents` with the words of the form, and `hidden` by name;
    of the form's own content only that is kept.
    """
    try:
        document = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        lead = msgspec.json.decode(raw, type=_Lead)
    except UNREADABLE:
        return Reject("", "odd_lead", "A lead is not of the shape that LinkedIn documents.", bytes(raw))
    key = key_of(lead.id)
    if not key:
        return Reject("", "no_id", "A lead has no id.", bytes(raw))
    if lead.testLead:
        return None
    at = instant(lead.submittedAt / 1000) if lead.submittedAt is not None else None
    payload = msgspec.json.encode(
        {
            **{name: document[name] for name in _KEPT if name in document},
            "submitted_at": at.isoformat() if at else None,
            **_joined(document.get("formResponse"), document.get("form")),
        }
    )
    return Record(key, payload, min(at, received_at) if at else None, 0, f"lead {key}")


def _joined(response: msgspec.Raw | None, form: msgspec.Raw | None) -> dict[str, Any]:
    """Answers, consents and hidden fields with the names and words that the form gives them; what fits nothing keeps its number."""
    answered, asked = _decoded(response), _decoded(form)
    locale = f"{at_path(asked, 'creationLocale.language')}_{at_path(asked, 'creationLocale.country')}"
    questions = {key_of(one.get("questionId")): one for one in _members(at_path(asked, "content.questions"))}
    boxes = {key_of(one.get("id")): one for one in _members(at_path(asked, "content.legalInfo.consents"))}
    answers = []
    for one in _members(at_path(answered, "answers")):
        question = questions.get(key_of(one.get("questionId")), {})
        values = _values(one.get("answerDetails"), question, locale)
        names = {"questionId": one.get("questionId"), "field": question.get("predefinedField"), "name": question.get("name")}
        said = {"question": _said(question.get("question"), locale), "value": values[0] if values else None, "values": values}
        answers.append({**names, **said})
    consents = [
        {
            "id": one.get("consentId"),
            "accepted": one.get("accepted"),
            "text": _said(at_path(boxes.get(key_of(one.get("consentId"))), "consent"), locale),
        }
        for one in _members(at_path(answered, "consentResponses"))
    ]
    hidden = {
        one["name"]: one.get("value") for one in _members(at_path(asked, "hiddenFields")) if isinstance(one.get("name"), str)
    }
    kept = {name: asked[name] for name in _KEPT_OF_FORM if name in asked} if isinstance(asked, dict) else None
    return {"form": kept, "answers": answers, "hidden": hidden, "consents": consents}


def _values(details: Any, question: dict[str, Any], locale: str) -> list[str]:
    """The texts of an answer; of a multiple choice those of the chosen options [M on the shape], by number where the form has none."""
    text = at_path(details, "textQuestionAnswer.answer")
    if isinstance(text, str):
        return [text]
    chosen = at_path(details, "multipleChoiceAnswer.options")
    known = _members(at_path(question, "questionDetails.multipleChoiceQuestionDetails.options"))
    labels = {key_of(one.get("id")): _said(one.get("text"), locale) or one.get("label") for one in known}
    numbers = [key_of(one) for one in chosen] if isinstance(chosen, list) else []
    return [str(labels.get(one) or one) for one in numbers if one]


def _said(words: Any, locale: str) -> str | None:
    """A text in the language that the form was made in, else in any."""
    by_locale = at_path(words, "localized")
    if not isinstance(by_locale, dict):
        return None
    found = [by_locale.get(locale), *by_locale.values()]
    return next((one for one in found if isinstance(one, str) and one), None)


def _decoded(raw: msgspec.Raw | None) -> Any:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def _members(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
