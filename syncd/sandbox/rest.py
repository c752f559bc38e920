"""The org's REST face as a function from request to response; `server.py` puts it behind HTTPS, `adapter.py` into a requests session."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from syncd.sandbox import bulk, oauth
from syncd.sandbox.faults import Fault, Kind
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.queries import run_query, show_row
from syncd.sandbox.soql import QueryError
from syncd.sandbox.values import CallRefusal, Refusal, check_shape

_URI_BYTES = 16_384
_COLLECTION_ROWS = 200
_RETRIEVE_ROWS = 2_000
_VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*|$)")
_REFERENCE = re.compile(r"@\{([\w.]+)\}")


@dataclass
class Request:
    """One request; header names in lower case, `path` without the query."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, method: str, url: str, headers: dict[str, str], body: bytes) -> Request:
        """From a URL or a request target."""
        parts = urlsplit(url)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return cls(method.upper(), parts.path, query, {name.lower(): value for name, value in headers.items()}, body)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            CallRefusal: It is not.
        """
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            raise CallRefusal("JSON_PARSER_ERROR", "Unexpected character in the request body") from None


@dataclass
class Response:
    """One response. `transport`: `""` all well, `cut` the connection breaks, `late` the client gives up first, `half` the body is cut."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    transport: str = ""
    delay_seconds: float = 0.0

    @property
    def payload(self) -> bytes:
        """The body as bytes."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def handle(org: SandboxOrg, request: Request, *, is_counted: bool = True) -> Response:
    """Answer one request, faults included."""
    if request.path.startswith("/services/oauth2/token"):
        return oauth.token(org, request.headers, request.body)
    faults = org.faults.hit(request.method, request.path)
    kinds = {fault.kind: fault for fault in faults}
    delay = sum(fault.seconds for fault in faults if fault.kind is Kind.LATENCY)
    if is_counted:
        org.api_calls += 1
    _carry_out_late(org)
    early = _before(org, kinds, request)
    response = early if early is not None else _carry_out(org, request, kinds)
    response.delay_seconds = delay
    response.headers.setdefault("Sforce-Limit-Info", f"api-usage={org.api_calls}/{org.daily_limit}")
    response.headers.setdefault("Date", org.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
    if early is None:
        _after(kinds, response)
    return response


def _before(org: SandboxOrg, kinds: dict[Kind, Fault], request: Request) -> Response | None:
    """Faults that strike before anything is done."""
    html = {"Content-Type": "text/html"}
    for kind, fault in kinds.items():
        retry = {"Retry-After": str(int(fault.seconds))} if fault.seconds else {}
        if kind is Kind.UNAVAILABLE:
            return _fault(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable", retry)
        if kind is Kind.LIMIT:
            return _fault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if kind is Kind.THROTTLED:
            return Response(429, b"<html>Too many requests</html>", {**html, **retry})
        if kind is Kind.EXPIRED:
            org.tokens.discard(oauth.bearer(request.headers))
        if kind is Kind.ERROR:
            return _fault(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1-2")
        if kind is Kind.CUT_BEFORE:
            return Response(transport="cut")
        if kind is Kind.LATE:
            # The work is done `seconds` after the client has gone, whatever it does meanwhile.
            when = org.clock.now() + timedelta(seconds=fault.seconds)
            org.late.append((when, lambda: _carry_out(org, request, {})))
            return Response(transport="late")
        if kind is Kind.HTML_503:
            return Response(503, b"<html>Down for maintenance</html>", html)
    if org.api_calls > org.daily_limit:
        return _fault(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if oauth.bearer(request.headers) not in org.tokens:
        return _fault(401, "INVALID_SESSION_ID", "Session expired or invalid")
    return None


def _carry_out_late(org: SandboxOrg) -> None:
    """Do the work of requests whose clients gave up, once its time has come."""
    with org.lock:
        due = [one for one in org.late if one[0] <= org.clock.now()]
        org.late[:] = [one for one in org.late if one not in due]
    for _, act in due:
        act()


def _after(kinds: dict[Kind, Fault], response: Response) -> None:
    """Faults that strike when the work is done."""
    if Kind.CUT_AFTER in kinds:
        response.transport = "cut"
    elif Kind.CUT_BODY in kinds:
        response.transport = "half"
    elif Kind.HTML in kinds:
        response.status, response.body = 200, b"<html><body>Please wait</body></html>"
        response.headers["Content-Type"] = "text/html"


def _carry_out(org: SandboxOrg, request: Request, kinds: dict[Kind, Fault]) -> Response:
    if len(request.path) + sum(len(name) + len(value) for name, value in request.query.items()) > _URI_BYTES:
        return Response(414, b"<html>URI Too Long</html>", {"Content-Type": "text/html"})
    with org.lock:
        try:
            return _Call(org, request, kinds).answer()
        except CallRefusal as refusal:
            return _fault(refusal.status, refusal.code, refusal.message)
        except QueryError as wrong:
            return _fault(400, wrong.code, str(wrong))
        except Refusal as refusal:
            return Response(404 if refusal.code == "NOT_FOUND" else 400, [_error(refusal, "errorCode")])


def _fault(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(status, [{"message": message, "errorCode": code}], dict(headers or {}))


def _error(refusal: Refusal, key: str) -> dict[str, Any]:
    return {key: refusal.code, "message": refusal.message, "fields": refusal.fields, **refusal.extra}


class _Call:
    """One request to `/services/data/...`, inside the org's lock."""

    def __init__(self, org: SandboxOrg, request: Request, kinds: dict[Kind, Fault]) -> None:
        self._org = org
        self._request = request
        self._kinds = kinds
        wanted = request.headers
        self._headers = {
            name: wanted[name.lower()]
            for name in ("Sforce-Auto-Assign", "Sforce-Call-Options", "Sforce-Duplicate-Rule-Header")
            if name.lower() in wanted
        }

    def answer(self) -> Response:
        if self._request.path in ("/services/data", "/services/data/"):
            return Response(
                200, [{"label": "Summer", "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in range(58, 69)]
            )
        match = _VERSION.fullmatch(self._request.path)
        if match is None:
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        self._base = f"/services/data/v{match[1]}.0"
        parts = [unquote(part) for part in match[2].split("/") if part]
        routes: dict[str, Callable[[list[str]], Response]] = {
            "limits": self._limits,
            "query": self._query,
            "queryAll": self._query,
            "sobjects": self._sobjects,
            "composite": self._composite,
            "jobs": self._jobs,
        }
        if not parts or parts[0] not in routes:
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        return routes[parts[0]](parts)

    # ------------------------------------------------------------------ small resources

    def _limits(self, parts: list[str]) -> Response:
        del parts
        limit = self._org.daily_limit
        return Response(200, {"DailyApiRequests": {"Max": limit, "Remaining": max(limit - self._org.api_calls, 0)}})

    def _query(self, parts: list[str]) -> Response:
        with_deleted = parts[0] == "queryAll"
        locator = parts[1] if len(parts) > 1 else ""
        return Response(
            200,
            run_query(
                self._org, self._request.query.get("q", ""), locator, with_deleted=with_deleted, base=f"{self._base}/{parts[0]}"
            ),
        )

    def _jobs(self, parts: list[str]) -> Response:
        status, body, headers = bulk.answer(
            self._org, self._request.method, parts, self._request.query, self._request.body, self._base
        )
        return Response(status, body, headers)

    # ------------------------------------------------------------------ single records

    def _sobjects(self, parts: list[str]) -> Response:
        org, method = self._org, self._request.method
        if len(parts) == 1:
            return Response(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [{"name": name} for name in org.objects]})
        name = parts[1]
        described = org.objects.get(name)
        if described is None:
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        if len(parts) == 3 and parts[2] == "describe":
            return Response(200, described.describe(hidden=frozenset(org.hidden)))
        if len(parts) == 2 and method == "POST":
            sf_id = org.save(name, None, self._values(self._request.json()), user=self._user, headers=self._headers)
            return Response(201, {"id": sf_id, "success": True, "errors": []})
        if len(parts) == 3:
            return self._row(name, parts[2])
        if len(parts) == 4:
            return self._by_external_id(name, parts[2], parts[3])
        raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)

    @property
    def _user(self) -> str:
        return self._org.integration_user_id

    @staticmethod
    def _values(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise CallRefusal("JSON_PARSER_ERROR", "A record must be a JSON object")
        return {name: value for name, value in body.items() if name != "attributes"}

    def _row(self, name: str, sf_id: str) -> Response:
        org, method = self._org, self._request.method
        row = org.row(sf_id)
        if row is None:
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        if method == "GET":
            if row["IsDeleted"]:
                raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
            wanted = self._request.query.get("fields")
            return Response(
                200, show_row(org, name, row, wanted.split(",") if wanted else list(org.objects[name].fields), self._base)
            )
        if method == "DELETE":
            org.remove(row["Id"], user=self._user)
            return Response(204)
        org.save(name, row["Id"], self._values(self._request.json()), user=self._user, headers=self._headers)
        return Response(204)

    def _by_external_id(self, name: str, field_name: str, value: str) -> Response:
        org = self._org
        described = org.objects[name].fields.get(field_name)
        if described is None or not (described.external_id or described.id_lookup):
            raise CallRefusal("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field_name}", 404)
        found = [
            row
            for row in org.rows(name)
            if not row["IsDeleted"] and str(row.get(field_name) or "").casefold() == value.casefold()
        ]
        if len(found) > 1:
            return Response(300, [f"{self._base}/sobjects/{name}/{row['Id']}" for row in found])
        if self._request.method == "GET":
            if not found:
                raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
            return Response(200, show_row(org, name, found[0], list(org.objects[name].fields), self._base))
        values = self._values(self._request.json())
        if not found and self._request.query.get("updateOnly") == "true":
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        old = found[0]["Id"] if found else None
        sf_id = org.save(name, old, {**values, field_name: value}, user=self._user, headers=self._headers)
        return Response(200 if old else 201, {"id": sf_id, "success": True, "errors": [], "created": old is None})

    # ------------------------------------------------------------------ composite

    def _composite(self, parts: list[str]) -> Response:
        if len(parts) == 1:
            return self._subrequests()
        if parts[1] != "sobjects":
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        method = self._request.method
        if len(parts) == 3:
            return self._retrieve(parts[2])
        if method == "DELETE":
            ids = [one for one in self._request.query.get("ids", "").split(",") if one]
            return self._each([{"Id": one} for one in ids], lambda row: self._delete(str(row["Id"])))
        if len(parts) == 4:
            return self._upsert(parts[2], parts[3])
        return self._each(self._records(), self._create if method == "POST" else self._update)

    def _records(self) -> list[dict[str, Any]]:
        body = self._request.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            raise CallRefusal("JSON_PARSER_ERROR", "records must be a list of objects")
        if len(records) > _COLLECTION_ROWS:
            raise CallRefusal(
                "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {_COLLECTION_ROWS} records into this call"
            )
        return records

    def _each(self, records: list[dict[str, Any]], act: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
        """Each record by itself (allOrNone false); a poisonous one fails the whole call before anything is written."""
        poison = self._kinds.get(Kind.POISON)
        if poison and any(re.search(poison.rows, json.dumps(one)) for one in records):
            return _fault(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId: 1-2")
        for one in records:
            name = (one.get("attributes") or {}).get("type")
            if name is not None:
                if name not in self._org.objects:
                    raise CallRefusal("INVALID_TYPE", f"sObject type '{name}' is not supported.")
                values = {key: value for key, value in one.items() if key not in ("attributes", "Id", "id")}
                check_shape(self._org.objects[name], values, frozenset(self._org.hidden))
        lock = self._kinds.get(Kind.ROW_LOCK)
        answers = []
        for one in records:
            try:
                answers.append(act(one) if not (lock and re.search(lock.rows, json.dumps(one))) else _locked())
            except Refusal as refusal:
                answers.append({"success": False, "errors": [_error(refusal, "statusCode")]})
        return Response(200, answers)

    @staticmethod
    def _done(sf_id: str, **more: Any) -> dict[str, Any]:
        return {"id": sf_id, "success": True, "errors": [], **more}

    def _create(self, record: dict[str, Any]) -> dict[str, Any]:
        name = record.get("attributes", {}).get("type", "Lead")
        if "Id" in record or "id" in record:
            raise Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ["Id"])
        return self._done(self._org.save(name, None, self._values(record), user=self._user, headers=self._headers))

    def _update(self, record: dict[str, Any]) -> dict[str, Any]:
        values = self._values(record)
        sf_id = str(values.pop("Id", None) or values.pop("id", None) or "")
        row = self._org.row(sf_id) if sf_id else None
        if not sf_id:
            raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call")
        if row is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        name = record.get("attributes", {}).get("type", "Lead")
        return self._done(self._org.save(name, row["Id"], values, user=self._user, headers=self._headers))

    def _delete(self, sf_id: str) -> dict[str, Any]:
        row = self._org.row(sf_id)
        self._org.remove(sf_id, user=self._user)
        return self._done(row["Id"] if row else sf_id)

    def _upsert(self, name: str, field_name: str) -> Response:
        described = self._org.objects.get(name)
        if described is None or field_name not in described.fields or not described.fields[field_name].external_id:
            raise CallRefusal("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field_name}", 404)
        seen: set[str] = set()

        def act(record: dict[str, Any]) -> dict[str, Any]:
            values = self._values(record)
            value = str(values.get(field_name) or "")
            if not value:
                raise Refusal("MISSING_ARGUMENT", f"{field_name} not specified")
            if value.casefold() in seen:
                raise Refusal("DUPLICATE_VALUE", "duplicate external id found in the request", [field_name])
            seen.add(value.casefold())
            old = self._org.by_external_id(name, field_name, value)
            sf_id = self._org.save(name, old["Id"] if old else None, values, user=self._user, headers=self._headers)
            return self._done(sf_id, created=old is None)

        return self._each(self._records(), act)

    def _retrieve(self, name: str) -> Response:
        if self._request.method == "GET":
            ids, fields = (self._request.query.get(key, "").split(",") for key in ("ids", "fields"))
        else:
            body = self._request.json()
            ids, fields = body.get("ids", []), body.get("fields", [])
        if name not in self._org.objects:
            raise CallRefusal("NOT_FOUND", "The requested resource does not exist", 404)
        if len(ids) > _RETRIEVE_ROWS:
            raise CallRefusal("EXCEEDED_ID_LIMIT", "too many ids")
        for one in fields:
            if one not in self._org.objects[name].fields or one in self._org.hidden:
                raise CallRefusal("INVALID_FIELD", f"No such column '{one}' on sobject of type {name}")
        rows = [self._org.row(one) for one in ids]
        return Response(
            200, [None if row is None or row["IsDeleted"] else show_row(self._org, name, row, fields, self._base) for row in rows]
        )

    def _subrequests(self) -> Response:
        body = self._request.json()
        wanted = body.get("compositeRequest", []) if isinstance(body, dict) else []
        heavy = [one for one in wanted if re.search(r"/(query|queryAll|composite)\b", str(one.get("url", "")))]
        if len(wanted) > 25 or len(heavy) > 5:
            raise CallRefusal("INVALID_INPUT", "Limit of subrequests exceeded")
        known: dict[str, Any] = {}
        answers = []
        for one in wanted:
            url = _REFERENCE.sub(lambda found: str(_look(known, found[1])), str(one["url"]))
            payload = _REFERENCE.sub(lambda found: str(_look(known, found[1])), json.dumps(one.get("body"))).encode()
            headers = {**self._request.headers, **{k.lower(): v for k, v in one.get("httpHeaders", {}).items()}}
            request = Request.of(one.get("method", "GET"), url, headers, payload if one.get("body") is not None else b"")
            inner = _carry_out(self._org, request, {})
            known[one["referenceId"]] = inner.body
            answers.append(
                {"body": inner.body, "httpHeaders": {}, "httpStatusCode": inner.status, "referenceId": one["referenceId"]}
            )
        return Response(200, {"compositeResponse": answers})


def _locked() -> dict[str, Any]:
    refusal = Refusal("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
    return {"success": False, "errors": [_error(refusal, "statusCode")]}


def _look(known: dict[str, Any], path: str) -> Any:
    name, _, rest = path.partition(".")
    found = known.get(name)
    for part in rest.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
