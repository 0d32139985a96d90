"""Finding a host and connecting to it, all within one time."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mixrelay.shared.mixpanel.exchange import Exchange, Stage
from mixrelay.shared.resolving import SilentError, addresses

if TYPE_CHECKING:
    from collections.abc import Sequence


def dial(
    exchange: Exchange, host: str, port: int, options: Sequence[tuple[int, int, int | bytes]]
) -> socket.socket:
    """Return a connected socket.

    Raises:
        OSError: the host has no address, refuses, or is not reached in time.
        RuntimeError: this process can start no thread.
    """
    exchange.stage = Stage.RESOLVING
    try:
        found = addresses(host, port, exchange.left_to_connect())
    except SilentError as error:
        if isinstance(error.__cause__, RuntimeError):
            raise error.__cause__ from error  # this process lacks a thread; no host is to blame
        raise TimeoutError("timed out") from error
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
