"""The service manager's notifications (sd_notify(3)): readiness, reload, and a watchdog that is fed only while work moves."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Speaks to the socket of `NOTIFY_SOCKET`; silent where there is none. Never raises."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Nothing is said yet."""
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        wanted = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_seconds = int(wanted) / 1_000_000 / 3 if wanted.isdecimal() and is_ours else None
        """How often to feed the watchdog, three times in its limit; None where there is none."""

    def say(self, *lines: str) -> None:
        """Send assignments such as `READY=1`."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(1.0)
                out.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            return
