"""The base of a vendor's model: routes, logins, limits, faults, control calls. One class per vendor in `syncd/sandbox/vendors/`.

Deterministic for a seed and a clock; all state in memory; behaves as the reference says, also where that is inconvenient.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import unquote

from syncd.clock import Clock, SystemClock
from syncd.sandbox.faults import Fault, FaultBox, Kind
from syncd.sandbox.later import Later
from syncd.sandbox.message import Request, Response
from syncd.sandbox.values import CallRefusal
from syncd.sandbox.vendor_app import Served, VendorApp
from syncd.sandbox.visitors import Visitor

COMMON_KINDS = frozenset(Kind) - {Kind.ROW_LOCK, Kind.POISON, Kind.GOVERNOR, Kind.LIMIT, Kind.EMPTY_PAGE}
"""Faults that every vendor can have; one with an empty page or a limit of its own adds it."""
_STATUS = {Kind.EXPIRED: 401, Kind.FORBIDDEN: 403, Kind.THROTTLED: 429, Kind.ERROR: 500, Kind.UNAVAILABLE: 503}
_ROWS = 500

F = TypeVar("F", bound=Callable[..., Response])


def route(method: str, path: str, *, is_open: bool = False) -> Callable[[F], F]:
    """A method of a Vendor that answers a resource: `*` in `path` is an id, handed on decoded. `is_open`: no login is needed."""

    def mark(function: F) -> F:
        marks = getattr(function, "routes", ())
        function.routes = (*marks, (method, tuple(path.strip("/").split("/")), is_open))  # type: ignore[attr-defined]
        return function

    return mark


class Tokens:
    """Access tokens that a vendor has given out, and when they end; by the vendor's clock."""

    def __init__(self, clock: Clock, prefix: str) -> None:
        """None yet."""
        self._clock = clock
        self._prefix = prefix
        self._ends: dict[str, datetime] = {}

    def issue(self, seconds: float) -> str:
        """A new one."""
        token = f"{self._prefix}{len(self._ends) + 1}"
        self._ends[token] = self._clock.now() + timedelta(seconds=seconds)
        return token

    def is_good(self, token: str) -> bool:
        """Whether it was given out and has not ended."""
        return token in self._ends and self._clock.now() < self._ends[token]

    def end_all(self) -> None:
        """As if somebody had taken the consent back, or a day had passed."""
        self._ends = dict.fromkeys(self._ends, self._clock.now())

    @property
    def count(self) -> int:
        """How many were given out."""
        return len(self._ends)


