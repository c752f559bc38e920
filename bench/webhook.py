"""The real intake on a fresh store, beside the same server that stores nothing: how long a signed delivery waits for its answer.

    python bench/webhook.py             100 a second for 5 s, 500 a second for 10 s
    python bench/webhook.py --full      the same for 20 s and for 60 s
    python bench/webhook.py --postgres URL     a store on PostgreSQL

Server and sender are processes of their own. Deliveries are sent at fixed instants whether or not earlier ones were answered
(an open loop), over connections that are kept; the time counts from the instant at which one should have been sent, so that a
server that stalls is charged for everybody who waits. The floor answers 204 once it has read the body.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from syncd.clock import SystemClock
from syncd.store import open_journal

KEY = b"bench-webhook-key"
_SHORT, _FULL = ((100, 5.0), (500, 10.0)), ((100, 20.0), (500, 60.0))
_WARM = 50
_CONNECTIONS = 64
_PERSON = {
    "type": "lead.created",
    "data": {
        "email": "person{}@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace{name}",
        "company": "Analytical Engines Limited",
        "title": "Head of Computation",
        "country": "DE",
        "message": "Please call me about the analytical engine and its use in our office. " * 8,
    },
}


# ---------------------------------------------------------------- the server's process


def serve(store_url: str, descriptor: int) -> None:
    """The intake, or the floor where there is no store, on a listening socket, until SIGTERM."""
    listening = socket.socket(fileno=descriptor)
    if not store_url:
        serve_floor(listening)
        return
    from connectors.webhook import CONNECTOR, WebhookOptions
    from syncd import log
    from syncd.connector import Secret
    from syncd.intake import IntakeServer, Receiver

    log.configure("warning", json=True)
    journal = open_journal(store_url)
    options = WebhookOptions(secret=Secret(KEY.decode(), "bench"), per_second=1_000, burst=2_000)
    server = IntakeServer([Receiver("site", CONNECTOR, options)], journal, SystemClock(), log.get_log())
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.run([listening])
    journal.close()


def serve_floor(listening: socket.socket) -> None:
    """The same framework and server; reads the body and answers."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        await request.body()
        return Response(status_code=204)

    app = Starlette(routes=[Route("/hooks/{source}", answer, methods=["POST"])])
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False)
    uvicorn.Server(config).run([listening])


# ---------------------------------------------------------------- the sender's process


def request(number: int) -> bytes:
    """One signed delivery as it goes over the wire."""
    # Names that differ: people of one name are a question for a person, and no lead.
    name = "".join(chr(97 + int(digit)) for digit in str(number))
    body = json.dumps(_PERSON).replace("{}", str(number)).replace("{name}", name).encode()
    message_id, stamp = f"msg_{number}", str(int(SystemClock().now().timestamp()))
    digest = hmac.new(KEY, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    lines = [
        "POST /hooks/site HTTP/1.1",
        "host: bench",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"webhook-id: {message_id}",
        f"webhook-timestamp: {stamp}",
        f"webhook-signature: v1,{base64.b64encode(digest).decode()}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Sender:
    """Sends on a schedule over kept connections; `waits` are seconds, `codes` statuses."""

    def __init__(self, port: int) -> None:
        """Nothing is sent yet."""
        self._port = port
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.waits: list[float] = []
        self.codes: list[int] = []

    async def run(self, rate: float, seconds: float, first: int = 0, warm: int = _WARM) -> None:
        """Connect, warm up, then send for so long, people from number `first` on."""
        for _ in range(_CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))
        loop = asyncio.get_running_loop()
        count = int(rate * seconds)
        sent = [request(first + number) for number in range(count + warm)]
        for one in sent[count:]:
            await self._send(one, loop.time())
        self.waits.clear()
        self.codes.clear()
        begin = loop.time() + 0.2
        tasks = []
        for number in range(count):
            due = begin + number / rate
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self._send(sent[number], due)))
        await asyncio.gather(*tasks)

    async def _send(self, one: bytes, due: float) -> None:
        reader, writer = await self._free.get()
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        await reader.readexactly(length)
        self.waits.append(asyncio.get_running_loop().time() - due)
        self.codes.append(int(head[9:12]))
        self._free.put_nowait((reader, writer))


def send(port: int, rate: float, seconds: float, first: int = 0, warm: int = _WARM) -> None:
    """Send and print what came of it as JSON."""
    sender = Sender(port)
    asyncio.run(sender.run(rate, seconds, first, warm))
    print(json.dumps({"waits": sender.waits, "codes": sender.codes}))


# ---------------------------------------------------------------- both


def measure(store_url: str, rate: float, seconds: float) -> tuple[list[float], int, float]:
    """Sorted milliseconds, how many were answered 2xx, and CPU seconds of the server."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    port, descriptor = listening.getsockname()[1], listening.fileno()
    this = [sys.executable, str(Path(__file__).resolve())]
    server = subprocess.Popen([*this, "--serve", store_url or "floor", str(descriptor)], pass_fds=[descriptor])
    listening.close()
    try:
        sent = subprocess.run([*this, "--send", str(port), str(rate), str(seconds)], stdout=subprocess.PIPE, check=True)
        cpu = sum(int(one) for one in Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[11:13])
    finally:
        server.terminate()
        server.wait()
    found = json.loads(sent.stdout)
    ok = sum(200 <= code < 300 for code in found["codes"])
    return sorted(wait * 1000 for wait in found["waits"]), ok, cpu / os.sysconf("SC_CLK_TCK")


def compare(rate: float, seconds: float, postgres: str) -> bool:
    """Print both figures at one rate; gives whether everything was answered 2xx and is stored."""
    count = int(rate * seconds)
    with tempfile.TemporaryDirectory() as folder:
        store_url = postgres or f"sqlite:///{folder}/syncd.db"
        floor = measure("", rate, seconds)
        found = measure(store_url, rate, seconds)
        journal = open_journal(store_url)
        stored = sum(one.count for one in journal.backlog().values()) - _WARM
        journal.close()
    print(f"{rate:.0f}/s for {seconds:.0f} s: {count:,} sent, {found[1]:,} answered 2xx, {stored:,} stored")
    print(f"{'':10}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'CPU us each':>14}")
    for name, (waits, _, cpu) in (("syncd", found), ("floor", floor)):
        shown = "".join(f"{value:10.1f}" for value in (at(waits, 0.5), at(waits, 0.99), waits[-1]))
        print(f"{name:10}{shown}{cpu / count * 1e6:14,.0f}")
    print(
        f"{'times':10}" + "".join(f"{at(found[0], share) / at(floor[0], share):10.1f}" for share in (0.5, 0.99, 1.0)) + "\n",
        flush=True,
    )
    return found[1] == stored == count


def at(waits: list[float], share: float) -> float:
    """The wait that so large a share of them does not exceed."""
    return waits[min(len(waits) - 1, int(len(waits) * share))]


def main() -> int:
    """The command line; 1 when a delivery was lost or refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="for 20 s and for 60 s")
    parser.add_argument("--postgres", default="", metavar="URL", help="an empty database")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--send", nargs="+", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0] if options.serve[0] != "floor" else "", int(options.serve[1]))
        return 0
    if options.send:
        send(int(options.send[0]), *options.send[1:3], *(int(one) for one in options.send[3:]))
        return 0
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, bodies of {len(json.dumps(_PERSON))} bytes\n")
    results = [compare(rate, seconds, options.postgres) for rate, seconds in (_FULL if options.full else _SHORT)]
    return int(not all(results))


if __name__ == "__main__":
    raise SystemExit(main())
