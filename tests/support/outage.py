"""What workers do while Redis is away: how often they knock, and how much they work."""

import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Knocks:
    """Stands at the port of a server that is gone, ends each connection and counts it."""

    def __init__(self, port: int) -> None:
        self.times: list[float] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._run, name="knocks")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.times.append(time.monotonic())
            client.close()

    def after(self, seconds: float) -> int:
        """How many came later than that after the first: by then every backoff has grown."""
        return sum(at - self.times[0] > seconds for at in self.times)


def cpu_seconds(pids: Iterable[int]) -> float:
    """What processes have used so far, without their children."""
    used = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
    return used / _TICKS
