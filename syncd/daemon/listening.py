"""The daemon's listening socket: the supervisor's own, so that none is refused while an intake is replaced."""

from __future__ import annotations

import socket

from syncd.errors import ConfigError

_BACKLOG = 1_024


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigError: Nothing can listen there.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Nothing can listen at {host}:{port}: {error.strerror}.",
            advice="Change http.host or http.port in syncd.yaml, or stop what listens there.",
        ) from error
    return listener
