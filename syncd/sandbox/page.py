"""The org's page for people: the leads with a form to edit each as a rep, and what hangs on them."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import parse_qs

from syncd.sandbox.message import Request, Response
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.values import CallRefusal, Refusal

_LEAD = ("FirstName", "LastName", "Company", "Email", "Phone", "Title", "Status", "HasOptedOutOfEmail")
_EDITABLE = ("FirstName", "LastName", "Company", "Email", "Phone", "Title", "Status")
_OTHERS = {
    "Contact": ("Contacts", ("Name", "Email", "Title", "AccountId", "HasOptedOutOfEmail")),
    "Account": ("Accounts", ("Name", "Website", "Industry", "Type", "NumberOfEmployees")),
    "Opportunity": ("Opportunities", ("Name", "StageName", "Amount", "CloseDate", "AccountId", "IsWon")),
    "Task": ("Tasks", ("Subject", "Status", "ActivityDate", "WhoId", "OwnerId")),
    "Event": ("Events", ("Subject", "StartDateTime", "WhoId", "OwnerId")),
}
_HEADS = {
    "FirstName": "First",
    "LastName": "Last",
    "HasOptedOutOfEmail": "Opted out",
    "NumberOfEmployees": "Employees",
    "StageName": "Stage",
    "CloseDate": "Closes on",
    "IsWon": "Won",
    "ActivityDate": "On",
    "StartDateTime": "At",
    "AccountId": "Account",
    "WhoId": "With",
    "OwnerId": "Owner",
}
_ROWS = 500


def show(org: SandboxOrg) -> Response:
    """The leads, newest first, each with a way to edit it as a rep; below them every other kind of record that there is."""
    leads = _newest(org, "Lead")
    sections = [
        f"<h1>Sandbox org</h1><p>{len(leads)} leads, {org.api_calls} API calls.</p>",
        _table(org, leads, _LEAD, edit=True),
    ]
    for name, (title, columns) in _OTHERS.items():
        rows = _newest(org, name)
        if rows:
            sections.append(f"<h2>{title}</h2><p>{len(rows)}</p>{_table(org, rows, columns, edit=False)}")
    return _html("".join(sections))


def _newest(org: SandboxOrg, name: str) -> list[dict[str, Any]]:
    living = (row for row in org.rows(name) if not row["IsDeleted"])
    return sorted(living, key=lambda row: row["CreatedDate"], reverse=True)


def _table(org: SandboxOrg, rows: list[dict[str, Any]], columns: tuple[str, ...], *, edit: bool) -> str:
    head = "".join(f"<th>{html.escape(_HEADS.get(name, name))}</th>" for name in columns)
    body = "".join(
        "<tr>"
        + (f'<td><a href="/sandbox/lead/{row["Id"]}">edit</a></td>' if edit else "")
        + "".join(f"<td>{html.escape(_cell(org, row.get(name)))}</td>" for name in columns)
        + "</tr>"
        for row in rows[:_ROWS]
    )
    return f"<table><tr>{'<th></th>' if edit else ''}{head}</tr>{body}</table>"


def _cell(org: SandboxOrg, value: Any) -> str:
    """A value as a person reads it; an id as the name of its record."""
    if isinstance(value, bool):
        return "yes" if value else ""
    found = org.find(value) if isinstance(value, str) and len(value) == 18 else None
    return str((found[1].get("Name") if found else None) or ("" if value is None else value))


def form(org: SandboxOrg, request: Request, sf_id: str) -> Response:
    """The form of one lead, or what came of sending it."""
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
