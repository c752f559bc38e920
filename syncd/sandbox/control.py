"""What the sandbox offers beside Salesforce's own API: a page for people, and `/sandbox/...` for tests and tutorials. Never counted."""

from __future__ import annotations

import html
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from syncd.sandbox.conditions import bind, fold
from syncd.sandbox.message import Request, Response
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.soql import QueryError, parse
from syncd.sandbox.values import CallRefusal, Refusal, as_json

_SHOWN = ("FirstName", "LastName", "Company", "Email", "Phone", "Title", "Status", "HasOptedOutOfEmail")
_EDITABLE = ("FirstName", "LastName", "Company", "Email", "Phone", "Title", "Status")
_HEADS = {"FirstName": "First", "LastName": "Last", "HasOptedOutOfEmail": "Opted out"}
_ROWS = 500


def is_mine(request: Request) -> bool:
    """Whether a request is for the sandbox itself."""
    return request.path == "/" or request.path.startswith("/sandbox/")


def handle(org: SandboxOrg, request: Request) -> Response:
    """Answer a page or a control call; a refusal is 400 with the org's code."""
    try:
        with org.lock:
            if request.path == "/":
                return _page(org)
            if request.path.startswith("/sandbox/lead/"):
                return _form(org, request, request.path.rsplit("/", 1)[1])
            return Response(200, _act(org, request.path.removeprefix("/sandbox/"), request))
    except (Refusal, CallRefusal) as refusal:
        return Response(400, {"error": refusal.code, "message": refusal.message})
    except QueryError as wrong:
        return Response(400, {"error": wrong.code, "message": str(wrong)})
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:
        return Response(400, {"error": "BAD_REQUEST", "message": f"{type(wrong).__name__}: {wrong}"})


def _act(org: SandboxOrg, verb: str, request: Request) -> Any:
    if verb == "state":
        living = {name: sum(not row["IsDeleted"] for row in org.rows(name)) for name in ("Lead", "Contact")}
        runs = sum(org.assignment_runs.values())
        return {"api_calls": org.api_calls, "records": living, "faults": org.faults.hits, "assignment_runs": runs}
    if verb == "records":
        return [{name: as_json(value) for name, value in row.items()} for row in org.rows(request.query.get("object", "Lead"))]
    if verb == "audit":
        return [
            {**asdict(one), "at": as_json(one.at), "before": _shown(one.before), "after": _shown(one.after)} for one in org.audit
        ]
    body = request.json() or {}
    user = body.get("user", "rep1")
    if verb == "create":
        return {"id": org.create(body.get("object", "Lead"), body["fields"], user=user)}
    if verb == "faults":
        if body.get("clear"):
            org.faults.clear()
        else:
            org.faults.add(body.pop("kind"), **body)
        return {"ok": True}
    if verb == "convert":
        options = {name: str(body[name]) for name in ("contact_id", "account_id", "opportunity_name", "status") if name in body}
        return {"contact_id": org.convert(body["id"], **options, user=user)}
    if verb == "rule":
        _rule(org, body)
        return {"ok": True}
    acts = {
        "edit": lambda: org.edit(body["id"], body["fields"], user=user),
        "delete": lambda: org.delete(body["id"], user=user),
        "undelete": lambda: org.undelete(body["id"], user=user),
        "merge": lambda: org.merge(body["master"], body["victims"], user=user),
        "purge": lambda: org.purge(body["id"]),
        "settle": org.settle,
        "expire": org.expire_tokens,
    }
    acts[verb]()
    return {"ok": True}


