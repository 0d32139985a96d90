"""Ports for servers that must be told one before they start."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

_PORTS = range(20_000, 30_000)
"""Below those that a system gives to outgoing connections (Linux from 32768, macOS from 49152 on):
one of these could be taken for a client between the look and the server's start."""

_held: list[int] = []
"""Open files: their locks keep the ports from the other processes that run tests."""


def free_port() -> int:
    """A port that nothing listens on; no other test is given it while this process lives."""
    folder = Path(tempfile.gettempdir()) / f"mixrelay-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in random.Random(os.urandom(8)).sample(_PORTS, len(_PORTS)):
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
    raise AssertionError("no port is free")
