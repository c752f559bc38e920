"""Leads of a form: the walk through their list, and each as a record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from connectors.meta.graph import FIELDS, PAGE, Form, Graph, emptied, next_of
from syncd.connector import Record, Reject, Session
from syncd.connector.tools import UNREADABLE, Edge, Horizon, check_not_repeated, instant, json_of, key_of

_TEST = "<test lead:"
"""How every text answer of the Lead Ads Testing Tool begins [M]."""


def turned(forms: list[Form], last: str) -> list[Form]:
    """The forms, from the one after `last` on: those that had to wait come first."""
    place = next((number for number, one in enumerate(forms, start=1) if one.id == last), 0)
    return forms[place:] + forms[:place]


def walk(
    graph: Graph, session: Session, form: Form, edge: Edge, horizon: Horizon
) -> Iterator[tuple[list[Record | Reject], bool]]:
    """The new leads of a form, page by page, and whether that was the end. Only then is `edge` where the form stands."""
    since = edge.since(session)
    params = {"fields": ",".join(FIELDS), "limit": str(min(session.page_size_records, PAGE))}
    if since is not None:
        # The bound excludes, to the second.
        bound = {"field": "time_created", "operator": "GREATER_THAN", "value": int(since.timestamp()) - 1}
        params["filtering"] = msgspec.json.encode([bound]).decode()
    elif form.expired_leads_count:
        graph.notice(f"{form.expired_leads_count} leads of form {form.id} were older than 90 days and are gone.")
    tokens: set[str] = set()
    count = tests = 0
    while True:
        reply = graph.leads(form.id, params)
        horizon.see(reply)
        leads = [made(raw, reply.received_at) for raw in reply.value.data]
        count += len(leads)
        tests += leads.count(None)
        after = next_of(reply, reply.value.paging)
        if not after and since is None and not count and form.readable_count > 0:
            raise emptied(form)
        if not after and tests:
            graph.notice(f"{tests} test leads of form {form.id} were left out.")
        # Oldest first within a page: so the edge of the pull before still counts when what was given then comes along.
        yield [one for one in reversed(leads) if one is not None and _is_news(one, edge, horizon)], not after
        if not after:
            return
        check_not_repeated("Meta", tokens, after, reply)
        params = {**params, "after": after}


def _is_news(one: Record | Reject, edge: Edge, horizon: Horizon) -> bool:
    """Whether it is settled and was not given before; what is too fresh is read by the next pull."""
    if isinstance(one, Reject) or one.source_at is None:
        return True
    return one.source_at <= horizon.end and edge.is_news(one)


class _Lead(msgspec.Struct):
    """Only what the walk needs of a lead."""

    id: str | int | None = None
    created_time: str | None = None
    form_id: str | int | None = None


def made(raw: msgspec.Raw, received_at: datetime) -> Record | Reject | None:
    """One lead as a record of the asked fields, its time never in the future; None for a test lead."""
    try:
        document = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return Reject("", "not_an_object", "A lead is no object.", bytes(raw))
    payload = json_of(document, FIELDS)
    try:
        lead = msgspec.json.decode(payload, type=_Lead)
    except UNREADABLE:
        return Reject("", "odd_lead", "A lead is not of the shape that Meta documents.", bytes(raw))
    key = key_of(lead.id)
    if not key:
        return Reject("", "no_id", "A lead has no id.", bytes(raw))
    if _is_test(document.get("field_data")):
        return None
    at = instant(lead.created_time)
    return Record(key, payload, min(at, received_at) if at else None, 0, f"lead {key} of form {key_of(lead.form_id)}")


def _is_test(answers: msgspec.Raw | None) -> bool:
    """Whether the Lead Ads Testing Tool made it: its answers say so."""
    try:
        found = msgspec.json.decode(answers) if answers is not None else None
    except UNREADABLE:
        return False
    values = [one.get("values") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return any(isinstance(one, str) and one.startswith(_TEST) for many in values if isinstance(many, list) for one in many)
