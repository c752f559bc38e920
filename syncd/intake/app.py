"""The routes of the intake: `/hooks/{source}`, `/healthz`, `/readyz`, `/metrics`. See `server.py` for what runs them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from syncd.clock import Clock
from syncd.connector import HttpRequest, Verdict
from syncd.intake import answers
from syncd.intake.bodies import CLOSE, Bodies
from syncd.intake.limits import IntakeLimits
from syncd.intake.receiver import Bucket, Probes, Receiver
from syncd.intake.refusals import Refusals, RefusedError
from syncd.intake.writer import Writer
from syncd.metrics import CONTENT_TYPE, NO_SOURCE, WEBHOOK_REQUESTS, WEBHOOK_SECONDS, render
from syncd.model import Delivery

_MOST_TYPE_CHARACTERS = 1_000
"""Of a content type as it is kept; the longest boundary has 70."""
_FLUSH_SECONDS = 5.0


class Intake:
    """Takes requests for its receivers. For one event loop."""

    def __init__(
        self,
        receivers: Sequence[Receiver],
        writer: Writer,
        clock: Clock,
        refusals: Refusals,
        probes: Probes,
        limits: IntakeLimits,
    ) -> None:
        """`writer` is started and closed by the caller; `bodies` are those that come in."""
        self._receivers = {one.name: one for one in receivers}
        self._writer = writer
        self._clock = clock
        self._refusals = refusals
        self._probes = probes
        self.bodies = Bodies(limits)
        started = clock.monotonic()
        self._buckets = {one.name: Bucket(one.reception.per_second, one.reception.burst, started) for one in receivers}
        self._started = started
        self.ticked_at = started
        """When the event loop last came by (monotonic seconds): it does every five seconds while it moves."""
        # Looking a child up by its labels costs more than counting.
        self._stored = {one.name: WEBHOOK_REQUESTS.labels(one.name, "stored") for one in receivers}
        self._seconds = {one.name: WEBHOOK_SECONDS.labels(one.name) for one in receivers}

    def app(self) -> Starlette:
        """The ASGI application."""
        hooks = [Route("/hooks/{source}", self._hook), Route("/hooks/{source}/{tail:path}", self._hook)]
        for one in hooks:
            one.methods = None  # which of them are taken is the source's business
        routes = [
            *hooks,
            Route("/healthz", self._health, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]
        handlers = {HTTPException: _answer_http}
        app = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._life)
        # An answer of the 3xx kind is a failure to whoever sends webhooks.
        app.router.redirect_slashes = False
        return app

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        del app
        flushing = asyncio.create_task(self._flush())
        yield
        flushing.cancel()
        with suppress(asyncio.CancelledError):
            await flushing
        self._refusals.flush(is_last=True)

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self.ticked_at = self._clock.monotonic()
            self._refusals.flush()

    # ------------------------------------------------------------------ deliveries

    async def _hook(self, request: Request) -> Response:
        started = self._clock.monotonic()
        receiver = self._receivers.get(request.path_params["source"])
        origin = request.headers.get("origin", "")
        if receiver is None or request.path_params.get("tail") == "":
            missing = RefusedError("unknown_source", 404)
            self._refusals.note(NO_SOURCE, missing)
            return answers.refused(missing)
        if request.method == "OPTIONS":
            return answers.shared(answers.preflight(receiver, origin), receiver, origin)
        try:
            response = await self._take_in(receiver, request)
        except RefusedError as error:
            self._refusals.note(receiver.name, error)
            response = answers.refused(error)
        except Exception as error:  # noqa: BLE001 - the boundary of a request: one that meets a bug of ours stops no other
            bug = RefusedError("internal_error", 500, CLOSE, type(error).__name__)
            self._refusals.note(receiver.name, bug)
            response = answers.refused(bug)
        self._seconds[receiver.name].observe(self._clock.monotonic() - started)
        return answers.shared(response, receiver, origin)

    async def _take_in(self, receiver: Receiver, request: Request) -> Response:
        if request.method not in receiver.reception.methods:
            raise RefusedError("method_not_allowed", 405, {"allow": ", ".join((*receiver.reception.methods, "OPTIONS"))})
        self._admit(receiver, request)
        body = b"" if request.method != "POST" else await self.bodies.read(request.receive, receiver.reception.max_bytes)
        received_at = self._clock.now()
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            headers.setdefault(name, value)
        query: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, value)
        asked = HttpRequest(request.method, headers, query, body, request.path_params.get("tail", ""))
        verdict = receiver.connector.verify(asked, receiver.options, received_at)
        if verdict.refusal:
            raise RefusedError(verdict.refusal, verdict.status)
        if not verdict.is_stored or request.method != "POST":
            WEBHOOK_REQUESTS.labels(receiver.name, "answered").inc()
            return answers.said(verdict.answer, verdict.answer_type, verdict.status)
        delivery = Delivery(
            source=receiver.name,
            received_at=received_at,
            body=body,
            delivery_id=verdict.delivery_id,
            sent_at=verdict.sent_at,
            content_type=headers.get("content-type", "").lower()[:_MOST_TYPE_CHARACTERS],
            kept=dict(verdict.kept),
        )
        await self._writer.store(delivery)
        self._stored[receiver.name].inc()
        return _answer(verdict, headers)

    def _admit(self, receiver: Receiver, request: Request) -> None:
        """Refuse what can be refused before its body is read."""
        headers = request.headers
        # Whoever waits for "100 Continue" may now keep the body to himself: what follows cannot be told from it.
        end = CLOSE if "expect" in headers else {}
        wait = self._buckets[receiver.name].take(self._clock.monotonic())
        if wait:
            raise RefusedError("too_many_requests", 429, {"retry-after": str(math.ceil(wait))} | end)
        if request.method != "POST":
            return
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise RefusedError("bad_encoding", 415, end)
        if headers.get("content-type", "").partition(";")[0].strip().lower() not in receiver.reception.content_types:
            raise RefusedError("bad_type", 415, end)
        length = headers.get("content-length")
        if length is None:
            if "transfer-encoding" not in headers:
                raise RefusedError("length_required", 411, end)
        elif not (length.isascii() and length.isdigit()):
            raise RefusedError("bad_length", 400, end)
        elif len(length.lstrip("0")) > len(str(receiver.reception.max_bytes)) or int(length) > receiver.reception.max_bytes:
            raise RefusedError("too_large", 413, end)

    # ------------------------------------------------------------------ questions; in threads of the framework

    def _health(self, request: Request) -> Response:
        del request
        count, size = self._writer.waiting
        facts = {
            "status": "ok",
            "storing": self._writer.is_storing,
            "waiting_count": count,
            "waiting_bytes": size,
            "uptime_seconds": round(self._clock.monotonic() - self._started, 1),
        }
        return answers.document({**self._probes.facts(), **facts})

    def _ready(self, request: Request) -> Response:
        del request
        why = list(self._probes.unready())
        if not self._writer.is_storing:
            why.insert(0, "Deliveries cannot be stored.")
        return answers.document({"ready": not why, "why": why}, 503 if why else 200)

    def _metrics(self, request: Request) -> Response:
        del request
        text = render() if self._probes.metrics is None else self._probes.metrics()
        return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})


def _answer(verdict: Verdict, headers: dict[str, str]) -> Response:
    """After the commit: the next page or a thank-you for a browser, JSON for a program."""
    if verdict.answer:
        return answers.said(verdict.answer, verdict.answer_type, verdict.status)
    if verdict.redirect:
        return answers.redirected(verdict.redirect)
    # Only browsers that load a page ask for HTML; fetch and programs do not.
    if not verdict.delivery_id and "text/html" in headers.get("accept", ""):
        return answers.thanks()
    return answers.stored(verdict.delivery_id, verdict.status)


async def _answer_http(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: paths and methods that are not there."""
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    reason = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    return answers.refused(RefusedError(reason, error.status_code, error.headers))
