"""A name server of one's own for one process tree: what it answers, a file says at each question.

An application under test calls `install()` before anything else. The test writes the file; no
right of root is needed, and the names of the machine are left alone.
"""

import _socket
import json
import os
import sys
from pathlib import Path
from typing import Any

NAME = "redis.matrix.test"
VARIABLE = "MIXRELAY_TEST_NAMES"
"""The file's path."""
NOTES = "MIXRELAY_TEST_NOTES"
"""The path of what `work.py` writes."""

TRY_SECONDS = 5.0
TRIES = 2
"""As a resolver waits that is told nothing else (resolv.conf: timeout, attempts)."""

Where = tuple[str, int] | None


class NameServer:
    """The test's end: where the name points to, or that nobody answers."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def point_to(self, host: str, port: int) -> None:
        self._write([host, port])

    def fall_silent(self) -> None:
        self._write(None)

    def _write(self, where: object) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(where))
        fresh.replace(self.file)


def install() -> None:
    """Replaces the C function that every way to ask goes through: threads, asyncio, gevent."""
    file = Path(os.environ[VARIABLE])
    real = _socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in {NAME, NAME.encode()}:
            return real(host, port, *args, **kwargs)
        for _ in range(TRIES):
            where = json.loads(file.read_text())
            if where is not None:
                return real(*where, *args, **kwargs)
            original("time", "sleep")(TRY_SECONDS)
        raise _socket.gaierror(_socket.EAI_AGAIN, "Temporary failure in name resolution")

    _socket.getaddrinfo = getaddrinfo  # type: ignore[assignment]


def original(module: str, name: str) -> Any:
    """What a module has by that name, also where gevent has put its own in its place."""
    if "gevent.monkey" in sys.modules:
        return sys.modules["gevent.monkey"].get_original(module, name)
    return getattr(__import__(module), name)