class Vendor:
    """One account at a vendor. Safe for threads.

    Attributes:
        calls: Requests to the API, oldest first, refused ones too. call_count: How many.
        open_now, most_open: Requests with a good login under way now, and at most; `connections` is the limit, 0 none.
        per_second: Calls that are let through per second, 0 for any number.
        page_served: Called with the vendor and the name of the resource whenever a page was read, before the next can be.
    """

    name: ClassVar[str] = ""
    kinds: ClassVar[frozenset[Kind]] = COMMON_KINDS
    connections: int = 0
    per_second: float = 0.0
    _routes: ClassVar[list[tuple[str, tuple[str, ...], bool, Callable[..., Response]]]] = []

    def __init_subclass__(cls) -> None:
        """Collect the routes."""
        found = [one for base in reversed(cls.__mro__) for one in vars(base).values() if hasattr(one, "routes")]
        cls._routes = [(*marks, one) for one in found for marks in one.routes]

    def __init__(self, *, seed: int = 0, clock: Clock | None = None) -> None:
        """Nobody is there."""
        self.clock: Clock = clock or SystemClock()
        self.seed = seed
        self.lock = threading.RLock()
        self.faults = FaultBox(seed, self.kinds)
        self.later = Later()
        self.calls: list[Served] = []
        self.open_now = self.most_open = 0
        self.page_served: Callable[[Any, str], object] | None = None
        self._begun: list[float] = []
        self._read: str = ""

    @property
    def call_count(self) -> int:
        """Requests to the API so far."""
        return len(self.calls)

    def app(self) -> VendorApp:
        """What puts it behind HTTP."""
        return _RoutedApp(self)

    # ------------------------------------------------------------------ for each vendor

    def source(self, url: str) -> dict[str, Any]:
        """Options in syncd.yaml of a source that reads this account, served at `url`, its type and mapping among them."""
        raise NotImplementedError

    def populate(self, people: Sequence[Visitor]) -> None:
        """Let people come by, each at their time."""
        raise NotImplementedError

    def is_logged_in(self, request: Request) -> bool:
        """Whether a request brings what it must."""
        raise NotImplementedError

    def error(self, status: int, message: str, kind: Kind | None = None) -> Response:
        """An error in the vendor's shape; `kind` when a fault struck, or the login was refused (EXPIRED)."""
        del kind
        return Response(status, {"message": message})

    def emptied(self, body: Any) -> Any:
        """An answer without its records, for EMPTY_PAGE."""
        raise NotImplementedError

    def control(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """A control call besides `state` and `faults`: `POST /sandbox/VERB`. A method `do_VERB` by default."""
        return getattr(self, f"do_{verb}")(**body) or {"ok": True}

    def state(self) -> dict[str, Any]:
        """More for the control call `state`."""
        return {}

    def table(self) -> tuple[Iterable[str], Iterable[Iterable[object]]]:
        """Heads and rows of the page for people."""
        return (), ()

    # ------------------------------------------------------------------ for their methods

    def now(self) -> datetime:
        """The vendor's clock."""
        return self.clock.now()

    def read_page(self, name: str) -> None:
        """Say in a route that a page of records was read: `page_served` is called before the answer leaves."""
        self._read = name

    def missing(self) -> Response:
        """There is no such resource."""
        return self.error(404, "Not found")


def bearer(request: Request) -> str:
    """The token of `Authorization: Bearer`, `""` for none."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


class _RoutedApp(VendorApp):
    """Serves a Vendor by its routes."""

    def __init__(self, vendor: Vendor) -> None:
        super().__init__(vendor)
        self._vendor = vendor

    def is_of_api(self, request: Request) -> bool:
        return self._found(request)[0] is not None

    def beside(self, request: Request) -> Response:
        _, methods, _ = self._found(request)
        if methods:
            return self._vendor.error(405, "Method not allowed")
        if not request.path.startswith("/sandbox/"):
            return _page(self._vendor) if request.path in ("", "/", "/sandbox") else self._vendor.missing()
        try:
            with self._vendor.lock:
                return Response(200, _control(self._vendor, request.path.removeprefix("/sandbox/"), dict(request.json() or {})))
        except CallRefusal as refusal:
            return Response(400, {"error": refusal.code, "message": refusal.message})
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            return Response(400, {"error": "BAD_REQUEST", "message": f"{type(wrong).__name__}: {wrong}"})

    def is_logged_in(self, request: Request) -> bool:
        return self._vendor.is_logged_in(request)

    def login_refused(self, request: Request, number: int) -> Response | None:
        _, _, is_open = self._found(request)
        if is_open or self._vendor.is_logged_in(request):
            return None
        return self.trouble(Kind.EXPIRED, number)

    def trouble(self, kind: Kind, number: int) -> Response | None:
        del number
        return self._vendor.error(_STATUS[kind], "Trouble", kind) if kind in _STATUS else self._own_limit(kind)

    def _own_limit(self, kind: Kind) -> Response | None:
        return self._vendor.error(403, "Limit", kind) if kind is Kind.LIMIT else None

    def is_over_limit(self) -> bool:
        vendor = self._vendor
        if not vendor.per_second:
            return False
        now = vendor.clock.monotonic()
        vendor._begun = [one for one in vendor._begun if one > now - 1.0]  # noqa: SLF001 - its own app
        if len(vendor._begun) >= vendor.per_second:  # noqa: SLF001
            return True
        vendor._begun.append(now)  # noqa: SLF001
        return False

    def carry_out(self, request: Request, kinds: Mapping[Kind, Fault], number: int) -> Response:
        del number
        vendor = self._vendor
        handler, ids, _ = self._found(request)
        assert handler is not None  # noqa: S101 - others are answered beside
        with vendor.lock:
            vendor._read = ""  # noqa: SLF001 - its own app
            response = handler(vendor, request, *ids)
            if Kind.EMPTY_PAGE in kinds and response.status == 200:
                response.body = vendor.emptied(response.body)
            was_read = vendor._read  # noqa: SLF001
        # Outside the lock and before the answer leaves: whoever edits now does it between two pages.
        if was_read and vendor.page_served is not None:
            vendor.page_served(vendor, was_read)
        return response

    def _found(self, request: Request) -> tuple[Callable[..., Response] | None, tuple[str, ...], bool]:
        """The handler with its ids, and whether it is open; without one the methods that the path has, if it is one."""
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        methods: list[str] = []
        for method, names, is_open, handler in self._vendor._routes:  # noqa: SLF001 - its own app
            if len(names) == len(parts) and all(_fits(name, part) for name, part in zip(names, parts, strict=True)):
                if method == request.method:
                    ids = (part for name, part in zip(names, parts, strict=True) if name.startswith("*"))
                    return handler, tuple(ids), is_open
                methods.append(method)
        return None, tuple(methods), False


def _fits(name: str, part: str) -> bool:
    """`*` fits any part, `*:search` one that ends so."""
    if name.startswith("*"):
        return bool(part) and part.endswith(name[1:])
    return name == part


def _control(vendor: Vendor, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    if verb == "state":
        counts = {"calls": vendor.call_count, "open_now": vendor.open_now, "most_open": vendor.most_open}
        return {**counts, "faults": vendor.faults.hits, **vendor.state()}
    if verb == "faults":
        if body.get("clear"):
            vendor.faults.clear()
        else:
            vendor.faults.add(body.pop("kind"), **body)
        return {"ok": True}
    return vendor.control(verb, body)


def _page(vendor: Vendor) -> Response:
    heads, rows = vendor.table()
    style = (
        "body{font:14px/1.4 system-ui;margin:2rem auto;max-width:90rem;padding:0 1rem}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    )
    shown = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in list(rows)[:_ROWS]
    )
    head = "".join(f"<th>{html.escape(one)}</th>" for one in heads)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox {vendor.name}</title><style>{style}</style>'
        f"<h1>Sandbox {vendor.name}</h1><p>{vendor.call_count} API calls.</p><table><tr>{head}</tr>{shown}</table></html>"
    )
    return Response(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
