"""Finding a host and connecting to it, all within one time."""

from __future__ import annotations

import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

from mixrelay.shared.mixpanel.exchange import Exchange, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence


def dial(
    exchange: Exchange, host: str, port: int, options: Sequence[tuple[int, int, int | bytes]]
) -> socket.socket:
    """Return a connected socket.

    Raises:
        OSError: the host has no address, refuses, or is not reached in time.
    """
    exchange.stage = Stage.RESOLVING
    found = _resolve(host, port, exchange.left_to_connect())
    exchange.stage = Stage.CONNECTING
    trouble: OSError = OSError("no address found")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        # Each address gets a fair share, so that a dead IPv6 route leaves time for IPv4.
        share = exchange.left_to_connect() / (len(found) - tried)
        sock = socket.socket(family, kind, protocol)
        try:
            for option in options:
                sock.setsockopt(*option)
            sock.settimeout(share)
            sock.connect(address)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            return sock
    raise trouble


def _resolve(host: str, port: int, seconds: float) -> list[Any]:
    """Look a host up; in a thread, since nothing can interrupt ``getaddrinfo``."""
    answer: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            answer.put(error)
        except UnicodeError:
            answer.put(socket.gaierror(socket.EAI_NONAME, "the host's name is not valid"))

    threading.Thread(target=look_up, name="mixrelay-resolve", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("timed out") from None
    if isinstance(found, OSError):
        raise found
    return found
