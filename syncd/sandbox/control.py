"""What the sandbox offers beside Salesforce's own API: a page for people, and `/sandbox/...` for tests and tutorials. Never counted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from msgspec.structs import asdict

from syncd.sandbox import page
from syncd.sandbox.conditions import bind, fold
from syncd.sandbox.message import Request, Response
from syncd.sandbox.org import DuplicateRule, SandboxOrg
from syncd.sandbox.soql import QueryError, parse
from syncd.sandbox.values import CallRefusal, Refusal, as_json

_COUNTED = ("Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Task", "Event")
_CONVERT = ("contact_id", "account_id", "opportunity_name", "opportunity_id", "status", "owner_id")


def is_mine(request: Request) -> bool:
    """Whether a request is for the sandbox itself."""
    return request.path == "/" or request.path.startswith("/sandbox/")


def handle(org: SandboxOrg, request: Request) -> Response:
    """Answer a page or a control call; a refusal is 400 with the org's code."""
    try:
        with org.lock:
            if request.path == "/":
                return page.show(org)
            if request.path.startswith("/sandbox/lead/"):
                return page.form(org, request, request.path.rsplit("/", 1)[1])
            return Response(200, _act(org, request.path.removeprefix("/sandbox/"), request))
    except (Refusal, CallRefusal) as refusal:
        return Response(400, {"error": refusal.code, "message": refusal.message})
    except QueryError as wrong:
        return Response(400, {"error": wrong.code, "message": str(wrong)})
    except (AttributeError, KeyError, TypeError, ValueError) as wrong:
        return Response(400, {"error": "BAD_REQUEST", "message": f"{type(wrong).__name__}: {wrong}"})


def _act(org: SandboxOrg, verb: str, request: Request) -> Any:
    if verb == "state":
        living = {name: sum(not row["IsDeleted"] for row in org.rows(name)) for name in _COUNTED}
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
        options = {name: str(body[name]) for name in _CONVERT if name in body}
        return {"contact_id": org.convert(body["id"], **options, user=user)}
    if verb == "rule":
        _rule(org, body)
        return {"ok": True}
    if verb == "admin":
        return {"ok": True, "id": _admin(org, body)}
    rep = org.as_user(user)
    if verb == "schedule_event":
        starts_at = datetime.fromisoformat(body["starts_at"])
        sf_id = rep.schedule_event(body["who"], body.get("subject", ""), starts_at=starts_at, minutes=body.get("minutes", 30))
        return {"id": sf_id}
    acts: dict[str, Callable[[], object]] = {
        "complete_task": lambda: rep.complete_task(body["id"], on=_day(body.get("on"))),
        "move_stage": lambda: rep.move_stage(body["id"], body["stage"]),
        "hold": lambda: rep.hold(body["id"], _day(body.get("until"))),
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


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _admin(org: SandboxOrg, body: dict[str, Any]) -> str | None:
    """What an admin does to the set-up, as `{"do": "delete_status", "name": "..."}`; gives an id where something is made."""
    admin = org.admin
    acts: dict[str, Callable[[], str | None]] = {
        "add_status": lambda: admin.add_status(body["name"], is_converted=bool(body.get("is_converted"))),
        "delete_status": lambda: admin.delete_status(body["name"], moved_to=body.get("moved_to", "")),
        "set_default_status": lambda: admin.set_default_status(body["name"]),
        "set_stage_active": lambda: admin.set_stage_active(body["name"], is_active=bool(body["is_active"])),
        "add_user": lambda: admin.add_user(body["user"]),
        "set_user_active": lambda: admin.set_user_active(body["user"], is_active=bool(body["is_active"])),
        "add_queue": lambda: org.add_queue(body["name"]),
        "rename_queue": lambda: admin.rename_queue(body["id"], body["name"]),
        "stop_queue": lambda: admin.stop_queue(body["id"]),
        "set_members": lambda: admin.set_members(body["id"], body["users"]),
        "allow_converting": lambda: admin.allow_converting(is_allowed=bool(body["is_allowed"])),
        "add_record_type": lambda: admin.add_record_type(body["object"], body["name"], process=body.get("process", ())),
        "set_process": lambda: admin.set_process(body["id"], body["process"]),
        "allow_record_type": lambda: admin.allow_record_type(
            body["id"], is_allowed=bool(body.get("is_allowed", True)), is_default=bool(body.get("is_default"))
        ),
        "use_currencies": lambda: admin.use_currencies(*body["codes"]),
        "map_lead_field": lambda: admin.map_lead_field(body["field"], *body["targets"]),
    }
    return acts[body["do"]]()


def _rule(org: SandboxOrg, body: dict[str, Any]) -> None:
    """An admin's rule, as JSON.

    Where an object matters it is Lead, or the one named by `object`.
    `{"where": "City = 'Atlantis'", "message": "..."}`: a validation rule.
    `{"duplicate": ["Email"], "action": "alert"}`: new records that agree in those fields with a living one are duplicates.
    `{"hide": ["DoNotCall"]}`: fields that the integration user may not see. `{"clear": true}`: none of all these.
    """
    if body.get("clear"):
        org.rules_of.clear()
        org.duplicate_rule = None
        org.duplicate_rules.clear()
        org.hidden.clear()
    elif "where" in body:
        name, message = body.get("object", "Lead"), str(body.get("message", "refused by a rule"))
        condition = parse(f"SELECT Id FROM {name} WHERE {body['where']}").where  # noqa: S608 - the sandbox's own query language
        test = bind(condition, org.objects[name], frozenset()).test
        org.rules_of.setdefault(name, []).append(lambda _, row: message if test(row) else None)
    elif "duplicate" in body:
        name = str(body.get("object", "Lead"))
        fields = [org.objects[name].fields[str(one)].name for one in body["duplicate"]]
        org.duplicate_action = str(body.get("action", "alert"))
        matches: DuplicateRule = lambda org, row: [  # noqa: E731 - one of two places takes it
            one["Id"]
            for one in org.table(name).rows.values()
            if not one["IsDeleted"] and all(row.get(key) and fold(row[key]) == fold(one.get(key)) for key in fields)
        ]
        if name == "Lead":
            org.duplicate_rule = matches
        else:
            org.duplicate_rules[name] = matches
    else:
        org.hidden |= {str(name) for name in body["hide"]}


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in values.items()}
