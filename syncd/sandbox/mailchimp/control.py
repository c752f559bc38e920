"""What the sandbox offers beside Mailchimp's own API: a page for people, and `/sandbox/...` for tests and tutorials. Never counted."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import Any

from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.mailchimp.audience import Audience
from syncd.sandbox.mailchimp.member import STATUSES, shown
from syncd.sandbox.message import Request, Response
from syncd.sandbox.values import CallRefusal

_HEADS = ("E-mail", "Name", "Company", "Status", "Tags", "Source", "Opted in", "Last changed")
_ROWS = 500
_INSTANTS = ("at", "start", "timestamp_opt", "timestamp_signup")


def handle(mailchimp: SandboxMailchimp, request: Request) -> Response:
    """Answer a page or a control call; a call that makes no sense is 400 with `error` and `message`."""
    verb = request.path.removeprefix("/sandbox/")
    if verb == request.path:
        return _page(mailchimp)
    try:
        body = dict(request.json() or {})
        for name in _INSTANTS:
            if isinstance(body.get(name), str):
                body[name] = datetime.fromisoformat(body[name])
        with mailchimp.lock:
            return Response(200, _act(mailchimp, verb, body))
    except CallRefusal as refusal:
        return Response(400, {"error": refusal.code, "message": refusal.message})
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:
        return Response(400, {"error": "BAD_REQUEST", "message": f"{type(wrong).__name__}: {wrong}"})


def _act(mailchimp: SandboxMailchimp, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    if verb == "state":
        found = {one.list_id: {name: one.count(name) for name in STATUSES if name} for one in mailchimp.audiences.values()}
        counts = {"calls": mailchimp.call_count, "open_now": mailchimp.open_now, "most_open": mailchimp.most_open}
        return {**counts, "members": found, "faults": mailchimp.faults.hits}
    if verb == "put":
        return {"contact_id": mailchimp.put(**body)}
    if verb == "marketing":
        return {name: [_told(one) for one in getattr(mailchimp.marketing, name)] for name in ("entries", "events", "mails")}
    if verb == "journey":
        mailchimp.marketing.add_journey(int(body["journey_id"]), body["list_id"], *map(int, body["steps"]))
        return {"ok": True}
    if verb == "faults":
        if body.get("clear"):
            mailchimp.faults.clear()
        else:
            mailchimp.faults.add(body.pop("kind"), **body)
        return {"ok": True}
    acts: dict[str, Callable[..., None]] = {
        "audience": mailchimp.add_audience,
        "populate": mailchimp.populate,
        "change_email": mailchimp.change_email,
        "archive": mailchimp.archive,
        "unsubscribe": mailchimp.unsubscribe,
        "clean": mailchimp.clean,
        "delete": mailchimp.delete_permanently,
    }
    acts[verb](**body)
    return {"ok": True}


def _told(one: Any) -> dict[str, Any]:
    """An entry, event or mail as JSON."""
    return {**asdict(one), "at": one.at.isoformat(timespec="seconds")}


def _page(mailchimp: SandboxMailchimp) -> Response:
    """Every audience with its first members."""
    with mailchimp.lock:
        tables = "".join(_table(one) for one in mailchimp.audiences.values())
    style = (
        "body{font:14px/1.4 system-ui;margin:2rem auto;max-width:90rem;padding:0 1rem}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    )
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox Mailchimp</title><style>{style}</style>'
    body = f"<h1>Sandbox Mailchimp</h1><p>{mailchimp.call_count} API calls.</p>{tables or '<p>No audiences.</p>'}</html>"
    return Response(200, (head + body).encode(), {"Content-Type": "text/html; charset=utf-8"})


def _table(audience: Audience) -> str:
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    rows = []
    for one in islice(audience, _ROWS):
        name = f"{one.merge_fields.get('FNAME', '')} {one.merge_fields.get('LNAME', '')}"
        stamps = shown(one.opted), shown(one.changed)
        cells = (one.email, name, one.merge_fields.get("COMPANY", ""), one.status, ", ".join(one.tags), one.source, *stamps)
        rows.append("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>")
    counts = ", ".join(f"{audience.count(name)} {name}" for name in STATUSES if name and audience.count(name)) or "nobody"
    title = f"<h2>{html.escape(audience.name)} ({html.escape(audience.list_id)})</h2><p>{counts}.</p>"
    return f"{title}<table><tr>{heads}</tr>{''.join(rows)}</table>"