def _rule(org: SandboxOrg, body: dict[str, Any]) -> None:
    """An admin's rule, as JSON.

    `{"where": "City = 'Atlantis'", "message": "..."}`: a validation rule, by default on Lead (`object`).
    `{"duplicate": ["Email"], "action": "alert"}`: new leads that agree in those fields with a living one are duplicates.
    `{"hide": ["DoNotCall"]}`: fields that the integration user may not see. `{"clear": true}`: none of all these.
    """
    if body.get("clear"):
        org.rules_of.clear()
        org.duplicate_rule = None
        org.hidden.clear()
    elif "where" in body:
        name, message = body.get("object", "Lead"), str(body.get("message", "refused by a rule"))
        condition = parse(f"SELECT Id FROM {name} WHERE {body['where']}").where  # noqa: S608 - the sandbox's own query language
        test = bind(condition, org.objects[name], frozenset()).test
        org.rules_of.setdefault(name, []).append(lambda _, row: message if test(row) else None)
    elif "duplicate" in body:
        fields = [org.objects["Lead"].fields[str(name)].name for name in body["duplicate"]]
        org.duplicate_action = str(body.get("action", "alert"))
        org.duplicate_rule = lambda org, row: [
            one["Id"]
            for one in org.table("Lead").rows.values()
            if not one["IsDeleted"] and all(row.get(name) and fold(row[name]) == fold(one.get(name)) for name in fields)
        ]
    else:
        org.hidden |= {str(name) for name in body["hide"]}


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in values.items()}


def _page(org: SandboxOrg) -> Response:
    """The leads, newest first, each with a way to edit it as a rep."""
    leads = sorted((row for row in org.rows("Lead") if not row["IsDeleted"]), key=lambda row: row["CreatedDate"], reverse=True)
    head = "".join(f"<th>{html.escape(_HEADS.get(name, name))}</th>" for name in _SHOWN)
    rows = "".join(
        f'<tr><td><a href="/sandbox/lead/{row["Id"]}">edit</a></td>'
        + "".join(f"<td>{html.escape(_cell(row.get(name)))}</td>" for name in _SHOWN)
        + "</tr>"
        for row in leads[:_ROWS]
    )
    return _html(
        f"<h1>Sandbox org</h1><p>{len(leads)} leads, {org.api_calls} API calls.</p><table><tr><th></th>{head}</tr>{rows}</table>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)


def _form(org: SandboxOrg, request: Request, sf_id: str) -> Response:
    row = org.row(sf_id)
    if row is None:
        return Response(404, b"<p>No such lead.</p>", {"Content-Type": "text/html"})
    if request.method == "POST":
        form = {name: values[-1] for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()}
        # A checkbox that is off is not sent at all; every form of this page has one.
        changed: dict[str, Any] = {
            name: form[name] for name in _EDITABLE if name in form and form[name] != str(row.get(name) or "")
        }
        if "form" in form and ("HasOptedOutOfEmail" in form) != row["HasOptedOutOfEmail"]:
            changed["HasOptedOutOfEmail"] = "HasOptedOutOfEmail" in form
        try:
            org.edit(sf_id, changed)
        except (Refusal, CallRefusal) as refusal:
            return _html(f'<h1>Not saved</h1><p>{html.escape(refusal.message)}</p><a href="/sandbox/lead/{row["Id"]}">back</a>')
        return Response(303, b"", {"Location": "/", "Content-Type": "text/html"})
    fields = "".join(
        f'<label>{name} <input name="{name}" value="{html.escape(str(row.get(name) or ""), quote=True)}"></label>'
        for name in _EDITABLE
    )
    checked = " checked" if row["HasOptedOutOfEmail"] else ""
    fields += f'<label>Opted out of e-mail <input type="checkbox" name="HasOptedOutOfEmail"{checked}></label>'
    fields += '<input type="hidden" name="form" value="1">'
    return _html(f'<h1>Edit as rep1</h1><form method="post">{fields}<button>Save</button> <a href="/">back</a></form>')


def _html(body: str) -> Response:
    style = (
        "body{font:14px/1.4 system-ui;margin:2rem auto;max-width:90rem;padding:0 1rem}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}label{display:block;margin:.5rem 0}input:not([type=checkbox]){width:24rem}"
    )
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox org</title><style>{style}</style>{body}</html>'
    return Response(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
